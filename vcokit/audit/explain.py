"""Which route wins for an address, what wins if its connection is down, and related findings.

The vendor's rules for destination routes apply: the longest prefix that contains the address
decides. Of the routes of that destination, an active one (weight 100) is effective while its
connection is up, and a standby one (weight 0) is effective once no active one is. These rules are
documented for VPN gateways. It is not documented whether a shorter prefix takes over when every
connection of a longer one is down, so the text says that it "may".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.audit.audit import Audit
from vcokit.audit.columns import I64, Mask
from vcokit.audit.explanation import SHOWN, VERDICTS, Explanation
from vcokit.audit.plannable import plannable_rows
from vcokit.cidr.parse import parse, to_text
from vcokit.cidr.relations import touches
from vcokit.errors import InputError

#: Columns of the answer, after those of the scope. A column of the scope that has one of these
#: names is renamed, for example to ``weight (scope)``.
_WHERE: Final = ("row", "line", "source")
_ROUTES: Final = ("verdict", "route_dest", "vpn_connection_id", "next_hop", "weight", *_WHERE)
_IF_DOWN: Final = ("down", "route_dest", "vpn_connection_id", "weight", *_WHERE, "sure", "routes")


def explain(
    routes: pd.DataFrame,
    address: object,
    *,
    live: pd.DataFrame | None = None,
    connections: pd.DataFrame | None = None,
    quota: int | None = None,
    scope: str | Sequence[str] = "region_id",
) -> Explanation:
    """Explain which route wins for an address or prefix, and what wins if its connection is down.

    Parameters
    ----------
    routes : DataFrame
        From `read_routes`, or any frame with the required columns of `vcokit.schema.ROUTES`, such
        as live routes.
    address : str, or an address or network of `ipaddress` or netaddr
        ``10.1.2.3`` or ``10.1.0.0/16``.
    live, connections, quota, scope
        As for `audit_routes`. A column of the scope that has the name of one of the explanation's
        own columns is renamed, for example to ``weight (scope)``.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        If `address` is neither an IPv4 address nor a prefix, or a frame lacks columns.

    Examples
    --------
    >>> import pandas as pd
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou",
    ...     "vpn_connection_id": ["vco-a", "vco-b", "vco-c"],
    ...     "route_dest": ["10.1.0.0/16", "10.1.0.0/16", "10.0.0.0/8"],
    ...     "next_hop": ["vco-a", "vco-b", "vco-c"], "weight": [100, 0, 100]})
    >>> explain(routes, "10.1.2.3")
    10.1.2.3/32 in cn-hangzhou
      wins       10.1.0.0/16  vco-a  weight 100  row 0
      stands by  10.1.0.0/16  vco-b  weight 0    row 1
      shadowed   10.0.0.0/8   vco-c  weight 100  row 2
      if vco-a is down: 10.1.0.0/16 on vco-b (weight 0, row 1)
    findings
      row 0: info more-specific: traffic to 10.1.0.0/16 goes to vco-a, not the way of 10.0.0.0/8
        (row 2)
      row 1: info more-specific: traffic to 10.1.0.0/16 goes to vco-a, not the way of 10.0.0.0/8
        (row 2)
    """
    names = [scope] if isinstance(scope, str) else list(dict.fromkeys(scope))
    if not isinstance(routes, pd.DataFrame):
        raise InputError(
            f"explain takes the routes first, as a DataFrame, and got a {type(routes).__name__}",
            remedy='Write vk.explain(routes, "10.1.2.3")',
        )
    network, length = _wanted(address)
    audit = Audit(routes, live=live, connections=connections, quota=quota, scope=names)
    sorted_rows = plannable_rows(audit)
    prefixes = audit.columns.prefixes
    touched = _touched(prefixes.network, prefixes.length, network, length)
    rows = np.flatnonzero(touched)
    whole = sorted_rows.routes
    named = {name: (whole if name in whole else routes)[name] for name in names}
    scopes, number = _scopes(named, audit.columns.scope, rows)
    table = whole.iloc[rows].reset_index(drop=True)
    table = table.assign(
        row=rows,
        scope=number,
        route_dest=sorted_rows.network.array.take(rows),
        length=prefixes.length[rows].astype(np.int64),
    )
    table["verdict"] = _verdicts(table, length, sorted_rows.plannable[rows])
    table = table.sort_values(
        ["scope", "verdict", "length", "row"],
        ascending=[True, True, False, True],
        ignore_index=True,
    )
    return Explanation(
        address=str(to_text(np.array([network], np.uint32), np.array([length], np.uint8)).iloc[0]),
        routes=_with_scope(scopes, table, _ROUTES),
        if_down=_with_scope(scopes, _if_down(table), _IF_DOWN),
        findings=_findings(sorted_rows.findings, touched, network, length),
    )


def _scopes(columns: dict[str, pd.Series], codes: I64, rows: I64) -> tuple[pd.DataFrame, I64]:
    """Return the sorted scopes of some rows, and the number of each row's scope."""
    _, first, number = np.unique(codes[rows], return_index=True, return_inverse=True)
    found = pd.DataFrame(index=range(len(first)))
    for name, column in columns.items():
        cells = column.iloc[rows[first]].reset_index(drop=True)
        found[name] = schema.text_column(cells) if cells.dtype == "object" else cells
    order = found.index
    for name in reversed(columns):
        order = found.loc[order, name].sort_values(kind="stable").index
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    label = {name: f"{name} (scope)" for name in columns if name in {*_ROUTES, *_IF_DOWN}}
    return found.loc[order].reset_index(drop=True).rename(columns=label), place[number]


def _with_scope(scopes: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return columns of a table, preceded by those of each row's scope."""
    mine = scopes.take(table["scope"].to_numpy()).reset_index(drop=True)
    return pd.concat([mine, table[[*columns]].reset_index(drop=True)], axis=1)


def _wanted(address: object) -> tuple[int, int]:
    """Return network and length of the given address or prefix."""
    if pd.api.types.is_list_like(address) and not hasattr(address, "prefixlen"):
        raise InputError(
            f"the address is one address or prefix, not a {type(address).__name__}",
            remedy="Write an address such as 10.1.2.3 or a prefix such as 10.1.0.0/16",
        )
    text = str(address).strip()
    parsed = parse(pd.Series([text if "/" in text else f"{text}/32"], dtype="str"))
    if not parsed.valid[0]:
        raise InputError(
            f"{text!r} is neither an IPv4 address nor a prefix",
            remedy="Write an address such as 10.1.2.3 or a prefix such as 10.1.0.0/16",
        )
    return int(parsed.network[0]), int(parsed.length[0])


def _touched(networks: Any, lengths: Any, network: int, length: int) -> Mask:
    """Return which prefixes contain the given prefix or are in it; False for missing prefixes."""
    return np.asarray(touches(networks, lengths, network, length) & (lengths <= 32))


def _verdicts(table: pd.DataFrame, length: int, plannable: Mask) -> pd.Series:
    """Return the verdict on each row, for a prefix of the given length."""
    holds = pd.Series(plannable & (table["length"] <= length).to_numpy())
    longest = table["length"].where(holds).groupby(table["scope"]).transform("max")
    decides = holds & (table["length"] == longest)
    heaviest = table["weight"].where(decides).groupby(table["scope"]).transform("max")
    verdict = pd.Series("shadowed", index=table.index, dtype="str")
    verdict[table["length"] > length] = "inside"
    verdict[decides] = "stands by"
    verdict[decides & (table["weight"] == heaviest).fillna(False)] = "wins"
    verdict[~plannable] = "blocked"
    return verdict.astype(VERDICTS)


def _if_down(table: pd.DataFrame) -> pd.DataFrame:
    """Return the routes that take over from each winning connection.

    The routes of a scope are ranked once. For each winner, the first rank with a route of another
    connection takes over; the first few routes of that rank are returned. So the cost per winner
    does not grow with the number of winners.
    """
    able = table[table["verdict"].isin(["wins", "stands by", "shadowed"])].reset_index(drop=True)
    ids, rank = able["vpn_connection_id"].tolist(), ["scope", "length", "weight"]
    keys = list(zip(*(able[name].tolist() for name in rank), strict=True))
    ranks: dict[tuple[int, ...], list[int]] = {}
    for place, key in enumerate(keys):
        ranks.setdefault(key, []).append(place)
    of_scope: dict[int, list[tuple[int, ...]]] = {}
    for key in sorted(ranks, reverse=True):
        of_scope.setdefault(key[0], []).append(key)
    own = Counter(zip(keys, ids, strict=True))
    takes: list[tuple[int, int, int, bool]] = []
    for winner in np.flatnonzero(able["verdict"] == "wins").tolist():
        down, (scope, length, _) = ids[winner], keys[winner]
        best = next((key for key in of_scope[scope] if len(ranks[key]) > own[key, down]), None)
        if best is None:
            takes.append((winner, -1, 0, True))
            continue
        others = (place for place in ranks[best] if ids[place] != down)
        count, sure = len(ranks[best]) - own[best, down], best[1] == length
        takes += [(winner, place, count, sure) for place in islice(others, SHOWN)]
    taken = pd.DataFrame(takes, columns=["winner", "place", "routes", "sure"]).astype(
        {"winner": "int64", "place": "int64", "routes": "int64", "sure": "bool"}
    )
    found = able.astype({"row": "Int64", "length": "Int64"}).reindex(taken["place"].to_numpy())
    winners = taken["winner"].to_numpy()
    return found.assign(
        down=able["vpn_connection_id"].take(winners).array,
        scope=able["scope"].to_numpy()[winners],
        sure=taken["sure"].to_numpy(),
        routes=taken["routes"].to_numpy(),
    ).reset_index(drop=True)


def _findings(findings: pd.DataFrame, touched: Mask, network: int, length: int) -> pd.DataFrame:
    """Return findings on rows that touch the prefix, or would if the suggestion were applied."""
    meant = parse(findings["suggestion"].where(findings["column"] == "route_dest"))
    would = _touched(meant.network, meant.length, network, length)
    rows: I64 = findings["row"].to_numpy()
    return findings[touched[rows] | would].reset_index(drop=True)
