"""Fill the tables of the docs that come from the code: ``make docs``.

A table is between two comments that name it::

    <!-- made: exit codes -->
    …
    <!-- end: exit codes -->
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vcokit.cli import ExitCode
from vcokit.cloud.error_codes import CODES, MEANINGS
from vcokit.cloud.operations import KNOWN
from vcokit.config import SETTINGS
from vcokit.contract import CONTRACT

ROOT: Final = Path(__file__).parent.parent
#: The facts of each operation, those of other services too.
FACTS: Final[Mapping[str, Any]] = {
    name: fact
    for service in (CONTRACT, *CONTRACT["services"].values())
    for name, fact in service["operations"].items()
}
PAGES: Final = (
    "docs/tutorial-bulk-import.md",
    "docs/contract.md",
    "docs/executor.md",
    "vcokit/simulator/COVERAGE.md",
)


def main() -> int:
    """Fill all pages."""
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text("utf-8")), encoding="utf-8")
    return 0


def filled(text: str) -> str:
    r"""Return a page with its tables filled from the code.

    Examples
    --------
    >>> filled("<!-- made: nothing -->\nold\n<!-- end: nothing -->")
    Traceback (most recent call last):
    KeyError: 'nothing'
    """
    marked = re.compile(r"(<!-- made: (.+?) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return a table as Markdown.

    Examples
    --------
    >>> print(table(["a", "b"], [[1, "x|y"]]), end="")
    | a | b |
    |---|---|
    | 1 | x\|y |
    """
    lines = [list(map(str, row)) for row in rows]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (list(header), *lines)]
    cells.insert(1, [])
    drawn = ("| " + " | ".join(row) + " |" if row else "|" + "---|" * len(header) for row in cells)
    return "\n".join(drawn) + "\n"


def exits() -> str:
    """Return the exit codes of the shell."""
    return table(("exit code", "says"), ((int(code), code.meaning) for code in ExitCode))


def settings() -> str:
    """Return the settings with their defaults."""
    rows = (
        (f"`{each.name}`", f"{each.default} {each.unit}".strip() or "–", each.meaning)
        for each in SETTINGS.values()
    )
    return table(("setting", "default", "meaning"), rows)


def operations() -> str:
    """Return the operations of the API with their limits."""
    rows = (
        (
            f"`{each.name}`",
            "write" if each.writes else "read",
            f"{each.limit.calls} in {each.limit.seconds:g} s",
            sureness(FACTS[each.name]["limit"]),
            ", ".join(each.required) or "–",
        )
        for each in KNOWN.values()
    )
    return table(("operation", "kind", "limit", "confidence", "required parameters"), rows)


def limits() -> str:
    """Return the rate limits of the operations, as the simulator enforces them."""
    facts = ((name, fact["limit"]) for name, fact in FACTS.items())
    rows = ((f"`{name}`", of["calls"], of["seconds"], sureness(of)) for name, of in facts)
    return table(("operation", "calls", "seconds", "confidence"), rows)


def sureness(fact: Mapping[str, str]) -> str:
    """Return the confidence of a fact, and what is noted beside it.

    Examples
    --------
    >>> sureness({"confidence": "assumed", "note": "no page says so"})
    'assumed: no page says so'
    """
    return ": ".join(fact[key] for key in ("confidence", "note") if key in fact)


def listed_codes() -> str:
    """Return the error codes that each operation lists, and those that are inferred for it."""
    rows = []
    for name, fact in FACTS.items():
        inferred = fact["errors"].get("inferred", [])
        listed = [code for code in fact["errors"]["codes"] if code not in inferred]
        cells = (", ".join(f"`{code}`" for code in codes) or "–" for codes in (listed, inferred))
        rows.append((f"`{name}`", *cells))
    return table(("operation", "listed codes", "inferred codes"), rows)


def codes() -> str:
    """Return the error codes that are known, by kind."""
    rows = []
    for kind, meaning in MEANINGS.items():
        named = [f"`{code}`" for code, each in CODES.items() if each.kind is kind]
        again = "yes" if meaning.again else "no"
        rows.append((kind, again, meaning.write, ", ".join(named) or "–"))
    return table(("kind", "a read is retried", "a write becomes", "codes"), rows)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "exit codes": exits,
    "settings": settings,
    "operations": operations,
    "limits": limits,
    "listed codes": listed_codes,
    "error codes": codes,
}


if __name__ == "__main__":
    sys.exit(main())
