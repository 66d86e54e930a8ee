"""What the cloud would answer if the rows were sent as they stand, one by one, in order.

The checks run in this order and the first that matches decides. The rules of single rows stand for
1 to 6; checks 7 to 10 look at the live routes and the rows accepted so far:

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

No loop over rows is needed to play this through. Of the rows of one next hop of a connection and
network that pass 1 to 6 and meet no live route, only the first can be accepted; what follows it
meets it, at 7 or at 8. (At 9 a row meets live routes only: an earlier row with another next hop was
refused at 6.) The quota lets the first so-and-so many of these first rows in.

What only has to be waited for is no answer here: a connection that is being attached will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from vcokit.audit.columns import (
    ACTIVE,
    I64,
    NEEDED,
    NONE,
    STANDBY,
    TEXT,
    Mask,
    RouteColumns,
    Text,
    first_row,
    ranks,
)
from vcokit.audit.groups import Contending
from vcokit.cidr.parse import parse
from vcokit.cidr.relations import pack

I8: TypeAlias = npt.NDArray[np.int8]


class Check(IntEnum):
    """A check that refuses a row, in the cloud's order; at 7 and 8 also what the row met there."""

    ACCEPTED = 0
    MISSING = auto()
    WEIGHT = auto()
    CONNECTION = auto()
    NOT_ATTACHED = auto()
    DESTINATION = auto()
    DEFAULT = auto()
    NEXT_HOP = auto()
    SAME_LIVE = auto()
    SAME_ROW = auto()
    OTHER_WEIGHT_LIVE = auto()
    OTHER_WEIGHT_ROW = auto()
    OTHER_NEXT_HOP_LIVE = auto()
    QUOTA = auto()


#: What the cloud answers. The code of a missing value names the parameter.
CODES: Final = {
    Check.WEIGHT: "InvalidWeight",
    Check.CONNECTION: "InvalidVpnConnectionInstanceId.NotFound",
    Check.NOT_ATTACHED: "Vco.StatusNotSupport",
    Check.DESTINATION: "IllegalParam.RouteDest",
    Check.DEFAULT: "OperationFailed.InvalidCidrBlock",
    Check.NEXT_HOP: "InvalidNextHop.NotFound",
    Check.SAME_LIVE: "VpnRouteEntry.AlreadyExists",
    Check.SAME_ROW: "VpnRouteEntry.AlreadyExists",
    Check.OTHER_WEIGHT_LIVE: "VpnRouteEntry.Conflict",
    Check.OTHER_WEIGHT_ROW: "VpnRouteEntry.Conflict",
    Check.OTHER_NEXT_HOP_LIVE: "VpnRouteEntry.BackupRoute",
    Check.QUOTA: "CreateDbrRoutesQuotaFull.QuotaFull",
}
_MISSING: Final = [
    "Missing" + "".join(word.capitalize() for word in name.split("_")) for name in NEEDED
]


@dataclass(frozen=True)
class LiveMatch:
    """How the live routes of its connection and network meet each row that takes part.

    Parameters
    ----------
    same : ndarray of bool
        This very route is live.
    other_weight : ndarray of bool
        The same next hop is live with another weight.
    other_next_hop : ndarray of bool
        The same weight is live with another next hop.
    other : ndarray of bool
        A route with another weight or next hop is live.
    """

    same: Mask
    other_weight: Mask
    other_next_hop: Mask
    other: Mask


def match_live(columns: RouteColumns) -> LiveMatch:
    """Compare every row that takes part with the live routes of its connection and network."""
    match = LiveMatch(*(np.zeros(columns.size, dtype=np.bool_) for _ in range(4)))
    if columns.live is None:
        return match
    rows, live = _pairs(columns, columns.live)
    weight = _weight_code(columns.weight[rows])
    listed = columns.live["weight"].to_numpy()[live]
    same_hop = columns.next_hop[rows] == columns.live_next_hop[live]
    # A listing may leave weights out: then the route is taken for the one that is wanted.
    same_weight = (weight == _weight_code(listed)) | ((listed < 0) & same_hop)
    # A row meets several live routes; each may add to what is true of the row.
    match.same[rows[same_weight & same_hop]] = True
    match.other_weight[rows[same_hop & ~same_weight]] = True
    match.other_next_hop[rows[same_weight & ~same_hop]] = True
    match.other[rows[~(same_weight & same_hop)]] = True
    return match


def _pairs(columns: RouteColumns, live: pd.DataFrame) -> tuple[I64, I64]:
    """Return every pair of a row that takes part and a live route of its connection and network."""
    prefixes = parse(live["route_dest"])
    known = np.flatnonzero(prefixes.valid & (columns.live_connection >= 0))
    theirs = pack(
        prefixes.network[known],
        prefixes.length[known],
        columns.live_connection[known],
    )
    order = np.argsort(theirs)
    theirs, known = theirs[order], known[order]
    rows = np.flatnonzero(columns.takes_part)
    own = columns.prefixes
    mine = pack(own.network[rows], own.length[rows], columns.connection[rows])
    begin = np.searchsorted(theirs, mine)
    count = np.searchsorted(theirs, mine, side="right") - begin
    which = np.repeat(np.arange(len(rows)), count)
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return rows[which], known[begin[which] + place]


def _weight_code(weight: I64) -> I64:
    return np.where(weight == STANDBY, 0, np.where(weight == ACTIVE, 1, 2)).astype(np.int64)


def predict(
    columns: RouteColumns,
    contending: Contending,
    live: LiveMatch,
    row_check: I8,
    quota: int | None,
) -> I8:
    """Return the `Check` that decides each row.

    Parameters
    ----------
    columns : RouteColumns
    contending : Contending
        Rows that share their connection and network with another.
    live : LiveMatch
        From `match_live` of the same columns.
    row_check : ndarray of int8
        The check that decides each row by itself, up to `Check.NEXT_HOP`.
    quota : int or None
        Routes a connection may have, live ones included; None: no limit.
    """
    check = row_check.copy()
    passed = row_check == Check.ACCEPTED
    check[passed & live.other_next_hop] = Check.OTHER_NEXT_HOP_LIVE
    check[passed & live.other_weight] = Check.OTHER_WEIGHT_LIVE
    check[passed & live.same] = Check.SAME_LIVE
    is_open = check == Check.ACCEPTED
    rows = contending.rows
    # By contending row: the first open row of its next hop, which is the one that may get in.
    count = int(contending.nexthop_key.max(initial=NONE)) + 1
    by_hop = first_row(np.where(is_open[rows], contending.nexthop_key, NONE), count)
    first = by_hop[contending.nexthop_key]
    is_first = is_open.copy()
    is_first[rows] &= first == np.arange(len(rows))
    full = np.zeros(columns.size, dtype=np.bool_)
    if quota is not None:
        new = np.flatnonzero(is_first)
        full[new[_past_quota(columns, new, quota)]] = True
    check[full] = Check.QUOTA
    behind = (first != NONE) & (first < np.arange(len(first))) & passed[rows]
    later, leaders = rows[behind], rows[first[behind]]
    same = columns.weight[later] == columns.weight[leaders]
    # Behind an accepted route 7 and 8 come before whatever is live; behind one that the quota
    # refused, what is live stays what decides.
    by_leader = np.where(same, Check.SAME_ROW, Check.OTHER_WEIGHT_ROW)
    by_quota = np.where(check[later] == Check.ACCEPTED, Check.QUOTA, check[later])
    check[later] = np.where(full[leaders], by_quota, by_leader)
    return check


def _past_quota(columns: RouteColumns, rows: I64, quota: int) -> Mask:
    """Tell which of the rows, each a new route, find their connection's quota used up."""
    connection = columns.connection[rows]
    live = live_count(columns)
    total = np.bincount(connection, minlength=len(live)) + live
    past = np.zeros(len(rows), dtype=np.bool_)
    large = np.flatnonzero((total > quota)[connection])
    past[large] = ranks(connection[large]) + live[connection[large]] >= quota
    return past


def live_count(columns: RouteColumns) -> I64:
    """Return the number of live destination routes by connection code."""
    if columns.live is None:
        return np.zeros(columns.code_count + 1, dtype=np.int64)
    distinct = columns.live.assign(connection=columns.live_connection).drop_duplicates()
    known = distinct["connection"][distinct["connection"] >= 0]
    return np.bincount(known, minlength=columns.code_count + 1)


def api_codes(columns: RouteColumns, check: I8, rows: I64) -> Text:
    """Return the cloud's code for the deciding checks of some rows; null where accepted."""
    # By the number of the check; the codes of missing values, by field, stand at the end.
    texts = [CODES.get(one) for one in Check] + _MISSING
    number = check[rows].astype(np.int64)
    missing = np.flatnonzero(number == Check.MISSING)
    if len(missing):
        fields = [columns.empty[name][rows[missing]] for name in NEEDED]
        number[missing] = len(Check) + np.argmax(fields, axis=0)
    return pa.array(texts, TEXT).take(pa.array(number))
