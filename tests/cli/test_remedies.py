"""What an error advises can be done where it is read: in Python an argument, here an option."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

import vcokit
from tests.cli.test_help import options_of
from vcokit.cli import COMMANDS, shell_text
from vcokit.errors import InputError, Remedy

PACKAGE = Path(vcokit.__file__).parent
#: Options of remedies that are no option of the shell, and what it says instead.
OTHERWISE = {
    "resume": "vcokit resume x",
    "resume_fleet": "vcokit fleet resume x",
    "new_plan": "make a new plan: vcokit apply with the inventory",
    "format": "another name, such as routes.x",
}


def options_of_remedies() -> set[str]:
    """Return the names of all options that remedies in the package carry."""
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Remedy"
    ]
    return {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}


def test_every_option_that_is_advised_is_one() -> None:
    """Whatever a remedy names, some command has it, by the name that the shell says."""
    names = options_of_remedies()
    assert {"allow_gap", "columns", "encoding", "max_delete", "profile", "take_over"} <= names
    known = {option for name in COMMANDS for option in options_of(name)}
    for name in names:
        said = shell_text(InputError("", remedy=Remedy(f"{{{name}}}", **{name: "x"})))
        assert said.removeprefix(". ") == OTHERWISE.get(name) or said.split()[-2] in known


@pytest.mark.parametrize(
    ("options", "python", "shell"),
    [
        ({"allow_gap": True}, "allow_gap=True", "--allow-gap"),
        ({"max_delete": 7}, "max_delete=7", "--max-delete 7"),
        ({"encoding": "cp1252"}, 'encoding="cp1252"', "--encoding cp1252"),
        ({"sheet": ...}, "sheet=", "--sheet"),
        ({"columns": {"weight": "a b"}}, 'columns={"weight": "a b"}', '--column "weight=a b"'),
        ({"waves": [5, None]}, "waves=[5, None]", "--waves 5,rest"),
        (
            {"resume": "my a.db"},
            'vk.Rollout.open("my a.db", client).start()',
            "vcokit resume 'my a.db'",
        ),
    ],
)
def test_one_remedy_two_spellings(options: dict[str, object], python: str, shell: str) -> None:
    """An error is worded for Python, and by the shell for the shell; pickled it keeps both."""
    (name,) = options
    error = InputError("{wrong}", remedy=Remedy("Pass ") + Remedy(f"{{{name}}}", **options))
    for one in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert str(one) == f"{{wrong}}. Pass {python}"
        assert one.remedy == f"Pass {python}"
        assert shell_text(one) == f"{{wrong}}. Pass {shell}"
