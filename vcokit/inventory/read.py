"""`read_routes`: from any source to a routes frame, and the report of what was noticed.

The stages, each in its own module: sources to files of a format, a file to tables of raw columns
(`csv` by way of text, head and body), raw columns to values. What is left for this one: fill what
the caller gave (region, weight words), what the format implies (next hop), and say so in
``routes.attrs["read"]``.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from vcokit.errors import InputError, InventoryError
from vcokit.inventory import cells
from vcokit.inventory.bound import Bound
from vcokit.inventory.cells import Column, Tally
from vcokit.inventory.excel import read_excel
from vcokit.inventory.files import (
    File,
    check_format,
    open_source,
    room_for,
    size_of,
    sources_of,
)
from vcokit.inventory.heads import (
    Head,
    check_asked,
    check_delimiter,
    extra_names,
    find_head,
    wanted_heads,
)
from vcokit.inventory.jsonl import read_jsonl
from vcokit.inventory.notes import Note, merged, worded
from vcokit.inventory.parquet import read_parquet
from vcokit.inventory.progress import Hook, Meter
from vcokit.inventory.records import Body, Progress, most_rows, parse
from vcokit.inventory.shape import earlier, filled, shaped
from vcokit.inventory.table import Options, Table
from vcokit.inventory.text import Source, Text, check_encoding, decode
from vcokit.schema import ROUTES, frame


def read_routes(
    source: Source | Sequence[Source],
    *more: Source,
    columns: Mapping[str, str] | None = None,
    region: str | None = None,
    weights: Mapping[str, int] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    format: str | None = None,  # noqa: A002
    sheet: str | None = None,
    progress: Hook | None = None,
) -> pd.DataFrame:
    r"""Read an inventory of routes from files of almost any kind.

    Format, encoding, delimiter and head line are found, and columns are matched by the names
    that the API, its console and common spreadsheets give them. Dirty cells are kept for
    `audit_routes` to judge; only a file that is no table of routes at all raises. What was
    found, and what was changed, stands in ``routes.attrs["read"]``.

    Parameters
    ----------
    source : str, path, bytes, file object, or a list of these
        A path, a pattern (``"sites/*.csv"``), ``"-"`` for standard input, an open file, binary or
        text, or the text itself: a str that contains a newline. CSV, JSON lines, Parquet and
        workbooks (``.xlsx .xlsm .xlsb .ods``, with the extra ``excel``) are known by their name,
        or else by their content; ``.gz`` and ``.zst`` are unpacked. See `vcokit.inventory.excel`,
        `vcokit.inventory.jsonl` and `vcokit.inventory.shape` for what becomes of them.
    *more : str, path, bytes or file object
        Further sources: their rows come below, ``source`` tells them apart.
    columns : mapping of str to str, optional
        Heads by field, where they are not found by themselves: ``{"route_dest": "Ziel"}``. The
        other way round, ``{"Ziel": "route_dest"}``, is understood too. Of several tables one must
        have it; the others are read by the heads that are known.
    region : str, optional
        Region of the rows that name none.
    weights : mapping of str to int, optional
        Words that stand for weights, such as ``{"主": 100, "备": 0}``; case does not matter. A
        weight is never guessed.
    encoding : str, optional
        By default a byte order mark is obeyed, UTF-16 is known by its NULs, and the rest is
        UTF-8, cp1252 or GB18030 by what it shows; see `vcokit.inventory.narrow`.
    delimiter : str, optional
        By default comma, semicolon, tab or bar, whichever parts the head.
    format : {"csv", "excel", "jsonl", "parquet"}, optional
        Format of every source, whatever its name.
    sheet : str, optional
        Sheet of a workbook; by default every sheet that is shown and has heads.
    progress : callable, optional
        Called with bytes done and bytes in all, now and then; see
        `vcokit.inventory.progress.Meter`.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.ROUTES`: a row a record, ``line`` the line or sheet row it starts on (NA
        in Parquet), and behind these the file's other columns, as str under their own heads.
        Without a next hop column the next hop is the connection. ``attrs["read"]`` is a dict of
        plain values: source, format, encoding, delimiter, head_line, skipped, columns, unknown,
        notes; of several tables, source, notes, and such a dict for each under tables. Copies of
        the frame share it: read it, do not change it.

    Raises
    ------
    InventoryError
        If a file cannot be read as routes; it names file, line and remedy.
    InputError
        If an argument cannot be used, or an extra is not installed.

    Examples
    --------
    >>> routes = read_routes('''Routes of May
    ... Region;IPsec连接ID;目标网段;权重;Site
    ... cn-hangzhou;vco-a;10.1.0.0/16;100;Berlin
    ... cn-hangzhou;VCO-B ;10.1.0.0/16;standby;Bonn
    ... ''', weights={"standby": 0})
    >>> routes[["vpn_connection_id", "route_dest", "next_hop", "weight", "line", "Site"]]
      vpn_connection_id   route_dest next_hop  weight  line    Site
    0             vco-a  10.1.0.0/16    vco-a     100     3  Berlin
    1             vco-b  10.1.0.0/16    vco-b       0     4    Bonn
    >>> routes.attrs["read"]["head_line"], routes.attrs["read"]["delimiter"]
    (2, ';')
    """
    words = _words(weights)
    options = Options(wanted_heads(columns), _region(region), encoding, delimiter, sheet)
    check_delimiter(delimiter)
    check_encoding(encoding)
    check_format(format)
    sources = sources_of([source, *more])
    meter = Meter(progress, [size_of(each) for each in sources])
    report = meter if progress else None
    seen: Counter[str] = Counter()
    frames: list[pd.DataFrame] = []
    notes: list[Note] = []
    heads: list[tuple[str, Head]] = []
    for each in sources:
        with room_for(each):
            file = open_source(each, format, seen)
            meter.begin(len(file.content))
            for table in _tables(file, options, report):
                frames.append(_routes(table, options.region, words))
                heads.append((table.source, table.head))
                own = frames[-1].attrs["read"]["notes"]
                notes += [*table.beside, *((table.source, note) for note in own)]
        meter.end()
    check_asked(heads, options.wanted)
    if len(frames) > 1:
        return _stacked(frames, notes)
    frames[0].attrs["read"]["notes"] = [note for _, note in notes]
    return frames[0]


def _tables(file: File, options: Options, progress: Progress | None) -> list[Table]:
    """Return the tables of a file, by the reader of its format."""
    if isinstance(file.content, bytes) and file.format == "excel":
        return read_excel(file.name, file.content, file.bound, options, progress)
    if isinstance(file.content, bytes) and file.format == "parquet":
        return [read_parquet(file.name, file.content, file.bound, options, progress)]
    if file.format in ("excel", "parquet"):
        raise InventoryError(
            f"text, where a file of format {file.format!r} belongs",
            source=file.name,
            remedy='Open the file with mode "rb", or give its path',
        )
    text = decode(file.name, file.content, options.encoding, file.notes)
    if file.format == "jsonl":
        return [read_jsonl(text, file.bound, options, progress)]
    return [_csv(text, file.bound, options, progress)]


def _csv(text: Text, bound: Bound, options: Options, progress: Progress | None) -> Table:
    region = options.region is not None
    head = find_head(text, options.wanted, options.delimiter, region=region)
    body = Body(text.source, text.data, head.body, head.body_line, len(head.cells), head.delimiter)
    bound.take(len(text.data), most_rows(body) * body.width, line=head.line)
    records = parse(body, progress)
    return Table(text.source, "csv", head, records, bound, text.encoding, text.notes)


def _routes(table: Table, region: str | None, words: Mapping[str, int]) -> pd.DataFrame:
    """Return a table as a routes frame."""
    tally = Tally()
    head = table.head
    raw = table.records.columns
    clean = [cells.clean(column, tally, protected=table.protected) for column in raw]
    clean, lines = filled(clean, table.records.lines, tally)
    clean, lines = shaped(head, clean, lines, tally, table.bound)
    ours = earlier(head, clean)
    if ours:
        place = head.fields["weight"]
        clean[place] = pc.coalesce(clean[place], clean[ours["weight_text"]])
        saved = f"columns {', '.join(ours)} taken for those of an earlier reading"
        table = replace(table, notes=(*table.notes, saved))
    fields = _fields(head, clean, words, (table.region, region), tally)
    extras = {
        name: clean[place]
        for place, name in extra_names(head).items()
        if place not in ours.values()
        and (head.cells[place] or clean[place].null_count < len(clean[place]))
    }
    routes = _frame(table.source, fields, extras, lines)
    routes.attrs["read"] = _report(table, list(extras), tally)
    return routes


def _stacked(frames: Sequence[pd.DataFrame], notes: Sequence[Note]) -> pd.DataFrame:
    """Return frames one below the other, each still known by its source."""
    reports = [routes.attrs["read"] for routes in frames]
    categories = list(dict.fromkeys(report["source"] for report in reports))
    for routes in frames:
        routes.attrs = {}
        routes["source"] = routes["source"].cat.set_categories(categories)
    stacked = pd.concat(frames, ignore_index=True)
    found = {"source": ", ".join(categories), "notes": merged(notes), "tables": reports}
    stacked.attrs["read"] = ReadReport(found)
    return stacked


def _words(weights: Mapping[str, int] | None) -> dict[str, int]:
    """Return the words for weights as cells are compared with them."""
    remedy = 'Write weights={"active": 100, "standby": 0}'
    if weights is not None and not isinstance(weights, Mapping):
        raise InputError("weights must map words to whole numbers", remedy=remedy)
    words: dict[str, int] = {}
    for word, weight in (weights or {}).items():
        key = cells.clean_cell(word).casefold() if isinstance(word, str) else ""
        try:
            number = operator.index(weight)
        except TypeError:
            number = None
        if not key or number is None or isinstance(weight, bool | np.bool_):
            raise InputError(f"weights: {word!r} cannot stand for {weight!r}", remedy=remedy)
        if words.setdefault(key, number) != number:
            raise InputError(f"weights: {word!r} stands for two weights", remedy=remedy)
    return words


def _region(region: str | None) -> str | None:
    if region is None:
        return None
    clean = cells.clean_cell(region) if isinstance(region, str) else ""
    clean = clean.lower() if clean.isascii() else clean
    if not clean:
        raise InputError(f"region {region!r} names none", remedy='Write region="cn-hangzhou"')
    return clean


def _fields(
    head: Head,
    clean: list[Column],
    words: Mapping[str, int],
    regions: Sequence[str | None],
    tally: Tally,
) -> dict[str, Column]:
    """Return the columns that are fields, filled as the caller and the format have it."""
    fields = {name: clean[place] for name, place in head.fields.items()}
    for name in cells.LOWERED:
        if name in fields:
            fields[name] = cells.lower(fields[name], tally)
    nothing = cells.missing(len(clean[0]))
    for region in regions:
        if region is not None:
            column: Column = fields.get("region_id", nothing)
            tally.add(f"region {region}", column.null_count)
            fields["region_id"] = pc.fill_null(column, region)
    if words:
        fields["weight"] = cells.translate(fields["weight"], words, tally)
    fields.setdefault("next_hop", fields["vpn_connection_id"])
    fields.setdefault("description", nothing)
    return fields


def _frame(
    source: str, fields: Mapping[str, Column], extras: Mapping[str, Column], lines: Any
) -> pd.DataFrame:
    """Return the frame: the schema's columns, then the others."""
    weight, weight_text = cells.weights(fields["weight"])
    rows = len(weight)
    columns: dict[str, object] = {
        name: cells.series(column) for name, column in fields.items() if name != "weight"
    }
    columns |= {
        "weight": weight,
        "weight_text": weight_text,
        "source": pd.Categorical.from_codes(np.zeros(rows, dtype=np.int8), pd.Index([source])),
    }
    if lines is not None:
        columns["line"] = pd.arrays.IntegerArray(lines, np.zeros(rows, dtype=bool))
    routes = frame(ROUTES, columns, copy=False)
    others = pd.DataFrame({name: cells.series(c) for name, c in extras.items()}, copy=False)
    return pd.concat([routes, others], axis="columns") if extras else routes


class ReadReport(dict[str, Any]):
    """What reading noticed: a dict of plain values, the same object in every copy of a frame.

    pandas copies ``attrs`` deeply in every operation; of many files that takes longer than the
    operation itself.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> ReadReport:
        return self


def _report(table: Table, unknown: list[str], tally: Tally) -> ReadReport:
    """Return what reading noticed, in plain values: pandas copies and serialises ``attrs``."""
    head = table.head
    tally.add("blank", table.records.blank)
    tally.add("short", table.records.short)
    fields = [(place, name) for name, place in head.fields.items()]
    notes = list(table.notes)
    if "next_hop" not in head.fields:
        notes.append("next_hop taken from the connection")
    notes += worded(tally)
    found = {
        "source": table.source,
        "format": table.format,
        "encoding": table.encoding,
        "delimiter": head.delimiter or None,
        "head_line": head.line,
        "skipped": [{"line": line, "text": title} for line, title in head.titles],
        "columns": {head.cells[place]: name for place, name in sorted(fields)},
        "unknown": unknown,
        "notes": notes,
    }
    return ReadReport(found)
