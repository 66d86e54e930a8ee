"""A plan as a file: a JSON object a line, under the names of the frames' columns.

::

    {"format": "vcokit plan", "version": 2, "fingerprint": "5f3c…", "digest": "9e1b…",
     "regions": ["cn-hangzhou"], "simulated": false, "actions": {"create": 1, …},
     "live_routes": 1, "quota": 50}                                        one line, the head
    {"step": 0, "action": "create", "region_id": "cn-hangzhou", …}         a step, by its number
    {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a", …}          a live route

What is missing has no name in its line; a step's state is left out, because its action tells it.
Whatever cannot be seen is spelt out. ``digest`` is the SHA-256 of the rest of the head and of all
lines below it, so that no edit goes unnoticed; ``fingerprint`` is the plan's own. Neither is a
signature: anybody who has vcokit can make both anew. Who may have changed a plan, version control
knows, or whoever keeps the file. Line ends of any system are taken.

Version 1 was no JSON; `vcokit.rollout.earlier` reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit.errors import PlanError
from vcokit.inventory.write import replacing
from vcokit.rollout import earlier
from vcokit.rollout.steps import BORN, LIVE_COLUMNS, PLAN_COLUMNS, State

FORMAT: Final = "vcokit plan"
VERSION: Final = 2

#: How a file of a plan begins, whatever its version.
_BEGINS: Final = re.compile(
    rb'(?:\xef\xbb\xbf)?(?:%b |\s*\{\s*"format"\s*:\s*"%b")' % (2 * (FORMAT.encode(),))
)
#: What the head says, by name; the last two only where there is something to say.
_HEAD: Final = {
    "fingerprint": str,
    "regions": list,
    "simulated": bool | None,
    "actions": dict,
    "live_routes": int,
    "quota": int,
    "gaps": list,
}
_NOT_ALWAYS: Final = {"quota", "gaps"}
_STEP: Final = tuple(name for name in PLAN_COLUMNS if name != "state")
#: Made once: 100,000 lines take a third of the time.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
#: Rows that are turned into values at once.
_AT_ONCE: Final = 10_000
_AGAIN: Final = "Make the plan again, or take the file from where it was saved"


@dataclass(frozen=True)
class Contents:
    """What a file of a plan holds; the fields are those of `vcokit.rollout.plan.Plan`.

    ``gaps`` are (numbers of steps, reason) of what the plan lost.
    """

    steps: pd.DataFrame
    live: pd.DataFrame
    fingerprint: str
    quota: int | None
    gaps: Sequence[tuple[Sequence[int], str]]
    simulated: bool | None


def is_plan(path: str | PathLike[str]) -> bool:
    """Tell whether a file begins as a plan does; one that cannot be read does not."""
    try:
        with Path(path).open("rb") as file:
            return _BEGINS.match(file.read(100)) is not None
    except (OSError, ValueError):
        return False


def rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield rows as plain values, whatever dtypes they have: text, int, or None where missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"weight": [100.0, None], "route_dest": ["10.0.0.0/8", None]})
    >>> list(rows(frame, ["route_dest", "weight"]))
    [('10.0.0.0/8', 100), (None, None)]
    """
    for start in range(0, len(frame), _AT_ONCE):
        part = frame.iloc[start : start + _AT_ONCE]
        yield from zip(*(_values(part[name], _kind(name)) for name in names), strict=True)


def _kind(name: str) -> type:
    return int if schema.STEPS[name] in ("int64", schema.INT) else str


def _values(column: pd.Series, kind: type) -> list[Any]:
    there = column.notna().tolist()
    return [kind(value) if has else None for value, has in zip(column.tolist(), there, strict=True)]


# -- to a file ------------------------------------------------------------------------------------


def write(path: str | PathLike[str], contents: Contents) -> None:
    """Write a plan's file; one that is there stays until the new one is whole and on the disk.

    Raises
    ------
    PlanError
        If it cannot be written.
    """
    head = _head(contents)
    kind = {"format": FORMAT, "version": VERSION, "digest": str(_Digest(head, _body(contents)))}
    try:
        with replacing(Path(path), packed=False) as file:
            for line in chain([_line(kind | head)], _body(contents)):
                file.write(f"{line}\n".encode())
    except OSError as error:
        raise PlanError(
            f"{path}: cannot be written ({error.strerror})",
            remedy="Name a file in a folder that is there and yours, and has room",
        ) from None


def _head(contents: Contents) -> dict[str, Any]:
    steps = contents.steps
    actions = steps["action"].value_counts()
    head: dict[str, Any] = {
        "fingerprint": contents.fingerprint,
        "regions": sorted(steps["region_id"].dropna().unique().tolist()),
        "simulated": contents.simulated,
        "actions": {name: int(actions.get(name, 0)) for name in schema.ACTIONS.categories},
        "live_routes": len(contents.live),
    }
    if contents.quota is not None:
        head["quota"] = contents.quota
    if contents.gaps:
        head["gaps"] = [{"steps": list(steps), "reason": said} for steps, said in contents.gaps]
    return head


def _body(contents: Contents) -> Iterator[str]:
    """Yield the lines below the head."""
    for frame, names in ((contents.steps, _STEP), (contents.live, LIVE_COLUMNS)):
        for row in rows(frame, names):
            named = zip(names, row, strict=True)
            yield _line({name: value for name, value in named if value is not None})


def _line(record: Mapping[str, Any]) -> str:
    """Return a record as one line in which everything can be seen."""
    text = _ENCODER.encode(record)
    return text if text.isprintable() else json.dumps(record)


class _Digest:
    """SHA-256 of a head, as values, and of the lines below it, as they stand."""

    def __init__(self, head: Mapping[str, Any], body: Iterable[str] = ()) -> None:
        self._sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        for line in body:
            self.add(line)

    def add(self, line: str) -> None:
        """Add a line."""
        self._sha.update(f"\n{line}".encode())

    def __str__(self) -> str:
        return self._sha.hexdigest()


# -- from a file ----------------------------------------------------------------------------------


def read(path: str | PathLike[str]) -> Contents:
    """Read a plan's file; whether its fingerprint is true, the caller checks.

    Raises
    ------
    PlanError
        If it cannot be read, is no plan, is damaged or was changed; with file, line and remedy.
    """
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return _Reader(str(path), file).contents()
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not UTF-8 ({error.reason})", remedy=_AGAIN) from None


def _whole(digits: str) -> int:
    """Read a whole number that a column can hold."""
    number = int(digits)
    if abs(number) >= 1 << 63:
        raise ValueError(digits)
    return number


_DECODER: Final = json.JSONDecoder(parse_int=_whole)


class _Reader:
    """A file that is read line by line; errors name the line that was read last."""

    def __init__(self, path: str, lines: Iterator[str]) -> None:
        self._path, self._lines, self._number = path, lines, 0

    def contents(self) -> Contents:
        """Read all of the file."""
        first = self._next()
        if first.startswith(f"{FORMAT} "):
            return self._version_1(first)
        head = self._head(first)
        digest = head.pop("digest")
        seen = _Digest(head)
        steps = self._columns(_STEP, sum(head["actions"].values()), seen)
        live = self._columns(LIVE_COLUMNS, head["live_routes"], seen)
        while line := self._next():
            if line.strip():
                raise self._error("something stands behind the end of the plan")
        if str(seen) != digest:
            self._number = 1
            raise self._error("the plan was changed after it was saved")
        try:
            return _contents(head, steps, live)
        except (KeyError, TypeError, ValueError):  # not what was ever written
            raise self._error("what stands above is no plan") from None

    def _next(self) -> str:
        """Return the next line; an empty text behind the last one."""
        self._number += 1
        return next(self._lines, "")

    def _error(self, message: str, remedy: str = _AGAIN) -> PlanError:
        return PlanError(f"{self._path}, line {self._number}: {message}", remedy=remedy)

    def _version_1(self, first: str) -> Contents:
        try:
            return _contents(*earlier.parts_of_version_1(chain([first], self._lines)))
        except earlier.DamageError as damage:
            self._number, message = damage.args
            raise self._error(message) from None

    def _head(self, line: str) -> dict[str, Any]:
        """Return what the head says, without what tells the format."""
        if not _BEGINS.match(line.encode()):
            raise self._error("this is no plan of vcokit", "Name a file that plan.save wrote")
        head = self._record(line)
        version = head.pop("version", None)
        if version != VERSION:
            raise self._error(
                f"written by another version of vcokit (format {version!s:.20}, not {VERSION})",
                "Use that version, or make the plan again",
            )
        del head["format"]
        for name, kind in _HEAD.items():
            given = name in head or name not in _NOT_ALWAYS
            if given and not isinstance(head.get(name), kind):
                raise self._error(f"the head does not say what it should of {name}")
        if any(type(count) is not int for count in head["actions"].values()):
            raise self._error("the head does not say what it should of actions")
        return head

    def _columns(self, names: Sequence[str], count: int, seen: _Digest) -> dict[str, list[Any]]:
        """Return the columns of so many lines."""
        kinds = {name: _kind(name) for name in names}
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for place in range(count):
            line = self._next()
            if not line:
                raise self._error("the plan ends before its last line")
            seen.add(line.rstrip("\n"))
            record = self._record(line)
            for name, value in record.items():
                if type(value) is not kinds.get(name):
                    raise self._error(f"not understood: {name!r:.40}: {value!r:.40}")
            if "step" in kinds and record.get("step") != place:
                raise self._error(f"step {place} should stand here")
            if "action" in kinds and record.get("action") not in schema.ACTIONS.categories:
                raise self._error(f"not an action: {record.get('action')!r:.40}")
            for name, column in columns.items():
                column.append(record.get(name))
        return columns

    def _record(self, line: str) -> dict[str, Any]:
        try:
            record = _DECODER.decode(line)
        except (ValueError, RecursionError):
            raise self._error("not a JSON object of vcokit") from None
        if not isinstance(record, dict):
            raise self._error("not a JSON object")
        return record


def _contents(
    head: Mapping[str, Any], steps: Mapping[str, list[Any]], live: Mapping[str, list[Any]]
) -> Contents:
    states = [BORN.get(action, State.PENDING) for action in steps.get("action", [])]
    return Contents(
        schema.frame(
            {name: schema.STEPS[name] for name in PLAN_COLUMNS}, {**steps, "state": states}
        ),
        schema.frame({name: schema.LIVE_ROUTES[name] for name in LIVE_COLUMNS}, live),
        head["fingerprint"],
        head.get("quota"),
        [(tuple(map(int, gap["steps"])), str(gap["reason"])) for gap in head.get("gaps", ())],
        head["simulated"],
    )
