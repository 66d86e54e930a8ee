"""The rules of an audit: each a function from the audit to the rows it finds, with a message.

A rule is registered with its name, severity and the summary that explains it; the order of the
registry is the order of findings of one row. To add a rule, write one function here.

Rules look at three circles of rows: each row by itself, or with the live connection it names; the
rows of one connection and network; and all rows of one destination, which is a network within a
scope. What the vendor does not document is said with "may".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from vcokit.audit.audit import Audit, Matches
from vcokit.audit.columns import DESCRIPTION_BYTES, I64, NEEDED, NONE, Mask, first_other, first_row
from vcokit.audit.prediction import QUOTA
from vcokit.cidr.explain import suggestions
from vcokit.cidr.parse import to_text
from vcokit.cidr.relations import touches


@dataclass(frozen=True)
class Rule:
    """One rule of the audit.

    Parameters
    ----------
    name : str
        As in the findings' column ``rule``.
    severity : str
        ``info``, ``warning`` or ``error``.
    summary : str
        What the rule says of a row, for people.
    look : callable
        From a `Audit` to `Matches`; None where the rule has nothing to look at.
    """

    name: str
    severity: str
    summary: str
    look: Callable[[Audit], Matches | None]

    def find(self, audit: Audit) -> Matches | None:
        """Look at an audit, and note there which rows are in error by it."""
        matches = self.look(audit)
        wrong = matches is not None and (matches.severity or self.severity) == "error"
        audit.wrong[self.name] = matches.rows if matches is not None and wrong else _NOWHERE
        return matches


#: The rules by name, in the order in which their findings stand.
REGISTRY: Final[dict[str, Rule]] = {}

#: Rules of rows that meet others: a plan weighs those against one another. By any other error
#: rule it blocks a row alone.
CONFLICTS: Final = frozenset({"duplicate", "weight-conflict", "next-hop-conflict"})


def rule(
    name: str, severity: str, summary: str
) -> Callable[..., Callable[[Audit], Matches | None]]:
    """Register a function as a rule."""

    def register(look: Callable[[Audit], Matches | None]) -> Callable[[Audit], Matches | None]:
        REGISTRY[name] = Rule(name, severity, summary, look)
        return look

    return register


def in_error(audit: Audit) -> Mask:
    """Tell which rows a plan would block for what they are, not for what they meet.

    Rules that were run already are not run again.
    """
    wrong = np.zeros(audit.columns.size, dtype=np.bool_)
    for known in REGISTRY.values():
        if known.severity == "error" and known.name not in CONFLICTS:
            if known.name not in audit.wrong:
                known.find(audit)
            wrong[audit.wrong[known.name]] = True
    return wrong


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
def _missing_value(audit: Audit) -> Matches | None:
    rows = _rows(~audit.columns.complete)
    if not len(rows):
        return None
    # There are few ways to be incomplete: each is worded once, by its number in binary.
    which = np.zeros(len(rows), dtype=np.int64)
    for bit, name in enumerate(NEEDED):
        which |= audit.columns.empty[name][rows].astype(np.int64) << bit
    first = pd.Series(_FIRST_EMPTY.take(which), dtype="str")
    connection = audit.text(rows, "vpn_connection_id").where(audit.columns.id_ok[rows])
    suggestion = connection.where(first == "next_hop")
    return Matches(rows, first, pd.Series(_ALL_EMPTY.take(which), dtype="str"), suggestion)


@rule("invalid-weight", "error", "The weight is neither 0 (standby) nor 100 (active).")
def _invalid_weight(audit: Audit) -> Matches | None:
    rows = _rows(audit.columns.has_weight & ~audit.columns.weight_ok)
    if not len(rows):
        return None
    text = audit.text(rows, "weight").astype("str").fillna(audit.text(rows, "weight_text"))
    return Matches(rows, "weight", "weight '" + text + "' is neither 0 (standby) nor 100 (active)")


@rule("invalid-region", "error", "The region has not the form of a region id.")
def _invalid_region(audit: Audit) -> Matches | None:
    rows = _rows((audit.columns.region >= 0) & ~audit.columns.region_ok)
    if not len(rows):
        return None
    text = _shown(audit.text(rows, "region_id"))
    message = "'" + text + "' is no region id: at most 63 small letters, digits and hyphens"
    return Matches(rows, "region_id", message)


@rule("invalid-connection-id", "error", "The connection's id is not vco- and letters or digits.")
def _invalid_connection_id(audit: Audit) -> Matches | None:
    rows = _rows((audit.columns.connection >= 0) & ~audit.columns.id_ok)
    if not len(rows):
        return None
    text = _shown(audit.text(rows, "vpn_connection_id"))
    message = "'" + text + "' is no id of an IPsec connection: vco- and letters or digits, up to 64"
    if audit.status is None:
        return Matches(rows, "vpn_connection_id", message)
    return Matches(rows, "vpn_connection_id", *audit.status.by_name(rows, message))


@rule("unknown-connection", "error", "The connection is not among the live connections.")
def _unknown_connection(audit: Audit) -> Matches | None:
    rows = _rows(audit.status.unknown) if audit.status else _NOWHERE
    if audit.status is None or not len(rows):
        return None
    message = audit.text(rows, "vpn_connection_id") + " is not among the live connections"
    message += audit.status.unseen(rows)
    return Matches(rows, "vpn_connection_id", *audit.status.by_name(rows, message))


@rule("wrong-region", "error", "The live connection is in another region.")
def _wrong_region(audit: Audit) -> Matches | None:
    rows = _rows(audit.status.in_other_region) if audit.status else _NOWHERE
    if audit.status is None or not len(rows):
        return None
    region = audit.status.region(rows)
    ids = audit.text(rows, "vpn_connection_id")
    message = ids + " is in " + region + ", not in " + audit.text(rows, "region_id")
    return Matches(rows, "region_id", message, region)


@rule("not-attached", "error", "The live connection is not attached to a transit router.")
def _not_attached(audit: Audit) -> Matches | None:
    rows = _rows(audit.status.not_attached) if audit.status else _NOWHERE
    if not len(rows):
        return None
    message = audit.text(rows, "vpn_connection_id") + " is not attached to a transit router"
    return Matches(rows, "vpn_connection_id", message)


@rule("region-mismatch", "error", "The connection's first row names another region.")
def _region_mismatch(audit: Audit) -> Matches | None:
    columns, first = audit.columns, audit.region_row
    differs = columns.region != columns.region[first]
    rows = _rows((columns.connection >= 0) & (columns.region >= 0) & (first != NONE) & differs)
    if not len(rows):
        return None
    related = first[rows]
    region = audit.text(related, "region_id")
    message = (
        audit.at(related, rows) + " puts " + audit.text(rows, "vpn_connection_id") + " in " + region
    )
    # Where the connection is live its region is known, and `wrong-region` suggests that.
    suggestion = region.mask(audit.status.known[rows]) if audit.status else region
    return Matches(rows, "region_id", message, suggestion, related)


@rule("malformed-cidr", "error", "The destination is not a.b.c.d/len.")
def _malformed_cidr(audit: Audit) -> Matches | None:
    rows = _rows(audit.columns.malformed)
    if not len(rows):
        return None
    text = audit.text(rows, "route_dest")
    return Matches(rows, "route_dest", "'" + text + "' is not a.b.c.d/len", suggestions(text))


@rule("ipv6-unsupported", "error", "The destination is IPv6; only IPv4 is supported.")
def _ipv6_unsupported(audit: Audit) -> Matches | None:
    rows = _rows(audit.columns.ipv6)
    if not len(rows):
        return None
    message = audit.text(rows, "route_dest") + " is IPv6; destinations are IPv4"
    return Matches(rows, "route_dest", message)


@rule("host-bits-set", "error", "The address is not that of its network.")
def _host_bits_set(audit: Audit) -> Matches | None:
    rows = _rows(audit.columns.host_bits)
    if not len(rows):
        return None
    network = audit.network(rows)
    message = audit.text(rows, "route_dest") + " has host bits set; its network is " + network
    return Matches(rows, "route_dest", message, network)


@rule("default-route", "error", "The default route is refused as a destination.")
def _default_route(audit: Audit) -> Matches | None:
    message = "a destination of length 0 is the default route, which is refused"
    return Matches(_rows(audit.columns.is_default), "route_dest", message)


@rule("next-hop-mismatch", "error", "The next hop is not the connection; may be refused.")
def _next_hop_mismatch(audit: Audit) -> Matches | None:
    columns = audit.columns
    there = (columns.connection >= 0) & (columns.next_hop >= 0)
    rows = _rows(there & (columns.connection != columns.next_hop))
    if not len(rows):
        return None
    connection = audit.text(rows, "vpn_connection_id")
    next_hop = audit.text(rows, "next_hop")
    message = "next hop " + next_hop + " is not the connection " + connection + "; may be refused"
    return Matches(rows, "next_hop", message, connection.where(columns.id_ok[rows]))


@rule("shared-address-space", "error", "The destination touches 100.64.0.0/10; breaks the tunnel.")
def _shared_address_space(audit: Audit) -> Matches | None:
    prefixes = audit.columns.prefixes
    rows = _rows(audit.columns.has_network & touches(prefixes.network, prefixes.length, *SHARED))
    if not len(rows):
        return None
    message = " touches 100.64.0.0/10: it may be accepted, and then the tunnel breaks"
    return Matches(rows, "route_dest", audit.network(rows) + message)


@rule("special-purpose", "warning", "The destination touches a network of special purpose.")
def _special_purpose(audit: Audit) -> Matches | None:
    prefixes = audit.columns.prefixes
    # A glance at the first octet leaves few rows to compare.
    by_octet = _NEAR_SPECIAL.take(prefixes.network >> np.uint32(24))
    near = _rows(audit.columns.has_network & (by_octet | (prefixes.length < 8)))
    which = np.full(len(near), NONE, dtype=np.int64)
    for number, (network, length) in reversed(list(enumerate(SPECIAL))):
        which[touches(prefixes.network[near], prefixes.length[near], network, length)] = number
    rows = near[which != NONE]
    if not len(rows):
        return None
    table = np.array(SPECIAL, dtype=np.int64)[which[which != NONE]]
    touched = to_text(table[:, 0].astype(np.uint32), table[:, 1].astype(np.uint8))
    message = audit.network(rows) + " touches " + touched + ", which has a meaning of its own"
    return Matches(rows, "route_dest", message)


@rule("description-too-long", "error", "The description does not fit into a request.")
def _description_too_long(audit: Audit) -> Matches | None:
    size = audit.columns.description_bytes
    rows = _rows(size > DESCRIPTION_BYTES)
    if not len(rows):
        return None
    bytes_taken = pd.Series(size[rows]).map("{:,}".format).astype("str")
    message = "the description takes " + bytes_taken + " bytes in a request, which carries "
    return Matches(rows, "description", message + f"{DESCRIPTION_BYTES:,}; shorten it")


def _in_crowd(audit: Audit, related: I64) -> tuple[I64, I64]:
    """Return rows of the contending that are behind their related one, and that one."""
    behind = np.flatnonzero((related != NONE) & (related < np.arange(len(related))))
    contending = audit.groups.contending
    return contending.rows[behind], contending.rows[related[behind]]


@rule("duplicate", "error", "An earlier row is the same route.")
def _duplicate(audit: Audit) -> Matches | None:
    identity = audit.groups.contending.identity
    rows, related = _in_crowd(audit, first_row(identity)[identity])
    if not len(rows):
        return None
    return Matches(rows, "route_dest", "same route as " + audit.at(related, rows), related=related)


@rule("weight-conflict", "error", "An earlier row gives the same route another weight.")
def _weight_conflict(audit: Audit) -> Matches | None:
    contending = audit.groups.contending
    rows, related = _in_crowd(audit, first_other(contending.path, contending.active))
    if not len(rows):
        return None
    weight = audit.text(related, "weight").astype("str")
    message = audit.at(related, rows) + " gives the same route the weight " + weight
    return Matches(rows, "weight", message, related=related)


@rule("next-hop-conflict", "error", "An earlier row gives the same route another next hop.")
def _next_hop_conflict(audit: Audit) -> Matches | None:
    contending = audit.groups.contending
    rows, related = _in_crowd(audit, first_other(contending.pair, contending.path))
    if not len(rows):
        return None
    next_hop = audit.text(related, "next_hop")
    message = audit.at(related, rows) + " gives the same route the next hop " + next_hop
    return Matches(rows, "next_hop", message, related=related)


@rule("already-live", "info", "This very route is live.")
def _already_live(audit: Audit) -> Matches | None:
    return Matches(_rows(audit.live.same), "route_dest", "this route is live already")


@rule("live-conflict", "info", "The destination is live with another weight or next hop.")
def _live_conflict(audit: Audit) -> Matches | None:
    message = "live on this connection with another weight or next hop; a plan deals with it"
    return Matches(_rows(audit.live.other), "route_dest", message)


@rule("quota-exceeded", "error", "The connection's quota of routes is used up before this row.")
def _quota_exceeded(audit: Audit) -> Matches | None:
    if audit.quota is None:
        return _quota_hint(audit)
    rows = _rows(audit.check == QUOTA)
    if not len(rows):
        return None
    ids = audit.text(rows, "vpn_connection_id")
    return Matches(rows, "vpn_connection_id", f"past the quota of {audit.quota} routes of " + ids)


def _quota_hint(audit: Audit) -> Matches | None:
    """Warn once a connection, where nobody said what the quota is."""
    past = audit.under_default_quota == QUOTA
    if not past.any():
        return None
    first = first_row(np.where(past, audit.columns.connection, NONE))
    rows = np.sort(first[first != NONE])
    if not len(rows):
        return None
    message = audit.text(rows, "vpn_connection_id") + " has more routes than the usual quota allows"
    return Matches(rows, "vpn_connection_id", message, severity="warning")


@rule("no-active-route", "warning", "All routes of the destination are standby.")
def _no_active_route(audit: Audit) -> Matches | None:
    groups = audit.groups
    rows = _rows((groups.destination >= 0) & ~groups.has_active[groups.destination])
    if not len(rows):
        return None
    message = "all routes to " + audit.network(rows) + " are standby (weight 0)"
    return Matches(rows, "weight", message)


@rule("equal-cost", "info", "Two or more connections of the destination are active.")
def _equal_cost(audit: Audit) -> Matches | None:
    columns, destination = audit.columns, audit.groups.destination
    active = _rows(columns.takes_part & columns.is_active)
    several = np.bincount(destination[active], minlength=audit.groups.count) > 1
    active = active[several[destination[active]]]
    related = first_other(destination[active].astype(np.int64), columns.connection[active])
    met = _rows(related != NONE)
    if not len(met):
        return None
    rows, other = active[met], active[related[met]]
    also = audit.text(other, "vpn_connection_id") + " (" + audit.at(other, rows) + ")"
    message = "also active on " + also + ": traffic may be spread over both"
    return Matches(rows, "weight", message, related=other)


@rule("covered", "info", "The closest shorter network leads exactly the same way.")
def _covered(audit: Audit) -> Matches | None:
    groups = audit.groups
    if not groups.same_next_hop_set.any():
        return None
    rows, cover = _within(audit, groups.same_next_hop_set & groups.redundant(in_error(audit)))
    if not len(rows):
        return None
    where = audit.network(cover) + " (" + audit.at(cover, rows) + ")"
    network = audit.network(rows)
    message = where + " leads the same way: dropping " + network + " changes no forwarding"
    return Matches(rows, "route_dest", message, related=cover)


@rule("more-specific", "info", "The closest shorter network leads another way; this one wins.")
def _more_specific(audit: Audit) -> Matches | None:
    rows, cover = _within(audit, ~audit.groups.same_next_hop_set)
    if not len(rows):
        return None
    winner = audit.groups.first_active[audit.groups.destination[rows]]
    way = audit.text(winner, "vpn_connection_id").where(winner != NONE, "standby routes")
    message = (
        "traffic to "
        + audit.network(rows)
        + " goes to "
        + way
        + ", not the way of "
        + audit.network(cover)
        + " ("
        + audit.at(cover, rows)
        + ")"
    )
    return Matches(rows, "route_dest", message, related=cover)


def _within(audit: Audit, chosen: Mask) -> tuple[I64, I64]:
    """Return rows of the chosen destinations that are covered; the first row of their cover."""
    groups = audit.groups
    rows = _rows((chosen & (groups.cover >= 0))[groups.destination])  # -1 reads the last: False
    return rows, groups.first[groups.cover[groups.destination[rows]]]


#: All rules, in the order in which their findings stand.
RULES: Final = tuple(REGISTRY.values())

#: The dtype of the findings' column ``rule``.
RULE_NAMES: Final = pd.CategoricalDtype([known.name for known in RULES], ordered=True)
