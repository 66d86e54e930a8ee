"""The rules of an audit: each a function from the case to the rows it finds, with a message.

A rule is registered with its name, severity and the sentence that explains it; the order of the
registry is the order of findings of one row. To add a rule, write one function here.

Rules look at three circles of rows: each row by itself, or with the live connection it names; the
rows of one connection and network; and all rows of one destination, which is a network within a
scope. What the vendor does not document is said with "may".
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from vcokit.audit.case import Case, Hits
from vcokit.audit.codes import I64, NONE, Mask, first_other, first_row
from vcokit.audit.facts import DESCRIPTION_BYTES, NEEDED
from vcokit.audit.predict import QUOTA
from vcokit.audit.registry import CONFLICTS, REGISTRY, Rule, in_error, rule
from vcokit.cidr.parse import to_text
from vcokit.cidr.relations import touches
from vcokit.cidr.suggest import suggestions

__all__ = ["CONFLICTS", "RULES", "RULE_NAMES", "Hits", "Rule", "in_error"]

#: RFC 6598 shared address space, which the vendor's own gateways use.
SHARED: Final = (0x64400000, 10)
#: Networks with a meaning of their own: RFC 1122, 3927, 5771 and 1112.
SPECIAL: Final = (
    (0x00000000, 8),
    (0x7F000000, 8),
    (0xA9FE0000, 16),
    (0xE0000000, 4),
    (0xF0000000, 4),
)
#: By first octet, whether a network of 8 bits or more can touch one of `SPECIAL`.
_NEAR_SPECIAL: Final = np.array(
    [
        any(
            first >> (8 - min(length, 8)) == network >> (32 - min(length, 8))
            for network, length in SPECIAL
        )
        for first in range(256)
    ]
)


def _rows(mask: Mask) -> I64:
    return np.flatnonzero(mask)


def _shown(text: pd.Series) -> pd.Series:
    """Return cells as a message shows them: a long one is cut."""
    return text.where(text.str.len() <= _SHOWN, text.str.slice(0, _SHOWN) + "...")


_SHOWN: Final = 64  # characters of a cell in a message

_NOWHERE: Final[I64] = np.zeros(0, dtype=np.int64)

_EMPTY: Final = [
    [name for bit, name in enumerate(NEEDED) if number >> bit & 1]
    for number in range(1 << len(NEEDED))
]
_FIRST_EMPTY: Final = pd.array([names[0] if names else "" for names in _EMPTY], dtype="str")
_ALL_EMPTY: Final = pd.array(["empty: " + ", ".join(names) for names in _EMPTY], dtype="str")


@rule("missing-value", "error", "A field that the cloud requires is empty.")
def _missing_value(case: Case) -> Hits | None:
    rows = _rows(~case.facts.complete)
    if not len(rows):
        return None
    # There are few ways to be incomplete: each is worded once, by its number in binary.
    which = np.zeros(len(rows), dtype=np.int64)
    for bit, name in enumerate(NEEDED):
        which |= case.facts.empty[name][rows].astype(np.int64) << bit
    first = pd.Series(_FIRST_EMPTY.take(which), dtype="str")
    connection = case.text(rows, "vpn_connection_id").where(case.facts.id_ok[rows])
    suggestion = connection.where(first == "next_hop")
    return Hits(rows, first, pd.Series(_ALL_EMPTY.take(which), dtype="str"), suggestion)


@rule("invalid-weight", "error", "The weight is neither 0 (standby) nor 100 (active).")
def _invalid_weight(case: Case) -> Hits | None:
    rows = _rows(case.facts.has_weight & ~case.facts.weight_ok)
    if not len(rows):
        return None
    text = case.text(rows, "weight").astype("str").fillna(case.text(rows, "weight_text"))
    return Hits(rows, "weight", "weight '" + text + "' is neither 0 (standby) nor 100 (active)")


@rule("invalid-region", "error", "The region has not the form of a region id.")
def _invalid_region(case: Case) -> Hits | None:
    rows = _rows((case.facts.region >= 0) & ~case.facts.region_ok)
    if not len(rows):
        return None
    text = _shown(case.text(rows, "region_id"))
    message = "'" + text + "' is no region id: at most 63 small letters, digits and hyphens"
    return Hits(rows, "region_id", message)


@rule("invalid-connection-id", "error", "The connection's id is not vco- and letters or digits.")
def _invalid_connection_id(case: Case) -> Hits | None:
    rows = _rows((case.facts.connection >= 0) & ~case.facts.id_ok)
    if not len(rows):
        return None
    text = _shown(case.text(rows, "vpn_connection_id"))
    message = "'" + text + "' is no id of an IPsec connection: vco- and letters or digits, up to 64"
    if case.reach is None:
        return Hits(rows, "vpn_connection_id", message)
    return Hits(rows, "vpn_connection_id", *case.reach.by_name(rows, message))


@rule("unknown-connection", "error", "The connection is not among the live connections.")
def _unknown_connection(case: Case) -> Hits | None:
    rows = _rows(case.reach.unknown) if case.reach else _NOWHERE
    if case.reach is None or not len(rows):
        return None
    message = case.text(rows, "vpn_connection_id") + " is not among the live connections"
    message += case.reach.unseen(rows)
    return Hits(rows, "vpn_connection_id", *case.reach.by_name(rows, message))


@rule("wrong-region", "error", "The live connection is in another region.")
def _wrong_region(case: Case) -> Hits | None:
    rows = _rows(case.reach.elsewhere) if case.reach else _NOWHERE
    if case.reach is None or not len(rows):
        return None
    region = case.reach.region(rows)
    ids = case.text(rows, "vpn_connection_id")
    message = ids + " is in " + region + ", not in " + case.text(rows, "region_id")
    return Hits(rows, "region_id", message, region)


@rule("not-attached", "error", "The live connection is not attached to a transit router.")
def _not_attached(case: Case) -> Hits | None:
    rows = _rows(case.reach.not_attached) if case.reach else _NOWHERE
    if not len(rows):
        return None
    message = case.text(rows, "vpn_connection_id") + " is not attached to a transit router"
    return Hits(rows, "vpn_connection_id", message)


@rule("region-mismatch", "error", "The connection's first row names another region.")
def _region_mismatch(case: Case) -> Hits | None:
    facts, first = case.facts, case.region_row
    differs = facts.region != facts.region[first]
    rows = _rows((facts.connection >= 0) & (facts.region >= 0) & (first != NONE) & differs)
    if not len(rows):
        return None
    related = first[rows]
    region = case.text(related, "region_id")
    message = (
        case.at(related, rows) + " puts " + case.text(rows, "vpn_connection_id") + " in " + region
    )
    # Where the connection is live its region is known, and `wrong-region` suggests that.
    suggestion = region.mask(case.reach.known[rows]) if case.reach else region
    return Hits(rows, "region_id", message, suggestion, related)


@rule("malformed-cidr", "error", "The destination is not a.b.c.d/len.")
def _malformed_cidr(case: Case) -> Hits | None:
    rows = _rows(case.facts.malformed)
    if not len(rows):
        return None
    text = case.text(rows, "route_dest")
    return Hits(rows, "route_dest", "'" + text + "' is not a.b.c.d/len", suggestions(text))


@rule("ipv6-unsupported", "error", "The destination is IPv6; only IPv4 is supported.")
def _ipv6_unsupported(case: Case) -> Hits | None:
    rows = _rows(case.facts.ipv6)
    if not len(rows):
        return None
    message = case.text(rows, "route_dest") + " is IPv6; destinations are IPv4"
    return Hits(rows, "route_dest", message)


@rule("host-bits-set", "error", "The address is not that of its network.")
def _host_bits_set(case: Case) -> Hits | None:
    rows = _rows(case.facts.host_bits)
    if not len(rows):
        return None
    network = case.network(rows)
    message = case.text(rows, "route_dest") + " has host bits set; its network is " + network
    return Hits(rows, "route_dest", message, network)


@rule("default-route", "error", "The default route is refused as a destination.")
def _default_route(case: Case) -> Hits | None:
    message = "a destination of length 0 is the default route, which is refused"
    return Hits(_rows(case.facts.is_default), "route_dest", message)


@rule("next-hop-mismatch", "error", "The next hop is not the connection; may be refused.")
def _next_hop_mismatch(case: Case) -> Hits | None:
    facts = case.facts
    there = (facts.connection >= 0) & (facts.next_hop >= 0)
    rows = _rows(there & (facts.connection != facts.next_hop))
    if not len(rows):
        return None
    connection = case.text(rows, "vpn_connection_id")
    next_hop = case.text(rows, "next_hop")
    message = "next hop " + next_hop + " is not the connection " + connection + "; may be refused"
    return Hits(rows, "next_hop", message, connection.where(facts.id_ok[rows]))


@rule("shared-address-space", "error", "The destination touches 100.64.0.0/10; breaks the tunnel.")
def _shared_address_space(case: Case) -> Hits | None:
    prefixes = case.facts.prefixes
    rows = _rows(case.facts.has_network & touches(prefixes.network, prefixes.length, *SHARED))
    if not len(rows):
        return None
    message = " touches 100.64.0.0/10: it may be accepted, and then the tunnel breaks"
    return Hits(rows, "route_dest", case.network(rows) + message)


@rule("special-purpose", "warning", "The destination touches a network of special purpose.")
def _special_purpose(case: Case) -> Hits | None:
    prefixes = case.facts.prefixes
    # A glance at the first octet leaves few rows to compare.
    by_octet = _NEAR_SPECIAL.take(prefixes.network >> np.uint32(24))
    near = _rows(case.facts.has_network & (by_octet | (prefixes.length < 8)))
    which = np.full(len(near), NONE, dtype=np.int64)
    for number, (network, length) in reversed(list(enumerate(SPECIAL))):
        which[touches(prefixes.network[near], prefixes.length[near], network, length)] = number
    rows = near[which != NONE]
    if not len(rows):
        return None
    table = np.array(SPECIAL, dtype=np.int64)[which[which != NONE]]
    touched = to_text(table[:, 0].astype(np.uint32), table[:, 1].astype(np.uint8))
    message = case.network(rows) + " touches " + touched + ", which has a meaning of its own"
    return Hits(rows, "route_dest", message)


@rule("description-too-long", "error", "The description does not fit into a request.")
def _description_too_long(case: Case) -> Hits | None:
    size = case.facts.description_bytes
    rows = _rows(size > DESCRIPTION_BYTES)
    if not len(rows):
        return None
    bytes_taken = pd.Series(size[rows]).map("{:,}".format).astype("str")
    message = "the description takes " + bytes_taken + " bytes in a request, which carries "
    return Hits(rows, "description", message + f"{DESCRIPTION_BYTES:,}; shorten it")


def _in_crowd(case: Case, related: I64) -> tuple[I64, I64]:
    """Return rows of the crowd that are behind their related one, and that one."""
    behind = np.flatnonzero((related != NONE) & (related < np.arange(len(related))))
    crowd = case.groups.crowd
    return crowd.rows[behind], crowd.rows[related[behind]]


@rule("duplicate", "error", "An earlier row is the same route.")
def _duplicate(case: Case) -> Hits | None:
    identity = case.groups.crowd.identity
    rows, related = _in_crowd(case, first_row(identity)[identity])
    if not len(rows):
        return None
    return Hits(rows, "route_dest", "same route as " + case.at(related, rows), related=related)


@rule("weight-conflict", "error", "An earlier row gives the same route another weight.")
def _weight_conflict(case: Case) -> Hits | None:
    crowd = case.groups.crowd
    rows, related = _in_crowd(case, first_other(crowd.path, crowd.active))
    if not len(rows):
        return None
    weight = case.text(related, "weight").astype("str")
    message = case.at(related, rows) + " gives the same route the weight " + weight
    return Hits(rows, "weight", message, related=related)


@rule("next-hop-conflict", "error", "An earlier row gives the same route another next hop.")
def _next_hop_conflict(case: Case) -> Hits | None:
    crowd = case.groups.crowd
    rows, related = _in_crowd(case, first_other(crowd.pair, crowd.path))
    if not len(rows):
        return None
    next_hop = case.text(related, "next_hop")
    message = case.at(related, rows) + " gives the same route the next hop " + next_hop
    return Hits(rows, "next_hop", message, related=related)


@rule("already-live", "info", "This very route is live.")
def _already_live(case: Case) -> Hits | None:
    return Hits(_rows(case.live.same), "route_dest", "this route is live already")


@rule("live-conflict", "info", "The destination is live with another weight or next hop.")
def _live_conflict(case: Case) -> Hits | None:
    message = "live on this connection with another weight or next hop; a plan deals with it"
    return Hits(_rows(case.live.other), "route_dest", message)


@rule("quota-exceeded", "error", "The connection's quota of routes is used up before this row.")
def _quota_exceeded(case: Case) -> Hits | None:
    if case.quota is None:
        return _quota_hint(case)
    rows = _rows(case.check == QUOTA)
    if not len(rows):
        return None
    ids = case.text(rows, "vpn_connection_id")
    return Hits(rows, "vpn_connection_id", f"past the quota of {case.quota} routes of " + ids)


def _quota_hint(case: Case) -> Hits | None:
    """Warn once a connection, where nobody said what the quota is."""
    past = case.hinted == QUOTA
    if not past.any():
        return None
    first = first_row(np.where(past, case.facts.connection, NONE))
    rows = np.sort(first[first != NONE])
    if not len(rows):
        return None
    message = case.text(rows, "vpn_connection_id") + " has more routes than the usual quota allows"
    return Hits(rows, "vpn_connection_id", message, severity="warning")


@rule("no-active-route", "warning", "All routes of the destination are standby.")
def _no_active_route(case: Case) -> Hits | None:
    groups = case.groups
    rows = _rows((groups.destination >= 0) & ~groups.has_active[groups.destination])
    if not len(rows):
        return None
    message = "all routes to " + case.network(rows) + " are standby (weight 0)"
    return Hits(rows, "weight", message)


@rule("equal-cost", "info", "Two or more connections of the destination are active.")
def _equal_cost(case: Case) -> Hits | None:
    facts, destination = case.facts, case.groups.destination
    active = _rows(facts.takes_part & facts.is_active)
    several = np.bincount(destination[active], minlength=case.groups.count) > 1
    active = active[several[destination[active]]]
    related = first_other(destination[active].astype(np.int64), facts.connection[active])
    met = _rows(related != NONE)
    if not len(met):
        return None
    rows, other = active[met], active[related[met]]
    also = case.text(other, "vpn_connection_id") + " (" + case.at(other, rows) + ")"
    message = "also active on " + also + ": traffic may be spread over both"
    return Hits(rows, "weight", message, related=other)


@rule("covered", "info", "The closest shorter network leads exactly the same way.")
def _covered(case: Case) -> Hits | None:
    groups = case.groups
    if not groups.same_way.any():
        return None
    rows, cover = _within(case, groups.same_way & groups.spare(in_error(case)))
    if not len(rows):
        return None
    where = case.network(cover) + " (" + case.at(cover, rows) + ")"
    network = case.network(rows)
    message = where + " leads the same way: dropping " + network + " changes no forwarding"
    return Hits(rows, "route_dest", message, related=cover)


@rule("more-specific", "info", "The closest shorter network leads another way; this one wins.")
def _more_specific(case: Case) -> Hits | None:
    rows, cover = _within(case, ~case.groups.same_way)
    if not len(rows):
        return None
    winner = case.groups.first_active[case.groups.destination[rows]]
    way = case.text(winner, "vpn_connection_id").where(winner != NONE, "standby routes")
    message = (
        "traffic to "
        + case.network(rows)
        + " goes to "
        + way
        + ", not the way of "
        + case.network(cover)
        + " ("
        + case.at(cover, rows)
        + ")"
    )
    return Hits(rows, "route_dest", message, related=cover)


def _within(case: Case, chosen: Mask) -> tuple[I64, I64]:
    """Return rows of the chosen destinations that are covered; the first row of their cover."""
    groups = case.groups
    rows = _rows((chosen & (groups.cover >= 0))[groups.destination])  # -1 reads the last: False
    return rows, groups.first[groups.cover[groups.destination[rows]]]


#: All rules, in the order in which their findings stand.
RULES: Final = tuple(REGISTRY.values())

#: The dtype of the findings' column ``rule``.
RULE_NAMES: Final = pd.CategoricalDtype([known.name for known in RULES], ordered=True)
