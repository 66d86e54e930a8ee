"""The README's table of figures: made from ``out/bench.json``, between two marks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from benchmarks.contest import CASES, OURS
from benchmarks.peers import PEERS
from benchmarks.report import NOTHING, Document, seconds, times

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- figures: python -m benchmarks --readme -->"
END: Final = "<!-- end of figures -->"


def fill(text: str, document: Document) -> str:
    r"""Return a README with the figures of a document between its marks.

    Raises
    ------
    ValueError
        If the marks are not there, once each and in order.

    Examples
    --------
    >>> print(fill(f"before\n{BEGIN}\nold\n{END}\nafter", {}).splitlines()[-1])
    after
    """
    between = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if len(between.findall(text)) != 1:
        raise ValueError(f"write {BEGIN} and {END} into the README, once each")
    return between.sub(lambda _: f"{BEGIN}\n{table(document)}\n{END}", text)


def table(document: Document) -> str:
    """Return the table and the sentence below it, as Markdown; a dash for what is not there."""
    section = document.get("beside", {"cases": []})
    found = {case["case"]: case for case in section["cases"]}
    heads = ["", OURS, *(peer.name for peer in PEERS)]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    lines += [[case.title, *_cells(found.get(case.name))] for case in CASES]
    rows = "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)
    return f"{rows}\n\n{_sentence(document)}"


def _cells(case: dict[str, Any] | None) -> list[str]:
    if case is None:
        return [NOTHING] * (1 + len(PEERS))
    ratios = [case["ratios"].get(peer.name) for peer in PEERS]
    own = seconds(case["entries"][OURS]["median"])
    return [own, *(times(ratio["median"]) if ratio else NOTHING for ratio in ratios)]


def _sentence(document: Document) -> str:
    """Return what was measured, when, and how it grows."""
    if "beside" not in document:
        return "Not measured yet."
    section = document["beside"]
    words = [
        f"{section['rows']:,} rows, {section['machine']['cores']} cores, "
        f"medians of {section['rounds']} interleaved rounds, {section['measured'][:10]}."
    ]
    for case in document.get("growth", {}).get("cases", []):
        if case["case"] == "findings":
            last = case["points"][-1]
            words.append(
                f"{last['rows']:,} rows from CSV to findings: {seconds(last['median'])}, "
                f"{last['peak_mib'] / 1024:.1f} GiB at most, growth exponent "
                f"{case['exponent']:.2f}."
            )
    return " ".join(words)
