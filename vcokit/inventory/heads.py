"""Where the table begins, what parts its cells, and which column is which field.

The head is the first of the first `HEAD_LINES` lines in which, with one of `DELIMITERS` between
cells, a column for the destination and one for the connection are found: by `ALIASES`, or by
what the caller said. Lines above it are titles. Each line is tried afresh as the beginning of a
record, so that a stray quote in a title cannot swallow the head; a head cell may well hold a
line end inside quotes.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from vcokit.errors import InputError, InventoryError
from vcokit.inventory.bound import check_columns
from vcokit.inventory.cells import clean_cell
from vcokit.inventory.text import Text
from vcokit.schema import ALIASES, BLANKS, ROUTES, header_key
from vcokit.schema.heads import READINGS

FIELDS: Final = tuple(ALIASES)
DELIMITERS: Final = (",", ";", "\t", "|")
NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

#: Lines in which the head must begin, and bytes in which it must end.
HEAD_LINES: Final = 50
_HEAD_BYTES: Final = 1 << 20

_SHOWN: Final = 200  # characters of foreign text in a message or a report
_KEY_FIELDS: Final = frozenset({"route_dest", "vpn_connection_id"})
_NEEDED: Final = ("region_id", "vpn_connection_id", "route_dest", "weight")


@dataclass(frozen=True)
class Head:
    """The head of a table: ``fields`` maps a field to its position among ``cells``.

    ``line`` is None where a table has none. In a text ``delimiter`` parts its cells, ``body`` is
    the position of the first byte below the head, ``body_line`` its line. ``titles`` are the
    lines above, blank ones left out, as (line, text).
    """

    line: int | None
    cells: tuple[str, ...]
    fields: Mapping[str, int]
    delimiter: str = ""
    body: int = 0
    body_line: int = 0
    titles: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A line read as a head: ``lines`` is how many it takes, 0 where a quote is never closed.

    ``line`` counts from 0, −1 where a table has no lines; ``names`` are the sheet's names of the
    cells, such as ``B3``, where they have names.
    """

    line: int
    cells: list[str]
    lines: int
    delimiter: str
    found: dict[str, list[int]] = field(repr=False)
    names: Sequence[str] = ()

    @property
    def complete(self) -> bool:
        """Tell whether this is a head at all."""
        return self.found.keys() >= _KEY_FIELDS

    @property
    def number(self) -> int | None:
        """Return the line as people count."""
        return self.line + 1 if self.line >= 0 else None

    def shown(self, place: int) -> str:
        """Return a head for a message, with the name of its cell."""
        name = f"{self.names[place]} " if self.names else ""
        return name + repr(shortened(self.cells[place]))


def wanted_heads(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return, for each field that the caller named a head for, that head.

    Parameters
    ----------
    columns : mapping of str to str, optional
        Field to head; or head to field, where no key is a field.

    Raises
    ------
    InputError
        If names are not those of fields (all are named), or a field or head occurs twice.

    Examples
    --------
    >>> wanted_heads({"route_dest": "Ziel"}), wanted_heads({"Ziel": "route_dest"})
    ({'route_dest': 'Ziel'}, {'route_dest': 'Ziel'})
    """
    if columns is None:
        return {}
    remedy = f'Write columns={{"route_dest": "head in the file"}}; fields are {", ".join(FIELDS)}'
    pairs = list(columns.items()) if isinstance(columns, Mapping) else [(None, None)]
    if not all(isinstance(name, str) for pair in pairs for name in pair):
        raise InputError("columns must map names of fields to heads, both text", remedy=remedy)
    keys, values = {key for key, _ in pairs}, [value for _, value in pairs]
    if not keys <= set(FIELDS) and set(values) <= set(FIELDS):
        pairs = [(value, key) for key, value in pairs]
    unknown = [key for key, _ in pairs if key not in FIELDS]
    if unknown:
        raise InputError(f"columns: no fields are {_listed(unknown)}", remedy=remedy)
    for what, names in (("field", [pair[0] for pair in pairs]), ("head", [p[1] for p in pairs])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"columns: {what} {_listed(twice)} occurs twice", remedy=remedy)
    return dict(pairs)


def check_delimiter(delimiter: str | None) -> None:
    """Raise `InputError` if a given delimiter cannot part cells."""
    if delimiter is None:
        return
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise InputError(
            f"delimiter {delimiter!r} cannot part cells",
            remedy='Give one character, such as "," or ";", or leave it out to have it found',
        )


def find_head(
    text: Text, wanted: Mapping[str, str], delimiter: str | None = None, *, region: bool = False
) -> Head:
    r"""Return the head of a table.

    Parameters
    ----------
    text : Text
        The file.
    wanted : mapping of str to str
        Heads that the caller named, by field; see `wanted_heads`.
    delimiter : str, optional
        What parts cells; found where it is not given.
    region : bool
        Whether the caller gave a region, so that the file need not.

    Raises
    ------
    InventoryError
        If there is no head, or it lacks columns (all are named), or has two for one field.

    Examples
    --------
    >>> from vcokit.inventory.text import load
    >>> text = load("Routes of May\n\nRegion;Prefix;Connection;Weight\n")
    >>> head = find_head(text, {})
    >>> head.line, head.delimiter, head.fields["route_dest"]
    (3, ';', 1)
    """
    lines = _first_lines(text.data)
    candidates = _candidates(lines, (delimiter,) if delimiter else DELIMITERS, wanted)
    if not candidates:
        _refuse_blank(text)
    best = best_of(candidates)
    check_head(text.source, best, wanted, region)
    above = [(number, line.strip(BLANKS)) for number, line in enumerate(lines[: best.line], 1)]
    return Head(
        line=best.line + 1,
        cells=tuple(best.cells),
        fields={name: places[0] for name, places in best.found.items()},
        delimiter=best.delimiter,
        body=sum(len(line.encode()) for line in lines[: best.line + best.lines]),
        body_line=best.line + best.lines + 1,
        titles=tuple((number, shortened(line)) for number, line in above if line),
    )


def extra_names(head: Head) -> dict[int, str]:
    """Return a name for each column that is no field, by its position.

    Its own head, made unique; ``(file)`` is put behind a head that is a name of `ROUTES`.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    tried: dict[str, int] = {}
    for place in sorted(set(range(len(head.cells))) - set(head.fields.values())):
        cell = head.cells[place] or f"column {place + 1}"
        name = f"{cell} (file)" if cell in ROUTES else cell
        names[place] = name
        while names[place] in taken:
            tried[name] = tried.get(name, 1) + 1
            names[place] = f"{name} ({tried[name]})"
        taken.add(names[place])
    return names


def shortened(text: str) -> str:
    """Return foreign text cut to a length that a message bears."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _first_lines(data: bytes) -> list[str]:
    """Return the lines that a head may lie in, with their ends."""
    block = data[:_HEAD_BYTES]
    if len(data) > len(block):
        block = block[: max(block.rfind(b"\n"), block.rfind(b"\r")) + 1] or block
    return list(io.TextIOWrapper(io.BytesIO(block), "utf-8", errors="ignore", newline=""))


def _candidates(
    lines: Sequence[str], delimiters: Iterable[str], wanted: Mapping[str, str]
) -> list[Candidate]:
    """Return the lines that are not blank, read as heads, down to the first complete one."""
    found: list[Candidate] = []
    for number, line in enumerate(lines[:HEAD_LINES]):
        if not line.strip(BLANKS):
            continue
        for delimiter in delimiters:
            cells, taken = _record(lines, number, delimiter)
            found.append(Candidate(number, cells, taken, delimiter, locate(cells, wanted)))
        if any(candidate.complete for candidate in found):
            break
    return found


def _record(lines: Sequence[str], start: int, delimiter: str) -> tuple[list[str], int]:
    """Return the record that begins on a line and how many it takes, 0 where it does not end.

    An empty line is fed behind the last: only a quote left open can make it part of the record.
    """
    feed = itertools.chain(itertools.islice(lines, start, None), [""])
    reader = csv.reader(feed, delimiter=delimiter)
    try:
        cells = next(reader)
    except csv.Error:  # a cell beyond the limit: a quote that is never closed, or no table
        return [shortened(lines[start])], 0
    ended = reader.line_num <= len(lines) - start
    return [clean_cell(cell) for cell in cells], reader.line_num if ended else 0


def locate(cells: Sequence[str], wanted: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the positions of each field; a head that the caller named is no other field's.

    A head is read by all its letters first; a field that is not found so, by what stands outside of
    brackets, and at last by the name of a connection: see `READINGS`.

    A head that the caller named and that is not here may stand in another table: see `check_asked`.
    """
    found = {name: places for name, head in wanted.items() if (places := _places(cells, head))}
    claimed = {place for places in found.values() for place in places}
    for reading in READINGS:
        closed = frozenset(found)
        for place, cell in enumerate(cells):
            name = reading(cell)
            if name is not None and name not in closed and place not in claimed:
                found.setdefault(name, []).append(place)
        claimed = {place for places in found.values() for place in places}
    return found


def _places(cells: Sequence[str], head: str) -> list[int]:
    """Return where a head stands: as it is written, or else by its letters and digits."""
    head = clean_cell(head)
    exact = [place for place, cell in enumerate(cells) if cell == head]
    key = header_key(head)
    return exact or [place for place, cell in enumerate(cells) if key and header_key(cell) == key]


def best_of(candidates: Sequence[Candidate]) -> Candidate:
    """Return the head; where there is none, the line that comes nearest to one."""
    complete = [candidate for candidate in candidates if candidate.complete]
    if complete:
        return min(complete, key=lambda one: (one.line, -len(one.found)))
    return max(candidates, key=lambda one: (len(one.found), -one.line, len(one.cells)))


def needs(best: Candidate) -> bool:
    """Tell whether a line has several of the heads that a table of routes must have.

    One alone is no sign of routes: a legend is headed ``Weight | Meaning``. Nor are a region and a
    connection: a list of sites has them.
    """
    found = best.found.keys() & set(_NEEDED)
    return len(found) > 1 and bool(found & {"route_dest", "weight"})


def check_head(
    source: str, best: Candidate, wanted: Mapping[str, str], region: bool, instead: str = ""
) -> None:
    """Raise for a head that cannot be used; ``instead`` is what else can be done about it."""
    line = best.number
    check_columns(source, len(best.cells), line)
    if not best.lines:
        raise InventoryError(
            "a quote is opened and never closed, or a cell is far too long",
            source=source,
            line=line,
            remedy="Close the quote, or check that this is a CSV file",
        )
    twice = [
        f"{name} ({' and '.join(best.shown(place) for place in places)})"
        for name, places in best.found.items()
        if len(places) > 1
    ]
    if twice:
        raise InventoryError(
            f"more than one column for {', '.join(twice)}",
            source=source,
            line=line,
            remedy='Say which: columns={"field": "head"}; of two equal heads rename one',
        )
    needed = [name for name in _NEEDED if name != "region_id" or not region]
    missing = [name for name in dict.fromkeys([*needed, *wanted]) if name not in best.found]
    if missing:
        _refuse_missing(source, best, wanted, missing, instead)


def check_asked(heads: Sequence[tuple[str, Head]], wanted: Mapping[str, str]) -> None:
    """Raise for a head that the caller named and that no table has, given by source and head."""
    for name, head in wanted.items():
        if any(head_of.fields.get(name) in _places(head_of.cells, head) for _, head_of in heads):
            continue
        source, first = heads[0]
        seen = _listed([cell for cell in first.cells if cell])
        also = f" (of the first of {len(heads)} tables)" if len(heads) > 1 else ""
        raise InventoryError(
            f"no column for {name} (asked for as {head!r}); the heads here are {seen}{also}",
            source=source,
            line=first.line,
            remedy=f'Name the head: columns={{"{name}": "head in the file"}}',
        )


def _refuse_missing(
    source: str, best: Candidate, wanted: Mapping[str, str], missing: Sequence[str], instead: str
) -> NoReturn:
    asked = [
        f"{name} (asked for as {wanted[name]!r})" if name in wanted else name for name in missing
    ]
    seen = _listed([cell for cell in best.cells if cell])
    remedy = f'Name the heads: columns={{"{missing[0]}": "head in the file"}}'
    if "region_id" in missing:
        remedy += '; give one region for all rows: region="cn-hangzhou"'
    if "weight" in missing:
        remedy += "; a weight is never guessed, add a column of 100 (active) and 0 (standby)"
    if not best.found and best.line >= 0:
        remedy = (
            "The first row must name the columns: RegionId,VpnConnectionId,RouteDest,NextHop,"
            f"Weight,Description. {remedy}"
        )
    remedy += f"; {instead}" if instead else ""
    raise InventoryError(
        f"no column for {', '.join(asked)}; the heads here are {seen}",
        source=source,
        line=best.number,
        remedy=remedy,
    )


def _refuse_blank(text: Text) -> NoReturn:
    blank = not text.data.decode("utf-8").strip(BLANKS)
    empty = "the file is empty" if not text.data else "the file holds nothing but blank lines"
    raise InventoryError(
        empty if blank else f"the first {HEAD_LINES} lines are blank",
        source=text.source,
        remedy="The first row must name the columns: "
        "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description",
    )


def _listed(names: Iterable[str]) -> str:
    return shortened(", ".join(repr(shortened(name)) for name in names))
