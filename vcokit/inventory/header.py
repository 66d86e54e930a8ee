"""The header: where the table begins, what separates its cells, and which column is which field.

The first `HEADER_LINES` lines are searched with each of `DELIMITERS`. The header is the first line
with a column for the destination and one for the connection, as named by `ALIASES` or by the
caller. Lines above it are titles. Each line is tried as the beginning of a new record, so that a
stray quote in a title cannot hide the header. A cell of the header may contain a line end inside
quotes.

Names of columns are compared by `header_key`: first all their letters and digits (``Weight``);
then, for fields not yet found, the text outside brackets (``Weight (0/100)``). Finally, a column of
connection names is used if there is none of ids (``Connection name``).
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import numpy as np
import numpy.typing as npt

from vcokit.errors import InputError, InventoryError, Remedy
from vcokit.inventory.clean import Column, clean_cell
from vcokit.inventory.encoding import Text
from vcokit.inventory.sources import Budget
from vcokit.schema import BLANKS, ROUTES

#: Known names of the columns of routes, in the form of `header_key`: the names of the API, its
#: console and its orchestration templates, and common names in spreadsheets.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "region_id": ("regionid", "region", "地域", "地域id", "区域", "区域id", "地区"),
    "vpn_connection_id": (
        "vpnconnectionid",
        "vpnconnection",
        "connectionid",
        "connection",
        "vco",
        "vcoid",
        "ipsecconnectionid",
        "ipsecconnection",
        "ipsecid",
        "ipsecvpnconnection",
        "ipsecvpnconnectionid",
        "ipsec连接id",
        "ipsec连接",
        "ipsec连接实例id",
        "vpn连接id",
        "vpn连接",
        "连接",
        "连接id",
    ),
    "route_dest": (
        "routedest",
        "routedestination",
        "destination",
        "destinationcidr",
        "destinationcidrblock",
        "destinationnetwork",
        "dest",
        "destcidr",
        "dst",
        "dstcidr",
        "cidr",
        "cidrblock",
        "prefix",
        "route",
        "network",
        "目标网段",
        "目的网段",
        "目标地址",
        "目的地址",
        "目标cidr",
        "目的cidr",
        "路由目标网段",
    ),
    "next_hop": ("nexthop", "nexthopid", "nh", "下一跳", "下一跳id", "下一跳实例", "下一跳实例id"),
    "weight": ("weight", "routeweight", "权重", "路由权重"),
    "description": (
        "description",
        "desc",
        "comment",
        "comments",
        "remark",
        "remarks",
        "note",
        "notes",
        "描述",
        "备注",
        "说明",
    ),
}

#: Known names of a column of connection names. It is used if no column has the connections' ids;
#: `vcokit.with_connection_ids` then replaces the names by ids.
NAME_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "vpn_connection_id": (
        "connectionname",
        "vpnconnectionname",
        "ipsecname",
        "ipsecconnectionname",
        "ipsecvpnconnectionname",
        "连接名",
        "连接名称",
        "vpn连接名称",
        "ipsec连接名",
        "ipsec连接名称",
    ),
}

#: Known names of a column with the mask or the length of the network in another column.
MASK_HEADERS: Final = (
    "mask",
    "netmask",
    "subnetmask",
    "networkmask",
    "prefixlength",
    "prefixlen",
    "masklength",
    "masklen",
    "length",
    "len",
    "bits",
    "掩码",
    "子网掩码",
    "网络掩码",
    "掩码长度",
    "前缀长度",
)


FIELDS: Final = tuple(ALIASES)
DELIMITERS: Final = (",", ";", "\t", "|")

#: The header must begin in this many lines, and end in this many bytes.
HEADER_LINES: Final = 50
_HEADER_BYTES: Final = 1 << 20
#: Most columns of a table: the limit of a sheet in Excel and LibreOffice.
COLUMNS: Final = 16_384

_SHOWN: Final = 200  # most characters of foreign text in a message or a report
_KEY_FIELDS: Final = frozenset({"route_dest", "vpn_connection_id"})
_NEEDED: Final = ("region_id", "vpn_connection_id", "route_dest", "weight")
_BRACKETS: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】")
_FIELD_OF: Final = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
_FIELD_OF_NAME: Final = {a: field for field, aliases in NAME_ALIASES.items() for a in aliases}
FIRST_ROW: Final = (
    "The first row must name the columns: RegionId,VpnConnectionId,RouteDest,NextHop,Weight,"
    "Description"
)


@dataclass(frozen=True)
class Options:
    """The caller's options for files: names of columns, a region, encoding, delimiter, sheet."""

    requested: Mapping[str, str]
    region: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class Header:
    """The header of a table, or a line that was tried as one.

    ``found`` has the positions of each field among ``cells``. ``line`` is None if the table has no
    lines; ``lines`` is the number of lines of the header, 0 if a quote is never closed. In a text,
    ``delimiter`` separates the cells, and ``body`` is the position of the first byte below the
    header. In a sheet, ``names`` are the names of the cells, such as ``B3``. ``titles`` are the
    lines above as (line, text), without blank ones.
    """

    line: int | None
    cells: tuple[str, ...]
    found: Mapping[str, Sequence[int]]
    lines: int = 1
    delimiter: str = ""
    body: int = 0
    names: Sequence[str] = ()
    titles: tuple[tuple[int, str], ...] = ()

    @property
    def fields(self) -> dict[str, int]:
        """The first position of each field."""
        return {name: places[0] for name, places in self.found.items()}

    @property
    def complete(self) -> bool:
        """Whether this is a header."""
        return self.found.keys() >= _KEY_FIELDS

    @property
    def looks_like_routes(self) -> bool:
        """Whether several of the columns are there that a table of routes must have.

        One of them is not enough: a legend has the columns ``Weight | Meaning``. Region and
        connection are not enough either: a list of sites has them.
        """
        found = self.found.keys() & set(_NEEDED)
        return len(found) > 1 and bool(found & {"route_dest", "weight"})

    @property
    def below(self) -> int:
        """The first line below."""
        return (self.line or 0) + self.lines

    def shown(self, place: int) -> str:
        """Return a column's name for a message, with the name of its cell in a sheet."""
        name = f"{self.names[place]} " if self.names else ""
        return name + repr(shortened(self.cells[place]))

    def extras(self) -> dict[int, str]:
        """Return a name for each column that is not a field, by position.

        This is the column's own name, made unique; ``(file)`` is appended to a name of `ROUTES`.
        """
        names: dict[int, str] = {}
        taken: set[str] = set()
        tried: dict[str, int] = {}
        for place in sorted(set(range(len(self.cells))) - set(self.fields.values())):
            cell = self.cells[place] or f"column {place + 1}"
            name = f"{cell} (file)" if cell in ROUTES else cell
            names[place] = name
            while names[place] in taken:
                tried[name] = tried.get(name, 1) + 1
                names[place] = f"{name} ({tried[name]})"
            taken.add(names[place])
        return names

    def netmask(self) -> int | None:
        """Return the position of the column of masks, or None if there is none or several."""
        fields = set(self.fields.values())
        places = [
            place
            for place, cell in enumerate(self.cells)
            if place not in fields and header_key(cell) in MASK_HEADERS
        ]
        return places[0] if len(places) == 1 else None


@dataclass(frozen=True)
class RawTable:
    """The result of every reader: raw columns of cells under a header.

    ``lines`` (int64) are the lines on which rows start, None if the table has no lines. ``region``
    is the region in the table's name, for rows without a region. ``protected`` is whether a cell
    may begin with a ``'`` that keeps a spreadsheet from computing it. ``short`` is the number of
    rows with fewer cells than the header, ``blank`` the number of skipped blank lines. ``notes``
    are about the table, ``sheet_notes`` about other sheets of its file, as (source, note).
    ``budget`` is the budget of its file.
    """

    source: str
    format: str
    header: Header
    columns: Sequence[Column]
    lines: npt.NDArray[np.int64] | None
    budget: Budget
    encoding: str | None = None
    notes: tuple[str, ...] = ()
    region: str | None = None
    protected: bool = True
    short: int = 0
    blank: int = 0
    sheet_notes: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0])


@functools.lru_cache(maxsize=4_096)
def header_key(name: str) -> str:
    """Return a column's name in the form for comparison: NFKC, lower case, letters and digits only.

    Examples
    --------
    >>> header_key("  Vpn_Connection-Id ")
    'vpnconnectionid'
    >>> header_key("ＩＰｓｅｃ连接 ID")
    'ipsec连接id'
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in text if letter.isalnum())


def canonical_name(name: str) -> str | None:
    """Return the field that a column's name means, or None.

    Examples
    --------
    >>> canonical_name("RouteDest"), canonical_name("目标网段"), canonical_name("Site")
    ('route_dest', 'route_dest', None)
    """
    return _FIELD_OF.get(header_key(name))


@functools.lru_cache(maxsize=4_096)
def _readings(name: str) -> tuple[str | None, str | None, str | None]:
    """Return the fields that a column's name may mean, the strictest reading first.

    See the module's docstring.
    """
    key = header_key(name)
    outside = header_key(_BRACKETS.sub(" ", unicodedata.normalize("NFKC", name)))
    of_name = _FIELD_OF_NAME.get(key) or _FIELD_OF_NAME.get(outside)
    return _FIELD_OF.get(key), _FIELD_OF.get(outside), of_name


def match_columns(cells: Sequence[str], requested: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the positions of each field; a column that the caller named has no other meaning.

    A column that the caller named and that is missing here may be in another table: see
    `check_requested_columns`.
    """
    found = {name: places for name, cell in requested.items() if (places := _places(cells, cell))}
    claimed = {place for places in found.values() for place in places}
    readings = [_readings(cell) for cell in cells]
    for reading in range(3):
        closed = frozenset(found)
        for place, meanings in enumerate(readings):
            name = meanings[reading]
            if name is not None and name not in closed and place not in claimed:
                found.setdefault(name, []).append(place)
        claimed = {place for places in found.values() for place in places}
    return found


def requested_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return the column names that the caller gave, by field.

    The argument maps fields to names; or names to fields, if no key is a field.

    Examples
    --------
    >>> requested_columns({"route_dest": "Ziel"}), requested_columns({"Ziel": "route_dest"})
    ({'route_dest': 'Ziel'}, {'route_dest': 'Ziel'})
    """
    if columns is None:
        return {}
    remedy = Remedy(
        f"Write {{columns}}; fields are {', '.join(FIELDS)}",
        columns={"route_dest": "name in the file"},
    )
    pairs = list(columns.items()) if isinstance(columns, Mapping) else [(None, None)]
    if not all(isinstance(name, str) for pair in pairs for name in pair):
        raise InputError("columns must map fields to names in the file, both text", remedy=remedy)
    keys, values = {key for key, _ in pairs}, [value for _, value in pairs]
    if not keys <= set(FIELDS) and set(values) <= set(FIELDS):
        pairs = [(value, key) for key, value in pairs]
    unknown = [key for key, _ in pairs if key not in FIELDS]
    if unknown:
        raise InputError(f"columns: no fields are {_listed(unknown)}", remedy=remedy)
    for what, names in (("field", [pair[0] for pair in pairs]), ("name", [p[1] for p in pairs])):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"columns: {what} {_listed(twice)} occurs twice", remedy=remedy)
    return dict(pairs)


def check_delimiter(delimiter: str | None) -> None:
    """Raise `InputError` if a given delimiter cannot separate cells."""
    if delimiter is None:
        return
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise InputError(
            f"delimiter {delimiter!r} cannot separate cells",
            remedy='Give one character, such as "," or ";", or leave it out to detect it',
        )


def find_header(text: Text, options: Options) -> Header:
    r"""Return the header of a table; raise if there is none, or if it cannot be used.

    Examples
    --------
    >>> text = Text("a.csv", b"Routes of May\n\nRegion;Prefix;Connection;Weight\n", None)
    >>> header = find_header(text, Options({}))
    >>> header.line, header.delimiter, header.fields["route_dest"]
    (3, ';', 1)
    """
    lines = _first_lines(text.data)
    delimiters = (options.delimiter,) if options.delimiter else DELIMITERS
    candidates = _candidates(lines, delimiters, options.requested)
    if not candidates:
        _refuse_blank(text)
    header = best_header(candidates)
    check_header(text.source, header, options)
    before = lines[: header.below - 1]
    above = list(enumerate(before[: -header.lines], 1))
    return replace(
        header,
        body=sum(len(line.encode()) for line in before),
        titles=titles_of((number, line.strip(BLANKS)) for number, line in above),
    )


def header_of_names(source: str, names: Sequence[str], options: Options) -> Header:
    """Return the header of a table whose format has column names instead of a header line."""
    check_names(source, names)
    header = Header(None, tuple(names), match_columns(names, options.requested))
    check_header(source, header, options)
    return header


def titles_of(lines: Iterable[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Return the lines above a header as titles: shortened, without blank ones."""
    return tuple((number, shortened(line)) for number, line in lines if line)


def best_header(candidates: Sequence[Header]) -> Header:
    """Return the header, or the line most like one if there is none."""
    complete = [candidate for candidate in candidates if candidate.complete]
    if complete:
        return min(complete, key=lambda one: (one.line or 0, -len(one.found)))
    return max(candidates, key=lambda one: (len(one.found), -(one.line or 0), len(one.cells)))


def check_header(
    source: str,
    best: Header,
    options: Options,
    *,
    region: str | None = None,
    instead: str = "",
) -> None:
    """Raise if a header cannot be used.

    ``region`` is the region of a table that names it outside its rows; ``instead`` is another
    remedy.
    """
    line = best.line
    if len(best.cells) > COLUMNS:
        raise InventoryError(
            f"{len(best.cells):,} columns, where a sheet has {COLUMNS:,}",
            source=source,
            line=line,
            remedy="Check what separates the cells, or remove columns that are not needed",
        )
    if not best.lines:
        raise InventoryError(
            "a quote is never closed, or a cell is far too long",
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
            remedy=Remedy(
                "Say which: {columns}. Of two equal names change one",
                columns={next(iter(best.found)): "name in the file"},
            ),
        )
    has_region = bool(region or options.region)
    needed = [name for name in _NEEDED if name != "region_id" or not has_region]
    wanted = dict.fromkeys([*needed, *options.requested])
    missing = [name for name in wanted if name not in best.found]
    if missing:
        _refuse_missing(source, best, options.requested, missing, instead)


def check_requested_columns(tables: Sequence[RawTable], requested: Mapping[str, str]) -> None:
    """Raise if the caller named a column that no table has."""
    for name, cell in requested.items():
        if any(
            table.header.fields.get(name) in _places(table.header.cells, cell) for table in tables
        ):
            continue
        first = tables[0]
        seen = _listed([cell for cell in first.header.cells if cell])
        also = f" (of the first of {len(tables)} tables)" if len(tables) > 1 else ""
        raise InventoryError(
            f"no column for {name} (asked for as {cell!r}); the columns here are {seen}{also}",
            source=first.source,
            line=first.header.line,
            remedy=Remedy("Name the column: {columns}", columns={name: "name in the file"}),
        )


def check_names(source: str, names: Sequence[str], line: int | None = None) -> None:
    """Raise `InventoryError` for a column's name that a text file cannot contain."""
    for name in names:
        if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
            raise InventoryError(
                f"the column name {shortened(ascii(name))} holds what is no character",
                source=source,
                line=line,
                remedy="Give the column another name",
            )


def shortened(text: str) -> str:
    """Return foreign text, truncated for use in a message."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _first_lines(data: bytes) -> list[str]:
    """Return the lines in which a header may be, with their line ends."""
    block = data[:_HEADER_BYTES]
    if len(data) > len(block):
        block = block[: max(block.rfind(b"\n"), block.rfind(b"\r")) + 1] or block
    return list(io.TextIOWrapper(io.BytesIO(block), "utf-8", errors="ignore", newline=""))


def _candidates(
    lines: Sequence[str], delimiters: Iterable[str], requested: Mapping[str, str]
) -> list[Header]:
    """Return the lines that are not blank, read as headers, up to the first complete header."""
    found: list[Header] = []
    for number, line in enumerate(lines[:HEADER_LINES]):
        if not line.strip(BLANKS):
            continue
        for delimiter in delimiters:
            cells, taken = _record(lines, number, delimiter)
            fields = match_columns(cells, requested)
            found.append(Header(number + 1, tuple(cells), fields, taken, delimiter))
        if any(candidate.complete for candidate in found):
            break
    return found


def _record(lines: Sequence[str], start: int, delimiter: str) -> tuple[list[str], int]:
    """Return the record that begins on a line and its number of lines, 0 if it does not end.

    An empty line is added after the last one: it is part of the record only if a quote is open.
    """
    feed = itertools.chain(itertools.islice(lines, start, None), [""])
    reader = csv.reader(feed, delimiter=delimiter)
    try:
        cells = next(reader)
    except csv.Error:  # a cell is longer than the limit: an unclosed quote, or not a table
        return [shortened(lines[start])], 0
    ended = reader.line_num <= len(lines) - start
    return [clean_cell(cell) for cell in cells], reader.line_num if ended else 0


def _places(cells: Sequence[str], name: str) -> list[int]:
    """Return the positions of a name: exact matches, else matches by `header_key`."""
    name = clean_cell(name)
    exact = [place for place, cell in enumerate(cells) if cell == name]
    key = header_key(name)
    return exact or [place for place, cell in enumerate(cells) if key and header_key(cell) == key]


def _refuse_missing(
    source: str,
    best: Header,
    requested: Mapping[str, str],
    missing: Sequence[str],
    instead: str,
) -> NoReturn:
    asked = [
        f"{name} (asked for as {requested[name]!r})" if name in requested else name
        for name in missing
    ]
    seen = _listed([cell for cell in best.cells if cell])
    remedy = Remedy("Name the columns: {columns}", columns={missing[0]: "name in the file"})
    if "region_id" in missing:
        remedy += Remedy("; give one region for all rows: {region}", region="cn-hangzhou")
    if "weight" in missing:
        remedy += "; a weight is never guessed, add a column of 100 (active) and 0 (standby)"
    if not best.found and best.line is not None:
        remedy = Remedy(f"{FIRST_ROW}. ") + remedy
    if instead:
        remedy += Remedy("; ") + instead
    raise InventoryError(
        f"no column for {', '.join(asked)}; the columns here are {seen}",
        source=source,
        line=best.line,
        remedy=remedy,
    )


def _refuse_blank(text: Text) -> NoReturn:
    blank = not text.data.decode("utf-8").strip(BLANKS)
    empty = "the file is empty" if not text.data else "the file holds nothing but blank lines"
    raise InventoryError(
        empty if blank else f"the first {HEADER_LINES} lines are blank",
        source=text.source,
        remedy=FIRST_ROW,
    )


def _listed(names: Iterable[str]) -> str:
    return shortened(", ".join(repr(shortened(name)) for name in names))
