"""Fast checks of the bytes of a text column, before its cells are processed one by one.

Most columns need no cleaning. Checking the bytes is several times faster than checking the cells:
they are one array of numbers. An ASCII character is one byte, which is part of no other character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
#: Returns for each byte whether it is wanted.
Wanted: TypeAlias = Callable[[Bytes], npt.NDArray[np.bool_]]


def first_bytes(text: Any) -> Bytes:
    """Return the first byte of each large_string cell; for an empty cell that of a neighbour.

    Examples
    --------
    >>> import pyarrow as pa
    >>> bytes(first_bytes(pa.array(["abc", "a", None, "xy"], pa.large_string())))
    b'aaxx'
    """
    return _taken(text, lambda bounds: bounds[:-1])


def last_bytes(text: Any) -> Bytes:
    """Return the last byte of each large_string cell; for an empty cell that of a neighbour.

    Examples
    --------
    >>> import pyarrow as pa
    >>> bytes(last_bytes(pa.array(["abc", "a", None, "xy"], pa.large_string())))
    b'caay'
    """
    return _taken(text, lambda bounds: bounds[1:] - 1)


def _taken(text: Any, places: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]) -> Bytes:
    """Return one byte of each cell, at positions computed from the cell bounds of a chunk."""
    taken = [data.take(places(bounds), mode="clip") for bounds, data in _chunks(text) if len(data)]
    return np.concatenate(taken) if taken else np.zeros(0, dtype=np.uint8)


def holds_byte(text: Any, wanted: Wanted) -> bool:
    """Return whether any cell of a large_string column contains a wanted byte."""
    return any(wanted(data).any() for _, data in _chunks(text))


def count_bytes(text: Any, wanted: Wanted) -> npt.NDArray[np.int64]:
    """Return the number of wanted bytes in each cell of a large_string column.

    Examples
    --------
    >>> import pyarrow as pa
    >>> count_bytes(pa.array(["a,b", None, ",,"], pa.large_string()), lambda byte: byte == 44)
    array([1, 0, 2])
    """
    counts = np.zeros(len(text), dtype=np.int64)
    start = 0
    for bounds, data in _chunks(text):
        places = np.flatnonzero(wanted(data))
        if len(places):
            cells = np.searchsorted(bounds, places, side="right") - 1
            counts[start : start + len(bounds) - 1] = np.bincount(cells, minlength=len(bounds) - 1)
        start += len(bounds) - 1
    return counts


def _chunks(text: Any) -> Iterator[tuple[npt.NDArray[np.int64], Bytes]]:
    """Yield the cell bounds of each chunk, relative to its first byte, and its bytes."""
    for chunk in getattr(text, "chunks", [text]):
        _, offsets, data = chunk.buffers()
        if len(chunk):
            bounds = np.frombuffer(offsets, dtype=np.int64)[chunk.offset :][: len(chunk) + 1]
            whole = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, dtype=np.uint8)
            yield bounds - bounds[0] if bounds[0] else bounds, whole[bounds[0] : bounds[-1]]
