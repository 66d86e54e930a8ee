"""What was measured, for people: tables of ratios, and the words of every figure.

A document is what ``out/bench.json`` holds: the sections ``beside``, ``shapes`` and ``growth``,
each with its own time and machine, so that one can be measured again without the others.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.contest import OURS
from benchmarks.peers import PEERS

NOTHING: Final = "–"
_PACKAGES: Final = (
    *("numpy", "pandas", "pyarrow", "netaddr", "pytricia", "polars", "polars-iptools", "duckdb"),
)
Document = dict[str, Any]


def stamped(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with when and on what it was measured."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"measured": when, "machine": machine(), **section}


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": dict(_versions(_PACKAGES)),
    }


def _versions(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # it is named among the missing peers


def load(path: Path) -> Document:
    """Return what an earlier run wrote; empty where there was none."""
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def save(document: Document, path: Path) -> None:
    """Write a document for later runs and for other programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def times(ratio: float) -> str:
    """Write a ratio.

    Examples
    --------
    >>> times(41.4), times(4.16), times(0.171)
    ('41 ×', '4.2 ×', '0.17 ×')
    """
    digits = 0 if ratio >= 10 else 1 if ratio >= 1 else 2
    return f"{ratio:,.{digits}f} ×"


def seconds(value: float) -> str:
    """Write a time.

    Examples
    --------
    >>> seconds(0.00312), seconds(0.25), seconds(12.3)
    ('3.1 ms', '250 ms', '12.3 s')
    """
    if value >= 1:
        return f"{value:,.1f} s"
    return f"{value * 1000:.{1 if value < 0.1 else 0}f} ms"


def met(ratio: Mapping[str, Any]) -> bool | None:
    """Tell whether a ratio reaches its target; None where it has none."""
    return None if ratio["target"] is None else bool(ratio["median"] >= ratio["target"])


def show(document: Document, console: Console) -> None:
    """Print a document's sections."""
    if "beside" in document:
        console.print(_beside(document["beside"]))
        _say_targets(document["beside"], console)
        _say_notes(document["beside"], console)
    if "shapes" in document:
        console.print(_shapes(document["shapes"]))
    if "growth" in document:
        console.print(_growth(document["growth"]))


def _table(title: str, caption: str, heads: Iterable[str]) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    return table


def _beside(section: Mapping[str, Any]) -> Table:
    """Return the table of ratios: how many times as fast as each peer."""
    table = _table(
        f"How many times as fast as each peer, {section['rows']:,} rows",
        f"medians of {section['rounds']} rounds; memory is what the call alone took; "
        "green reaches its target, red does not",
        ["", OURS, "memory", *(peer.name for peer in PEERS)],
    )
    for case in section["cases"]:
        ours = case["entries"][OURS]
        table.add_row(
            case["title"],
            seconds(ours["median"]),
            memory(ours),
            *(_cell(case["ratios"].get(peer.name)) for peer in PEERS),
        )
    return table


def _cell(ratio: Mapping[str, Any] | None) -> Text:
    if ratio is None:
        return Text(NOTHING, style="dim")
    style = {None: "", True: "green", False: "bold red"}[met(ratio)]
    return Text(times(ratio["median"]), style=style)


def memory(entry: Mapping[str, Any]) -> str:
    """Write what a call took of memory beyond what it was given.

    Examples
    --------
    >>> memory({"before_mib": 100.0, "peak_mib": 130.4}), memory({})
    ('30 MiB', '–')
    """
    if "peak_mib" not in entry:
        return NOTHING
    return f"{entry['peak_mib'] - entry['before_mib']:,.0f} MiB"


def _say_targets(section: Mapping[str, Any], console: Console) -> None:
    for case in section["cases"]:
        for peer, ratio in case["ratios"].items():
            if ratio["target"] is not None:
                verdict = "reached" if met(ratio) else "missed"
                console.print(
                    f"{verdict}: {case['title']}, {times(ratio['median'])} {peer} "
                    f"(rounds {times(ratio['low'])} to {times(ratio['high'])}; "
                    f"target {times(ratio['target'])})",
                    style="green" if met(ratio) else "bold red",
                    markup=False,
                )


def _say_notes(section: Mapping[str, Any], console: Console) -> None:
    for case in section["cases"]:
        for note in case["notes"]:
            console.print(f"{case['case']}: {note}", style="dim", markup=False)
    for line in section["missing"]:
        console.print(f"not measured: {line}", style="bold yellow", markup=False)


def _shapes(section: Mapping[str, Any]) -> Table:
    """Return the table of shapes: how many times the plain one's time."""
    table = _table(
        f"What the shape of an inventory costs, {section['rows']:,} rows",
        f"times the plain shape's time, medians of {section['rounds']} rounds; answers compared "
        f"on {section['compared_at']:,} rows of each shape",
        ["", "plain", *("zipf", "giant", "sorted", "zipf, sorted", "giant, sorted")],
    )
    order = ("zipf, shuffled", "giant, shuffled", "even, sorted", "zipf, sorted", "giant, sorted")
    for case in section["cases"]:
        by_kind = {kind.rsplit(", ", 1)[0]: one for kind, one in case["slower"].items()}
        plain = next(iter(case["median"].values()))
        slower = (times(by_kind[kind]["median"]) for kind in order)
        table.add_row(case["title"], seconds(plain), *slower)
    return table


def _growth(section: Mapping[str, Any]) -> Table:
    """Return the table of growth: time and peak memory by rows, and the exponent."""
    sizes = [point["rows"] for point in section["cases"][0]["points"]] if section["cases"] else []
    table = _table(
        f"Growth, {section['shape']}",
        f"medians of {section['rounds']} rounds, and the peak memory of the whole process",
        ["", *(f"{rows:,}" for rows in sizes), "exponent"],
    )
    for case in section["cases"]:
        cells = [
            f"{seconds(point['median'])}\n{point['peak_mib']:,.0f} MiB" for point in case["points"]
        ]
        table.add_row(case["title"], *cells, _exponent(case))
    return table


def _exponent(case: Mapping[str, Any]) -> Text:
    promised = case["promised"]
    if promised is None:
        return Text(f"{case['exponent']:.2f}")
    style = "green" if case["exponent"] <= promised else "bold red"
    return Text(f"{case['exponent']:.2f}\n≤ {promised}", style=style)
