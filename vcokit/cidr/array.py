"""The pandas extension type ``cidr``: a column of IPv4 prefixes, five bytes per row.

``Series.astype("cidr")``, ``pd.array(values, dtype="cidr")`` and ``read_csv(dtype=…)`` create a
column from text strictly: the first text that is not a prefix in strict form raises an error that
names its position. ``Series.cidr.to_cidr()`` is lenient.

Operations by value (sort, factorize, group, merge, count) use one integer per row, the key:
``network << 6 | length``, and `NO_KEY` if the prefix is missing. Keys sort in the same order as
prefixes. Objects are created only where pandas' interface requires them.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, Literal, NoReturn, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import (
    ExtensionArray,
    ExtensionDtype,
    no_default,
    register_extension_dtype,
)
from pandas.api.indexers import check_array_indexer

from vcokit._text import as_text
from vcokit.cidr import interop
from vcokit.cidr.parse import (
    HOST_BITS,
    I64,
    MASKS,
    MISSING,
    NO_LENGTH,
    U8,
    U32,
    Columns,
    Mask,
    parse,
    to_text,
)
from vcokit.cidr.scalar import LENGTH_BITS, LENGTH_MASK, Cidr, from_key, key_of

#: The key of a missing prefix: less than all other keys.
NO_KEY: Final = -1

interop.register()


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
    def index_class(self) -> builtins.type[pd.Index]:
        """`CidrIndex`, or a plain index if pandas lacks the hooks for it."""
        if interop.HAS_HOOKS:
            return interop.CidrIndex
        return pd.Index

    def __from_arrow__(self, values: Any) -> CidrArray:
        """Read an Arrow array of the type ``vcokit.cidr``, of its storage type, or of text."""
        if interop.is_stored(values):
            return CidrArray.from_arrays(*interop.from_arrow(values))
        return CidrArray(pd.array(values.cast("large_string"), dtype="str"))

    def __repr__(self) -> str:
        return "CidrDtype()"


def _comparison(compare: Callable[[Any, Any], Any]) -> Any:
    """Return a method that compares by keys; pandas unpacks Series and Index first."""

    def method(self: CidrArray, other: Any) -> Any:
        if isinstance(other, (pd.Series, pd.Index, pd.DataFrame)):
            return NotImplemented
        return self._compare(other, compare)

    method.__name__ = f"__{compare.__name__}__"
    return method


class CidrArray(ExtensionArray):
    """A column of IPv4 prefixes, some of which may be missing.

    A prefix is (``network`` uint32, host bits cleared; ``length`` uint8). If it is missing, the
    length is 255 and the network 0. Nothing else is stored.

    Parameters
    ----------
    values : array-like
        Text in strict form, `Cidr`, ``ipaddress.IPv4Network``, ``netaddr.IPNetwork`` or missing
        values (None, NA, NaN), in any mixture; or another `CidrArray`.
    copy : bool, default False
        Whether another `CidrArray` is copied; anything else is always copied.

    Raises
    ------
    ValueError, TypeError
        A value is not a prefix. The error names the first one, its position and a remedy.

    Notes
    -----
    Prefixes are ordered by (network, length). Comparisons return a nullable boolean array, NA if
    either side is missing. No prefix is equal to text that is not a prefix. ``merge``, ``join`` and
    ``map`` only match values of the same dtype: with a column of text they find nothing, without an
    error. Merge on ``text.astype("cidr")``.

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

    # -- created from values, arrays, keys

    def __init__(self, values: Sequence[Any] | Any, *, copy: bool = False) -> None:
        network, length = _columns_of(values)
        self._network = network.copy() if copy else network
        self._length = length.copy() if copy else length

    @classmethod
    def from_arrays(cls, network: U32, length: U8) -> Self:
        """Create a column from its two arrays, which are checked but not copied.

        Parameters
        ----------
        network : ndarray of uint32
            Host bits cleared.
        length : ndarray of uint8
            0-32, or 255 if the prefix is missing.

        Raises
        ------
        ValueError
            The arrays differ in length, a length is not 0-32, or host bits are set.
        TypeError
            The arrays have other dtypes.

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
        """Create a column from arrays that are known to be valid."""
        result = cls.__new__(cls)
        result._network, result._length = network, length
        return result

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
        """Create a column from the results of a function over cells: `Cidr` and NA, but no text."""
        if all(isinstance(value, Cidr) or value is pd.NA for value in scalars):
            return cls(scalars)
        raise TypeError("not all of them are Cidr")

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[CidrArray]) -> Self:
        return cls._wrap(
            np.concatenate([piece._network for piece in to_concat]),
            np.concatenate([piece._length for piece in to_concat]),
        )

    # -- stored values

    @property
    def network(self) -> U32:
        """Network addresses, ndarray of uint32, shape (n,); 0 if missing. Not a copy.

        Examples
        --------
        >>> CidrArray(["0.0.1.0/24", None]).network
        array([256,   0], dtype=uint32)
        """
        return self._network

    @property
    def prefix_length(self) -> U8:
        """Prefix lengths, ndarray of uint8, shape (n,); 255 if missing. Not a copy.

        Examples
        --------
        >>> CidrArray(["0.0.1.0/24", None]).prefix_length
        array([ 24, 255], dtype=uint8)
        """
        return self._length

    @property
    def _keys(self) -> I64:
        keys = self._network.astype(np.int64)
        keys <<= LENGTH_BITS
        keys |= self._length
        keys[self.isna()] = NO_KEY
        return keys

    @property
    def dtype(self) -> CidrDtype:
        """Always ``cidr``."""
        return self._dtype

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays: five per row."""
        return int(self._network.nbytes + self._length.nbytes)

    def __len__(self) -> int:
        return len(self._length)

    def isna(self) -> Mask:
        """Return a mask of the missing prefixes, ndarray of bool.

        Examples
        --------
        >>> CidrArray(["10.0.0.0/8", None]).isna()
        array([False,  True])
        """
        return np.asarray(self._length == NO_LENGTH)

    # -- cells

    def __getitem__(self, item: Any) -> Any:
        item = check_array_indexer(self, item)
        network, length = self._network[item], self._length[item]
        if np.ndim(length) == 0:
            return pd.NA if length == NO_LENGTH else Cidr(int(network), int(length))
        if length.ndim > 1:
            raise IndexError("a cidr array has one dimension")
        result = self._wrap(network, length)
        # A slice shares memory, so it stays read-only if this array is.
        result._readonly = self._readonly and np.may_share_memory(length, self._length)
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._readonly:
            raise ValueError("Cannot modify read-only array")
        key = check_array_indexer(self, key)
        if is_many(value):
            self._network[key], self._length[key] = _columns_of(value)
        else:
            network, length = from_keys(np.array([self._key_of(value)]))
            self._network[key], self._length[key] = network[0], length[0]

    def __iter__(self) -> Iterator[Any]:
        return (pd.NA if key == NO_KEY else from_key(key) for key in self._keys.tolist())

    def copy(self) -> Self:
        """Return a copy that does not share memory.

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
            Whether −1 means `fill_value` instead of the last row.
        fill_value : Cidr or a value convertible to it, optional
            By default missing.

        Examples
        --------
        >>> CidrArray(["10.0.0.0/8", "10.1.0.0/16"]).take([1, -1], allow_fill=True)
        <CidrArray>
        [10.1.0.0/16, <NA>]
        Length: 2, dtype: cidr
        """
        network, length = from_keys(np.array([self._key_of(fill_value)]))
        pick: Any = pd.api.extensions.take
        return self._wrap(
            pick(self._network, indexer, allow_fill=allow_fill, fill_value=network[0]),
            pick(self._length, indexer, allow_fill=allow_fill, fill_value=length[0]),
        )

    # -- comparison

    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)

    def _compare(self, other: Any, compare: Callable[[Any, Any], Any]) -> Any:
        theirs, invalid = self._keys_of(other)
        if is_many(other) and len(theirs) != len(self):
            raise ValueError(f"Lengths must match to compare: {len(self)} and {len(theirs)}")
        by_order = compare not in (operator.eq, operator.ne)
        if by_order and invalid.any():
            raise TypeError("a prefix comes before or after prefixes only")
        mine = self._keys
        # A value that is not a prefix has the key of a missing one, so no prefix equals it.
        missing = (mine == NO_KEY) | ((theirs == NO_KEY) & ~invalid)
        return pd.arrays.BooleanArray(compare(mine, theirs), missing)

    @classmethod
    def _keys_of(cls, values: Any) -> tuple[I64, Mask]:
        """Return the keys of one or many values of any type, and which of them are not prefixes."""
        if not is_many(values):
            return _keys_of_objects([values])
        values = getattr(values, "array", values)  # of a Series or an Index
        if isinstance(values, CidrArray):
            return values._keys, np.zeros(len(values), dtype=np.bool_)
        if not is_text(values):
            return _keys_of_objects(values)
        found = parse(as_text(values))
        invalid = np.asarray((found.flags != 0) & (found.flags != MISSING))
        keys = cls._wrap(found.network, found.length)._keys
        keys[invalid] = NO_KEY
        return keys, invalid

    @staticmethod
    def _key_of(value: Any) -> int:
        """Return the key of one prefix, `NO_KEY` for None, NA and NaN; raise as `Cidr` does."""
        is_nan = isinstance(value, (float, np.floating)) and np.isnan(value)
        return NO_KEY if value is None or value is pd.NA or is_nan else key_of(Cidr(value))

    # -- operations by value, on keys

    @classmethod
    def _from_factorized(cls, values: I64, original: object) -> Self:  # noqa: ARG003
        return cls._of_keys(values)

    def _values_for_argsort(self) -> I64:
        return self._keys

    def _values_for_factorize(self) -> tuple[I64, int]:
        return self._keys, NO_KEY

    def unique(self) -> Self:
        """Return the distinct prefixes in order of appearance; a missing one counts as one.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", None, "10.0.0.0/8", None], dtype="cidr").unique()
        <CidrArray>
        [10.0.0.0/8, <NA>]
        Length: 2, dtype: cidr
        """
        return self._of_keys(pd.unique(self._keys))

    def duplicated(self, keep: Literal["first", "last", False] = "first") -> Mask:
        """Return which rows repeat another, ndarray of bool.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", "10.0.0.0/8"], dtype="cidr").duplicated()
        array([False,  True])
        """
        return pd.Series(self._keys).duplicated(keep=keep).to_numpy()

    def isin(self, values: Any) -> Mask:
        """Return which rows are among given values, ndarray of bool; other values are ignored.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", "10.1.0.0/16"], dtype="cidr").isin(["10.0.0.0/8", "elsewhere"])
        array([ True, False])
        """
        keys, invalid = self._keys_of(values)
        return pd.Series(self._keys).isin(keys[~invalid]).to_numpy()

    def searchsorted(
        self, value: Any, side: Literal["left", "right"] = "left", sorter: Any = None
    ) -> Any:
        """Return where to insert values to keep the order, like ``numpy.searchsorted``.

        Raises
        ------
        ValueError
            A prefix is missing, so there is no order.
        TypeError
            A value is not a prefix.

        Examples
        --------
        >>> nets = pd.array(["10.0.0.0/8", "11.0.0.0/8"], dtype="cidr")
        >>> nets.searchsorted(["10.1.0.0/16", "12.0.0.0/8"])
        array([1, 2])
        """
        if self.isna().any():
            raise ValueError(
                "searchsorted needs a sorted array, and missing prefixes have no order"
            )
        keys, invalid = self._keys_of(value)
        if invalid.any():
            raise TypeError("only prefixes can be searched for in a column of prefixes")
        found = self._keys.searchsorted(keys, side=side, sorter=sorter)
        return found if is_many(value) else found[0]

    def value_counts(self, dropna: bool = True) -> pd.Series:
        """Return how often each prefix occurs: Series of Int64, indexed by the prefixes.

        Examples
        --------
        >>> pd.array(["10.0.0.0/8", "10.0.0.0/8"], dtype="cidr").value_counts().tolist()
        [2]
        """
        keys = self._keys
        counts = pd.Series(keys[keys != NO_KEY] if dropna else keys).value_counts(sort=False)
        index = pd.Index(self._of_keys(counts.index.to_numpy()), copy=False)
        return pd.Series(counts.array, index=index, name="count", dtype="Int64")

    def _mode(self, dropna: bool = True) -> Self:
        keys = self._keys
        found = pd.Series(keys[keys != NO_KEY] if dropna else keys).mode()
        return self._of_keys(found.to_numpy())

    def min(self, *, axis: int | None = None, skipna: bool = True, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the first prefix in order; NA if there is none.

        Examples
        --------
        >>> pd.array(["10.1.0.0/16", "10.0.0.0/8"], dtype="cidr").min()
        Cidr('10.0.0.0/8')
        """
        return self._extreme(np.min, skipna)

    def max(self, *, axis: int | None = None, skipna: bool = True, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the last prefix in order; NA if there is none.

        Examples
        --------
        >>> pd.array(["10.1.0.0/16", "10.0.0.0/8"], dtype="cidr").max()
        Cidr('10.1.0.0/16')
        """
        return self._extreme(np.max, skipna)

    def _extreme(self, choose: Callable[[I64], Any], skipna: bool) -> Any:
        keys = self._keys
        known = keys[keys != NO_KEY]
        is_known = len(known) > 0 and (skipna or len(known) == len(keys))
        return from_key(int(choose(known))) if is_known else pd.NA

    # -- conversion

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Return a NumPy array of objects, `Cidr` and NA."""
        if copy is False:
            raise ValueError(
                "a cidr array is not a NumPy array: it cannot be converted without a copy"
            )
        return np.asarray(self.to_numpy(dtype))

    def to_numpy(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool = False,  # noqa: ARG002 - there is nothing to share
        na_value: Any = no_default,
    ) -> Any:
        """Return a new ndarray of objects, or of a dtype to which NumPy converts them.

        Parameters
        ----------
        dtype : optional
            For example a dtype of text; by default objects.
        copy : bool, default False
            Ignored: the result is always a copy.
        na_value : optional
            Value for missing prefixes; by default NA.

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

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Return the column as another dtype: text, objects, categories.

        Raises
        ------
        TypeError
            For numbers: use ``.cidr.network`` or ``.cidr.prefix_length``.

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

    def __arrow_array__(self, type: Any = None) -> Any:  # noqa: A002 - pyarrow's name for it
        """Return the column as an Arrow array, see `vcokit.cidr.interop`."""
        return interop.to_arrow(self._network, self._length, type)

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:  # noqa: ARG002
        return str

    def _values_for_json(self) -> npt.NDArray[Any]:
        return np.asarray(self.astype("str"))


# -- values → columns and keys -----------------------------------------------------------------


def from_keys(keys: I64) -> Columns:
    """Return network and length of each key.

    Examples
    --------
    >>> from_keys(np.array([96, -1]))
    (array([1, 0], dtype=uint32), array([ 32, 255], dtype=uint8))
    """
    missing = keys == NO_KEY
    network = (keys >> LENGTH_BITS).astype(np.uint32)
    length = (keys & LENGTH_MASK).astype(np.uint8)
    network[missing] = 0
    length[missing] = NO_LENGTH
    return network, length


def is_many(values: object) -> bool:
    """Return whether the argument is many values; a network object, which has a length, is one.

    Examples
    --------
    >>> import ipaddress
    >>> [is_many(value) for value in (["10.0.0.0/8"], "10.0.0.0/8", ipaddress.ip_network("::/0"))]
    [True, False, False]
    """
    return bool(pd.api.types.is_list_like(values)) and not hasattr(values, "prefixlen")


def is_text(values: Any) -> bool:
    """Return whether values are text, or all missing, so that they can be parsed as a column."""
    return kind_of(values) in {"string", "empty"}


def kind_of(values: Any) -> str:
    """Return the kind that pandas infers: "string", "integer", "mixed", "empty" and others."""
    try:
        return pd.api.types.infer_dtype(values, skipna=True)
    except NotImplementedError:  # an Arrow type that pandas has no name for, such as string_view
        return "unknown"


def _columns_of(values: Any) -> Columns:
    """Read many values, each of which must be a prefix or missing."""
    values = getattr(values, "array", values)  # of a Series or an Index
    if isinstance(values, CidrArray):
        return values._network, values._length
    if is_text(values):
        return _columns_of_text(as_text(values))
    values = list(values)
    keys, invalid = _keys_of_objects(values)
    if invalid.any():
        first = int(invalid.argmax())
        _refuse(values[first], first)
    return from_keys(keys)


def _columns_of_text(column: pd.Series) -> Columns:
    found = parse(column)
    invalid = np.flatnonzero((found.flags != 0) & (found.flags != MISSING))
    if len(invalid):
        first = int(invalid[0])
        more = f" (and {len(invalid) - 1} more)" if len(invalid) > 1 else ""
        has_host_bits = found.flags[first] == HOST_BITS
        effect = "clears host bits" if has_host_bits else "leaves out what is not an IPv4 prefix"
        advice = f"{more}. On a column of text, .cidr.to_cidr() {effect}"
        _refuse(column.iloc[first], first, advice)
    return found.network, found.length


def _refuse(value: Any, position: int, advice: str = "") -> NoReturn:
    """Raise the error of `Cidr` for a value, with its position added."""
    try:
        Cidr(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"position {position}: {error}{advice}") from None
    raise AssertionError(f"{value!r} is a prefix to Cidr, and is none in a column")


def _keys_of_objects(values: Sequence[Any]) -> tuple[I64, Mask]:
    """Return the key of each object, and which are not prefixes, in a loop over the objects."""
    keys = np.full(len(values), NO_KEY, dtype=np.int64)
    invalid = np.zeros(len(values), dtype=np.bool_)
    for position, value in enumerate(values):
        try:
            keys[position] = CidrArray._key_of(value)
        except (TypeError, ValueError):
            invalid[position] = True
    return keys, invalid
