"""`read_routes`: from any source to a routes frame, and the report of what was noticed.

`read_partitions` does the same with each of many files, as a Dask frame.

::

    find_sources ─▶ File ┬─decode, find_header, read_csv─▶┐
                         ├─decode, read_json─────────────▶├─ RawTable ─▶ Rows ─▶ routes frame
                         ├─read_parquet──────────────────▶│        of all   cleaned, typed
                         └─read_excel────────────────────▶┘        tables   once

What is left for this module: fill what the caller gave (region, weight words), what the format
implies (next hop), and say so in ``routes.attrs["read"]``.
"""

from __future__ import annotations

import logging
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.errors import InputError, InventoryError, Remedy
from vcokit.inventory import clean
from vcokit.inventory.clean import NETMASK, STRING, Column, Rows, clean_cell
from vcokit.inventory.csv_reader import read_csv
from vcokit.inventory.encoding import check_encoding, decode
from vcokit.inventory.excel_reader import read_excel
from vcokit.inventory.header import (
    Options,
    RawTable,
    check_delimiter,
    check_requested_columns,
    requested_columns,
)
from vcokit.inventory.json_parquet import read_json, read_parquet
from vcokit.inventory.sources import (
    File,
    Source,
    check_format,
    find_sources,
    name_of,
    one_memory_error,
    open_source,
    size_of,
)
from vcokit.schema import ROUTES, frame

#: Is called with bytes done and bytes in all; see `read_routes`.
Progress: TypeAlias = Callable[[int, int], object]

#: What reading adds to the columns of a file.
_ADDED: Final = ("weight_text", "source", "line")
#: How a count is put into words: the number, an ``s`` for several, the region.
_WORDS: Final = {
    "trimmed": "blanks trimmed in {} cell{}",
    "unprotected": "protective ' taken away in {} cell{}",
    "split": "several networks split into rows in {} cell{}",
    "joined": "network and mask joined in {} row{}",
    "lowered": "put in lower case: {} cell{}",
    "region": "region_id filled with {2} in {0} row{1}",
    "translated": "weight words replaced in {} cell{}",
    "blank": "{} blank line{} skipped",
    "short": "fewer cells than the header in {} row{}",
}
_NAMED: Final = 3  # sources that a note names

_log: Final = logging.getLogger("vcokit.inventory")


class ReadReport(dict[str, Any]):
    """What reading noticed: a dict of plain values, the same object in every copy of a frame.

    pandas copies ``attrs`` deeply in every operation; of many files that takes longer than the
    operation itself.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> ReadReport:
        return self


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
    progress: Progress | None = None,
) -> pd.DataFrame:
    r"""Read an inventory of routes from files of almost any kind.

    Format, encoding, delimiter and header line are found, and columns are matched by the names
    that the API, its console and common spreadsheets give them. Dirty cells are kept for
    `audit_routes` to judge; only a file that is not a table of routes at all raises. What was
    found, and what was changed, stands in ``routes.attrs["read"]``.

    Parameters
    ----------
    source : str, path, bytes, file object, or a list of these
        A path, a pattern (``"sites/*.csv"``), ``"-"`` for standard input, an open file, binary or
        text, or the text itself: a str that contains a newline. CSV, JSON lines, Parquet and
        workbooks (``.xlsx .xlsm .xlsb .ods``, with the extra ``excel``) are known by their name,
        or else by their content; ``.gz`` and ``.zst`` are unpacked. See
        `vcokit.inventory.excel_reader`, `vcokit.inventory.json_parquet` and
        `vcokit.inventory.clean` for what becomes of their cells.
    *more : str, path, bytes or file object
        Further sources: their rows come below, ``source`` tells them apart.
    columns : mapping of str to str, optional
        Names in the file by field, where they are not found by themselves:
        ``{"route_dest": "Ziel"}``. The other way round, ``{"Ziel": "route_dest"}``, is understood
        too. Of several tables one must have it; the others are read by the names that are known.
    region : str, optional
        Region of the rows that name none.
    weights : mapping of str to int, optional
        Words that stand for weights, such as ``{"主": 100, "备": 0}``; case does not matter. A
        weight is never guessed.
    encoding : str, optional
        By default a byte order mark is obeyed, UTF-16 is known by its NULs, and the rest is
        UTF-8, cp1252 or GB18030 by what it shows; see `vcokit.inventory.encoding`.
    delimiter : str, optional
        By default comma, semicolon, tab or bar, whichever separates the names in the header.
    format : {"csv", "excel", "jsonl", "parquet"}, optional
        Format of every source, whatever its name.
    sheet : str, optional
        Sheet of a workbook; by default every sheet that is shown and has a header.
    progress : callable, optional
        Called with bytes done and bytes in all, before and after each source. The numbers never
        fall; the total grows where the size of a source (standard input, say) is known only once
        it is read. One that raises is logged once and not called again; Ctrl-C passes.

    Returns
    -------
    DataFrame
        Of `vcokit.schema.ROUTES`: a row a record, ``line`` the line or sheet row it starts on (NA
        in Parquet), and behind these the file's other columns, as str under their own names.
        Without a next hop column the next hop is the connection. ``attrs["read"]`` is a dict of
        plain values: source, format, encoding, delimiter, head_line, skipped, columns, unknown,
        notes; of several tables, source, notes, and such a dict for each under tables; and
        ``sha256``, the digest of each file by its name. Copies of the frame share it: read it, do
        not change it.

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
    words = _weight_words(weights)
    options = Options(requested_columns(columns), _region(region), encoding, delimiter, sheet)
    check_delimiter(delimiter)
    check_encoding(encoding)
    check_format(format)
    sources = find_sources([source, *more])
    meter = _Meter(progress, [size_of(each) for each in sources])
    seen: Counter[str] = Counter()
    tables: list[RawTable] = []
    digests: dict[str, str] = {}
    for each in sources:
        with one_memory_error(name_of(each)):
            file = open_source(each, format, seen)
            tables += _tables(file, options)
        digests[file.name] = file.sha256
        meter.add(len(file.content))
    check_requested_columns(tables, options.requested)
    with one_memory_error(_listed([table.source for table in tables])):
        routes = _routes(tables, options.region, words)
    routes.attrs["read"]["sha256"] = digests
    return routes


def read_partitions(source: Source | list[Source], *more: Source, **options: Any) -> Any:
    r"""Read many files as a Dask frame of routes, each file when its partition is worked on.

    Parameters
    ----------
    source, *more : str, path, or a list of these
        Paths and patterns, as in `read_routes`. Each worker reads its files by these names.
    **options
        Of `read_routes`, for every file.

    Returns
    -------
    dask.dataframe.DataFrame
        A partition per file, with the columns that the first one has; what another file lacks is
        missing there, what it has more is left out.

    Raises
    ------
    InputError
        If Dask is not installed, a file is not there, or the first one cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, network in [("a.csv", "10.0.0.0/8"), ("b.csv", "10.1.0.0/16")]:
    ...         text = f"region,connection,cidr,weight\ncn-a,vco-a,{network},100\n"
    ...         _ = pathlib.Path(folder, name).write_text(text)
    ...     routes = read_partitions(pathlib.Path(folder, "*.csv"))
    ...     routes.npartitions, routes.compute()["route_dest"].tolist()
    (2, ['10.0.0.0/8', '10.1.0.0/16'])
    """
    try:
        dask: Any = import_module("dask.dataframe")  # ships no types for what is used here
    except ImportError as error:
        raise InputError(
            f"Dask is not installed ({error})", remedy="pip install 'vcokit[dask]'"
        ) from None
    files = find_sources([source, *more])
    first = read_routes(files[0], **options)
    meta = dask.utils.clear_known_categories(first.iloc[:0], cols=["source"])
    meta.attrs = {}
    return dask.from_map(_read_partition, files, meta=meta, columns=list(first), read=options)


def _read_partition(file: Source, columns: list[str], read: dict[str, Any]) -> pd.DataFrame:
    routes = read_routes(file, **read).reindex(columns=columns)
    routes.attrs = {}
    return routes


def notes_of(routes: pd.DataFrame) -> list[str]:
    r"""Return what reading noted of routes, each note with its source.

    Parameters
    ----------
    routes : DataFrame
        From `vcokit.read_routes`; any other has no notes.

    Examples
    --------
    >>> notes_of(read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.0.0.0/8,100\n"))
    ['<text>: next_hop taken from the connection']
    """
    read = routes.attrs.get("read")
    if not isinstance(read, Mapping) or "source" not in read:
        return []
    notes = [str(note) for note in read.get("notes") or ()]
    return notes if "tables" in read else [f"{read['source']}: {note}" for note in notes]


def digests_of(routes: pd.DataFrame) -> dict[str, str]:
    r"""Return the SHA-256 of each file that routes were read from, in hex, by its name.

    Parameters
    ----------
    routes : DataFrame
        From `vcokit.read_routes`; any other has none.

    Examples
    --------
    >>> routes = read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.0.0.0/8,100\n")
    >>> {name: digest[:12] for name, digest in digests_of(routes).items()}
    {'<text>': '562dbe858d73'}
    """
    read = routes.attrs.get("read")
    found = read.get("sha256") if isinstance(read, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


class _Meter:
    """The bytes of several sources, as they are read one after the other."""

    def __init__(self, progress: Progress | None, sizes: list[int]) -> None:
        self._progress = progress
        self._sizes = sizes
        self._done, self._total = 0, sum(sizes)
        self._report()

    def add(self, size: int) -> None:
        """Take in that the next source, of so many bytes, is read."""
        known = self._sizes.pop(0)
        self._done += known or size
        self._total += 0 if known else size
        self._report()

    def _report(self) -> None:
        try:
            if self._progress is not None:
                self._progress(self._done, self._total)
        except Exception:
            _log.exception("the progress hook failed and is called no more")
            self._progress = None


def _weight_words(weights: Mapping[str, int] | None) -> dict[str, int]:
    """Return the words for weights as cells are compared with them."""
    remedy = Remedy("Write {weights}", weights={"active": 100, "standby": 0})
    if weights is not None and not isinstance(weights, Mapping):
        raise InputError("weights must map words to whole numbers", remedy=remedy)
    words: dict[str, int] = {}
    for word, weight in (weights or {}).items():
        key = clean_cell(word).casefold() if isinstance(word, str) else ""
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
    found = clean_cell(region) if isinstance(region, str) else ""
    found = found.lower() if found.isascii() else found
    if not found:
        raise InputError(
            f"region {region!r} names none", remedy=Remedy("Write {region}", region="cn-hangzhou")
        )
    return found


def _tables(file: File, options: Options) -> list[RawTable]:
    """Return the tables of a file, by the reader of its format."""
    if isinstance(file.content, bytes) and file.format == "excel":
        return read_excel(file.name, file.content, file.budget, options)
    if isinstance(file.content, bytes) and file.format == "parquet":
        return [read_parquet(file.name, file.content, file.budget, options)]
    if file.format in ("excel", "parquet"):
        raise InventoryError(
            f"text, where a file of format {file.format!r} belongs",
            source=file.name,
            remedy='Open the file with mode "rb", or give its path',
        )
    if file.format == "terraform":
        raise InventoryError(
            "Terraform's own language is written, and not read",
            source=file.name,
            remedy="Read what Terraform makes of it: terraform show -json > routes.json",
        )
    text = decode(file.name, file.content, options.encoding, file.notes)
    return [(read_json if file.format == "jsonl" else read_csv)(text, file.budget, options)]


def _routes(
    tables: Sequence[RawTable], region: str | None, words: Mapping[str, int]
) -> pd.DataFrame:
    """Return the rows of tables as a routes frame, with the report."""
    saved = [_saved_columns(table) for table in tables]
    rows = _stacked(tables, saved)
    clean.trim(rows, [table.protected for table in tables])
    clean.drop_blank_rows(rows)
    clean.split_multi_prefix(rows, [table.budget for table in tables])
    clean.join_netmask(rows)
    clean.lower_case(rows)
    regions = [table.region or region for table in tables]
    _fill_region(rows, regions)
    clean.translate_weights(rows, words)
    _fill_next_hop(rows, ["next_hop" in table.header.fields for table in tables])
    rows.count("blank", np.zeros(len(rows.table), dtype=np.bool_))
    rows.counts["blank"] += [table.blank for table in tables]
    rows.counts["short"] = np.array([table.short for table in tables])
    unknown = _drop_empty_extras(rows, tables)
    routes = _frame(rows, tables)
    reports = [
        _report(table, unknown[number], own, _worded(rows, number, regions[number]))
        for number, (table, own) in enumerate(zip(tables, saved, strict=True))
    ]
    routes.attrs["read"] = _merged_report(tables, reports)
    return routes


def _saved_columns(table: RawTable) -> dict[str, int]:
    """Return the places of columns that an earlier reading made, by their names in the frame.

    A frame that pandas saved has them beside the file's own. ``weight_text`` says nothing where
    there is a weight, or it is somebody else's; only beside it are ``source`` and ``line`` ours.
    """
    fields = set(table.header.fields.values())
    cells = enumerate(table.header.cells)
    own = {name: place for place, name in cells if name in _ADDED and place not in fields}
    if "weight_text" not in own:
        return {}
    weight = table.columns[table.header.fields["weight"]]
    text = table.columns[own["weight_text"]]
    if pc.any(pc.and_(pc.is_valid(weight), pc.is_valid(text))).as_py():
        return {}
    return own if len(own) == len(_ADDED) else {"weight_text": own["weight_text"]}


def _stacked(tables: Sequence[RawTable], saved: Sequence[Mapping[str, int]]) -> Rows:
    """Return the rows of tables one below the other, each column under the name it gets."""
    named: list[dict[str, Column]] = []
    for table, own in zip(tables, saved, strict=True):
        header = table.header
        columns = {name: table.columns[place] for name, place in header.fields.items()}
        if own:
            text = table.columns[own["weight_text"]]
            columns["weight"] = pc.coalesce(columns["weight"], text)
        if (mask := header.netmask()) is not None:
            columns[NETMASK] = table.columns[mask]
        for place, name in header.extras().items():
            if place not in own.values():
                columns[name] = table.columns[place]
        named.append(columns)
    sizes = [len(table) for table in tables]
    names = dict.fromkeys(name for columns in named for name in columns)
    stacked = {}
    for name in names:
        pieces = [
            columns[name] if name in columns else pa.chunked_array([pa.nulls(size, STRING)])
            for columns, size in zip(named, sizes, strict=True)
        ]
        column = pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks], STRING)
        # A column of thousands of chunks would be slow in every later operation.
        stacked[name] = (
            column if len(tables) == 1 else pa.chunked_array([column.combine_chunks()], STRING)
        )
    lines = [
        np.zeros(size, dtype=np.int64) if table.lines is None else table.lines
        for table, size in zip(tables, sizes, strict=True)
    ]
    return Rows(
        stacked, np.repeat(np.arange(len(tables)), sizes), np.concatenate(lines), len(sizes)
    )


def _fill_region(rows: Rows, regions: Sequence[str | None]) -> None:
    """Put the region of a sheet, or the one that the caller gave, in rows that name none."""
    if any(regions):
        given = rows.of_tables([None if one is None else str(one) for one in regions]).cast(STRING)
        column = rows.columns.get("region_id", pa.chunked_array([pa.nulls(len(given), STRING)]))
        rows.count("region", pc.and_(pc.is_null(column), pc.is_valid(given)))
        rows.columns["region_id"] = pc.coalesce(column, given)


def _fill_next_hop(rows: Rows, has_next_hop: Sequence[bool]) -> None:
    """Take the connection for the next hop in the tables without such a column."""
    connection = rows.columns["vpn_connection_id"]
    if not any(has_next_hop):
        rows.columns["next_hop"] = connection
    elif not all(has_next_hop):
        there = rows.of_tables(has_next_hop)
        rows.columns["next_hop"] = pc.if_else(there, rows.columns["next_hop"], connection)


def _drop_empty_extras(rows: Rows, tables: Sequence[RawTable]) -> list[list[str]]:
    """Drop columns without a name that hold nothing; return the other columns of each table."""
    kept: set[str] = set()
    found = []
    for number, table in enumerate(tables):
        names = []
        for place, name in table.header.extras().items():
            if name in rows.columns:
                cells = rows.of_table(number, name)
                if table.header.cells[place] or cells.null_count < len(cells):
                    names.append(name)
        kept.update(names)
        found.append(names)
    rows.columns = {n: column for n, column in rows.columns.items() if n in ROUTES or n in kept}
    return found


def _frame(rows: Rows, tables: Sequence[RawTable]) -> pd.DataFrame:
    """Return the frame: the schema's columns, then the others."""
    weight, weight_text = clean.weights(rows.columns.pop("weight"))
    columns: dict[str, object] = {
        name: clean.series(column) for name, column in rows.columns.items()
    }
    others = {name: columns.pop(name) for name in list(columns) if name not in ROUTES}
    sources = list(dict.fromkeys(table.source for table in tables))
    place_of = {source: place for place, source in enumerate(sources)}
    codes = np.array([place_of[table.source] for table in tables])
    no_line = np.array([table.lines is None for table in tables])
    given = {
        **columns,
        "weight": weight,
        "weight_text": weight_text,
        "source": pd.Categorical.from_codes(codes[rows.table], pd.Index(sources)),
        "line": pd.arrays.IntegerArray(rows.line, no_line[rows.table]),
    }
    routes = frame(ROUTES, given, copy=False)
    return pd.concat([routes, pd.DataFrame(others, copy=False)], axis=1) if others else routes


def _worded(rows: Rows, table: int, region: str | None) -> list[str]:
    """Return what was changed in a table, in words."""
    counted = {what: int(rows.counts[what][table]) for what in _WORDS if what in rows.counts}
    return [_WORDS[what].format(n, "s" * (n != 1), region) for what, n in counted.items() if n]


def _report(
    table: RawTable, unknown: list[str], saved: Mapping[str, int], changes: list[str]
) -> ReadReport:
    """Return what reading noticed of a table, in plain values: pandas serialises ``attrs``."""
    header = table.header
    fields = sorted((place, name) for name, place in header.fields.items())
    notes = list(table.notes)
    if saved:
        notes.append(f"columns {', '.join(saved)} taken for those of an earlier reading")
    if "next_hop" not in header.fields:
        notes.append("next_hop taken from the connection")
    return ReadReport(
        source=table.source,
        format=table.format,
        encoding=table.encoding,
        delimiter=header.delimiter or None,
        head_line=header.line,
        skipped=[{"line": line, "text": title} for line, title in header.titles],
        columns={header.cells[place]: name for place, name in fields},
        unknown=unknown,
        notes=notes + changes,
    )


def _merged_report(tables: Sequence[RawTable], reports: Sequence[ReadReport]) -> ReadReport:
    """Return the report of all tables; what is noted of several sources is one note."""
    noted: dict[str, list[str]] = {}
    for table, report in zip(tables, reports, strict=True):
        own = ((report["source"], note) for note in report["notes"])
        for source, note in (*table.sheet_notes, *own):
            noted.setdefault(note, []).append(source)
    if len(reports) == 1:
        reports[0]["notes"] = list(noted)
        return reports[0]
    return ReadReport(
        source=", ".join(dict.fromkeys(report["source"] for report in reports)),
        notes=[f"{_listed(sources)}: {note}" for note, sources in noted.items()],
        tables=list(reports),
    )


def _listed(sources: Sequence[str]) -> str:
    more = len(sources) - _NAMED
    return ", ".join(sources[:_NAMED]) + (f" and {more} more" if more > 0 else "")
