"""The one place of each default: argument > environment > ``vcokit.toml`` > default.

A setting ``read_timeout`` is the argument ``read_timeout=`` of whatever uses it, the environment
variable ``VCOKIT_READ_TIMEOUT``, and the key ``read_timeout`` of a file ``vcokit.toml`` in the
working directory. Secrets are no settings: see `vcokit.cloud.credentials`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit.errors import ConfigError

FILE_NAME: Final = "vcokit.toml"
PREFIX: Final = "VCOKIT_"


@dataclass(frozen=True)
class Setting:
    """One setting: its name, default, unit, and what it decides.

    Parameters
    ----------
    name : str
        As an argument and in ``vcokit.toml``.
    default : int, float or str
        Also gives the type that other values are read as.
    unit : str
        Unit of the value, empty where there is none.
    meaning : str
        One sentence.
    minimum : float
        Least value of a number that is accepted.
    """

    name: str
    default: int | float | str
    unit: str
    meaning: str
    minimum: float = 0.0

    def parse(self, value: object, origin: str) -> Any:
        """Return a value in the setting's type.

        Raises
        ------
        ConfigError
            If it cannot be read so, or is below the minimum.
        """
        kind: Callable[[Any], Any] = type(self.default)
        try:
            parsed = kind(value)
        except (TypeError, ValueError):
            parsed = None
        bad = parsed is None or isinstance(value, bool)
        if bad or (isinstance(parsed, int | float) and not parsed >= self.minimum):
            wanted = "text" if kind is str else f"a number of at least {self.minimum:g}"
            raise ConfigError(
                f"{value!r} is not {wanted}",
                name=self.name,
                origin=origin,
                remedy=f"The default is {self.default!r} {self.unit}".rstrip(),
            )
        return parsed


_TABLE: Final = (
    Setting("region", "", "", "Region of calls that name none; empty: each row names its own."),
    Setting("endpoint", "", "", "Host or URL of the API; empty: the endpoint of each region."),
    Setting("connect_timeout", 5.0, "s", "Time to open a connection, as in the official SDK."),
    Setting("read_timeout", 10.0, "s", "Time to wait for an answer, as in the official SDK."),
    Setting("read_attempts", 5, "", "Times a read is tried before its error is raised.", 1),
    Setting("retry_base", 0.5, "s", "First wait between attempts of a read; doubles each time."),
    Setting("retry_cap", 30.0, "s", "Longest wait between attempts, and for x-acs-retry-after."),
    Setting("list_workers", 8, "", "Connections that live_routes lists side by side.", 1),
    Setting("in_flight", 32, "", "Calls a rollout has under way at most.", 1),
    Setting("step_attempts", 4, "", "Tasks of a step that fail before the step has failed.", 1),
    Setting("lost_attempts", 20, "", "Answers of a step that are lost before it has failed.", 1),
    Setting("list_after", 10, "", "Settled steps of a connection after which it is listed.", 1),
    Setting("lost_after", 120.0, "s", "Time without any answer after which a rollout stops."),
    Setting("poll_interval", 1.0, "s", "Wait between two looks at a connection's state."),
    Setting(
        "read_share", 0.5, "", "Part of the limits of reads that a rollout or a client uses.", 0.01
    ),
    Setting("task_seconds", 3.0, "s", "Time a route task is thought to take until one was seen."),
    Setting("quota_hint", 50, "routes", "Routes of a connection past which an audit warns.", 1),
    Setting("speed", 60.0, "x", "Speed of the simulator behind demo and apply --simulate.", 0.001),
    Setting("seed", 20261123, "", "Seed of the demo's random choices."),
)

SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in _TABLE}


def get(name: str, argument: object = None, environ: Mapping[str, str] | None = None) -> Any:
    """Return the value of a setting that is in force.

    Parameters
    ----------
    name : str
        One of `SETTINGS`.
    argument : object, optional
        The value a caller gave; None where none was given.
    environ : mapping of str to str, optional
        Environment to look in, by default that of the process.

    Returns
    -------
    int, float or str
        In the type of the setting's default.

    Raises
    ------
    ConfigError
        If the value in force cannot be used; the error says where it came from.

    Examples
    --------
    >>> get("read_timeout", 2, {}), get("read_timeout", None, {"VCOKIT_READ_TIMEOUT": "3"})
    (2.0, 3.0)
    """
    return _resolve(SETTINGS[name], argument, os.environ if environ is None else environ)[0]


def _resolve(setting: Setting, argument: object, environ: Mapping[str, str]) -> tuple[Any, str]:
    places: tuple[tuple[str, Callable[[], object]], ...] = (
        ("argument", lambda: argument),
        (PREFIX + setting.name.upper(), lambda: environ.get(PREFIX + setting.name.upper())),
        (FILE_NAME, lambda: _file().get(setting.name)),
    )
    for origin, look in places:
        value = look()
        if value is not None:
            return setting.parse(value, origin), origin
    return setting.default, "default"


def _file() -> Mapping[str, object]:
    path = Path(FILE_NAME)
    try:
        text = path.read_bytes()
    except OSError:
        return {}
    try:
        table = tomllib.loads(text.decode("utf-8"))
    except ValueError as error:
        raise ConfigError(
            f"not valid TOML: {error}", origin=str(path), remedy="Mend or remove the file"
        ) from None
    unknown = sorted(set(table) - set(SETTINGS))
    if unknown:
        raise ConfigError(
            f"unknown setting {', '.join(unknown)}",
            origin=str(path),
            remedy=f"Known are {', '.join(sorted(SETTINGS))}",
        )
    return table


def in_force(environ: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return every setting with the value in force and where it came from.

    Returns
    -------
    DataFrame
        Columns name, value, unit, origin, meaning; all strings.
    """
    environ = os.environ if environ is None else environ
    rows = []
    for setting in SETTINGS.values():
        value, origin = _resolve(setting, None, environ)
        rows.append((setting.name, str(value), setting.unit, origin, setting.meaning))
    return pd.DataFrame(rows, columns=["name", "value", "unit", "origin", "meaning"], dtype="str")
