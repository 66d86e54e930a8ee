"""One HTTP exchange: builds, signs and sends a request, and reads the complete answer.

::

    Transport.send ─▶ httpx.BaseTransport ─▶ kept connections to each host ─▶ Reply
          └─▶ note, where somebody records what is sent and what comes back

This is the only module that uses httpx. Nothing is added to a request, no redirect is followed, no
cookie is sent, and only `proxy_for` decides about a proxy of the environment. An `httpx.Client` is
therefore not needed; it would log the URL of each call and take 0.15 ms for it. Requests go to the
transport interface that it uses itself, so a transport of the caller works too.

Pools, their reuse and the time-outs of single steps are those of httpcore, as in httpx. Three
promises need more, so this transport opens its own streams with httpcore's public interface:

================================  =================================================================
promise                           why httpx alone does not keep it
================================  =================================================================
a call ends, however slowly       each of its time-outs covers one step, and headers may arrive in
data arrives                      many steps
the size of an answer is bounded  it decompresses before the size can be checked
surplus data is discarded         data after an answer is kept and used as the next answer
================================  =================================================================
"""

from __future__ import annotations

import math
import re
import ssl
import threading
import time
import urllib.request
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, cast

import httpcore
import httpx

from vcokit.cloud.endpoints import is_loopback
from vcokit.cloud.masking import Secret, mask
from vcokit.cloud.signing import Signer
from vcokit.errors import (
    CloudError,
    ConfigError,
    InputError,
    NoAnswerError,
    NotSentError,
    ProtocolError,
)

#: Most bytes of an answer; a page of fifty connections has a tenth of it. Parsed JSON takes up to
#: thirty times as much memory.
MOST_BYTES: Final = 1 << 21

#: Most pieces of an answer. If a proxy sends single bytes, each byte is one piece.
_MOST_PIECES: Final = 10_000

#: Accepted compressions of an answer, although none is requested.
_PACKED: Final = ("gzip", "x-gzip", "deflate")

#: Most idle connections that are kept for one host, and for how many seconds.
_MOST_IDLE: Final = 64
_LONGEST_IDLE: Final = 30.0

#: Exceptions that can end an answer after its headers.
_CUT: Final = (httpx.TransportError, MemoryError)

#: The end of the headers of an answer, as h11 finds it.
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")

#: Characters of a library's message that an error shows, and that are searched for secrets.
_SHOWN: Final = 200
_LOOKED_AT: Final = 8192

#: Remedy of a write whose outcome is unknown.
UNKNOWN: Final = "A write may have happened: read the live routes before it is sent again"


@dataclass(frozen=True)
class Request:
    """The request of one call: all parameters in the URL, an empty body.

    Parameters
    ----------
    operation : str
    url : str
    headers : mapping of str to str
        Those that do not belong to the signature.
    """

    operation: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: complete, or the part that was received.

    Parameters
    ----------
    status_code : int
    headers : mapping of str to str
        Names are case-insensitive.
    content : bytes
        The body, decompressed.
    seconds : float
        From the request to the end of the answer.
    cut : str
        Why it ended too early; empty for a complete answer.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    seconds: float = 0.0
    cut: str = ""


class Transport:
    """Sends requests and waits for the complete answer. Safe to share between threads.

    Parameters
    ----------
    signer : Signer
    connect_timeout, read_timeout : float
        Seconds of a step.
    seconds : float
        Longest time of a whole call, however slowly data arrives.
    proxy : Secret or None
        URL of a proxy; None means that of the environment.
    now : callable
        Returns seconds of a monotonic clock that measures the call.
    instead : httpx.BaseTransport, optional
        Takes the place of the network; it keeps to the time-outs by itself.
    note : callable, optional
        Called with each request, its result (a `Reply` or the error), and when it was sent.
    """

    def __init__(
        self,
        signer: Signer,
        *,
        connect_timeout: float,
        read_timeout: float,
        seconds: float = math.inf,
        proxy: Secret | None = None,
        now: Callable[[], float] = time.monotonic,
        instead: httpx.BaseTransport | None = None,
        note: Callable[[Request, Reply | CloudError, float], None] | None = None,
    ) -> None:
        self._signer = signer
        self._note = note
        self._end = _End(now)
        self._seconds = seconds
        self._timeouts = httpx.Timeout(read_timeout, connect=connect_timeout).as_dict()
        self._network = instead or _Network(self._end, proxy)

    def send(self, request: Request) -> Reply:
        """Sign a request and send it.

        Raises
        ------
        NotSentError
            If no connection could be opened, so that the request was never sent.
        NoAnswerError
            If no answer was received in time.
        ProtocolError
            If the answer is not HTTP.
        InputError
            If the request cannot be built.
        """
        try:
            signed = httpx.Request(
                "POST",
                request.url,
                headers=request.headers,
                extensions={"timeout": self._timeouts},
            )
        except httpx.InvalidURL as error:
            raise InputError(f"{request.operation} cannot be asked: {error}") from None
        self._signer.sign(signed.method, signed.url.query, signed.headers)
        came: Reply | CloudError
        sent = self._end.now()
        try:
            came = self._sent(signed)
        except httpx.RequestError as error:
            came = error_of(request.operation, error, self._signer.secrets)
        finally:
            # Errors and local variables refer to the headers, which contain the token.
            self._signer.forget(signed.headers)
        if self._note is not None:
            self._note(request, came, sent)
        if isinstance(came, CloudError):
            raise came from None
        return came

    def _sent(self, request: httpx.Request) -> Reply:
        begin = time.perf_counter()
        with self._end.within(self._seconds):
            response = self._network.handle_request(request)
            content, cut = _whole(response)
            if cut and self._end.passed:
                raise httpx.ReadTimeout(f"the call took longer than {self._seconds:g} s")
        seconds = time.perf_counter() - begin
        return Reply(response.status_code, response.headers, content, seconds, cut)

    def close(self) -> None:
        """Close the idle connections; another call opens new ones."""
        self._network.close()


def error_of(
    operation: str, error: httpx.RequestError, secrets: tuple[Secret, ...] = ()
) -> CloudError:
    """Return this package's error for a failed exchange.

    If the connection could not be opened, the request was not sent. After that it is unknown
    whether the request arrived.
    """
    said = mask(str(error)[:_LOOKED_AT], secrets)
    never_left = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    if isinstance(error, (*never_left, httpx.UnsupportedProtocol, httpx.ProxyError)):
        return NotSentError(
            f"the connection could not be opened ({type(error).__name__}: {said[:_SHOWN]})",
            operation=operation,
            remedy="Check the endpoint, the network and the proxy",
        )
    closed = "without sending a response" in said  # h11's text if no byte was received
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError) and not closed:
        return ProtocolError(
            f"the answer was cut off or garbled ({said[:_SHOWN]})",
            received=said[:_SHOWN],
            operation=operation,
            remedy="Try again; if the error persists, check the proxy",
        )
    return NoAnswerError(
        f"no answer ({type(error).__name__}: {said[:_SHOWN]})",
        operation=operation,
        remedy=UNKNOWN,
    )


# -- the network ----------------------------------------------------------------------------------


class _End(threading.local):
    """The deadline of this thread's call, in seconds of the clock `now`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.at = math.inf

    def within(self, seconds: float) -> _End:
        """Start a call that may take `seconds`; for ``with``."""
        self.at = self.now() + seconds
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.at = math.inf

    @property
    def passed(self) -> bool:
        """Whether the deadline has passed."""
        return self.now() >= self.at

    def left(self, timeout: float | None, over: type[httpcore.TimeoutException]) -> float | None:
        """Return how long one step of the call may take; raise if no time is left."""
        if self.at == math.inf:
            return timeout
        seconds = self.at - self.now()
        if seconds <= 0:
            raise over("the call took too long")
        return seconds if timeout is None else min(timeout, seconds)


class _Network(httpx.BaseTransport):
    """Connections of httpcore to each host, over streams that know the deadline of the call.

    Each connection is a pool of its own, used by one call at a time. A pool of many connections
    checks all of them at every call; with 32 connections that takes as long as the call itself.
    """

    def __init__(self, end: _End, proxy: Secret | None) -> None:
        self._end = end
        self._backend = _Backend(end)
        self._proxy = proxy
        #: By host: idle connections, the latest last, each with the time since which it is idle.
        self._idle: dict[tuple[str, str], deque[tuple[httpcore.ConnectionPool, float]]] = {}
        self._lock = threading.Lock()

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        # Reading the CA certificates takes 20 ms, too long to do it for every host.
        return httpx.create_ssl_context()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=cast(httpx.SyncByteStream, request.stream),
            extensions=request.extensions,
        )
        pool = self._taken(url)
        try:
            with _Translated():
                came = pool.handle_request(asked)
        except BaseException:
            pool.close()
            raise
        stream = came.extensions["network_stream"]
        headers = httpx.Headers(came.headers)
        chunked = "transfer-encoding" in headers  # takes precedence over content-length
        stream.body_follows("" if chunked else headers.get("content-length", ""))
        body = _Pieces(came, lambda: self._give_back(url, pool))
        return httpx.Response(came.status, headers=headers, stream=body, extensions=came.extensions)

    def _taken(self, url: httpx.URL) -> httpcore.ConnectionPool:
        with self._lock:
            idle = self._idle.get((url.scheme, url.host))
            if idle:
                return idle.pop()[0]
        return self._made(url)

    def _give_back(self, url: httpx.URL, pool: httpcore.ConnectionPool) -> None:
        now, over = self._end.now(), []
        with self._lock:
            idle = self._idle.setdefault((url.scheme, url.host), deque())
            idle.append((pool, now))
            while len(idle) > _MOST_IDLE or idle[0][1] < now - _LONGEST_IDLE:
                over.append(idle.popleft()[0])
        for each in over:
            each.close()

    def _made(self, url: httpx.URL) -> httpcore.ConnectionPool:
        options: dict[str, Any] = {
            # Plain http goes only to this machine and needs no CA certificates.
            "ssl_context": self._certificates if url.scheme == "https" else None,
            "max_connections": 1,
            "keepalive_expiry": _LONGEST_IDLE,
            "network_backend": self._backend,
        }
        proxy = proxy_for(str(url), self._proxy)
        if proxy is None:
            return httpcore.ConnectionPool(**options)
        return _by_proxy(httpx.Proxy(proxy.reveal()), options)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for pool, _ in connections:
                pool.close()


def _by_proxy(proxy: httpx.Proxy, options: dict[str, Any]) -> httpcore.ConnectionPool:
    kind = httpcore.SOCKSProxy if proxy.url.scheme.startswith("socks5") else httpcore.HTTPProxy
    url = httpcore.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
    )
    return kind(proxy_url=url, proxy_auth=proxy.raw_auth, **options)


class _Translated:
    """Raises errors of httpcore as the httpx errors of the same name."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        same = getattr(httpx, type(error).__name__, None)
        if same is not None and type(error).__module__.startswith("httpcore"):
            raise same(str(error)) from error


class _Pieces(httpx.SyncByteStream):
    """The body of an answer, as it is received."""

    def __init__(self, response: httpcore.Response, after: Callable[[], None]) -> None:
        self._response, self._after = response, after

    def __iter__(self) -> Iterator[bytes]:
        with _Translated():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
        self._after()


class _Backend(httpcore.SyncBackend):
    """Opens streams whose steps all end at the deadline of the call."""

    def __init__(self, end: _End) -> None:
        self._end = end

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        timeout = self._end.left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, timeout, *args, **options), self._end)


class _Stream(httpcore.NetworkStream):
    """A connection whose steps all end at the deadline, and which gives one answer per request.

    The headers and the body of an answer are returned by separate reads, and the body only up to
    the length in the headers. If more data follows, it is kept here and the connection is not used
    again. The same applies if the headers do not give the length of the body.
    """

    def __init__(self, stream: httpcore.NetworkStream, end: _End) -> None:
        self._stream, self._end = stream, end
        self._held = b""  # received but not yet returned
        self._tail = b""  # last bytes of the headers returned so far
        self._counts = False  # whether the bytes of the expected answer are counted
        self._left: int | None = None  # missing bytes of its body; None: still in the headers

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer.startswith(b"POST "):
            self._counts, self._left, self._tail = True, None, b""
        self._stream.write(buffer, self._end.left(timeout, httpcore.WriteTimeout))

    def body_follows(self, length: str) -> None:
        """Count the body of the answer whose headers were received."""
        self._counts = length.isascii() and length.isdecimal()
        self._left = int(length) if self._counts else None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._end.left(timeout, httpcore.ReadTimeout)
        data = self._held or self._stream.read(max_bytes, left)
        size = min(max_bytes, self._wanted(data))
        self._held = data[size:]
        return data[:size]

    def _wanted(self, data: bytes) -> int:
        """Return how many of these bytes are returned now."""
        if not self._counts:
            return len(data)
        if self._left is not None:
            size = min(self._left, len(data))
            self._left -= size
            return size
        known = len(self._tail)
        found = _END_OF_HEAD.search(self._tail + data)
        self._tail = b"" if found else (self._tail + data)[-2:]
        return found.end() - known if found else len(data)

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
        # A pool asks this for an idle connection, and does not reuse it if it has data.
        if info == "is_readable" and (self._held or not self._counts):
            return True
        return self._stream.get_extra_info(info)


# -- a whole answer -------------------------------------------------------------------------------


def _whole(response: httpx.Response) -> tuple[bytes, str]:
    """Return the body of an answer, and why it ended too early."""
    content, pieces, cut = bytearray(), 0, ""
    try:
        for piece in cast(httpx.SyncByteStream, response.stream):
            content += piece
            pieces += 1
            if len(content) > MOST_BYTES:
                cut = "it does not end"
            elif pieces > _MOST_PIECES:
                cut = "it comes in too many pieces"
            if cut:
                break
    except _CUT as error:
        cut = str(error) or type(error).__name__
    finally:
        response.close()
    if cut:
        return bytes(content), cut
    return _unpacked(bytes(content), response.headers.get("content-encoding", "").strip().lower())


def _unpacked(content: bytes, coding: str) -> tuple[bytes, str]:
    """Decompress a body that was compressed once with gzip or deflate.

    Repeated compression is not accepted, because it would hide the size.
    """
    if coding in ("", "identity"):
        return content, ""
    if coding not in _PACKED:
        return content, f"it is packed as {coding[:60]!r}, which was not asked for"
    for form in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # with a header of its own, then without
        unpack = zlib.decompressobj(form)
        try:
            plain = unpack.decompress(content, MOST_BYTES + 1)
        except zlib.error:
            continue
        if len(plain) > MOST_BYTES:
            return plain, "it does not end"
        return plain, "" if unpack.eof else "its compressed data is truncated"
    return content, "it cannot be decompressed"


# -- endpoints and proxies ------------------------------------------------------------------------


def checked_endpoint(endpoint: str, origin: str | None = None) -> str:
    """Return an endpoint as a URL; plain http is allowed only for this machine.

    The error for an invalid URL does not repeat it, because it may contain a password.

    Raises
    ------
    ConfigError
        If it is not a valid endpoint.

    Examples
    --------
    >>> checked_endpoint("vpc.eu-central-1.aliyuncs.com"), checked_endpoint("")
    ('https://vpc.eu-central-1.aliyuncs.com', '')
    """
    if not endpoint:
        return ""
    text = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if not url.host or url.scheme not in ("http", "https") or url.path not in ("", "/"):
        raise ConfigError(
            "this is not a host or URL",
            name="endpoint",
            origin=origin,
            remedy="Write a host such as vpc.eu-central-1.aliyuncs.com",
        )
    if url.userinfo or url.query or url.fragment:
        raise ConfigError(
            f"{url.host}: an endpoint is a host and a port",
            name="endpoint",
            origin=origin,
            remedy="Leave out user, password, query and fragment",
        )
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigError(
            f"{url.host} would be reached over plain http",
            name="endpoint",
            origin=origin,
            remedy="Use https",
        )
    return str(url).rstrip("/")


def proxy_for(url: str, explicit: Secret | None) -> Secret | None:
    """Return the proxy for a host: the explicit one, else the environment's, never for loopback.

    Raises
    ------
    ConfigError
        If the environment's proxy cannot be used.

    Examples
    --------
    >>> proxy_for("http://127.0.0.1:8080", Secret("http://proxy.example:3128")) is None
    True
    """
    asked = httpx.URL(url)
    if is_loopback(asked.host):
        return None
    if explicit is not None:
        return explicit
    if urllib.request.proxy_bypass(asked.host):
        return None
    found = Secret.of(urllib.request.getproxies().get(asked.scheme))
    return checked_proxy(found, f"{asked.scheme.upper()}_PROXY")


def checked_proxy(proxy: Secret | None, origin: str = "argument") -> Secret | None:
    """Return a proxy's URL if it can be used.

    Errors never repeat the URL, because it may contain a password.

    Raises
    ------
    ConfigError
        If it cannot be used.
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
    """Return whether a transport with this proxy can be made."""
    try:
        # No connection is opened, so no CA certificates are needed.
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        httpx.HTTPTransport(proxy=httpx.Proxy(proxy.reveal()), verify=verify).close()
    except (TypeError, ValueError, ImportError, httpx.InvalidURL):
        return False
    return True
