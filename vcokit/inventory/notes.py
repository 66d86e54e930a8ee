"""What reading noticed and changed, in words: said of a table, of several, and in a report.

``routes.attrs["read"]["notes"]`` holds them. Of one table they stand there alone; of several each
begins with the source that it is about, and what is true of many sources is said once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

    from vcokit.inventory.cells import Tally

#: A source and what is noted of it.
Note = tuple[str, str]

#: How a tally is worded: a count, an ``s`` for several, and what stands behind ``region``.
_WORDS: Final = {
    "trimmed": "blanks trimmed in {} cell{}",
    "unprotected": "protective ' taken away in {} cell{}",
    "lowered": "put in lower case: {} cell{}",
    "translated": "weight words replaced in {} cell{}",
    "region": "region_id filled with {2} in {0} row{1}",
    "blank": "{} blank line{} skipped",
    "short": "fewer cells than the head in {} row{}",
    "joined": "network and mask joined in {} row{}",
    "split": "several networks split into rows in {} cell{}",
}
_NAMED: Final = 3  # sources that a note names


def worded(tally: Tally) -> list[str]:
    """Return what was counted, in words.

    Examples
    --------
    >>> from vcokit.inventory.cells import Tally
    >>> worded(Tally({"blank": 1, "trimmed": 2}))
    ['1 blank line skipped', 'blanks trimmed in 2 cells']
    """
    return [
        _WORDS[what].format(count, "s" * (count != 1), region)
        for (what, _, region), count in ((key.partition(" "), n) for key, n in tally.counts.items())
    ]


def merged(notes: Iterable[Note]) -> list[str]:
    """Return notes with their sources; what is noted of several sources is one note.

    Examples
    --------
    >>> merged([("a.csv", "x"), ("a.csv", "y"), *((f"{n}.csv", "x") for n in range(4))])
    ['a.csv, 0.csv, 1.csv and 2 more: x', 'a.csv: y']
    """
    sources: dict[str, list[str]] = {}
    for source, note in notes:
        sources.setdefault(note, []).append(source)
    return [f"{_listed(names)}: {note}" for note, names in sources.items()]


def notes_of(routes: pd.DataFrame) -> list[str]:
    r"""Return what reading noted of routes, each note with its source.

    Parameters
    ----------
    routes : DataFrame
        From `vcokit.read_routes`; any other has no notes.

    Examples
    --------
    >>> from vcokit.inventory import read_routes
    >>> notes_of(read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.0.0.0/8,100\n"))
    ['<text>: next_hop taken from the connection']
    """
    read = routes.attrs.get("read")
    if not isinstance(read, Mapping) or "source" not in read:
        return []
    notes = [str(note) for note in read.get("notes") or ()]
    return notes if "tables" in read else [f"{read['source']}: {note}" for note in notes]


def _listed(sources: list[str]) -> str:
    more = len(sources) - _NAMED
    return ", ".join(sources[:_NAMED]) + (f" and {more} more" if more > 0 else "")
