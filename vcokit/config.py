"""Settings and their defaults: argument > environment > ``vcokit.toml`` > default.

A setting ``read_timeout`` is the argument ``read_timeout=`` of the functions that use it, the
environment variable ``VCOKIT_READ_TIMEOUT``, and the key ``read_timeout`` in a file ``vcokit.toml``
in the working directory. Secrets are not settings: see `vcokit.cloud.credentials`.
"""

from __future__ import annotations

import math
import os
import re
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit.contract import limit
from vcokit.errors import ConfigError

FILE_NAME: Final = "vcokit.toml"
PREFIX: Final = "VCOKIT_"

#: User and password in a URL: all up to its last ``@``, because a password may contain any
#: character.
_USER: Final = re.compile(r"(?<=//).*@|^(?!.*//).*@", re.DOTALL)


@dataclass(frozen=True)
class Setting:
    """One setting: its name, default, unit, and what it decides.

    Parameters
    ----------
    name : str
        Name as an argument and in ``vcokit.toml``.
    default : int, float or str
        Its type is also the type of all other values.
    unit : str
        Unit of the value; empty if it has none.
    meaning : str
        One sentence.
    minimum : float
        Smallest accepted number.
    choices : tuple of str
        Accepted texts; empty if any text is accepted.
    """

    name: str
    default: int | float | str
    unit: str
    meaning: str
    minimum: float = 0.0
    choices: tuple[str, ...] = ()

    def parse(self, value: object, origin: str) -> Any:
        """Return a value in the setting's type.

        Raises
        ------
        ConfigError
            If it cannot be converted, or is below the minimum.
        """
        try:
            return self._parsed(value)
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(
                f"{reprlib.repr(value)} is not {self._wanted()}",
                name=self.name,
                origin=origin,
                remedy=f"The default is {self.default!r} {self.unit}".rstrip(),
            ) from None

    def _parsed(self, value: Any) -> Any:
        """Return a value in the setting's type; raise if it cannot be used."""
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise TypeError
            if self.choices and value not in self.choices:
                raise ValueError
            return value
        parsed = type(self.default)(value)
        rounded = not isinstance(value, str) and parsed != value
        if isinstance(value, bool) or rounded or not self.minimum <= parsed < math.inf:
            raise ValueError
        return parsed

    def _wanted(self) -> str:
        if isinstance(self.default, str):
            return " or ".join(self.choices) or "text"
        kind = "whole number" if isinstance(self.default, int) else "number"
        return f"a {kind} of at least {self.minimum:g}"


_TABLE: Final = (
    Setting(
        "region", "", "", "Region of calls that do not name one; empty: each row names its own."
    ),
    Setting("endpoint", "", "", "Host or URL of the API; empty: the endpoint of each region."),
    Setting("connect_timeout", 5.0, "s", "Time to open a connection, as in the official SDK."),
    Setting("read_timeout", 10.0, "s", "Time to wait for an answer; a call ends after three."),
    Setting("read_attempts", 5, "", "Number of tries of a read before its error is raised.", 1),
    Setting("retry_base", 0.5, "s", "First wait between attempts of a read; doubles each time."),
    Setting("retry_cap", 30.0, "s", "Longest wait between attempts, and for x-acs-retry-after."),
    Setting("list_workers", 8, "", "Connections that live_routes lists in parallel.", 1),
    Setting("in_flight", 32, "", "Most calls of a rollout in flight.", 1),
    Setting("step_attempts", 4, "", "Failed tasks after which a step has failed.", 1),
    Setting("lost_attempts", 20, "", "Lost answers after which a step has failed.", 1),
    Setting("list_after", 10, "", "Settled steps of a connection after which it is listed.", 1),
    Setting(
        "listing_weight",
        "shown",
        "",
        "Whether the cloud's listings show weights: shown, or unknown, so that they are ignored.",
        choices=("shown", "unknown"),
    ),
    Setting("lost_after", 120.0, "s", "Time without any answer after which a rollout stops."),
    Setting("poll_interval", 1.0, "s", "Wait between two reads of a connection's state."),
    Setting(
        "read_share", 0.5, "", "Part of the limits of reads that a rollout or a client uses.", 0.01
    ),
    Setting("task_seconds", 3.0, "s", "Assumed duration of a route task until one was measured."),
    Setting(
        "quota_hint",
        limit("routes_per_connection"),
        "routes",
        "Number of routes of a connection above which an audit warns.",
        1,
    ),
    Setting(
        "notify_stalled", 600.0, "s", "Time without progress that a notification is sent for.", 1
    ),
    Setting("notify_failures", 1, "steps", "Failed steps that a notification is sent for.", 1),
    Setting("metrics_interval", 30.0, "s", "Time between two writes of a file of metrics.", 1),
    Setting(
        "monitor_wait", 10.0, "s", "Time that notifications and metrics have after a rollout's end."
    ),
    Setting("speed", 60.0, "x", "Speed of the simulator behind demo and apply --simulate.", 0.001),
    Setting("seed", 20261123, "", "Seed of the demo's random choices."),
)

SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in _TABLE}


class Settings:
    """A snapshot of the settings: variables of the environment, and the settings file.

    A client keeps the snapshot from its creation, so that neither another working directory nor
    another environment changes the settings within a run.

    Parameters
    ----------
    environ : mapping of str to str, optional
        Environment to read, by default that of the process.

    Raises
    ------
    ConfigError
        If the settings file cannot be used.

    Examples
    --------
    >>> settings = Settings({"VCOKIT_READ_TIMEOUT": "3"})
    >>> settings.get("read_timeout"), settings.get("read_timeout", 2)
    (3.0, 2.0)
    >>> settings.find("read_timeout")
    (3.0, 'VCOKIT_READ_TIMEOUT')
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._text, self._table = _file()
        # Only these variables: others may contain the AccessKey, and tracebacks may show this.
        self._variables = {
            name: value
            for name, value in (os.environ if environ is None else environ).items()
            if name.removeprefix(PREFIX).lower() in SETTINGS
        }

    def __repr__(self) -> str:
        return f"<settings, {len(self._variables)} variables, {len(self._table)} in {FILE_NAME}>"

    def get(self, name: str, argument: object = None) -> Any:
        """Return the effective value of a setting, in the type of its default.

        Parameters
        ----------
        name : str
            One of `SETTINGS`.
        argument : object, optional
            The value from the caller; None if the caller gave none.

        Raises
        ------
        ConfigError
            If the effective value cannot be used; the error names its origin.
        """
        return self.find(name, argument)[0]

    def find(self, name: str, argument: object = None) -> tuple[Any, str]:
        """Return the effective value of a setting, and its origin.

        Returns
        -------
        (int, float or str), str
            The origin is ``argument``, the name of a variable, ``vcokit.toml`` or ``default``.
        """
        setting, variable = SETTINGS[name], PREFIX + name.upper()
        if argument is not None:
            return setting.parse(argument, "argument"), "argument"
        if variable in self._variables:
            return setting.parse(self._variables[variable], variable), variable
        if name in self._table:
            return setting.parse(self._table[name], _place(self._text, name)), FILE_NAME
        return setting.default, "default"


def get(name: str, argument: object = None) -> Any:
    """Return the effective value of a setting now; see `Settings.get`.

    Examples
    --------
    >>> get("read_timeout", 2)
    2.0
    """
    if argument is not None:
        return SETTINGS[name].parse(argument, "argument")
    return Settings().get(name)


def _file() -> tuple[str, Mapping[str, object]]:
    """Return the text of the settings file, and its table; both are empty if there is no file."""
    path = Path(FILE_NAME)
    try:
        text = path.read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        return "", {}
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror or error}",
            origin=str(path),
            remedy="Make it a file that can be read, or remove it",
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"not valid TOML: {error}", origin=str(path), remedy="Correct or remove the file"
        ) from None
    unknown = sorted(set(table) - set(SETTINGS))
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}",
            origin=_place(text, unknown[0]),
            remedy=f"Known are {', '.join(sorted(SETTINGS))}",
        )
    return text, table


def _place(text: str, name: str) -> str:
    """Return the name of the settings file and, if it can be found, the line of a key."""
    key = re.compile(rf"""\s*["']?{re.escape(name)}["']?\s*=""")
    found = (number for number, line in enumerate(text.splitlines(), 1) if key.match(line))
    number = next(found, None)
    return FILE_NAME if number is None else f"{FILE_NAME}, line {number}"


def masked(text: str) -> str:
    """Return a setting without the user and password that a URL may contain.

    Examples
    --------
    >>> masked("http://me:s3cret@proxy:80"), masked("me:s3cret@host"), masked("host:80")
    ('http://***@proxy:80', '***@host', 'host:80')
    """
    return _USER.sub("***@", text)


def in_force() -> pd.DataFrame:
    """Return every setting with its effective value and origin, for display.

    Returns
    -------
    DataFrame
        Columns name, value, unit, origin, meaning; all strings; URLs without their passwords.
    """
    settings = Settings()
    rows = []
    for setting in SETTINGS.values():
        value, origin = settings.find(setting.name)
        rows.append((setting.name, masked(str(value)), setting.unit, origin, setting.meaning))
    return pd.DataFrame(rows, columns=["name", "value", "unit", "origin", "meaning"], dtype="str")
