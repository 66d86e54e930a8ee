"""The audit's rules once more: slow, by stdlib and plain loops, to be held beside the design page.

It reads the tables "Findings" and "api_code" row by row and imports nothing of vcokit, so that
a mistake in the package cannot hide behind itself. Where the page leaves a choice, this is it:

================  ==============================================================================
cells             None and blanks alone (zero-width too) are empty, all else stands as it is
identity          connection, network, next hop, weight: no region, not with live routes either
region            ASCII small letters, digits, single hyphens between them, 63 in all
connection id     ASCII letters, digits, ``*``, 1 to 60 of them after ``vco-``
description       6,000 bytes at most, where all but ASCII letters, digits and ``-._~`` take three
                  bytes for each byte of UTF-8
connection rules  each for itself: an invalid id is unknown as well, a connection of another
                  region may be not attached too; `attached` tells, and where it does not, type CEN
                  with a transit router id is attached
accepted          what no check matches: invalid-region, description-too-long, region-mismatch and
                  shared-address-space have no check, so those rows are accepted; so are rows of a
                  connection that is being attached, once it is
live routes       are there before row 1; a refusal one of them causes is on `already-live` or
                  `live-conflict`, even where an earlier row is equal; one whose destination
                  cannot be read counts for the quota; none is part of a destination
covered           only where dropping the destination changes nothing in what a plan makes: of the
                  cover it makes every route, of the destination every one or none; where the
                  sets are equal and that is not so, there is no finding
suggestion        only for malformed-cidr and host-bits-set, where the page names it; none that
                  is refused itself (length 0), none for a leading zero (octal or decimal?),
                  none for a blank between two digits (a lost dot? slash? nothing?), none for
                  signs beside digits and blanks, such as a full-width dot or slash
================  ==============================================================================
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.audit.oracle_cells import none_if_blank, put_right
from tests.strict_cidr import is_ipv6_prefix, network_of

# In the order of the design: severity, and the field at fault.
RULES = {
    "missing-value": ("error", None),  # the first empty one, in the order of check 1
    "invalid-weight": ("error", "weight"),
    "invalid-region": ("error", "region_id"),
    "invalid-connection-id": ("error", "vpn_connection_id"),
    "unknown-connection": ("error", "vpn_connection_id"),
    "wrong-region": ("error", "region_id"),
    "not-attached": ("error", "vpn_connection_id"),
    "region-mismatch": ("error", "region_id"),
    "malformed-cidr": ("error", "route_dest"),
    "ipv6-unsupported": ("error", "route_dest"),
    "host-bits-set": ("error", "route_dest"),
    "default-route": ("error", "route_dest"),
    "next-hop-mismatch": ("error", "next_hop"),
    "shared-address-space": ("error", "route_dest"),
    "special-purpose": ("warning", "route_dest"),
    "description-too-long": ("error", "description"),
    "duplicate": ("error", "route_dest"),
    "weight-conflict": ("error", "weight"),
    "next-hop-conflict": ("error", "next_hop"),
    "already-live": ("info", "route_dest"),
    "live-conflict": ("info", "route_dest"),  # weight or next hop may differ, or both
    "quota-exceeded": ("error", "vpn_connection_id"),  # a warning without quota=
    "no-active-route": ("warning", "weight"),
    "equal-cost": ("info", "weight"),
    "covered": ("info", "route_dest"),
    "more-specific": ("info", "route_dest"),
}

# Check 1, the fields in the order the cloud asks for them; the answer names the first empty one.
ASKED_FOR = ("region_id", "vpn_connection_id", "route_dest", "weight", "next_hop")

# Checks 2 to 6, and the one behind them that only live connections can tell of, in their order:
# the rule that says the check matches, and the cloud's answer.
ROW_CHECKS = {
    "invalid-weight": "InvalidWeight",
    "invalid-connection-id": "InvalidVpnConnectionInstanceId.NotFound",
    "unknown-connection": "InvalidVpnConnectionInstanceId.NotFound",
    "wrong-region": "InvalidVpnConnectionInstanceId.NotFound",
    "not-attached": "Vco.StatusNotSupport",
    "malformed-cidr": "IllegalParam.RouteDest",
    "ipv6-unsupported": "IllegalParam.RouteDest",
    "host-bits-set": "IllegalParam.RouteDest",
    "default-route": "OperationFailed.InvalidCidrBlock",
    "next-hop-mismatch": "InvalidNextHop.NotFound",
}

#: States of a connection that is not attached yet, and will be.
ARRIVING = {"attaching", "provisioning", "upgrading", "updating"}

# Checks 7 to 9, of two routes of one connection and network: is the next hop the same, is the
# weight; the rule that names an earlier row, the answer, the finding that causes the answer if
# the other route was live before.
RELATIONS = {
    (True, True): ("duplicate", "VpnRouteEntry.AlreadyExists", "already-live"),
    (True, False): ("weight-conflict", "VpnRouteEntry.Conflict", "live-conflict"),
    (False, True): ("next-hop-conflict", "VpnRouteEntry.BackupRoute", "live-conflict"),
}

SHARED = IPv4Network("100.64.0.0/10")
SPECIAL = [
    IPv4Network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
]
ACTIVE, STANDBY = 100, 0
CONNECTION_ID = re.compile(r"vco-[A-Za-z0-9*]{1,60}")
REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LABEL, DESCRIPTION = 63, 6_000  # characters of a label, encoded bytes of a description


def oracle(rows, *, live=None, quota=None, connections=None, scope=("region_id",)) -> list[dict]:
    """Return the findings of an audit of `rows`, sorted by row, then by rule."""
    routes = [Route.read(row, scope) for row in rows]
    findings = Findings()
    for position, route in enumerate(routes):
        find_in_row(position, route, findings)
        if connections is not None:
            find_connection(position, route, connections, findings)
    find_region_mismatch(routes, findings)
    find_earlier(routes, findings)
    there: dict[tuple, list] = {}  # by connection and network: what is there, and is it live?
    for other in map(Route.read, live or []):
        there.setdefault(other.identity()[:2], []).append((other, True))
    find_live(routes, there, findings)
    send(routes, there, quota, findings)
    find_destinations(routes, findings)
    order = list(RULES)
    return sorted(findings.values(), key=lambda f: (f["row"], order.index(f["rule"])))


@dataclass
class Route:
    """A row as the rules see it: an empty cell is None, `network` is None where there is none."""

    region_id: str | None
    vpn_connection_id: str | None
    route_dest: str | None
    next_hop: str | None
    weight: int | None
    weight_text: str | None
    description: str | None
    network: IPv4Network | None
    where: tuple

    @classmethod
    def read(cls, row: dict, scope: tuple = ()) -> Route:
        """Take a row of an inventory, or of live routes, as it stands."""
        cells = ("region_id", "vpn_connection_id", "route_dest", "next_hop")
        return cls(
            *(none_if_blank(row[name]) for name in cells),
            weight=row["weight"],
            weight_text=none_if_blank(row.get("weight_text")),
            description=none_if_blank(row.get("description")),
            network=network_of(none_if_blank(row["route_dest"])),
            where=tuple(none_if_blank(row.get(name)) for name in scope),
        )

    def empty_fields(self) -> list[str]:
        """Name the empty fields, in the order of check 1."""
        empty = [name for name in ASKED_FOR if getattr(self, name) is None]
        return [name for name in empty if name != "weight" or self.weight_text is None]

    def has_invalid_weight(self) -> bool:
        """Tell whether there is a weight and it is not 0 or 100."""
        given = self.weight is not None or self.weight_text is not None
        return given and self.weight not in (ACTIVE, STANDBY)

    def takes_part(self) -> bool:
        """Tell whether the rules from `duplicate` down see this row."""
        if self.empty_fields() or self.has_invalid_weight() or self.network is None:
            return False
        return self.network.prefixlen > 0

    def identity(self) -> tuple:
        """Give what makes two routes the same one."""
        there = self.network or self.route_dest
        return (self.vpn_connection_id, there, self.next_hop, self.weight)

    def leads_to(self) -> tuple:
        """Give what two destinations with the same forwarding have in common."""
        return (self.vpn_connection_id, self.next_hop, self.weight)

    def relation(self, other: Route) -> tuple[bool, bool]:
        """Tell, of two routes of one connection and network, what else is the same."""
        return (self.next_hop == other.next_hop, self.weight == other.weight)


class Findings(dict):
    """The findings so far, by (row, rule): at most one of a rule per row.

    `arriving` are rows whose connection will be attached by itself.
    """

    def __init__(self) -> None:
        self.arriving: set[int] = set()

    def add(self, row, rule, *, severity=None, column=None, related=None, suggestion=None) -> None:
        """Note that a rule speaks of a row."""
        assert (row, rule) not in self
        self[row, rule] = {
            "row": row,
            "rule": rule,
            "severity": severity or RULES[rule][0],
            "column": column or RULES[rule][1],
            "related_row": related,
            "api_code": None,
            "suggestion": suggestion,
        }


def find_in_row(row: int, route: Route, findings: Findings) -> None:
    """Find what a row shows without any other."""
    if route.empty_fields():
        findings.add(row, "missing-value", column=route.empty_fields()[0])
    if route.has_invalid_weight():
        findings.add(row, "invalid-weight")
    connection, next_hop = route.vpn_connection_id, route.next_hop
    region = route.region_id
    if region and not (len(region) <= LABEL and REGION.fullmatch(region)):
        findings.add(row, "invalid-region")
    if encoded_size(route.description or "") > DESCRIPTION:
        findings.add(row, "description-too-long")
    if connection and not CONNECTION_ID.fullmatch(connection):
        findings.add(row, "invalid-connection-id")
    if connection and next_hop and next_hop != connection:
        findings.add(row, "next-hop-mismatch")
    if route.route_dest:
        find_in_destination(row, route, findings)


def encoded_size(text: str) -> int:
    """Return how many bytes a text takes in the query of a request."""
    return len(re.sub(rb"[^A-Za-z0-9._~-]", b"%..", text.encode()))


def find_in_destination(row: int, route: Route, findings: Findings) -> None:
    """Find what is wrong with the destination itself."""
    network = route.network
    if network is None and is_ipv6_prefix(route.route_dest):
        findings.add(row, "ipv6-unsupported")
    elif network is None:
        findings.add(row, "malformed-cidr", suggestion=put_right(route.route_dest))
    elif network.prefixlen == 0:
        findings.add(row, "default-route")
    else:
        if str(network) != route.route_dest:
            findings.add(row, "host-bits-set", suggestion=str(network))
        if network.overlaps(SHARED):
            findings.add(row, "shared-address-space")
        if any(network.overlaps(block) for block in SPECIAL):
            findings.add(row, "special-purpose")


def find_connection(row: int, route: Route, connections: list[dict], findings: Findings) -> None:
    """Find rows whose connection is not there, is elsewhere or is not attached."""
    if not route.vpn_connection_id:
        return
    same = [c for c in connections if c["vpn_connection_id"] == route.vpn_connection_id]
    attached = [connection for connection in same if is_attached(connection)]
    if not same:
        findings.add(row, "unknown-connection")
        return
    if route.region_id and route.region_id not in [c["region_id"] for c in same]:
        findings.add(row, "wrong-region")
    if not attached:
        findings.add(row, "not-attached")
    if any(is_arriving(connection) for connection in same):
        findings.arriving.add(row)


def is_arriving(connection: dict) -> bool:
    """Tell whether a live connection is on its way to a transit router."""
    return connection["attach_type"] == "CEN" and connection.get("state") in ARRIVING


def is_attached(connection: dict) -> bool:
    """Tell whether a live connection is attached to a transit router, as far as is known."""
    if connection.get("attached") is not None:
        return connection["attached"]
    return connection["attach_type"] == "CEN" and bool(connection["transit_router_id"])


def find_region_mismatch(routes: list[Route], findings: Findings) -> None:
    """Find rows in another region than the first row of their connection that has one."""
    first: dict[str, int] = {}
    for row, route in enumerate(routes):
        if route.vpn_connection_id and route.region_id:
            related = first.setdefault(route.vpn_connection_id, row)
            if route.region_id != routes[related].region_id:
                findings.add(row, "region-mismatch", related=related)


def find_earlier(routes: list[Route], findings: Findings) -> None:
    """Find rows that repeat or contradict an earlier one, be that accepted or refused."""
    seen: dict[tuple, list[int]] = {}
    for row, route in enumerate(routes):
        if not route.takes_part():
            continue
        earlier = seen.setdefault((route.vpn_connection_id, route.network), [])
        for relation, (rule, _, _) in RELATIONS.items():
            related = (other for other in earlier if route.relation(routes[other]) == relation)
            if (first := next(related, None)) is not None:
                findings.add(row, rule, related=first)
        earlier.append(row)


def find_live(routes: list[Route], there: dict, findings: Findings) -> None:
    """Find rows whose connection and network are there already, as they are or otherwise."""
    for row, route in enumerate(routes):
        if route.takes_part():
            identities = {other.identity() for other, _ in there.get(route.identity()[:2], [])}
            if route.identity() in identities:
                findings.add(row, "already-live")
            if identities - {route.identity()}:
                findings.add(row, "live-conflict")


def send(routes: list[Route], there: dict, quota: int | None, findings: Findings) -> None:
    """Send the rows in order; what a check matches is refused, all else is there from then on."""
    held: dict[str, set[tuple]] = {}  # by connection: the identities that count
    for other, _ in itertools.chain(*there.values()):
        held.setdefault(other.vpn_connection_id, set()).add(other.identity())
    warned = set()
    for row, route in enumerate(routes):
        if is_refused_alone(row, route, findings):
            continue
        same_network = there.setdefault(route.identity()[:2], [])
        if is_refused_beside(row, route, same_network, findings):
            continue
        counted = held.setdefault(route.vpn_connection_id, set())
        if quota is not None and len(counted) >= quota:
            findings.add(row, "quota-exceeded")
            findings[row, "quota-exceeded"]["api_code"] = "CreateDbrRoutesQuotaFull.QuotaFull"
            continue
        if quota is None and len(counted) >= 50 and route.vpn_connection_id not in warned:
            warned.add(route.vpn_connection_id)
            findings.add(row, "quota-exceeded", severity="warning")
        same_network.append((route, False))
        counted.add(route.identity())


def is_refused_alone(row: int, route: Route, findings: Findings) -> bool:
    """Answer checks 1 to 6, which the findings of the row's own rules decide."""
    if route.empty_fields():
        parameter = route.empty_fields()[0].title().replace("_", "")  # route_dest, RouteDest
        findings[row, "missing-value"]["api_code"] = f"Missing{parameter}"
        return True
    for rule, code in ROW_CHECKS.items():
        if (row, rule) in findings and not (rule == "not-attached" and row in findings.arriving):
            findings[row, rule]["api_code"] = code
            return True
    return False


def is_refused_beside(row: int, route: Route, same_network: list, findings: Findings) -> bool:
    """Answer checks 7 to 9, against the routes that are there on this connection and network."""
    for relation, (rule_of_row, code, rule_of_live) in RELATIONS.items():
        for other, is_live in same_network:
            if route.relation(other) == relation:
                findings[row, rule_of_live if is_live else rule_of_row]["api_code"] = code
                return True
    return False


def find_destinations(routes: list[Route], findings: Findings) -> None:
    """Find what the routes of a destination, and of the one around it, come to together."""
    destinations: dict[tuple, list[int]] = {}
    for row, route in enumerate(routes):
        if route.takes_part():
            destinations.setdefault((route.where, route.network), []).append(row)
    able = planned(routes, findings)
    for (where, network), rows in destinations.items():
        find_activity(routes, rows, findings)
        around = closest_cover(where, network, destinations)
        if around:
            outer = {routes[row].leads_to() for row in around}
            inner = {routes[row].leads_to() for row in rows}
            made = {routes[row].leads_to() for row in rows if row in able}
            rule = "covered" if inner == outer else "more-specific"
            if inner == outer and (
                outer != {routes[row].leads_to() for row in around if row in able}
                or made not in (inner, set())
            ):
                continue
            for row in rows:
                findings.add(row, rule, related=around[0])


def planned(routes: list[Route], findings: Findings) -> set[int]:
    """Give the rows whose routes a plan makes: not in error, and no row disagrees with them."""
    relations = [rule for rule, _, _ in RELATIONS.values()]
    errors = [f for f in findings.values() if f["severity"] == "error"]
    wrong = {f["row"] for f in errors if f["rule"] not in relations}
    said: dict[tuple, set] = {}  # by connection and network: next hops and weights
    for route in routes:
        if route.takes_part():
            said.setdefault(route.identity()[:2], set()).add(route.identity()[2:])
    alone = {r for r, route in enumerate(routes) if len(said.get(route.identity()[:2], ())) == 1}
    return alone - wrong


def find_activity(routes: list[Route], rows: list[int], findings: Findings) -> None:
    """Find a destination with no active route, or with active ones on several connections."""
    active = [row for row in rows if routes[row].weight == ACTIVE]
    if not active:
        for row in rows:
            findings.add(row, "no-active-route")
    for row in active:
        connection = routes[row].vpn_connection_id
        others = [other for other in active if routes[other].vpn_connection_id != connection]
        if others:
            findings.add(row, "equal-cost", related=others[0])


def closest_cover(where: tuple, network: IPv4Network, destinations: dict) -> list[int]:
    """Return the rows of the longest shorter network of the scope that contains this one."""
    for length in range(network.prefixlen - 1, 0, -1):
        if rows := destinations.get((where, network.supernet(new_prefix=length))):
            return rows
    return []
