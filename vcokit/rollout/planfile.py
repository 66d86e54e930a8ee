"""A plan as text: one line a step, to be read in a pull request, and read back without a loss.

::

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
"""

from __future__ import annotations

import hashlib
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
from vcokit.rollout import rehearsal
from vcokit.rollout.steps import BLOCKED, BORN, LIVE_COLUMNS, PENDING, PLAN_COLUMNS

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
