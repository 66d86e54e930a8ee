"""Requests on their way: kept-alive connections to hosts, and what came back over them.

::

    send(request)   idle lines of the host ─▶ one line ─▶ Reply ─▶ back to the idle lines
                             none idle: a new line

A *line* is an httpx transport that holds one connection. Every call in flight has a line of its
own, for one pool that many calls share looks through all its connections at each event: with 32
calls in flight that search took more time than the calls. Requests come signed, nothing is added
to them and no redirect is followed.
"""

from __future__ import annotations

import ssl
import time
import urllib.request
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import httpx

from vcokit.cloud.endpoints import is_loopback
from vcokit.errors import ConfigError

_Line = TypeVar("_Line")
_Host: TypeAlias = tuple[str, str, int | None]

#: Longest answer that is read; a page of fifty connections takes a hundredth of it.
MOST_BYTES: Final = 1 << 24

#: Lines of one host that are kept open while nobody uses them.
_MOST_IDLE: Final = 64

_ONE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)

#: What ends an answer that has begun.
_CUT: Final = (httpx.TransportError, httpx.DecodingError)


@dataclass(frozen=True)
class Reply:
    """What came back: a whole answer, or as much of it as came.

    Parameters
    ----------
    status_code : int
    headers : mapping of str to str
        Names are compared without case.
    content : bytes
        The body, decompressed.
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

    def __init__(self, timeouts: Mapping[str, float], proxy: str | None) -> None:
        self._timeouts = dict(timeouts)
        self._proxy = proxy
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
            return idle, self._open(url)

    def _options(self, url: httpx.URL) -> dict[str, Any]:
        # Plain http goes to this machine alone and needs no authorities.
        verify = self._certificates if url.scheme == "https" else _NO_AUTHORITIES
        return {"verify": verify, "limits": _ONE, "proxy": proxy_for(url, self._proxy)}

    def _open(self, url: httpx.URL) -> _Line:
        raise NotImplementedError

    def _all(self) -> list[_Line]:
        lines = [line for idle in self._idle.values() for line in idle]
        self._idle.clear()
        return lines


_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Transport(_Lines[httpx.HTTPTransport]):
    """Sends requests and waits for the whole answer.

    Parameters
    ----------
    timeouts : mapping of str to float
        Seconds for ``connect``, ``read``, ``write`` and ``pool``.
    proxy : str or None
        URL of a proxy; None leaves it to the environment.
    """

    def _open(self, url: httpx.URL) -> httpx.HTTPTransport:
        return httpx.HTTPTransport(**self._options(url))

    def send(self, request: httpx.Request) -> Reply:
        """Send a request.

        Raises
        ------
        httpx.RequestError
            If nothing came back.
        """
        idle, line = self._take(request)
        begin, cut = time.perf_counter(), "interrupted"
        try:
            response = line.handle_request(request)
            content, cut = _whole(response)
        finally:
            if cut or len(idle) >= _MOST_IDLE:
                line.close()
            else:
                idle.append(line)
        return _reply(response, content, begin, cut)

    def close(self) -> None:
        """Close the lines that are idle."""
        for line in self._all():
            line.close()


class AsyncTransport(_Lines[httpx.AsyncHTTPTransport]):
    """The same for an event loop; belongs to the loop it first sends in.

    Parameters
    ----------
    timeouts, proxy
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
        begin, cut = time.perf_counter(), "interrupted"
        try:
            response = await line.handle_async_request(request)
            content, cut = await _whole_async(response)
        finally:
            if cut or len(idle) >= _MOST_IDLE:
                await line.aclose()
            else:
                idle.append(line)
        return _reply(response, content, begin, cut)

    async def aclose(self) -> None:
        """Close the lines that are idle."""
        for line in self._all():
            await line.aclose()


def _whole(response: httpx.Response) -> tuple[bytes, str]:
    content = bytearray()
    stream = cast(httpx.SyncByteStream, response.stream)
    coded = "content-encoding" in response.headers
    try:
        for chunk in response.iter_bytes() if coded else stream:
            content += chunk
            if len(content) > MOST_BYTES:
                return bytes(content), "it does not end"
    except _CUT as error:
        return bytes(content), str(error) or type(error).__name__
    finally:
        response.close()
    return bytes(content), ""


async def _whole_async(response: httpx.Response) -> tuple[bytes, str]:
    content = bytearray()
    stream = cast(httpx.AsyncByteStream, response.stream)
    coded = "content-encoding" in response.headers
    try:
        async for chunk in response.aiter_bytes() if coded else stream:
            content += chunk
            if len(content) > MOST_BYTES:
                return bytes(content), "it does not end"
    except _CUT as error:
        return bytes(content), str(error) or type(error).__name__
    finally:
        await response.aclose()
    return bytes(content), ""


def _reply(response: httpx.Response, content: bytes, begin: float, cut: str) -> Reply:
    seconds = time.perf_counter() - begin
    return Reply(response.status_code, response.headers, content, seconds, cut)


def proxy_for(url: httpx.URL, explicit: str | None) -> str | None:
    """Return the proxy for a host: the explicit one, else the environment's, never for loopback.

    Examples
    --------
    >>> proxy_for(httpx.URL("http://127.0.0.1:8080"), "http://proxy.example:3128") is None
    True
    """
    if is_loopback(url.host):
        return None
    if explicit is not None:
        return explicit
    if urllib.request.proxy_bypass(url.host):
        return None
    return urllib.request.getproxies().get(url.scheme)


def checked_proxy(proxy: str | None) -> str | None:
    """Return a proxy's URL if it can be used; an error never repeats it, it may hold a password.

    Raises
    ------
    ConfigError
        If it cannot.
    """
    if not proxy:
        return None
    try:
        httpx.HTTPTransport(proxy=httpx.URL(proxy), verify=_NO_AUTHORITIES).close()
    except (TypeError, ValueError, ImportError, httpx.InvalidURL):
        raise ConfigError(
            "the proxy cannot be used",
            name="proxy",
            remedy="Write it like http://proxy.example:3128; a socks5 one needs httpx[socks]",
        ) from None
    return proxy
