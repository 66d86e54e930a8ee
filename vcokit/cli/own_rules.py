"""Rules of one's own in the shell: the option that names their files, and the list of all rules.

``--rules`` picks rules by name, and ``--rules-file`` brings new ones. So the list has an option of
its own, ``--list-rules``: ``--rules`` without names would take the next word, a FILE, for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vcokit.audit.rules import Rule

RulesFile = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Python file with rules of your own; may be repeated."),
]


def own_rules(files: Sequence[Path] | None) -> list[Rule]:
    """Return the rules that installed packages offer, and those of some files.

    Raises
    ------
    RuleError
        If a package or a file cannot be loaded, or holds no rule.
    """
    from vcokit.audit import load_rules

    return [*load_rules(), *(load_rules(*files) if files else ())]


def rule_table(own: Sequence[Rule]) -> Any:
    """Return all rules as a table: name, severity, whose it is, what it says."""
    from vcokit.audit.rules import RULES
    from vcokit.cli import show

    rows = [(one, "built-in") for one in RULES] + [(one, "own") for one in own]
    return show.table(
        "Rules",
        ("rule", "severity", "from", "which says"),
        ((one.name, show.severity(one.severity), whose, one.summary) for one, whose in rows),
    )
