"""Write the reference of the commands from the commands themselves: ``make commands``.

Names, options, defaults and words are those of ``--help``; exit codes those of the table in the
code. A test compares ``docs/commands.md`` with what this writes.
"""

from __future__ import annotations

from collections.abc import Iterator

import typer

from vcokit.cli import COMMANDS, ExitCode, load

_HEAD = """# The commands

Made from the code by `make commands`. `vcokit COMMAND --help` says the same in the shell.

What a person reads goes to standard output, in colours and with a progress bar on a terminal only;
of commands whose result is a table or a file (`plan`, `verify`, `live`, `diff`, `aggregate`) only
the result does, what is said about it goes to standard error, and the result is UTF-8 whatever the
terminal speaks. Whoever stops reading (`| head`) changes no exit code: the command goes on to its
end in silence. What was noted when an inventory was read (a sheet left out, cells mended) goes to
standard error, a line each, `note: …`. Nothing is ever asked without a terminal. Settings:
option > environment (`VCOKIT_…`) > `vcokit.toml` > default; see `vcokit config`.
"""


def reference() -> str:
    """Return the reference as markdown."""
    parts = [_HEAD, "\n".join(_overview()), "", "## Exit codes\n", "\n".join(_exits()), ""]
    for name, (_, words) in COMMANDS.items():
        parts += ["\n".join(_command(name, words)), ""]
    return "\n".join(parts).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| command | does |"
    yield "|---|---|"
    for name, (_, words) in COMMANDS.items():
        yield f"| [`{name}`](#{name}) | {_cell(words)} |"


def _exits() -> Iterator[str]:
    yield "| code | when |"
    yield "|---:|---|"
    for code in ExitCode:
        yield f"| {int(code)} | {_cell(code.meaning)} |"


def _command(name: str, words: str) -> Iterator[str]:
    command = load(name)
    context = typer.Context(command, info_name=name)
    records = [one.get_help_record(context) for one in command.params if one.name != "help"]
    usage = " ".join(["vcokit", name, *command.collect_usage_pieces(context)])
    yield f"## {name}\n"
    yield f"`{usage}`\n"
    yield " ".join((command.help or words).split())
    if records:
        yield "\n| | |\n|---|---|"
    for option, text in filter(None, records):
        yield f"| `{_cell(option)}` | {_cell(text)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
