"""Connections by name: which id a name means, and what to say where it means none or several.

::

    cell of a row ─┬─ has the form of an id ──▶ that id, known or not
                   └─ anything else ──────────▶ a name: who bears it in the row's region?
                                                one ──▶ `with_connection_ids` writes it
                                                none, several ──▶ left, for the audit to tell of

Names are compared in lower case: `read_routes` lowers the cells in which ids stand, and a file that
told two connections apart by case alone would then name the wrong one. So those count as one name.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit.codes import Mask, strings
from vcokit.audit.facts import CONNECTION_ID

#: Between region and name; neither of them can hold it.
_APART: Final = "\x00"
#: Ids that a message names before it only counts.
_NAMED_AT_MOST: Final = 4


def with_connection_ids(routes: pd.DataFrame, connections: pd.DataFrame) -> pd.DataFrame:
    """Return an inventory that names connections by name as one that names them by id.

    A cell of ``vpn_connection_id`` or ``next_hop`` that is the name of exactly one connection of
    the row's region becomes its id; where the row has no region, of exactly one connection at all.
    Case is of no matter. What has the form of an id is an id, whatever connections are called.
    All else is left as it is: `audit_routes` then says which connections share the name, or that
    none has it.

    Parameters
    ----------
    routes : DataFrame
        With the columns region_id and vpn_connection_id; next_hop may be there.
    connections : DataFrame
        From `live_connections`, or any frame with vpn_connection_id, name and region_id.

    Returns
    -------
    DataFrame
        A copy, in which the two columns are ``str``; index, other columns and ``attrs`` stay.

    Raises
    ------
    InputError
        If a frame lacks columns.

    Examples
    --------
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["depot", "shop"],
    ...     "route_dest": "10.0.0.0/8", "next_hop": ["depot", "shop"], "weight": 100})
    >>> connections = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b", "vco-c"],
    ...     "name": ["Depot", "Shop", "shop"], "region_id": "cn-hangzhou"})
    >>> with_connection_ids(routes, connections)[["vpn_connection_id", "next_hop"]]
      vpn_connection_id next_hop
    0             vco-a    vco-a
    1              shop     shop
    """
    schema.require_columns(routes, ("region_id", "vpn_connection_id"), what="routes")
    schema.require_columns(connections, ("name",), what="connections")
    names = Names(connections)
    region = schema.text_column(routes["region_id"])
    result = routes.copy()
    for column in ("vpn_connection_id", "next_hop"):
        if column in routes.columns:
            cells = schema.text_column(routes[column])
            rows = np.flatnonzero(_may_be_name(flat(cells)))
            ids = names.ids(region.take(rows), cells.take(rows))
            known = ids.notna().to_numpy()
            cells.iloc[rows[known]] = ids[known].array
            result[column] = cells.set_axis(routes.index)
    return result


class Names:
    """Which connections bear a name, in a region or anywhere.

    Parameters
    ----------
    connections : DataFrame
        Live connections; without a column ``name`` none has a name.
    """

    def __init__(self, connections: pd.DataFrame) -> None:
        schema.require_columns(connections, ("vpn_connection_id", "region_id"), what="connections")
        columns = {
            n: schema.text_column(connections[n]) for n in ("vpn_connection_id", "region_id")
        }
        if "name" in connections.columns:
            columns["name"] = schema.text_column(connections["name"])
        known = schema.frame(_OWNER, columns).dropna().drop_duplicates(ignore_index=True)
        ids, region = known["vpn_connection_id"], known["region_id"]
        name = _as_name(known["name"])
        #: Whether any connection has a name.
        self.any = len(known) > 0
        self._here = _Owners(region + _APART + name, ids, ids)
        self._anywhere = _Owners(name, ids, ids + " in " + region)

    def ids(self, region: pd.Series, cells: pd.Series) -> pd.Series:
        """Return, for each row, the id of the one connection that its cell names; else NA.

        Parameters
        ----------
        region, cells : Series of str
            Of one length; NA in `region` looks in all regions.
        """
        region, name = region.reset_index(drop=True), _as_name(cells)
        here = self._here.one(region + _APART + name)
        return here.where(region.notna(), self._anywhere.one(name))

    def told(self, region: pd.Series, cells: pd.Series) -> pd.Series:
        """Return, for each row, whose name its cell is, as the end of a sentence; else NA."""
        name = _as_name(cells)
        here = self._here.all(region.reset_index(drop=True) + _APART + name)
        return "the name of " + here.fillna(self._anywhere.all(name))


_OWNER: Final = {"vpn_connection_id": schema.STR, "region_id": schema.STR, "name": schema.STR}


class _Owners:
    """By key, its only owner, and all of them as text.

    Parameters
    ----------
    keys, ids : Series of str
        A row an owner.
    said : Series of str
        How each owner is spoken of.
    """

    def __init__(self, keys: pd.Series, ids: pd.Series, said: pd.Series) -> None:
        self._keys, self._said = keys, said
        alone = ~keys.duplicated(keep=False)
        self._one = flat(keys[alone]), flat(ids[alone])

    @cached_property
    def _all(self) -> tuple[Any, Any]:
        table = self._said.groupby(self._keys, sort=False).agg(_join)
        return flat(table.index.to_series()), flat(table)

    def one(self, keys: pd.Series) -> pd.Series:
        """Return the only owner of each key; NA where it has none or several."""
        return _looked_up(keys, *self._one)

    def all(self, keys: pd.Series) -> pd.Series:
        """Return all owners of each key, as text; NA where it has none."""
        return _looked_up(keys, *self._all)


def _looked_up(keys: pd.Series, among: Any, texts: Any) -> pd.Series:
    return pd.Series(texts.take(pc.index_in(flat(keys), value_set=among)), dtype=schema.STR)


def _join(owners: pd.Series) -> str:
    named, more = list(owners[:_NAMED_AT_MOST]), len(owners) - _NAMED_AT_MOST
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _as_name(cells: pd.Series) -> pd.Series:
    """Return cells as names are compared, on a fresh index."""
    trimmed = pc.utf8_trim(flat(cells), characters=schema.BLANKS)
    return pd.Series(pc.utf8_lower(trimmed), dtype=schema.STR)


def _may_be_name(cells: Any) -> Mask:
    """Tell which cells hold something that has not the form of an id."""
    is_id = pc.fill_null(pc.match_substring_regex(cells, f"^{CONNECTION_ID}$"), True)
    return np.asarray(~is_id.to_numpy(zero_copy_only=False))


def flat(column: pd.Series) -> Any:
    """Return a column of text as one Arrow array of large_string."""
    text = strings(column)
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
