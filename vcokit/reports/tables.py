"""Findings as tables: text, Markdown, CSV and JSON.

========  ======================================================================================
text      plain lines for pipes and logs: no control characters, nothing wrapped or truncated
Markdown  two tables for a comment on a change. External text is written as code or escaped: it
          makes no markup and no link, and notifies nobody
CSV       the columns of the frame, one line per finding; UTF-8, comma, LF. A cell that a
          spreadsheet would read as a formula has a ``'`` before it, as in `vcokit.write_routes`.
          Control characters, also line feeds, are escaped
JSON      one object: ``format`` and ``version`` (of this layout; it becomes 2 if a key is removed
          or changes its meaning), ``tool``, ``sources``, ``notes`` (of the reader), ``counts``
          (with the number that a review held back), ``rules`` (those with findings), ``findings``:
          all findings, with the columns of the frame, missing values as null, and a fingerprint
          that identifies the finding in a later audit. `findings.schema.json`, beside this module,
          is its JSON Schema (draft 2020-12)
========  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from vcokit._text import csv_cell, pluralize, printable
from vcokit.reports.escape import code_span, dump_json, markdown_cell
from vcokit.reports.report import COLUMNS, Report, to_records, version

# -- text --------------------------------------------------------------------------------------

#: Columns of numbers are aligned to the right.
_RIGHT: Final = frozenset({"line", "rows"})


def text_lines(report: Report) -> Iterator[str]:
    """Yield lines: sources, notes, findings by rule, the worst findings, and the counts."""
    for name, routes in report.sources.items():
        yield f"{printable(name) or 'routes'}: {pluralize(routes, 'route')}\n"
    for note in report.notes:
        yield f"note: {printable(note)}\n"
    if len(report.findings):
        yield "\nFindings by rule\n"
        yield from _text_table(
            ("severity", "rule", "rows", "meaning"),
            [(r["severity"], r["rule"], f"{r['rows']:,}", r["sentence"]) for r in report.by_rule],
        )
    if len(report.listed):
        yield "\nFindings" + limit_note(report) + "\n"
        yield from _text_table(*finding_rows(report))
    yield "\n" + (severity_counts(report) if len(report.findings) else "Nothing found.") + "\n"
    if report.held_back:
        yield report.held_back + "\n"


def limit_note(report: Report) -> str:
    """Return a note with the number of listed findings, if not all are listed."""
    if not report.left_out:
        return ""
    return f", the worst {len(report.listed):,} of {len(report.findings):,}"


def severity_counts(report: Report) -> str:
    """Return the number of rows with a finding, by severity."""
    return ", ".join(
        f"{pluralize(count, 'row')} with {name}" for name, count in report.rows.items()
    )


def line_or_row(record: dict[str, object]) -> str:
    """Return the line of a finding, or its row, from 0, if there are no lines."""
    return f"{record['line']}" if record["line"] is not None else f"row {record['row']}"


def finding_rows(report: Report) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return header and rows of the listed findings, the worst first; with the file if several."""
    several = len(report.sources) > 1
    heads = ("file",) * several + ("line", "severity", "rule", "column", "message", "suggestion")
    rows = []
    for record in sorted(to_records(report.listed), key=_severity_rank):
        cells = [line_or_row(record), *(record[name] for name in heads[1 + several :])]
        rows.append([printable(cell) for cell in [record["source"]] * several + cells])
    return heads, rows


def _severity_rank(record: dict[str, object]) -> int:
    return ("error", "warning", "info").index(str(record["severity"]))


def _text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with aligned cells; the last cell is not padded."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if head in _RIGHT else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip() + "\n"


# -- Markdown ----------------------------------------------------------------------------------

_MARK: Final = {"error": "🟥", "warning": "🟧", "info": "🟦"}


def markdown_lines(report: Report) -> Iterator[str]:
    """Yield the heading, findings by rule, and the worst findings."""
    yield "## Audit of routes\n\n"
    yield f"**{report.summary}**\n\n"
    for name, routes in report.sources.items():
        yield f"- {code_span(name) or 'routes'}: {pluralize(routes, 'route')}\n"
    for note in report.notes:
        yield f"- note: {markdown_cell(note)}\n"
    if not len(report.findings):
        return
    yield "\n### By rule\n\n"
    yield from _markdown_header(("Severity", "Rule", "Rows", "Meaning"), "llrl")
    for rule in report.by_rule:
        cells = (_markdown_severity(rule["severity"]), code_span(rule["rule"]), f"{rule['rows']:,}")
        yield _markdown_row((*cells, markdown_cell(rule["sentence"])))
    yield from _markdown_findings(report)


def _markdown_findings(report: Report) -> Iterator[str]:
    if not len(report.listed):
        return
    several = len(report.sources) > 1
    heads = ("Line", "Severity", "Rule", "Field", "Destination", "Message", "Suggestion")
    yield "\n### Findings\n\n"
    yield from _markdown_header(("File",) * several + heads, "l" * several + "rllllll")
    for record in to_records(report.listed):
        cells = [code_span(record["source"])] * several
        cells += [line_or_row(record), _markdown_severity(record["severity"])]
        cells += [code_span(record[name]) for name in ("rule", "column", "route_dest")]
        yield _markdown_row(
            (*cells, markdown_cell(record["message"]), code_span(record["suggestion"]))
        )
    if report.left_out:
        yield f"\n… and {report.left_out:,} more findings, none worse than those listed.\n"


def _markdown_severity(name: str) -> str:
    return f"{_MARK.get(name, '')} {name}"


def _markdown_header(heads: Sequence[str], sides: str) -> Iterator[str]:
    yield _markdown_row(heads)
    yield _markdown_row(["--:" if side == "r" else "---" for side in sides])


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


# -- CSV ---------------------------------------------------------------------------------------


def csv_lines(report: Report) -> Iterator[str]:
    """Yield the header and one line per finding."""
    yield ",".join(COLUMNS) + "\n"
    for record in to_records(report.listed):
        yield ",".join(map(csv_cell, record.values())) + "\n"


# -- JSON --------------------------------------------------------------------------------------

_JSON_FORMAT: Final = "vcokit-findings"
_JSON_VERSION: Final = 1


def json_lines(report: Report) -> Iterator[str]:
    """Yield the object, one finding per line."""
    for name, value in _json_head(report).items():
        yield f"{'{' if name == 'format' else ''}{dump_json(name)}: {dump_json(value)},\n"
    yield '"findings": ['
    pairs = zip(to_records(report.listed), report.fingerprints, strict=True)
    for number, (record, fingerprint) in enumerate(pairs):
        yield (",\n" if number else "\n") + dump_json(record | {"fingerprint": fingerprint})
    yield "\n]}\n"


def _json_head(report: Report) -> dict[str, Any]:
    return {
        "format": _JSON_FORMAT,
        "version": _JSON_VERSION,
        "tool": {"name": "vcokit", "version": version()},
        "sources": [{"source": name, "routes": n} for name, n in report.sources.items()],
        "notes": report.notes,
        "counts": {
            "routes": len(report.routes),
            "findings": len(report.findings),
            "listed": len(report.listed),
            "rows": report.rows,
        }
        | _held_back(report),
        "rules": report.by_rule,
    }


def _held_back(report: Report) -> dict[str, Any]:
    if report.review is None:
        return {}
    expired = len(report.review.expired)
    return {"held_back": report.review.counts | {"expired_exceptions": expired}}
