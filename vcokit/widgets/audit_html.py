"""An audit as HTML: pure functions from findings and routes to what is shown.

=============  ============================================================================
`summary`      rows by the worst that was found in them
`cells`        findings as rows of a table
`static_page`  both, for a saved notebook without a kernel
`detail`       one finding: what it means, the row behind it, the related row beside it
=============  ============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pandas as pd

from vcokit import schema
from vcokit._text import pluralize, printable
from vcokit.audit.findings import by_rule, by_severity
from vcokit.widgets.style import grey, page, scrolled, sheet, stacked, table, text

HEADS: Final = (
    ("line", "56px"),
    ("severity", "66px"),
    ("rule", "124px"),
    ("destination", "138px"),
    ("connection", "170px"),
    ("message", "auto"),
    ("suggestion", "130px"),
)
SEARCHED: Final = ("message", "route_dest", "vpn_connection_id", "suggestion", "api_code", "line")
#: Findings that a static page shows.
STATIC_ROWS: Final = 50
_SHOWN: Final = tuple(name for name in schema.ROUTES if name != "weight_text")


#: What the worst finding of a row says of it.
_WORST: Final = {"error": "errors", "warning": "warnings at worst", "info": "info at worst"}


def summary(routes: pd.DataFrame, findings: pd.DataFrame, held_back: str = "") -> str:
    """Return how many rows have a finding of each severity, and by its worst each row."""
    worst = findings.groupby("row")["severity"].max().value_counts()
    names = list(reversed(schema.SEVERITIES.categories))
    parts = [(f"v-{name}", _WORST[name], int(worst.get(name, 0))) for name in names]
    clean = len(routes) - sum(number for *_, number in parts)
    rows = ", ".join(
        f"{number:,} with {_plural(name)}" for name, number in by_severity(findings).items()
    )
    said = f"{pluralize(len(routes), 'route')}, {pluralize(len(findings), 'finding')}; rows: {rows}"
    said += f"; {held_back}" if held_back else ""
    return page(
        f'<span class="t">Audit</span>{grey(said)}',
        stacked([*parts, ("s-done", "nothing found", clean)]),
    )


def _plural(severity: str) -> str:
    return severity if severity == "info" else f"{severity}s"


def cells(findings: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """Return the cells of some findings, in the order of `HEADS`."""
    names = ["severity", "rule", "route_dest", "vpn_connection_id", "message", "suggestion"]
    place = findings["line"].astype("object").where(findings["line"].notna(), findings["row"])
    return zip(place, *(findings[name] for name in names), strict=True)


def detail(routes: pd.DataFrame, finding: pd.Series, sentence: str) -> str:
    """Return one finding in full, with the row behind it and the related row beside it.

    Parameters
    ----------
    routes : DataFrame
        What was audited.
    finding : Series
        A row of the findings.
    sentence : str
        What its rule says.
    """
    rule, severity = str(finding["rule"]), str(finding["severity"])
    code = printable(finding["api_code"])
    answer = f" {grey('· the cloud would answer')} <code>{text(code)}</code>" if code else ""
    head = (
        f'<div><span class="key"><i class="v-{text(severity)}"></i><b>{text(rule)}</b></span>'
        f"{text(sentence)}{answer}</div><div>{text(finding['message'])}</div>"
    )
    related = finding["related_row"]
    places = [int(finding["row"])] + ([] if pd.isna(related) else [int(related)])
    return page(head, _rows(routes, places, printable(finding["column"]), finding["suggestion"]))


def _rows(routes: pd.DataFrame, places: list[int], fault: str, suggestion: object) -> str:
    """Return routes side by side, a line a field, so that what differs meets the eye."""
    there = [routes.iloc[place] for place in places]
    names = [name for name in _SHOWN if name in routes.columns]
    names += [name for name in routes.columns if name not in schema.ROUTES]
    heads = [f"row {places[0]}", *(f"related row {place}" for place in places[1:])]
    head = "".join(f"<th>{text(words)}</th>" for words in ["", *heads, "suggestion"])
    body = ""
    for name in names:
        shown = [_cell(row, str(name)) for row in there]
        differs = name == fault or (name in schema.ROUTES_REQUIRED and len(set(shown)) > 1)
        marked = ' class="diff"' if differs else ""
        given = "".join(f"<td{marked}>{text(value)}</td>" for value in shown)
        better = text(suggestion) if name == fault else ""
        body += f"<tr><td>{grey(str(name))}</td>{given}<td><b>{better}</b></td></tr>"
    width = '<col style="width:150px">'
    return (
        f'<table class="wrap"><colgroup>{width}</colgroup><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(row: pd.Series, name: str) -> str:
    value = row[name]
    if name == "weight" and pd.isna(value):
        value = row.get("weight_text")
    return printable(value)


def static_page(
    routes: pd.DataFrame, findings: pd.DataFrame, rule: str = "", held_back: str = ""
) -> str:
    """Return the counts and the first findings as HTML that needs nothing else."""
    counted = by_rule(findings)
    heads = (("rule", "24%"), ("severity", "14%"), ("rows", "10%"), ("", "auto"))
    names = ("rule", "severity", "rows", "sentence")
    rules = table(heads, zip(*(counted[name] for name in names), strict=True))
    if not len(findings):
        return sheet(rule) + summary(routes, findings, held_back)
    first = findings.iloc[:STATIC_ROWS]
    cut = len(first) < len(findings)
    note = grey(f"the first {len(first):,} of {len(findings):,} findings" if cut else "")
    long = scrolled(table(HEADS, cells(first), wrap=True))
    parts = page(rules, f"<h4>Findings {note}</h4>", long)
    return sheet(rule) + summary(routes, findings, held_back) + parts
