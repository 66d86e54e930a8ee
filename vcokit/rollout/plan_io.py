"""A plan to be read: as a file and back, as a unified diff, as a table of a notebook.

The file has one line a step, to be read in a pull request, and is read back without a loss::

    vcokit plan 1
    fingerprint 5f3c…
    steps 1 create, 1 modify, 0 delete, 1 keep, 0 blocked
    quota 50                                            what else is known of the plan, if anything
    simulated no                                        whether a simulator had the live routes

    connection vco-a region cn-hangzhou scope cn-hangzhou
      # step action destination weight  next-hop row line source     description message
      0      create 10.0.0.0/8  100     vco-a    0   2    routes.csv "Hub, 2nd"  -
      2      modify 10.2.0.0/16 0->100  vco-a    2   4    routes.csv -           -

    live vco-a region cn-hangzhou
      10.2.0.0/16 0 vco-a

    end 9e1b…

Words of letters, digits and ``_.:/*@+=,-`` stand as they are, a lone ``-`` is nothing, all else is
a JSON string in which whatever cannot be seen is spelt out. ``end`` carries the SHA-256 of all
lines above it. Line ends of any system are taken, as version control may change them.

The two digests find damage and careless edits. They are no signature: anybody who has vcokit can
make both anew. Who may have changed a plan, version control knows, or whoever keeps the file.

The diff shows what each connection holds, and what it will hold. Routes are in the order of their
networks; what is not printable is spelt out::

    --- vco-a (live)
    +++ vco-a (planned)
    @@ -1,2 +1,2 @@
     10.0.0.0/8   100  vco-a
    -10.2.0.0/16    0  vco-a
    +10.2.0.0/16  100  vco-a

A notebook shows some steps of each action, without the columns that say nothing: empty ones, a
scope that is the region, a next hop that is the connection, a file where there is but one. All of
it is in `Plan.frame`.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit.errors import PlanError
from vcokit.inventory.write import replacing
from vcokit.plain import visible
from vcokit.rollout import rehearsal
from vcokit.rollout.steps import BLOCKED, BORN, LIVE_COLUMNS, PENDING, PLAN_COLUMNS, Route, Step

HEAD: Final = "vcokit plan"
VERSION: Final = 1

_COLUMNS: Final = (
    "step",
    "action",
    "destination",
    "weight",
    "next-hop",
    "row",
    "line",
    "source",
    "description",
    "message",
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/*@+=,-]+")
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^ "]+')
_LINE: Final = re.compile(rf" *(?:(?:{_WORD.pattern})(?: +|$))*")
_WEIGHT: Final = re.compile(r"(?:(-?[0-9]+)->)?(-?[0-9]+)")
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")
_AGAIN: Final = "Make the plan again, or take the file from where it was saved"


@dataclass
class Contents:
    """What a file of a plan holds.

    Parameters
    ----------
    steps, live : DataFrame
        As in `vcokit.rollout.plan.Plan`.
    meta : dict of str to str
        What else was known of the plan.
    fingerprint : str
    """

    steps: pd.DataFrame
    live: pd.DataFrame
    meta: dict[str, str]
    fingerprint: str


# -- to text ------------------------------------------------------------------------------------


def word(value: object) -> str:
    r"""Return a value as one word of a line.

    Examples
    --------
    >>> print(word("vco-a"), word(None), word("-"), word("Hub, 2nd\x1b"))
    vco-a - "-" "Hub, 2nd\u001b"
    """
    if value is None or value is pd.NA or value != value:  # NaN alone is not itself
        return "-"
    text = str(value)
    if text != "-" and _PLAIN.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _spelt(letter) for letter in quoted)


def _spelt(letter: str) -> str:
    return json.dumps(letter)[1:-1]


def step_lines(steps: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of steps, by connection, in the order in which connections appear."""
    columns = [steps[name].astype("object").tolist() for name in PLAN_COLUMNS]
    rows = [dict(zip(PLAN_COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in rows:
        key = tuple(word(row[name]) for name in ("vpn_connection_id", "region_id", "scope"))
        groups.setdefault(key, []).append(_cells(row))
    for (connection, region, scope), cells in groups.items():
        yield f"connection {connection} region {region} scope {scope}"
        yield from _aligned([("# step", *_COLUMNS[1:]), *cells])
        yield ""


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    weight = word(row["weight"])
    if not pd.isna(row["old_weight"]):
        weight = f"{row['old_weight']}->{weight}"
    names = ("next_hop", "row", "line", "source", "description", "message")
    first = (str(row["step"]), row["action"], word(row["route_dest"]), weight)
    return (*first, *(word(row[name]) for name in names))


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield ("  " + " ".join(cells)).rstrip()


def _live_lines(live: pd.DataFrame) -> Iterator[str]:
    rows = zip(*(live[name].tolist() for name in LIVE_COLUMNS), strict=True)
    for (region, connection), routes in groupby(rows, key=lambda row: row[:2]):
        yield f"live {word(connection)} region {word(region)}"
        yield from _aligned(
            [(word(dest), str(weight), word(hop)) for *_, dest, hop, weight in routes]
        )
        yield ""


def write(path: str | PathLike[str], contents: Contents, counts: str) -> None:
    """Write a plan's file; one that is there stays until the new one is whole and on the disk.

    Raises
    ------
    PlanError
        If it cannot be written.
    """
    head = [f"{HEAD} {VERSION}", f"fingerprint {contents.fingerprint}", f"steps {counts}"]
    head += [f"{name} {word(value)}" for name, value in contents.meta.items()]
    lines = [*head, "", *step_lines(contents.steps), *_live_lines(contents.live)]
    text = "\n".join([*lines, f"end {_digest(lines)}", ""])
    try:
        with replacing(Path(path), packed=False) as file:
            file.write(text.encode())
    except OSError as error:
        raise PlanError(
            f"{path}: cannot be written ({error.strerror})",
            remedy="Name a file in a folder that is there and yours, and has room",
        ) from None


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


# -- from text ----------------------------------------------------------------------------------


def read(path: str | PathLike[str]) -> Contents:
    """Read a plan's file; whether its fingerprint is true, the caller checks.

    Raises
    ------
    PlanError
        If it cannot be read, is no plan, is damaged or was changed; with file, line and remedy.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not UTF-8 ({error.reason})", remedy=_AGAIN) from None
    return _Reader(str(path), [line.removesuffix("\r") for line in text.split("\n")]).read()


@dataclass
class _Reader:
    """The lines of a file, and what has been made of those above `number`."""

    path: str
    lines: list[str]
    number: int = 0
    meta: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    live: list[tuple[Any, ...]] = field(default_factory=list)

    def read(self) -> Contents:
        """Read all of it."""
        self._check_head()
        while not (line := self._next()).startswith("end "):
            if line.startswith("connection "):
                self._connection(self._words(line, "connection", "region", "scope"))
            elif line.startswith("live "):
                self._live(self._words(line, "live", "region"))
            elif line:
                self._known(line)
        self._check_end(line)
        fingerprint = self.meta.pop("fingerprint", "")
        self.meta.pop("steps", None)
        return Contents(self._steps(), self._routes(), self.meta, fingerprint)

    def error(self, message: str, remedy: str = _AGAIN) -> PlanError:
        """Return an error that names file and line."""
        return PlanError(f"{self.path}, line {self.number}: {message}", remedy=remedy)

    # -- lines ----------------------------------------------------------------------------------

    def _next(self) -> str:
        if self.number == len(self.lines):
            raise self.error("the plan ends before its last line")
        self.number += 1
        return self.lines[self.number - 1]

    def _block(self) -> Iterator[list[str]]:
        """Yield the words of the indented lines that follow."""
        while self.number < len(self.lines) and self.lines[self.number].startswith("  "):
            line = self._next()
            if not line.startswith("  #"):
                yield self._split(line)

    def _split(self, line: str) -> list[str]:
        if _LINE.fullmatch(line) is None:
            raise self.error("a quotation mark too few or too many")
        return _WORD.findall(line)

    def _words(self, line: str, *names: str) -> list[str | None]:
        """Return the values of a line of names and values."""
        words = self._split(line)
        if len(words) != 2 * len(names) or tuple(words[::2]) != names:
            raise self.error(f"not of the form '{' … '.join(names)} …'")
        return [self._text(value) for value in words[1::2]]

    def _text(self, value: str) -> str | None:
        if value == "-":
            return None
        if not value.startswith('"'):
            return value
        try:
            return str(json.loads(value))
        except ValueError:
            raise self.error(f"cannot be read: {value[:40]}") from None

    def _whole(self, value: str) -> int | None:
        if value == "-":
            return None
        if _NUMBER.fullmatch(value) is None or abs(int(value)) >= 1 << 63:
            raise self.error(f"not a whole number: {value[:40]}")
        return int(value)

    # -- parts ----------------------------------------------------------------------------------

    def _check_head(self) -> None:
        name, _, version = self._next().rpartition(" ")
        if name != HEAD:
            raise self.error("this is no plan of vcokit", "Name a file that plan.save wrote")
        if version != str(VERSION):
            raise self.error(
                f"written by another version of vcokit (format {version[:20]}, known is {VERSION})",
                "Use that version, or make the plan again",
            )

    def _known(self, line: str) -> None:
        name, _, value = line.partition(" ")
        known = name in ("fingerprint", "steps", "quota", "lost") or (
            name == rehearsal.NAME and value in rehearsal.TEXTS.values()
        )
        if not known or self.steps or self.live:
            raise self.error(f"not understood: {line[:40]}")
        self.meta[name] = (value if name == "steps" else self._text(value)) or ""

    def _connection(self, place: list[str | None]) -> None:
        connection, region, scope = place
        for words in self._block():
            if len(words) != len(_COLUMNS):
                raise self.error(f"{len(words)} words where a step has {len(_COLUMNS)}")
            given = self._step(words)
            given |= {"vpn_connection_id": connection, "region_id": region, "scope": scope}
            self.steps.append(given)

    def _step(self, words: Sequence[str]) -> dict[str, Any]:
        number, action, dest, weight, hop, row, line, *texts = words
        if action not in schema.ACTIONS.categories:
            raise self.error(f"not an action: {action[:40]}")
        weights = _WEIGHT.fullmatch(weight)
        if weights is None and weight != "-":
            raise self.error(f"not a weight: {weight[:40]}")
        old, new = weights.groups(default="-") if weights else ("-", "-")
        source, description, message = (self._text(text) for text in texts)
        return {
            "step": self._whole(number),
            "action": action,
            "state": BORN.get(action, BLOCKED if action == BLOCKED else PENDING),
            "route_dest": self._text(dest),
            "next_hop": self._text(hop),
            "old_weight": self._whole(old),
            "weight": self._whole(new),
            "description": description,
            "message": message,
            "row": self._whole(row),
            "source": source,
            "line": self._whole(line),
        }

    def _live(self, place: list[str | None]) -> None:
        connection, region = place
        for words in self._block():
            if len(words) != 3:
                raise self.error(f"{len(words)} words where a live route has 3")
            dest, weight, hop = words
            route = (self._text(dest), self._text(hop), self._whole(weight))
            self.live.append((region, connection, *route))

    def _check_end(self, line: str) -> None:
        if line != f"end {_digest(self.lines[: self.number - 1])}":
            raise self.error("the plan was changed after it was saved")
        if any(self.lines[self.number :]):
            self.number += 1
            raise self.error("something stands behind the end of the plan")

    def _steps(self) -> pd.DataFrame:
        rows = sorted(self.steps, key=lambda row: (row["step"] is None, row["step"]))
        if [row["step"] for row in rows] != list(range(len(rows))):
            raise self.error("steps are missing, or stand there twice")
        columns = {name: [row[name] for row in rows] for name in PLAN_COLUMNS}
        return schema.frame({name: schema.STEPS[name] for name in PLAN_COLUMNS}, columns)

    def _routes(self) -> pd.DataFrame:
        columns = list(zip(*self.live, strict=True)) or [()] * len(LIVE_COLUMNS)
        names = {name: schema.LIVE_ROUTES[name] for name in LIVE_COLUMNS}
        return schema.frame(names, dict(zip(LIVE_COLUMNS, map(list, columns), strict=True)))


# -- as a diff ------------------------------------------------------------------------------------
#: Lines shown around a change.
CONTEXT = 3


def diff(steps: Iterable[Step], live: Mapping[str, frozenset[Route]]) -> str:
    """Return what changes, connection by connection.

    Parameters
    ----------
    steps : iterable of Step
    live : mapping of str to frozenset of Route
        What each connection holds before.

    Returns
    -------
    str
        Lines of a unified diff, `CONTEXT` unchanged ones around each change; empty where nothing
        changes.

    Examples
    --------
    >>> step = Step(0, "create", "r", "vco-a", "10.0.0.0/8", "vco-a", 100)
    >>> print(diff([step], {}))
    --- vco-a (live)
    +++ vco-a (planned)
    @@ -0,0 +1,1 @@
    +10.0.0.0/8  100  vco-a
    """
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        if step.sends:
            lanes.setdefault(step.lane, []).append(step)
    return "\n".join(
        line
        for lane, changes in lanes.items()
        for line in _of_lane(lane, changes, live.get(lane, frozenset()))
    )


def _of_lane(lane: str, changes: list[Step], old: frozenset[Route]) -> Iterator[str]:
    new = set(old) - {step.before for step in changes}
    new |= {step.after for step in changes if step.after is not None}
    # What goes stands before what comes in its place, as in any diff.
    routes = sorted(old | new, key=lambda one: (*_place(one), one not in old, one.weight))
    tags = [" " if one in old and one in new else "-" if one in old else "+" for one in routes]
    if set(tags) <= {" "}:
        return
    cells = [(one.route_dest, str(one.weight), visible(one.next_hop)) for one in routes]
    dest, weight = (max(len(row[column]) for row in cells) for column in (0, 1))
    lines = [f"{visible(a):<{dest}}  {b:>{weight}}  {c}" for a, b, c in cells]
    yield f"--- {visible(lane)} (live)"
    yield f"+++ {visible(lane)} (planned)"
    for first, last in _hunks(tags):
        yield _head(tags, first, last)
        yield from (
            tag + line for tag, line in zip(tags[first:last], lines[first:last], strict=True)
        )


def _place(route: Route) -> tuple[bool, object, str]:
    """Return what sorts routes: the network, then the next hop; what is no network comes last."""
    try:
        numbers = [int(part) for part in route.route_dest.replace("/", ".").split(".")]
        return False, numbers, route.next_hop
    except ValueError:
        return True, route.route_dest, route.next_hop


def _hunks(tags: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the runs of lines to be shown."""
    first, last = 0, -1
    for place, tag in enumerate(tags):
        if tag == " ":
            continue
        if last < 0:
            first = max(0, place - CONTEXT)
        elif place - CONTEXT > last:
            yield first, last
            first = place - CONTEXT
        last = min(len(tags), place + CONTEXT + 1)
    if last >= 0:
        yield first, last


def _head(tags: list[str], first: int, last: int) -> str:
    """Return the line that says where a hunk stands, before and after."""
    return f"@@ -{_range(tags, first, last, '+')} +{_range(tags, first, last, '-')} @@"


def _range(tags: list[str], first: int, last: int, without: str) -> str:
    above = first - tags[:first].count(without)
    size = last - first - tags[first:last].count(without)
    # Where a side has no line, the format names the line above it.
    return f"{above + 1 if size else above},{size}"


# -- as a notebook shows it -----------------------------------------------------------------------
#: Steps of each action that are shown.
_EACH: Final = 5
#: What is shown of a step, if it says something; ``row`` only where there are no lines.
_SHOWN: Final = (
    "source",
    "line",
    "row",
    "action",
    "scope",
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "old_weight",
    "weight",
    "message",
)
#: A column that says nothing where it equals another.
_TWINS: Final = {"scope": "region_id", "next_hop": "vpn_connection_id"}
_LEFT: Final = ' style="text-align:left"'


def html_table(steps: pd.DataFrame) -> str:
    """Return some steps of each action as an HTML table, and how many there are.

    Parameters
    ----------
    steps : DataFrame
        Of `PLAN_SHOWN`.

    Examples
    --------
    >>> steps = schema.frame(schema.STEPS, {"action": ["create"], "scope": ["r"],
    ...     "region_id": ["r"], "route_dest": ["10.0.0.0/8"], "weight": [100]})
    >>> [name for name in ("scope", "region_id", "message") if f">{name}<" in html_table(steps)]
    ['region_id']
    """
    actions = steps["action"].astype(schema.ACTIONS)
    order = actions.cat.codes.sort_values(kind="stable").index
    shown = steps.loc[order].groupby(actions, observed=True, sort=False).head(_EACH)
    names = telling(shown)
    head = "".join(f"<th{_LEFT}>{name}</th>" for name in names)
    rows = zip(*(shown[name] for name in names), strict=True)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    left_out = len(steps) - len(shown)
    more = f"<p>… and {left_out:,} more: the first {_EACH} of each action are shown</p>"
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{more if left_out else ''}"
    )


def telling(steps: pd.DataFrame) -> list[str]:
    """Return the columns that say something of these steps.

    Examples
    --------
    >>> telling(schema.frame(schema.STEPS, {"action": ["keep"], "row": [0], "source": ["a.csv"]}))
    ['row', 'action']
    """
    names = [name for name in _SHOWN if steps[name].notna().any()]
    silent = {name for name, twin in _TWINS.items() if _equal(steps[name], steps[twin])}
    silent |= {"source"} if steps["source"].nunique() < 2 else set()
    silent |= {"row"} if "line" in names else set()
    return [name for name in names if name not in silent]


def _equal(one: pd.Series, other: pd.Series) -> bool:
    """Tell whether two columns hold the same text; missing is the same as empty."""
    left, right = (column.astype("str").fillna("") for column in (one, other))
    return bool((left == right).all())


def _cell(value: object) -> str:
    return f"<td{_LEFT}>{html.escape(visible(value))}</td>"
