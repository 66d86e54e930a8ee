"""Findings as CSV, for spreadsheets: the columns of the frame, a line a finding.

UTF-8, comma, LF; a spreadsheet of a locale whose decimals have a comma wants to be told of the
comma on import. A cell that a spreadsheet would take for a formula has a ``'`` before it, as in
`vcokit.write_routes`; control characters, line feeds too, are spelt out, so that a finding is a
line for every tool.
"""

from __future__ import annotations

from collections.abc import Iterator

from vcokit._text import csv_cell
from vcokit.reports.facts import COLUMNS, Report, records


def lines(report: Report) -> Iterator[str]:
    """Yield the head and a line a finding."""
    yield ",".join(COLUMNS) + "\n"
    for record in records(report.listed):
        yield ",".join(map(csv_cell, record.values())) + "\n"
