"""What the cloud would answer if all rows were sent unchanged, one by one, in order.

The checks run in this order, and the first one that fails decides. The rules about single rows
cover checks 1 to 6. Checks 7 to 10 depend on the live routes and on the rows accepted so far:

==  ================================================  ====================================
 1  a field is empty                                  ``Missing<Parameter>``
 2  the weight is not 0 or 100                        ``InvalidWeight``
 3  no such connection (here)                         ``InvalidVpnConnectionInstanceId.NotFound``
3b  it is not attached to a transit router            ``Vco.StatusNotSupport``
 4  malformed, IPv6, host bits                        ``IllegalParam.RouteDest``
 5  the default route                                 ``OperationFailed.InvalidCidrBlock``
 6  the next hop is not the connection                ``InvalidNextHop.NotFound``
 7  the same route exists                             ``VpnRouteEntry.AlreadyExists``
 8  it exists with another weight                     ``VpnRouteEntry.Conflict``
 9  it exists with another next hop, same weight      ``VpnRouteEntry.BackupRoute``
10  the connection's quota is used up                 ``CreateDbrRoutesQuotaFull.QuotaFull``
==  ================================================  ====================================

This is computed without a loop over rows. Consider the rows of one connection, network and next
hop that pass checks 1 to 6 and conflict with no live route. Only the first of them can be accepted;
the following rows fail against it at check 7 or 8. (Check 9 fails only against live routes: an
earlier row with another next hop was refused at check 6.) Of these first rows, the quota then
accepts as many as it allows.

Refusals that end by waiting are not predicted: a connection that is being attached will be
attached.
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
    """A check that refuses a row, in the cloud's order.

    Checks 7 and 8 have two members each: for a conflict with a live route or with an earlier row.
    """

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


#: The cloud's code for each check. The code of a missing value is not here: it names the parameter.
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
    """How each row compares with the live routes of its connection and network.

    Parameters
    ----------
    same : ndarray of bool
        The same route is live.
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
    # A listing may omit weights. Then the live route is assumed to have the wanted weight.
    same_weight = (weight == _weight_code(listed)) | ((listed < 0) & same_hop)
    # A row may have several live routes, so more than one of these can be true for a row.
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
        Rows that share their connection and network with another row.
    live : LiveMatch
        From `match_live` of the same columns.
    row_check : ndarray of int8
        The check that decides each row on its own, up to `Check.NEXT_HOP`.
    quota : int or None
        Number of routes that a connection may have, including live ones; None: no limit.
    """
    check = row_check.copy()
    passed = row_check == Check.ACCEPTED
    check[passed & live.other_next_hop] = Check.OTHER_NEXT_HOP_LIVE
    check[passed & live.other_weight] = Check.OTHER_WEIGHT_LIVE
    check[passed & live.same] = Check.SAME_LIVE
    is_open = check == Check.ACCEPTED
    rows = contending.rows
    # For each contending row, the first open row of its next hop: only that row can be accepted.
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
    # After an accepted row, checks 7 and 8 take precedence over the live routes. After a row that
    # the quota refused, the live routes still decide.
    by_leader = np.where(same, Check.SAME_ROW, Check.OTHER_WEIGHT_ROW)
    by_quota = np.where(check[later] == Check.ACCEPTED, Check.QUOTA, check[later])
    check[later] = np.where(full[leaders], by_quota, by_leader)
    return check


def _past_quota(columns: RouteColumns, rows: I64, quota: int) -> Mask:
    """Return which of the rows, each a new route, exceed the quota of their connection."""
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
    """Return the cloud's code for the deciding checks of some rows; null if accepted."""
    # Indexed by check; the codes of missing values, by field, are at the end.
    texts = [CODES.get(one) for one in Check] + _MISSING
    number = check[rows].astype(np.int64)
    missing = np.flatnonzero(number == Check.MISSING)
    if len(missing):
        fields = [columns.empty[name][rows[missing]] for name in NEEDED]
        number[missing] = len(Check) + np.argmax(fields, axis=0)
    return pa.array(texts, TEXT).take(pa.array(number))
