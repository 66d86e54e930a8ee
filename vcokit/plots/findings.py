"""What an audit found, by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.audit.findings import by_severity
from vcokit.palette import SEVERITIES
from vcokit.plots import canvas, lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The worst first, as the bars are stacked and the legend is read.
_ORDER: Final = tuple(reversed(schema.SEVERITIES.categories))
_PLURAL: Final = {"error": "errors", "warning": "warnings", "info": "info"}


def findings_by_rule(findings: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Show how many rows each rule of the audit found fault with.

    Parameters
    ----------
    findings : DataFrame
        From `vcokit.audit_routes`.
    ax : Axes, optional

    Returns
    -------
    Axes
        A bar a rule that found something, in rows, coloured by severity: errors first, then
        those with the most rows.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> findings_by_rule(audit_routes(routes), Figure(figsize=(14, 4)).subplots()).get_title("left")
    '2 findings on 1 row: 1 with errors (host-bits-set first), 0 with warnings, 1 with info'
    """
    needed = ("row", "rule", "severity")
    canvas.require(findings, needed, what="findings", remedy="Hand over vk.audit_routes(routes)")
    table = _table(findings)
    ax = canvas.axes(ax, height=canvas.rows_height(len(table)))
    canvas.quiet(ax, grid="x")
    ax.set_xlabel("rows")
    if not len(table):
        canvas.head(ax, "No findings")
        return canvas.say_empty(ax, "the audit found nothing")
    _bars(ax, table)
    canvas.row_names(ax, table.index)
    found = [name for name in _ORDER if table[name].any()]
    handles = [canvas.patch(SEVERITIES[name]) for name in found]
    canvas.head(ax, _title(findings, table), handles, found)
    return ax


def _table(findings: pd.DataFrame) -> pd.DataFrame:
    """Count findings by rule (rows) and severity (columns), the worst rules first."""
    severity = findings["severity"].astype(schema.SEVERITIES)
    counts = pd.crosstab(findings["rule"].astype("str"), severity)
    counts = counts.reindex(columns=list(_ORDER), fill_value=0)
    return counts.sort_values(list(_ORDER), ascending=False, kind="stable")


def _bars(ax: Axes, table: pd.DataFrame) -> None:
    left = pd.Series(0, index=table.index)
    for name in _ORDER:
        counts = table[name]
        if counts.any():
            ax.barh(range(len(table)), counts, left=left, color=SEVERITIES[name], height=0.72)
            left = left + counts
    for row, count in enumerate(left):
        beside: canvas.Style = {
            "textcoords": "offset points",
            "va": "center",
            "fontsize": canvas.ROW,
        }
        ax.annotate(f"{count:,}", (count, row), (4, 0), color=canvas.ink(ax), **beside)
    ax.margins(x=0.06)
    canvas.whole(ax.xaxis)


def _title(findings: pd.DataFrame, table: pd.DataFrame) -> str:
    """Say how many rows have a finding of each severity, and the first rule of the worst."""
    counts = by_severity(findings.astype({"severity": schema.SEVERITIES}))
    said = [f"{counts[name]:,} with {_PLURAL[name]}" for name in _ORDER]
    worst = next(place for place, name in enumerate(_ORDER) if counts[name])
    rule = lettering.shown(table[_ORDER[worst]].idxmax())
    said[worst] += f" ({rule} first)"
    rows = pluralize(findings["row"].nunique(), "row")
    return f"{pluralize(len(findings), 'finding')} on {rows}: {', '.join(said)}"
