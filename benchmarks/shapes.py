"""What the shape of an inventory costs: ours on every shape, in one run, beside the plain one.

Answers are compared with the peers' on the same shapes of at most `COMPARED` rows first, because
some peers need minutes on some shapes.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import child
from benchmarks.beside import Say, agreed
from benchmarks.contest import BY_NAME
from benchmarks.given import Given
from benchmarks.inventories import ORDERS, SPREADS, Shape
from benchmarks.peers import PEERS, VCOKIT
from benchmarks.timing import interleaved, ratio

COMPARED: Final = 20_000
DIRT: Final = 0.03
#: What is asked of the clean shapes, and of the dirty ones.
CASES: Final = {
    False: ("parse", "duplicates", "cover-groups", "cover-global", "aggregate"),
    True: ("parse-dirty", "findings"),
}


def run(
    rows: int, cases: Iterable[str], rounds: int, *, addresses: int, say: Say
) -> dict[str, Any]:
    """Measure ours on every shape.

    Returns
    -------
    dict
        ``rows``, ``rounds``, ``compared_at``, and ``cases``: for each ``case``, ``title``,
        ``seconds`` (list) and ``slower`` (median, low, high) by kind of shape, the first being the
        plain one.
    """
    wanted = set(cases)
    found = []
    for dirty, names in CASES.items():
        chosen = [name for name in names if name in wanted]
        if not chosen:
            continue
        kinds = [
            Shape(rows, spread, order, DIRT if dirty else 0.0)
            for spread, order in itertools.product(SPREADS, ORDERS)
        ]
        with TemporaryDirectory(prefix="vcokit-shapes-") as folder:
            _compare(kinds, chosen, Path(folder), say)
            givens = _make(kinds, Path(folder), addresses, say)
            found += [_measured(name, givens, rounds, say) for name in chosen]
    compared = min(rows, COMPARED)
    return {"rows": rows, "rounds": rounds, "compared_at": compared, "cases": found}


def _compare(kinds: list[Shape], cases: list[str], folder: Path, say: Say) -> None:
    """Compare answers on small inventories of the same shapes."""
    for shape in kinds:
        rows = min(shape.rows, COMPARED)
        say(f"shapes: answers compared on {shape.kind}")
        with TemporaryDirectory(dir=folder) as small:
            smaller = Shape(rows, shape.spread, shape.order, shape.dirt, shape.seed)
            given = Given.make(smaller, Path(small), addresses=rows)
            for name in cases:
                able = [peer for peer in PEERS if not peer.missing and name in peer.entries]
                agreed(BY_NAME[name], given, able)


def _make(kinds: list[Shape], folder: Path, addresses: int, say: Say) -> dict[str, Given]:
    givens = {}
    for number, shape in enumerate(kinds):
        say(f"shapes: {shape} are made")
        own = folder / str(number)
        own.mkdir()
        givens[shape.kind] = child.make(shape, own, addresses)
    return givens


def _measured(name: str, givens: dict[str, Given], rounds: int, say: Say) -> dict[str, Any]:
    """Return a case's times on every shape."""
    say(f"shapes: {name}, {rounds} rounds")
    calls = {kind: VCOKIT.entries[name](given).call for kind, given in givens.items()}
    rows = next(iter(givens.values())).shape.rows
    seconds = interleaved(calls, rounds, BY_NAME[name].room * rows)
    plain = next(iter(seconds.values()))
    return {
        "case": name,
        "title": BY_NAME[name].title,
        "seconds": seconds,
        "median": {kind: statistics.median(times) for kind, times in seconds.items()},
        "slower": {kind: ratio(plain, times)._asdict() for kind, times in seconds.items()},
    }
