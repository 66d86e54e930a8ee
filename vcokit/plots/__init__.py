"""Pictures of routes, findings and rollouts: each takes a frame and ``ax=None``, returns `Axes`.

=======================  ======================================================================
`weight_distribution`    routes and address space of connections, active against standby
`prefix_lengths`         how long the prefixes are
`address_map`            the address space as a Hilbert curve, by connection, nesting outlined
`nesting_tree`           the routes in and around one prefix
`findings_by_rule`       what an audit found
`rollout_progress`       steps by state over time, with limit and forecast
`lane_timeline`          connections over time: queue, call, task, wait
`call_latency`           how long calls took, by operation
=======================  ======================================================================

The frame behind each of them is to be had by its name and ``_data``, such as
`weight_distribution_data`: the same arguments, without matplotlib. Below them stand `_style` (axes,
titles, legends, labels and numbers) and `_arrays` (routes as arrays, names of connections).

Without an ``ax`` a new figure is made by pyplot, so that a notebook shows it; nothing is ever
shown, and no setting of matplotlib is changed. Data have the colours of `vcokit.palette`, which
hold on light and on dark; text and lines take theirs from the axes drawn on, so that
``with plt.style.context("dark_background")`` is all that a dark picture needs. Text from outside
is shown as it stands, never as mathematics. matplotlib is loaded by the first picture.
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
