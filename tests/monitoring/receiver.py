"""Who is told: an HTTP server on this machine that takes messages, or behaves badly; and time."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

from vcokit.rollout.background import Threads
from vcokit.rollout.engine import Clocks

#: What a test waits for at most; nothing takes nearly as long.
LONG = 60.0


class Receiver:
    """A server that apprise's ``json://`` sends to.

    Parameters
    ----------
    manner : str
        ``takes`` answers 200, ``fails`` 500; ``closes`` hangs up without an answer, ``hangs`` gives
        none before the end.
    """

    def __init__(self, manner: str = "takes") -> None:
        self.manner = manner
        self.came: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.put(json.loads(body) | {"path": self.path})
                if receiver.manner == "hangs":
                    receiver.released.wait(LONG)
                if receiver.manner in ("takes", "fails"):
                    self.send_response(200 if receiver.manner == "takes" else 500)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Who hung up meanwhile is no matter."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address, as apprise writes it."""
        return f"json://{self.place}/inbox"

    def next(self) -> dict[str, Any]:
        """Wait for the next message."""
        return self.came.get(timeout=LONG)

    def all(self) -> list[dict[str, Any]]:
        """Return the messages that have come and were not looked at yet."""
        found = []
        while not self.came.empty():
            found.append(self.came.get())
        return found


class Hand:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self._seen = threading.Semaphore(0)
        self._threads: Threads
        self.clocks = Clocks(lambda: self.now, lambda: self.now, self._made)

    def _made(self) -> Threads:
        hand = self

        class ByHand(Threads):
            woken = False

            def get(self, seconds: float | None) -> Any:
                if self.woken:
                    hand._seen.release()
                item = super().get(0.0 if seconds == 0 else LONG)
                self.woken = item is hand
                return None if self.woken else item

        self._threads = ByHand()
        return self._threads

    def move(self, seconds: float, *, to_the_end: bool = False) -> None:
        """Let so many seconds pass, and whoever waits see it, and then wait again or end."""
        self.now += seconds
        self._threads.put(self)
        assert to_the_end or self._seen.acquire(timeout=LONG)
