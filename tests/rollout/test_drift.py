"""What a connection holds at the end is told route by route against what was planned."""

from __future__ import annotations

from vcokit.rollout.reconcile import Holdings, unlike_planned
from vcokit.rollout.steps import Route, Step

A, NET = "vco-a", "10.0.0.0/8"


def told(planned: list[Route], listed: list[Route]) -> list[tuple[object, ...]]:
    """Return the differences of one connection, a tuple a row."""
    steps = tuple((Step(n, "create", "r", A, *route), "done") for n, route in enumerate(planned))
    found = unlike_planned([Holdings("r", A, frozenset(), steps, frozenset(listed))])
    columns = ["verdict", "route_dest", "next_hop", "weight", "live_next_hop", "live_weight"]
    return [tuple(row) for row in found[columns].astype("object").fillna("-").to_numpy()]


def test_every_unexpected_route_is_told() -> None:
    """Two routes of one network that nobody planned are two rows."""
    assert told([], [Route(NET, A, 100), Route(NET, A, 0)]) == [
        ("unexpected", NET, "-", "-", A, 0),
        ("unexpected", NET, "-", "-", A, 100),
    ]


def test_one_route_differs_the_other_is_unexpected() -> None:
    """A planned route meets the one there by its own next hop, as in a plan; the rest is told."""
    assert told([Route(NET, A, 100)], [Route(NET, "h", 100), Route(NET, A, 0)]) == [
        ("different", NET, A, 100, A, 0),
        ("unexpected", NET, "-", "-", "h", 100),
    ]


def test_two_planned_one_there() -> None:
    """Of two planned routes of a network one is different, and the other missing."""
    found = told([Route(NET, A, 100), Route(NET, A, 0)], [Route(NET, "h", 100)])
    assert sorted(row[0] for row in found) == ["different", "missing"]
