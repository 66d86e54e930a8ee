"""What a file may become in memory: one bound, which every reader asks before it lays anything out.

::

    bytes of the file ──packed──▶ bytes unpacked ──reader──▶ text and cells ──▶ columns
                        `swollen`                  `Bound`

A kilobyte can stand for gigabytes: a row that is repeated, a text that is referred to, a head of
thousands of columns above rows of one cell. Whoever is about to lay such things out counts them
first (repeats and references times their length, rows times columns), for a library that finds no
room may end the whole process.

A file of up to a megabyte stays below a gigabyte of memory that way. A larger one may become as
many times its size as inventories do: packed, they come to 30 times, the most repetitive to 100.
"""

from __future__ import annotations

from typing import Final

from vcokit.errors import InventoryError

#: Bytes that any packed file may become, how many times what was read of it a larger one may, and
#: the most of all.
UNPACKED_FREE: Final = 64 << 20
UNPACKED_RATIO: Final = 128
UNPACKED_MOST: Final = 4 << 30

#: Bytes of text and cells that any file may become, and how many times its size a larger one may.
FREE: Final = 224 << 20
RATIO: Final = 224
#: What a cell costs beside its text.
CELL: Final = 16

#: Most columns of a table: those of a sheet, in Excel as in LibreOffice.
COLUMNS: Final = 16_384
#: Most bytes of a source without end, such as a pipe or a device.
STREAM: Final = 1 << 30


def swollen(seen: int, consumed: int) -> bool:
    """Tell whether so many bytes, unpacked from so few, are more than any inventory has.

    Examples
    --------
    >>> swollen(1 << 20, 1), swollen(100 << 20, 1 << 20), swollen(300 << 20, 1 << 20)
    (False, False, True)
    """
    return seen > UNPACKED_MOST or (seen > UNPACKED_FREE and seen > UNPACKED_RATIO * consumed)


class Bound:
    """The text and cells that a file of a size may become.

    Parameters
    ----------
    source : str
        Name of the file, for the error.
    size : int
        Its bytes as they came, packed if it is packed.
    """

    def __init__(self, source: str, size: int) -> None:
        self._source = source
        self._most = max(FREE, RATIO * size)
        self._size = size
        self._taken = 0

    def check(self, text: int, cells: int, *, line: int | None = None) -> None:
        """Raise `InventoryError` where so much, beside what was taken, is too much.

        Parameters
        ----------
        text : int
            Bytes of text.
        cells : int
            Cells, empty ones too.
        line : int, optional
            Where it comes from.
        """
        if not self.fits(text, cells):
            raise InventoryError(
                f"a file of {self._size:,} bytes that becomes more than {self._most >> 20:,} MiB "
                "of cells, as no inventory does",
                source=self._source,
                line=line,
                remedy="Look for what repeats: a long text in many rows, a head of many columns, "
                "many networks in one cell; or split the file, and read its parts together",
            )

    def fits(self, text: int, cells: int) -> bool:
        """Tell whether so much is not too much; see `check`."""
        return self._taken + text + CELL * cells <= self._most

    def take(self, text: int, cells: int, *, line: int | None = None) -> None:
        """Check, and count so much as taken."""
        self.check(text, cells, line=line)
        self._taken += text + CELL * cells


def check_columns(source: str, columns: int, line: int | None = None) -> None:
    """Raise `InventoryError` for more columns than a sheet has."""
    if columns > COLUMNS:
        raise InventoryError(
            f"{columns:,} columns, where a sheet has {COLUMNS:,}",
            source=source,
            line=line,
            remedy="Check what parts the cells, or leave out the columns that are no routes",
        )
