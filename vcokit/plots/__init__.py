"""Plots of routes, findings and rollouts: each takes a frame and ``ax=None`` and returns `Axes`.

=======================  ======================================================================
`weight_distribution`    routes and address space of connections, active against standby
`prefix_lengths`         number of routes by prefix length
`address_map`            the address space as a Hilbert curve, by connection, nesting outlined
`nesting_tree`           the routes in and around one prefix
`findings_by_rule`       the findings of an audit
`rollout_progress`       steps by state over time, with limit and forecast
`lane_timeline`          connections over time: queue, call, task, wait
`call_latency`           duration of calls, by operation
=======================  ======================================================================

For each plot, a function with ``_data`` after its name returns the frame behind it, for example
`weight_distribution_data`: with the same arguments, and without matplotlib. The shared modules are
`_style` (axes, titles, legends, labels and numbers) and `_arrays` (routes as arrays, names of
connections).

Without ``ax`` a new figure is made by pyplot, so that a notebook shows it. The functions never call
``show``, and change no setting of matplotlib. Data have the colours of `vcokit.palette`, which work
on light and dark backgrounds. Text and lines use the colours of the axes, so a dark picture only
needs ``with plt.style.context("dark_background")``. External text is shown literally, never as
mathematics. matplotlib is loaded by the first plot.
"""

from vcokit.plots.address_map import address_map, address_map_data
from vcokit.plots.nesting_tree import nesting_tree, nesting_tree_data
from vcokit.plots.rollout import (
    call_latency,
    call_latency_data,
    lane_timeline,
    lane_timeline_data,
    rollout_progress,
    rollout_progress_data,
)
from vcokit.plots.routes import (
    findings_by_rule,
    findings_by_rule_data,
    prefix_lengths,
    prefix_lengths_data,
    weight_distribution,
    weight_distribution_data,
)

__all__ = [
    "address_map",
    "address_map_data",
    "call_latency",
    "call_latency_data",
    "findings_by_rule",
    "findings_by_rule_data",
    "lane_timeline",
    "lane_timeline_data",
    "nesting_tree",
    "nesting_tree_data",
    "prefix_lengths",
    "prefix_lengths_data",
    "rollout_progress",
    "rollout_progress_data",
    "weight_distribution",
    "weight_distribution_data",
]


def __dir__() -> list[str]:
    return __all__
