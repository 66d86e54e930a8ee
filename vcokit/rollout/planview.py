"""A plan as a unified diff: what each connection holds, and what it will hold.

::

    --- vco-a (live)
    +++ vco-a (planned)
    @@ -1,2 +1,2 @@
     10.0.0.0/8   100  vco-a
    -10.2.0.0/16    0  vco-a
    +10.2.0.0/16  100  vco-a

Routes are in the order of their networks; what is not printable is spelt out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from vcokit.plain import visible
from vcokit.rollout.steps import Route, Step

#: Lines shown around a change.
CONTEXT = 3


def diff(steps: Iterable[Step], live: Mapping[str, frozenset[Route]]) -> str:
    """Return what changes, connection by connection.

    Parameters
    ----------
    steps : iterable of Step
    live : mapping of str to frozenset of Route
        What each connection holds before.

    Returns
    -------
    str
        Lines of a unified diff, `CONTEXT` unchanged ones around each change; empty where nothing
        changes.

    Examples
    --------
    >>> step = Step(0, "create", "r", "vco-a", "10.0.0.0/8", "vco-a", 100)
    >>> print(diff([step], {}))
    --- vco-a (live)
    +++ vco-a (planned)
    @@ -0,0 +1,1 @@
    +10.0.0.0/8  100  vco-a
    """
    lanes: dict[str, list[Step]] = {}
    for step in steps:
        if step.sends:
            lanes.setdefault(step.lane, []).append(step)
    return "\n".join(
        line
        for lane, changes in lanes.items()
        for line in _of_lane(lane, changes, live.get(lane, frozenset()))
    )


def _of_lane(lane: str, changes: list[Step], old: frozenset[Route]) -> Iterator[str]:
    new = set(old) - {step.before for step in changes}
    new |= {step.after for step in changes if step.after is not None}
    # What goes stands before what comes in its place, as in any diff.
    routes = sorted(old | new, key=lambda one: (*_place(one), one not in old, one.weight))
    tags = [" " if one in old and one in new else "-" if one in old else "+" for one in routes]
    if set(tags) <= {" "}:
        return
    cells = [(one.route_dest, str(one.weight), visible(one.next_hop)) for one in routes]
    dest, weight = (max(len(row[column]) for row in cells) for column in (0, 1))
    lines = [f"{visible(a):<{dest}}  {b:>{weight}}  {c}" for a, b, c in cells]
    yield f"--- {visible(lane)} (live)"
    yield f"+++ {visible(lane)} (planned)"
    for first, last in _hunks(tags):
        yield _head(tags, first, last)
        yield from (
            tag + line for tag, line in zip(tags[first:last], lines[first:last], strict=True)
        )


def _place(route: Route) -> tuple[bool, object, str]:
    """Return what sorts routes: the network, then the next hop; what is no network comes last."""
    try:
        numbers = [int(part) for part in route.route_dest.replace("/", ".").split(".")]
        return False, numbers, route.next_hop
    except ValueError:
        return True, route.route_dest, route.next_hop


def _hunks(tags: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the runs of lines to be shown."""
    first, last = 0, -1
    for place, tag in enumerate(tags):
        if tag == " ":
            continue
        if last < 0:
            first = max(0, place - CONTEXT)
        elif place - CONTEXT > last:
            yield first, last
            first = place - CONTEXT
        last = min(len(tags), place + CONTEXT + 1)
    if last >= 0:
        yield first, last


def _head(tags: list[str], first: int, last: int) -> str:
    """Return the line that says where a hunk stands, before and after."""
    return f"@@ -{_range(tags, first, last, '+')} +{_range(tags, first, last, '-')} @@"


def _range(tags: list[str], first: int, last: int, without: str) -> str:
    above = first - tags[:first].count(without)
    size = last - first - tags[first:last].count(without)
    # Where a side has no line, the format names the line above it.
    return f"{above + 1 if size else above},{size}"
