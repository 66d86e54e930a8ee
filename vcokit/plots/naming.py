"""What connections are called: by their ids, or by the names that somebody gave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import schema

#: Id → name; a frame is one of live connections.
Names: TypeAlias = Mapping[str, str] | pd.Series | pd.DataFrame

#: The columns of such a frame.
_COLUMNS = ("vpn_connection_id", "name")


def called(ids: npt.NDArray[np.object_], names: Names | None) -> npt.NDArray[np.object_]:
    """Return what to call some connections.

    Parameters
    ----------
    ids : ndarray of object
    names : mapping of str to str, Series or DataFrame, optional
        A Series has the ids as its index, a frame the columns vpn_connection_id and name.

    Returns
    -------
    ndarray of object
        The id where there is no name; the name and the id where several have that name.

    Raises
    ------
    InputError
        If a frame lacks a column.

    Examples
    --------
    >>> ids = np.array(["vco-a", "vco-b", "vco-c", "vco-d"], dtype=object)
    >>> called(ids, {"vco-a": "shop", "vco-b": "office", "vco-c": "shop"}).tolist()
    ['shop vco-a', 'office', 'shop vco-c', 'vco-d']
    """
    if names is None:
        return ids
    own = schema.text_column(pd.Series(ids, dtype="object").map(_by_id(names)))
    named = (own.notna() & (own != "")).to_numpy(dtype=np.bool_)
    shared = own.duplicated(keep=False).to_numpy() & named
    found = np.where(named, own.to_numpy(dtype=object), ids)
    return np.asarray(np.where(shared, found + " " + ids.astype(object), found), dtype=np.object_)


def _by_id(names: Names) -> pd.Series:
    """Return names by id, each id once."""
    if isinstance(names, pd.DataFrame):
        schema.require_columns(names, _COLUMNS, what="names")
        names = names.set_index(_COLUMNS[0])[_COLUMNS[1]]
    found = pd.Series(names if isinstance(names, pd.Series) else dict(names), dtype="object")
    return found[~found.index.duplicated()]
