"""Where calls go: endpoint, who signs, how long to wait, which limits hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from vcokit import config
from vcokit.cloud.credentials import Credentials
from vcokit.cloud.endpoints import CENTRAL, endpoint_host, is_loopback, is_region
from vcokit.cloud.masking import Secret
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.cloud.transport import checked_proxy, proxy_for
from vcokit.errors import ConfigError, InputError


def _default_limits() -> Mapping[str, Limit]:
    return {name: operation.limit for name, operation in OPERATIONS.items()}


@dataclass(frozen=True)
class Target:
    """What a client needs to know; made by `vcokit.cloud.connect.connect`.

    Parameters
    ----------
    credentials : callable
        Returns the `Credentials` of the moment.
    endpoint : str
        URL without path, or empty: the endpoint of each call's region.
    endpoint_origin : str
        Where the endpoint came from: ``argument``, the name of a variable, or ``vcokit.toml``.
    region : str or None
        Region of calls that name none.
    speed : float
        How many times faster than ours the cloud's clock runs; 1 but for a simulator.
    limits : mapping of str to Limit
        By operation, in wall seconds.
    connect_timeout, read_timeout : float
        Seconds; a whole call ends after `longest_call` seconds.
    read_attempts : int
        Times a read is tried.
    retry_base, retry_cap : float
        First and longest wait between two tries, seconds.
    read_share : float
        Part of the limits that reads of the client itself use.
    proxy : str, Secret or None
        URL of a proxy, kept as a secret, for it may hold a password; None leaves it to the
        environment (``HTTPS_PROXY``, ``NO_PROXY``). This machine is never asked for through one.
    clock : callable
        Seconds since the epoch, for signatures.
    transport : transport of httpx, optional
        Takes the place of the network.
    """

    credentials: Callable[[], Credentials]
    endpoint: str = ""
    endpoint_origin: str = "argument"
    region: str | None = None
    speed: float = 1.0
    limits: Mapping[str, Limit] = field(default_factory=_default_limits)
    connect_timeout: float = config.SETTINGS["connect_timeout"].default  # type: ignore[assignment]
    read_timeout: float = config.SETTINGS["read_timeout"].default  # type: ignore[assignment]
    read_attempts: int = config.SETTINGS["read_attempts"].default  # type: ignore[assignment]
    retry_base: float = config.SETTINGS["retry_base"].default  # type: ignore[assignment]
    retry_cap: float = config.SETTINGS["retry_cap"].default  # type: ignore[assignment]
    read_share: float = config.SETTINGS["read_share"].default  # type: ignore[assignment]
    proxy: str | Secret | None = None
    clock: Callable[[], float] = time.time
    transport: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoint", _checked(self.endpoint, self.endpoint_origin))
        proxy = checked_proxy(Secret.of(self.proxy))
        object.__setattr__(self, "proxy", proxy)
        # The environment's is looked at here as well, and not only in the middle of the work.
        proxy_for(httpx.URL(self.endpoint or f"https://{CENTRAL}"), proxy)

    def __repr__(self) -> str:
        place = self.endpoint or f"region {self.region or 'of each call'}"
        speed = "" if self.speed == 1 else f", speed {self.speed:g}"
        proxy = ", by a proxy" if self.proxy else ""
        return f"<{place}{speed}{proxy}, {self.credentials!r}>"

    def url(self, region_id: str) -> str:
        """Return the URL that calls of a region go to.

        Raises
        ------
        InputError
            If there is neither an endpoint nor a region.
        """
        if self.endpoint:
            return self.endpoint
        if not region_id:
            raise InputError(
                "no region is known for this call", remedy="Pass region_id=, or connect(region=…)"
            )
        return _checked(endpoint_host(region_id))

    @property
    def endpoint_note(self) -> str:
        """Where calls go and what set it; empty where each goes to its region's own endpoint."""
        region = self.region or ""
        own = f"https://{endpoint_host(region)}" if is_region(region) else ""
        if self.endpoint in ("", own):
            return ""
        return f"calls go to {self.endpoint} (endpoint set by {self.endpoint_origin})"

    @property
    def timeouts(self) -> Mapping[str, float]:
        """Seconds to wait, under httpx's names."""
        read = self.read_timeout
        return {"connect": self.connect_timeout, "read": read, "write": read, "pool": read}

    @property
    def longest_call(self) -> float:
        """Seconds after which a call ends, whatever drips: to connect, and three times to read."""
        return self.connect_timeout + 3 * self.read_timeout


def _checked(endpoint: str, origin: str | None = None) -> str:
    """Return an endpoint as a URL; plain http is for this machine alone.

    What is no URL is not repeated: it may hold a password.
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
