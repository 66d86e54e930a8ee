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


def outer_bytes(text: Any) -> tuple[set[int], set[int]]:
    """Return the first bytes and the last bytes of all cells of a large_string column.

    Examples
    --------
    >>> import pyarrow as pa
    >>> begin, end = outer_bytes(pa.array(["abc", "a", None, ""], pa.large_string()))
    >>> bytes(begin), sorted(map(chr, end))
    (b'a', ['a', 'c'])
    """
    begin = np.zeros(256, dtype=np.int64)
    end = begin.copy()
    for bounds, data in _chunks(text):
        if not len(data):
            continue
        # For an empty cell this is a byte of its neighbour, which is counted anyway.
        begin += np.bincount(data.take(bounds[:-1], mode="clip"), minlength=256)
        end += np.bincount(data.take(bounds[1:] - 1, mode="clip"), minlength=256)
    return set(np.flatnonzero(begin).tolist()), set(np.flatnonzero(end).tolist())


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
