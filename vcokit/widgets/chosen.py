"""Which rows of a long frame are looked at: filtered, searched, cut into pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROWS_A_PAGE: Final = 15


class Chosen:
    """Some rows of a frame, a page at a time.

    Parameters
    ----------
    frame : DataFrame
        Never changed, never copied.
    searched : sequence of str
        Columns that a search looks into.
    rows_a_page : int

    Notes
    -----
    ``positions`` is an int64 array of the rows chosen; ``page`` counts from 0.

    Examples
    --------
    >>> frame = pd.DataFrame({"rule": ["a", "b", "a"], "message": ["one", "two", "three"]})
    >>> chosen = Chosen(frame, ["message"], rows_a_page=2)
    >>> chosen.choose({"rule": "a"}, "THREE")
    >>> chosen.positions.tolist(), chosen.pages
    ([2], 1)
    """

    def __init__(
        self, frame: pd.DataFrame, searched: Sequence[str], rows_a_page: int = ROWS_A_PAGE
    ) -> None:
        self.frame = frame
        self._searched = searched
        self.rows_a_page = rows_a_page
        self.positions: NDArray[np.int64] = np.arange(len(frame))
        self.page = 0

    def choose(self, equal: dict[str, str], words: str = "") -> None:
        """Take the rows whose columns have some values and that hold some words; go to page 0.

        Parameters
        ----------
        equal : dict of str to str
            Column and value; an empty value takes any.
        words : str
            Looked for in any of the searched columns, as it stands, whatever its case.
        """
        mask = np.ones(len(self.frame), dtype=np.bool_)
        for column, value in equal.items():
            if value:
                mask &= (self.frame[column] == value).to_numpy()
        if words.strip():
            mask &= self._hold(words.strip())
        self.positions = np.flatnonzero(mask)
        self.page = 0

    def _hold(self, words: str) -> NDArray[np.bool_]:
        found = np.zeros(len(self.frame), dtype=np.bool_)
        for column in self._searched:
            cells = self.frame[column].astype("str")
            hits = cells.str.contains(words, case=False, regex=False, na=False)
            found |= hits.to_numpy(dtype=np.bool_)
        return found

    @property
    def pages(self) -> int:
        """Number of pages, one at least."""
        return max(1, -(-len(self.positions) // self.rows_a_page))

    def turn(self, page: int) -> None:
        """Go to a page, or to the first or last if there is none of that number."""
        self.page = min(max(0, page), self.pages - 1)

    def show(self, position: int) -> int | None:
        """Go to the page that holds a row of the frame; return its place there, None if not chosen.

        Parameters
        ----------
        position : int
            Of the row in the frame.
        """
        place = int(np.searchsorted(self.positions, position))
        if place == len(self.positions) or self.positions[place] != position:
            return None
        self.turn(place // self.rows_a_page)
        return place % self.rows_a_page

    def here(self) -> NDArray[np.int64]:
        """Return the positions of the rows of this page."""
        begin = self.page * self.rows_a_page
        return self.positions[begin : begin + self.rows_a_page]

    def rows(self) -> pd.DataFrame:
        """Return the rows of this page."""
        return self.frame.iloc[self.here()]

    def __str__(self) -> str:
        if not len(self.positions):
            return "none"
        begin = self.page * self.rows_a_page
        end = min(begin + self.rows_a_page, len(self.positions))
        return f"{begin + 1:,} to {end:,} of {len(self.positions):,}"
