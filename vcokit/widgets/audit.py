"""`AuditView`: inspect the findings of an audit, and accept suggestions.

::

    routes, findings ─▶ filters ─▶ PagedTable ─ a row is picked ─▶ details, accept
    severity, rule, connection, text    │ a header is clicked           │
                                     sorted                  corrected (a new frame) ─▶ export
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import ipywidgets
import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize, printable
from vcokit.audit import Review, apply_suggestions, audit_routes
from vcokit.audit.findings import by_rule, by_severity, rules_of
from vcokit.errors import InputError, VcokitError
from vcokit.inventory import write_routes
from vcokit.widgets._html import escape, muted, scroll_box, stacked_bar, style_tag, table, wrap
from vcokit.widgets._static import StaticFallback
from vcokit.widgets.table import FilteredFrame, PagedTable, SortKey, by_column, by_destination

COLUMNS: Final = (
    ("line", "68px"),
    ("severity", "98px"),
    ("rule", "152px"),
    ("destination", "130px"),
    ("connection", "170px"),
    ("message", "auto"),
    ("suggestion", "128px"),
)
#: Sort keys of the columns. The severity starts with the worst.
_SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "line": lambda findings: _place(findings).astype("Int64"),
    "severity": lambda findings: -findings["severity"].cat.codes,
    "rule": lambda findings: findings["rule"].astype("str"),
    "destination": by_destination,
    "connection": by_column("vpn_connection_id"),
    "message": by_column("message"),
    "suggestion": by_column("suggestion"),
}
_SEARCHED: Final = (
    "message",
    "route_dest",
    "vpn_connection_id",
    "suggestion",
    "api_code",
    "line",
)
#: Most findings in the static fallback.
STATIC_ROWS: Final = 50
#: Most connections offered for completion; the others can be found by a part of their name.
_OFFERED: Final = 1_000
_REMEDY: Final = (
    "Pass what vk.audit_routes(routes) returns, or no findings. To check live routes, connections "
    "and a quota as well: vk.audit_routes(routes, live=…, connections=…, quota=…)"
)


class AuditView(ipywidgets.VBox):  # type: ignore[misc]
    """A view of the findings of an audit, in which suggestions can be accepted.

    Filters for severity, rule, connection and text are above the table. A click on a column's
    header sorts the table. The arrow before a row shows its row of the inventory.

    Parameters
    ----------
    routes : DataFrame
        The audited routes. The frame is never changed.
    findings : DataFrame or Review, optional
        From `audit_routes` or `review_findings`. By default the routes are audited now.

    Raises
    ------
    InputError
        If the routes cannot be audited, or the findings are invalid or belong to other routes.

    Attributes
    ----------
    corrected : DataFrame
        The routes with the suggestions accepted so far; a new frame each time.
    accepted : DataFrame
        The findings whose suggestions were accepted.

    Examples
    --------
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> view = AuditView(routes)
    >>> view.choose(rule="host-bits-set")
    >>> view.accept_all()
    >>> view.corrected["route_dest"].tolist()
    ['10.0.0.0/8', '10.1.0.0/16']
    """

    def __init__(self, routes: pd.DataFrame, findings: pd.DataFrame | Review | None = None) -> None:
        self._held_back = ""
        if isinstance(findings, Review):
            findings, self._held_back = findings.findings, str(findings)
        if findings is not None:
            _check(routes, findings)
        self.routes = routes
        self.findings = audit_routes(routes) if findings is None else findings
        self._rules = rules_of(self.findings)
        self._accepted = np.zeros(len(self.findings), dtype=np.bool_)
        self._fixable = self.findings["suggestion"].notna().to_numpy()
        self._rows = FilteredFrame(self.findings, _SEARCHED)
        filters = self._filters()
        self.table = PagedTable(self._rows, COLUMNS, finding_cells, _SORT_KEYS, self._on_pick)
        self._detail = ipywidgets.HTML()
        self._status = ipywidgets.HTML()
        actions = self._actions()
        self._fallback = StaticFallback()
        summary = ipywidgets.HTML(
            style_tag(self._fallback.hides_fallback)
            + summary_html(self.routes, self.findings, self._held_back)
            + (rules_html(self.findings) if len(self.findings) else "")
        )
        # Without findings there is nothing to show.
        parts = [filters, self.table, self._detail, actions] if len(self.findings) else []
        super().__init__([summary, *parts])
        self.add_class("vco-live").add_class(self._fallback.css_class)
        self._on_filter()

    # -- filter ----------------------------------------------------------------------------------

    def _filters(self) -> Any:
        severities = [("all", ""), *((name, name) for name in by_severity(self.findings))]
        self.severity = ipywidgets.ToggleButtons(options=severities, value="")
        self.severity.style.button_width = "auto"
        self.severity.layout.width = "auto"
        counts = by_rule(self.findings).groupby("rule", sort=False, observed=True)["rows"].sum()
        rules = [(f"{name} ({count:,})", str(name)) for name, count in counts.items()]
        self.rule = ipywidgets.Dropdown(options=[("all rules", ""), *rules], value="")
        self.rule.layout.width = "230px"
        names = self.findings["vpn_connection_id"].dropna().unique()
        self._connections = {printable(name): str(name) for name in sorted(map(str, names))}
        self.connection = ipywidgets.Combobox(
            options=list(self._connections)[:_OFFERED],
            placeholder="connection",
            continuous_update=False,
            layout={"width": "230px"},
        )
        self.search = ipywidgets.Text(
            placeholder="search messages, destinations, lines …",
            continuous_update=False,
            layout={"width": "290px"},
        )
        filters = (self.severity, self.rule, self.connection, self.search)
        for control in filters:
            control.observe(self._on_filter, "value")
        return ipywidgets.HBox(filters, layout={"flex_flow": "row wrap", "align_items": "center"})

    def choose(
        self,
        *,
        rule: str = "",
        severity: str = "",
        connection: str = "",
        words: str | None = None,
    ) -> None:
        """Show only findings of a rule, severity or connection, or with some text.

        Parameters
        ----------
        rule, severity, connection : str
            By default any.
        words : str, optional
            By default the text in the search box.
        """
        if rule not in [value for _, value in self.rule.options]:
            self.rule.options = (*self.rule.options, (f"{rule} (0)", rule))
        if severity not in [value for _, value in self.severity.options]:
            raise InputError(f"not a severity: {severity}", remedy="One of error, warning, info")
        chosen = {self.severity: severity, self.rule: rule, self.connection: connection}
        if words is not None:
            chosen[self.search] = words
        for control, value in chosen.items():
            control.value = value  # this calls `_on_filter` if the value changes

    def _on_filter(self, _: Any = None) -> None:
        name = self.connection.value.strip()
        exact = self._connections.get(name, "")
        self._rows.filter(
            {
                "rule": self.rule.value,
                "severity": self.severity.value,
                "vpn_connection_id": exact,
            },
            search=self.search.value,
            contains={} if exact else {"vpn_connection_id": name},
        )
        self.table.pick(0 if len(self._rows.positions) else None)

    @property
    def shown(self) -> pd.DataFrame:
        """The findings on all pages that pass the filters, in the order of the table."""
        return self.findings.iloc[self._rows.positions]

    def _on_pick(self, position: int | None) -> None:
        if position is None:
            self._detail.value = wrap(muted("No finding passes these filters"))
        else:
            finding = self.findings.iloc[position]
            sentence = self._rules[str(finding["rule"])].summary
            self._detail.value = detail_html(self.routes, finding, sentence)
        self._show_actions()

    # -- accept ----------------------------------------------------------------------------------

    def _actions(self) -> Any:
        self.accept = _button("Accept suggestion", "check", self.accept_picked)
        self.accept_shown = _button("Accept all shown", "check", self.accept_all)
        self.undo = _button("Accept none", "undo", self.accept_none)
        self.path = ipywidgets.Text("corrected.csv", layout={"width": "220px"})
        self.export = _button("Export corrected routes", "save", self._on_export)
        buttons = [self.accept, self.accept_shown, self.undo, self.path, self.export]
        row = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})
        return ipywidgets.VBox([row, self._status])

    def _show_actions(self) -> None:
        open_here = int((self._fixable & ~self._accepted)[self._rows.positions].sum())
        picked = self.table.picked
        usable = picked is not None and self._fixable[picked] and not self._accepted[picked]
        self.accept.disabled = not usable
        self.accept_shown.disabled = not open_here
        number = f"{open_here:,} " if open_here else ""
        self.accept_shown.description = f"Accept all {number}shown"
        accepted = int(self._accepted.sum())
        self.undo.disabled = not accepted
        self._status.value = wrap(
            muted(
                f"{pluralize(accepted, 'suggestion')} accepted. view.corrected is the new frame"
                if accepted
                else "Accepting makes a new frame. The routes you passed are never changed"
            )
        )

    def accept_picked(self) -> None:
        """Accept the suggestion of the picked finding."""
        if self.table.picked is not None:
            self._accepted[self.table.picked] = self._fixable[self.table.picked]
        self._show_actions()

    def accept_all(self) -> None:
        """Accept the suggestions of all findings that pass the filters, on all pages."""
        positions = self._rows.positions
        self._accepted[positions] |= self._fixable[positions]
        self._show_actions()

    def accept_none(self) -> None:
        """Undo all accepted suggestions."""
        self._accepted[:] = False
        self._show_actions()

    @property
    def accepted(self) -> pd.DataFrame:
        """The findings whose suggestions were accepted."""
        return self.findings[self._accepted]

    @property
    def corrected(self) -> pd.DataFrame:
        """A new frame: the routes with the accepted suggestions in their cells."""
        return apply_suggestions(self.routes, self.accepted)

    def _on_export(self) -> None:
        path = Path(self.path.value)
        try:
            if path.exists():
                status = f"{path} exists already. Choose another name"
            else:
                write_routes(self.corrected, path)
                status = f"{pluralize(len(self.routes), 'route')} written to {path.resolve()}"
        except (VcokitError, OSError) as error:
            status = f"not written: {error}"
        self._status.value = wrap(escape(status))

    # -- shown -----------------------------------------------------------------------------------

    def __repr__(self) -> str:
        found = pluralize(len(self.findings), "finding")
        return f"<AuditView: {found} in {pluralize(len(self.routes), 'route')}>"

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget, and publish its static fallback for the saved notebook."""
        rule = self._fallback.hides_view
        html = static_html(self.routes, self.findings, rule, self._held_back)
        return self._fallback.bundle(super()._repr_mimebundle_(**given), html, repr(self))


def _check(routes: pd.DataFrame, findings: pd.DataFrame) -> None:
    """Refuse invalid findings and findings of other routes."""
    schema.require_columns(routes, (), what="routes")
    there = findings.columns if isinstance(findings, pd.DataFrame) else ()
    missing = [name for name in schema.FINDINGS if name not in there]
    if missing:
        raise InputError(f"not findings: there is no column {missing[0]}", remedy=_REMEDY)
    if len(findings) and findings["row"].max() >= len(routes):
        raise InputError("these findings are of other routes: they name more rows", remedy=_REMEDY)


def _button(label: str, icon: str, on_click: Any) -> Any:
    button = ipywidgets.Button(description=label, icon=icon, layout={"width": "auto"})
    button.on_click(lambda _: on_click())
    return button


# -- HTML: pure functions from findings and routes to what is shown -------------------------------


def summary_html(routes: pd.DataFrame, findings: pd.DataFrame, held_back: str = "") -> str:
    """Return the number of rows by severity, and a bar of rows by their worst severity."""
    worst = findings.groupby("row")["severity"].max().value_counts()
    labels = {"error": "errors", "warning": "warnings at most", "info": "info at most"}
    parts = [(f"v-{name}", label, int(worst.get(name, 0))) for name, label in labels.items()]
    clean = len(routes) - sum(number for *_, number in parts)
    rows = ", ".join(
        f"{number:,} with {name if name == 'info' else f'{name}s'}"
        for name, number in by_severity(findings).items()
    )
    counts = f"{pluralize(len(routes), 'route')}, {pluralize(len(findings), 'finding')}"
    text = "; ".join(part for part in (f"{counts}; rows: {rows}", held_back) if part)
    return wrap(
        f'<span class="t">Audit</span>{muted(text)}',
        stacked_bar([*parts, ("s-done", "no finding", clean)]),
    )


def rules_html(findings: pd.DataFrame) -> str:
    """Return the findings by rule as a list that opens with a click."""
    counts = by_rule(findings)
    number = pluralize(counts["rule"].nunique(), "rule")
    return wrap(f"<details><summary>Findings by rule: {number}</summary>{_rules(counts)}</details>")


def _rules(counts: pd.DataFrame) -> str:
    columns = (("rule", "24%"), ("severity", "14%"), ("rows", "10%"), ("", "auto"))
    names = ("rule", "severity", "rows", "sentence")
    return table(columns, zip(*(counts[name] for name in names), strict=True), multiline=True)


def _place(findings: pd.DataFrame) -> pd.Series:
    """Return the line of each finding, or its row if the routes have no lines."""
    return findings["line"].astype("object").where(findings["line"].notna(), findings["row"])


def finding_cells(findings: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """Return the cells of some findings, in the order of `COLUMNS`."""
    names = ["severity", "rule", "route_dest", "vpn_connection_id", "message", "suggestion"]
    return zip(_place(findings), *(findings[name] for name in names), strict=True)


def detail_html(routes: pd.DataFrame, finding: pd.Series, sentence: str) -> str:
    """Return one finding in full: its meaning, its row, and the related row beside it.

    Parameters
    ----------
    routes : DataFrame
        The audited routes.
    finding : Series
        A row of the findings.
    sentence : str
        Summary of its rule.
    """
    rule, severity = str(finding["rule"]), str(finding["severity"])
    code = printable(finding["api_code"])
    answer = f" {muted('· the cloud would answer')} <code>{escape(code)}</code>" if code else ""
    related = finding["related_row"]
    places = [int(finding["row"])] + ([] if pd.isna(related) else [int(related)])
    return wrap(
        f'<div><span class="key"><i class="v-{escape(severity)}"></i><b>{escape(rule)}</b></span>'
        f"{escape(sentence)}{answer}</div><div>{escape(finding['message'])}</div>",
        _rows_side_by_side(routes, places, printable(finding["column"]), finding["suggestion"]),
    )


def _rows_side_by_side(
    routes: pd.DataFrame, places: list[int], fault: str, suggestion: object
) -> str:
    """Return routes side by side, one line per field; different fields are marked."""
    names = [name for name in schema.ROUTES if name != "weight_text" and name in routes.columns]
    names += [name for name in routes.columns if name not in schema.ROUTES]
    labels = [f"row {places[0]}", *(f"related row {place}" for place in places[1:])]
    head = "".join(f"<th>{escape(label)}</th>" for label in ["", *labels, "suggestion"])
    body = ""
    for name in map(str, names):
        cells = [_cell(routes.iloc[place], name) for place in places]
        differs = name == fault or (name in schema.ROUTES_REQUIRED and len(set(cells)) > 1)
        kind = ' class="diff"' if differs else ""
        values = "".join(f"<td{kind}>{escape(cell)}</td>" for cell in cells)
        better = escape(suggestion) if name == fault else ""
        body += f"<tr><td>{muted(name)}</td>{values}<td><b>{better}</b></td></tr>"
    return (
        '<table class="wrap"><colgroup><col style="width:150px"></colgroup>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(row: pd.Series, name: str) -> str:
    value = row[name]
    if name == "weight" and pd.isna(value):
        value = row.get("weight_text")
    return printable(value)


def static_html(
    routes: pd.DataFrame, findings: pd.DataFrame, css: str = "", held_back: str = ""
) -> str:
    """Return the counts and the first findings as HTML that needs no kernel and no script."""
    html = style_tag(css) + summary_html(routes, findings, held_back)
    if not len(findings):
        return html
    first = findings.iloc[:STATIC_ROWS]
    cut = f"the first {len(first):,} of {len(findings):,} findings"
    note = muted(cut if len(first) < len(findings) else "")
    long = scroll_box(table(COLUMNS, finding_cells(first), multiline=True))
    return html + wrap(_rules(by_rule(findings)), f"<h4>Findings {note}</h4>", long)
