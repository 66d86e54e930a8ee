"""`PlanView`: inspect a plan before anything is sent.

::

    plan ─▶ connections ─▶ PagedTable ─ a connection is picked ─▶ PagedTable of its steps
      ├───▶ blocked steps, with reasons
      └───▶ forecast ─▶ timeline (a picture)      made on request
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import ipywidgets
import pandas as pd

from vcokit._text import duration, pluralize
from vcokit.audit.columns import count_connections, is_connection
from vcokit.errors import InputError
from vcokit.rollout import forecast as forecasts
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.plan import Plan
from vcokit.rollout.steps import Action
from vcokit.widgets._html import escape, muted, scroll_box, stacked_bar, style_tag, table, wrap
from vcokit.widgets._static import StaticFallback
from vcokit.widgets.table import FilteredFrame, PagedTable, SortKey, by_column, by_destination
from vcokit.widgets.timeline import timeline_png

#: Colour of an action: the colour of the state that its steps will have, or already have.
COLOURS: Final = {
    Action.CREATE: "s-accepted",
    Action.MODIFY: "s-sent",
    Action.DELETE: "s-failed",
    Action.KEEP: "s-done",
    Action.BLOCKED: "s-blocked",
}
CONNECTION_COLUMNS: Final = (
    ("connection", "34%"),
    ("region", "18%"),
    *((action, "9.6%") for action in COLOURS),
)
STEP_COLUMNS: Final = (
    ("step", "70px"),
    ("line", "68px"),
    ("action", "84px"),
    ("destination", "150px"),
    ("before → after", "220px"),
    ("next hop", "190px"),
    ("reason or description", "auto"),
)
BLOCKED_COLUMNS: Final = (
    ("line", "68px"),
    ("destination", "150px"),
    ("connection", "190px"),
    ("reason", "auto"),
)
_SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "step": by_column("step"),
    "line": by_column("line"),
    "action": lambda steps: steps["action"].astype("str"),
    "destination": by_destination,
    "connection": by_column("vpn_connection_id"),
    "next hop": by_column("next_hop"),
    "reason": by_column("message"),
}
_CONNECTION_SORT_KEYS: Final[Mapping[str, SortKey]] = {
    "connection": by_column("vpn_connection_id"),
    "region": by_column("region_id"),
    **{action: by_column(action) for action in COLOURS},
}
_STATIC_ROWS: Final = 50
_REMEDY: Final = "Make one with vk.plan_routes(routes, live), or read one with vk.Plan.load(path)"


class PlanView(ipywidgets.VBox):  # type: ignore[misc]
    """A view of a plan, to inspect it before anything is sent.

    Parameters
    ----------
    plan : Plan
    forecast : Forecast, optional
        From `vcokit.forecast`. By default a button makes it.

    Raises
    ------
    InputError
        If it is not a plan.

    Examples
    --------
    >>> import pandas as pd
    >>> from vcokit import schema
    >>> from vcokit.rollout.plan import plan_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> PlanView(plan_routes(routes, schema.frame(schema.LIVE_ROUTES)))
    <PlanView 1 create, 0 modify, 0 delete, 0 keep, 1 blocked>
    """

    def __init__(self, plan: Plan, *, forecast: Forecast | None = None) -> None:
        if not isinstance(plan, Plan):
            raise InputError(f"not a plan: {type(plan).__name__}", remedy=_REMEDY)
        self.plan = plan
        self.forecast = forecast
        self._fallback = StaticFallback()
        self._head = ipywidgets.HTML()
        style = ipywidgets.HTML(style_tag(self._fallback.hides_fallback))
        style.layout.display = "none"
        titles = ["By connection", f"Blocked ({plan.counts[Action.BLOCKED]:,})", "Forecast"]
        tabs = [self._connections_tab(), self._blocked_tab(), self._forecast_tab()]
        self.tabs = ipywidgets.Tab(tabs, titles=titles)
        super().__init__([style, self._head, self.tabs])
        self.add_class("vco-live").add_class(self._fallback.css_class)
        self._show_forecast()

    # -- by connection ---------------------------------------------------------------------------

    def _connections_tab(self) -> Any:
        self._connections = connections_of(self.plan)
        rows = FilteredFrame(self._connections, ("vpn_connection_id", "region_id"), page_size=8)
        self._steps = FilteredFrame(self.plan.steps, ("route_dest", "description", "message"))
        self.steps = PagedTable(self._steps, STEP_COLUMNS, step_cells, _SORT_KEYS)
        self._heading = ipywidgets.HTML()
        self.connections = PagedTable(
            rows, CONNECTION_COLUMNS, connection_cells, _CONNECTION_SORT_KEYS, self._on_pick
        )
        self.search = ipywidgets.Text(
            placeholder="search connections and regions", continuous_update=False
        )
        self.search.observe(self._on_search, "value")
        self.connections.pick(0)
        return ipywidgets.VBox([self.search, self.connections, self._heading, self.steps])

    def _on_search(self, _: Any) -> None:
        self.connections.rows.filter({}, self.search.value)
        self.connections.pick(0)

    def _on_pick(self, position: int | None) -> None:
        if position is not None:
            name = str(self._connections["vpn_connection_id"].iloc[position])
            self._steps.filter({"vpn_connection_id": name})
            self._heading.value = wrap(f"<h4>Steps of {escape(name)}</h4>")
            self.steps.show()

    # -- blocked ---------------------------------------------------------------------------------

    def _blocked_tab(self) -> Any:
        steps = self.plan.steps
        blocked = steps[steps["action"] == Action.BLOCKED].reset_index(drop=True)
        self.blocked = PagedTable(
            FilteredFrame(blocked, ("message",)), BLOCKED_COLUMNS, blocked_cells, _SORT_KEYS
        )
        reasons = ipywidgets.HTML(reasons_html(self.plan))
        return ipywidgets.VBox([reasons, *([self.blocked] if len(blocked) else [])])

    # -- forecast --------------------------------------------------------------------------------

    def _forecast_tab(self) -> Any:
        self.ask = ipywidgets.Button(description="Make a forecast", layout={"width": "auto"})
        self.ask.on_click(self._on_ask)
        self._picture = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        self._total = ipywidgets.HTML()
        return ipywidgets.VBox([self.ask, self._total, self._picture])

    def _on_ask(self, _: Any) -> None:
        self.forecast = forecasts.forecast(self.plan)
        self._show_forecast()

    def _show_forecast(self) -> None:
        self._head.value = summary_html(self.plan, self.forecast)
        self._picture.layout.display = "none"
        if self.forecast is None:
            return
        self.ask.layout.display = "none"
        seconds = duration(round(self.forecast.seconds))
        writes = self.forecast.calls.get("Send", 0)
        reads = sum(self.forecast.calls.values()) - writes
        calls = f"{pluralize(writes, 'writing call')}, {pluralize(reads, 'reading call')}"
        self._total.value = wrap(f"About <b>{escape(seconds)}</b> in total, with {escape(calls)}")
        if len(self.forecast.times):
            self._picture.value = timeline_png(self.plan, self.forecast)
            self._picture.layout.display = None

    # -- shown -----------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<PlanView {self.plan}>"

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget, and publish its static fallback for the saved notebook."""
        html = static_html(self.plan, self.forecast, self._fallback.hides_view)
        return self._fallback.bundle(super()._repr_mimebundle_(**given), html, repr(self))


# -- HTML and frames: pure functions of a plan ----------------------------------------------------


def summary_html(plan: Plan, forecast: Forecast | None = None) -> str:
    """Return the number of steps by action, and their approximate duration."""
    seconds = duration(round(forecast.seconds)) if forecast else ""
    about = f" {muted('· about')} <b>{escape(seconds)}</b>" if seconds else ""
    on_connections = int(is_connection(plan.steps["vpn_connection_id"]).sum())
    others = len(plan.steps) - on_connections
    text = f"{pluralize(on_connections, 'step')} on "
    text += pluralize(count_connections(plan.steps), "connection")
    text += f", {pluralize(others, 'row')} without a valid one" if others else ""
    return wrap(
        f'<span class="t">Plan</span><code>{escape(plan.fingerprint[:12])}</code> '
        f"{muted(text)}{about}",
        stacked_bar((colour, action, plan.counts[action]) for action, colour in COLOURS.items()),
    )


def connections_of(plan: Plan) -> pd.DataFrame:
    """Return one row per connection, in the order of the plan: its region, its steps by action.

    Rows without a valid connection are omitted. They are blocked, and listed as blocked.
    """
    steps = plan.steps[is_connection(plan.steps["vpn_connection_id"])]
    name = steps["vpn_connection_id"]
    counts = pd.crosstab(name, steps["action"].astype("str"))
    counts = counts.reindex(columns=list(COLOURS), fill_value=0)
    region = steps["region_id"].fillna("").groupby(name).first()
    return counts.join(region).loc[name.unique()].rename_axis("vpn_connection_id").reset_index()


def connection_cells(connections: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the cells of some connections; a count of 0 is empty, so that others are visible."""
    counts = (
        connections[action].astype("object").where(connections[action] > 0, "")
        for action in COLOURS
    )
    return zip(connections["vpn_connection_id"], connections["region_id"], *counts, strict=True)


def step_cells(steps: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the cells of some steps, in the order of `STEP_COLUMNS`."""
    names = ("action", "old_weight", "weight")
    values = (steps[name].astype("object").where(steps[name].notna(), None) for name in names)
    changes = (change(*row) for row in zip(*values, strict=True))
    first = (steps[name] for name in ("step", "line", "action", "route_dest"))
    reason = steps["message"].where(steps["message"].notna(), steps["description"])
    return zip(*first, changes, steps["next_hop"], reason, strict=True)


def change(action: str, old_weight: int | None, weight: int | None) -> str:
    """Return what a step changes, as before → after.

    Examples
    --------
    >>> change("create", None, 100), change("modify", 100, 0)
    ('none → active (100)', 'active (100) → standby (0)')
    >>> change("delete", None, 0), change("keep", None, 0), change("blocked", None, None)
    ('standby (0) → none', 'standby (0), unchanged', 'nothing is sent')
    """
    before, after = _weight(old_weight), _weight(weight)
    return {
        Action.CREATE: f"none → {after}",
        Action.MODIFY: f"{before} → {after}",
        Action.DELETE: f"{after} → none",
        Action.KEEP: f"{after}, unchanged",
        Action.BLOCKED: "nothing is sent",
    }[Action(action)]


def _weight(weight: int | None) -> str:
    names = {100: "active (100)", 0: "standby (0)"}
    return "none" if weight is None else names.get(weight, str(weight))


def reasons_of(plan: Plan) -> pd.DataFrame:
    """Return why steps are blocked, the most frequent reason first: columns reason, steps.

    A reason is the rule at the beginning of the message, or else the message itself.
    """
    blocked = plan.steps.loc[plan.steps["action"] == Action.BLOCKED, "message"].fillna(
        "no reason given"
    )
    rule = blocked.str.extract(r"^([a-z0-9-]+): ", expand=False)
    counts = rule.where(rule.notna(), blocked).value_counts()
    return counts.rename_axis("reason").rename("steps").reset_index()


def reasons_html(plan: Plan) -> str:
    """Return a table of the reasons of blocked steps, or a note that no step is blocked."""
    reasons = reasons_of(plan)
    if not len(reasons):
        return wrap("Nothing is blocked.")
    columns = (("reason", "auto"), ("steps", "90px"))
    rows = zip(reasons["reason"], reasons["steps"], strict=True)
    return wrap(table(columns, rows, multiline=True))


def blocked_cells(steps: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Return the cells of some blocked steps, in the order of `BLOCKED_COLUMNS`."""
    names = ("line", "route_dest", "vpn_connection_id", "message")
    return zip(*(steps[name] for name in names), strict=True)


def static_html(plan: Plan, forecast: Forecast | None = None, css: str = "") -> str:
    """Return the plan as HTML that needs no kernel and no script."""
    rows = connections_of(plan)
    cut = f"the first {_STATIC_ROWS} of {len(rows):,}" if len(rows) > _STATIC_ROWS else ""
    long = scroll_box(table(CONNECTION_COLUMNS, connection_cells(rows.iloc[:_STATIC_ROWS])))
    blocked = wrap("<h4>Blocked</h4>") + reasons_html(plan) if plan.counts[Action.BLOCKED] else ""
    html = style_tag(css) + summary_html(plan, forecast)
    return html + wrap(f"<h4>Connections {muted(cut)}</h4>", long) + blocked
