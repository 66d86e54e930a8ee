"""The pandas extension type ``cidr``: a column of IPv4 prefixes, five bytes a row.

``Series.astype("cidr")``, ``pd.array(values, dtype="cidr")`` and ``read_csv(dtype=…)`` make one
from text, strictly: the first text that is no prefix in strict form is an error that names its
position. ``Series.cidr.to_cidr()`` is the lenient way. What pandas does by value (factorize, sort,
group, merge, count) is done on one integer a row, see `vcokit.cidr.keyed`; objects are made only
where pandas' interface asks for them.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype, no_default, register_extension_dtype
from pandas.api.indexers import check_array_indexer

from vcokit.cidr import arrow
from vcokit.cidr.coerce import (
    NO_KEY,
    Columns,
    from_keys,
    is_many,
    prefix_key,
    strict_column,
    to_keys,
)
from vcokit.cidr.index import CidrIndex
from vcokit.cidr.keyed import KeyedArray
from vcokit.cidr.parse import I64, MASKS, NO_LENGTH, U8, U32, Mask, to_text
from vcokit.cidr.scalar import Cidr, from_key

arrow.register()


@register_extension_dtype
class CidrDtype(ExtensionDtype):
    """The dtype of a column of IPv4 prefixes; its name is ``cidr``.

    Examples
    --------
    >>> import pandas as pd
    >>> pd.Series(["10.0.0.0/8", None], dtype="cidr")
    0    10.0.0.0/8
    1          <NA>
    dtype: cidr
    """

    name: ClassVar[str] = "cidr"
    type = Cidr

    @property
    def na_value(self) -> Any:
        """A missing prefix is ``pd.NA``."""
        return pd.NA

    @classmethod
    def construct_array_type(cls) -> builtins.type[CidrArray]:
        """Return `CidrArray`."""
        return CidrArray

    @property
    def index_class(self) -> builtins.type[CidrIndex]:
        """`CidrIndex`, which looks labels up by their keys."""
        return CidrIndex

    def __from_arrow__(self, values: Any) -> CidrArray:
        """Read an Arrow array of the type ``vcokit.cidr``, of its storage, or of text."""
        return CidrArray.from_arrays(*arrow.from_arrow(values))

    def __repr__(self) -> str:
        return "CidrDtype()"


class CidrArray(KeyedArray):
    """A column of IPv4 prefixes, some of which may be missing.

    A prefix is (``network`` uint32, host bits cleared; ``length`` uint8). Where it is missing,
    the length is 255 and the network 0. Nothing else is stored.

    Parameters
    ----------
    values : array-like
        Text in strict form, `Cidr`, ``ipaddress.IPv4Network``, ``netaddr.IPNetwork`` or missing
        values (None, NA, NaN), mixed as they come; or another `CidrArray`.
    copy : bool, default False
        Whether another `CidrArray` is copied; of all else a copy is made anyway.

    Raises
    ------
    ValueError, TypeError
        Naming the position of the first value that is no prefix, the value, and a remedy.

    Notes
    -----
    Order is that of (network, length). Comparisons give a nullable boolean array, NA where either
    side is missing; compared with text that is no prefix, nothing is equal. ``merge``, ``join``
    and ``map`` match values of one dtype alone: with a column of text they find nothing, silently.
    Merge on ``text.astype("cidr")``.

    Examples
    --------
    >>> nets = CidrArray(["10.1.0.0/16", None, "10.0.0.0/8"])
    >>> nets
    <CidrArray>
    [10.1.0.0/16, <NA>, 10.0.0.0/8]
    Length: 3, dtype: cidr
    >>> nets < "10.1.0.0/16"
    <BooleanArray>
    [False, <NA>, True]
    Length: 3, dtype: boolean
    >>> nets.min(), nets.isna()
    (Cidr('10.0.0.0/8'), array([False,  True, False]))
    """

    _network: U32
    _length: U8
    _readonly: bool
    _dtype: Final = CidrDtype()

    def __init__(self, values: Sequence[Any] | Any, *, copy: bool = False) -> None:
        network, length = _columns_of(values)
        self._network = network.copy() if copy else network
        self._length = length.copy() if copy else length

    @classmethod
    def from_arrays(cls, network: U32, length: U8) -> Self:
        """Make a column of its two arrays, which are checked and not copied.

        Parameters
        ----------
        network : ndarray of uint32
            Host bits cleared.
        length : ndarray of uint8
            0-32, or 255 where the prefix is missing.

        Raises
        ------
        ValueError
            The arrays differ in length, a length is not 0-32, or host bits are set.
        TypeError
            The arrays are not of those dtypes.

        Examples
        --------
        >>> CidrArray.from_arrays(np.array([0x0A000000], np.uint32), np.array([8], np.uint8))
        <CidrArray>
        [10.0.0.0/8]
        Length: 1, dtype: cidr
        """
        network, length = np.asarray(network), np.asarray(length)
        if network.dtype != np.uint32 or length.dtype != np.uint8:
            raise TypeError(
                f"network is uint32 and length uint8, not {network.dtype}, {length.dtype}"
            )
        if network.shape != length.shape or network.ndim != 1:
            raise ValueError(f"two columns of one length, not {network.shape} and {length.shape}")
        missing = length == NO_LENGTH
        if (length[~missing] > 32).any():
            raise ValueError("a length is 0 to 32, or 255 where there is no prefix")
        clear = np.where(missing, 0, network & MASKS[np.where(missing, 0, length)])
        if (clear != network).any():
            raise ValueError("host bits are set: clear them with network & mask")
        return cls._wrap(network, length)

    @classmethod
    def _wrap(cls, network: U32, length: U8) -> Self:
        """Make a column of arrays that are known to be right."""
        result = cls.__new__(cls)
        result._network, result._length = network, length
        return result

    @property
    def network(self) -> U32:
        """Network addresses, ndarray of uint32, shape (n,); 0 where missing. Not a copy.

        Examples
        --------
        >>> CidrArray(["0.0.1.0/24", None]).network
        array([256,   0], dtype=uint32)
        """
        return self._network

    @property
    def prefix_length(self) -> U8:
        """Prefix lengths, ndarray of uint8, shape (n,); 255 where missing. Not a copy.

        Examples
        --------
        >>> CidrArray(["0.0.1.0/24", None]).prefix_length
        array([ 24, 255], dtype=uint8)
        """
        return self._length

    @property
    def dtype(self) -> CidrDtype:
        """Always ``cidr``."""
        return self._dtype

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays: five a row."""
        return int(self._network.nbytes + self._length.nbytes)

    def __len__(self) -> int:
        return len(self._length)

    def isna(self) -> Mask:
        """Return where the prefix is missing, ndarray of bool.

        Examples
        --------
        >>> CidrArray(["10.0.0.0/8", None]).isna()
        array([False,  True])
        """
        return np.asarray(self._length == NO_LENGTH)

    @property
    def _keys(self) -> I64:
        return to_keys(self._network, self._length)

    @classmethod
    def _of_keys(cls, keys: I64) -> Self:
        return cls._wrap(*from_keys(keys))

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: object = None, copy: bool = False) -> Self:  # noqa: ARG003
        if isinstance(scalars, cls):
            return scalars.copy() if copy else scalars
        return cls(scalars, copy=copy)

    @classmethod
    def _from_sequence_of_strings(
        cls,
        strings: Any,
        *,
        dtype: object = None,  # noqa: ARG003
        copy: bool = False,  # noqa: ARG003
    ) -> Self:
        return cls(strings)

    @classmethod
    def _from_scalars(cls, scalars: Any, *, dtype: object) -> Self:  # noqa: ARG003
        """Take back what a function over the cells gave: prefixes, and no text that looks alike."""
        if all(isinstance(value, Cidr) or value is pd.NA for value in scalars):
            return cls(scalars)
        raise TypeError("not all of them are Cidr")

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[CidrArray]) -> Self:
        return cls._wrap(
            np.concatenate([piece._network for piece in to_concat]),
            np.concatenate([piece._length for piece in to_concat]),
        )

    def __getitem__(self, item: Any) -> Any:
        item = check_array_indexer(self, item)
        network, length = self._network[item], self._length[item]
        if np.ndim(length) == 0:
            return pd.NA if length == NO_LENGTH else Cidr(int(network), int(length))
        if length.ndim > 1:
            raise IndexError("a cidr array has one dimension")
        result = self._wrap(network, length)
        # A slice looks at the same memory: what must not be written to stays so.
        result._readonly = self._readonly and np.may_share_memory(length, self._length)
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        key = check_array_indexer(self, key)
        if is_many(value):
            self._network[key], self._length[key] = _columns_of(value)
        else:
            one = from_keys(np.array([prefix_key(value)]))
            self._network[key], self._length[key] = one[0][0], one[1][0]

    def __iter__(self) -> Iterator[Any]:
        return map(_value, self._keys.tolist())

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Return an array of objects, `Cidr` and NA: what NumPy has for them."""
        if copy is False:
            raise ValueError("a cidr array is no NumPy array: it cannot be had without a copy")
        return np.asarray(self.to_numpy(dtype))

    def to_numpy(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool = False,  # noqa: ARG002 - there is nothing to share
        na_value: Any = no_default,
    ) -> Any:
        """Return a new ndarray of objects, or of what NumPy makes of the objects.

        Parameters
        ----------
        dtype : optional
            A dtype of text, say; objects where it is left out.
        copy : bool, default False
            It is a copy in any case.
        na_value : optional
            What stands where a prefix is missing; NA where it is left out.

        Examples
        --------
        >>> CidrArray(["10.0.0.0/8", None]).to_numpy("U18", na_value="")
        array(['10.0.0.0/8', ''], dtype='<U18')
        """
        result = np.empty(len(self), dtype=object)
        result[:] = list(self)
        if na_value is not no_default:
            result[self.isna()] = na_value
        return result if dtype is None else result.astype(dtype)

    def __arrow_array__(self, type: Any = None) -> Any:  # noqa: A002 - pyarrow's name for it
        """Return it as pyarrow has it, see `vcokit.cidr.arrow`."""
        return arrow.to_arrow(self._network, self._length, type)

    def copy(self) -> Self:
        """Return a copy that shares no memory.

        Examples
        --------
        >>> nets = CidrArray(["10.0.0.0/8"])
        >>> other = nets.copy()
        >>> other[0] = None
        >>> nets[0]
        Cidr('10.0.0.0/8')
        """
        return self._wrap(self._network.copy(), self._length.copy())

    def take(self, indexer: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Self:
        """Return the rows at given positions.

        Parameters
        ----------
        indexer : sequence of int
        allow_fill : bool, default False
            Whether −1 stands for `fill_value`, and not for the last row.
        fill_value : Cidr or what makes one, optional
            Missing where it is left out.

        Examples
        --------
        >>> CidrArray(["10.0.0.0/8", "10.1.0.0/16"]).take([1, -1], allow_fill=True)
        <CidrArray>
        [10.1.0.0/16, <NA>]
        Length: 2, dtype: cidr
        """
        network, length = from_keys(np.array([prefix_key(fill_value)]))
        pick: Any = pd.api.extensions.take
        return self._wrap(
            pick(self._network, indexer, allow_fill=allow_fill, fill_value=network[0]),
            pick(self._length, indexer, allow_fill=allow_fill, fill_value=length[0]),
        )

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Return it as another dtype: text, objects, categories.

        Raises
        ------
        TypeError
            Of numbers: ask for ``.cidr.network`` or ``.cidr.prefix_length``.

        Examples
        --------
        >>> pd.Series(["10.0.0.0/8"], dtype="cidr").astype("str").tolist()
        ['10.0.0.0/8']
        """
        dtype = pd.api.types.pandas_dtype(dtype)
        if isinstance(dtype, pd.StringDtype):
            return to_text(self._network, self._length).array.astype(dtype, copy=False)
        if pd.api.types.is_numeric_dtype(dtype):
            raise TypeError(f"a prefix is no {dtype}: use .cidr.network or .cidr.prefix_length")
        return super().astype(dtype, copy=copy)

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:  # noqa: ARG002
        return str

    def _values_for_json(self) -> npt.NDArray[Any]:
        return np.asarray(self.astype("str"))


def _value(key: int) -> Any:
    return pd.NA if key == NO_KEY else from_key(key)


def _columns_of(values: Any) -> Columns:
    values = getattr(values, "array", values)  # of a Series or an Index
    if isinstance(values, CidrArray):
        return values._network, values._length
    return strict_column(values)
