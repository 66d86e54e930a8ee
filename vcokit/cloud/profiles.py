"""Profiles of the vendor's CLI (``~/.aliyun/config.json``), and the official chain behind them.

============================================================  ================================
mode of the profile                                           read by
============================================================  ================================
``AK``, ``StsToken``                                          us, again whenever the file changes
``RamRoleArn``, ``ChainableRamRoleArn``, ``EcsRamRole``,      ``alibabacloud-credentials``
``OIDC``, ``CloudSSO``, ``OAuth``, ``External``               (``pip install vcokit[credentials]``)
``RsaKeyPair``, ``RamRoleArnWithRoleName``,                   nobody: the official package for
``CredentialsURI``, ``BearerToken``, ``Anonymous``            Python does not read them
============================================================  ================================

The profile is the one that is named, else ``ALIBABA_CLOUD_PROFILE``, else the file's ``current``.
``ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true`` leaves the file alone unless a profile is named. Without
a profile the official package is asked for its default chain; on a machine that is none of the
vendor's, ``ALIBABA_CLOUD_ECS_METADATA_DISABLED=true`` spares the wait for an answer of its metadata
service. (Fields: the vendor's CLI, config/profile.go; modes: alibabacloud-credentials 1.0.)
"""

from __future__ import annotations

import importlib
import json
import logging
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vcokit.cloud.credentials import (
    REMEDY,
    Credentials,
    Keyring,
    Source,
    explicit,
    from_environment,
    variable,
)
from vcokit.cloud.masking import Secret, mask
from vcokit.errors import CredentialsError

#: Modes that need no call to anybody.
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
#: Loggers of the package, and of what it calls with (alibabacloud-credentials 1.0).
_LOGGERS: Final = ("credentials", "alibabacloud-tea")
#: Texts of a profile that are no secrets; all others are read as such.
_SHOWN: Final = frozenset({"current", "name", "mode", "region_id", "access_key_id"})
#: Letters of its own words that an error repeats.
_LONGEST: Final = 300


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
    """Return the keyring of the first place that has an AccessKey; it is looked at once.

    Parameters
    ----------
    access_key_id, access_key_secret, security_token : str, optional
        Given together; half a key is an error, it is never completed from elsewhere.
    profile : str, optional
        Name of a profile of the vendor's CLI; the environment's key is then passed over.
    environ : mapping of str to str, optional
        By default the environment of the process.
    home : Path, optional
        Directory of ``.aliyun``; by default that of the user.
    clock : callable
        Seconds since the epoch.

    Returns
    -------
    Keyring

    Raises
    ------
    CredentialsError
        If none is found, or half of one, or one that cannot be used.

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
            return None  # what the CLI leaves behind before it is configured
        return Keyring(
            lambda: _key_of(read_profile(path, wanted), path), region=region, clock=clock
        )
    if mode.lower() in (theirs.lower() for theirs in THEIRS):
        chain = official(str(profile["name"]), path)
        return Keyring(chain, region=region, clock=clock)
    raise CredentialsError(
        f"{path}: profile {profile.get('name')!r} is of mode {mode!r}, which is not read",
        remedy=f"Use one of mode {', '.join((*OURS, *THEIRS))}",
    )


def read_profile(path: Path, name: str | None) -> Mapping[str, Any]:
    """Return the profile of a name, or the current one.

    Raises
    ------
    CredentialsError
        If the file cannot be read, or has none of that name.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_hidden)
        profiles = {one["name"]: one for one in found["profiles"]}
        name = name or found.get("current") or "default"
    except OSError:
        fault, remedy = "cannot be read", REMEDY
    except (ValueError, TypeError, KeyError, AttributeError):
        # Outside of this block its error is none of ours: one of JSON carries the whole file.
        fault, remedy = "is no configuration of the vendor's CLI", "Run aliyun configure"
    else:
        fault = remedy = ""
    if fault:
        raise CredentialsError(f"{path} {fault}", remedy=remedy)
    if name not in profiles:
        known = ", ".join(sorted(map(str, profiles))) or "none"
        raise CredentialsError(f"{path} has no profile {name!r}", remedy=f"There is: {known}")
    profile: Mapping[str, Any] = profiles[name]
    return profile


def _hidden(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a profile, every text that may be a secret as one."""
    return {
        name: Secret(value) if isinstance(value, str) and name not in _SHOWN else value
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
    """Return the official package's chain, or its reading of a profile, as a source.

    The package renews what it hands out by itself; it does not say when that ends.

    Parameters
    ----------
    profile : str, optional
        Of the vendor's CLI; without it the package's default chain.
    path : Path, optional
        File of the profile.

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
            remedy=_EXTRA if profile else f"{REMEDY}. For roles and single sign-on: {_EXTRA}",
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
    except Exception as error:  # of a package that documents none
        why = textwrap.shorten(
            f"{type(error).__name__}: {mask(str(error))}", _LONGEST, placeholder=" …"
        )
        raise CredentialsError(f"{what} ({why})", remedy=REMEDY) from None
    return Credentials(
        found.get_access_key_id(),
        found.get_access_key_secret(),
        found.get_security_token() or None,
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what the official package logs out of sight: pages of tracebacks, and keys.

    It hangs handlers of its own on its loggers. What other threads log meanwhile is not touched.
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
