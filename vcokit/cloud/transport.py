"""Requests on their way: kept-alive connections to hosts, and what came back over them.

::

    send(request)   idle lines of the host ─▶ one line ─▶ Reply ─▶ back to the idle lines
                             none idle: a new line

A *line* is an httpx transport that holds one connection. Every call in flight has a line of its
own, for one pool that many calls share looks through all its connections at each event: with 32
calls in flight that search took more time than the calls. Requests come signed, nothing is added
to them and no redirect is followed.

What an answer may cost is bounded, whatever it holds: its bytes as they come and unpacked, the
pieces it comes in, and the time from the first step of a call to its last byte. A line with data
behind its answer is closed: that data would be taken for the answer to the next request.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
import urllib.request
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import httpcore
import httpx

from vcokit.cloud.endpoints import is_loopback
from vcokit.cloud.masking import Secret
from vcokit.errors import ConfigError

_Line = TypeVar("_Line")
_Host: TypeAlias = tuple[str, str, int | None]

#: Longest answer that is read; a page of fifty connections takes a tenth of it. JSON takes up to
#: thirty times as much when it is parsed.
MOST_BYTES: Final = 1 << 21

#: Pieces that an answer may come in. A proxy that sends single bytes makes one of each.
_MOST_PIECES: Final = 10_000

#: How an answer may be packed, though nobody asks for it.
_PACKED: Final = ("gzip", "x-gzip", "deflate")

#: Lines of one host that are kept open while nobody uses them.
_MOST_IDLE: Final = 64

_ONE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)

#: What ends an answer that has begun.
_CUT: Final = (httpx.TransportError, MemoryError)


@dataclass(frozen=True)
class Reply:
    """What came back: a whole answer, or as much of it as came.

    Parameters
    ----------
    status_code : int
    headers : mapping of str to str
        Names are compared without case.
    content : bytes
        The body, unpacked.
    seconds : float
        From sending to the end.
    cut : str
        Why it ended too early; empty for a whole answer.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    seconds: float = 0.0
    cut: str = ""


class _Lines(Generic[_Line]):
    """Idle lines by host, the last used first; taking and giving back is safe between threads."""

    def __init__(
        self,
        timeouts: Mapping[str, float],
        proxy: Secret | None,
        seconds: float = math.inf,
        now: Callable[[], float] = time.monotonic,
        instead: Any = None,
    ) -> None:
        self._timeouts = dict(timeouts)
        self._proxy = proxy
        self._seconds = seconds
        self._now = now
        self._instead = instead
        self._idle: dict[_Host, deque[_Line]] = {}

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        # Reading the authorities takes 20 ms, too long to do for every line.
        return httpx.create_ssl_context()

    def _take(self, request: httpx.Request) -> tuple[deque[_Line], _Line]:
        url = request.url
        host = (url.scheme, url.host, url.port)
        request.extensions["timeout"] = self._timeouts
        idle = self._idle.setdefault(host, deque())
        try:
            return idle, idle.pop()
        except IndexError:
            return idle, self._instead or self._open(url)

    def _options(self, url: httpx.URL) -> dict[str, Any]:
        # Plain http goes to this machine alone and needs no authorities.
        verify = self._certificates if url.scheme == "https" else _NO_AUTHORITIES
        proxy = proxy_for(url, self._proxy)
        return {
            "verify": verify,
            "limits": _ONE,
            "proxy": None if proxy is None else httpx.Proxy(proxy.reveal()),
        }

    def _too_long(self, request: httpx.Request) -> httpx.RequestError:
        text = f"the call took longer than {self._seconds:g} s"
        return httpx.ReadTimeout(text, request=request)

    def _open(self, url: httpx.URL) -> _Line:
        raise NotImplementedError

    def _all(self) -> list[_Line]:
        lines = [line for idle in self._idle.values() for line in idle]
        self._idle.clear()
        return lines


_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class _End:
    """When the call ends that a line is used for: seconds of the clock `now`."""

    now: Callable[[], float]
    at: float = math.inf

    @property
    def passed(self) -> bool:
        """Whether that is over."""
        return self.now() >= self.at

    def left(self, timeout: float | None, over: type[httpcore.TimeoutException]) -> float | None:
        """Return how long one step of the call may take; raise where no time is left."""
        if self.at == math.inf:
            return timeout
        seconds = self.at - self.now()
        if seconds <= 0:
            raise over("the call took too long")
        return seconds if timeout is None else min(timeout, seconds)


class _Network(httpcore.NetworkBackend):
    """Opens streams whose every step ends with the call."""

    def __init__(self, network: httpcore.NetworkBackend, end: _End) -> None:
        self._network, self._end = network, end

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        timeout = self._end.left(timeout, httpcore.ConnectTimeout)
        opened = self._network.connect_tcp(host, port, timeout, *args, **options)
        return _Stream(opened, self._end)


class _Stream(httpcore.NetworkStream):
    """A stream whose every step ends with the call."""

    def __init__(self, stream: httpcore.NetworkStream, end: _End) -> None:
        self._stream, self._end = stream, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._end.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._end.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = self._end.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedLine(httpx.HTTPTransport):
    """A line that knows when its call ends. httpx has no time-out over a whole call."""

    def __init__(self, now: Callable[[], float], **options: Any) -> None:
        super().__init__(**options)
        self.end = _End(now)
        self._pool._network_backend = _Network(self._pool._network_backend, self.end)


class Transport(_Lines[_TimedLine]):
    """Sends requests and waits for the whole answer.

    Parameters
    ----------
    timeouts : mapping of str to float
        Seconds for ``connect``, ``read``, ``write`` and ``pool``.
    proxy : Secret or None
        URL of a proxy; None leaves it to the environment.
    seconds : float
        Longest time of a whole call, whatever drips.
    now : callable
        Seconds of a clock that never goes back, to measure that by.
    instead : httpx.BaseTransport, optional
        Takes the place of every line, and of the network; it keeps to the time-outs by itself.
    """

    def _open(self, url: httpx.URL) -> _TimedLine:
        return _TimedLine(self._now, **self._options(url))

    def send(self, request: httpx.Request) -> Reply:
        """Send a request.

        Raises
        ------
        httpx.RequestError
            If nothing came back.
        """
        idle, line = self._take(request)
        begin, cut, more = time.perf_counter(), "interrupted", False
        end = getattr(line, "end", _End(self._now))
        end.at = self._now() + self._seconds
        try:
            response = line.handle_request(request)
            content, cut = _whole(response)
            more = not cut and _has_more(line)
        finally:
            if cut or more or len(idle) >= _MOST_IDLE:
                line.close()
            else:
                idle.append(line)
        if cut and end.passed:
            raise self._too_long(request)
        return _reply(response, content, begin, cut)

    def close(self) -> None:
        """Close the lines that are idle."""
        for line in self._all():
            line.close()


class AsyncTransport(_Lines[httpx.AsyncHTTPTransport]):
    """The same for an event loop; belongs to the loop it first sends in, and keeps to its clock.

    Parameters
    ----------
    timeouts, proxy, seconds, instead
        As for `Transport`.
    """

    def _open(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(**self._options(url))

    async def send(self, request: httpx.Request) -> Reply:
        """Send a request.

        Raises
        ------
        httpx.RequestError
            If nothing came back.
        """
        idle, line = self._take(request)
        begin, cut, more = time.perf_counter(), "interrupted", False
        try:
            async with asyncio.timeout(None if self._seconds == math.inf else self._seconds):
                response = await line.handle_async_request(request)
                content, cut = await _whole_async(response)
            more = not cut and _has_more(line)
        except TimeoutError:
            raise self._too_long(request) from None
        finally:
            if cut or more or len(idle) >= _MOST_IDLE:
                await line.aclose()
            else:
                idle.append(line)
        return _reply(response, content, begin, cut)

    async def aclose(self) -> None:
        """Close the lines that are idle."""
        for line in self._all():
            await line.aclose()


def _has_more(line: Any) -> bool:
    """Tell whether data stands behind the answer that was read.

    What came in one piece with it lies in the connection, and httpcore takes it for the answer to
    the next request; what comes later is noticed by httpcore itself. Of this httpcore has no public
    name; a test fails where another release has others.
    """
    pool = getattr(line, "_pool", None)
    if pool is None:
        return False
    return any(one._connection._h11_state.trailing_data[0] for one in pool.connections)


class _Body:
    """The body of an answer, piece by piece, until there is too much of it."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._pieces = 0
        self.cut = ""

    def take(self, piece: bytes) -> bool:
        """Take a piece; tell whether that was enough."""
        self._content += piece
        self._pieces += 1
        if len(self._content) > MOST_BYTES:
            self.cut = "it does not end"
        elif self._pieces > _MOST_PIECES:
            self.cut = "it comes in too many pieces"
        return self.cut != ""

    def broken(self, error: BaseException) -> None:
        """Note that no more comes."""
        self.cut = str(error) or type(error).__name__

    def unpacked(self, coding: str) -> tuple[bytes, str]:
        """Return the body, and why it ended too early."""
        content = bytes(self._content)
        return (content, self.cut) if self.cut else _unpacked(content, coding.strip().lower())


def _unpacked(content: bytes, coding: str) -> tuple[bytes, str]:
    """Unpack a body that is packed once, in one of two ways; more would hide its size."""
    if coding in ("", "identity"):
        return content, ""
    if coding not in _PACKED:
        return content, f"it is packed as {coding[:60]!r}, which was not asked for"
    for form in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # with a head of its own, then without
        unpack = zlib.decompressobj(form)
        try:
            plain = unpack.decompress(content, MOST_BYTES + 1)
        except zlib.error:
            continue
        if len(plain) > MOST_BYTES:
            return plain, "it does not end"
        return plain, "" if unpack.eof else "its packing ends too early"
    return content, "it cannot be unpacked"


def _whole(response: httpx.Response) -> tuple[bytes, str]:
    body = _Body()
    try:
        for piece in cast(httpx.SyncByteStream, response.stream):
            if body.take(piece):
                break
    except _CUT as error:
        body.broken(error)
    finally:
        response.close()
    return body.unpacked(response.headers.get("content-encoding", ""))


async def _whole_async(response: httpx.Response) -> tuple[bytes, str]:
    body = _Body()
    try:
        async for piece in cast(httpx.AsyncByteStream, response.stream):
            if body.take(piece):
                break
    except _CUT as error:
        body.broken(error)
    finally:
        await response.aclose()
    return body.unpacked(response.headers.get("content-encoding", ""))


def _reply(response: httpx.Response, content: bytes, begin: float, cut: str) -> Reply:
    seconds = time.perf_counter() - begin
    return Reply(response.status_code, response.headers, content, seconds, cut)


def proxy_for(url: httpx.URL, explicit: Secret | None) -> Secret | None:
    """Return the proxy for a host: the explicit one, else the environment's, never for loopback.

    Raises
    ------
    ConfigError
        If the environment's cannot be used.

    Examples
    --------
    >>> proxy_for(httpx.URL("http://127.0.0.1:8080"), Secret("http://proxy.example:3128")) is None
    True
    """
    if is_loopback(url.host):
        return None
    if explicit is not None:
        return explicit
    if urllib.request.proxy_bypass(url.host):
        return None
    found = Secret.of(urllib.request.getproxies().get(url.scheme))
    return checked_proxy(found, f"{url.scheme.upper()}_PROXY")


def checked_proxy(proxy: Secret | None, origin: str = "argument") -> Secret | None:
    """Return a proxy's URL if it can be used; an error never repeats it, it may hold a password.

    Raises
    ------
    ConfigError
        If it cannot.
    """
    if proxy and not _is_usable(proxy):
        raise ConfigError(
            "the proxy cannot be used",
            name="proxy",
            origin=origin,
            remedy="Write it like http://proxy.example:3128; a socks5 one needs httpx[socks]",
        )
    return proxy or None


def _is_usable(proxy: Secret) -> bool:
    """Tell whether a transport by way of a proxy can be made."""
    try:
        made = httpx.HTTPTransport(proxy=httpx.Proxy(proxy.reveal()), verify=_NO_AUTHORITIES)
    except (TypeError, ValueError, ImportError, httpx.InvalidURL):
        return False
    made.close()
    return True
