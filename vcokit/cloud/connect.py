"""Makes a client from a region, or from an object that has an endpoint.

A `Target` holds what a client needs to know: where calls go, who signs them, how long to wait, and
the rate limits. `connect` makes a target from its arguments and the settings, and a client from
the target.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vcokit import config
from vcokit.cloud import credentials as keys
from vcokit.cloud.client import Client
from vcokit.cloud.endpoints import CENTRAL, endpoint_host, is_region
from vcokit.cloud.masking import Secret
from vcokit.cloud.operations import KNOWN, Limit
from vcokit.cloud.roles import assume, role_of
from vcokit.cloud.transport import checked_endpoint, checked_proxy, proxy_for
from vcokit.errors import InputError


def _default_limits() -> Mapping[str, Limit]:
    return {name: operation.limit for name, operation in KNOWN.items()}


@dataclass(frozen=True)
class Target:
    """What a client needs to know; made by `connect`.

    Parameters
    ----------
    credentials : callable
        Returns the current `Credentials`.
    endpoint : str
        URL without path. Empty: each call goes to the endpoint of its region.
    endpoint_origin : str
        Where the endpoint came from: ``argument``, the name of a variable, or ``vcokit.toml``.
    region : str or None
        Region of calls that name no region.
    speed : float
        Speed of the cloud's clock relative to this machine's; 1 except for a simulator.
    limits : mapping of str to Limit
        By operation, in real seconds.
    connect_timeout, read_timeout : float
        Seconds; a whole call ends after `longest_call` seconds.
    read_attempts : int
        Number of tries of a read.
    retry_base, retry_cap : float
        First and longest wait between two tries, in seconds.
    read_share : float
        Part of the rate limits that the client's own reads may use.
    listing_weight : str
        ``unknown`` if the weights in listings must not be trusted.
    proxy : str, Secret or None
        URL of a proxy, kept as a secret because it may contain a password; None means that of the
        environment (``HTTPS_PROXY``, ``NO_PROXY``). Calls to this machine never use a proxy.
    clock : callable
        Seconds since the epoch, for signatures.
    transport : httpx.BaseTransport, optional
        Takes the place of the network.
    record : str or Path, optional
        Folder to record all calls in, in pseudonyms.
    settings : Settings
        The current settings, for everything that uses this client.
    """

    credentials: Callable[[], keys.Credentials]
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
    listing_weight: str = "shown"
    proxy: str | Secret | None = None
    clock: Callable[[], float] = time.time
    transport: Any = None
    record: str | Path | None = None
    settings: config.Settings = field(default_factory=config.Settings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoint", checked_endpoint(self.endpoint, self.endpoint_origin))
        proxy = checked_proxy(Secret.of(self.proxy))
        object.__setattr__(self, "proxy", proxy)
        # Also checks the environment's proxy, so that an error shows now and not during the work.
        proxy_for(self.endpoint or f"https://{CENTRAL}", proxy)

    def __repr__(self) -> str:
        place = self.endpoint or f"region {self.region or 'of each call'}"
        speed = "" if self.speed == 1 else f", speed {self.speed:g}"
        proxy = ", by a proxy" if self.proxy else ""
        return f"<{place}{speed}{proxy}, {self.credentials!r}>"

    def url(self, region_id: str, host: str = "") -> str:
        """Return the URL for calls of a region, or of a service that has a single `host`.

        Raises
        ------
        InputError
            If there is neither an endpoint nor a region.
        """
        if self.endpoint:
            return self.endpoint
        if host:
            return checked_endpoint(host)
        if not region_id:
            raise InputError(
                "no region is known for this call", remedy="Pass region_id=, or connect(region=…)"
            )
        return checked_endpoint(endpoint_host(region_id))

    @property
    def endpoint_note(self) -> str:
        """Where calls go and where that was set; empty if they go to their region's endpoint."""
        region = self.region or ""
        own = f"https://{endpoint_host(region)}" if is_region(region) else ""
        if self.endpoint in ("", own):
            return ""
        return f"calls go to {self.endpoint} (endpoint set by {self.endpoint_origin})"

    @property
    def longest_call(self) -> float:
        """Seconds after which a call ends, however slowly data arrives.

        The connect time-out plus three times the read time-out.
        """
        return self.connect_timeout + 3 * self.read_timeout


@runtime_checkable
class Cloud(Protocol):
    """An object that calls can be sent to: the simulator, or a cloud of your own.

    It may also have ``limits``, a mapping from operation to (calls, seconds), in seconds of its
    own clock.
    """

    @property
    def endpoint(self) -> str:
        """URL without path."""

    @property
    def credentials(self) -> Any:
        """An object with access_key_id, access_key_secret and optionally security_token."""

    @property
    def speed(self) -> float:
        """Speed of its clock relative to this machine's."""


def connect(
    cloud: Cloud | str | None = None,
    *,
    region: str | None = None,
    endpoint: str | None = None,
    access_key_id: str | None = None,
    access_key_secret: str | Secret | None = None,
    security_token: str | Secret | None = None,
    profile: str | None = None,
    credentials: object | None = None,
    role_arn: str | None = None,
    external_id: str | None = None,
    session_name: str | None = None,
    proxy: str | Secret | None = None,
    connect_timeout: float | None = None,
    read_timeout: float | None = None,
    read_attempts: int | None = None,
    clock: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    luck: Callable[[], float] = random.random,
    transport: Any = None,
    record: str | Path | None = None,
) -> Client:
    """Return a client. Nothing is sent yet, except to assume a role.

    Parameters
    ----------
    cloud : Cloud or str, optional
        A `Simulator`, or any object with endpoint, credentials and speed; or a region.
    region : str, optional
        Region of calls that name no region. Routes name their own region.
    endpoint : str, optional
        Host or URL to use instead of the endpoint of each region.
    access_key_id, access_key_secret, security_token : str, optional
        By default those of `cloud`, else those of the environment, the vendor's CLI or the
        official package: see `vcokit.cloud.credentials`.
    profile : str, optional
        Profile of the vendor's CLI. Its key is used, and its region unless a region is given.
    credentials : object, optional
        A callable that returns `Credentials`, or a client of the official package. It is called
        again before a key expires.
    role_arn : str, optional
        A role, such as ``acs:ram::123456789012:role/vcokit``. The key above assumes it, and all
        calls are those of the role, in its account: see `vcokit.cloud.roles`.
    external_id, session_name : str, optional
        For the role: the external id that its trust policy asks for, and the name under which the
        account's log shows the calls, by default ``vcokit``.
    proxy : str, optional
        URL of a proxy; by default that of the environment (``HTTPS_PROXY``, ``NO_PROXY``).
    connect_timeout, read_timeout : float, optional
        Seconds; by default the settings of the same names.
    read_attempts : int, optional
        Number of tries of a read; by default the setting of the same name.
    clock : callable
        Returns seconds since the epoch, for signatures.
    steady : callable
        Returns seconds of a monotonic clock, for rate limits.
    sleep : callable
        Called with the seconds to wait before a read.
    luck : callable
        Returns a number from 0 to 1, which shortens a wait between tries by up to half.
    transport : httpx.BaseTransport, optional
        Takes the place of the network, for tests: `httpx.MockTransport`, for example.
    record : str or Path, optional
        A new folder for all calls and answers. Keys are omitted, and ids, addresses, names and
        descriptions are replaced, so that the folder can be sent to others. `Simulator.replay`
        replays it; see `vcokit.cloud.recording`.

    Returns
    -------
    Client

    Raises
    ------
    CredentialsError
        If there is no AccessKey, it cannot be used, or it may not assume the role.
    CloudError
        If the role cannot be assumed now, because the service does not answer.
    InputError
        If the AccessKey is given in more than one way, the role is not one, or the folder of
        `record` is not empty.
    ConfigError
        If a setting cannot be used, or a key would be sent over plain http.

    Examples
    --------
    >>> connect("eu-central-1", access_key_id="LTAIexample", access_key_secret="s3cret")
    Client(<region eu-central-1, Credentials(access_key_id='LTAI***', access_key_secret='***')>)
    """
    # Secrets are wrapped before anything can fail, because a traceback may show local variables.
    access_key_secret, security_token = Secret.of(access_key_secret), Secret.of(security_token)
    proxy = Secret.of(proxy)
    if isinstance(cloud, str):
        cloud, region = None, region or cloud
    if cloud is not None and not isinstance(cloud, Cloud):
        raise InputError(
            f"{type(cloud).__name__} has no endpoint, credentials and speed",
            remedy='Pass a Simulator or a region: connect(region="cn-hangzhou")',
        )
    role = role_of(role_arn, external_id, session_name)
    speed = 1.0 if cloud is None else float(cloud.speed)
    parts = (access_key_id, access_key_secret, security_token)
    ring = _keyring(cloud, parts, profile, credentials, clock)
    settings = config.Settings()
    place, origin = settings.find("endpoint", endpoint or (cloud.endpoint if cloud else None))
    target = Target(
        credentials=ring,
        endpoint=place,
        endpoint_origin=origin,
        region=settings.get("region", region) or ring.region,
        speed=speed,
        limits={name: limit.faster(speed) for name, limit in _limits(cloud).items()},
        connect_timeout=settings.get("connect_timeout", connect_timeout),
        read_timeout=settings.get("read_timeout", read_timeout),
        read_attempts=settings.get("read_attempts", read_attempts),
        retry_base=settings.get("retry_base"),
        retry_cap=settings.get("retry_cap"),
        read_share=min(1.0, settings.get("read_share")),
        listing_weight=settings.get("listing_weight"),
        proxy=proxy,
        clock=clock,
        transport=transport,
        record=record,
        settings=settings,
    )
    how: dict[str, Any] = {"sleep": sleep, "now": steady, "luck": luck}
    if role is not None:
        target = replace(target, credentials=assume(role, target, **how))
    return Client(target, **how)


def _keyring(
    cloud: Cloud | None,
    parts: tuple[str | None, Secret | None, Secret | None],
    profile: str | None,
    given: object | None,
    clock: Callable[[], float],
) -> keys.Keyring:
    ways = (any(parts[:2]), profile is not None, given is not None)
    if sum(ways) > 1:
        raise InputError(
            "the AccessKey is given in more than one way",
            remedy="Pass access_key_id= and access_key_secret=, or profile=, or credentials=",
        )
    if given is None and cloud is not None and not any(ways):
        given = cloud.credentials
    if given is None:
        return keys.find(*parts, profile=profile, clock=clock)
    ring = keys.Keyring(keys.from_object(given), clock=clock)
    ring()
    return ring


def _limits(cloud: Cloud | None) -> Mapping[str, Limit]:
    """Return the contract's limits, overridden by the limits that the cloud object gives."""
    limits = {name: operation.limit for name, operation in KNOWN.items()}
    for name, (calls, seconds) in dict(getattr(cloud, "limits", {})).items():
        if name in limits:
            limits[name] = Limit(calls, seconds)
    return limits
