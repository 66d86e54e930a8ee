"""Which addresses active routes cover, by brute force over the ends of all intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from ipaddress import IPv4Network

from tests.simulation.cases import Expected, Live, after


class Cover:
    """Watches that nothing is uncovered between the state before a plan and the one after.

    Addresses that no end of a network tells apart behave alike, so one of each kind is enough:
    the first address of every network, and the first behind it. A set of them is an integer.
    ``ordered`` says whether the plan can be carried out without a gap.
    """

    def __init__(
        self,
        regions: Mapping[str, str],
        live: Mapping[str, Set[Live]],
        changes: Counter[Expected],
        *,
        ordered: bool = True,
    ) -> None:
        self.regions, self.ordered = regions, ordered
        self.routes = {name: frozenset(routes) for name, routes in live.items()}
        then = after(live, changes)
        nets = {route[0] for table in (*self.routes.values(), *then.values()) for route in table}
        ends: set[int] = set()
        for net in nets:
            network = IPv4Network(net)
            ends |= {int(network.network_address), int(network.broadcast_address) + 1}
        self.points = sorted(ends)
        self.masks: dict[str, int] = {net: self._mask(net) for net in nets}
        self.scopes = sorted(set(regions.values()))
        self.kept = {
            scope: self.covered(scope, self.routes) & self.covered(scope, then)
            for scope in self.scopes
        }

    def _mask(self, net: str) -> int:
        network = IPv4Network(net)
        first, last = int(network.network_address), int(network.broadcast_address)
        return sum(1 << i for i, point in enumerate(self.points) if first <= point <= last)

    def covered(self, scope: str, tables: dict) -> int:
        """Return the addresses that active routes of a scope cover."""
        found = 0
        for name, table in tables.items():
            if self.regions[name] == scope:
                for net, _, weight in table:
                    if weight == 100:
                        found |= self.masks.get(net, 0)
        return found

    def gap(self, name: str, routes: frozenset, touched: set[str]) -> str | None:
        """Take a connection's new routes; return an address that is uncovered now, if one is.

        Networks that somebody else may have touched do not count.
        """
        self.routes[name] = routes
        scope = self.regions[name]
        lost = self.kept[scope] & ~self.covered(scope, self.routes)
        for net in touched:
            lost &= ~self.masks.get(net, 0)
        if not lost or not self.ordered:
            return None
        point = self.points[(lost & -lost).bit_length() - 1]
        return f"{point >> 24}.{point >> 16 & 255}.{point >> 8 & 255}.{point & 255}"
