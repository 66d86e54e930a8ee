"""Words as numbers, and first rows of groups: what rules compare instead of strings."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

I32: TypeAlias = npt.NDArray[np.int32]
I64: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

NONE: Final = -1


def strings(column: pd.Series) -> Any:
    """Return a column of text as Arrow holds it, chunked or flat, without a copy.

    Returns
    -------
    pyarrow.Array or pyarrow.ChunkedArray
        Of large_string; a chunked one has chunks.
    """
    text = pa.array(column.array, from_pandas=True)
    if isinstance(text, pa.ChunkedArray) and not text.num_chunks:
        text = pa.nulls(0, pa.large_string())
    return text if text.type == pa.large_string() else text.cast(pa.large_string())


class Vocabulary:
    """Numbers words from 0, in the order in which they are met; -1 is a missing word.

    Parameters
    ----------
    words : pyarrow.Array or pyarrow.ChunkedArray of large_string
        The first words; their numbers are `codes`.

    Examples
    --------
    >>> known = Vocabulary(pa.array(["a", "b", None, "a"], pa.large_string()))
    >>> known.codes.tolist(), known.number(pa.array(["c", "b"], pa.large_string())).tolist()
    ([0, 1, -1, 0], [2, 1])
    """

    def __init__(self, words: Any) -> None:
        encoded = words.dictionary_encode()
        # Arrow gives all chunks of one column the same dictionary.
        chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
        self.words = chunks[0].dictionary
        self.codes: I32 = np.concatenate([_indices(chunk.indices) for chunk in chunks])

    def __len__(self) -> int:
        return len(self.words)

    def number(self, words: Any) -> I32:
        """Return the numbers of more words; those not met before get new ones."""
        codes = _indices(pc.index_in(words, value_set=self.words))
        new = (codes == NONE) & pc.is_valid(words).to_numpy(zero_copy_only=False)
        if new.any():
            more = Vocabulary(words.filter(pa.array(new)))
            codes[new] = more.codes + len(self.words)
            self.words = pa.concat_arrays([self.words, more.words])
        return codes

    def take(self, codes: I32) -> pd.Series:
        """Return the words of some numbers as a column; NA for -1."""
        words = self.words.take(pa.array(codes, mask=codes == NONE))
        return pd.Series(words, dtype="str")


def _indices(indices: Any) -> I32:
    filled = pc.fill_null(indices, NONE) if indices.null_count else indices
    return np.array(filled.to_numpy(zero_copy_only=False), dtype=np.int32)


def dense(codes: I64) -> I64:
    """Renumber codes from 0 in order of appearance.

    Examples
    --------
    >>> dense(np.array([70, 7, 70])).tolist()
    [0, 1, 0]
    """
    return np.asarray(pd.factorize(codes)[0], dtype=np.int64)


def first_row(codes: npt.NDArray[Any], count: int | None = None) -> I64:
    """Return, by code, the first row that has it; codes below 0 are passed over.

    Parameters
    ----------
    codes : ndarray of int
    count : int, optional
        Length of the result, by default the highest code and one.

    Returns
    -------
    ndarray of int64
        -1 where no row has the code.

    Examples
    --------
    >>> first_row(np.array([1, -1, 0, 1]), 3).tolist()
    [2, 0, -1]
    """
    size = int(codes.max(initial=NONE)) + 1 if count is None else count
    first = np.full(size, NONE, dtype=np.int64)
    # Backwards, so that of equal codes the first row is the last that is written.
    rows = np.flatnonzero(codes >= 0)[::-1]
    first[codes[rows]] = rows
    return first


def first_other(codes: I64, values: npt.NDArray[Any]) -> I64:
    """Return, for each row, the first row of its code that has another value; -1 where none has.

    Parameters
    ----------
    codes : ndarray of int64
        Group of each row, from 0.
    values : ndarray of int
        What is compared.

    Examples
    --------
    >>> first_other(np.array([0, 0, 0, 1]), np.array([7, 7, 9, 9])).tolist()
    [2, 2, 0, -1]
    """
    if len(codes) == 0:
        return np.zeros(0, dtype=np.int64)
    first = first_row(codes)
    differs = values != values[first[codes]]
    second = np.full(len(first), NONE, dtype=np.int64)
    others = np.flatnonzero(differs)[::-1]
    second[codes[others]] = others
    return np.where(differs, first[codes], second[codes])


def ranks(codes: npt.NDArray[Any]) -> I64:
    """Return, for each row, how many earlier rows have its code.

    Examples
    --------
    >>> ranks(np.array([5, 7, 5, 5])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.append(starts, len(codes)))
    result = np.empty(len(codes), dtype=np.int64)
    result[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return result
