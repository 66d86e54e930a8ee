"""Live connections: the status of the rows that name them, and which id a name means.

An id identifies a connection without its region, because the cloud assigns ids and each id is in
one region. Names are looked up in the row's region::

    cell of a row ─┬─ has the form of an id ──▶ that id, known or not
                   └─ anything else ──────────▶ a name: which connections of the row's region have
                                                it?  one ──▶ `with_connection_ids` writes its id
                                                none, several ──▶ left for the audit to report

Names are compared in lower case, because `read_routes` converts cells of ids to lower case. If two
connections had names that differ only in case, such a cell could name the wrong connection. So
these names count as the same name.
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

#: Separator of region and name; neither of them can contain it.
_APART: Final = "\x00"
#: Most ids that a message names; of further ones it gives the number.
_NAMED_AT_MOST: Final = 4


class ConnectionStatus:
    """For every row, whether its connection exists, is in the row's region, and is attached.

    Parameters
    ----------
    columns : RouteColumns
        Columns with live connections.
    """

    def __init__(self, columns: RouteColumns) -> None:
        if columns.connections is None:
            raise LookupError("no live connections were given")
        self._columns = columns
        self._frame = columns.connections
        self._code = _positions(self._text("vpn_connection_id"), columns.ids.words)
        # One more element, always False, for rows without a connection, whose code is -1.
        self._size = len(columns.ids) + 1

    def _text(self, name: str) -> Text:
        return as_text(schema.text_column(self._frame[name]))

    def _rows_of(self, which: Mask) -> Mask:
        """Return the rows that name one of some connections, given as a mask over their frame."""
        among = np.zeros(self._size, dtype=np.bool_)
        among[self._code[which & (self._code >= 0)]] = True
        return np.asarray(among[self._columns.connection])

    @cached_property
    def known(self) -> Mask:
        """Rows whose connection exists, in any region."""
        return self._rows_of(np.ones(len(self._code), dtype=np.bool_))

    @cached_property
    def unknown(self) -> Mask:
        """Rows whose connection does not exist."""
        return np.asarray((self._columns.connection >= 0) & ~self.known)

    @cached_property
    def in_other_region(self) -> Mask:
        """Rows whose connection exists, but not in the row's region."""
        columns, words = self._columns, self._text("region_id")
        theirs = _positions(words, columns.regions.words)
        count = len(columns.regions) + 1
        pairs = self._code * count + theirs
        mine = columns.connection.astype(np.int64) * count + columns.region
        here = np.isin(mine, pairs[(self._code >= 0) & (theirs >= 0)])
        # A connection whose region is not known may be in the row's region.
        here |= self._rows_of(pc.is_null(words).to_numpy(zero_copy_only=False))
        return np.asarray(self.known & ~here & (columns.region >= 0))

    @cached_property
    def not_attached(self) -> Mask:
        """Rows whose connection exists, but is not attached to a transit router."""
        return np.asarray(self.known & ~self._rows_of(_attached(self._frame)))

    @cached_property
    def arriving(self) -> Mask:
        """Rows whose connection is being attached to a transit router, if its state is known."""
        return self._rows_of(_arriving(self._frame))

    def region(self, rows: I64) -> Text:
        """Return the region of some rows' connections, which must exist; null if not known."""
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
        """Append to messages which connections a cell names; suggest the id if there is only one.

        Return the messages and the suggestions.
        """
        if not self._names.any:
            return message, None
        columns = self._columns
        region, cells = columns.text(rows, "region_id"), columns.text(rows, "vpn_connection_id")
        owners = self._names.owners(region, cells)
        ending = pc.fill_null(say("; it is the name of ", owners), "")
        return say(message, ending), self._names.ids(region, cells)

    def not_requested(self, rows: I64) -> Text:
        """Return a text for rows whose region was not requested, empty for other rows.

        The frame of connections notes the requested regions in its ``attrs``. Without that note,
        all texts are empty.
        """
        requested = self._frame.attrs.get("regions")
        regions = self._columns.text(rows, "region_id")
        if requested is None:
            return pa.repeat(pa.scalar("", TEXT), len(rows))
        names = self._columns.regions.words.to_pylist()
        known = np.append(np.isin(names, list(requested)), True)[self._columns.region[rows]]
        said = say("; region ", regions, " was not asked for")
        return pc.if_else(pa.array(known), pa.scalar("", TEXT), said)


def _attached(connections: pd.DataFrame) -> Mask:
    """Return which live connections are attached to a transit router.

    The column ``attached`` decides, because it is True if the cloud lists the attachment. If it is
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
    """Return which live connections will be attached without further action, by state and type."""
    if "state" not in connections.columns:
        return np.zeros(len(connections), dtype=np.bool_)
    arriving = schema.text_column(connections["state"]).isin(ARRIVING)
    if "attach_type" in connections.columns:
        arriving &= schema.text_column(connections["attach_type"]) == "CEN"
    return arriving.to_numpy(dtype=np.bool_)


def _positions(words: Text, among: Text) -> I64:
    """Return the position of each word among some distinct words; -1 if it is not there."""
    found = pc.fill_null(pc.index_in(words, value_set=among), NONE)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


# -- connections by name ----------------------------------------------------------------------


def with_connection_ids(routes: pd.DataFrame, connections: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of an inventory in which connections' names are replaced by their ids.

    A cell of ``vpn_connection_id`` or ``next_hop`` is replaced if it is the name of exactly one
    connection of the row's region. If the row has no region, it must be the name of exactly one
    connection in all regions. Case does not matter. A cell with the form of an id is always an id,
    even if a connection has that name. All other cells stay unchanged: `audit_routes` then reports
    which connections share the name, or that no connection has it.

    Parameters
    ----------
    routes : DataFrame
        With the columns region_id and vpn_connection_id, and optionally next_hop.
    connections : DataFrame
        From `live_connections`, or any frame with vpn_connection_id, name and region_id.

    Returns
    -------
    DataFrame
        A copy in which the two columns have the dtype ``str``; index, other columns and ``attrs``
        stay.

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
    """Index of connections by name, per region and over all regions.

    Parameters
    ----------
    connections : DataFrame
        Live connections; without a column ``name`` no connection has a name.
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
        """Return, for each row, the id of the only connection that its cell names; else null.

        If a row has no region, all regions are searched.
        """
        here = self._here.only(_in_region(region, cells))
        return pc.if_else(pc.is_valid(region), here, self._anywhere.only(_as_name(cells)))

    def owners(self, region: Text, cells: Text) -> Text:
        """Return, for each row, all connections that its cell names, as text; else null."""
        here = self._here.all(_in_region(region, cells))
        return pc.coalesce(here, self._anywhere.all(_as_name(cells)))


_OWNER: Final = {"vpn_connection_id": schema.STR, "region_id": schema.STR, "name": schema.STR}


class _Owners:
    """Maps a key to its only owner, or to all its owners as text.

    Parameters
    ----------
    keys, ids : Arrow array of str
        One element per owner.
    described : Arrow array of str
        Each owner's text in messages.
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
        """Return the only owner of each key; null if it has none or several."""
        return _looked_up(keys, *self._only)

    def all(self, keys: Text) -> Text:
        """Return all owners of each key, as text; null if it has none."""
        return _looked_up(keys, *self._all)


def _looked_up(keys: Text, among: Text, texts: Text) -> Text:
    return texts.take(pc.index_in(keys, value_set=among))


def _join(owners: pd.Series) -> str:
    named, more = list(owners[:_NAMED_AT_MOST]), len(owners) - _NAMED_AT_MOST
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _in_region(region: Text, cells: Text) -> Text:
    return say(region, _APART, _as_name(cells))


def _as_name(cells: Text) -> Text:
    """Return cells in the form in which names are compared: trimmed and in lower case."""
    return pc.utf8_lower(pc.utf8_trim(cells, characters=schema.BLANKS))
