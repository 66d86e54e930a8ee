"""What the benchmarks ask, how an answer is read, and how fast ours is to be.

A *case* is a question about an inventory. An *entry* is one program's way to answer it: what is
timed, and how its result reads as named numbers, by which answers are compared. What an entry
needs beforehand (a list of objects, a filled table) is made by its `Prepare`, untimed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.given import Given

Answer = Mapping[str, np.ndarray]


class Entry(NamedTuple):
    """One program's way to answer a case: ``call`` is timed, ``answer`` reads its result."""

    call: Callable[[], Any]
    answer: Callable[[Any], Answer]


Prepare = Callable[[Given], Entry]


@dataclass(frozen=True)
class Case:
    """A question about an inventory.

    Parameters
    ----------
    name : str
        As in ``--cases``.
    title : str
        For people: what goes in → what comes out.
    dirty : bool
        Whether it is asked of an inventory with mistakes in it. A peer may then read what the
        strict form refuses; that is told, not held against it.
    room : int
        Bytes a row that are at hand before each call: more than ours takes.
    targets : mapping of str to float
        By peer, how many times as fast ours must be at `JUDGED` rows.
    """

    name: str
    title: str
    dirty: bool = False
    room: int = 256
    targets: Mapping[str, float] = field(default_factory=dict)


#: Rows that the targets below are promised for; fewer say nothing about them.
JUDGED: Final = 1_000_000
CASES: Final = (
    Case("parse", "text → prefixes", targets={"netaddr": 35, "ipaddress": 60, "DuckDB": 1}),
    Case("parse-dirty", "text → prefixes, 3 % dirty", dirty=True),
    Case("duplicates", "rows → first of the same"),
    Case("cover-groups", "closest cover, per connection", targets={"pytricia": 12}),
    Case("cover-global", "closest cover, over all"),
    Case("table", "prefixes → lookup table", targets={"pytricia": 1}),
    Case("lookup", "1 M integers → longest match", targets={"pytricia": 60}),
    Case("lookup-text", "1 M texts → longest match", targets={"pytricia": 10}),
    Case("member", "prefixes, 1 M texts → is in any"),
    Case("aggregate", "prefixes → fewest blocks", targets={"netaddr": 100}),
    Case("blocks", "file → fewest blocks → file", targets={"iprange": 1}),
    Case(
        "findings",
        "CSV → all findings",
        dirty=True,
        room=1024,
        targets={"netaddr": 12, "pandas": 1 / 6},
    ),
)
BY_NAME: Final = {case.name: case for case in CASES}

OURS: Final = "vcokit"


def positions(found: object) -> Answer:
    """Read a result that is a row's position for each row, -1 for none."""
    return {"position": np.asarray(found, dtype=np.int64)}


def prefixes(network: object, length: object) -> Answer:
    """Read a result that is a set of prefixes, in any order."""
    packed = np.asarray(network, np.int64) << 6 | np.asarray(length, np.int64)
    return {"prefix": np.sort(packed)}


def prefixes_of_file(path: Path) -> Answer:
    """Read a file of one prefix a line; a bare address is a /32."""
    lines = path.read_text("ascii").splitlines()
    numbers = np.array(
        [[int(n) for n in f"{line}/32".replace(".", "/").split("/")[:5]] for line in lines]
    ).reshape(-1, 5)
    return prefixes(numbers[:, :4] @ (1 << np.array([24, 16, 8, 0])), numbers[:, 4])
