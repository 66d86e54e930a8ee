"""The simulator as a server: a cloud behind HTTP on a loopback address, with two clocks.

::

                    wall time (signatures, nonces)
                      │
    client ─HTTP─▶ HttpServer ─▶ Service ─▶ Cloud        one lock around service and cloud
                      │             │
                    simulated time  └── JSON or XML
                    = seconds since the start × speed

Simulated time does not advance while the server is stopped. Its state is kept for the next start.

===============  ==================================  ======================================
answer           JSON                                XML
===============  ==================================  ======================================
success          ``{"RequestId": …, fields…}``       ``<{Action}Response>…``
error            RequestId, HostId, Code, Message,   ``<Error>…`` with the same
                 Recommend
list             array                               one element per item
boolean          ``true``                            ``true``
===============  ==================================  ======================================

JSON is the default; the parameter ``Format`` requests XML in both schemes. Without it the header
``Accept`` may request it (our choice: V3 is not documented here). Source: the vendor's page on the
structure of answers; the content types are those that its SDKs expect.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from vcokit.simulator import scenario
from vcokit.simulator.auth import (
    JSON,
    XML,
    Authenticator,
    HttpRequest,
    operation_parameters,
)
from vcokit.simulator.backend import Answer, Cloud
from vcokit.simulator.errors import ApiError
from vcokit.simulator.facts import Facts, read_facts
from vcokit.simulator.faults import AUTH, Fault
from vcokit.simulator.models import (
    TUNNEL_UP,
    Account,
    Connection,
    Credentials,
    Duration,
    Limit,
    Route,
    Switches,
)
from vcokit.simulator.recorded import Recorded

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

#: Speed of a simulator for an inventory, which is used for trials: a minute passes in a second.
INVENTORY_SPEED: Final = 60.0

_CONTENT_TYPES: Final = {JSON: "application/json;charset=utf-8", XML: "text/xml;charset=utf-8"}
_HTML: Final = "text/html;charset=utf-8"
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Please sign in to the network</h1></body></html>\n"
_HELP: Final = (
    "https://api.alibabacloud.com/troubleshoot?q={code}&product=Vpc&requestId={request_id}"
)
_DECLARATION: Final = "<?xml version='1.0' encoding='UTF-8'?>"
#: Characters that XML 1.0 cannot contain, not even escaped.
_UNWRITABLE: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# -- answers as text ------------------------------------------------------------------------------


def write_answer(answer: Answer, form: str, host: str) -> bytes:
    """Return the body of an answer.

    Parameters
    ----------
    answer : Answer
        The answer of the cloud.
    form : str
        ``JSON`` or ``XML``.
    host : str
        ``HostId`` of errors: the host as written by the client.
    """
    fields: dict[str, Any] = {"RequestId": answer.request_id, **answer.fields}
    if answer.code:
        fields |= {
            "HostId": host,
            "Code": answer.code,
            "Message": answer.message,
            "Recommend": _HELP.format(code=answer.code, request_id=answer.request_id),
        }
        fields |= {"AccessDeniedDetail": dict(answer.detail)} if answer.detail else {}
    if form == JSON:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    else:
        root = "Error" if answer.code else f"{answer.operation}Response"
        text = _DECLARATION + "".join(_xml(root, fields))
    return text.encode("utf-8", "replace")


def _xml(name: str, value: Any) -> Iterator[str]:
    """Yield a value as XML; a list becomes one element per item."""
    if isinstance(value, list):
        for item in value:
            yield from _xml(name, item)
    elif isinstance(value, Mapping):
        yield f"<{name}>"
        for key, inner in value.items():
            yield from _xml(key, inner)
        yield f"</{name}>"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        # A bare carriage return would be parsed as a line feed.
        text = escape(_UNWRITABLE.sub("\ufffd", text), {"\r": "&#13;"})
        yield f"<{name}>{text}</{name}>"


# -- from a request to a response -----------------------------------------------------------------


#: The question by which a client on this machine recognises a simulator, and the answer. It is not
#: a call of the API, so it is neither signed nor counted, and no fault hits it.
_QUESTION: Final = "/.vcokit-simulator"
_ANSWER: Final = b"a simulator of vcokit\n"


@dataclass(frozen=True)
class HttpResponse:
    """A response, and the faults of its delivery.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : tuple of (bytes, bytes)
        Those of the API; the server adds Content-Length.
    body : bytes
        The complete body.
    delay : float
        Seconds of wall time to wait before sending.
    drops : bool
        Close the socket without sending anything.
    truncates : bool
        Send half of the body, then close the socket.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    delay: float = 0.0
    drops: bool = False
    truncates: bool = False


class Service:
    """The API of a cloud, without input and output: time is an argument.

    Parameters
    ----------
    cloud : Cloud
        The cloud that answers.
    accounts : iterable of Account
        Who may call.
    """

    def __init__(self, cloud: Cloud, accounts: Iterable[Account]) -> None:
        self.cloud = cloud
        cloud.keys |= {account.access_key_id: account for account in accounts}
        self._authenticator = Authenticator(cloud.keys)

    def respond(self, request: HttpRequest, *, wall: float, now: float) -> HttpResponse:
        """Answer a request.

        Parameters
        ----------
        request : HttpRequest
            Any request; even a malformed one gets an answer.
        wall : float
            Epoch seconds, for the dates of signatures.
        now : float
            Simulated seconds, for the cloud.
        """
        if request.path == _QUESTION:
            return HttpResponse(200, (), _ANSWER)
        connection = request.parameters.get("VpnConnectionId", "")
        # A fault may make the server's clock wrong; its Date then shows it, as on a real server.
        wall += self.cloud.faults.select(AUTH, request.action, connection).skew
        try:
            caller = self._authenticator.authenticate(request, wall)
        except ApiError as error:
            asked = operation_parameters(request.parameters)
            answer = self.cloud.record_error(error, request.action, asked, now=now)
        else:
            answer = self.cloud.call(
                caller.operation, caller.parameters, account=caller.account_id, now=now
            )
        return self._write(answer, request, wall)

    def _write(self, answer: Answer, request: HttpRequest, wall: float) -> HttpResponse:
        faults, form = answer.faults, request.format or JSON
        override = "" if answer.code else faults.body_override
        headers = {"content-type": _CONTENT_TYPES[form], "x-acs-request-id": answer.request_id}
        if answer.retry_after is not None:
            # Rounded up, so that the requested wait is always long enough.
            milliseconds = ceil(answer.retry_after * 1000 / self.cloud.speed)
            headers["x-acs-retry-after"] = str(max(1, milliseconds))
        if override == "html":
            headers, body = {"content-type": _HTML}, _PAGE
        elif override:
            body = b""
        else:
            body = write_answer(answer, form, request.header_values.get("host", ""))
        if faults.wrong_content_type:
            headers["content-type"] = _HTML
        headers["date"] = _http_date(int(wall))
        return HttpResponse(
            status=answer.status,
            headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
            body=body,
            delay=faults.delay,
            drops=faults.drops,
            truncates=faults.truncates,
        )


@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


# -- HTTP on a socket -----------------------------------------------------------------------------


@dataclass(frozen=True)
class HttpLimits:
    """Limits of the server for its clients: bytes, and seconds of wall time.

    Parameters
    ----------
    head, body : int
        Bytes of the request line and headers, and of the body; no operation needs a body.
    connections : int
        Open connections; one more closes the connection that has been idle for the longest time.
    idle_seconds : float
        Between two requests; long enough that clients do not reach it.
    request_seconds : float
        From the first byte of a request to its last.
    """

    head: int = 1 << 16
    body: int = 1 << 16
    connections: int = 512
    idle_seconds: float = 75.0
    request_seconds: float = 10.0


class _UnreadableRequestError(Exception):
    """The API cannot answer the received data; contains the HTTP status."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, in a thread of its own."""

    server: HttpServer
    protocol_version = request_version = default_request_version = "HTTP/1.1"
    requestline = command = ""
    disable_nagle_algorithm = True  # else an answer waits 40 ms for the client's TCP ACK

    def handle_one_request(self) -> None:
        """Read one request and answer it; any socket error ends the connection."""
        self.close_connection = True
        self.server.await_request(self.connection, self.server.limits.idle_seconds)
        try:
            request = self._read_request()
            if request is not None:
                self.server.request_came(self.connection)
                self._send(self.server.respond(request))
        except _UnreadableRequestError as error:
            self._refuse(*error.args)
        except OSError:
            self.close_connection = True  # the client has disconnected, or the server stops

    def _read_request(self) -> HttpRequest | None:
        """Return the next request; None if there is none, or if it was already answered."""
        head = self._read_head()
        self.raw_requestline, _, rest = head.partition(b"\n")
        if not head:
            return None
        # The library gets complete headers only: it would accept truncated ones at a stream's end.
        stream, self.rfile = self.rfile, io.BytesIO(rest)
        parsed = self.parse_request()
        self.rfile = stream
        if not parsed:
            return None
        headers = tuple(
            (name.lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace"))
            for name, value in self.headers.items()
        )
        if not self.server.is_own_host(self.headers.get_all("host", [])):
            raise _UnreadableRequestError(421)
        # Browsers report the origin of a request; requests from web pages are refused.
        if self.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise _UnreadableRequestError(403)
        path, _, query = self.path.partition("?")
        body = self._read_body()
        return HttpRequest(self.command, path, query.encode("latin-1"), headers, body)

    def _read_head(self) -> bytes:
        """Return request line and headers; empty if the client has closed the connection."""
        head = b""
        while not head.endswith((b"\n\r\n", b"\n\n")):
            line = self.rfile.readline(self.server.limits.head - len(head) + 1)
            if not head:
                if line in (b"\r\n", b"\n"):
                    continue  # left over from the previous request
                self.server.await_request(self.connection, self.server.limits.request_seconds)
            head += line
            if len(head) > self.server.limits.head:
                raise _UnreadableRequestError(431)
            if not line.endswith(b"\n"):
                return b""
        return head

    def _read_body(self) -> bytes:
        lengths = self.headers.get_all("content-length", ["0"])
        if "transfer-encoding" in self.headers:
            raise _UnreadableRequestError(411)
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,18}", lengths[0], re.ASCII):
            raise _UnreadableRequestError(400)
        length = int(lengths[0])
        if length > self.server.limits.body:
            raise _UnreadableRequestError(413)
        body = self.rfile.read(length)
        if len(body) < length:
            raise _UnreadableRequestError(408)
        return body

    def _send(self, response: HttpResponse) -> None:
        if response.delay and self.server.stopping.wait(response.delay):
            return
        self.close_connection |= response.drops or response.truncates
        if response.drops:
            return
        length = len(response.body)
        lines = [f"HTTP/1.1 {response.status} {self.responses[response.status][0]}\r\n".encode()]
        lines += [name + b": " + value + b"\r\n" for name, value in response.headers]
        lines.append(f"content-length: {length}\r\n\r\n".encode())
        if self.command != "HEAD":
            lines.append(response.body[: length // 2 if response.truncates else length])
        self.wfile.write(b"".join(lines))  # headers and body in one write

    def _refuse(self, status: int) -> None:
        """Answer a request that is not for the API, and end the connection."""
        self.close_connection = True
        try:
            self.send_error(status, explain=f"Ask as http://127.0.0.1:{self.server.port} does")
            # A client that is still sending must read the answer before the connection is reset.
            self.connection.shutdown(socket.SHUT_WR)
            for _ in range(64):
                if not self.rfile.read1(1 << 16):
                    break
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: malformed requests and broken connections are normal in a simulator."""


class HttpServer(ThreadingHTTPServer):
    """A listening socket, a thread that accepts, and a thread for each open connection.

    Parameters
    ----------
    respond : callable
        Takes a request and returns a response.
    host, port : str, int
        Where to listen; port 0 means any free port.
    limits : HttpLimits
        Limits for clients.
    """

    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self,
        respond: Callable[[HttpRequest], HttpResponse],
        host: str,
        port: int,
        limits: HttpLimits,
    ) -> None:
        self.respond, self.limits, self.host = respond, limits, host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.stopping = threading.Event()
        self._process = os.getpid()
        self._lock = threading.Condition()
        self._open: set[socket.socket] = set()
        #: Connections that wait for a request, and their deadlines; the first waits the longest.
        self._awaited: dict[socket.socket, float] = {}
        super().__init__((host, port), _Handler)
        self.port: int = self.socket.getsockname()[1]
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="vcokit-simulator", daemon=True
        )

    def server_bind(self) -> None:
        """Bind without a name lookup of this host."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)

    def start(self) -> None:
        """Start serving; clients that connect before the thread runs are queued."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and end all threads."""
        if os.getpid() != self._process:  # a forked child owns only its copy of the socket
            self.socket.close()
            return
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                _cut(connection, socket.SHUT_RDWR)
            self._lock.wait_for(lambda: not self._open, timeout=10.0)
        self.server_close()
        self._thread.join()

    def is_own_host(self, hosts: Sequence[str]) -> bool:
        """Return whether a request was meant for this server.

        A web page can make its own name resolve to this machine (DNS rebinding), but it cannot make
        a browser send a name other than its own. Therefore only ``localhost`` and addresses are
        accepted; remote addresses only if this server listens on one.
        """
        try:
            url = urlsplit(f"//{hosts[0]}")
            name, port = url.hostname or "", url.port or 80
        except (ValueError, IndexError):
            return False
        if len(hosts) > 1 or port != self.port or url.username is not None or url.path:
            return False
        return is_loopback(name) or (not is_loopback(self.host) and _is_address(name))

    # -- connections ------------------------------------------------------------------------------

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread."""
        with self._lock:
            self._open.add(request)
            if len(self._open) > self.limits.connections and self._awaited:
                longest = next(iter(self._awaited))
                del self._awaited[longest]
                _cut(longest, socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection after it was served."""
        self.request_came(request)
        super().shutdown_request(request)
        with self._lock:
            self._open.discard(request)
            self._lock.notify_all()

    def await_request(self, connection: socket.socket, seconds: float) -> None:
        """Record that a connection waits for a request, for `seconds` at most."""
        with self._lock:
            self._awaited.pop(connection, None)
            self._awaited[connection] = time.monotonic() + seconds

    def request_came(self, connection: socket.socket) -> None:
        """Record that a connection no longer waits for a request."""
        with self._lock:
            self._awaited.pop(connection, None)

    def service_actions(self) -> None:
        """Close connections that waited too long for a request; called many times per second."""
        now = time.monotonic()
        with self._lock:
            for connection in [one for one, until in self._awaited.items() if until < now]:
                del self._awaited[connection]
                # Data that was already sent is still read and may be answered.
                _cut(connection, socket.SHUT_RD)


def _cut(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        return  # it is already closed


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


# -- frames ---------------------------------------------------------------------------------------

#: Columns of the frames. Strings are ``str`` (empty means missing), integers ``Int64``.
_ROUTES: Final = {
    "region_id": "str",
    "vpn_connection_id": "str",
    "route_dest": "str",
    "next_hop": "str",
    "weight": "Int64",
    "listed": "bool",
    "forwarding": "bool",
}
_CONNECTIONS: Final = {
    "region_id": "str",
    "vpn_connection_id": "str",
    "name": "str",
    "account_id": "str",
    "attach_type": "str",
    "transit_router_id": "str",
    "transit_router_name": "str",
    "zone": "str",
    "state": "str",
    "status": "str",
    "routes": "Int64",
}
_CALLS: Final = {
    "time": "float64",
    "operation": "str",
    "account_id": "str",
    "region_id": "str",
    "vpn_connection_id": "str",
    "parameters": "object",
    "status": "Int64",
    "code": "str",
    "request_id": "str",
    "client_token": "str",
    "replayed": "bool",
    "effect": "Int64",
    "changed": "bool",
    "faults": "str",
}


def _frame(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a frame with these columns and dtypes; an empty frame has all columns."""
    import pandas as pd

    def column(name: str, dtype: str) -> pd.Series[Any]:
        values = [row[name] for row in rows]
        if dtype == "str":
            values = [value or None for value in values]
        return pd.Series(values, dtype=object if dtype == "object" else dtype)

    return pd.DataFrame({name: column(name, dtype) for name, dtype in columns.items()})


# -- the simulator --------------------------------------------------------------------------------


class Simulator:
    """A local server that answers like the cloud.

    Parameters
    ----------
    connections : iterable of Connection
        The IPsec connections of the cloud.
    routes : iterable of Route
        Routes at the start.
    accounts : sequence of Account
        Who may call; `credentials` are those of the first account.
    speed : float
        Simulated seconds per second: divides task times, limit windows and the waits that
        throttled clients are asked for. Signatures and nonces use wall time.
    seed : int
        Seed of all random numbers: task times, faults, request ids.
    quota : int, optional
        Most routes of a connection; by default the vendor's limit.
    router_quota : int, optional
        Most routes of all connections of one transit router together.
    task_seconds : float or (float, float), optional
        Simulated duration of a task: fixed, or between two values.
    limits : mapping of str to (int, float), optional
        Calls and simulated seconds of operations whose rate limit differs from the vendor's.
    switches : Switches, optional
        Behaviour of the cloud where the vendor documents nothing.
    faults : sequence of Fault, optional
        Deliberate failures.
    facts : str or Path, optional
        Answers of a probe, as written by ``Probe.to_json``: the simulator behaves like that
        account. All other arguments take precedence.
    host, port : str, int
        Where to listen; port 0 means any free port, and a restart uses the same port again.
    allow_remote : bool
        Whether the host may be an address other than loopback.
    http_limits : HttpLimits
        Limits of bytes, connections and time for clients.
    monotonic, wall : callable
        The clocks, in seconds.

    Raises
    ------
    ValueError
        If an argument is invalid; the message explains what is valid.

    Examples
    --------
    >>> with Simulator([Connection("vco-1")], [Route("vco-1", "10.0.0.0/8")]) as cloud:
    ...     cloud.routes()["route_dest"].tolist()
    ['10.0.0.0/8']
    """

    def __init__(
        self,
        connections: Iterable[Connection] = (),
        routes: Iterable[Route] = (),
        accounts: Sequence[Account] = (Account(),),
        *,
        speed: float = 1.0,
        seed: int = 0,
        quota: int | None = None,
        router_quota: int | None = None,
        task_seconds: Duration | None = None,
        limits: Mapping[str, Limit] | None = None,
        switches: Switches | None = None,
        faults: Sequence[Fault] | None = None,
        facts: str | Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
        http_limits: HttpLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed {speed!r}. Write a number above 0")
        if not accounts:
            raise ValueError("no account. Leave accounts out, or name at least one")
        if not (allow_remote or is_loopback(host)):
            raise ValueError(
                f"host {host!r} is not a loopback address. Write 127.0.0.1, "
                "or allow_remote=True (--allow-remote) if other machines must reach it"
            )
        seen = Facts() if facts is None else read_facts(facts)
        self.speed = speed
        self.credentials: Credentials = accounts[0].credentials
        self._host, self._port = host, port
        self._http_limits = http_limits or HttpLimits()
        self._monotonic, self._wall = monotonic, wall
        #: Simulated seconds before this start, and the clock at this start if it is running.
        self._lived = 0.0
        self._started: float | None = None
        self._cloud = Cloud(
            connections,
            routes,
            seed=seed,
            quota=seen.quota if quota is None else quota,
            router_quota=router_quota,
            task_seconds=seen.task_seconds if task_seconds is None else task_seconds,
            limits={**seen.limits, **(limits or {})},
            switches=seen.switches if switches is None else switches,
            faults=seen.faults if faults is None else faults,
            speed=speed,
        )
        self._service = Service(self._cloud, accounts)
        self._state_lock = threading.Lock()
        self._life_lock = threading.RLock()
        self._server: HttpServer | None = None
        self._depth = 0

    @classmethod
    def for_routes(
        cls,
        routes: pd.DataFrame,
        /,
        *,
        speed: float = INVENTORY_SPEED,
        seed: int = 0,
        quota: int | None = None,
        task_seconds: Duration | None = None,
        faults: Sequence[Fault] | None = None,
        **options: Any,
    ) -> Simulator:
        """Return a simulator with the connections of an inventory, by default without routes.

        Parameters
        ----------
        routes : DataFrame
            With columns region_id, vpn_connection_id, route_dest, next_hop and weight. Each
            well-formed connection id becomes a connection attached to a transit router, in the
            region of its first row with a region; everything else about it is invented.
        quota : int, optional
            By default the vendor's limit or the number of distinct rows of the largest connection,
            whichever is larger, because an account's quota can be raised. With ``facts=`` it is
            the quota in the facts.
        speed : float
            By default a minute passes in a second.
        seed, task_seconds, faults, **options
            As for `Simulator`; ``routes=`` are the routes at the start.

        Raises
        ------
        ValueError
            If a column is missing.
        """
        accounts = options.get("accounts") or (Account(),)
        probed = options.get("facts") is not None
        return cls(
            scenario.connections_for(routes, seed, accounts[0].account_id),
            speed=speed,
            seed=seed,
            # The quota of a probed account comes from the facts.
            quota=scenario.quota_for(routes) if quota is None and not probed else quota,
            task_seconds=task_seconds,
            faults=faults,
            **options,
        )

    @classmethod
    def from_scenario(cls, path: str | Path, **options: Any) -> Simulator:
        """Return a simulator from a scenario file, in TOML or as `save` writes it.

        Parameters
        ----------
        path : str or Path
            The file; ``docs/scenario.md`` lists the keys.
        **options
            As for `Simulator`; they take precedence over the file.

        Raises
        ------
        ScenarioError
            If the file cannot be used; the message names file, key and remedy.
        """
        return cls(**{**scenario.read_scenario(path), **options})

    #: A file from `save` is a scenario like any other.
    load = from_scenario

    @classmethod
    def replay(
        cls, folder: str | Path, *, speed: float = INVENTORY_SPEED, **options: Any
    ) -> Simulator:
        """Return a simulator that replays a recording: it gives the recorded answers.

        A request is looked for by its operation and parameters. One that was never recorded is
        answered ``NotRecorded``, with what differs from the nearest that was. There are no
        routes and connections in it; `calls` tells what was asked. See
        `vcokit.simulator.recorded`.

        Parameters
        ----------
        folder : str or Path
            Folder from ``connect(record=…)`` or ``--record``. Its ``routes.csv`` is the inventory.
        speed : float
            By default a minute passes in a second.
        **options
            ``accounts``, ``host``, ``port`` and clocks, as for `Simulator`.

        Raises
        ------
        RecordingError
            If the folder does not contain a recording.

        Examples
        --------
        >>> import tempfile
        >>> from vcokit.cloud.connect import connect
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Simulator([Connection("vco-1")]) as cloud, connect(cloud, record=folder) as c:
        ...         regions = len(c.describe_regions())
        ...     with Simulator.replay(folder) as again, connect(again) as client:
        ...         len(client.describe_regions()) == regions
        True
        """
        made = cls(speed=speed, **options)
        made._cloud = Recorded(folder, speed=speed)
        made._service = Service(made._cloud, options.get("accounts") or (Account(),))
        return made

    def save(self, path: str | Path) -> None:
        """Write connections, routes and quotas to a file; running tasks count as ended."""
        with self._state_lock:
            text = scenario.write_scenario(self._cloud, self._now())
        Path(path).write_text(text, encoding="utf-8")

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> Simulator:
        """Start serving if it is not running; return the simulator."""
        with self._life_lock:
            if self._server is None:
                server = HttpServer(self._respond, self._host, self._port, self._http_limits)
                with self._state_lock:
                    self._started = self._monotonic()
                    self._cloud.epoch = self._wall() - self._lived / self.speed
                server.start()
                self._server, self._port = server, server.port
        return self

    def stop(self) -> None:
        """Stop serving if it is running; close all connections."""
        with self._life_lock:
            if self._server is not None:
                server, self._server = self._server, None
                server.stop()
                with self._state_lock:
                    self._lived, self._started = self._now(), None

    def __enter__(self) -> Simulator:
        with self._life_lock:
            self.start()
            self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._life_lock:
            self._depth -= 1
            if self._depth == 0:
                self.stop()

    def _respond(self, request: HttpRequest) -> HttpResponse:
        with self._state_lock:
            return self._service.respond(request, wall=self._wall(), now=self._now())

    def _now(self) -> float:
        if self._started is None:
            return self._lived
        return self._lived + (self._monotonic() - self._started) * self.speed

    def change(self, vpn_connection_id: str, **fields: Any) -> None:
        """Change a connection as in the vendor's console; the change takes effect immediately.

        Parameters
        ----------
        vpn_connection_id : str
            The connection to change.
        **fields
            Fields of `Connection`, such as ``state="financialLocked"``.

        Raises
        ------
        ValueError
            If there is no such connection, or the change is invalid.
        """
        with self._state_lock:
            self._cloud.change(vpn_connection_id, self._now(), **fields)

    # -- looking at it ----------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """URL of the server, as ``http://127.0.0.1:PORT``.

        Raises
        ------
        RuntimeError
            If it is not started.
        """
        if self._server is None:
            raise RuntimeError(
                "the simulator is not started, so it has no endpoint. "
                "Write `with simulator as cloud:`, or call start()"
            )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def now(self) -> float:
        """Simulated seconds for which it has been running."""
        with self._state_lock:
            return self._now()

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Calls and simulated seconds of each operation, not divided by `speed`."""
        return self._cloud.limits

    @property
    def quota(self) -> int:
        """Most routes of a connection."""
        return self._cloud.quota

    def calls(self) -> pd.DataFrame:
        """Return the history: a row per call, in order.

        Returns
        -------
        DataFrame
            `time` (simulated seconds); the call (`operation`, `account_id`, `region_id`,
            `vpn_connection_id`, `parameters`); the answer (`status`, missing if no client received
            it, `code`, `request_id`); and the effect: `client_token`, `replayed` (the first answer
            again), `effect` (number of the accepted write), `changed` (this call itself changed
            routes, or will change them when its task ends), `faults`.
        """
        with self._state_lock:
            calls = list(self._cloud.history)
        rows = [
            {name: getattr(call, name) for name in _CALLS}
            | {
                "status": call.status if call.awaited and not call.faults.drops else None,
                "faults": call.faults.names,
            }
            for call in calls
        ]
        return _frame(_CALLS, rows)

    def routes(self) -> pd.DataFrame:
        """Return the present routes, including those of running tasks.

        Returns
        -------
        DataFrame
            `region_id`, `vpn_connection_id`, `route_dest`, `next_hop`, `weight`; `listed`: the
            cloud's listing shows it; `forwarding`: it is effective and the tunnel is up.
        """
        rows = []
        with self._state_lock:
            early = not self._cloud.switches.listed_after_task
            for connection in self._cloud.advance(self._now()):
                is_up = connection.shown_status == TUNNEL_UP
                of = {"region_id": connection.region_id, "listed": True, "forwarding": is_up}
                rows += [{**vars(route), **of} for route in connection.table]
                if connection.pending_route is not None:
                    of |= {"listed": early, "forwarding": False}
                    rows.append({**vars(connection.pending_route), **of})
        return _frame(_ROUTES, rows)

    def connections(self) -> pd.DataFrame:
        """Return the present connections; `routes` is the number of their effective routes."""
        with self._state_lock:
            rows = [
                {
                    **vars(connection),
                    "state": connection.shown_state,
                    "status": connection.shown_status,
                    "routes": len(connection.table),
                }
                for connection in self._cloud.advance(self._now())
            ]
        return _frame(_CONNECTIONS, rows)

    def __repr__(self) -> str:
        place = "stopped" if self._server is None else self.endpoint
        return f"<Simulator {place}, speed {self.speed:g}, {self.credentials!r}>"
