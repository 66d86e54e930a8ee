"""A frame of routes as arrays, and the names of its connections.

A missing text has code -1, a cell that is not an IPv4 prefix has length `NO_LENGTH`, and a weight
that is not an integer is -1. No row is dropped, so that plots can report what they do not show.

The name of a connection is the one from the caller (``names=``), else the one in the frame's own
column ``vpn_connection_name``, else its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema
from vcokit.audit.columns import ACTIVE, STANDBY, is_connection
from vcokit.cidr.accessor import read_column
from vcokit.cidr.parse import I64, U8, U32, Mask
from vcokit.cidr.relations import pack
from vcokit.plots import _style

F64 = npt.NDArray[np.float64]

NONE = -1


@dataclass(frozen=True)
class RouteArrays:
    """Routes as arrays of the same length.

    Parameters
    ----------
    names : ndarray of object
        Name of each group, in the order of their first rows.
    group : ndarray of int64
        Group of each row; -1 if it has none.
    region : ndarray of int64
        Region of each row, from 0; a missing region counts as a separate region.
    network : ndarray of uint32
    length : ndarray of uint8
        `vcokit.cidr.parse.NO_LENGTH` if there is no prefix.
    weight : ndarray of int64
        -1 if there is none.
    """

    names: npt.NDArray[np.object_]
    group: I64
    region: I64
    network: U32
    length: U8
    weight: I64

    @property
    def active(self) -> Mask:
        """Mask of rows with weight 100."""
        return np.asarray(self.weight == ACTIVE)

    @property
    def standby(self) -> Mask:
        """Mask of rows with weight 0."""
        return np.asarray(self.weight == STANDBY)

    @property
    def valid(self) -> Mask:
        """Mask of rows with a prefix longer than /0; the cloud accepts no default route."""
        return np.asarray((self.length > 0) & (self.length <= 32))

    def destinations(self) -> npt.NDArray[np.int64]:
        """Return a number for each row's (region, network); -1 if the row is not `valid`."""
        numbers = np.full(len(self.group), NONE, dtype=np.int64)
        valid = self.valid
        key = pack(self.network[valid], self.length[valid], self.region[valid])
        numbers[valid] = pd.factorize(key)[0]
        return numbers

    @property
    def on_connection(self) -> Mask:
        """Mask of rows whose group is a connection.

        If no group has the form of a connection id, connections have other names, and all groups
        count as connections.
        """
        valid = is_connection(pd.Series(self.names))
        return np.asarray(np.append(valid | (not valid.any()), False)[self.group])

    def named(self, names: Names | None) -> RouteArrays:
        """Return the same rows with the names from `drawable_names`."""
        return replace(self, names=drawable_names(self.names, names))

    def take(self, wanted: Mask | I64) -> RouteArrays:
        """Return some of the rows, by mask or by position."""
        arrays = (self.group, self.region, self.network, self.length, self.weight)
        return RouteArrays(self.names, *(array[wanted] for array in arrays))  # type: ignore[arg-type]


def route_arrays(routes: pd.DataFrame, by: str = "vpn_connection_id") -> RouteArrays:
    """Return a frame of routes as arrays.

    Parameters
    ----------
    routes : DataFrame
        Routes, live routes or steps: with route_dest (text or cidr), weight and `by`; also
        region_id if destinations of different regions are to be distinguished.
    by : str
        Column that groups rows.

    Returns
    -------
    RouteArrays

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"vpn_connection_id": ["vco-b", "vco-a"], "weight": ["100", "x"],
    ...     "route_dest": ["10.1.2.3/8", "elsewhere"]})
    >>> rows = route_arrays(frame)
    >>> rows.names.tolist(), rows.length.tolist(), rows.weight.tolist()
    (['vco-b', 'vco-a'], [8, 255], [100, -1])
    """
    schema.require_columns(routes, ("route_dest", "weight", by), what="routes")
    group, names = pd.factorize(schema.text_column(routes[by]))
    prefixes = read_column(pd.Series(routes["route_dest"].array))
    weight = schema.split_weight(routes["weight"])[0].fillna(NONE).to_numpy(dtype=np.int64)
    region = np.zeros(len(routes), dtype=np.int64)
    if "region_id" in routes.columns:
        region = pd.factorize(schema.text_column(routes["region_id"]))[0] + 1
    return RouteArrays(
        np.asarray(names, dtype=np.object_),
        group.astype(np.int64),
        region,
        prefixes.network,
        prefixes.length,
        weight,
    )


#: Id → name; a frame contains live connections.
Names: TypeAlias = Mapping[str, str] | pd.Series | pd.DataFrame

#: The columns of such a frame.
_COLUMNS = ("vpn_connection_id", "name")
#: Column in which a frame of routes or steps may have its own names.
_OWN_NAME = "vpn_connection_name"


def known_names(frame: pd.DataFrame, names: Names | None) -> Names | None:
    """Return the given names, else those in the frame of routes or steps itself."""
    if names is not None or _OWN_NAME not in frame.columns:
        return names
    known = frame[frame[_OWN_NAME].notna()]
    return pd.Series(known[_OWN_NAME].to_numpy(), index=known["vpn_connection_id"].to_numpy())


def display_names(ids: npt.NDArray[np.object_], names: Names | None) -> npt.NDArray[np.object_]:
    """Return the names of connections for display.

    Parameters
    ----------
    ids : ndarray of object
    names : mapping of str to str, Series or DataFrame, optional
        A Series has the ids as its index, a frame the columns vpn_connection_id and name.

    Returns
    -------
    ndarray of object
        The id if there is no name; name and id if several connections have the same name.

    Raises
    ------
    InputError
        If a column of the frame is missing.

    Examples
    --------
    >>> ids = np.array(["vco-a", "vco-b", "vco-c", "vco-d"], dtype=object)
    >>> display_names(ids, {"vco-a": "shop", "vco-b": "office", "vco-c": "shop"}).tolist()
    ['shop vco-a', 'office', 'shop vco-c', 'vco-d']
    """
    if names is None:
        return ids
    if isinstance(names, pd.DataFrame):
        schema.require_columns(names, _COLUMNS, what="names")
        names = names.set_index(_COLUMNS[0])[_COLUMNS[1]]
    by_id = pd.Series(names if isinstance(names, pd.Series) else dict(names), dtype="object")
    by_id = by_id[~by_id.index.duplicated()]
    own = schema.text_column(pd.Series(ids, dtype="object").map(by_id))
    named = (own.notna() & (own != "")).to_numpy(dtype=np.bool_)
    shared = own.duplicated(keep=False).to_numpy() & named
    found = np.where(named, own.to_numpy(dtype=object), ids)
    return np.asarray(np.where(shared, found + " " + ids.astype(object), found), dtype=np.object_)


def drawable_names(ids: npt.NDArray[np.object_], names: Names | None) -> npt.NDArray[np.object_]:
    """Return `display_names`, but the id instead of a name with letters that no font has."""
    found = display_names(ids, names)
    if names is None:
        return found
    drawable = [_style.is_drawable(str(name)) for name in found]
    return np.asarray(np.where(drawable, found, ids), dtype=np.object_)
