"""Render every plot, light and dark, for `docs/plots.md`: ``make pictures``.

The inventory is the demo's, the rollout is carried out by the simulator from a seed. Bars, map and
tree are the same each time; times of calls are those of this run.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot

import vcokit as vk
from vcokit import plots

ROOT: Final = Path(__file__).parent.parent
OUT: Final = ROOT / "docs" / "pictures"
#: Largest picture that is kept, bytes.
LARGEST: Final = 120_000

_DARK: Final = "#0d1117"
#: What each theme is: a style, as a reader of the docs would write it.
THEMES: Final[Mapping[str, list[Any]]] = {
    "light": ["default"],
    "dark": [
        "dark_background",
        dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), _DARK),
    ],
}
_SPEED: Final = 20.0


def main() -> int:
    """Write all pictures; return 1 if one is too large to keep."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        drawn = pictures(Path(folder) / "rollout.db")
    too_large = 0
    for name, draw in drawn.items():
        for theme, style in THEMES.items():
            png = render(draw, style)
            (OUT / f"{name}-{theme}.png").write_bytes(png)
            too_large += len(png) > LARGEST
            print(f"{name}-{theme}.png  {len(png) / 1000:.0f} kB")
    return 1 if too_large else 0


def pictures(journal: Path) -> dict[str, Callable[[], Any]]:
    """Carry out the demo's inventory, and return what draws each plot of it."""
    routes = vk.read_routes(ROOT / "data" / "routes.csv")
    findings = vk.audit_routes(routes)
    options = {"speed": _SPEED, "seed": 7, "task_seconds": (2.0, 5.0)}
    with vk.Simulator.for_routes(routes, **options) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        thought = vk.forecast(plan, client, task_seconds=3.5)
        rollout = vk.apply_plan(plan, client, journal=journal)
        live = vk.live_routes(client, routes)
        limits = client.limits
    steps, calls = rollout.frame(), rollout.calls()
    return {
        "weight_distribution": lambda: plots.weight_distribution(live, top=20),
        "prefix_lengths": lambda: plots.prefix_lengths(live),
        "address_map": lambda: plots.address_map(live, zoom="52.0.0.0/8"),
        "nesting_tree": lambda: plots.nesting_tree(live, "51.54.0.0/15"),
        "findings_by_rule": lambda: plots.findings_by_rule(findings),
        "rollout_progress": lambda: plots.rollout_progress(steps, forecast=thought, limits=limits),
        "lane_timeline": lambda: plots.lane_timeline(steps, calls=calls, top=18),
        "call_latency": lambda: plots.call_latency(calls),
    }


def render(draw: Callable[[], Any], style: list[Any]) -> bytes:
    """Return a plot as PNG; without the version of the software, so that equal plots are equal."""
    with pyplot.style.context(style):
        figure = draw().figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
        pyplot.close(figure)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
