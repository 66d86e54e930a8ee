"""`read_routes`: from any source to a routes frame, and the report of what was noticed.

The stages, each in its own module: bytes to text, text to head and body, body to raw columns,
raw columns to values. What is left for this one: fill what the caller gave (region, weight
words), what the format implies (next hop), and say so in ``routes.attrs["read"]``.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from vcokit.errors import InputError
from vcokit.inventory import cells
from vcokit.inventory.cells import Column, Tally
from vcokit.inventory.heads import Head, check_delimiter, extra_names, find_head, wanted_heads
from vcokit.inventory.records import Body, Records, parse
from vcokit.inventory.text import Source, Text, load
from vcokit.schema import ROUTES, frame

#: How a tally is worded in the report.
_NOTES: Final = {
    "trimmed": "blanks trimmed in {} cell{}",
    "unprotected": "protective ' taken away in {} cell{}",
    "lowered": "put in lower case: {} cell{}",
    "translated": "weight words replaced in {} cell{}",
    "region": "region_id filled in {} row{}",
    "blank": "{} blank line{} skipped",
    "short": "fewer cells than the head in {} row{}",
}


def read_routes(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    region: str | None = None,
    weights: Mapping[str, int] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> pd.DataFrame:
    r"""Read an inventory of routes from a CSV file of almost any kind.

    Encoding, delimiter and head line are found, and columns are matched by the names that the
    API, its console and common spreadsheets give them. Dirty cells are kept for `audit_routes`
    to judge; only a file that is no table of routes at all raises. What was found, and what was
    changed, stands in ``routes.attrs["read"]``.

    Parameters
    ----------
    source : str, path or file object
        A path (``.csv`` or ``.csv.gz``), an open file, binary or text, or the text itself: a str
        that contains a newline.
    columns : mapping of str to str, optional
        Heads by field, where they are not found by themselves: ``{"route_dest": "Ziel"}``. The
        other way round, ``{"Ziel": "route_dest"}``, is understood too.
    region : str, optional
        Region of the rows that name none.
    weights : mapping of str to int, optional
        Words that stand for weights, such as ``{"主": 100, "备": 0}``; case does not matter. A
        weight is never guessed.
    encoding : str, optional
        By default a byte order mark is obeyed, UTF-16 is known by its NULs, then UTF-8 and
        GB18030 are tried, strictly.
    delimiter : str, optional
        By default comma, semicolon, tab or bar, whichever parts the head.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.ROUTES`: a row a record, ``line`` the line it starts on, and behind
        these the file's other columns, as str under their own heads. Without a next hop column
        the next hop is the connection. ``attrs["read"]`` is a dict of plain values: source,
        encoding, delimiter, head_line, skipped, columns, unknown, notes.

    Raises
    ------
    InventoryError
        If the file cannot be read as routes; it names file, line and remedy.
    InputError
        If an argument cannot be used.

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
    wanted, words, region = wanted_heads(columns), _words(weights), _region(region)
    check_delimiter(delimiter)
    text = load(source, encoding)
    head = find_head(text, wanted, delimiter, region=region is not None)
    body = Body(text.source, text.data, head.body, head.body_line, len(head.cells), head.delimiter)
    records = parse(body)
    tally = Tally()
    clean = [cells.clean(column, tally) for column in records.columns]
    fields = _fields(head, clean, words, region, tally)
    extras = {
        name: clean[place]
        for place, name in extra_names(head).items()
        if head.cells[place] or clean[place].null_count < len(records.lines)
    }
    routes = _frame(text.source, fields, extras, records.lines)
    routes.attrs["read"] = _report(text, head, records, list(extras), tally)
    return routes


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
    clean = cells.clean_cell(region).lower() if isinstance(region, str) else ""
    if not clean:
        raise InputError(f"region {region!r} names none", remedy='Write region="cn-hangzhou"')
    return clean


def _fields(
    head: Head,
    clean: list[Column],
    words: Mapping[str, int],
    region: str | None,
    tally: Tally,
) -> dict[str, Column]:
    """Return the columns that are fields, filled as the caller and the format have it."""
    fields = {name: clean[place] for name, place in head.fields.items()}
    for name in cells.LOWERED:
        if name in fields:
            fields[name] = cells.lower(fields[name], tally)
    nothing = cells.missing(len(clean[0]))
    if region is not None:
        column: Column = fields.get("region_id", nothing)
        tally.add("region", column.null_count)
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
    columns: dict[str, object] = {
        name: cells.series(column) for name, column in fields.items() if name != "weight"
    }
    columns |= {
        "weight": weight,
        "weight_text": weight_text,
        "source": pd.Categorical.from_codes(
            np.zeros(len(lines), dtype=np.int8), pd.Index([source])
        ),
        "line": pd.arrays.IntegerArray(lines, np.zeros(len(lines), dtype=bool)),
    }
    routes = frame(ROUTES, columns, copy=False)
    others = pd.DataFrame({name: cells.series(c) for name, c in extras.items()}, copy=False)
    return pd.concat([routes, others], axis="columns") if extras else routes


def _report(
    text: Text, head: Head, records: Records, unknown: list[str], tally: Tally
) -> dict[str, Any]:
    """Return what reading noticed, in plain values: pandas copies and serialises ``attrs``."""
    tally.add("blank", records.blank)
    tally.add("short", records.short)
    fields = [(place, name) for name, place in head.fields.items()]
    notes = list(text.notes)
    if "next_hop" not in head.fields:
        notes.append("next_hop taken from the connection")
    notes += [
        _NOTES[what].format(count, "s" * (count != 1)) for what, count in tally.counts.items()
    ]
    return {
        "source": text.source,
        "encoding": text.encoding,
        "delimiter": head.delimiter,
        "head_line": head.line,
        "skipped": [{"line": line, "text": title} for line, title in head.titles],
        "columns": {head.cells[place]: name for place, name in sorted(fields)},
        "unknown": unknown,
        "notes": notes,
    }
