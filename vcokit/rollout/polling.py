"""Where a region's connections stand in its list, so that one call looks at up to fifty of them.

DescribeVpnConnections gives the state of every connection of a page; which page a connection stands
on is known once it was seen there. A region with several lanes is therefore read through once, as
long as that takes fewer calls than one a lane::

    unknown ─first look→ sweeping, page by page; lanes wait parked ─all read→ known
       ↑                     │ no answer, or throttled                          │ refused for good
       └──── a while later ──┘                             off: one call a lane ┘

What a page says of a lane counts only if the lane's last write had ended when the page was asked
for; else it may be older than the write.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from vcokit.cloud.operations import PAGE_SIZE
from vcokit.rollout.lanes import Lane

#: Lanes of a region from which a read through its list is tried.
_WORTH_A_SWEEP: Final = 3


@dataclass
class Flight:
    """A page that was asked for, and the lanes that wait for it."""

    sent: float
    lanes: list[Lane]


@dataclass
class Pages:
    """The list of one region's connections.

    Parameters
    ----------
    lanes : int
        Lanes of the rollout in the region.

    Attributes
    ----------
    page_of : dict of str to int
        Page that a lane was seen on last.
    on_page : dict of int to set of str
        Lanes by page.
    to_read : list of int
        Pages that are still to be asked for in a sweep.
    last : int
        The last page that the sweep has asked for, or will.
    parked : list of Lane
        Lanes that wait for the end of the sweep.
    """

    lanes: int
    page_of: dict[str, int] = field(default_factory=dict)
    on_page: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    to_read: list[int] = field(default_factory=list)
    parked: list[Lane] = field(default_factory=list)
    flights: dict[int, Flight] = field(default_factory=dict)
    sweeping: bool = False
    swept: bool = False
    refused: bool = False
    not_before: float = 0.0
    last: int = 0

    def may_sweep(self, now: float) -> bool:
        """Tell whether the list is to be read through now."""
        worth = self.lanes >= _WORTH_A_SWEEP and now >= self.not_before
        return worth and not (self.swept or self.sweeping or self.refused)

    def sweep(self) -> None:
        """Begin to read the list through."""
        self.sweeping, self.to_read, self.last = True, self._not_on_its_way([1]), 1

    def place(self, page: int, names: frozenset[str], ours: frozenset[str]) -> None:
        """Note which lanes a page shows."""
        for name in self.on_page[page] - names:
            self.page_of.pop(name, None)
        self.on_page[page] = {name for name in names if name in ours}
        for name in self.on_page[page]:
            other = self.page_of.get(name, page)
            if other != page:
                self.on_page[other].discard(name)
            self.page_of[name] = page

    def go_on(self, page: int, total: int) -> list[Lane]:
        """Go on with a sweep after a page; return the lanes that are let go when it has ended."""
        pages = -(-total // PAGE_SIZE)
        if page == 1 and pages <= max(1, self.lanes // 2):
            # Page 1 may come again while others are read: lanes on it have asked for it.
            self.to_read += self._not_on_its_way(range(self.last + 1, pages + 1))
            self.last = max(self.last, pages)
        if self.to_read or self.flights:
            return []
        self.sweeping, self.swept = False, True
        parked, self.parked = self.parked, []
        return parked

    def _not_on_its_way(self, pages: Iterable[int]) -> list[int]:
        return [page for page in pages if page not in self.flights]

    def give_up(self, *, for_good: bool, until: float) -> list[Lane]:
        """End a sweep that cannot go on; return the lanes that are let go."""
        self.refused = self.refused or for_good
        self.not_before, self.sweeping, self.to_read = until, False, []
        parked, self.parked = self.parked, []
        return parked
