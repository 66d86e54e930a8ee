"""Measures vcokit beside its peers; prints ratios, writes ``out/bench.json`` and pictures.

Without options: a million rows, five rounds, every case, what shapes cost, and the growth up to a
million rows; ten minutes on two quiet cores. ``--growth`` measures the growth alone, up to ten
million rows: some minutes, 7 GB of memory, 2 GB of disk. A run replaces only the sections that it
measures, so that ``--growth`` goes last, before ``--readme``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from benchmarks import beside, child, growth, picture, readme, report, shapes
from benchmarks.agreement import DisagreementError
from benchmarks.contest import CASES
from benchmarks.inventories import Shape
from benchmarks.peers import PEERS

_ADDRESSES: Final = 1_000_000
_WIDTH: Final = 140  # of what is printed into a file
_QUICK_ROWS: Final = 2_000
_QUICK_GROWTH: Final = ("cover-groups", "findings")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    add = parser.add_argument
    names = ",".join(case.name for case in CASES)
    add("--rows", type=int, help="rows of the inventories (1,000,000)")
    add("--rounds", type=int, help="rounds that medians are taken of (5)")
    add("--cases", default=names, help=f"some of {names}")
    add("--quick", action="store_true", help="a few thousand rows, one round, little memory")
    add("--growth", action="store_true", help="the growth alone, up to ten million rows")
    add("--readme", action="store_true", help="fill the README's table from the last run")
    add("--out", type=Path, default=Path("out"), help="folder of bench.json and the pictures")
    chosen = parser.parse_args(arguments)
    chosen.rows = chosen.rows or (_QUICK_ROWS if chosen.quick else 1_000_000)
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 5)
    chosen.cases = chosen.cases.split(",")
    unknown = set(chosen.cases) - {case.name for case in CASES}
    if unknown or chosen.rows < 1 or chosen.rounds < 1:
        parser.error(f"no case is named {', '.join(unknown)}" if unknown else "rows and rounds ≥ 1")
    return chosen


def sections(chosen: argparse.Namespace, say: beside.Say) -> dict[str, dict[str, Any]]:
    """Measure what was asked for; return the sections of the document."""
    addresses = min(_ADDRESSES, chosen.rows) if chosen.quick else _ADDRESSES
    sizes = [size for size in growth.SIZES if chosen.growth or size <= chosen.rows]
    cases = chosen.cases
    if chosen.quick:
        sizes = [chosen.rows // 4, chosen.rows]
        cases = [name for name in cases if name in _QUICK_GROWTH]
    common = {"addresses": addresses, "say": say}
    found: dict[str, dict[str, Any]] = {}
    if not chosen.growth:
        found["beside"] = _beside(chosen, **common)
        found["shapes"] = shapes.run(chosen.rows, chosen.cases, chosen.rounds, **common)
    if len(sizes) > 1:
        found["growth"] = growth.run(sizes, cases, chosen.rounds, **common)
    return {name: report.stamped(section) for name, section in found.items()}


def _beside(chosen: argparse.Namespace, addresses: int, say: beside.Say) -> dict[str, Any]:
    """Measure ours beside the peers."""
    with TemporaryDirectory(prefix="vcokit-bench-") as name:
        givens = {}
        for dirty in (False, True):
            shape = Shape(chosen.rows, dirt=0.03 if dirty else 0.0)
            say(f"{shape} are made")
            folder = Path(name) / ("dirty" if dirty else "clean")
            folder.mkdir()
            givens[dirty] = child.make(shape, folder, addresses)
        cases = beside.run(givens, chosen.cases, chosen.rounds, say=say, memory=not chosen.quick)
    missing = [peer.missing for peer in PEERS if peer.missing]
    return {"rows": chosen.rows, "rounds": chosen.rounds, "missing": missing, "cases": cases}


def main(arguments: Sequence[str]) -> str | None:
    """Do what the command line says; return what went wrong, if anything."""
    chosen = options(arguments)
    results = chosen.out / "bench.json"
    if chosen.readme:
        if not results.exists():
            return f"{results} is not there: run make bench first"
        filled = readme.fill(readme.README.read_text("utf-8"), report.load(results))
        readme.README.write_text(filled, encoding="utf-8")
        return None
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    aside = Console(stderr=True)
    for peer in PEERS:
        if peer.missing:
            aside.print(f"left out, {peer.missing}", style="bold yellow", markup=False)
    try:
        found = sections(chosen, lambda line: aside.print(line, style="dim", markup=False))
    except DisagreementError as error:
        return f"The answers differ, so their times mean nothing.\n{error}"
    report.show(found, console)
    document = report.load(results) | found
    report.save(document, results)
    for path in [results, *picture.draw(document, chosen.out)]:
        console.print(f"wrote {path}", style="dim", markup=False)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
