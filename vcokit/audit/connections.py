"""Live connections: what they say of the rows that name them, and which id a name means.

By its id a connection is known alone, for ids are the cloud's and are in one region each. Names
are compared in the row's region::

    cell of a row ─┬─ has the form of an id ──▶ that id, known or not
                   └─ anything else ──────────▶ a name: which connections of the row's region have
                                                it?  one ──▶ `with_connection_ids` writes its id
                                                none, several ──▶ left for the audit to report

Names are compared in lower case: `read_routes` lowers the cells in which ids stand, and a file that
tells two connections apart by case alone would then name the wrong one. So those count as one name.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit.columns import (
    CONNECTION_ID,
    I64,
    NONE,
    TEXT,
    Mask,
    RouteColumns,
    Text,
    as_text,
    say,
)
from vcokit.contract import ARRIVING
from vcokit.errors import InputError

#: Between region and name; neither of them can hold it.
_APART: Final = "\x00"
#: Ids that a message names before it only counts.
_NAMED_AT_MOST: Final = 4


class ConnectionStatus:
    """What the live connections say of every row: is its connection there, here, attached.

    Parameters
    ----------
    columns : RouteColumns
        Of an audit to which connections were given.
    """

    def __init__(self, columns: RouteColumns) -> None:
        if columns.connections is None:
            raise LookupError("no live connections were given")
        self._columns = columns
        self._frame = columns.connections
        self._code = _positions(self._text("vpn_connection_id"), columns.ids.words)
        # One more, always False: rows without a connection have the code -1.
        self._size = len(columns.ids) + 1

    def _text(self, name: str) -> Text:
        return as_text(schema.text_column(self._frame[name]))

    def _rows_of(self, which: Mask) -> Mask:
        """Tell which rows name one of some connections, given as a mask over their frame."""
        among = np.zeros(self._size, dtype=np.bool_)
        among[self._code[which & (self._code >= 0)]] = True
        return np.asarray(among[self._columns.connection])

    @cached_property
    def known(self) -> Mask:
        """Rows whose connection is there, in whichever region."""
        return self._rows_of(np.ones(len(self._code), dtype=np.bool_))

    @cached_property
    def unknown(self) -> Mask:
        """Rows whose connection is not there."""
        return np.asarray((self._columns.connection >= 0) & ~self.known)

    @cached_property
    def in_other_region(self) -> Mask:
        """Rows with a region in which their connection, which is there, is not."""
        columns, words = self._columns, self._text("region_id")
        theirs = _positions(words, columns.regions.words)
        count = len(columns.regions) + 1
        pairs = self._code * count + theirs
        mine = columns.connection.astype(np.int64) * count + columns.region
        here = np.isin(mine, pairs[(self._code >= 0) & (theirs >= 0)])
        # A connection whose region is not known may be here.
        here |= self._rows_of(pc.is_null(words).to_numpy(zero_copy_only=False))
        return np.asarray(self.known & ~here & (columns.region >= 0))

    @cached_property
    def not_attached(self) -> Mask:
        """Rows whose connection is there, but not attached to a transit router."""
        return np.asarray(self.known & ~self._rows_of(_attached(self._frame)))

    @cached_property
    def arriving(self) -> Mask:
        """Rows whose connection is on its way to a transit router, where its state is known."""
        return self._rows_of(_arriving(self._frame))

    def region(self, rows: I64) -> Text:
        """Return the region of some rows' connections, which are there; null where not known."""
        words = self._text("region_id")
        first = np.full(self._size, len(words), dtype=np.int64)
        first[self._code[::-1]] = np.arange(len(words))[::-1]
        first[NONE] = len(words)
        regions = pa.concat_arrays([words, pa.nulls(1, TEXT)])
        return regions.take(pa.array(first[self._columns.connection[rows]]))

    @cached_property
    def _names(self) -> NameIndex:
        return NameIndex(self._frame)

    def by_name(self, rows: I64, message: Text) -> tuple[Text, Text | None]:
        """Add to messages whose name the cells of some rows are; suggest the only one's id."""
        if not self._names.any:
            return message, None
        columns = self._columns
        region, cells = columns.text(rows, "region_id"), columns.text(rows, "vpn_connection_id")
        owners = self._names.owners(region, cells)
        ending = pc.fill_null(say("; it is the name of ", owners), "")
        return say(message, ending), self._names.ids(region, cells)

    def not_requested(self, rows: I64) -> Text:
        """Say of which rows the region was not requested, where the frame tells; else nothing."""
        requested = self._frame.attrs.get("regions")
        regions = self._columns.text(rows, "region_id")
        if requested is None:
            return pa.repeat(pa.scalar("", TEXT), len(rows))
        names = self._columns.regions.words.to_pylist()
        known = np.append(np.isin(names, list(requested)), True)[self._columns.region[rows]]
        said = say("; region ", regions, " was not asked for")
        return pc.if_else(pa.array(known), pa.scalar("", TEXT), said)


def _attached(connections: pd.DataFrame) -> Mask:
    """Tell which live connections are attached to a transit router.

    The column ``attached`` says so, for it is whether the cloud lists the attachment. Where it is
    missing, a connection counts as attached if its type is CEN and it names a transit router, as
    far as the frame has these columns.
    """
    likely = np.ones(len(connections), dtype=np.bool_)
    for name, right in (("attach_type", "CEN"), ("transit_router_id", None)):
        if name in connections.columns:
            text = schema.text_column(connections[name])
            likely &= (text.notna() if right is None else text == right).to_numpy(dtype=np.bool_)
    if "attached" not in connections.columns:
        return likely
    try:
        listed = pd.Series(connections["attached"].array).astype(schema.BOOL)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column 'attached' of connections cannot be read as true or false: {error}",
            remedy="Pass what vk.live_connections returned, or leave the column out",
        ) from None
    return np.where(listed.isna(), likely, listed.fillna(False).to_numpy(dtype=np.bool_))


def _arriving(connections: pd.DataFrame) -> Mask:
    """Tell which live connections will be attached by themselves, by state and type."""
    if "state" not in connections.columns:
        return np.zeros(len(connections), dtype=np.bool_)
    arriving = schema.text_column(connections["state"]).isin(ARRIVING)
    if "attach_type" in connections.columns:
        arriving &= schema.text_column(connections["attach_type"]) == "CEN"
    return arriving.to_numpy(dtype=np.bool_)


def _positions(words: Text, among: Text) -> I64:
    """Return the position of each word among some distinct ones; -1 where it is not there."""
    found = pc.fill_null(pc.index_in(words, value_set=among), NONE)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


# -- connections by name ----------------------------------------------------------------------


def with_connection_ids(routes: pd.DataFrame, connections: pd.DataFrame) -> pd.DataFrame:
    """Return an inventory that names connections by name as one that names them by id.

    A cell of ``vpn_connection_id`` or ``next_hop`` that is the name of exactly one connection of
    the row's region becomes its id; where the row has no region, of exactly one connection at all.
    Case does not matter. What has the form of an id is an id, whatever connections are called.
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
    names = NameIndex(connections)
    region = as_text(schema.text_column(routes["region_id"]))
    result = routes.copy()
    for column in ("vpn_connection_id", "next_hop"):
        if column in routes.columns:
            cells = as_text(schema.text_column(routes[column]))
            is_id = pc.match_substring_regex(cells, f"^{CONNECTION_ID}$")
            written = pc.if_else(is_id, cells, pc.coalesce(names.ids(region, cells), cells))
            result[column] = pd.Series(written, index=routes.index, dtype=schema.STR)
    return result


class NameIndex:
    """Which connections have a name, in a region or anywhere.

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
        ids, region, name = (as_text(known[column]) for column in _OWNER)
        #: Whether any connection has a name.
        self.any = len(known) > 0
        self._here = _Owners(_in_region(region, name), ids, ids)
        in_its_region = say(ids, " in ", region)
        self._anywhere = _Owners(_as_name(name), ids, in_its_region)

    def ids(self, region: Text, cells: Text) -> Text:
        """Return, for each row, the id of the one connection that its cell names; else null.

        A row without a region looks in all regions.
        """
        here = self._here.only(_in_region(region, cells))
        return pc.if_else(pc.is_valid(region), here, self._anywhere.only(_as_name(cells)))

    def owners(self, region: Text, cells: Text) -> Text:
        """Return, for each row, all connections that its cell names, as text; else null."""
        here = self._here.all(_in_region(region, cells))
        return pc.coalesce(here, self._anywhere.all(_as_name(cells)))


_OWNER: Final = {"vpn_connection_id": schema.STR, "region_id": schema.STR, "name": schema.STR}


class _Owners:
    """By key, its only owner, and all of them as text.

    Parameters
    ----------
    keys, ids : Arrow array of str
        An element per owner.
    described : Arrow array of str
        How a message names each owner.
    """

    def __init__(self, keys: Text, ids: Text, described: Text) -> None:
        self._keys, self._described = keys, described
        counts = pc.value_counts(keys)
        once = counts.field("values").filter(pc.equal(counts.field("counts"), 1))
        alone = pc.is_in(keys, value_set=once)
        self._only = keys.filter(alone), ids.filter(alone)

    @cached_property
    def _all(self) -> tuple[Text, Text]:
        keys, described = (pd.Series(t, dtype=schema.STR) for t in (self._keys, self._described))
        table = described.groupby(keys, sort=False).agg(_join)
        return as_text(table.index.to_series()), as_text(table)

    def only(self, keys: Text) -> Text:
        """Return the only owner of each key; null where it has none or several."""
        return _looked_up(keys, *self._only)

    def all(self, keys: Text) -> Text:
        """Return all owners of each key, as text; null where it has none."""
        return _looked_up(keys, *self._all)


def _looked_up(keys: Text, among: Text, texts: Text) -> Text:
    return texts.take(pc.index_in(keys, value_set=among))


def _join(owners: pd.Series) -> str:
    named, more = list(owners[:_NAMED_AT_MOST]), len(owners) - _NAMED_AT_MOST
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _in_region(region: Text, cells: Text) -> Text:
    return say(region, _APART, _as_name(cells))


def _as_name(cells: Text) -> Text:
    """Return cells as names are compared."""
    return pc.utf8_lower(pc.utf8_trim(cells, characters=schema.BLANKS))
