"""A plan, to look through before anything is sent: by connection, what is blocked, how long.

::

    plan ─▶ connections ─▶ PagedTable ─a connection is clicked─▶ PagedTable of its steps
      ├───▶ blocked steps, with reasons
      └───▶ forecast ─▶ timeline (a picture)      made when it is asked for
"""

from __future__ import annotations

from typing import Any, Final

import ipywidgets

from vcokit._text import duration
from vcokit.errors import InputError
from vcokit.rollout import forecast as forecasts
from vcokit.rollout.forecast import Forecast
from vcokit.rollout.plan import Plan
from vcokit.widgets import plan_html
from vcokit.widgets.chosen import Chosen
from vcokit.widgets.companion import Companion
from vcokit.widgets.paged import PagedTable
from vcokit.widgets.style import page, sheet, text
from vcokit.widgets.timeline import timeline_png

_REMEDY: Final = "Make one with vk.plan_routes(routes, live), or read one with vk.Plan.load(path)"


class PlanView(ipywidgets.VBox):  # type: ignore[misc]
    """A plan, to look through before anything is sent.

    Parameters
    ----------
    plan : Plan
    forecast : Forecast, optional
        From `vcokit.forecast`; by default made when it is asked for.

    Raises
    ------
    InputError
        If it is no plan.

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
            raise InputError(f"no plan: {type(plan).__name__}", remedy=_REMEDY)
        self.plan = plan
        self.forecast = forecast
        self._companion = Companion()
        self._head = ipywidgets.HTML()
        style = ipywidgets.HTML(sheet(self._companion.hides_copy), layout={"display": "none"})
        tabs = [self._by_connection(), self._blocked(), self._timeline()]
        self.tabs = ipywidgets.Tab(tabs, titles=self._titles())
        super().__init__([style, self._head, self.tabs])
        self.add_class("vco-live").add_class(self._companion.mark)
        self._show_forecast()

    def _titles(self) -> list[str]:
        return ["By connection", f"Blocked ({self.plan.counts['blocked']:,})", "How long"]

    # -- by connection ---------------------------------------------------------------------------

    def _by_connection(self) -> Any:
        self._lanes = plan_html.connections(self.plan)
        searched = ("vpn_connection_id", "region_id")
        chosen = Chosen(self._lanes, searched, rows_a_page=8)
        self.connections = PagedTable(
            chosen, plan_html.LANE_HEADS, plan_html.lane_cells, self._on_lane
        )
        self._steps = Chosen(self.plan.steps, ("route_dest", "description", "message"))
        self.steps = PagedTable(self._steps, plan_html.STEP_HEADS, plan_html.step_cells)
        self._lane = ipywidgets.HTML()
        self.search = ipywidgets.Text(
            placeholder="search connections and regions", continuous_update=False
        )
        self.search.observe(self._on_search, "value")
        self.connections.pick(0)
        return ipywidgets.VBox([self.search, self.connections, self._lane, self.steps])

    def _on_search(self, _: Any) -> None:
        self.connections.chosen.choose({}, self.search.value)
        self.connections.pick(0)

    def _on_lane(self, position: int | None) -> None:
        if position is None:
            return
        name = str(self._lanes["vpn_connection_id"].iloc[position])
        self._steps.choose({"vpn_connection_id": name})
        self._lane.value = page(f"<h4>Steps of {text(name)}</h4>")
        self.steps.show()

    # -- blocked ---------------------------------------------------------------------------------

    def _blocked(self) -> Any:
        chosen = Chosen(plan_html.blocked_steps(self.plan), ("message",))
        self.blocked = PagedTable(chosen, plan_html.BLOCKED_HEADS, plan_html.blocked_cells)
        return ipywidgets.VBox([ipywidgets.HTML(plan_html.reasons_html(self.plan)), self.blocked])

    # -- how long --------------------------------------------------------------------------------

    def _timeline(self) -> Any:
        self.ask = ipywidgets.Button(description="Make a forecast", layout={"width": "auto"})
        self.ask.on_click(self._on_ask)
        self._picture = ipywidgets.Image(format="png", layout={"max_width": "100%"})
        self._words = ipywidgets.HTML()
        return ipywidgets.VBox([self.ask, self._words, self._picture])

    def _on_ask(self, _: Any) -> None:
        self.forecast = forecasts.forecast(self.plan)
        self._show_forecast()

    def _show_forecast(self) -> None:
        self._head.value = plan_html.summary(self.plan, self._takes())
        self._picture.layout.display = "none"
        if self.forecast is None:
            return
        self.ask.layout.display = "none"
        made = self.forecast.calls.items()
        calls = ", ".join(f"{count:,} {name.lower()}" for name, count in made)
        said = f"In all about <b>{text(self._takes())}</b>, with {text(calls)} calls."
        self._words.value = page(said)
        if len(self.forecast.times):
            self._picture.value = timeline_png(self.plan, self.forecast)
            self._picture.layout.display = None

    def _takes(self) -> str:
        return duration(round(self.forecast.seconds)) if self.forecast else ""

    # -- kept ------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<PlanView {self.plan}>"

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """Return the widget; put its static copy beside it, for the saved notebook."""
        html = plan_html.static_page(self.plan, self._takes(), self._companion.hides_view)
        return self._companion.bundle(super()._repr_mimebundle_(**given), html, repr(self))
