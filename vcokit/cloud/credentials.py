"""The AccessKey that signs: found in one of four places, renewed in time, masked when shown.

::

    explicit      access_key_id=, access_key_secret=, security_token=; or credentials=
       │ none
    environment   ALIBABA_CLOUD_ACCESS_KEY_ID, …_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN
       │ none, or profile= was given
    profile       the vendor's CLI, ~/.aliyun/config.json
       │ none
    official      alibabacloud-credentials, if it is installed: RAM roles of machines, OIDC …

The first place that has a key is used. If only half of a key is there, that is an error; the other
half is never taken from the next place. The order is that of the vendor's own default chain.
Profiles by their mode:

============================================================  ================================
mode of the profile                                           read by
============================================================  ================================
``AK``, ``StsToken``                                          vcokit, again when the file changes
``RamRoleArn``, ``ChainableRamRoleArn``, ``EcsRamRole``,      ``alibabacloud-credentials``
``OIDC``, ``CloudSSO``, ``OAuth``, ``External``               (``pip install vcokit[credentials]``)
``RsaKeyPair``, ``RamRoleArnWithRoleName``,                   nobody: the official package for
``CredentialsURI``, ``BearerToken``, ``Anonymous``            Python does not read them
============================================================  ================================

The profile is the named one, else ``ALIBABA_CLOUD_PROFILE``, else the file's ``current``. With
``ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true`` the file is not read unless a profile is named. Without
a profile the default chain of the official package is used. On a machine that is not in the
vendor's cloud, ``ALIBABA_CLOUD_ECS_METADATA_DISABLED=true`` avoids waiting for its metadata
service. (Fields: the vendor's CLI, config/profile.go; modes: alibabacloud-credentials 1.0.)
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vcokit.cloud.masking import Secret, mask
from vcokit.errors import CredentialsError, Remedy, VcokitError

_KEY_ID: Final = "ALIBABA_CLOUD_ACCESS_KEY_ID"
_KEY_SECRET: Final = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 - a name, no secret
_TOKEN: Final = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105

REMEDY: Final = Remedy(
    f"Set {_KEY_ID} and {_KEY_SECRET} in the environment, or name a profile of the vendor's CLI: "
    "{profile}",
    profile=...,
)

#: Seconds before its expiry at which a temporary key is renewed: longer than any call with its
#: retries takes, and a third of the shortest lifetime that the vendor gives a token (900 s).
EARLY: Final = 300.0
#: Seconds after which a source is called again if it gave no expiry, or if it failed while the
#: present key is still valid. Sources cache their keys, so this costs nothing.
ASK_AGAIN: Final = 60.0
#: Characters of a failed source's message that are shown.
_SHOWN: Final = 200
#: Characters of it that are searched for secrets: a secret that begins in the part that is shown
#: ends within these.
_LOOKED_AT: Final = 8192

#: Modes that need no network call.
OURS: Final = ("AK", "StsToken")
THEIRS: Final = (
    "RamRoleArn",
    "ChainableRamRoleArn",
    "EcsRamRole",
    "OIDC",
    "CloudSSO",
    "OAuth",
    "External",
)
_EXTRA: Final = "Install it: pip install 'vcokit[credentials]'"
_PACKAGE: Final = "alibabacloud_credentials"
#: Loggers of the official package and of its HTTP library (alibabacloud-credentials 1.0).
_LOGGERS: Final = ("credentials", "alibabacloud-tea")
#: Text fields of a profile that are not secret; all others are read as secrets.
_OPEN: Final = frozenset({"current", "name", "mode", "region_id", "access_key_id"})
#: Most characters of a value in the profile that an error repeats.
_MOST_SAID: Final = 300


class Credentials:
    """An AccessKey, with a token if it is temporary. Immutable.

    Parameters
    ----------
    access_key_id : str
    access_key_secret : str
    security_token : str, optional
    expires : float, optional
        Seconds since the epoch; None if unknown or if it never expires.

    Examples
    --------
    >>> Credentials("LTAI5tExample0123", "secret")
    Credentials(access_key_id='LTAI***', access_key_secret='***')
    """

    __slots__ = ("_secret", "_token", "access_key_id", "expires")

    def __init__(
        self,
        access_key_id: str,
        access_key_secret: str | Secret,
        security_token: str | Secret | None = None,
        expires: float | None = None,
    ) -> None:
        access_key_secret = Secret.of(access_key_secret or "")
        security_token = Secret.of(security_token)
        self.access_key_id = access_key_id
        self._secret, self._token, self.expires = access_key_secret, security_token, expires
        parts = {"access_key_id": Secret.of(access_key_id), "access_key_secret": access_key_secret}
        if security_token is not None:
            parts["security_token"] = security_token
        for name, part in parts.items():
            if _is_empty(part):
                raise CredentialsError(f"{name} is empty", remedy=REMEDY)
            if not _is_key(part):
                raise CredentialsError(
                    f"{name} contains characters that are not valid in a key",
                    remedy="Copy the key again",
                )

    def __repr__(self) -> str:
        token = ", security_token='***'" if self._token else ""
        key = f"{self.access_key_id[:4]}***" if len(self.access_key_id) > 4 else "***"
        return f"Credentials(access_key_id={key!r}, access_key_secret='***'{token})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credentials) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    @property
    def _parts(self) -> tuple[str, Secret, Secret | None, float | None]:
        return self.access_key_id, self._secret, self._token, self.expires

    @property
    def access_key_secret(self) -> str:
        """The secret. Bind it to no variable: a traceback may show local variables."""
        return self._secret.reveal()

    @property
    def security_token(self) -> str | None:
        """The token, with the same caution; None if the key is not temporary."""
        return self._token.reveal() if self._token else None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The texts that must never be shown."""
        return (self._secret,) if self._token is None else (self._secret, self._token)


def _is_empty(part: Secret | None) -> bool:
    return not part or not isinstance(part.reveal(), str)


def _is_key(part: Secret) -> bool:
    return part.reveal().isascii() and part.reveal().isprintable() and " " not in part.reveal()


Source = Callable[[], Credentials]


class Keyring:
    """Provides the current AccessKey: a call returns `Credentials` that are still valid.

    A key is renewed `EARLY` seconds before it expires. Meanwhile other callers get the present key.
    If the source fails while the present key is valid, it is called again later; the failure is an
    error only when the key has expired.

    Parameters
    ----------
    source : callable
        Returns `Credentials`.
    fixed : bool
        Whether the source always returns the same key.
    region : str, optional
        Region that is configured beside the key.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self,
        source: Source,
        *,
        fixed: bool = False,
        region: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.region = region
        self._source, self._fixed, self._clock = source, fixed, clock
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._due = 0.0

    @classmethod
    def of(cls, credentials: Credentials, **options: Any) -> Keyring:
        """Return a keyring with one key that never changes."""
        return cls(lambda: credentials, fixed=True, **options)

    def __call__(self) -> Credentials:
        """Return the key; renew it first if that is due.

        Raises
        ------
        CredentialsError
            If there is no key, or the present key has expired and the source has no other. The
            source's own exception is its cause.
        """
        held = self._held
        if held is not None:
            renewing = self._lock.locked() and not _has_ended(held, self._clock())
            if renewing or not self.is_due:
                return held
        with self._lock:
            held = self._held
            return self._renew() if held is None or self.is_due else held

    def forget(self) -> None:
        """Call the source at the next call, because the cloud has refused the present key."""
        self._held, self._due = None, 0.0

    def __repr__(self) -> str:
        return "<no AccessKey yet>" if self._held is None else repr(self._held)

    @property
    def is_due(self) -> bool:
        """Whether the next call uses the source, which may take as long as a call to the cloud."""
        return self._clock() >= self._due

    def _renew(self) -> Credentials:
        now = self._clock()
        try:
            new = self._source()
            if _has_ended(new, now):
                raise CredentialsError(
                    "the security token has expired", remedy="Get a new one, or use a profile"
                )
        except Exception as error:  # a caller's source may raise anything
            held = self._held
            if held is not None and not _has_ended(held, now):
                self._due = now + ASK_AGAIN
                return held
            if isinstance(error, VcokitError):
                raise
            raise _failed(error, () if held is None else held.secrets) from error
        self._held, self._due = new, self._next(new, now)
        return new

    def _next(self, new: Credentials, now: float) -> float:
        if self._fixed:
            return float("inf") if new.expires is None else new.expires
        if new.expires is None:
            return now + ASK_AGAIN
        return max(new.expires - EARLY, now + 1.0)


def _failed(error: Exception, secrets: tuple[Secret, ...]) -> CredentialsError:
    said = " ".join(mask(str(error)[:_LOOKED_AT], secrets).split())[:_SHOWN]
    return CredentialsError(
        f"a new AccessKey could not be obtained ({type(error).__name__}: {said})",
        remedy="Check the source of the key, or pass another key to vk.connect(…)",
    )


def _has_ended(credentials: Credentials, now: float) -> bool:
    return credentials.expires is not None and credentials.expires <= now


def explicit(
    access_key_id: str | None,
    access_key_secret: str | Secret | None,
    security_token: str | Secret | None,
) -> Credentials | None:
    """Return an AccessKey from its parts, or None if there is neither id nor secret.

    Raises
    ------
    CredentialsError
        If only half of the key is given.
    """
    access_key_secret, security_token = Secret.of(access_key_secret), Secret.of(security_token)
    if not access_key_id and not access_key_secret:
        return None
    if not access_key_id or not access_key_secret:
        raise CredentialsError(
            "the AccessKey is incomplete: id or secret is missing", remedy=REMEDY
        )
    return Credentials(access_key_id, access_key_secret, security_token or None)


def from_environment(environ: Mapping[str, str] | None = None) -> Credentials | None:
    """Return the AccessKey of the environment, or None if it has no key.

    Parameters
    ----------
    environ : mapping of str to str, optional
        By default the environment of the process.

    Raises
    ------
    CredentialsError
        If only half of the key is set.

    Examples
    --------
    >>> from_environment({}) is None
    True
    """
    return explicit(
        variable(_KEY_ID, environ),
        Secret.of(variable(_KEY_SECRET, environ)),
        Secret.of(variable(_TOKEN, environ)),
    )


def variable(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return a variable of an environment, by default the process's; None if it is not set.

    No function that may fail has the environment in a local variable, because a traceback with
    local variables would show all of it.
    """
    return (os.environ if environ is None else environ).get(name)


def from_object(given: Any) -> Source:
    """Return a source of keys from an object of the caller.

    Parameters
    ----------
    given : object
        A callable that returns such an object; the client of the official package
        (``get_credential()``); or any object with access_key_id, access_key_secret and optionally
        security_token and expires.

    Raises
    ------
    CredentialsError
        When the source is called, if the object is none of these.
    """
    if hasattr(given, "get_credential"):
        return lambda: _copy(given.get_credential())
    if callable(given):
        return lambda: _copy(given())
    return lambda: _copy(given)


def _copy(found: Any) -> Credentials:
    if isinstance(found, Credentials):
        return found
    if not hasattr(found, "access_key_id") or not hasattr(found, "access_key_secret"):
        raise CredentialsError(
            f"{type(found).__name__} has no access_key_id and access_key_secret",
            remedy="Return vcokit.cloud.Credentials, or what the official package returns",
        )
    return Credentials(
        found.access_key_id,
        found.access_key_secret,
        getattr(found, "security_token", None) or None,
        getattr(found, "expires", None),
    )


# -- where a key is found -------------------------------------------------------------------------


def find(
    access_key_id: str | None = None,
    access_key_secret: str | Secret | None = None,
    security_token: str | Secret | None = None,
    *,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> Keyring:
    """Return the keyring of the first place that has an AccessKey; the key is read immediately.

    Parameters
    ----------
    access_key_id, access_key_secret, security_token : str, optional
        Given together. Half a key is an error; it is never completed from another place.
    profile : str, optional
        Name of a profile of the vendor's CLI; the environment's key is then ignored.
    environ : mapping of str to str, optional
        By default the environment of the process.
    home : Path, optional
        Directory that contains ``.aliyun``; by default the user's home.
    clock : callable
        Seconds since the epoch.

    Returns
    -------
    Keyring

    Raises
    ------
    CredentialsError
        If no key is found, or only half of one, or one that cannot be used.

    Examples
    --------
    >>> find("LTAIexample", "s3cret")
    Credentials(access_key_id='LTAI***', access_key_secret='***')
    """
    access_key_secret, security_token = Secret.of(access_key_secret), Secret.of(security_token)
    given = explicit(access_key_id, access_key_secret, security_token)
    if given is None and profile is None:
        given = from_environment(environ)
    if given is not None:
        ring = Keyring.of(given, clock=clock)
    else:
        ring = _from_profile(profile, environ, home, clock) or Keyring(official(), clock=clock)
    ring()
    return ring


def _from_profile(
    name: str | None,
    environ: Mapping[str, str] | None,
    home: Path | None,
    clock: Callable[[], float],
) -> Keyring | None:
    path = (home or Path.home()) / ".aliyun" / "config.json"
    if name is None:
        disabled = (variable("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", environ) or "").lower() == "true"
        if disabled or not path.is_file():
            return None
    wanted = name or variable("ALIBABA_CLOUD_PROFILE", environ) or None
    profile = read_profile(path, wanted)
    mode, region = str(profile.get("mode", "")), profile.get("region_id") or None
    if mode.lower() in (ours.lower() for ours in OURS):
        if name is None and not profile.get("access_key_id"):
            return None  # the CLI writes such a profile before it is configured
        return Keyring(
            lambda: _key_of(read_profile(path, wanted), path), region=region, clock=clock
        )
    if mode.lower() in (theirs.lower() for theirs in THEIRS):
        chain = official(str(profile["name"]), path)
        return Keyring(chain, region=region, clock=clock)
    raise CredentialsError(
        f"{path}: profile {profile.get('name')!r} is of mode {mode!r}, which is not supported",
        remedy=f"Use one of mode {', '.join((*OURS, *THEIRS))}",
    )


def read_profile(path: Path, name: str | None) -> Mapping[str, Any]:
    """Return the profile with a name, or the current profile.

    Raises
    ------
    CredentialsError
        If the file cannot be read, or has no profile with that name.
    """
    remedy: str
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_hidden)
        profiles = {one["name"]: one for one in found["profiles"]}
        name = name or found.get("current") or "default"
    except OSError:
        fault, remedy = "cannot be read", REMEDY
    except (ValueError, TypeError, KeyError, AttributeError):
        # Raised outside of the except block: the error of JSON contains the whole file.
        fault, remedy = "is not a configuration file of the vendor's CLI", "Run aliyun configure"
    else:
        fault, remedy = "", ""
    if fault:
        raise CredentialsError(f"{path} {fault}", remedy=remedy)
    if name not in profiles:
        known = ", ".join(sorted(map(str, profiles))) or "none"
        raise CredentialsError(f"{path} has no profile {name!r}", remedy=f"There is: {known}")
    profile: Mapping[str, Any] = profiles[name]
    return profile


def _hidden(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a profile, with every text that may be secret wrapped as a secret."""
    return {
        name: Secret(value) if isinstance(value, str) and name not in _OPEN else value
        for name, value in pairs
    }


def _key_of(profile: Mapping[str, Any], path: Path) -> Credentials:
    token = profile.get("sts_token") if str(profile.get("mode")).lower() == "ststoken" else None
    secret = profile.get("access_key_secret")
    found = explicit(profile.get("access_key_id"), secret, token)
    if found is None:
        raise CredentialsError(
            f"{path}: profile {profile.get('name')!r} has no AccessKey",
            remedy="Run aliyun configure",
        )
    ends = profile.get("sts_expiration") if token else None
    if isinstance(ends, int) and ends > 0:
        return Credentials(found.access_key_id, found.secrets[0], token, float(ends))
    return found


def official(profile: str | None = None, path: Path | None = None) -> Source:
    """Return a source that uses the official package: a profile, or its default chain.

    The package renews its keys automatically; it does not report when they expire.

    Parameters
    ----------
    profile : str, optional
        Profile of the vendor's CLI; without it the package's default chain is used.
    path : Path, optional
        File that contains the profile.

    Raises
    ------
    CredentialsError
        If the package is not installed; when the source is called, if it finds no key.
    """
    try:
        providers = importlib.import_module(f"{_PACKAGE}.provider")
    except ImportError:
        raise CredentialsError(
            f"profile {profile!r} needs the package alibabacloud-credentials"
            if profile
            else "no AccessKey was found",
            remedy=_EXTRA if profile else REMEDY + f". For roles and single sign-on: {_EXTRA}",
        ) from None
    if profile is None:
        provider = providers.DefaultCredentialsProvider()
    else:
        provider = providers.CLIProfileCredentialsProvider(
            profile_name=profile, profile_file=str(path)
        )
    return lambda: _ask(provider, profile)


def _ask(provider: Any, profile: str | None) -> Credentials:
    what = f"profile {profile!r}" if profile else "no AccessKey was found"
    try:
        with _silent():
            found = provider.get_credentials()
    except Exception as error:  # the package documents no exceptions
        why = textwrap.shorten(
            f"{type(error).__name__}: {mask(str(error))}", _MOST_SAID, placeholder=" …"
        )
        raise CredentialsError(f"{what} ({why})", remedy=REMEDY) from None
    return Credentials(
        found.get_access_key_id(),
        found.get_access_key_secret(),
        found.get_security_token() or None,
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Suppress the log of the official package, which contains long tracebacks and keys.

    The package adds handlers of its own to its loggers. Logs of other threads are not affected.
    """
    here = threading.get_ident()

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != here

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(elsewhere)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(elsewhere)
