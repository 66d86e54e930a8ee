"""What the live connections say of the rows that name them: are they there, here, attached.

A connection is known by its id alone, for ids are the cloud's and stand in one region each.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit.columns import CONNECTION_ID, I64, NONE, Mask, RouteColumns, strings
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
        self._facts = columns
        self._frame = columns.connections
        self._code = _places(self._text("vpn_connection_id"), columns.ids.words)
        # One place more, False for ever: rows without a connection have the code -1.
        self._size = len(columns.ids) + 1

    def _text(self, name: str) -> Any:
        return flat(schema.text_column(self._frame[name]))

    def _rows_of(self, which: Mask) -> Mask:
        """Tell which rows name one of some connections, given as a mask over their frame."""
        among = np.zeros(self._size, dtype=np.bool_)
        among[self._code[which & (self._code >= 0)]] = True
        return np.asarray(among[self._facts.connection])

    @cached_property
    def known(self) -> Mask:
        """Rows whose connection is there, in whichever region."""
        return self._rows_of(np.ones(len(self._code), dtype=np.bool_))

    @cached_property
    def unknown(self) -> Mask:
        """Rows whose connection is not there."""
        return np.asarray((self._facts.connection >= 0) & ~self.known)

    @cached_property
    def in_other_region(self) -> Mask:
        """Rows with a region in which their connection, which is there, is not."""
        columns, words = self._facts, self._text("region_id")
        theirs = _places(words, columns.regions.words)
        count = len(columns.regions) + 1
        pairs = self._code * count + theirs
        mine = columns.connection.astype(np.int64) * count + columns.region
        here = np.isin(mine, pairs[(self._code >= 0) & (theirs >= 0)])
        # A connection whose region nobody told may be here.
        here |= self._rows_of(pc.is_null(words).to_numpy(zero_copy_only=False))
        return np.asarray(self.known & ~here & (columns.region >= 0))

    @cached_property
    def not_attached(self) -> Mask:
        """Rows whose connection is there, but not attached to a transit router."""
        return np.asarray(self.known & ~self._rows_of(_attached(self._frame)))

    def region(self, rows: I64) -> pd.Series:
        """Return the region of some rows' connections, which are there; NA where nobody told."""
        words = self._text("region_id")
        place = np.full(self._size, len(words), dtype=np.int64)
        place[self._code[::-1]] = np.arange(len(words))[::-1]
        place[NONE] = len(words)
        regions = pd.Series(pa.concat_arrays([words, pa.nulls(1, words.type)]), dtype=schema.STR)
        return pd.Series(regions.array.take(place[self._facts.connection[rows]]))

    @cached_property
    def _names(self) -> NameIndex:
        return NameIndex(self._frame)

    def by_name(self, rows: I64, message: pd.Series) -> tuple[pd.Series, pd.Series | None]:
        """Add to messages whose name the cells of some rows are; suggest the only one's id."""
        if not self._names.any:
            return message, None
        columns = self._facts
        where = columns.text(rows, "region_id"), columns.text(rows, "vpn_connection_id")
        told = self._names.told(*where)
        return message.where(told.isna(), message + "; it is " + told), self._names.ids(*where)

    def unseen(self, rows: I64) -> pd.Series:
        """Say of which rows nobody asked for the region, where the frame tells; else nothing."""
        regions = self._frame.attrs.get("regions")
        if regions is None:
            return pd.Series("", index=range(len(rows)), dtype=schema.STR)
        asked = np.append(np.isin(self._facts.regions.words.to_pylist(), list(regions)), True)
        said = "; region " + self._facts.text(rows, "region_id") + " was not asked for"
        return said.mask(asked[self._facts.region[rows]], "")


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
        said = pd.Series(connections["attached"].array).astype(schema.BOOL)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column 'attached' of connections cannot be read as true or false: {error}",
            remedy="Pass what vk.live_connections returned, or leave the column out",
        ) from None
    return np.where(said.isna(), likely, said.fillna(False).to_numpy(dtype=np.bool_))


def _places(words: Any, among: Any) -> I64:
    """Return the place of each word among some; -1 where it is not there.

    Parameters
    ----------
    words, among : pyarrow.Array of large_string
        No word twice in `among`, and no null.
    """
    found = pc.fill_null(pc.index_in(words, value_set=among), NONE)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


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
    names = NameIndex(connections)
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


class NameIndex:
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
