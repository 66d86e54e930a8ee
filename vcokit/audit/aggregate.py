"""The fewest destinations that forward as an inventory does, whichever connections are down.

The *set* of a destination decides how an address is forwarded: every (connection, next hop,
weight) of the longest prefix that contains the address. Below it are the sets of the shorter
prefixes, which may take over once all connections of the longer one are down. Two steps leave this
stack of sets unchanged for every address, if equal neighbours in the stack count once::

    siblings   10.0.0.0/9 {a}  10.128.0.0/9 {a}   ──▶  10.0.0.0/8 {a}    unless 10.0.0.0/8 is
                                                                         another destination
    covered    10.0.0.0/8 {a}  10.1.0.0/16 {a}    ──▶  10.0.0.0/8 {a}    if 10.0.0.0/8 is the
                                                                         closest cover

Siblings are merged first, from the longest prefixes to the shortest; then covered destinations are
dropped. Both steps repeat until nothing changes, because a dropped destination may make room for a
parent. A set is compared as a unit, including its standby routes, and never replaced by a larger or
smaller one. Prefixes are not merged connection by connection: ``10.0.0.0/8 {a}`` over
``10.0.0.0/9 {b}`` forwards differently from two halves of ``a`` beside it.

"Fewest" means that neither step finds anything more. If only the longest prefix counted, fewer
destinations would be enough: ``10.0.0.0/8 {a}`` over ``10.192.0.0/10 {b}`` means the same as
``10.0.0.0/9 {a}``, ``10.128.0.0/10 {a}`` and ``10.192.0.0/10 {b}``, but only until ``b`` is down.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.audit import Audit
from vcokit.audit.columns import I64
from vcokit.audit.plannable import plannable_rows
from vcokit.cidr.parse import to_text
from vcokit.cidr.relations import closest_cover

_ENTRY = ["vpn_connection_id", "next_hop", "weight"]
_ADDRESS = 32


def aggregate_routes(routes: pd.DataFrame) -> pd.DataFrame:
    """Return an inventory with fewer destinations that forward the same.

    Forwarding stays the same whichever connections are down. The result has no two siblings with
    the same set of routes unless their parent is another destination, and no destination with the
    set of its closest cover. No address gets another set, or a set if it had none. The shorter
    prefixes that may take over also stay equivalent. Without this last condition, even fewer
    destinations might be enough.

    Parameters
    ----------
    routes : DataFrame
        An inventory; rows that a plan would block are ignored.

    Returns
    -------
    DataFrame
        With the columns of `vcokit.schema.ROUTES`, sorted by region in order of appearance, network
        and length. The description is kept if the destination is.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> routes = pd.DataFrame({"region_id": "r", "vpn_connection_id": "vco-a", "weight": 100,
    ...     "next_hop": "vco-a", "route_dest": ["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16"]})
    >>> aggregate_routes(routes)["route_dest"].tolist()
    ['10.0.0.0/8']
    """
    audit = Audit(routes)
    rows = plannable_rows(audit)
    wanted = rows.routes.assign(route_dest=rows.network)[rows.plannable].reset_index(drop=True)
    prefixes = audit.columns.prefixes
    scope = pd.factorize(wanted["region_id"])[0].astype(np.int64)
    network = prefixes.network[rows.plannable].astype(np.int64)
    length = prefixes.length[rows.plannable].astype(np.int64)
    kept = _put_together(_destinations(wanted, scope, network, length))
    return _as_routes(kept.sort_values(["scope", "network", "length"]), wanted)


def _destinations(wanted: pd.DataFrame, scope: I64, network: I64, length: I64) -> pd.DataFrame:
    """Return one row per destination: scope, network, length, number of its set, one of its rows.

    Sets are numbered element by element: two sets stay equal as long as their next elements are
    equal.
    """
    entry = wanted.groupby(_ENTRY, sort=True, dropna=False).ngroup()
    table = pd.DataFrame({"scope": scope, "network": network, "length": length, "entry": entry})
    table = table.drop_duplicates().sort_values(["scope", "network", "length", "entry"])
    names = ["scope", "network", "length"]
    table["destination"] = table.groupby(names, sort=False).ngroup()
    table["place"] = table.groupby("destination").cumcount()
    found = table[table["place"] == 0][names].reset_index(drop=True)
    number = np.full(len(found), -1, dtype=np.int64)
    for _, part in table.groupby("place"):
        where = part["destination"].to_numpy()
        pairs = pd.DataFrame({"before": number[where], "entry": part["entry"].to_numpy()})
        number[where] = number.max(initial=-1) + 1 + pairs.groupby(["before", "entry"]).ngroup()
    found["set"] = pd.factorize(number)[0]
    found["row"] = table.index[table["place"] == 0]
    return found


def _put_together(destinations: pd.DataFrame) -> pd.DataFrame:
    """Merge siblings and drop covered destinations until neither changes anything."""
    size = -1
    while size != len(destinations):
        size = len(destinations)
        destinations = _merged(destinations)
        destinations = destinations[~_covered(destinations)]
    return destinations


def _merged(destinations: pd.DataFrame) -> pd.DataFrame:
    """Merge siblings with the same set, from the longest prefixes to the shortest.

    Never merge to length 0: that is the default route, which is refused.
    """
    by_length = dict(list(destinations.groupby("length")))
    nothing, done = destinations.iloc[:0], []
    for length in range(_ADDRESS, 0, -1):
        here, above = by_length.get(length, nothing), by_length.get(length - 1, nothing)
        if len(here) > 1 and length > 1:
            here, above = _level(here, above, length)
            by_length[length - 1] = above
        done.append(here)
    return pd.concat([*done, by_length.get(0, nothing)], ignore_index=True)


def _level(
    here: pd.DataFrame, above: pd.DataFrame, length: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merge siblings of one length; return the rest, and the destinations one bit shorter."""
    parent = here["network"] & ~(1 << (_ADDRESS - length))
    groups = here.groupby([here["scope"], parent])["set"]
    alike = (groups.transform("size") == 2) & (groups.transform("nunique") == 1)
    new = here.assign(network=parent, length=length - 1)[alike]
    new = new.drop_duplicates(["scope", "network"])
    both = new.merge(above, on=["scope", "network"], how="left", suffixes=("", "_above"))
    there = both["set_above"].notna().to_numpy()
    other = there & (both["set_above"] != both["set"]).to_numpy()
    refused = pd.MultiIndex.from_frame(both.loc[other, ["scope", "network"]])
    key = pd.MultiIndex.from_arrays([here["scope"], parent])
    gone = alike.to_numpy() & ~key.isin(refused)
    fresh = new[~there]
    return here[~gone], pd.concat([above, fresh]) if len(fresh) else above


def _covered(kept: pd.DataFrame) -> pd.Series:
    """Return whether each destination has the same set as its closest cover."""
    cover = closest_cover(
        kept["network"].to_numpy(np.uint32),
        kept["length"].to_numpy(np.uint8),
        kept["scope"].to_numpy(np.int64),
    )
    sets = kept["set"].to_numpy()
    return pd.Series((cover >= 0) & (sets[cover] == sets), index=kept.index)


def _as_routes(kept: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """Return destinations as routes, each with the entries of its original destination."""
    first = wanted.loc[kept["row"], ["region_id", "route_dest"]]
    origin = first.assign(
        target=to_text(
            kept["network"].to_numpy(np.uint32), kept["length"].to_numpy(np.uint8)
        ).to_numpy(),
        order=np.arange(len(kept)),
    )
    entries = wanted[["region_id", "route_dest", *_ENTRY]].drop_duplicates()
    found = origin.merge(entries, on=["region_id", "route_dest"], how="left", sort=False)
    found = found.sort_values("order", kind="stable").assign(route_dest=lambda one: one["target"])
    described = wanted.drop_duplicates(["region_id", "route_dest", *_ENTRY])
    names = ["region_id", "route_dest", *_ENTRY]
    found = found[names].merge(described[[*names, "description"]], on=names, how="left", sort=False)
    return schema.frame(schema.ROUTES, {str(name): found[name] for name in found})
