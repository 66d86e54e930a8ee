"""Random inventories for the differential test, and the cloud that each of them meets.

A `Trial` is drawn from a seed and from what the audit is told: live routes, live connections, the
quota. It holds one truth, from which both sides get theirs: the audit its frames, the simulator
its connections and routes.

=================  =============================================================================
dirt               how it comes about
=================  =============================================================================
empty cells        None, or blanks of any kind, in each of the five fields
weights            other numbers, text that looks like one
connection ids     malformed, blanks around them, a name for an id; unknown, elsewhere, detached,
                   on their way to a transit router or away from it
destinations       a list of well-known slips, and good ones with one or two signs spoilt
next hops          another connection, none, a malformed one
repetition         few connections, few networks: duplicates, conflicts, live routes, quotas
=================  =============================================================================

Where the audit is not told of connections it takes the rows' word for where they are; so then all
rows of a connection name one region, which is where the cloud has it, attached.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import product

import pandas as pd

REGIONS = ("cn-hangzhou", "eu-central-1", "ap-southeast-2")
IDS = ("vco-a", "vco-b7", "vco-c*", "vco-D4", "vco-e")
BAD_IDS = ("VCO-a", "vco-", "vco_a", "vpn-a", " vco-a", "vco-a ", "vco-ä", "vco-a\n", "Depot", "𝟙")
BLANK = ("", " ", "\t", "\u3000", "\u200b", "\ufeff \u2060", "\xa0")
WEIGHTS = ("50", "-1", "-100", "1e2", "0100", "+100", "100%", "１００", "heavy", "on", "0x64", "00")
NETWORKS = (
    "10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "0.0.0.0/1",
    "100.64.0.0/10", "100.96.0.0/11", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
)  # fmt: skip
SLIPS = (
    "10.1.2.3/24", "10.1.2.3/8", "0.0.0.1/1", "0.0.0.0/0", "1.2.3.4/0", "10.0.0.0", "10.0.0.0/",
    "10.0.0.0/08", "10.0.0.0/33", "010.0.0.0/8", "10.0.0.256/32", "10.0.0/8", "10/8", "/8", ".../8",
    "10.0.0.0.0/8", "10.0.0.0/255.0.0.0", "10.0.0.0 /8", " 10.0.0.0/8", "10.0.0.0/8 ",
    "１０.0.0.0/8", "10．0.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "0x0a.0.0.0/8", "10,0,0,0/8",
    "10.0.0.0\\8", "10.0.0.0//8", "2001:db8::/32", "2001:db8::1/32", "::/0", "::1", "::/129",
    "::ffff:10.0.0.0/104", "fe80::1%eth0/64", "2001:db8:::/32", "2001:DB8::/032", "headquarters",
    "NA", "null",
)  # fmt: skip
#: The state of a connection at rest, by what it is attached to.
STATES = {"CEN": "attached", "VPNGW": "active", "NO_ASSOCIATED": "init"}
SIGNS = "0123456789./: +-abcdefx１%\u0660"
#: What the audit can be told: live routes, live connections, the quota.
TOLD = tuple(product((False, True), repeat=3))


@dataclass(frozen=True)
class Row:
    """A row as it stands: a cell is a text, or None where there is nothing."""

    region_id: str | None
    vpn_connection_id: str | None
    route_dest: str | None
    weight: str | None
    next_hop: str | None


@dataclass(frozen=True)
class There:
    """A connection of the cloud, and what the frame of live connections tells of it."""

    vpn_connection_id: str
    region_id: str
    attach_type: str = "CEN"
    state: str = ""
    tells_attached: bool = True
    tells_state: bool = True

    @property
    def attached(self) -> bool:
        """Whether it can have routes now."""
        return self.attach_type == "CEN" and not self.state

    @property
    def at_rest(self) -> There:
        """What it is once nothing is under way: one that is being detached will be detached."""
        kind = "NO_ASSOCIATED" if self.state == "detaching" else self.attach_type
        return replace(self, attach_type=kind, state="")


@dataclass(frozen=True)
class LiveRoute:
    """A route that is there before the first row is sent."""

    vpn_connection_id: str
    route_dest: str
    next_hop: str
    weight: int


@dataclass(frozen=True)
class Trial:
    """One inventory, the cloud it meets, and what the audit is told of that cloud."""

    rows: tuple[Row, ...]
    connections: tuple[There, ...]
    live: tuple[LiveRoute, ...]
    quota: int | None
    told: tuple[bool, bool, bool]

    @classmethod
    def draw(cls, seed: int, told: tuple[bool, bool, bool]) -> Trial:
        """Draw a trial; the rows of a seed are the same whatever is told, but for their regions."""
        rng = random.Random(f"{seed}/rows")
        homes = {name: rng.choice(REGIONS) for name in IDS}
        strays = rng.choice((0.0, 0.05, 0.3)) if told[1] else 0.0
        dirt = rng.choice((0.0, 0.1, 0.3, 0.6))
        rows = tuple(_row(rng, homes, dirt) for _ in range(rng.randrange(61)))
        rng = random.Random(f"{seed}/cloud")
        rows = tuple(_stray(rng, row, strays) for row in rows)
        connections = tuple(There(name, home) for name, home in homes.items())
        if told[1]:
            connections = tuple(_real(rng, one) for one in connections if rng.random() < 0.8)
        live = [_live(rng, one) for one in connections for _ in range(rng.randrange(6))]
        live += [_beside(rng, route) for route in live if rng.random() < 0.4]
        here = {one.vpn_connection_id for one in connections}
        live += [as_live(row) for row in rows if may_live(row, here) and rng.random() < 0.05]
        quota = rng.randrange(8)
        return cls(
            rows, connections, tuple(live if told[0] else ()), quota if told[2] else None, told
        )

    def without(self, number: int) -> Trial:
        """Return the trial with one row less."""
        return replace(self, rows=self.rows[:number] + self.rows[number + 1 :])

    def routes_frame(self) -> pd.DataFrame:
        """Return the inventory as a frame made by hand: text, and None."""
        return pd.DataFrame(
            [vars(row) for row in self.rows], columns=list(Row.__dataclass_fields__), dtype=object
        )

    def told_frames(self) -> dict[str, object]:
        """Return what the audit is told, by the names of its arguments."""
        frames: dict[str, object] = {}
        if self.told[0]:
            names = list(LiveRoute.__dataclass_fields__)
            frames["live"] = pd.DataFrame([vars(route) for route in self.live], columns=names)
        if self.told[1]:
            frames["connections"] = pd.DataFrame(
                [_told(one) for one in self.connections], columns=list(_told(There("", "")))
            )
        if self.told[2]:
            frames["quota"] = self.quota
        return frames


def _row(rng: random.Random, homes: dict[str, str], dirt: float) -> Row:
    connection: str | None = rng.choice(IDS)
    region: str | None = homes[str(connection)]
    next_hop, network = connection, rng.choice(NETWORKS)
    weight: str | None = rng.choice(("0", "100", "100", "100.0"))
    destination: str | None = network
    if rng.random() < dirt:
        destination = rng.choice(_destinations(rng, network))
    if rng.random() < dirt / 3:
        weight = rng.choice(WEIGHTS)
    if rng.random() < dirt / 3:
        connection = rng.choice(BAD_IDS)
        next_hop = rng.choice((next_hop, connection))
    if rng.random() < dirt / 3:
        next_hop = rng.choice((*IDS, *BAD_IDS, "vco-z", "10.0.0.1"))
    cells = (region, connection, destination, weight, next_hop)
    return Row(*(_emptied(rng, cell) if rng.random() < dirt / 20 else cell for cell in cells))


def _destinations(rng: random.Random, network: str) -> tuple[str, ...]:
    # The default route comes more often: it is one slip of many, but a check of its own.
    default = rng.choice(("0.0.0.0/0", "1.2.3.4/0"))
    return rng.choice(SLIPS), _spoil(rng, network), _any_network(rng), default


def _emptied(rng: random.Random, cell: str | None) -> str | None:
    return rng.choice((None, rng.choice(BLANK)))


def _spoil(rng: random.Random, text: str) -> str:
    """Put one or two signs of a text right, wrong, twice or away."""
    for _ in range(rng.randrange(1, 3)):
        place = rng.randrange(len(text) + 1)
        kept = text[place + rng.randrange(2) :]
        text = text[:place] + rng.choice(("", rng.choice(SIGNS), text[place : place + 1])) + kept
    return text


def _any_network(rng: random.Random) -> str:
    octets = (rng.choice((0, 1, 10, 64, 100, 127, 128, 255, rng.randrange(300))) for _ in range(4))
    return ".".join(map(str, octets)) + f"/{rng.randrange(35)}"


def _stray(rng: random.Random, row: Row, strays: float) -> Row:
    strays_now, region = rng.random() < strays, rng.choice((*REGIONS, "cn-nowhere"))
    return replace(row, region_id=region) if strays_now and row.region_id else row


def _real(rng: random.Random, one: There) -> There:
    """Draw what is the matter with a connection, mostly nothing."""
    kind = rng.choice(("CEN", "CEN", "CEN", "CEN", "VPNGW", "NO_ASSOCIATED"))
    state = rng.choice(("", "", "", "attaching", "provisioning", "upgrading", "detaching"))
    # Type and router do not show that a connection is being detached: only the list does. That it
    # is being attached shows its state alone.
    tells = rng.random() < 0.6 or state != ""
    tells_state = rng.random() < 0.6 or state not in ("", "detaching")
    return There(one.vpn_connection_id, one.region_id, kind, state, tells, tells_state)


def _live(rng: random.Random, one: There) -> LiveRoute:
    next_hop = one.vpn_connection_id if rng.random() < 0.8 else rng.choice(("vco-z", *IDS))
    return LiveRoute(
        one.vpn_connection_id, rng.choice(NETWORKS), next_hop, rng.choice((0, 100, 100))
    )


def may_live(row: Row, connections: set[str]) -> bool:
    """Tell whether a row can be a live route as it stands, whatever its next hop."""
    there = row.vpn_connection_id in connections and row.route_dest in NETWORKS
    return there and row.weight in ("0", "100") and row.next_hop in (*IDS, "vco-z")


def as_live(row: Row) -> LiveRoute:
    """Return a row as a live route."""
    return LiveRoute(
        str(row.vpn_connection_id), str(row.route_dest), str(row.next_hop), int(str(row.weight))
    )


def _beside(rng: random.Random, route: LiveRoute) -> LiveRoute:
    """Draw a live route of the same network that may be there beside one."""
    next_hop = rng.choice((route.next_hop, "vco-z", route.vpn_connection_id))
    return replace(route, next_hop=next_hop, weight=100 - route.weight)


def _told(one: There) -> dict[str, object]:
    return {
        "vpn_connection_id": one.vpn_connection_id,
        "region_id": one.region_id,
        "name": "Depot" if one.vpn_connection_id == "vco-a" else None,
        "attach_type": one.attach_type,
        "transit_router_id": "tr-1" if one.attach_type == "CEN" else None,
        "state": (one.state or STATES[one.attach_type]) if one.tells_state else None,
        "attached": one.attached if one.tells_attached else None,
    }
