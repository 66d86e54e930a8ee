"""HTTP on a socket: uvicorn in a daemon thread, and what it takes to break a connection on purpose.

::

    start()            listening socket ─▶ thread ─▶ event loop ─▶ uvicorn ─▶ `application`
    stop()             connections cut ─▶ loop ends ─▶ thread joined

A request is answered inside the event loop, for an answer takes less time than handing it over.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vcokit.simulator import defaults
from vcokit.simulator.requests import HttpRequest
from vcokit.simulator.service import HttpResponse

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Respond: TypeAlias = Callable[[HttpRequest], HttpResponse]

#: uvicorn warns of malformed requests and cut connections; both are daily bread here.
_LOG_LEVEL: Final = "error"

#: What a client on this machine asks to know that it rehearses, and the answer: no call of the API,
#: so that it is neither signed nor counted, and no fault strikes it.
_QUESTION: Final = b"/.vcokit-simulator"
_ANSWER: Final = b"a simulator of vcokit\n"


class Unreadable(Exception):  # noqa: N818 - an answer, no fault of the simulator
    """The body of a request is too long, too late, or will never come."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the socket within reach of the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def handle_events(self) -> None:
        try:
            super().handle_events()
        except h11.ProtocolError:
            # Rubbish while an answer is under way: there is no way left to say so in HTTP.
            self.transport.abort()

    def shutdown(self) -> None:
        # A simulator that stops is a server that dies: nobody waits for what is under way.
        self.transport.abort()


def application(respond: Respond) -> Application:
    """Return the ASGI application that answers every request with `respond`."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(receive)
        except Unreadable as unreadable:
            response = HttpResponse(unreadable.status, (), b"")
        else:
            asked = scope["raw_path"] == _QUESTION
            response = HttpResponse(200, (), _ANSWER) if asked else respond(_request(scope, body))
        await _deliver(response, scope["state"]["transport"], receive, send)

    return answer


def _request(scope: Scope, body: bytes) -> HttpRequest:
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        body=body,
    )


async def _read_body(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(defaults.BODY_SECONDS):
            return await _whole_body(receive)
    except TimeoutError:
        raise Unreadable(408) from None


async def _whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unreadable(400)
        body += message.get("body", b"")
        if len(body) > defaults.MAX_BODY:
            raise Unreadable(413)
        if not message.get("more_body"):
            return bytes(body)


async def _deliver(
    response: HttpResponse, transport: asyncio.Transport, receive: Receive, send: Send
) -> None:
    if response.delay:
        await _wait_for_disconnect(receive, response.delay)
    if response.drops:
        transport.abort()
        await _wait_for_disconnect(receive)
        return
    length = (b"content-length", str(len(response.body)).encode())
    headers = [*response.headers, length]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.truncates:
        half = response.body[: len(response.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport.close()
        await _wait_for_disconnect(receive)
        return
    await send({"type": "http.response.body", "body": response.body})


async def _wait_for_disconnect(receive: Receive, seconds: float | None = None) -> None:
    """Wait until the client is gone, or for some time: so a stop need not wait for a delay."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, but ended in a moment: test suites start and stop hundreds."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.is_ready.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), timeout=1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        # What is cut off ends as soon as it hears of it; what was just accepted may come late.
        while self.server_state.connections or self.server_state.tasks:
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0)

    def end(self) -> None:
        """End the main loop, from another thread."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)


class Wire:
    """A listening socket and the thread that serves it.

    Parameters
    ----------
    respond : callable
        From a request to a response; called in the thread.
    host, port : str, int
        Where to listen; port 0 takes any that is free.
    """

    def __init__(self, respond: Respond, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Uvicorn(_config(application(respond)))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="vcokit-simulator", daemon=True
        )

    def start(self) -> None:
        """Start serving; return when requests are taken."""
        self._thread.start()
        if not self._server.is_ready.wait(defaults.PATIENCE_SECONDS):
            self.stop()
            raise RuntimeError("the simulator's server did not start")

    def stop(self) -> None:
        """Cut all connections and end the thread."""
        self._server.end()
        self._thread.join(defaults.PATIENCE_SECONDS)
        self._socket.close()
        if self._thread.is_alive():
            raise RuntimeError("the simulator's server did not stop")


def _config(app: Application) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level=_LOG_LEVEL,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the service's own: its clock may be made wrong
        timeout_keep_alive=defaults.KEEP_ALIVE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only with its protocol named does asyncio send at once what is written (TCP_NODELAY);
    # without it every answer waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A restart takes the same port, although its old connections still fade away.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Whoever connects from now on waits in line until the thread is there.
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
