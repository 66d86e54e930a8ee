"""The curve of the address map is Hilbert's: cell by cell, that of a scalar textbook walk."""

from __future__ import annotations

import pytest

from vcokit.plots.address_map import hilbert_cells as cells


def textbook(order: int, d: int) -> tuple[int, int]:
    """Return a cell of the curve by turning and flipping squares, one bit pair at a time."""
    x = y = 0
    side = 1
    while side < 1 << order:
        rx = 1 & (d // 2)
        ry = 1 & (d ^ rx)
        if ry == 0:
            if rx == 1:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
        x, y = x + side * rx, y + side * ry
        d //= 4
        side *= 2
    return x, y


@pytest.mark.parametrize("order", range(8))
def test_equals_the_textbook(order: int) -> None:
    """Cell by cell it is the textbook's curve."""
    x, y = cells(order)
    expected = [textbook(order, d) for d in range(4**order)]
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == expected
