"""The findings of an audit, to look through: by rule, by words, page by page, row by row.

::

    routes, findings ─▶ Chosen ─▶ PagedTable ─▶ the page: the rows shown, never all
                          ▲            │ a row is clicked
           rules, search ─┘            ▼
                                     detail ─▶ accept ─▶ corrected (a new frame) ─▶ export
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import ipywidgets
import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.audit import Review, apply_suggestions, audit_routes
from vcokit.audit.findings import by_rule, by_severity, rules_of
from vcokit.errors import InputError, VcokitError
from vcokit.inventory import write_routes
from vcokit.palette import SEVERITIES
from vcokit.widgets import audit_html
from vcokit.widgets.chosen import Chosen
from vcokit.widgets.companion import Companion
from vcokit.widgets.paged import PagedTable
from vcokit.widgets.style import grey, page, sheet, text

_WIDEST = 420  # pixels of the longest bar
_REMEDY: Final = (
    "Hand over what vk.audit_routes(routes) returns, or no findings; live routes, connections and "
    "a quota take part by vk.audit_routes(routes, live=…, connections=…, quota=…)"
)


class AuditView(ipywidgets.VBox):  # type: ignore[misc]
    """The findings of an audit, to look through and to take suggestions from.

    Parameters
    ----------
    routes : DataFrame
        What was audited; never changed.
    findings : DataFrame or Review, optional
        From `audit_routes`, or from `review_findings`; by default the routes are audited now.

    Raises
    ------
    InputError
        If the routes cannot be audited, or the findings are none, or of other routes.

    Attributes
    ----------
    corrected : DataFrame
        The routes with the suggestions accepted so far; a new frame each time.
    accepted : DataFrame
        The findings whose suggestion was accepted.

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
        self._taken = np.zeros(len(self.findings), dtype=np.bool_)
        self._fixable = self.findings["suggestion"].notna().to_numpy()
        self._rule = self._severity = ""
        self._chosen = Chosen(self.findings, audit_html.SEARCHED)
        self.search = ipywidgets.Text(
            placeholder="search messages, destinations, connections, lines …",
            continuous_update=False,
            layout={"width": "360px"},
        )
        self.search.observe(self._on_search, "value")
        self.table = PagedTable(self._chosen, audit_html.HEADS, audit_html.cells, self._on_pick)
        self._detail = ipywidgets.HTML()
        self._said = ipywidgets.HTML()
        self._companion = Companion()
        summary = ipywidgets.HTML(
            sheet(self._companion.hides_copy)
            + audit_html.summary(routes, self.findings, self._held_back)
        )
        parts = [self._bars(), self.search, self.table, self._detail, self._actions()]
        # Of a clean inventory there is nothing to look through.
        super().__init__([summary, *(parts if len(self.findings) else [])])
        self.add_class("vco-live").add_class(self._companion.mark)
        self._show_chosen()

    # -- choose ----------------------------------------------------------------------------------

    def _bars(self) -> Any:
        """Return a row a rule: a button that names it, and one that is as long as its count."""
        self.rule_buttons: dict[tuple[str, str], Any] = {}
        counted = by_rule(self.findings)
        most = int(counted["rows"].max()) if len(counted) else 1
        lines = [
            self._bar(str(rule), str(severity), int(count), most, str(sentence))
            for rule, severity, count, sentence in counted.itertuples(index=False)
        ]
        self.every = _button("all findings", "", lambda _: self.choose())
        self.severity_buttons = {
            name: _button(f"{name} only", "", functools.partial(self._on_severity, name))
            for name in by_severity(self.findings)
        }
        wide = ipywidgets.HBox([self.every, *self.severity_buttons.values()])
        return ipywidgets.VBox([*lines, wide])

    def _bar(self, rule: str, severity: str, count: int, most: int, sentence: str) -> Any:
        slim = {"height": "24px", "margin": "1px 4px 1px 0"}
        name = ipywidgets.Button(description=rule, tooltip=sentence, layout={"width": "190px"})
        bar = ipywidgets.Button(tooltip=f"{severity}: {count:,}")
        bar.style.button_color = SEVERITIES[severity]
        wide = {"width": f"{max(6, _WIDEST * count // most)}px", "min_width": "6px"}
        bar.layout = {**slim, **wide, "padding": "0"}
        name.layout = {**slim, "width": "190px"}
        self.rule_buttons[rule, severity] = name
        pick = functools.partial(self._on_rule, rule, severity)
        name.on_click(pick)
        bar.on_click(pick)
        number = ipywidgets.HTML(page(f"<b>{count:,}</b> {grey(severity)}"))
        return ipywidgets.HBox([name, bar, number], layout={"align_items": "center"})

    def _on_rule(self, rule: str, severity: str, _: Any) -> None:
        again = (rule, severity) == (self._rule, self._severity)
        self.choose() if again else self.choose(rule=rule, severity=severity)

    def _on_severity(self, severity: str, _: Any) -> None:
        self.choose(severity=severity)

    def _on_search(self, _: Any) -> None:
        self._show_chosen()

    def choose(self, *, rule: str = "", severity: str = "", words: str | None = None) -> None:
        """Show the findings of a rule, of a severity, that hold some words; by default any.

        Parameters
        ----------
        rule, severity : str
        words : str, optional
            By default what stands in the search box.
        """
        self._rule, self._severity = rule, severity
        if words is not None and words != self.search.value:
            self.search.value = words  # which shows them
        else:
            self._show_chosen()

    def _show_chosen(self) -> None:
        equal = {"rule": self._rule, "severity": self._severity}
        self._chosen.choose(equal, self.search.value)
        for key, button in self.rule_buttons.items():
            button.button_style = "primary" if key == (self._rule, self._severity) else ""
        for name, button in self.severity_buttons.items():
            alone = not self._rule and name == self._severity
            button.button_style = "primary" if alone else ""
        self.table.pick(0 if len(self._chosen.positions) else None)

    @property
    def shown(self) -> pd.DataFrame:
        """The findings that are chosen, of all pages."""
        return self.findings.iloc[self._chosen.positions]

    # -- look ------------------------------------------------------------------------------------

    def _on_pick(self, position: int | None) -> None:
        if position is None:
            self._detail.value = page(grey("No finding of this kind"))
        else:
            finding = self.findings.iloc[position]
            sentence = self._rules[str(finding["rule"])].summary
            self._detail.value = audit_html.detail(self.routes, finding, sentence)
        self._show_actions()

    # -- accept ----------------------------------------------------------------------------------

    def _actions(self) -> Any:
        self.accept = _button("Accept suggestion", "check", lambda _: self.accept_picked())
        self.accept_shown = _button("Accept all shown", "check", lambda _: self.accept_all())
        self.undo = _button("Accept none", "undo", lambda _: self.accept_none())
        self.path = ipywidgets.Text("corrected.csv", layout={"width": "220px"})
        self.export = _button("Export corrected routes", "save", self._on_export)
        first = ipywidgets.HBox([self.accept, self.accept_shown, self.undo])
        return ipywidgets.VBox(
            [first, ipywidgets.HBox([self.path, self.export]), self._said],
        )

    def _show_actions(self) -> None:
        open_here = int((self._fixable & ~self._taken)[self._chosen.positions].sum())
        picked = self.table.picked
        usable = picked is not None and self._fixable[picked] and not self._taken[picked]
        self.accept.disabled = not usable
        self.accept_shown.disabled = not open_here
        number = f"{open_here:,} " if open_here else ""
        self.accept_shown.description = f"Accept all {number}shown"
        taken = int(self._taken.sum())
        self.undo.disabled = not taken
        said = (
            f"{pluralize(taken, 'suggestion')} accepted; view.corrected is the new frame"
            if taken
            else ("Accepting makes a new frame; what was read is never changed")
        )
        self._said.value = page(grey(said))

    def accept_picked(self) -> None:
        """Accept the suggestion of the finding that is picked."""
        if self.table.picked is not None:
            self._taken[self.table.picked] = self._fixable[self.table.picked]
        self._show_actions()

    def accept_all(self) -> None:
        """Accept the suggestions of all findings that are chosen, on whatever page."""
        positions = self._chosen.positions
        self._taken[positions] |= self._fixable[positions]
        self._show_actions()

    def accept_none(self) -> None:
        """Take back what was accepted."""
        self._taken[:] = False
        self._show_actions()

    @property
    def accepted(self) -> pd.DataFrame:
        """The findings whose suggestion was accepted."""
        return self.findings[self._taken]

    @property
    def corrected(self) -> pd.DataFrame:
        """A new frame: the routes with the accepted suggestions in their cells."""
        return apply_suggestions(self.routes, self.accepted)

    # -- export ----------------------------------------------------------------------------------

    def _on_export(self, _: Any) -> None:
        path = Path(self.path.value)
        if path.exists():
            self._say(f"{path} is there already: choose another name")
            return
        try:
            write_routes(self.corrected, path)
        except (VcokitError, OSError) as error:
            self._say(f"not written: {error}")
        else:
            self._say(f"{pluralize(len(self.routes), 'route')} written to {path.resolve()}")

    def _say(self, words: str) -> None:
        self._said.value = page(text(words))

    def __repr__(self) -> str:
        found = pluralize(len(self.findings), "finding")
        return f"<AuditView: {found} in {pluralize(len(self.routes), 'route')}>"

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget; put its static copy beside it, for the saved notebook."""
        rule = self._companion.hides_view
        html = audit_html.static_page(self.routes, self.findings, rule, self._held_back)
        return self._companion.bundle(super()._repr_mimebundle_(**given), html, repr(self))


def _check(routes: pd.DataFrame, findings: pd.DataFrame) -> None:
    """Refuse what are no findings of these routes."""
    schema.require_columns(routes, (), what="routes")
    there = findings.columns if isinstance(findings, pd.DataFrame) else ()
    missing = [name for name in schema.FINDINGS if name not in there]
    if missing:
        raise InputError(f"no findings: there is no column {missing[0]}", remedy=_REMEDY)
    if len(findings) and findings["row"].max() >= len(routes):
        raise InputError("the findings are of other routes: they name more rows", remedy=_REMEDY)


def _button(words: str, icon: str, clicked: Any) -> Any:
    button = ipywidgets.Button(description=words, icon=icon, layout={"width": "auto"})
    button.on_click(clicked)
    return button
