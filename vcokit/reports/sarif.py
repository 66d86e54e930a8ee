"""Findings as SARIF 2.1.0, for code hosts that mark the lines of a change.

The standard: OASIS, Static Analysis Results Interchange Format 2.1.0. Choices that it leaves open:

===================  =============================================================================
level                error, warning; note for info
location             the file, relative to a root (``%SRCROOT%``) if it is below it; the line;
                     the columns of the cell if `vcokit.reports.csv_locations` found them
relatedLocations     the row that the finding refers to
fixes                the suggestion replaces the cell, if the exact text of the cell is known
partialFingerprints  of rule and route: see `vcokit.audit.fingerprints`.
                     ``primaryLocationLineHash`` is the name that GitHub uses
===================  =============================================================================

A workbook has sheets and rows, not lines: the location is the file, and the sheet is a logical
location. The line of a compressed file is also a logical location, because an editor does not show
these lines. Routes that were not read from a file, for example ``<text>``, have only a logical
location.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pandas as pd

from vcokit._text import printable
from vcokit.inventory.sources import COMPRESSED
from vcokit.reports.csv_locations import tables_of
from vcokit.reports.escape import dump_json, sarif_text
from vcokit.reports.report import Report, to_list, to_records, version

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_ROOT: Final = "%SRCROOT%"
_SHEET: Final = re.compile(r"(.*)\[([^\[\]]*)\]")
#: The reader's names for text, an open file without a name, and standard input.
_NO_FILE: Final = re.compile(r"<[a-z ]+>")

Json = dict[str, Any]


def sarif_lines(report: Report) -> Iterator[str]:
    """Yield the log, one result per line."""
    yield f'{{"$schema": {dump_json(_SCHEMA)}, "version": "2.1.0", "runs": [{{\n'
    for name, value in _run(report).items():
        yield f"{dump_json(name)}: {dump_json(value)},\n"
    yield '"results": ['
    for number, result in enumerate(_results(report)):
        yield (",\n" if number else "\n") + dump_json(result)
    yield "\n]}]}\n"


def _run(report: Report) -> Json:
    rules = [_rule(rule.name, rule.severity, rule.summary) for rule in report.rules.values()]
    driver = {"name": "vcokit", "semanticVersion": version(), "rules": rules}
    invocation: Json = {"executionSuccessful": True}
    notices = []
    if report.left_out:
        said = f"{report.left_out:,} more findings, none worse than those listed, are left out"
        notices.append({"level": "warning", "message": {"text": said}})
        invocation["properties"] = {"leftOut": report.left_out}
    if report.held_back:
        notices.append({"level": "note", "message": {"text": report.held_back}})
    if notices:
        invocation["toolExecutionNotifications"] = notices
    return {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r"],
    }


def _rule(name: str, severity: str, sentence: str) -> Json:
    text = {"text": sarif_text(sentence)}
    return {
        "id": printable(name),
        "shortDescription": text,
        "fullDescription": text,
        "help": text,
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"tags": ["routes"], "problem.severity": _problem(severity)},
    }


def _problem(severity: str) -> str:
    return {"info": "recommendation"}.get(severity, severity)


def _results(report: Report) -> Iterator[Json]:
    numbers = {name: number for number, name in enumerate(report.rules)}
    where = _SarifLocations(report)
    listed = report.listed
    spans, prints = _spans(report), report.fingerprints
    for record, span, fingerprint in zip(to_records(listed), spans, prints, strict=True):
        result = {
            "ruleId": printable(record["rule"]),
            "ruleIndex": numbers[record["rule"]],
            "level": _LEVELS[record["severity"]],
            "message": {"text": _message(record)},
            "locations": [where.location(record["source"], record["line"], span, record["row"])],
            "partialFingerprints": {"primaryLocationLineHash": fingerprint},
            "properties": _properties(record),
        }
        yield result | _related(where, record) | _fixes(where, record, span)


def _message(record: Json) -> str:
    hint = f" (suggestion: {record['suggestion']})" if record["suggestion"] else ""
    return sarif_text(f"{record['message']}{hint}")


def _properties(record: Json) -> Json:
    names = ("column", "region_id", "vpn_connection_id", "route_dest", "suggestion", "api_code")
    return {name: printable(record[name]) for name in names if record[name] is not None}


def _spans(report: Report) -> list[Json | None]:
    """Return the cell positions of the listed findings; None if unknown."""
    if report.places is None:
        return [None] * len(report.listed)
    places = report.places.reindex(report.listed.index)
    columns = [to_list(places[name]) for name in places]
    names = [str(name) for name in places]
    found = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    return [None if place["line"] is None else place for place in found]


def _related(where: _SarifLocations, record: Json) -> Json:
    if record["related_row"] is None:
        return {}
    row, line = record["related_row"], record["related_line"]
    source = where.source_of(row)
    location = where.location(source, line, None, row)
    said = "the row it is about" if line is None else f"line {line}"
    if source is not None and source != record["source"]:
        said = f"{said} of {source}" if line is None else f"{source}, {said}"
    return {"relatedLocations": [{"id": 1, **location, "message": {"text": sarif_text(said)}}]}


def _fixes(where: _SarifLocations, record: Json, span: Json | None) -> Json:
    if span is None or not span["exact"] or record["suggestion"] is None:
        return {}
    new = record["suggestion"]
    if re.search(r'[",;|\s]', new):  # would need quotes or the delimiter
        return {}
    replacement = {"deletedRegion": _region(span), "insertedContent": {"text": printable(new)}}
    file = where.artifact(record["source"])
    change = {"artifactLocation": file, "replacements": [replacement]}
    says = {"text": sarif_text(f"Write {new}")}
    return {"fixes": [{"description": says, "artifactChanges": [change]}]}


def _region(span: Json) -> Json:
    return {
        "startLine": int(span["line"]),
        "startColumn": int(span["column"]),
        "endLine": int(span["end_line"]),
        "endColumn": int(span["end_column"]),
    }


class _SarifLocations:
    """Sources as artifacts, and rows as locations in them."""

    def __init__(self, report: Report) -> None:
        self._root = report.root
        self._sheets = {t["source"] for t in tables_of(report.routes) if t["format"] == "excel"}
        self._packed = {
            t["source"]
            for t in tables_of(report.routes)
            if any(note.startswith("unpacked") for note in t.get("notes", ()))
        }
        self._names = report.routes["source"]
        self._known: dict[str, Json] = {}

    def source_of(self, row: int) -> str | None:
        """Return the source of a row of the routes."""
        name = self._names.iloc[row]
        return None if pd.isna(name) else str(name)

    def location(self, source: str | None, line: int | None, span: Json | None, row: int) -> Json:
        """Return a location: a file and its line, a sheet and its row, or only a row."""
        if source is None:
            return {"logicalLocations": [{"name": f"row {row}"}]}
        at = f"row {row}" if line is None else f"{line}"
        if _NO_FILE.fullmatch(source):
            return {"logicalLocations": [{"name": f"{source}!{at}"}]}
        physical: Json = {"artifactLocation": self.artifact(source)}
        if source in self._sheets and (sheet := _SHEET.fullmatch(source)):
            name = f"{printable(sheet[2])}!{line}"
            return {"physicalLocation": physical, "logicalLocations": [{"name": name}]}
        if source in self._packed or source.endswith(COMPRESSED):
            return {"physicalLocation": physical, "logicalLocations": [{"name": at}]}
        if line is not None:
            physical["region"] = _region(span) if span else {"startLine": line}
        return {"physicalLocation": physical}

    def artifact(self, source: str) -> Json:
        """Return a source as an artifact: a file below the root, or elsewhere."""
        if source not in self._known:
            self._known[source] = self._artifact(source)
        return self._known[source]

    def _artifact(self, source: str) -> Json:
        sheet = _SHEET.fullmatch(source) if source in self._sheets else None
        path = Path(os.path.normpath(sheet[1] if sheet else source))
        if self._root is not None:
            below = os.path.relpath(path.absolute(), self._root.absolute())
            path = path.absolute() if below.startswith(os.pardir) else Path(below)
        if path.is_absolute():
            return {"uri": path.as_uri()}
        return {"uri": quote(path.as_posix()), "uriBaseId": _ROOT}
