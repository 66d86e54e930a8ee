"""From a region, or anything that can say where it listens, to a client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from vcokit import config
from vcokit.cloud import credentials as keys
from vcokit.cloud.client import Client
from vcokit.cloud.masking import Secret
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.cloud.target import Target
from vcokit.errors import InputError


@runtime_checkable
class Cloud(Protocol):
    """Anything that calls can be sent to: the simulator, or a cloud of your own.

    It may also have ``limits``, a mapping from operation to (calls, seconds), in the seconds of
    its own clock.
    """

    @property
    def endpoint(self) -> str:
        """URL without path."""

    @property
    def credentials(self) -> Any:
        """Something with access_key_id, access_key_secret and perhaps security_token."""

    @property
    def speed(self) -> float:
        """How many times faster than ours its clock runs."""


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
    proxy: str | Secret | None = None,
    connect_timeout: float | None = None,
    read_timeout: float | None = None,
    read_attempts: int | None = None,
    clock: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    transport: Any = None,
) -> Client:
    """Return a client; nothing is sent yet.

    Parameters
    ----------
    cloud : Cloud or str, optional
        A `Simulator`, or anything with endpoint, credentials and speed; or a region.
    region : str, optional
        Region of calls that name none. Routes name their own.
    endpoint : str, optional
        Host or URL to use instead of each region's own.
    access_key_id, access_key_secret, security_token : str, optional
        By default those of `cloud`, else those of the environment, of the vendor's CLI, or of the
        official package: see `vcokit.cloud.credentials`.
    profile : str, optional
        Profile of the vendor's CLI whose key, and whose region unless one is given, are used.
    credentials : object, optional
        A callable that returns `Credentials`, or a client of the official package; asked again
        before a key ends.
    proxy : str, optional
        URL of a proxy; by default that of the environment (``HTTPS_PROXY``, ``NO_PROXY``).
    connect_timeout, read_timeout : float, optional
        Seconds; settings of the same name.
    read_attempts : int, optional
        Times a read is tried; setting of the same name.
    clock : callable
        Seconds since the epoch, for signatures.
    steady : callable
        Seconds of a clock that never goes back, for rate limits.
    sleep : callable
        Called with the seconds to wait before a read.
    transport : httpx.BaseTransport and httpx.AsyncBaseTransport, optional
        Takes the place of the network, for tests: `httpx.MockTransport`, for example.

    Returns
    -------
    Client

    Raises
    ------
    CredentialsError
        If there is no AccessKey, or it cannot be used.
    InputError
        If the AccessKey is given in more than one way.
    ConfigError
        If a setting cannot be used, or a key would travel over plain http.

    Examples
    --------
    >>> connect("eu-central-1", access_key_id="LTAIexample", access_key_secret="s3cret")
    Client(<region eu-central-1, Credentials(access_key_id='LTAI***', access_key_secret='***')>)
    """
    # Hidden before anything can fail: a traceback may show local variables.
    access_key_secret, security_token = Secret.of(access_key_secret), Secret.of(security_token)
    proxy = Secret.of(proxy)
    if isinstance(cloud, str):
        cloud, region = None, region or cloud
    if cloud is not None and not isinstance(cloud, Cloud):
        raise InputError(
            f"{type(cloud).__name__} has no endpoint, credentials and speed",
            remedy='Pass a Simulator or a region: connect(region="cn-hangzhou")',
        )
    speed = 1.0 if cloud is None else float(cloud.speed)
    parts = (access_key_id, access_key_secret, security_token)
    ring = _keyring(cloud, parts, profile, credentials, clock)
    place, origin = config.find("endpoint", endpoint or (cloud.endpoint if cloud else None))
    return Client(
        Target(
            credentials=ring,
            endpoint=place,
            endpoint_origin=origin,
            region=config.get("region", region) or ring.region,
            speed=speed,
            limits={name: limit.faster(speed) for name, limit in _limits(cloud).items()},
            connect_timeout=config.get("connect_timeout", connect_timeout),
            read_timeout=config.get("read_timeout", read_timeout),
            read_attempts=config.get("read_attempts", read_attempts),
            retry_base=config.get("retry_base"),
            retry_cap=config.get("retry_cap"),
            read_share=min(1.0, config.get("read_share")),
            proxy=proxy,
            clock=clock,
            transport=transport,
        ),
        sleep=sleep,
        now=steady,
    )


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
    """Return the contract's limits, with those that the cloud says of itself over them."""
    limits = {name: operation.limit for name, operation in OPERATIONS.items()}
    for name, (calls, seconds) in dict(getattr(cloud, "limits", {})).items():
        if name in limits:
            limits[name] = Limit(calls, seconds)
    return limits
