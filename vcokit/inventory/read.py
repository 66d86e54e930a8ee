"""`read_routes`: reads any source into a routes frame, and reports what it noticed.

`read_partitions` does the same with many files, as a Dask frame.

::

    find_sources ─▶ File ┬─decode, find_header, read_csv─▶┐
                         ├─decode, read_json─────────────▶├─ RawTable ─▶ Rows ─▶ routes frame
                         ├─read_parquet──────────────────▶│        of all   cleaned, typed
                         └─read_excel────────────────────▶┘        tables   once

This module itself fills in what the caller gave (region, weight words) and what the format implies
(next hop), and reports this in ``routes.attrs["read"]``.
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

#: Called with the bytes done and the total bytes; see `read_routes`.
Progress: TypeAlias = Callable[[int, int], object]

#: Columns that reading adds to those of a file.
_ADDED: Final = ("weight_text", "source", "line")
#: Texts for counts, formatted with the number, the plural ``s``, and the region.
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
_NAMED: Final = 3  # most sources that a note names

_log: Final = logging.getLogger("vcokit.inventory")


class ReadReport(dict[str, Any]):
    """Report of reading: a dict of plain values, shared by all copies of a frame.

    pandas makes a deep copy of ``attrs`` in every operation. For many files, this would take longer
    than the operation itself.
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

    Format, encoding, delimiter and header line are detected, and columns are matched by their
    names in the API, its console and common spreadsheets. Dirty cells are kept, and `audit_routes`
    reports them; only a file that is not a table of routes at all raises. What was detected and
    changed is in ``routes.attrs["read"]``.

    Parameters
    ----------
    source : str, path, bytes, file object, or a list of these
        A path, a pattern (``"sites/*.csv"``), ``"-"`` for standard input, an open file, binary or
        text, or the text itself: a str that contains a newline. CSV, JSON lines, Parquet and
        workbooks (``.xlsx .xlsm .xlsb .ods``, with the extra ``excel``) are recognized by their
        name, or else by their content; ``.gz`` and ``.zst`` are decompressed. See
        `vcokit.inventory.excel_reader`, `vcokit.inventory.json_parquet` and
        `vcokit.inventory.clean` for how cells are converted.
    *more : str, path, bytes or file object
        Further sources. Their rows follow; the column ``source`` distinguishes them.
    columns : mapping of str to str, optional
        Column names in the file by field, if they are not recognized automatically:
        ``{"route_dest": "Ziel"}``. The reverse, ``{"Ziel": "route_dest"}``, also works. If there
        are several tables, at least one must have the column; in the others, known names are used.
    region : str, optional
        Region of the rows without a region.
    weights : mapping of str to int, optional
        Words that stand for weights, such as ``{"主": 100, "备": 0}``; case does not matter. A
        weight is never guessed.
    encoding : str, optional
        By default detected: from a byte order mark, UTF-16 from its NULs, and otherwise UTF-8,
        cp1252 or GB18030 from the bytes; see `vcokit.inventory.encoding`.
    delimiter : str, optional
        By default comma, semicolon, tab or bar, whichever separates the names in the header.
    format : {"csv", "excel", "jsonl", "parquet"}, optional
        Format of every source, whatever its name.
    sheet : str, optional
        Sheet of a workbook; by default every visible sheet with a header.
    progress : callable, optional
        Called with the bytes done and the total bytes, before and after each source. The numbers
        never decrease. The total increases if the size of a source, such as standard input, is
        known only after it was read. If the callable raises an exception, this is logged once and
        it is not called again; Ctrl-C still works.

    Returns
    -------
    DataFrame
        With the columns of `vcokit.schema.ROUTES`: one row per record; ``line`` is the line or
        sheet row on which it starts (NA in Parquet). The file's other columns follow, as str under
        their own names. Without a next hop column, the next hop is the connection.
        ``attrs["read"]`` is a dict of plain values: source, format, encoding, delimiter,
        head_line, skipped, columns, unknown, notes; for several tables, source, notes, and under
        tables such a dict for each; and ``sha256``, the digest of each file by name. Copies of
        the frame share this dict: do not change it.

    Raises
    ------
    InventoryError
        If a file cannot be read as routes; it names file, line and remedy.
    InputError
        If an argument is not valid, or an extra is not installed.

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
    r"""Read many files as a Dask frame of routes; each file is read when its partition is computed.

    Parameters
    ----------
    source, *more : str, path, or a list of these
        Paths and patterns, as in `read_routes`. Each worker reads its files by these names.
    **options
        Options of `read_routes`, used for every file.

    Returns
    -------
    dask.dataframe.DataFrame
        One partition per file, with the columns of the first file. Columns that another file
        lacks are missing values there; its additional columns are left out.

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
        dask: Any = import_module("dask.dataframe")  # no type annotations for what is used here
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
    r"""Return the notes of reading on routes, each note with its source.

    Parameters
    ----------
    routes : DataFrame
        From `vcokit.read_routes`; other frames have no notes.

    Examples
    --------
    >>> notes_of(read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.0.0.0/8,100\n"))
    ['<text>: next_hop set to the connection']
    """
    read = routes.attrs.get("read")
    if not isinstance(read, Mapping) or "source" not in read:
        return []
    notes = [str(note) for note in read.get("notes") or ()]
    return notes if "tables" in read else [f"{read['source']}: {note}" for note in notes]


def digests_of(routes: pd.DataFrame) -> dict[str, str]:
    r"""Return the SHA-256 of each file that routes were read from, in hex, by file name.

    Parameters
    ----------
    routes : DataFrame
        From `vcokit.read_routes`; other frames have no digests.

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
    """Counts the bytes of several sources that are read one after the other, and reports them."""

    def __init__(self, progress: Progress | None, sizes: list[int]) -> None:
        self._progress = progress
        self._sizes = sizes
        self._done, self._total = 0, sum(sizes)
        self._report()

    def add(self, size: int) -> None:
        """Record that the next source, of `size` bytes, was read."""
        known = self._sizes.pop(0)
        self._done += known or size
        self._total += 0 if known else size
        self._report()

    def _report(self) -> None:
        try:
            if self._progress is not None:
                self._progress(self._done, self._total)
        except Exception:
            _log.exception("the progress hook failed and will not be called again")
            self._progress = None


def _weight_words(weights: Mapping[str, int] | None) -> dict[str, int]:
    """Check the words for weights; return them in the form in which cells are compared."""
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
    """Return the tables of a file, read by the reader for its format."""
    if isinstance(file.content, bytes) and file.format == "excel":
        return read_excel(file.name, file.content, file.budget, options)
    if isinstance(file.content, bytes) and file.format == "parquet":
        return [read_parquet(file.name, file.content, file.budget, options)]
    if file.format in ("excel", "parquet"):
        raise InventoryError(
            f"text instead of a file of format {file.format!r}",
            source=file.name,
            remedy='Open the file with mode "rb", or give its path',
        )
    if file.format == "terraform":
        raise InventoryError(
            "Terraform files can be written but not read",
            source=file.name,
            remedy="Read Terraform's JSON output: terraform show -json > routes.json",
        )
    text = decode(file.name, file.content, options.encoding, file.notes)
    return [(read_json if file.format == "jsonl" else read_csv)(text, file.budget, options)]


def _routes(
    tables: Sequence[RawTable], region: str | None, words: Mapping[str, int]
) -> pd.DataFrame:
    """Return the rows of tables as a routes frame, with the report in ``attrs``."""
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
    """Return the positions of columns that an earlier reading added, by their names in the frame.

    A frame that was saved with pandas has them in addition to the file's own columns. Our
    ``weight_text`` is empty wherever there is a weight; otherwise the column is from someone else.
    ``source`` and ``line`` are ours only if ``weight_text`` is.
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
    """Return the concatenated rows of tables, with each column under its name in the frame."""
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
        # A column with thousands of chunks would make every later operation slow.
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
    """Fill in the region of a sheet, or the caller's region, in rows without a region."""
    if any(regions):
        given = rows.of_tables([None if one is None else str(one) for one in regions]).cast(STRING)
        column = rows.columns.get("region_id", pa.chunked_array([pa.nulls(len(given), STRING)]))
        rows.count("region", pc.and_(pc.is_null(column), pc.is_valid(given)))
        rows.columns["region_id"] = pc.coalesce(column, given)


def _fill_next_hop(rows: Rows, has_next_hop: Sequence[bool]) -> None:
    """Use the connection as next hop in the tables without a column of next hops."""
    connection = rows.columns["vpn_connection_id"]
    if not any(has_next_hop):
        rows.columns["next_hop"] = connection
    elif not all(has_next_hop):
        there = rows.of_tables(has_next_hop)
        rows.columns["next_hop"] = pc.if_else(there, rows.columns["next_hop"], connection)


def _drop_empty_extras(rows: Rows, tables: Sequence[RawTable]) -> list[list[str]]:
    """Drop empty columns without a name; return the other additional columns of each table."""
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
    """Return the frame: the columns of the schema, then the others."""
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
    """Return the changes in a table as texts."""
    counted = {what: int(rows.counts[what][table]) for what in _WORDS if what in rows.counts}
    return [_WORDS[what].format(n, "s" * (n != 1), region) for what, n in counted.items() if n]


def _report(
    table: RawTable, unknown: list[str], saved: Mapping[str, int], changes: list[str]
) -> ReadReport:
    """Return the report on a table, in plain values because pandas serialises ``attrs``."""
    header = table.header
    fields = sorted((place, name) for name, place in header.fields.items())
    notes = list(table.notes)
    if saved:
        notes.append(f"columns {', '.join(saved)} taken for those of an earlier reading")
    if "next_hop" not in header.fields:
        notes.append("next_hop set to the connection")
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
    """Return the report on all tables; the same note on several sources becomes one note."""
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
