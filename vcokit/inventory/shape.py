"""What the shape of a table says: empty rows, networks and masks apart, networks together.

====================================  ======================================================
in the file                           routes
====================================  ======================================================
``10.1.0.0`` and ``255.255.0.0``      ``10.1.0.0/16``, where the mask has a column of its own
``10.1.0.0`` and ``16`` or ``/16``    ``10.1.0.0/16``
``10.1.0.0`` and ``255.0.255.0``      ``10.1.0.0/255.0.255.0``, for the audit to judge
``10.1.0.0/16`` and anything          ``10.1.0.0/16``
``10.1.0.0/16, 10.2.0.0/16``          two rows with the same line
``10.1.0.0/16 10.2.0.0/16``           two rows, as each has its length
``10.1.0.0 255.255.0.0``              as it stands, for the audit to judge: a network and its mask
``10.1.0.0, 255.255.0.0``             likewise, whatever stands between them
``10.1.0.0/16, HQ``                   as it stands: not every part is a network
a row in which every cell is empty    none: a spreadsheet leaves ``,,,`` behind a table
====================================  ======================================================
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vcokit.inventory.bound import Bound
from vcokit.inventory.cells import Column, Tally, holds
from vcokit.inventory.heads import Head
from vcokit.schema import MASK_HEADS, header_key

_ADDRESS: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_LENGTH: Final = r"/[0-9.]{1,15}"
_BLANK: Final = r"[\s\x{3000}\x{A0}]"
_MARK: Final = rf"{_BLANK}*[,;|\n\r\x{{FF0C}}\x{{FF1B}}\x{{3001}}]{_BLANK}*"  # , ; | ， ； 、
_EITHER: Final = rf"{_ADDRESS}(?:{_LENGTH})?"
#: Several networks in one cell, as RE2 has it.
_SEVERAL: Final = (
    rf"^(?:{_EITHER}(?:{_MARK}{_EITHER})+(?:{_MARK})?"
    rf"|{_ADDRESS}{_LENGTH}(?:{_BLANK}+{_ADDRESS}{_LENGTH})+)$"
)
_BETWEEN: Final = re.compile("[,;|\\s\u3000\xa0\uff0c\uff1b\u3001]+")
_MASKS: Final = {
    ".".join(str((0xFFFFFFFF << (32 - length) >> shift) & 255) for shift in (24, 16, 8, 0)): length
    for length in range(33)
}
#: Masks, and what they leave (``0.0.0.255``): beside an address they are no other network.
_NO_NETWORKS: Final = frozenset(_MASKS) | {
    ".".join(str(255 - int(octet)) for octet in mask.split(".")) for mask in _MASKS
}
#: What reading adds to the columns of a file.
_EARLIER: Final = ("weight_text", "source", "line")

Lines = Any  # ndarray of int64, or None


def shaped(
    head: Head, columns: list[Column], lines: Lines, tally: Tally, bound: Bound
) -> tuple[list[Column], Lines]:
    """Return clean columns with one network a row, its length with it."""
    place = head.fields["route_dest"]
    rows, parts = _several(columns[place])
    if rows:
        columns, lines = _split(columns, lines, place, rows, parts, tally, bound)
    mask = _mask_place(head)
    if mask is not None:
        columns = [*columns]
        columns[place] = _joined(columns[place], columns[mask], tally)
    return columns, lines


def filled(columns: list[Column], lines: Lines, tally: Tally) -> tuple[list[Column], Lines]:
    """Return clean columns without the rows in which every cell is empty.

    Most tables have a column that is never empty; then no row is looked at.
    """
    if not columns or not all(column.null_count for column in columns):
        return columns, lines
    there = functools.reduce(pc.or_, map(pc.is_valid, columns)).to_numpy()
    tally.add("blank", len(there) - int(np.count_nonzero(there)))
    if there.all():
        return columns, lines
    kept = pa.array(there)
    return [column.filter(kept) for column in columns], None if lines is None else lines[there]


def earlier(head: Head, columns: list[Column]) -> dict[str, int]:
    """Return the places of columns that an earlier reading made, by their names in the frame.

    A frame that pandas saved has them beside the file's own. ``weight_text`` says nothing where
    there is a weight, or it is somebody else's; only beside it are ``source`` and ``line`` ours.
    """
    fields = set(head.fields.values())
    own = {n: p for p, n in enumerate(head.cells) if n in _EARLIER and p not in fields}
    if "weight_text" not in own:
        return {}
    weight, text = columns[head.fields["weight"]], columns[own["weight_text"]]
    if pc.any(pc.and_(pc.is_valid(weight), pc.is_valid(text))).as_py():
        return {}
    return own if len(own) == len(_EARLIER) else {"weight_text": own["weight_text"]}


def _several(column: Column) -> tuple[list[int], list[list[str]]]:
    """Return the positions of cells that hold several networks, and those.

    A column of digits, dots and slashes alone, the bytes from ``.`` to ``9``, needs no look. A part
    that is a mask belongs to the network before it: such a cell is one network, or none.
    """
    if not holds(column, ":", "-"):
        return [], []
    found = pc.fill_null(pc.match_substring_regex(column, _SEVERAL), False)
    places = np.flatnonzero(found.to_numpy())
    cells = column.take(pa.array(places)).to_pylist()
    parts = [[part for part in _BETWEEN.split(cell) if part] for cell in cells]
    kept = [number for number, networks in enumerate(parts) if _NO_NETWORKS.isdisjoint(networks)]
    return [int(places[number]) for number in kept], [parts[number] for number in kept]


def _split(
    columns: list[Column],
    lines: Lines,
    place: int,
    rows: list[int],
    parts: list[list[str]],
    tally: Tally,
    bound: Bound,
) -> tuple[list[Column], Lines]:
    counts = np.ones(len(columns[place]), dtype=np.int64)
    counts[rows] = [len(part) for part in parts]
    bound.take(*_copied(columns, counts), line=None if lines is None else int(lines[rows[0]]))
    origin = np.repeat(np.arange(len(counts)), counts)
    taken = pa.array(origin)
    columns = [column.take(taken) for column in columns]
    new = np.zeros(len(counts), dtype=np.bool_)
    new[rows] = True
    values = pa.array([part for cell in parts for part in cell], pa.large_string())
    whole = columns[place].combine_chunks()
    columns[place] = pa.chunked_array([pc.replace_with_mask(whole, pa.array(new[origin]), values)])
    tally.add("split", len(rows))
    return columns, None if lines is None else lines[origin]


def _copied(columns: list[Column], counts: Any) -> tuple[int, int]:
    """Return the bytes and cells that rows come to, each as often as it is counted."""
    lengths = [pc.fill_null(pc.binary_length(column), 0).to_numpy() for column in columns]
    return sum(int(length @ counts) for length in lengths), int(counts.sum()) * len(columns)


def _mask_place(head: Head) -> int | None:
    """Return which column is a mask; of several none is."""
    fields = set(head.fields.values())
    places = [
        place
        for place, cell in enumerate(head.cells)
        if place not in fields and header_key(cell) in MASK_HEADS
    ]
    return places[0] if len(places) == 1 else None


def _joined(network: Column, mask: Column, tally: Tally) -> Column:
    """Return networks with the length that their mask gives, where they have none."""
    encoded = pc.dictionary_encode(mask).combine_chunks()
    lengths = [_length(text) for text in encoded.dictionary.to_pylist()]
    length = pa.chunked_array([pc.take(pa.array(lengths, pa.large_string()), encoded.indices)])
    wanting = pc.and_(pc.invert(pc.match_substring(network, "/")), pc.is_valid(length))
    wanting = pc.fill_null(wanting, False)
    tally.add("joined", pc.sum(wanting, min_count=0).as_py())
    slash = pa.scalar("/", pa.large_string())
    return pc.if_else(wanting, pc.binary_join_element_wise(network, length, slash), network)


def _length(mask: str) -> str:
    """Return a mask as a length; what is neither, as it stands.

    Examples
    --------
    >>> _length("255.255.0.0"), _length("/16"), _length("16.0"), _length("255.0.255.0")
    ('16', '16', '16', '255.0.255.0')
    """
    mask = mask.removeprefix("/")
    if re.fullmatch(r"[0-9]{1,2}\.0+", mask):
        mask = mask.partition(".")[0]
    return str(_MASKS.get(mask, mask))
