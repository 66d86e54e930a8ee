"""A frame of routes as arrays, a row at a time: what the pictures of routes look at.

A missing text has code -1, a cell that is no IPv4 prefix has length `NO_LENGTH`, a weight that is
no integer is -1; no row is left out, so that pictures can say what they do not show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema
from vcokit.audit.columns import ACTIVE, STANDBY, is_connection
from vcokit.cidr.accessor import read_column
from vcokit.cidr.parse import I64, U8, U32, Mask
from vcokit.cidr.relations import pack
from vcokit.plots.naming import Names, called

NONE = -1


@dataclass(frozen=True)
class Rows:
    """Routes as arrays of one length.

    Parameters
    ----------
    names : ndarray of object
        Name of each group, in the order of their first rows.
    group : ndarray of int64
        Group of each row; -1 where there is none.
    region : ndarray of int64
        Region of each row, from 0; missing is a region of its own.
    network : ndarray of uint32
    length : ndarray of uint8
        `vcokit.cidr.parse.NO_LENGTH` where there is no prefix.
    weight : ndarray of int64
        -1 where there is none.
    """

    names: npt.NDArray[np.object_]
    group: I64
    region: I64
    network: U32
    length: U8
    weight: I64

    @property
    def active(self) -> Mask:
        """Where the weight is 100."""
        return np.asarray(self.weight == ACTIVE)

    @property
    def standby(self) -> Mask:
        """Where the weight is 0."""
        return np.asarray(self.weight == STANDBY)

    @property
    def valid(self) -> Mask:
        """Where there is a prefix longer than /0: the cloud takes no default route."""
        return np.asarray((self.length > 0) & (self.length <= 32))

    def destinations(self) -> npt.NDArray[np.int64]:
        """Return a number for each row's (region, network); -1 where it is not `valid`."""
        numbers = np.full(len(self.group), NONE, dtype=np.int64)
        valid = self.valid
        key = pack(self.network[valid], self.length[valid], self.region[valid])
        numbers[valid] = pd.factorize(key)[0]
        return numbers

    @property
    def on_connection(self) -> Mask:
        """Where there is a group that is a connection.

        Where none has the form of an id, connections go by other names, and all groups are.
        """
        valid = is_connection(pd.Series(self.names))
        return np.asarray(np.append(valid | (not valid.any()), False)[self.group])

    def called(self, names: Names | None) -> Rows:
        """Return the same rows with groups, which are connections, called as `naming` says."""
        return replace(self, names=called(self.names, names))

    def take(self, wanted: Mask | I64) -> Rows:
        """Return some of the rows, by mask or by position."""
        arrays = (self.group, self.region, self.network, self.length, self.weight)
        return Rows(self.names, *(array[wanted] for array in arrays))  # type: ignore[arg-type]


def read(routes: pd.DataFrame, by: str = "vpn_connection_id") -> Rows:
    """Read a frame of routes.

    Parameters
    ----------
    routes : DataFrame
        Routes, live routes or steps: with route_dest (text or cidr), weight and `by`; region_id
        too where destinations of regions are to be kept apart.
    by : str
        Column that groups rows.

    Returns
    -------
    Rows

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"vpn_connection_id": ["vco-b", "vco-a"], "weight": ["100", "x"],
    ...     "route_dest": ["10.1.2.3/8", "elsewhere"]})
    >>> rows = read(frame)
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
    return Rows(
        np.asarray(names, dtype=np.object_),
        group.astype(np.int64),
        region,
        prefixes.network,
        prefixes.length,
        weight,
    )
