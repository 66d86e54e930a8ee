"""What the cloud would answer if the rows were sent as they stand, one by one, in order.

The checks run in this order and the first that matches decides; 7 to 10 look at the live routes
and the rows accepted so far:

==  ================================================  ====================================
 1  a field is empty                                  ``Missing<Parameter>``
 2  the weight is not 0 or 100                        ``InvalidWeight``
 3  no such connection (here)                         ``InvalidVpnConnectionInstanceId.NotFound``
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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vcokit.audit.columns import (
    ACTIVE,
    I64,
    NEEDED,
    NONE,
    STANDBY,
    Mask,
    RouteColumns,
    first_row,
    ranks,
)
from vcokit.audit.groups import Contending
from vcokit.cidr.parse import parse
from vcokit.cidr.relations import pack

I8: TypeAlias = npt.NDArray[np.int8]

ACCEPTED: Final = 0
MISSING, WEIGHT, CONNECTION, DESTINATION, DEFAULT, NEXT_HOP = 1, 2, 3, 4, 5, 6
SAME, OTHER_WEIGHT, OTHER_HOP, QUOTA = 7, 8, 9, 10

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
}
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


def match_live(columns: RouteColumns) -> LiveMatch:
    """Compare every row that takes part with the live routes of its connection and network."""
    match = LiveMatch(*(np.zeros(columns.size, dtype=np.bool_) for _ in range(4)))
    if columns.live is None:
        return match
    rows, there = _meetings(columns)
    weight = _weight_code(columns.weight[rows])
    live_weight = _weight_code(columns.live["weight"].to_numpy()[there])
    same_weight = weight == live_weight
    same_hop = columns.next_hop[rows] == columns.live_next_hop[there]
    # A row meets each live route of its place; each meeting may add to what is true of the row.
    match.same[rows[same_weight & same_hop]] = True
    match.other_weight[rows[same_hop & ~same_weight]] = True
    match.other_hop[rows[same_weight & ~same_hop]] = True
    match.other[rows[~(same_weight & same_hop)]] = True
    return match


def _meetings(columns: RouteColumns) -> tuple[I64, I64]:
    """Return every pair of a row that takes part and a live route of its connection and network."""
    if columns.live is None:
        raise LookupError("no live routes were given")
    prefixes = parse(columns.live["route_dest"])
    known = np.flatnonzero(prefixes.valid & (columns.live_connection >= 0))
    theirs = pack(
        prefixes.network[known],
        prefixes.length[known],
        columns.live_connection[known].astype(np.int64),
    )
    order = np.argsort(theirs)
    theirs, known = theirs[order], known[order]
    rows = np.flatnonzero(columns.takes_part)
    own = columns.prefixes
    mine = pack(own.network[rows], own.length[rows], columns.connection[rows].astype(np.int64))
    begin = np.searchsorted(theirs, mine)
    count = np.searchsorted(theirs, mine, side="right") - begin
    which = np.repeat(np.arange(len(rows)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return rows[which], known[begin[which] + place]


def _weight_code(weight: I64) -> I64:
    return np.where(weight == STANDBY, 0, np.where(weight == ACTIVE, 1, 2)).astype(np.int64)


def check_alone(columns: RouteColumns, no_connection: Mask) -> I8:
    """Return the number of the check, 1 to 6, that decides each row by itself; `ACCEPTED` if none.

    Parameters
    ----------
    columns : RouteColumns
    no_connection : ndarray of bool
        Rows whose connection the cloud does not find.
    """
    conditions = (
        (NEXT_HOP, columns.next_hop != columns.connection),
        (DEFAULT, columns.is_default),
        (DESTINATION, columns.malformed | columns.ipv6 | columns.host_bits),
        (CONNECTION, no_connection),
        (WEIGHT, ~columns.weight_ok),
        (MISSING, ~columns.complete),
    )
    own = np.zeros(columns.size, dtype=np.int8)
    for number, where in conditions:  # from the last to the first: what comes first overwrites
        own[where] = number
    return own


def predict(
    columns: RouteColumns, contending: Contending, live: LiveMatch, own: I8, quota: int | None
) -> I8:
    """Return the number of the check that decides each row; `ACCEPTED` where none does.

    Parameters
    ----------
    columns : RouteColumns
    contending : Contending
        Rows that share their connection and network with another.
    live : LiveMatch
        From `match_live` of the same columns.
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
    if columns.live is not None:
        for number, met in (
            (OTHER_HOP, live.other_hop),
            (OTHER_WEIGHT, live.other_weight),
            (SAME, live.same),
        ):
            check[passed & met] = number
    is_open = check == ACCEPTED
    first = _first_open(contending, is_open)
    is_first = is_open.copy()
    is_first[contending.rows] &= first == np.arange(len(contending.rows))
    full = np.zeros(columns.size, dtype=np.bool_)
    if quota is not None:
        rows = np.flatnonzero(is_first)
        full[rows[_past_quota(columns, rows, quota)]] = True
    check[full] = QUOTA
    _follow(columns, contending, first, full, passed, check)
    return check


def _first_open(contending: Contending, is_open: Mask) -> I64:
    """Return the first row of each path against which nothing live stands, in the contending.

    -1 where there is none.
    """
    count = int(contending.path.max(initial=-1)) + 1
    return first_row(np.where(is_open[contending.rows], contending.path, NONE), count)[
        contending.path
    ]


def _follow(
    columns: RouteColumns, contending: Contending, first: I64, full: Mask, passed: Mask, check: I8
) -> None:
    """Decide the rows of the contending that come behind the first open one of their path."""
    behind = (first != NONE) & (first < np.arange(len(first))) & passed[contending.rows]
    rows, leaders = contending.rows[behind], contending.rows[first[behind]]
    refused = full[leaders]
    same = columns.weight[rows] == columns.weight[leaders]
    # Behind an accepted route 7 and 8 come before whatever is live; behind one that the quota
    # refused, what is live stays what decides.
    by_leader = np.where(same, SAME, OTHER_WEIGHT).astype(np.int8)
    by_quota = np.where(check[rows] == ACCEPTED, QUOTA, check[rows])
    check[rows] = np.where(refused, by_quota, by_leader)


def _past_quota(columns: RouteColumns, rows: I64, quota: int) -> Mask:
    """Tell which of the rows, each a new route, find their connection's quota used up."""
    connection = columns.connection[rows]
    live = live_count(columns)
    total = np.bincount(connection, minlength=len(live)) + live
    past = np.zeros(len(rows), dtype=np.bool_)
    crowded = np.flatnonzero((total > quota)[connection])
    some = connection[crowded]
    past[crowded] = ranks(some) + live[some] >= quota
    return past


def live_count(columns: RouteColumns) -> I64:
    """Return the number of live destination routes by connection code."""
    if columns.live is None:
        return np.zeros(columns.code_count + 1, dtype=np.int64)
    distinct = columns.live.assign(connection=columns.live_connection).drop_duplicates()
    known = distinct["connection"][distinct["connection"] >= 0]
    return np.bincount(known, minlength=columns.code_count + 1)


def api_codes(columns: RouteColumns, check: I8, rows: I64) -> Any:
    """Return the API's code for some rows' deciding checks, as Arrow text; null where accepted."""
    # By the number of the check; the codes of missing values, by field, stand at the end.
    texts = [CODES.get(number) for number in range(QUOTA + 1)] + list(_MISSING_CODE.values())
    first_empty = np.argmax([columns.empty[name][rows] for name in NEEDED], axis=0)
    number = check[rows].astype(np.int64)
    place = np.where(number == MISSING, QUOTA + 1 + first_empty, number)
    return pa.array(texts, pa.large_string()).take(pa.array(place))
