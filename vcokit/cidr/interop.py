"""Columns of prefixes in other libraries: pandas' index, and Arrow's extension type.

**Index.** pandas looks up labels of an extension type as objects, even when a plain column is
merged or sorted by two keys. A subclass of its index can give the lookup engine other values, like
`pandas.PeriodIndex`: `CidrIndex` gives it the keys, one integer per row. The hooks for this are
private to pandas. If one of them is missing, a plain ``pd.Index`` of `Cidr` objects is used
instead. It is slower, with the same results, except that it does not find labels written as text.

**Arrow.** The extension type ``vcokit.cidr`` is stored as ``struct<network: uint32, length:
uint8>``, null for missing prefixes. The conversion in either direction creates no text. A program
that does not know the type reads the plain struct; pandas knows the type once vcokit is imported.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.cidr.parse import I64, NO_LENGTH, U8, U32, Columns, to_text

# -- pandas' index -----------------------------------------------------------------------------


class CidrIndex(pd.Index):
    """The index that ``pd.Index`` creates from a `CidrArray`.

    Labels can be looked up by a `Cidr`, or by any value convertible to it.

    Examples
    --------
    >>> sites = pd.Series(["all", "north"], index=pd.array(["10.0.0.0/8", "10.1.0.0/16"], "cidr"))
    >>> sites["10.1.0.0/16"]
    'north'
    >>> sites["10.0.0.0/8":"10.255.255.255/32"].tolist()
    ['all', 'north']
    """

    # Attributes that pandas.core.indexes.base.Index needs in its subclasses; missing in the stubs.
    _values: Any
    _engine: Any

    @property
    def _engine_type(self) -> Any:
        integers: Any = pd.Index([0])
        return integers._engine_type

    def _get_engine_target(self) -> I64:
        return np.asarray(self._values._keys)

    def _from_join_target(self, result: I64) -> Any:
        return type(self._values)._of_keys(result)

    def _maybe_cast_indexer(self, key: Hashable) -> int:
        """Return the key of a label; raise KeyError if it is not a prefix."""
        try:
            return int(self._values._key_of(key))
        except (TypeError, ValueError):
            raise KeyError(key) from None

    def _maybe_cast_listlike_indexer(self, target: Any) -> pd.Index:
        keys, invalid = self._values._keys_of(target)
        # If some labels are not prefixes, pandas itself reports which labels are missing.
        found = target if invalid.any() else self._values._of_keys(keys)
        labels: pd.Index = pd.Index(found, dtype="object" if invalid.any() else None)
        return labels

    def __contains__(self, key: Any) -> bool:
        hash(key)
        try:
            return self._maybe_cast_indexer(key) in self._engine
        except KeyError:
            return False

    @property
    def is_monotonic_increasing(self) -> bool:
        """Whether the labels never decrease; False if a label is missing, as it has no order."""
        return not self.hasnans and super().is_monotonic_increasing

    @property
    def is_monotonic_decreasing(self) -> bool:
        """Whether the labels never increase; False if a label is missing, as it has no order."""
        return not self.hasnans and super().is_monotonic_decreasing


#: The private methods of pandas above. They are the same in pandas 3.0 and 3.1.
_HOOKS: Final = (
    "_engine_type",
    "_get_engine_target",
    "_from_join_target",
    "_maybe_cast_indexer",
    "_maybe_cast_listlike_indexer",
)
HAS_HOOKS: Final = all(hasattr(pd.Index, hook) for hook in _HOOKS)


# -- Arrow's extension type --------------------------------------------------------------------

_STORAGE: Final = pa.struct([("network", pa.uint32()), ("length", pa.uint8())])


class CidrType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow is untyped
    """The Arrow type of a column of prefixes.

    Examples
    --------
    >>> CidrType()
    CidrType(StructType(struct<network: uint32, length: uint8>))
    """

    def __init__(self) -> None:
        super().__init__(_STORAGE, "vcokit.cidr")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> CidrType:
        if storage_type != _STORAGE:
            raise TypeError(f"vcokit.cidr is stored as {_STORAGE}, not as {storage_type}")
        return cls()

    def to_pandas_dtype(self) -> Any:
        """Return the dtype ``cidr``, so that pyarrow and pandas return such a column."""
        return pd.api.types.pandas_dtype("cidr")


def register() -> None:
    """Register the type with pyarrow; a second call does nothing."""
    try:
        pa.register_extension_type(CidrType())
    except pa.ArrowKeyError:
        return


def to_arrow(network: U32, length: U8, kind: Any = None) -> Any:
    """Return columns as an Arrow array of `CidrType`, or of ``kind``: its storage type or text."""
    if kind is not None and kind not in (CidrType(), _STORAGE):
        return pa.array(to_text(network, length), from_pandas=True).cast(kind)
    missing = length == NO_LENGTH
    mask = pa.array(missing) if missing.any() else None
    fields = [pa.array(np.ascontiguousarray(network)), pa.array(np.ascontiguousarray(length))]
    storage = pa.StructArray.from_arrays(fields, fields=list(_STORAGE), mask=mask)
    return storage if kind == _STORAGE else pa.ExtensionArray.from_storage(CidrType(), storage)


def is_stored(values: Any) -> bool:
    """Return whether an Arrow array has `CidrType` or its storage type."""
    return values.type in (CidrType(), _STORAGE)


def from_arrow(values: Any) -> Columns:
    """Return an Arrow array of `CidrType` or its storage type as columns, without checks."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    network, length = values.field("network"), values.field("length")
    known = pc.and_(pc.is_valid(values), pc.and_(pc.is_valid(network), pc.is_valid(length)))
    missing = ~known.to_numpy(zero_copy_only=False)
    # A null may have any number in its place.
    addresses = np.where(missing, 0, network.fill_null(0).to_numpy(zero_copy_only=False))
    bits = np.where(missing, NO_LENGTH, length.fill_null(0).to_numpy(zero_copy_only=False))
    return addresses.astype(np.uint32, copy=False), bits.astype(np.uint8, copy=False)
