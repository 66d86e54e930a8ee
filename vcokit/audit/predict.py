"""What the cloud would answer if the rows were sent as they stand, one by one, in order.

The checks run in this order and the first that matches decides; 7 to 10 look at the live routes
and the rows accepted so far:

==  ================================================  ====================================
 1  a field is empty                                  ``Missing<Parameter>``
 2  the weight is not 0 or 100                        ``InvalidWeight``
 3  no such connection (here)                         ``InvalidVpnConnectionInstanceId.NotFound``
3b  it is not attached to a transit router            ``Vco.StatusNotSupport``
 4  malformed, IPv6, host bits                        ``IllegalParam.RouteDest``
 5  the default route                                 ``OperationFailed.InvalidCidrBlock``
 6  the next hop is not the connection                ``InvalidNextHop.NotFound``
 7  this very route is there                          ``VpnRouteEntry.AlreadyExists``
 8  there with another weight                         ``VpnRouteEntry.Conflict``
 9  there with another next hop, same weight          ``VpnRouteEntry.BackupRoute``
10  the connection's quota is used up                 ``CreateDbrRoutesQuotaFull.QuotaFull``
==  ================================================  ====================================

No loop over rows is needed to play this through. Of the rows of one path (connection, network,
next hop) that pass 1 to 6 and do not meet a live route, only the first can be accepted; what
follows it meets it, at 7 or at 8. The quota lets the first so-and-so many of these firsts in.

What only has to be waited for is no answer here: a connection that is being attached will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vcokit.audit.codes import I64, NONE, Mask, first_row, ranks
from vcokit.audit.facts import ACTIVE, NEEDED, STANDBY, Facts
from vcokit.audit.groups import Crowd
from vcokit.cidr.parse import parse
from vcokit.cidr.relations import pack

I8: TypeAlias = npt.NDArray[np.int8]

ACCEPTED: Final = 0
MISSING, WEIGHT, CONNECTION, DESTINATION, DEFAULT, NEXT_HOP = 1, 2, 3, 4, 5, 6
SAME, OTHER_WEIGHT, OTHER_HOP, QUOTA, NOT_ATTACHED = 7, 8, 9, 10, 11

CODES: Final = {
    WEIGHT: "InvalidWeight",
    CONNECTION: "InvalidVpnConnectionInstanceId.NotFound",
    DESTINATION: "IllegalParam.RouteDest",
    DEFAULT: "OperationFailed.InvalidCidrBlock",
    NEXT_HOP: "InvalidNextHop.NotFound",
    SAME: "VpnRouteEntry.AlreadyExists",
    OTHER_WEIGHT: "VpnRouteEntry.Conflict",
    OTHER_HOP: "VpnRouteEntry.BackupRoute",
    QUOTA: "CreateDbrRoutesQuotaFull.QuotaFull",
    NOT_ATTACHED: "Vco.StatusNotSupport",
}
#: The highest of the numbers.
_LAST: Final = NOT_ATTACHED
_MISSING_CODE: Final = {
    name: "Missing" + "".join(word.capitalize() for word in name.split("_")) for name in NEEDED
}


@dataclass(frozen=True)
class LiveMatch:
    """How the live routes meet each row that takes part.

    Parameters
    ----------
    same : ndarray of bool
        This very route is live.
    other_weight : ndarray of bool
        The same connection, network and next hop are live with another weight.
    other_hop : ndarray of bool
        The same connection, network and weight are live with another next hop.
    other : ndarray of bool
        The same connection and network are live with another weight or next hop.
    """

    same: Mask
    other_weight: Mask
    other_hop: Mask
    other: Mask


def match_live(facts: Facts) -> LiveMatch:
    """Compare every row that takes part with the live routes of its connection and network."""
    match = LiveMatch(*(np.zeros(facts.size, dtype=np.bool_) for _ in range(4)))
    if facts.live is None:
        return match
    rows, there = _meetings(facts)
    weight = _weight_code(facts.weight[rows])
    live_weight = _weight_code(facts.live["weight"].to_numpy()[there])
    same_weight = weight == live_weight
    same_hop = facts.next_hop[rows] == facts.live_next_hop[there]
    # A row meets each live route of its place; each meeting may add to what is true of the row.
    match.same[rows[same_weight & same_hop]] = True
    match.other_weight[rows[same_hop & ~same_weight]] = True
    match.other_hop[rows[same_weight & ~same_hop]] = True
    match.other[rows[~(same_weight & same_hop)]] = True
    return match


def _meetings(facts: Facts) -> tuple[I64, I64]:
    """Return every pair of a row that takes part and a live route of its connection and network."""
    if facts.live is None:
        raise LookupError("no live routes were given")
    prefixes = parse(facts.live["route_dest"])
    known = np.flatnonzero(prefixes.valid & (facts.live_connection >= 0))
    theirs = pack(
        prefixes.network[known],
        prefixes.length[known],
        facts.live_connection[known].astype(np.int64),
    )
    order = np.argsort(theirs)
    theirs, known = theirs[order], known[order]
    rows = np.flatnonzero(facts.takes_part)
    own = facts.prefixes
    mine = pack(own.network[rows], own.length[rows], facts.connection[rows].astype(np.int64))
    begin = np.searchsorted(theirs, mine)
    count = np.searchsorted(theirs, mine, side="right") - begin
    which = np.repeat(np.arange(len(rows)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return rows[which], known[begin[which] + place]


def _weight_code(weight: I64) -> I64:
    return np.where(weight == STANDBY, 0, np.where(weight == ACTIVE, 1, 2)).astype(np.int64)


def check_alone(facts: Facts, no_connection: Mask, not_attached: Mask) -> I8:
    """Return the number of the check, of 1 to 6, that decides each row alone; `ACCEPTED` if none.

    Parameters
    ----------
    facts : Facts
    no_connection : ndarray of bool
        Rows whose connection the cloud does not find.
    not_attached : ndarray of bool
        Rows whose connection takes no routes.
    """
    conditions = (
        (NEXT_HOP, facts.next_hop != facts.connection),
        (DEFAULT, facts.is_default),
        (DESTINATION, facts.malformed | facts.ipv6 | facts.host_bits),
        (NOT_ATTACHED, not_attached),
        (CONNECTION, no_connection),
        (WEIGHT, ~facts.weight_ok),
        (MISSING, ~facts.complete),
    )
    own = np.zeros(facts.size, dtype=np.int8)
    for number, where in conditions:  # from the last to the first: what comes first overwrites
        own[where] = number
    return own


def predict(facts: Facts, crowd: Crowd, live: LiveMatch, own: I8, quota: int | None) -> I8:
    """Return the number of the check that decides each row; `ACCEPTED` where none does.

    Parameters
    ----------
    facts : Facts
    crowd : Crowd
        Rows that share their connection and network with another.
    live : LiveMatch
        From `match_live` of the same facts.
    own : ndarray of int8
        From `check_alone`.
    quota : int or None
        Routes a connection may have, live ones included; None: no limit.

    Returns
    -------
    ndarray of int8
    """
    check = own.copy()
    passed = own == ACCEPTED
    if facts.live is not None:
        for number, met in (
            (OTHER_HOP, live.other_hop),
            (OTHER_WEIGHT, live.other_weight),
            (SAME, live.same),
        ):
            check[passed & met] = number
    is_open = check == ACCEPTED
    first = _first_open(crowd, is_open)
    is_first = is_open.copy()
    is_first[crowd.rows] &= first == np.arange(len(crowd.rows))
    full = np.zeros(facts.size, dtype=np.bool_)
    if quota is not None:
        rows = np.flatnonzero(is_first)
        full[rows[_past_quota(facts, rows, quota)]] = True
    check[full] = QUOTA
    _follow(facts, crowd, first, full, passed, check)
    return check


def _first_open(crowd: Crowd, is_open: Mask) -> I64:
    """Return, within the crowd, the first row of each row's path that nothing live stands against.

    -1 where there is none.
    """
    count = int(crowd.path.max(initial=-1)) + 1
    return first_row(np.where(is_open[crowd.rows], crowd.path, NONE), count)[crowd.path]


def _follow(facts: Facts, crowd: Crowd, first: I64, full: Mask, passed: Mask, check: I8) -> None:
    """Decide the rows of the crowd that come behind the first open one of their path."""
    behind = (first != NONE) & (first < np.arange(len(first))) & passed[crowd.rows]
    rows, leaders = crowd.rows[behind], crowd.rows[first[behind]]
    refused = full[leaders]
    same = facts.weight[rows] == facts.weight[leaders]
    # Behind an accepted route 7 and 8 come before whatever is live; behind one that the quota
    # refused, what is live stays what decides.
    by_leader = np.where(same, SAME, OTHER_WEIGHT).astype(np.int8)
    by_quota = np.where(check[rows] == ACCEPTED, QUOTA, check[rows])
    check[rows] = np.where(refused, by_quota, by_leader)


def _past_quota(facts: Facts, rows: I64, quota: int) -> Mask:
    """Tell which of the rows, each a new route, find their connection's quota used up."""
    connection = facts.connection[rows]
    live = live_count(facts)
    total = np.bincount(connection, minlength=len(live)) + live
    past = np.zeros(len(rows), dtype=np.bool_)
    crowded = np.flatnonzero((total > quota)[connection])
    some = connection[crowded]
    past[crowded] = ranks(some) + live[some] >= quota
    return past


def live_count(facts: Facts) -> I64:
    """Return the number of live destination routes by connection code."""
    if facts.live is None:
        return np.zeros(facts.code_count + 1, dtype=np.int64)
    distinct = facts.live.assign(connection=facts.live_connection).drop_duplicates()
    known = distinct["connection"][distinct["connection"] >= 0]
    return np.bincount(known, minlength=facts.code_count + 1)


def codes_text(facts: Facts, check: I8, rows: I64) -> Any:
    """Return the API's code for some rows' deciding checks, as Arrow text; null where accepted."""
    # By the number of the check; the codes of missing values, by field, stand at the end.
    texts = [CODES.get(number) for number in range(_LAST + 1)] + list(_MISSING_CODE.values())
    first_empty = np.argmax([facts.empty[name][rows] for name in NEEDED], axis=0)
    number = check[rows].astype(np.int64)
    place = np.where(number == MISSING, _LAST + 1 + first_empty, number)
    return pa.array(texts, pa.large_string()).take(pa.array(place))
