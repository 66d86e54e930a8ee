"""Dirty inventories and the clouds that they meet, from a seed or as Hypothesis draws them.

An `Inventory` holds one truth, of which all frames are made: what stands in a file, what the cloud
has, and what a look at the cloud tells. Few connections and few networks, so that rows meet.

=================  =============================================================================
dirt               how it comes about
=================  =============================================================================
empty cells        None, or blanks of any kind, in each of the five fields
weights            other numbers, text that looks like one
connection ids     malformed, blanks around them, a name for an id
destinations       the mistakes of `benchmarks.inventories`, more of their kind, and good ones with
                   one or two signs spoilt
next hops          another connection, none, a malformed one
repetition         duplicates, conflicts, live routes, quotas
=================  =============================================================================

What else may be wrong is asked for: see `draw`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from ipaddress import IPv4Network

import pandas as pd
from hypothesis import strategies as some

from benchmarks.inventories import KINDS, words
from vcokit.simulator import Connection, Route

REGIONS = ("cn-hangzhou", "eu-central-1", "ap-southeast-2")
IDS = ("vco-a", "vco-b7", "vco-c*", "vco-D4", "vco-" + "z" * 60)
BAD_IDS = (
    "VCO-a", "vco-", "vco_a", "vpn-a", " vco-a", "vco-a ", "vco-ä", "vco-a\n", "Depot", "𝟙",
    "vco-" + "z" * 61, "vco-\u212a",
)  # fmt: skip
BLANK = ("", " ", "\t", "\u3000", "\u200b", "\ufeff \u2060", "\xa0")
WEIGHTS = ("50", "-1", "-100", "1e2", "0100", "+100", "100%", "１００", "heavy", "on", "0x64", "00")
NETWORKS = (
    "10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "0.0.0.0/1",
    "100.64.0.0/10", "100.96.0.0/11", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32",
)  # fmt: skip
SLIPS = (*(kind.cells["dest"] for kind in KINDS if list(kind.cells) == ["dest"]),
    "10.1.2.3/24", "10.1.2.3/8", "0.0.0.1/1", "10.0.0.0/", "10.0.0.256/32", "10/8", "/8", ".../8",
    "10.0.0.0.0/8", " 10.0.0.0/8", "10.0.0.0/8 ", "10．0.0.0/8", "१०.0.0.0/8", "10. 0.0.0/8",
    "10.0.0.0/-1", "10.0.0.0/+8", "0x0a.0.0.0/8", "10.0.0.0\\8", "10.0.0.0//8", "2001:db8::1/32",
    "::/0", "::1", "::/129", "::ffff:10.0.0.0/104", "fe80::1%eth0/64", "2001:db8:::/32",
    "2001:DB8::/032", "NA", "null",
)  # fmt: skip
SIGNS = "0123456789./: +-abcdefx１%\u0660"
#: The state of a connection at rest, by what it is attached to.
STATES = {"CEN": "attached", "VPNGW": "active", "NO_ASSOCIATED": "init"}
#: A region is one label of a host name: 63 characters of it are the most there can be.
ODD_REGIONS = ("cn_a", "cn-", "CN-A", "cn-ä", "c" * 63, "c" * 64)
#: 6,000 bytes of a request and a few more; what is encoded takes three bytes for one.
ODD_DESCRIPTIONS = (
    "d", "d" * 6_000, "d" * 6_001, "杭" * 666 + "~" * 6, "杭" * 666 + "-" * 7, "% " * 1_001,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row as it stands in a file: a cell is a text, or None where there is nothing."""

    region_id: str | None
    vpn_connection_id: str | None
    route_dest: str | None
    next_hop: str | None
    weight: str | None
    description: str | None = None


@dataclass(frozen=True)
class Inventory:
    """Rows, and the cloud that they meet.

    Parameters
    ----------
    rows : tuple of Row
    connections : tuple of Connection
    live : tuple of Route
        What the cloud holds before the first row is sent.
    quota : int
    tells : dict of str to set of str
        What a look at each connection tells of whether it is attached: the ``word``, its
        ``state``, the ``type`` and the router from which it may follow.
    """

    rows: tuple[Row, ...]
    connections: tuple[Connection, ...]
    live: tuple[Route, ...]
    quota: int
    tells: dict[str, set[str]]

    def without(self, number: int) -> Inventory:
        """Return the inventory with one row less."""
        return replace(self, rows=self.rows[:number] + self.rows[number + 1 :])

    def typed(self) -> pd.DataFrame:
        """Return the rows as a frame made by hand: text, and None."""
        names = list(Row.__dataclass_fields__)
        return pd.DataFrame([asdict(row) for row in self.rows], columns=names, dtype=object)

    def read(self) -> list[dict]:
        """Return the rows as reading a file gives them, with weights as numbers."""
        return [as_read(row, line) for line, row in enumerate(self.rows, start=2)]

    def routes(self) -> pd.DataFrame:
        """Return the rows as the frame that reading a file gives."""
        return routes_frame(self.read())

    def live_rows(self) -> list[dict]:
        """Return what a look at the connections tells of their routes."""
        names = ("vpn_connection_id", "route_dest", "next_hop", "weight")
        homes = {one.vpn_connection_id: one.region_id for one in self.connections}
        return [
            {"region_id": homes[route.vpn_connection_id]}
            | {name: getattr(route, name) for name in names}
            for route in self.live
        ]

    def connection_rows(self) -> list[dict]:
        """Return what a look at the cloud tells of its connections."""
        return [_told(one, self.tells[one.vpn_connection_id]) for one in self.connections]


def draw(
    chance: random.Random,
    size: int | None = None,
    *,
    dirt: float | None = None,
    wild: bool = True,
    carried: bool = False,
) -> Inventory:
    """Draw an inventory and its cloud.

    Parameters
    ----------
    chance : Random
    size : int, optional
        Rows; up to 60 where it is not given.
    dirt : float, optional
        Part of the destinations that are spoilt, and a third as much of other cells.
    wild : bool
        Whether rows may name another region than their connection's, and connections may be
        missing or not attached.
    carried : bool
        Whether there is only what a request can carry: no malformed region, no long description.
    """
    ids = chance.sample(IDS, chance.randint(2, len(IDS)))
    networks = chance.sample(NETWORKS, chance.randint(4, len(NETWORKS)))
    homes = {name: chance.choice(REGIONS) for name in ids}
    dirt = chance.choice((0.0, 0.1, 0.3, 0.6)) if dirt is None else dirt
    size = chance.randrange(61) if size is None else size
    rows = [_row(chance, homes, networks, dirt) for _ in range(size)]
    if wild:
        strays = chance.choice((0.0, 0.05, 0.3))
        rows = [_stray(chance, row) if chance.random() < strays else row for row in rows]
    if not carried:
        rows = [_odd(chance, row) if chance.random() < dirt / 5 else row for row in rows]
    connections = [Connection(name, home) for name, home in homes.items()]
    if wild:
        connections = [_real(chance, one) for one in connections if chance.random() < 0.8]
    live = [_live(chance, one, networks) for one in connections for _ in range(chance.randrange(6))]
    live += [_beside(chance, route) for route in live if chance.random() < 0.4]
    here = {one.vpn_connection_id for one in connections}
    live += [_as_live(row) for row in rows if _may_live(row, here) and chance.random() < 0.1]
    tells = {one.vpn_connection_id: _tells(chance, one) for one in connections}
    return Inventory(tuple(rows), tuple(connections), tuple(live), chance.randrange(8), tells)


def inventories(**options: object) -> some.SearchStrategy[Inventory]:
    """Return inventories as Hypothesis draws them; the options are those of `draw`."""
    return some.builds(partial(draw, **options), some.randoms(use_true_random=False))


def clean_rows(connections: int, each: int) -> list[Row]:
    """Return rows without a mistake, every other one active, no destination twice."""
    return [
        Row("cn-hangzhou", f"vco-{n}", f"10.{n}.{m}.0/24", f"vco-{n}", str(100 * (m % 2)))
        for n in range(connections)
        for m in range(each)
    ]


def as_csv(rows: Iterable[Row]) -> str:
    """Return rows as a file that holds them."""
    return pd.DataFrame(map(asdict, rows)).to_csv(index=False)


def as_read(row: Row, line: int | None = None) -> dict:
    """Return a row as reading gives it: a weight is a number, or kept as the text that it is."""
    whole = re.fullmatch(r"(0|-?[1-9][0-9]*)(\.0+)?", row.weight or "")
    text = None if whole else row.weight
    number = int(whole[1]) if whole else None
    place = {"source": "random.csv", "line": line}
    return asdict(row) | {"weight": number, "weight_text": text} | place


def routes_frame(rows: Iterable[dict]) -> pd.DataFrame:
    """Return rows as the frame that reading a file gives."""
    names = [
        "region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "weight_text",
        "source", "line",
    ]  # fmt: skip
    rows = list(rows)
    extras = [name for row in rows for name in row if name not in names]
    frame = pd.DataFrame(rows, columns=[*names, *dict.fromkeys(extras)])
    return frame.astype({"weight": "Int64", "line": "Int64"})


# -- rows ---------------------------------------------------------------------------------------


def _row(chance: random.Random, homes: dict[str, str], networks: list[str], dirt: float) -> Row:
    connection = next_hop = chance.choice(list(homes))
    region, network = homes[connection], chance.choice(networks)
    weight, destination = chance.choice(("0", "100", "100", "100.0")), network
    if chance.random() < dirt:
        destination = _spoilt(chance, network)
    if chance.random() < dirt / 3:
        weight = chance.choice(WEIGHTS)
    if chance.random() < dirt / 3:
        connection = chance.choice(BAD_IDS)
        next_hop = chance.choice((next_hop, connection))
    if chance.random() < dirt / 3:
        next_hop = chance.choice(chance.choice(((*IDS, "vco-y"), (*BAD_IDS, "10.0.0.1"))))
    cells = (region, connection, destination, next_hop, weight)
    return Row(*(_emptied(chance) if chance.random() < dirt / 20 else cell for cell in cells))


def _emptied(chance: random.Random) -> str | None:
    return chance.choice((None, chance.choice(BLANK)))


def _spoilt(chance: random.Random, network: str) -> str:
    """Return a destination that is mostly none."""
    right = IPv4Network(network)
    slip = chance.choice(SLIPS).format_map(words(int(right.network_address), right.prefixlen))
    # The default route comes more often: it is one slip of many, but a check of its own.
    default = chance.choice(("0.0.0.0/0", "1.2.3.4/0"))
    return chance.choice((slip, _mistyped(chance, network), _any_network(chance), default))


def _mistyped(chance: random.Random, text: str) -> str:
    """Put one or two signs of a text right, wrong, twice or away."""
    for _ in range(chance.randrange(1, 3)):
        place = chance.randrange(len(text) + 1)
        kept = text[place + chance.randrange(2) :]
        sign = chance.choice(("", chance.choice(SIGNS), text[place : place + 1]))
        text = text[:place] + sign + kept
    return text


def _any_network(chance: random.Random) -> str:
    octets = (0, 1, 10, 64, 100, 127, 128, 255, chance.randrange(300))
    return ".".join(str(chance.choice(octets)) for _ in range(4)) + f"/{chance.randrange(35)}"


def _stray(chance: random.Random, row: Row) -> Row:
    region = chance.choice((*REGIONS, "cn-nowhere"))
    return replace(row, region_id=region) if row.region_id else row


def _odd(chance: random.Random, row: Row) -> Row:
    if chance.random() < 0.5:
        return replace(row, region_id=chance.choice(ODD_REGIONS))
    return replace(row, description=chance.choice(ODD_DESCRIPTIONS))


# -- the cloud ----------------------------------------------------------------------------------


def _real(chance: random.Random, one: Connection) -> Connection:
    """Draw what is the matter with a connection, mostly nothing."""
    kind = chance.choice((*["CEN"] * 8, "VPNGW", "NO_ASSOCIATED"))
    state = chance.choice((*[""] * 8, "attaching", "provisioning", "upgrading", "detaching"))
    return replace(one, attach_type=kind, state=state)


def _tells(chance: random.Random, one: Connection) -> set[str]:
    """Draw what a look at a connection tells of whether it is attached; enough, put together."""
    told = {*chance.choice((("word", "type"), ("word",), ("type",)))}
    # Type and router do not show that a connection is being detached: only the word does. That it
    # is being attached shows in state and type together.
    if one.state:
        told = {"word", "type", "state"}
    return told | ({"state"} if chance.random() < 0.6 else set())


def at_rest(one: Connection) -> Connection:
    """Return what a connection is once nothing is under way."""
    kind = "NO_ASSOCIATED" if one.state == "detaching" else one.attach_type
    return replace(one, attach_type=kind, state="")


def _live(chance: random.Random, one: Connection, networks: list[str]) -> Route:
    name = one.vpn_connection_id
    next_hop = name if chance.random() < 0.8 else chance.choice(("vco-y", *IDS))
    return Route(name, chance.choice(networks), chance.choice((0, 100, 100)), next_hop)


def _beside(chance: random.Random, route: Route) -> Route:
    """Draw a live route of the same network that may be there beside one."""
    next_hop = chance.choice((route.next_hop, "vco-y", route.vpn_connection_id))
    return replace(route, next_hop=next_hop, weight=100 - route.weight)


def _may_live(row: Row, connections: set[str]) -> bool:
    """Tell whether a row can be a live route as it stands, whatever its next hop."""
    there = row.vpn_connection_id in connections and row.route_dest in NETWORKS
    return there and row.weight in ("0", "100") and row.next_hop in (*IDS, "vco-y")


def _as_live(row: Row) -> Route:
    return Route(
        str(row.vpn_connection_id), str(row.route_dest), int(str(row.weight)), str(row.next_hop)
    )


def _told(one: Connection, tells: set[str]) -> dict:
    typed = one.attach_type if "type" in tells else None
    attached = one.attach_type == "CEN" and not one.state
    return {
        "vpn_connection_id": one.vpn_connection_id,
        "region_id": one.region_id,
        "name": "Depot" if one.vpn_connection_id == IDS[0] else None,
        "attach_type": typed,
        "transit_router_id": "tr-1" if typed == "CEN" else None,
        "state": (one.state or STATES[one.attach_type]) if "state" in tells else None,
        "attached": attached if "word" in tells else None,
    }
