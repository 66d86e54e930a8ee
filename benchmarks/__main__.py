"""Measures vcokit beside others and prints one table; see the package."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks import DisagreementError, Row, algebra, calls, makespan

HEADS = ("question", "vcokit", "beside", "its figure", "gained")


def rows(chosen: argparse.Namespace, aside: Console) -> Iterator[Row]:
    """Yield the rows of what was asked for, as they are measured."""
    say = lambda line: aside.print(line, style="yellow", markup=False)  # noqa: E731
    if "algebra" in chosen.only:
        yield from algebra.rows(chosen.rows, chosen.rounds, say)
    if "makespan" in chosen.only:
        yield from makespan.rows(chosen.steps, chosen.connections, chosen.seeds)
    if "calls" in chosen.only:
        yield from calls.rows(chosen.calls, chosen.rounds)


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parts = ["algebra", "makespan", "calls"]
    parser.add_argument("only", nargs="*", choices=[*parts, []], default=parts)
    for name, default, what in (
        ("rows", 1_000_000, "rows of the inventories"),
        ("rounds", 5, "rounds that medians are taken of"),
        ("steps", 2_000, "steps of a rollout"),
        ("connections", 50, "connections that they are on"),
        ("seeds", 3, "rollouts that medians are taken of"),
        ("calls", 300, "calls of a round"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} ({default:,})")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> str | None:
    """Do what the command line says; return what went wrong, if anything."""
    chosen, aside = options(arguments), Console(stderr=True)
    found = []
    try:
        for row in rows(chosen, aside):
            aside.print(" | ".join(row), style="dim", markup=False, soft_wrap=True)
            found.append(row)
    except DisagreementError as error:
        return f"The answers differ, so their times mean nothing.\n{error}"
    if chosen.markdown:
        lines = [HEADS, ("---", "---:", "---", "---:", "---:"), *found]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines))
    else:
        table = Table(*HEADS, box=None)
        for row in found:
            table.add_row(*row)
        Console(width=None if sys.stdout.isatty() else 140).print(table)
    print(
        f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {chosen.rows:,} rows, medians "
        f"of {chosen.rounds} interleaved rounds; {chosen.steps:,} steps on {chosen.connections} "
        f"connections, medians of {chosen.seeds} rollouts."
    )
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
