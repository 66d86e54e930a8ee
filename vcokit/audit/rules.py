"""The rules of an audit: each is a function from the audit to the rows it finds, with a message.

A rule declares what it looks at, and which checks of the cloud it corresponds to:

===========  ====================================================================================
row          each row on its own, or with the live connection it names; checks 1 to 6
connection   a row and the other rows, or live routes, of its connection; checks 7 to 10
destination  all rows of a destination, and of its closest cover; no check
===========  ====================================================================================

The rules about rows run first, because the other rules need to know which rows have an error, and
which rows the cloud would refuse. To add a rule, write one function here. The findings of a row are
in the order of these functions. "May" in a message marks what the vendor does not document. Users'
own rules are not in this module: see `vcokit.audit.own_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.audit.audit import Audit, Matches
from vcokit.audit.columns import (
    DESCRIPTION_BYTES,
    I64,
    NEEDED,
    NONE,
    TEXT,
    Mask,
    Text,
    as_text,
    first_other,
    first_row,
    say,
)
from vcokit.audit.prediction import Check
from vcokit.cidr.parse import U8, U32, to_text
from vcokit.cidr.relations import touches
from vcokit.cidr.suggest import suggestions

LooksAt: TypeAlias = Literal["row", "connection", "destination"]
Find: TypeAlias = Callable[[Audit], Matches]
#: The order in which rules run, by what they look at.
PASSES: Final[tuple[LooksAt, ...]] = ("row", "connection", "destination")


@dataclass(frozen=True)
class Rule:
    """One rule of the audit.

    Parameters
    ----------
    name : str
        The name in the findings' column ``rule``.
    severity : str
        ``info``, ``warning`` or ``error``.
    summary : str
        A sentence for people: what is true of a row that the rule finds.
    find : callable
        A function from an `Audit` to `Matches`.
    looks_at : {"row", "connection", "destination"}
    checks : tuple of Check
        Checks of the cloud that the rule corresponds to. If one of them refuses a row, the API code
        is on the finding of this rule.
    blocks : bool
        Whether an error of this rule alone makes a plan block the row. False for the rules about
        rows that contradict or repeat one another; for these see `vcokit.audit.plannable`.
    breaks_tunnel : bool
        Whether the route, if the cloud accepts it, may cut off the tunnel itself. Then no exception
        is possible.
    """

    name: str
    severity: str
    summary: str
    find: Find
    looks_at: LooksAt = "row"
    checks: tuple[Check, ...] = ()
    blocks: bool = False
    breaks_tunnel: bool = False


_rules: Final[list[Rule]] = []


def _rule(
    name: str,
    severity: str,
    summary: str,
    looks_at: LooksAt,
    *checks: Check,
    blocks: bool = True,
    breaks_tunnel: bool = False,
) -> Callable[[Find], Find]:
    """Register a function as a built-in rule."""

    def register(find: Find) -> Find:
        blocking = blocks and severity == "error"
        made = Rule(name, severity, summary, find, looks_at, checks, blocking, breaks_tunnel)
        _rules.append(made)
        return find

    return register


#: RFC 6598 shared address space, which the vendor's own gateways use.
SHARED: Final = (0x64400000, 10)
#: Special-purpose networks: RFC 1122, 3927, 5771 and 1112.
SPECIAL: Final = (
    (0x00000000, 8),
    (0x7F000000, 8),
    (0xA9FE0000, 16),
    (0xE0000000, 4),
    (0xF0000000, 4),
)
_FIRST_OCTETS: Final = np.arange(256, dtype=np.uint32) << np.uint32(24)
#: For each first octet, whether one of these networks has an address that begins with it.
_NEAR: Final = np.logical_or.reduce(
    [
        touches(_FIRST_OCTETS, np.full(256, 8, dtype=np.uint8), *network)
        for network in (SHARED, *SPECIAL)
    ]
)
_SHOWN: Final = 64  # most characters of a cell in a message
#: A weight in a format of spreadsheets, in any locale.
_WEIGHT_MEANT: Final = r"^(?P<weight>0|100)(?:[.,]0+)? ?[%％]?$"

NOTHING: Final = Matches(np.zeros(0, dtype=np.int64), "", "")


def _rows(mask: Mask) -> I64:
    return np.flatnonzero(mask)


def _shown(cells: Text) -> Text:
    """Return cells for a message, with long ones truncated."""
    cut = say(pc.utf8_slice_codeunits(cells, 0, _SHOWN), "...")
    return pc.if_else(pc.less_equal(pc.utf8_length(cells), _SHOWN), cells, cut)


def _shared(texts: Text, which: I64) -> Text:
    """Return a text per row, from distinct texts and the number of the text of each row."""
    return pa.DictionaryArray.from_arrays(pa.array(which), texts)


def _where(mask: Mask, texts: Text) -> Text:
    """Return texts, with null wherever the mask is False."""
    return pc.if_else(pa.array(mask), texts, pa.scalar(None, TEXT))


# -- rows -------------------------------------------------------------------------------------


@_rule("missing-value", "error", "A field that the cloud requires is empty.", "row", Check.MISSING)
def _missing_value(audit: Audit) -> Matches:
    columns = audit.columns
    rows = _rows(~columns.complete)
    empty = [columns.empty[name][rows] for name in NEEDED]
    first = np.argmax(empty, axis=0)
    names = [
        _where(mask, pa.repeat(pa.scalar(name, TEXT), len(rows)))
        for name, mask in zip(NEEDED, empty, strict=True)
    ]
    every = pc.binary_join_element_wise(*names, pa.scalar(", ", TEXT), null_handling="skip")
    is_hop = (first == NEEDED.index("next_hop")) & columns.id_ok[rows]
    suggestion = _where(is_hop, audit.text(rows, "vpn_connection_id"))
    field = pa.array(NEEDED, TEXT).take(pa.array(first))
    return Matches(rows, field, say("empty: ", every), suggestion)


@_rule(
    "invalid-weight",
    "error",
    "The weight is neither 0 (standby) nor 100 (active).",
    "row",
    Check.WEIGHT,
)
def _invalid_weight(audit: Audit) -> Matches:
    rows = _rows(audit.columns.has_weight & ~audit.columns.weight_ok)
    text = pc.coalesce(audit.text(rows, "weight"), audit.text(rows, "weight_text"))
    message = say("weight '", text, "' is neither 0 (standby) nor 100 (active)")
    return Matches(rows, "weight", message, _weight_meant(text))


def _weight_meant(text: Text) -> Text:
    """Return the weight of a text with a percent sign or decimals (``100 %``, ``0,00``)."""
    return pc.struct_field(pc.extract_regex(text, _WEIGHT_MEANT), "weight")


@_rule("invalid-region", "error", "The region has not the form of a region id.", "row")
def _invalid_region(audit: Audit) -> Matches:
    rows = _rows((audit.columns.region >= 0) & ~audit.columns.region_ok)
    text = _shown(audit.text(rows, "region_id"))
    message = say("'", text, "' is not a region id: at most 63 small letters, digits and hyphens")
    return Matches(rows, "region_id", message)


@_rule(
    "invalid-connection-id",
    "error",
    "The connection's id is not vco- and letters or digits.",
    "row",
    Check.CONNECTION,
)
def _invalid_connection_id(audit: Audit) -> Matches:
    rows = _rows((audit.columns.connection >= 0) & ~audit.columns.id_ok)
    text = _shown(audit.text(rows, "vpn_connection_id"))
    ending = "' is no id of an IPsec connection: vco- and letters or digits, up to 64"
    message = say("'", text, ending)
    if audit.status is None:
        return Matches(rows, "vpn_connection_id", message)
    return Matches(rows, "vpn_connection_id", *audit.status.by_name(rows, message))


@_rule(
    "unknown-connection",
    "error",
    "The connection is not among the live connections.",
    "row",
    Check.CONNECTION,
)
def _unknown_connection(audit: Audit) -> Matches:
    if audit.status is None:
        return NOTHING
    rows = _rows(audit.status.unknown)
    ids, unseen = audit.text(rows, "vpn_connection_id"), audit.status.not_requested(rows)
    message = say(ids, " is not among the live connections", unseen)
    return Matches(rows, "vpn_connection_id", *audit.status.by_name(rows, message))


@_rule(
    "wrong-region", "error", "The live connection is in another region.", "row", Check.CONNECTION
)
def _wrong_region(audit: Audit) -> Matches:
    if audit.status is None:
        return NOTHING
    rows = _rows(audit.status.in_other_region)
    region = audit.status.region(rows)
    ids, own = audit.text(rows, "vpn_connection_id"), audit.text(rows, "region_id")
    return Matches(rows, "region_id", say(ids, " is in ", region, ", not in ", own), region)


@_rule(
    "not-attached",
    "error",
    "The live connection is not attached to a transit router.",
    "row",
    Check.NOT_ATTACHED,
)
def _not_attached(audit: Audit) -> Matches:
    if audit.status is None:
        return NOTHING
    rows = _rows(audit.status.not_attached)
    ids = audit.text(rows, "vpn_connection_id")
    message = say(ids, " is not attached to a transit router")
    refused = ~audit.status.arriving[rows]  # a connection that is being attached is not refused
    return Matches(rows, "vpn_connection_id", message, refused=refused)


@_rule("region-mismatch", "error", "The connection's first row names another region.", "connection")
def _region_mismatch(audit: Audit) -> Matches:
    columns = audit.columns
    if len(columns.regions) < 2:
        return NOTHING
    first = audit.region_row
    differs = columns.region != columns.region[first]
    rows = _rows((columns.connection >= 0) & (columns.region >= 0) & (first != NONE) & differs)
    related = first[rows]
    region, ids = audit.text(related, "region_id"), audit.text(rows, "vpn_connection_id")
    message = say(audit.at(related, rows), " puts ", ids, " in ", region)
    # If the connection is live, its region is known and `wrong-region` suggests it.
    suggestion = _where(~audit.status.known[rows], region) if audit.status else region
    return Matches(rows, "region_id", message, suggestion, related)


@_rule("malformed-cidr", "error", "The destination is not a.b.c.d/len.", "row", Check.DESTINATION)
def _malformed_cidr(audit: Audit) -> Matches:
    rows = _rows(audit.columns.malformed)
    text = audit.text(rows, "route_dest")
    meant = as_text(suggestions(pd.Series(text, dtype="str")))
    return Matches(rows, "route_dest", say("'", text, "' is not a.b.c.d/len"), meant)


@_rule(
    "ipv6-unsupported",
    "error",
    "The destination is IPv6; only IPv4 is supported.",
    "row",
    Check.DESTINATION,
)
def _ipv6_unsupported(audit: Audit) -> Matches:
    rows = _rows(audit.columns.ipv6)
    text = audit.text(rows, "route_dest")
    return Matches(rows, "route_dest", say(text, " is IPv6; destinations are IPv4"))


@_rule("host-bits-set", "error", "The destination has host bits set.", "row", Check.DESTINATION)
def _host_bits_set(audit: Audit) -> Matches:
    rows = _rows(audit.columns.host_bits)
    text, network = audit.text(rows, "route_dest"), audit.network(rows)
    message = say(text, " has host bits set; its network is ", network)
    return Matches(rows, "route_dest", message, network)


@_rule(
    "default-route",
    "error",
    "The default route is refused as a destination.",
    "row",
    Check.DEFAULT,
    breaks_tunnel=True,  # if accepted, it would also route the tunnel's own packets
)
def _default_route(audit: Audit) -> Matches:
    message = "a destination of length 0 is the default route, which is refused"
    return Matches(_rows(audit.columns.is_default), "route_dest", message)


@_rule(
    "next-hop-mismatch",
    "error",
    "The next hop is not the connection; may be refused.",
    "row",
    Check.NEXT_HOP,
)
def _next_hop_mismatch(audit: Audit) -> Matches:
    columns = audit.columns
    there = (columns.connection >= 0) & (columns.next_hop >= 0)
    rows = _rows(there & (columns.connection != columns.next_hop))
    ids, hop = audit.text(rows, "vpn_connection_id"), audit.text(rows, "next_hop")
    message = say("next hop ", hop, " is not the connection ", ids, "; may be refused")
    return Matches(rows, "next_hop", message, _where(columns.id_ok[rows], ids))


def _near_special(audit: Audit) -> tuple[I64, U32, U8]:
    """Return the only rows that can touch a special-purpose network, and their prefixes."""
    prefixes = audit.columns.prefixes
    near = _NEAR.take(prefixes.network >> 24) | (prefixes.length < 8)
    rows = _rows(audit.columns.has_network & near)
    return rows, prefixes.network[rows], prefixes.length[rows]


@_rule(
    "shared-address-space",
    "error",
    "The destination touches 100.64.0.0/10; breaks the tunnel.",
    "row",
    breaks_tunnel=True,
)
def _shared_address_space(audit: Audit) -> Matches:
    rows, network, length = _near_special(audit)
    rows = rows[touches(network, length, *SHARED)]
    ending = " touches 100.64.0.0/10: it may be accepted, and then the tunnel breaks"
    return Matches(rows, "route_dest", say(audit.network(rows), ending))


@_rule("special-purpose", "warning", "The destination touches a network of special purpose.", "row")
def _special_purpose(audit: Audit) -> Matches:
    rows, network, length = _near_special(audit)
    touching = np.array([touches(network, length, *special) for special in SPECIAL])
    found = touching.any(axis=0)
    rows, which = rows[found], touching.argmax(axis=0)[found]
    network, length = np.array(SPECIAL, dtype=np.uint32)[which].T
    touched = as_text(to_text(network, length.astype(np.uint8)))
    ending = ", which has a meaning of its own"
    return Matches(rows, "route_dest", say(audit.network(rows), " touches ", touched, ending))


@_rule("description-too-long", "error", "The description does not fit into a request.", "row")
def _description_too_long(audit: Audit) -> Matches:
    size = audit.columns.description_bytes
    rows = _rows(size > DESCRIPTION_BYTES)
    taken = pa.array([f"{one:,}" for one in size[rows].tolist()], TEXT)
    ending = f" bytes in a request, which carries {DESCRIPTION_BYTES:,}; shorten it"
    return Matches(rows, "description", say("the description takes ", taken, ending))


# -- connections ------------------------------------------------------------------------------


def _later(audit: Audit, related: I64) -> tuple[I64, I64]:
    """Return the contending rows that come after their related row, and the related rows."""
    later = np.flatnonzero((related != NONE) & (related < np.arange(len(related))))
    rows = audit.groups.contending.rows
    return rows[later], rows[related[later]]


@_rule(
    "duplicate",
    "error",
    "An earlier row is the same route.",
    "connection",
    Check.SAME_ROW,
    blocks=False,
)
def _duplicate(audit: Audit) -> Matches:
    route = audit.groups.contending.route_key
    rows, related = _later(audit, first_row(route)[route])
    message = say("same route as ", audit.at(related, rows))
    return Matches(rows, "route_dest", message, related=related)


@_rule(
    "weight-conflict",
    "error",
    "An earlier row gives the same route another weight.",
    "connection",
    Check.OTHER_WEIGHT_ROW,
    blocks=False,
)
def _weight_conflict(audit: Audit) -> Matches:
    contending = audit.groups.contending
    rows, related = _later(audit, first_other(contending.nexthop_key, contending.active))
    place, weight = audit.at(related, rows), audit.text(related, "weight")
    message = say(place, " gives the same route the weight ", weight)
    return Matches(rows, "weight", message, related=related)


@_rule(
    "next-hop-conflict",
    "error",
    "An earlier row gives the same route another next hop.",
    "connection",
    blocks=False,
)
def _next_hop_conflict(audit: Audit) -> Matches:
    contending = audit.groups.contending
    rows, related = _later(audit, first_other(contending.weight_key, contending.nexthop_key))
    place, next_hop = audit.at(related, rows), audit.text(related, "next_hop")
    message = say(place, " gives the same route the next hop ", next_hop)
    return Matches(rows, "next_hop", message, related=related)


@_rule("already-live", "info", "This very route is live.", "connection", Check.SAME_LIVE)
def _already_live(audit: Audit) -> Matches:
    return Matches(_rows(audit.live.same), "route_dest", "this route is live already")


@_rule(
    "live-conflict",
    "info",
    "The destination is live with another weight or next hop.",
    "connection",
    Check.OTHER_WEIGHT_LIVE,
    Check.OTHER_NEXT_HOP_LIVE,
)
def _live_conflict(audit: Audit) -> Matches:
    message = "live on this connection with another weight or next hop; a plan deals with it"
    return Matches(_rows(audit.live.other), "route_dest", message)


@_rule(
    "quota-exceeded",
    "error",
    "The connection's quota of routes is used up before this row.",
    "connection",
    Check.QUOTA,
)
def _quota_exceeded(audit: Audit) -> Matches:
    if audit.quota is None:
        return _over_default_quota(audit)
    rows = _rows(audit.check == Check.QUOTA)
    ids = audit.text(rows, "vpn_connection_id")
    message = say(f"past the quota of {audit.quota} routes of ", ids)
    return Matches(rows, "vpn_connection_id", message)


def _over_default_quota(audit: Audit) -> Matches:
    """Warn once per connection, for use when the quota is not known."""
    past = audit.under_default_quota == Check.QUOTA
    first = first_row(np.where(past, audit.columns.connection, NONE))
    rows = np.sort(first[first != NONE])
    message = say(
        audit.text(rows, "vpn_connection_id"), " has more routes than the usual quota allows"
    )
    return Matches(rows, "vpn_connection_id", message, severity="warning")


# -- destinations -----------------------------------------------------------------------------


@_rule("no-active-route", "warning", "All routes of the destination are standby.", "destination")
def _no_active_route(audit: Audit) -> Matches:
    groups = audit.groups
    is_standby = np.append(groups.first_active == NONE, False)  # False: for rows that take no part
    rows = _rows(is_standby[groups.destination])
    which, one = audit.alike(rows, groups.destination[rows])
    message = say("all routes to ", audit.network(rows[one]), " are standby (weight 0)")
    return Matches(rows, "weight", _shared(message, which))


@_rule(
    "equal-cost", "info", "Two or more connections of the destination are active.", "destination"
)
def _equal_cost(audit: Audit) -> Matches:
    columns, destination = audit.columns, audit.groups.destination
    active = audit.groups.active
    several = np.bincount(destination[active], minlength=audit.groups.count) > 1
    active = active[several[destination[active]]]
    first = first_other(destination[active], columns.connection[active])
    found = _rows(first != NONE)
    rows, other = active[found], active[first[found]]
    which, one = audit.alike(rows, other)
    ids, place = audit.text(other[one], "vpn_connection_id"), audit.at(other[one], rows[one])
    message = say("also active on ", ids, " (", place, "): traffic may be spread over both")
    return Matches(rows, "weight", _shared(message, which), related=other)


@_rule("covered", "info", "The closest shorter network leads exactly the same way.", "destination")
def _covered(audit: Audit) -> Matches:
    groups = audit.groups
    if not groups.same_next_hop_set.any():
        return NOTHING
    rows, cover = _within(audit, groups.redundant(audit.has_row_error))
    which, one = audit.alike(rows, groups.destination[rows])
    inner, outer = rows[one], cover[one]
    message = say(
        *(audit.network(outer), " (", audit.at(outer, inner), ") leads the same way: dropping "),
        *(audit.network(inner), " changes no forwarding"),
    )
    return Matches(rows, "route_dest", _shared(message, which), related=cover)


@_rule(
    "more-specific",
    "info",
    "The closest shorter network leads another way; this one wins.",
    "destination",
)
def _more_specific(audit: Audit) -> Matches:
    rows, cover = _within(audit, ~audit.groups.same_next_hop_set)
    which, one = audit.alike(rows, audit.groups.destination[rows])
    inner, outer = rows[one], cover[one]
    winner = audit.groups.first_active[audit.groups.destination[inner]]
    ids = audit.columns.ids.text(np.where(winner == NONE, NONE, audit.columns.connection[winner]))
    way = pc.fill_null(ids, "standby routes")
    message = say(
        *("traffic to ", audit.network(inner), " goes to ", way),
        *(", not the way of ", audit.network(outer), " (", audit.at(outer, inner), ")"),
    )
    return Matches(rows, "route_dest", _shared(message, which), related=cover)


def _within(audit: Audit, chosen: Mask) -> tuple[I64, I64]:
    """Return the rows of chosen destinations with a cover, and the first row of each cover."""
    groups = audit.groups
    rows = _rows((chosen & (groups.cover >= 0))[groups.destination])  # -1 takes the last: False
    return rows, groups.first[groups.cover[groups.destination[rows]]]


#: All built-in rules, in the order of their findings.
RULES: Final = tuple(_rules)


def rule_names(rules: Iterable[Rule] = RULES) -> pd.CategoricalDtype:
    """Return the dtype of the findings' column ``rule``."""
    return pd.CategoricalDtype([known.name for known in rules], ordered=True)
