"""A server that says what a test tells it to, byte by byte, and notes what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        """Parameters of the query and of the body, decoded as forms."""
        forms = (urlsplit(self.target).query, self.body.decode())
        return {k: v for form in forms for k, v in parse_qsl(form, keep_blank_values=True)}

    @property
    def signed(self) -> set[str]:
        """Names of the headers that the signature covers."""
        names = self.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
        return set(names.split(";"))


def reply(
    body: bytes | str | dict, status: str = "200 OK", *, length: int | None = None, **headers: str
) -> bytes:
    """Return an answer as it travels; `length` is what Content-Length shall claim."""
    if isinstance(body, dict):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(data) if length is None else length}")
    return (
        f"HTTP/1.1 {status}\r\n{chr(10).join(line + chr(13) for line in lines)}\n\r\n".encode()
        + data
    )


class Stub:
    """Listens on 127.0.0.1; each request takes the next of the answers, the last one stays.

    Parameters
    ----------
    answers : iterable of bytes or callable
        What is sent, or a function of `Asked` that returns it. After an answer that is shorter
        than it claims, and after an empty one, the connection is closed.
    """

    def __init__(self, answers: Iterable[bytes | Callable[[Asked], bytes]]) -> None:
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.asked: list[Asked] = []
        self.connections = 0

    @property
    def endpoint(self) -> str:
        """URL without path."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def client(self, **options) -> Client:
        """Return a client of this server that notes its waits in ``waits`` and never sleeps."""
        keys = {"access_key_id": "LTAIexample", "access_key_secret": "any-secret"}
        if "credentials" in options:
            keys = {}
        waits: list[float] = []
        passed = {"sleep": waits.append, "steady": lambda: sum(waits), "luck": lambda: 0.0}
        given = {"region": "cn-hangzhou", **keys, **passed, **options}
        client = connect(endpoint=self.endpoint, **given)
        client.waits = waits
        return client

    def __enter__(self) -> Stub:
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A shutdown wakes who waits for the next connection; a close alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still = list(self._open)
        for one in still:
            one.close()
        self._thread.join(10)

    def _listen(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(peer)
                self.connections += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as lines:
            try:
                while (asked := _read(lines)) is not None:
                    data = self._next(asked)
                    peer.sendall(data)
                    if _is_short(data):
                        return
            except (OSError, ValueError):
                return

    def _next(self, asked: Asked) -> bytes:
        with self._lock:
            self.asked.append(asked)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer(asked) if callable(answer) else answer


def _read(lines) -> Asked | None:
    first = lines.readline().decode()
    if not first:
        return None
    method, target, _ = first.split()
    headers = {}
    while (line := lines.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = lines.read(int(headers.get("content-length", 0)))
    return Asked(method, target, headers, body)


def _is_short(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    claims = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return not claims or int(claims[0].split(b":")[1]) > len(body)
