"""Findings as plain lines, for pipes and logs: no control characters, nothing folded or cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vcokit._text import pluralize, printable
from vcokit.reports.facts import Report, records

#: Columns of numbers stand to the right.
_RIGHT: Final = frozenset({"line", "rows"})


def lines(report: Report) -> Iterator[str]:
    """Yield sources, notes, findings by rule, the worst findings, and the counts, a line each."""
    for name, routes in report.sources.items():
        yield f"{printable(name) or 'routes'}: {pluralize(routes, 'route')}\n"
    for note in report.notes:
        yield f"note: {printable(note)}\n"
    if len(report.findings):
        yield "\nFindings by rule\n"
        yield from _table(
            ("severity", "rule", "rows", "which says"),
            [(r["severity"], r["rule"], f"{r['rows']:,}", r["sentence"]) for r in report.by_rule],
        )
    if len(report.listed):
        yield "\nFindings" + more(report) + "\n"
        yield from _table(*listed(report))
    yield "\n" + (counts(report) if len(report.findings) else "Nothing found.") + "\n"
    if report.held_back:
        yield report.held_back + "\n"


def more(report: Report) -> str:
    """Say how many of the findings are listed, where it is not all."""
    if not report.left_out:
        return ""
    return f", the worst {len(report.listed):,} of {len(report.findings):,}"


def counts(report: Report) -> str:
    """Return the rows with a finding, by severity."""
    return ", ".join(
        f"{pluralize(count, 'row')} with {name}" for name, count in report.rows.items()
    )


def place(record: dict[str, object]) -> str:
    """Return the line of a finding, or its row, from 0, where there are no lines."""
    return f"{record['line']}" if record["line"] is not None else f"row {record['row']}"


def listed(report: Report) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return heads and rows of the listed findings, the worst first; with the file, if several."""
    several = len(report.sources) > 1
    heads = ("file",) * several + ("line", "severity", "rule", "column", "message", "suggestion")
    rows = []
    for record in sorted(records(report.listed), key=_rank):
        cells = [place(record), *(record[name] for name in heads[1 + several :])]
        rows.append([printable(cell) for cell in [record["source"]] * several + cells])
    return heads, rows


def _rank(record: dict[str, object]) -> int:
    return ("error", "warning", "info").index(str(record["severity"]))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines whose cells stand below one another; the last one is as long as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if head in _RIGHT else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        ]
        yield "  ".join(cells).rstrip() + "\n"
