"""A listing of several pages, and the trouble that it may change while it is read.

Also the words in which calls are spoken of without I/O: an `Exchange` yields what is to be done, a
request to send or seconds to wait, and is sent what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import httpx
import pandas as pd

from vcokit.cloud.lists import frame_of
from vcokit.cloud.operations import PAGE_SIZE, Operation
from vcokit.cloud.transport import Reply
from vcokit.errors import ProtocolError

_Result = TypeVar("_Result")

#: What a call yields (a request to send, or seconds to wait) and is sent (what came of it).
Effect: TypeAlias = httpx.Request | float
Outcome: TypeAlias = Reply | httpx.RequestError | None
Exchange: TypeAlias = Generator[Effect, Outcome, _Result]


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    Parameters
    ----------
    rows : list of dict
        Under the API's names.
    total : int
        Rows of all pages.
    request_id : str
    """

    rows: list[dict[str, Any]]
    total: int
    request_id: str


class Listing:
    """A listing that is read page by page.

    The cloud keeps no picture of a list between two pages: a route that comes or goes shifts all
    behind it, and one may be missed. So it counts: a total that changes, pages that end before it,
    or a row that stood on an earlier page too, mean that the list has *changed* under the reader.
    One that goes from a page that was read, while another comes behind, leaves no such trace.

    Parameters
    ----------
    operation : Operation
    play : callable
        Returns the exchange of a page by its number, from 1.
    region_id : str or None
        The region that is asked.
    size : int
        Rows of a page.
    """

    def __init__(
        self,
        operation: Operation,
        play: Callable[[int], Exchange[Page]],
        region_id: str | None,
        size: int = PAGE_SIZE,
    ) -> None:
        self._operation, self._play = operation, play
        self._region, self._size = region_id, size
        self._total: int | None = None
        self._number = 0
        self._last_id: str | None = None
        self._seen: set[tuple[Any, ...]] = set()
        self.rows: list[dict[str, Any]] = []
        self.ended = False
        self.changed = False

    def turn(self) -> Exchange[list[dict[str, Any]]]:
        """Play the next page; its rows.

        Raises
        ------
        ProtocolError
            If the list has changed since the first page.
        """
        self._number += 1
        page = yield from self._play(self._number)
        twice = self._seen_before(page.rows)
        self.rows += page.rows
        self._last_id = page.request_id
        self.ended = len(page.rows) < self._size or len(self.rows) >= page.total
        other = self._total not in (None, page.total)
        if other or twice or (self.ended and len(self.rows) != page.total):
            self.changed = True
            count = f"{len(self.rows)} rows of {page.total}"
            count += f", {twice} of them twice" if twice else ""
            raise ProtocolError(
                f"the list changed while it was read ({count})",
                operation=self._operation.name,
                request_id=page.request_id,
                remedy="Read it again when nothing else writes",
            )
        self._total = page.total
        return page.rows

    def _seen_before(self, rows: list[dict[str, Any]]) -> int:
        """Return how many rows stood on an earlier page; a page by itself is one picture."""
        keys = {tuple(row.get(name) for name in self._operation.identity) for row in rows}
        twice = len(keys & self._seen)
        self._seen |= keys
        return twice

    def frame(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        """Return rows as a frame of the operation."""
        return frame_of(self._operation, rows, self._region, self._last_id)
