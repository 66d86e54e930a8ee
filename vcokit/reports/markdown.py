"""Findings as Markdown, for a comment on a change: two tables, as code hosts render them.

What comes from outside stands as code or escaped: it makes no markup, no link, and calls nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vcokit._text import pluralize
from vcokit.reports.facts import Report, records
from vcokit.reports.harmless import code_span, markdown_cell
from vcokit.reports.text import place

_MARK: Final = {"error": "🟥", "warning": "🟧", "info": "🟦"}


def lines(report: Report) -> Iterator[str]:
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
    yield from _table(("Severity", "Rule", "Rows", "Which says"), "llrl")
    for rule in report.by_rule:
        cells = (_severity(rule["severity"]), code_span(rule["rule"]), f"{rule['rows']:,}")
        yield _row((*cells, markdown_cell(rule["sentence"])))
    yield from _findings(report)


def _findings(report: Report) -> Iterator[str]:
    if not len(report.listed):
        return
    several = len(report.sources) > 1
    heads = ("Line", "Severity", "Rule", "Field", "Destination", "Message", "Suggestion")
    yield "\n### Findings\n\n"
    yield from _table(("File",) * several + heads, "l" * several + "rllllll")
    for record in records(report.listed):
        cells = [code_span(record["source"])] * several
        cells += [place(record), _severity(record["severity"])]
        cells += [code_span(record[name]) for name in ("rule", "column", "route_dest")]
        yield _row((*cells, markdown_cell(record["message"]), code_span(record["suggestion"])))
    if report.left_out:
        yield f"\n… and {report.left_out:,} more findings, none worse than those listed.\n"


def _severity(name: str) -> str:
    return f"{_MARK.get(name, '')} {name}"


def _table(heads: Sequence[str], sides: str) -> Iterator[str]:
    yield _row(heads)
    yield _row(["--:" if side == "r" else "---" for side in sides])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
