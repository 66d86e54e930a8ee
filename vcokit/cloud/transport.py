"""One HTTP exchange: a request that is built here, signed, sent, and what came back whole.

::

    Transport.send ─▶ httpx.BaseTransport ─▶ kept connections to each host ─▶ Reply
          └─▶ note, where somebody records what is sent and what comes back

The only file that knows httpx. Nothing is added to a request, no redirect is followed, no cookie is
sent, and a proxy of the environment is asked for by the rules of `proxy_for` alone. So there is
nothing to do for an `httpx.Client`, which would log the URL of each call and take 0.15 ms for it:
requests go through the door that it uses itself, and so do transports of others.

Pools, their reuse and the time-outs of single steps are those of httpcore, as in httpx. Three
promises need more, and so our transport opens streams of its own by httpcore's public doors:

================================  =================================================================
promise                           why httpx alone does not keep it
================================  =================================================================
a call ends, whatever drips       its time-outs are of one step each, and a head may come in many
what an answer costs is bounded   it unpacks before anybody can count
a surplus answer is nobody's      what came in one piece with an answer it keeps for the next one
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

#: Longest answer that is read; a page of fifty connections takes a tenth of it. JSON takes up to
#: thirty times as much when it is parsed.
MOST_BYTES: Final = 1 << 21

#: Pieces that an answer may come in. A proxy that sends single bytes makes one of each.
_MOST_PIECES: Final = 10_000

#: How an answer may be packed, though nobody asks for it.
_PACKED: Final = ("gzip", "x-gzip", "deflate")

#: Connections of one host that are kept open while nobody uses them, and for how long.
_MOST_IDLE: Final = 64
_LONGEST_IDLE: Final = 30.0

#: What ends an answer that has begun.
_CUT: Final = (httpx.TransportError, MemoryError)

#: The end of the head of an answer, as h11 finds it.
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")

#: Characters of what a library says that an error carries, and how much of it is looked at.
_SHOWN: Final = 200
_LOOKED_AT: Final = 8192

#: Remedy of a write whose outcome is unknown.
UNKNOWN: Final = "A write may have happened: read the live routes before it is sent again"


@dataclass(frozen=True)
class Request:
    """One call on its way: all parameters in the URL, an empty body.

    Parameters
    ----------
    operation : str
    url : str
    headers : mapping of str to str
        Those that are not of the signature.
    """

    operation: str
    url: str
    headers: Mapping[str, str]


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


class Transport:
    """Sends requests and waits for the whole answer. Safe to share between threads.

    Parameters
    ----------
    signer : Signer
    connect_timeout, read_timeout : float
        Seconds of a step.
    seconds : float
        Longest time of a whole call, whatever drips.
    proxy : Secret or None
        URL of a proxy; None leaves it to the environment.
    now : callable
        Seconds of a clock that never goes back, to measure that by.
    instead : httpx.BaseTransport, optional
        Takes the place of the network; it keeps to the time-outs by itself.
    note : callable, optional
        Told each request, what came of it (a `Reply` or the error), and when it was sent.
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
            If no connection could be opened, so that the request never left.
        NoAnswerError
            If nothing came back in time.
        ProtocolError
            If what came back is no HTTP.
        InputError
            If the request cannot be written.
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
            # Errors and local variables lead to it.
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
        """Close the connections that are kept; another call opens new ones."""
        self._network.close()


def error_of(
    operation: str, error: httpx.RequestError, secrets: tuple[Secret, ...] = ()
) -> CloudError:
    """Return the error that a failed exchange is, in this package's words.

    A connection that could not be opened never carried the request; of anything later it is
    unknown whether it arrived.
    """
    said = mask(str(error)[:_LOOKED_AT], secrets)
    never_left = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    if isinstance(error, (*never_left, httpx.UnsupportedProtocol, httpx.ProxyError)):
        return NotSentError(
            f"the connection could not be opened ({type(error).__name__}: {said[:_SHOWN]})",
            operation=operation,
            remedy="Check the endpoint, the network and the proxy",
        )
    closed = "without sending a response" in said  # h11's word for: not a byte came
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError) and not closed:
        return ProtocolError(
            f"the answer was cut off or garbled ({said[:_SHOWN]})",
            received=said[:_SHOWN],
            operation=operation,
            remedy="Try again; if it stays so, check the proxy",
        )
    return NoAnswerError(
        f"no answer ({type(error).__name__}: {said[:_SHOWN]})",
        operation=operation,
        remedy=UNKNOWN,
    )


# -- the network ----------------------------------------------------------------------------------


class _End(threading.local):
    """When the call of this thread ends: seconds of the clock `now`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.at = math.inf

    def within(self, seconds: float) -> _End:
        """Let a call begin that may take so many seconds; for ``with``."""
        self.at = self.now() + seconds
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.at = math.inf

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


class _Network(httpx.BaseTransport):
    """The way to each host: connections of httpcore over streams that know when the call ends.

    Each connection is a pool of its own, taken by one call at a time: a pool of many looks at all
    of them at every call, which takes as long as the call itself where there are 32.
    """

    def __init__(self, end: _End, proxy: Secret | None) -> None:
        self._end = end
        self._backend = _Backend(end)
        self._proxy = proxy
        #: By host: connections that nobody uses, the latest last, and since when.
        self._idle: dict[tuple[str, str], deque[tuple[httpcore.ConnectionPool, float]]] = {}
        self._lock = threading.Lock()

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        # Reading the authorities takes 20 ms, too long to do for every host.
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
        chunked = "transfer-encoding" in headers  # which then decides how long it is
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
            # Plain http goes to this machine alone and needs no authorities.
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
    """Raises errors of httpcore as those of the same name of httpx."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        same = getattr(httpx, type(error).__name__, None)
        if same is not None and type(error).__module__.startswith("httpcore"):
            raise same(str(error)) from error


class _Pieces(httpx.SyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, response: httpcore.Response, after: Callable[[], None]) -> None:
        self._response, self._after = response, after

    def __iter__(self) -> Iterator[bytes]:
        with _Translated():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
        self._after()


class _Backend(httpcore.SyncBackend):
    """Opens streams whose every step ends with the call."""

    def __init__(self, end: _End) -> None:
        self._end = end

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        timeout = self._end.left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, timeout, *args, **options), self._end)


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the call, and which gives one answer to a request.

    The head of an answer and its body are handed on apart, and of the body as much as the head
    says. What comes behind it stays here: the connection then has data that nobody has asked for,
    and is not used again. So it is where a head does not say how long its body is.
    """

    def __init__(self, stream: httpcore.NetworkStream, end: _End) -> None:
        self._stream, self._end = stream, end
        self._held = b""  # has come and is not handed on
        self._tail = b""  # of the head, as far as it was handed on
        self._counts = False  # whether an answer is awaited whose bytes are counted
        self._left: int | None = None  # bytes of its body; None: its head

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer.startswith(b"POST "):
            self._counts, self._left, self._tail = True, None, b""
        self._stream.write(buffer, self._end.left(timeout, httpcore.WriteTimeout))

    def body_follows(self, length: str) -> None:
        """Count the body of the answer whose head has come."""
        self._counts = length.isascii() and length.isdecimal()
        self._left = int(length) if self._counts else None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._end.left(timeout, httpcore.ReadTimeout)
        data = self._held or self._stream.read(max_bytes, left)
        size = min(max_bytes, self._wanted(data))
        self._held = data[size:]
        return data[:size]

    def _wanted(self, data: bytes) -> int:
        """Return how many of these bytes are handed on now."""
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
        # A pool asks this of a connection that is idle: what has data then is not used again.
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


# -- endpoints and proxies ------------------------------------------------------------------------


def checked_endpoint(endpoint: str, origin: str | None = None) -> str:
    """Return an endpoint as a URL; plain http is for this machine alone.

    What is no URL is not repeated: it may hold a password.

    Raises
    ------
    ConfigError
        If it is no endpoint.

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
            "this is no host or URL",
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
        If the environment's cannot be used.

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
        # No connection is made, so that no authorities are needed.
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        httpx.HTTPTransport(proxy=httpx.Proxy(proxy.reveal()), verify=verify).close()
    except (TypeError, ValueError, ImportError, httpx.InvalidURL):
        return False
    return True
