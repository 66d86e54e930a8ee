"""A table of which the page gets but the rows it shows: turned by buttons, chosen row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import ipywidgets

from vcokit.widgets.chosen import Chosen
from vcokit.widgets.style import grey, page, table

#: Height of a row of the table and of the button before it, and of the table's head; pixels.
_ROW, _HEAD = 26, 27
_DOT: Final = "▸"


class PagedTable(ipywidgets.VBox):  # type: ignore[misc]
    """A page of a long frame, with a button a row and buttons to turn.

    Parameters
    ----------
    chosen : Chosen
    heads : sequence of (str, str)
        Name and width of each column.
    cells : callable
        From the page's rows to their cells.
    picked : callable
        Called with the position in the frame of a row that was clicked; None for none.

    Notes
    -----
    The table is one HTML element and the buttons stay what they are, so that turning a page sends
    one or two messages, however long the frame.
    """

    def __init__(
        self,
        chosen: Chosen,
        heads: Sequence[tuple[str, str]],
        cells: Callable[[Any], Iterable[Sequence[object]]],
        picked: Callable[[int | None], None] | None = None,
    ) -> None:
        self.chosen = chosen
        self._heads, self._cells, self._picked = heads, cells, picked
        self.picked: int | None = None
        self.table = ipywidgets.HTML(layout={"flex": "1 1 auto", "min_width": "0", "margin": "0"})
        self.buttons = [self._button(place) for place in range(chosen.rows_a_page)]
        spacer = ipywidgets.Box(layout={"height": f"{_HEAD}px", "flex": "0 0 auto"})
        column = ipywidgets.VBox([spacer, *self.buttons], layout={"flex": "0 0 auto"})
        column.layout.display = None if picked else "none"
        self.first, self.back, self.on, self.last = (
            self._turner(words, tip)
            for words, tip in (("«", "first"), ("‹", "previous"), ("›", "next"), ("»", "last"))
        )
        self.where = ipywidgets.HTML()
        turning = ipywidgets.HBox([self.first, self.back, self.on, self.last, self.where])
        wide = ipywidgets.HBox([column, self.table], layout={"max_width": "1130px"})
        super().__init__([wide, turning])
        self.show()

    def _button(self, place: int) -> Any:
        button = ipywidgets.Button(description=_DOT, tooltip="Show what is behind it")
        button.layout = {"width": "30px", "height": f"{_ROW}px", "margin": "0", "flex": "0 0 auto"}
        button.on_click(lambda _: self.pick(place))
        return button

    def _turner(self, words: str, tip: str) -> Any:
        button = ipywidgets.Button(description=words, tooltip=f"{tip} page")
        button.layout.width = "36px"
        button.on_click(self._on_turn)
        return button

    def _on_turn(self, button: Any) -> None:
        here = self.chosen.page
        goal = {"«": 0, "‹": here - 1, "›": here + 1, "»": self.chosen.pages}
        self.chosen.turn(goal[button.description])
        self.show()

    def pick(self, place: int | None) -> None:
        """Pick a row of this page, by its place on it."""
        here = self.chosen.here()
        self.picked = None if place is None or place >= len(here) else int(here[place])
        self.show()
        if self._picked is not None:
            self._picked(self.picked)

    def show(self) -> None:
        """Show the page as it is now."""
        here = self.chosen.here().tolist()
        marked = here.index(self.picked) if self.picked in here else None
        rows = self._cells(self.chosen.rows())
        self.table.value = page(table(self._heads, rows, marked=marked))
        for place, button in enumerate(self.buttons):
            button.layout.visibility = "visible" if place < len(here) else "hidden"
            button.layout.display = None if place < max(len(here), 1) else "none"
        turned = f"page {self.chosen.page + 1:,} of {self.chosen.pages:,}"
        self.where.value = page(grey(f"{self.chosen} · {turned}"))
        self.first.disabled = self.back.disabled = self.chosen.page == 0
        self.on.disabled = self.last.disabled = self.chosen.page >= self.chosen.pages - 1
