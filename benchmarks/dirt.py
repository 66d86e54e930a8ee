"""What goes wrong in inventories: kinds of mistakes, and putting them into the columns of a file.

A kind says which cells of a good row it changes, and to what; what it leaves to be read of the
destination is known, so that the reading of a dirty column can be judged without a peer:

==============  ====================================================================
`ITS_OWN`       the destination is still the row's network, be it in another dress
`NOTHING`       the destination is no IPv4 prefix in the strict form
a prefix text   another one, the ``{…}`` in it being those of the row
==============  ====================================================================

Rows that repeat, or contradict, another row are dirt too; they copy a clean row's route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.inventories import TEXT, Column, Layout

ITS_OWN: Final = "its own"
NOTHING: Final = ""

#: A prefix that is none: nothing to read.
UNREAD: Final = -1

_WIDE: Final = str.maketrans("0123456789", "０１２３４５６７８９")
_HEADS: Final = {
    "region": "RegionId",
    "connection": "VpnConnectionId",
    "dest": "RouteDest",
    "hop": "NextHop",
    "weight": "Weight",
}


@dataclass(frozen=True)
class Kind:
    """One way to spoil a row.

    Parameters
    ----------
    name : str
    cells : mapping of str to str
        New text by field, a template of what `_words` gives.
    reads : str
        What the destination then says: `ITS_OWN`, `NOTHING` or a template of a prefix.
    copies : bool
        Whether the row first becomes a copy of a clean one.
    """

    name: str
    cells: dict[str, str]
    reads: str = ITS_OWN
    copies: bool = False


def _destination(name: str, text: str, reads: str = NOTHING) -> Kind:
    return Kind(name, {"dest": text}, reads)


KINDS: Final = (
    _destination("bare address", "{address}"),
    _destination("dotted mask", "{address}/{mask}"),
    _destination("zero before the length", "{address}/0{length}"),
    _destination("zeros before octets", "{a:03}.{b:03}.{c:03}.{d:03}/{length}"),
    _destination("octet too large", "{a}.256.{c}.0/{length}"),
    _destination("length too large", "{address}/33"),
    _destination("three octets", "{a}.{b}.{c}/{length}"),
    _destination("comma for a dot", "{a},{b}.{c}.{d}/{length}"),
    _destination("blank inside", "{address} /{length}"),
    _destination("full-width digits", "{wide}/{length}"),
    _destination("a range", "{address}-{last}"),
    _destination("words", "see NET-{a}{b}"),
    _destination("IPv6", "2001:db8:{a:x}{b:02x}::/48"),
    _destination("no destination", ""),
    _destination("host bits", "{last}/{length}", ITS_OWN),
    _destination("default route", "0.0.0.0/0", "0.0.0.0/0"),
    _destination("shared address space", "100.64.{b}.0/24", "100.64.{b}.0/24"),
    _destination("link local", "169.254.{b}.0/24", "169.254.{b}.0/24"),
    _destination("multicast", "224.{a}.{b}.0/24", "224.{a}.{b}.0/24"),
    Kind("weight of 50", {"weight": "50"}),
    Kind("weight in words", {"weight": "standby"}),
    Kind("zero before the weight", {"weight": "0100"}),
    Kind("weight of a spreadsheet", {"weight": "{weight}.0"}),
    Kind("no weight", {"weight": ""}),
    Kind("foreign id", {"connection": "vpn-{tail}", "hop": "vpn-{tail}"}),
    Kind("no connection", {"connection": ""}),
    Kind("tunnel for next hop", {"hop": "169.254.10.1"}),
    Kind("no next hop", {"hop": ""}),
    Kind("other region", {"region": "eu-central-1"}),
    Kind("no region", {"region": ""}),
    Kind("repeated", {}, copies=True),
    Kind("other weight", {"weight": "{other_weight}"}, copies=True),
    Kind("other next hop", {"hop": "169.254.12.1"}, copies=True),
)


@dataclass(frozen=True)
class Spoilt:
    """An inventory with its mistakes.

    ``columns`` by head; ``kind`` int16, -1 where clean, else the place in `KINDS`; ``reads``
    int64, network × 64 + length of what the destination says, or `UNREAD`.
    """

    columns: dict[str, Column]
    kind: np.ndarray
    reads: np.ndarray


def spoil(layout: Layout, columns: dict[str, Column], dirt: float, seed: int) -> Spoilt:
    """Spoil a part of the rows, each kind of mistake as often as the next.

    Parameters
    ----------
    layout, columns : Layout, dict
        The clean inventory, as numbers and as text.
    dirt : float
        Part of the rows to spoil.
    seed : int

    Examples
    --------
    >>> from benchmarks.inventories import Shape, columns, lay_out
    >>> layout = lay_out(Shape(1000))
    >>> found = spoil(layout, columns(layout, 7), 0.05, 7)
    >>> int((found.kind >= 0).sum()), len(found.columns["RouteDest"])
    (50, 1000)
    """
    kind, spoilt = _choose(len(layout), dirt, seed)
    models = _models(kind, spoilt, seed)
    good = list(
        zip(
            [KINDS[place] for place in kind[spoilt]],
            _good_rows(layout, columns, models),
            strict=True,
        )
    )
    reads = _packed(layout, np.arange(len(layout)))
    own = _packed(layout, models).tolist()
    reads[spoilt] = [
        mine if one.reads == ITS_OWN else _read(one.reads.format_map(words))
        for mine, (one, words) in zip(own, good, strict=True)
    ]
    new = {
        head: _put(columns[head], spoilt, [_cell(field, one, words) for one, words in good])
        for field, head in _HEADS.items()
    }
    return Spoilt(columns | new, kind, reads)


def _choose(rows: int, dirt: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the kind of each row, and which rows are to be spoilt."""
    kind = np.full(rows, -1, dtype=np.int16)
    spoilt = np.random.default_rng((seed, 2)).permutation(rows)[: round(rows * dirt)]
    kind[spoilt] = np.arange(len(spoilt)) % len(KINDS)
    return kind, spoilt


def _models(kind: np.ndarray, spoilt: np.ndarray, seed: int) -> np.ndarray:
    """Return the good row behind each spoilt one: itself, or the clean one that it copies."""
    copies = np.array([one.copies for one in KINDS])[kind[spoilt]]
    clean = np.flatnonzero(kind < 0)
    if not len(clean):
        return spoilt
    others = np.random.default_rng((seed, 3)).choice(clean, len(spoilt))
    return np.where(copies, others, spoilt)


def _packed(layout: Layout, rows: np.ndarray) -> np.ndarray:
    return layout.network[rows].astype(np.int64) << 6 | layout.length[rows]


def _good_rows(
    layout: Layout, columns: dict[str, Column], rows: np.ndarray
) -> list[dict[str, Any]]:
    """Return what the templates may name of each of the rows."""
    took = {field: columns[head].take(pa.array(rows)) for field, head in _HEADS.items()}
    numbers = zip(layout.network[rows].tolist(), layout.length[rows].tolist(), strict=True)
    texts = zip(*(column.to_pylist() for column in took.values()), strict=True)
    return [
        _words(network, length, dict(zip(took, text, strict=True)))
        for (network, length), text in zip(numbers, texts, strict=True)
    ]


def _words(network: int, length: int, text: dict[str, str]) -> dict[str, Any]:
    mask = 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
    address = _dotted(network)
    return {
        **text,
        **dict(zip("abcd", network.to_bytes(4, "big"), strict=True)),
        "address": address,
        "last": _dotted(network | ~mask & 0xFFFFFFFF),
        "mask": _dotted(mask),
        "length": length,
        "wide": address.translate(_WIDE),
        "tail": text["connection"].removeprefix("vco-"),
        "other_weight": "0" if text["weight"] == "100" else "100",
    }


def _dotted(address: int) -> str:
    return ".".join(map(str, address.to_bytes(4, "big")))


def _cell(field: str, kind: Kind, words: dict[str, Any]) -> str:
    """Return the text that a spoilt row has in one field; empty where it has none."""
    return kind.cells.get(field, "{" + field + "}").format_map(words)


def _read(text: str) -> int:
    """Return what a well-formed prefix says, without host bits; `UNREAD` for no text."""
    if not text:
        return UNREAD
    address, length = text.split("/")
    value = int.from_bytes(bytes(map(int, address.split("."))), "big")
    return value << 6 | int(length)


def _put(column: Column, rows: np.ndarray, texts: list[str]) -> Column:
    """Return a column with other text in some rows; empty text is no value."""
    place = np.arange(len(column))
    place[rows] = len(column) + np.arange(len(rows))
    new = pa.array([text or None for text in texts], TEXT)
    return pa.chunked_array([column, new]).take(pa.array(place)).combine_chunks()
