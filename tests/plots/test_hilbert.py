"""The curve of the address map is Hilbert's: told by a scalar textbook walk, and by its nature."""

from __future__ import annotations

import numpy as np
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


@pytest.mark.parametrize("order", range(1, 10))
def test_neighbours_are_adjacent_and_every_cell_is_met_once(order: int) -> None:
    """It is a walk: each step to a cell with a common edge, through all cells of the square."""
    x, y = cells(order)
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()
    assert len(np.unique(y * 2**order + x)) == 4**order
    assert x.min() == y.min() == 0
    assert x.max() == y.max() == 2**order - 1


def test_a_finer_curve_moves_nothing() -> None:
    """A cell of one order is the same place as its four cells of the next."""
    for order in range(1, 8):
        coarse, fine = cells(order), cells(order + 1)
        for one, two in zip(coarse, fine, strict=True):
            assert (np.repeat(one, 4) == two // 2).all()
