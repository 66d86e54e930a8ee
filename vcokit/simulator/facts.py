"""Settings of the simulator from the answers of a probe: the file that ``Probe.to_json`` writes.

============================  =====================================================
answer to                     sets
============================  =====================================================
`quota`                       `quota`
`task_seconds`                `task_seconds`
`create_limit`                `limits` of CreateVcoRouteEntry
`deleted_reappears`           a fault `reappear` of every delete
`shared_space`, `host_bits`,  switches of what is refused; a dry run that passed means that it
`other_next_hop`,             is accepted
`not_attached`, `repeat`
`second_write`                `switches.busy_code`
others with a switch's name   that switch
============================  =====================================================

Settings that the probe could not find out, and answers without a matching setting, have no effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from vcokit.simulator.faults import Fault
from vcokit.simulator.models import (
    BUSY_CODES,
    QUOTA,
    TASK_SECONDS,
    Duration,
    Limit,
    Switches,
    read_duration,
)

FORMAT: Final = "vcokit probe"
VERSION: Final = 1
_PASSED: Final = "DryRunOperation"


class FactsError(ValueError):
    """A file of facts cannot be used; the message names file, key and remedy."""


@dataclass(frozen=True)
class Facts:
    """The behaviour of a simulator.

    Parameters
    ----------
    quota, task_seconds, limits, switches, faults
        See `Simulator`.
    """

    quota: int = QUOTA
    task_seconds: Duration = TASK_SECONDS
    limits: Mapping[str, Limit] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)
    faults: tuple[Fault, ...] = ()


def read_facts(path: str | Path) -> Facts:
    """Return the settings in a probe's file.

    Raises
    ------
    FactsError
        If the file cannot be used.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        raise FactsError(f"{path}: cannot be read: {reason}. Name what a probe wrote") from None
    known = isinstance(document, dict) and document.get("format") == FORMAT
    if not known or document.get("version") != VERSION:
        raise FactsError(
            f"{path}: was not written by a probe of this version. Probe the account again"
        )
    answers = document.get("answers")
    if not isinstance(answers, dict) or not all(isinstance(one, dict) for one in answers.values()):
        raise FactsError(f"{path}: answers: write a table for each question")
    seen = {name: one.get("seen") for name, one in answers.items()}
    return _facts(path, {name: one for name, one in seen.items() if one is not None})


def _facts(path: str | Path, seen: Mapping[str, Any]) -> Facts:
    given: dict[str, Any] = {}
    key = ""
    try:
        key = "quota"
        if key in seen:
            given["quota"] = _positive(seen[key], int)
        key = "task_seconds"
        if key in seen:
            given["task_seconds"] = read_duration(seen[key])
        key = "create_limit"
        if key in seen:
            calls, seconds = seen[key]
            limit = (_positive(calls, int), float(_positive(seconds, int, float)))
            given["limits"] = {"CreateVcoRouteEntry": limit}
        key = "deleted_reappears"
        if seen.get(key):
            seconds = float(_positive(seen[key], int, float))
            given["faults"] = (Fault("reappear", seconds=seconds),)
        key = "switches"
        given["switches"] = Switches(**_switches(seen))
    except (TypeError, ValueError) as error:
        raise FactsError(f"{path}: {key}: {error}. Probe the account again") from None
    return Facts(**given)


def _positive(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds or not 0 < value < float("inf"):
        raise ValueError("write a number above 0")
    return value


def _switches(seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the switches that the answers set."""
    defaults = Switches()
    found: dict[str, Any] = {}
    for one in fields(Switches):
        if one.name in seen:
            found[one.name] = _like(getattr(defaults, one.name), seen[one.name], one.name)
    refused = {
        "shared_space_refused": "shared_space",
        "other_next_hop_refused": "other_next_hop",
        "not_attached_refused": "not_attached",
        "dry_run_checks_state": "repeat",
    }
    for switch, question in refused.items():
        if question in seen:
            found[switch] = seen[question] != _PASSED
    # The question has the name of a switch, but its answer is the code of a dry run.
    found.pop("host_bits", None)
    if "host_bits" in seen:
        found["host_bits"] = "masked" if seen["host_bits"] == _PASSED else "refused"
    if seen.get("second_write") in BUSY_CODES:
        found["busy_code"] = seen["second_write"]
    return found


def _like(default: Any, value: Any, name: str) -> Any:
    """Return a value if it has the type of a default."""
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        raise ValueError(f"{name} is of another type")
    return value
