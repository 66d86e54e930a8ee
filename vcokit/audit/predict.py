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
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit.audit.facts import ACTIVE, I64, NEEDED, STANDBY, Facts, Mask, first_row
from vcokit.cidr.relations import NONE

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
    "region_id": "MissingRegionId",
    "vpn_connection_id": "MissingVpnConnectionId",
    "route_dest": "MissingRouteDest",
    "weight": "MissingWeight",
    "next_hop": "MissingNextHop",
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
    if facts.live is None:
        never = np.zeros(facts.size, dtype=np.bool_)
        return LiveMatch(never, never, never, never)
    place = facts.live_places()
    there = place >= 0
    # An identity is one number: ((place, weight), next hop), weights other than 0 and 100 alike.
    weight = _weight_code(facts.live["weight"].to_numpy())
    live_pair = place[there] * 3 + weight[there]
    live_hop = facts.live_next_hop[there]
    identity = np.unique(live_pair * (facts.code_count + 1) + live_hop + 1)
    pairs = identity // (facts.code_count + 1)

    part = facts.takes_part
    pair = np.where(part, facts.place * 3 + _weight_code(facts.weight), NONE)
    own_hop = facts.next_hop + 1
    same = part & np.isin(pair * (facts.code_count + 1) + own_hop, identity)
    other_pair = np.where(part, facts.place * 3 + 1 - _weight_code(facts.weight), NONE)
    odd_pair = np.where(part, facts.place * 3 + 2, NONE)
    other_weight = part & (
        np.isin(other_pair * (facts.code_count + 1) + own_hop, identity)
        | np.isin(odd_pair * (facts.code_count + 1) + own_hop, identity)
    )
    return LiveMatch(
        same=same,
        other_weight=other_weight,
        other_hop=part & (_count(pairs, pair) > same),
        other=part & (_count(pairs // 3, np.where(part, facts.place, NONE)) > same),
    )


def _weight_code(weight: I64) -> I64:
    return np.where(weight == STANDBY, 0, np.where(weight == ACTIVE, 1, 2)).astype(np.int64)


def _count(values: I64, wanted: I64) -> I64:
    """Return how often each wanted value stands among the values."""
    ordered = np.sort(values)
    return np.asarray(
        np.searchsorted(ordered, wanted, side="right") - np.searchsorted(ordered, wanted)
    )


def predict(facts: Facts, live: LiveMatch, no_connection: Mask, quota: int | None) -> I8:
    """Return the number of the check that decides each row; `ACCEPTED` where none does.

    Parameters
    ----------
    facts : Facts
    live : LiveMatch
        From `match_live` of the same facts.
    no_connection : ndarray of bool
        Rows whose connection the cloud does not find.
    quota : int or None
        Routes a connection may have, live ones included; None: no limit.

    Returns
    -------
    ndarray of int8
    """
    own = np.select(
        [
            ~facts.complete,
            ~facts.weight_ok,
            no_connection,
            facts.malformed | facts.ipv6 | facts.host_bits,
            facts.is_default,
            facts.next_hop != facts.connection,
        ],
        [MISSING, WEIGHT, CONNECTION, DESTINATION, DEFAULT, NEXT_HOP],
        ACCEPTED,
    )
    passed = own == ACCEPTED
    by_live = np.select(
        [live.same, live.other_weight, live.other_hop], [SAME, OTHER_WEIGHT, OTHER_HOP], ACCEPTED
    )
    first = _first_open(facts, passed & (by_live == ACCEPTED))
    is_first = first == np.arange(facts.size)
    full = np.zeros(facts.size, dtype=np.bool_)
    if quota is not None:
        full[is_first] = _past_quota(facts, np.flatnonzero(is_first), quota)
    stands = (first != NONE) & ~full[first]
    after = stands & (first < np.arange(facts.size))
    by_row = np.where(facts.weight == facts.weight[first], SAME, OTHER_WEIGHT)
    by_quota = np.where((first != NONE) & full[first], QUOTA, ACCEPTED)
    relational = np.select([after, by_live != ACCEPTED], [by_row, by_live], by_quota)
    return np.where(passed, relational, own).astype(np.int8)


def _first_open(facts: Facts, open_rows: Mask) -> I64:
    """Return, for each row, the first row of its path that nothing live stands against; -1."""
    path = np.where(facts.takes_part, facts.path, NONE)
    codes = np.where(open_rows, path, NONE)
    first = np.full(int(path.max(initial=-1)) + 2, NONE, dtype=np.int64)
    found = first_row(codes)
    first[: len(found)] = found
    return first[path]  # path -1 reads the last element, which stays -1


def _past_quota(facts: Facts, rows: I64, quota: int) -> Mask:
    """Tell which of the rows, each a new route, find their connection's quota used up."""
    connection = facts.connection[rows]
    ranks = pd.Series(connection).groupby(connection).cumcount().to_numpy()
    return np.asarray(ranks + live_count(facts)[connection] >= quota)


def live_count(facts: Facts) -> I64:
    """Return the number of live destination routes by connection code."""
    if facts.live is None:
        return np.zeros(facts.code_count + 1, dtype=np.int64)
    distinct = facts.live.assign(connection=facts.live_connection).drop_duplicates()
    return np.bincount(distinct["connection"], minlength=facts.code_count + 1)


def codes_text(facts: Facts, check: I8) -> pd.Series:
    """Return the API's code for each row's deciding check; Series of str, NA where accepted."""
    code = pd.Series(pd.NA, index=pd.RangeIndex(facts.size), dtype="str")
    for number, text in CODES.items():
        code[check == number] = text
    undecided = check == MISSING
    for name in NEEDED:
        empty = undecided & facts.empty[name]
        code[empty] = _MISSING_CODE[name]
        undecided = undecided & ~empty
    return code
