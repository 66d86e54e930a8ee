"""Hilbert's curve: a walk through all cells of a square that keeps neighbours together.

Of order 1 the curve is one cup, and each order puts four turned copies of the last in its cells::

    order 1    0 3     order 2    0  1 14 15
               1 2                3  2 13 12
                                  4  7  8 11
                                  5  6  9 10

Cells that follow one another on the curve share an edge, and any block of 4^n cells that starts at
a multiple of 4^n is a square: a prefix of even length is a square, one of odd length two squares
side by side. A higher order draws each cell finer, and moves none. After D. Hilbert, "Ueber die
stetige Abbildung einer Linie auf ein Flächenstück", Mathematische Annalen 38 (1891).
"""

from __future__ import annotations

import numpy as np

from vcokit.cidr.parse import I64

#: For each cup (how a copy is turned) and each quarter on its way: the cell's bits, and the cup of
#: the copy in it. Cup 0 goes down, right, up; 1 right, down, left; 2 left, up, right; 3 up, left,
#: down.
_X = np.array([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]])
_Y = np.array([[0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]])
_NEXT = np.array([[1, 0, 0, 3], [0, 1, 1, 2], [3, 2, 2, 1], [2, 3, 3, 0]])


def cells(order: int, start: int = 0, stop: int | None = None) -> tuple[I64, I64]:
    """Return the cells of the curve, in the order of the walk.

    Parameters
    ----------
    order : int
        The square is of 2**order by 2**order cells.
    start, stop : int
        Part of the walk; all of it by default.

    Returns
    -------
    x, y : ndarray of int64
        Column from the left and row from above.

    Examples
    --------
    >>> x, y = cells(1)
    >>> x.tolist(), y.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 0])
    """
    walk = np.arange(start, 4**order if stop is None else stop, dtype=np.int64)
    x, y = np.zeros_like(walk), np.zeros_like(walk)
    cup = np.zeros_like(walk)
    for level in range(order - 1, -1, -1):
        quarter = (walk >> (2 * level)) & 3
        x = x << 1 | _X[cup, quarter]
        y = y << 1 | _Y[cup, quarter]
        cup = _NEXT[cup, quarter]
    return x, y
