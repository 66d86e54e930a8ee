"""Plan files: one JSON object per line, with the column names of the frames.

::

    {"format": "vcokit plan", "version": 2, "fingerprint": "5f3c…", "digest": "9e1b…",
     "regions": ["cn-hangzhou"], "simulated": false, "actions": {"create": 1, …},
     "live_routes": 1, "quota": 50, "origin": {"files": {…}, …}}           one line, the header
    {"step": 0, "action": "create", "region_id": "cn-hangzhou", …}         a step, by its number
    {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a", …}          a live route

A missing value has no name in its line; the state of a step is left out, because it follows from
the action. Invisible characters are escaped. ``digest`` is the SHA-256 of the rest of the header
and of all lines below it, so every edit is noticed; ``fingerprint`` is the plan's own. Neither is a
signature: anybody who has vcokit can compute both anew. To know who may have changed a plan, use
version control, or control who can write the file. Line ends of any system are accepted.

Version 1 was not JSON; `vcokit.rollout.earlier` reads it.

The plan of a fleet is one file too: a header, then for each member a line with its name and all
lines of its plan file. Its ``digest`` covers all of them::

    {"format": "vcokit fleet plan", "version": 1, "fingerprint": "77ab…", "digest": "04c2…",
     "members": 2}
    {"member": "berlin"}
    {"format": "vcokit plan", …}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
FLEET_FORMAT: Final = "vcokit fleet plan"
FLEET_VERSION: Final = 1

#: The beginning of a plan file of any version, and of the plan of a fleet.
_BEGINS: Final = re.compile(
    rb'(?:\xef\xbb\xbf)?(?:%b |\s*\{\s*"format"\s*:\s*"%b")' % (2 * (FORMAT.encode(),))
)
_FLEET_BEGINS: Final = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"%b"' % FLEET_FORMAT.encode()
)
#: The values of the header, by name; the names in `_NOT_ALWAYS` are optional.
_HEAD: Final = {
    "fingerprint": str,
    "regions": list,
    "simulated": bool | None,
    "actions": dict,
    "live_routes": int,
    "quota": int,
    "gaps": list,
    "origin": dict,
}
_NOT_ALWAYS: Final = {"quota", "gaps", "origin"}
_STEP: Final = tuple(name for name in PLAN_COLUMNS if name != "state")
#: Created once: then 100,000 lines take a third of the time.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
#: Rows that are converted to values at once.
_AT_ONCE: Final = 10_000
_AGAIN: Final = "Make the plan again, or take the file from where it was saved"


@dataclass(frozen=True)
class Contents:
    """The contents of a plan file; the fields are those of `vcokit.rollout.plan.Plan`.

    ``gaps`` are pairs of step numbers and reason, from the plan's `lost`.
    """

    steps: pd.DataFrame
    live: pd.DataFrame
    fingerprint: str
    quota: int | None
    gaps: Sequence[tuple[Sequence[int], str]]
    simulated: bool | None
    origin: Mapping[str, Any] | None = None


def is_plan(path: str | PathLike[str]) -> bool:
    """Return whether a file begins like a plan; False if it cannot be read."""
    return _begins(path, _BEGINS)


def is_fleet_plan(path: str | PathLike[str]) -> bool:
    """Return whether a file begins like the plan of a fleet; False if it cannot be read."""
    return _begins(path, _FLEET_BEGINS)


def _begins(path: str | PathLike[str], form: re.Pattern[bytes]) -> bool:
    try:
        with Path(path).open("rb") as file:
            return form.match(file.read(100)) is not None
    except (OSError, ValueError):
        return False


def rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield rows as plain values for any dtypes: text, int, or None if missing.

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


# -- write ----------------------------------------------------------------------------------------


def write(path: str | PathLike[str], contents: Contents) -> None:
    """Write a plan file; an existing file stays until the new one is complete and on disk.

    Raises
    ------
    PlanError
        If the file cannot be written.
    """
    _write(path, _lines(contents))


def write_fleet(
    path: str | PathLike[str], fingerprint: str, members: Mapping[str, Contents]
) -> None:
    """Write the plan of a fleet as `write` does: a header, then the plan of each member.

    Raises
    ------
    PlanError
        If the file cannot be written.
    """

    def body() -> Iterator[str]:
        for name, contents in members.items():
            yield _line({"member": name})
            yield from _lines(contents)

    head = {"fingerprint": fingerprint, "members": len(members)}
    kind = {"format": FLEET_FORMAT, "version": FLEET_VERSION, "digest": str(_Digest(head, body()))}
    _write(path, chain([_line(kind | head)], body()))


def _lines(contents: Contents) -> Iterator[str]:
    """Yield all lines of a plan."""
    head = _head(contents)
    kind = {"format": FORMAT, "version": VERSION, "digest": str(_Digest(head, _body(contents)))}
    yield _line(kind | head)
    yield from _body(contents)


def _write(path: str | PathLike[str], lines: Iterable[str]) -> None:
    try:
        with replacing(Path(path), packed=False) as file:
            for line in lines:
                file.write(f"{line}\n".encode())
    except OSError as error:
        raise PlanError(
            f"{path}: cannot be written ({error.strerror})",
            remedy="Name a file in an existing, writable folder with free space",
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
    if contents.origin is not None:
        head["origin"] = dict(contents.origin)
    return head


def _body(contents: Contents) -> Iterator[str]:
    """Yield the lines below the header."""
    for frame, names in ((contents.steps, _STEP), (contents.live, LIVE_COLUMNS)):
        for row in rows(frame, names):
            named = zip(names, row, strict=True)
            yield _line({name: value for name, value in named if value is not None})


def _line(record: Mapping[str, Any]) -> str:
    """Return a record as one line without invisible characters."""
    text = _ENCODER.encode(record)
    return text if text.isprintable() else json.dumps(record)


class _Digest:
    """SHA-256 of the values of a header, and of the text of the lines below it."""

    def __init__(self, head: Mapping[str, Any], body: Iterable[str] = ()) -> None:
        self._sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
        for line in body:
            self.add(line)

    def add(self, line: str) -> None:
        """Add a line."""
        self._sha.update(f"\n{line}".encode())

    def __str__(self) -> str:
        return self._sha.hexdigest()


# -- read -----------------------------------------------------------------------------------------


def read(path: str | PathLike[str]) -> Contents:
    """Read a plan file; the caller checks the fingerprint.

    Raises
    ------
    PlanError
        If it cannot be read, is not a plan, is damaged or was changed; with file, line and remedy.
    """
    with _reader(path) as reader:
        found = reader.plan()
        reader.end()
        return found


def read_fleet(path: str | PathLike[str]) -> tuple[str, dict[str, Contents]]:
    """Read the plan of a fleet: its fingerprint, and the plan of each member, in their order.

    The caller checks the fingerprints.

    Raises
    ------
    PlanError
        As `read` does.
    """
    with _reader(path) as reader:
        return reader.fleet()


@contextmanager
def _reader(path: str | PathLike[str]) -> Iterator[_Reader]:
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            yield _Reader(str(path), file)
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not UTF-8 ({error.reason})", remedy=_AGAIN) from None


def _whole(digits: str) -> int:
    """Return an integer that fits into a column."""
    number = int(digits)
    if abs(number) >= 1 << 63:
        raise ValueError(digits)
    return number


_DECODER: Final = json.JSONDecoder(parse_int=_whole)


class _Reader:
    """Reads a file line by line; errors name the last line that was read."""

    def __init__(self, path: str, lines: Iterator[str]) -> None:
        self._path, self._lines, self._number = path, lines, 0
        self._all: _Digest | None = None  # of all lines of a fleet

    def fleet(self) -> tuple[str, dict[str, Contents]]:
        """Read the plan of a fleet."""
        head = self._record(self._next())
        kind = (head.pop("format", None), head.pop("version", None))
        digest, number = head.pop("digest", None), head.get("members")
        if kind != (FLEET_FORMAT, FLEET_VERSION):
            raise self._error(
                "this is not the plan of a fleet, or it is of another version of vcokit",
                "Name a file that the same version of vcokit wrote",
            )
        self._all = _Digest(head)
        found: dict[str, Contents] = {}
        for _ in range(number if type(number) is int else 0):
            name = self._record(self._next()).get("member")
            if not isinstance(name, str) or name in found:
                raise self._error("the name of a member should stand here")
            found[name] = self.plan()
        seen, self._all = str(self._all), None
        self.end()
        if seen != digest:
            raise self._changed(1)
        return str(head.get("fingerprint")), found

    def plan(self) -> Contents:
        """Read one plan."""
        first = self._next()
        line = self._number
        if first.startswith(f"{FORMAT} "):
            return self._version_1(first)
        head = self._head(first)
        digest = head.pop("digest")
        seen = _Digest(head)
        steps = self._columns(_STEP, sum(head["actions"].values()), seen)
        live = self._columns(LIVE_COLUMNS, head["live_routes"], seen)
        if str(seen) != digest:
            raise self._changed(line)
        try:
            return _contents(head, steps, live)
        except (KeyError, TypeError, ValueError):  # vcokit never writes this
            raise self._error("what stands above is not a plan") from None

    def end(self) -> None:
        """Check that nothing is left."""
        while line := self._next():
            if line.strip():
                raise self._error("there is text after the end of the plan")

    def _changed(self, line: int) -> PlanError:
        self._number = line
        return self._error("the plan was changed after it was saved")

    def _next(self) -> str:
        """Return the next line; an empty text after the last one."""
        self._number += 1
        line = next(self._lines, "")
        if self._all is not None:
            self._all.add(line.rstrip("\n"))
        return line

    def _error(self, message: str, remedy: str = _AGAIN) -> PlanError:
        return PlanError(f"{self._path}, line {self._number}: {message}", remedy=remedy)

    def _version_1(self, first: str) -> Contents:
        try:
            return _contents(*earlier.parts_of_version_1(chain([first], self._lines)))
        except earlier.DamageError as damage:
            self._number, message = damage.args
            raise self._error(message) from None

    def _head(self, line: str) -> dict[str, Any]:
        """Return the values of the header, without those that name the format."""
        if not _BEGINS.match(line.encode()):
            raise self._error("this is not a plan of vcokit", "Name a file that plan.save wrote")
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
        """Return the columns of the next `count` lines."""
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
        head.get("origin"),
    )
