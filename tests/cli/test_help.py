"""Help: what is used most comes first, with an example, and it can be read on any terminal."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import version

import pytest

from tests.cli.stage import on_terminal
from vcokit.cli import COMMANDS, GROUPS, load

#: Options that many use; they stand in the first panel, before those of all others.
COMMON = {"--output", "--yes", "--journal", "--simulate", "--format", "--json"}
SHORT = {"--output": "-o", "--yes": "-y", "--format": "-f", "--help": "-h"}


def options_of(name: str) -> dict[str, list[str]]:
    """Return the spellings of each option of a command, by its long name."""
    params = [one for one in load(name).params if one.param_type_name == "option"]
    return {one.opts[0]: one.opts for one in params}


def test_the_version_and_the_list_of_commands(shell) -> None:
    """--version is that of the package; each command stands in the whole, and has help, -h too."""
    assert shell("--version")[1] == f"vcokit {version('vcokit')}\n"
    overall = shell("--help")[1]
    assert shell("-h")[1] == overall
    for name, command in {**COMMANDS, **GROUPS}.items():
        *group, word = name.split()
        listed = shell(*group, "--help")[1] if group else overall
        assert re.search(rf"^  {word} +{re.escape(command.summary)}$", listed, re.M)
        assert shell(*group, word, "-h") == shell(*group, word, "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(shell, monkeypatch, name: str) -> None:
    """80 columns, plain; common options first, short forms, an example that could be typed."""
    monkeypatch.setenv("COLUMNS", "80")
    code, shown, err = shell(*name.split(), "--help")
    assert (code, err, "\x1b" in shown) == (0, "", False)
    assert max(map(len, shown.splitlines())) <= 80
    panels = dict(re.findall(r"^(\w[\w ]+):\n((?:  .*\n)+)", shown, re.M))
    given = options_of(name)
    for option, spellings in given.items():
        assert re.search(rf"^  (?:-\w, )?{option}\b", shown, re.M)
        assert option not in COMMON or f"{option} " in panels["Options"]
        assert option not in SHORT or SHORT[option] in spellings
    example = shlex.split(re.search(r"Example: vcokit (.*)", shown)[1])
    words = {word for word in example if word.startswith("-") and word != "-"}
    assert example[: len(name.split())] == name.split()
    assert words <= {word for spellings in given.values() for word in spellings}


def test_help_on_a_terminal() -> None:
    """Panels with frames and colours, as wide as the terminal; no word of an option is lost."""
    code, text = on_terminal("apply", "--help", columns=80)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert (code, "\x1b[" in text) == (0, True)
    assert max(map(len, shown.splitlines())) <= 80
    for option in options_of("apply"):
        assert option in shown
    paragraph = re.search(r"Rows with errors.*?(?=\n\s*\n)", shown.replace("\r", ""), re.DOTALL)[0]
    assert all(len(line.strip()) > 65 for line in paragraph.splitlines()[:-1])
    for panel in ("Options", "Plan", "Pace", "Reading files", "Cloud and simulator"):
        assert re.search(rf"╭─ {panel} ─+╮", shown)
    assert "default: never" in shown
