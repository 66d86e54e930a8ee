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

Output goes to standard output, with colours and a progress bar on a terminal only. If the result is
a table or a file (`plan`, `verify`, `live`, `diff`, `aggregate`), standard output holds the result
alone, in UTF-8 whatever the terminal's encoding; messages go to standard error. If the reader of a
pipe leaves (`| head`), the command goes on to its end, and its exit code is that of the end. Notes
about the inventory (a sheet left out, cells cleaned) go to standard error, each as `note: …` in a
line of its own. Without a terminal nothing is ever asked. Settings: option > environment
(`VCOKIT_…`) > `vcokit.toml` > default; see `vcokit config`.
"""


def reference() -> str:
    """Return the reference as markdown."""
    parts = [_HEAD, "\n".join(_overview()), "", "## Exit codes\n", "\n".join(_exits()), ""]
    for name in COMMANDS:
        parts += ["\n".join(_command(name)), ""]
    return "\n".join(parts).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| command | does |"
    yield "|---|---|"
    for name, command in COMMANDS.items():
        yield f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(command.summary)} |"


def _exits() -> Iterator[str]:
    yield "| code | when |"
    yield "|---:|---|"
    for code in ExitCode:
        yield f"| {int(code)} | {_cell(code.meaning)} |"


def _command(name: str) -> Iterator[str]:
    command = load(name)
    context = typer.Context(command, info_name=name)
    panels: dict[str, list[tuple[str, str]]] = {}
    for one in command.params:
        panel = one.rich_help_panel or "Options"
        panel = "Arguments and options" if panel == "Options" else panel
        panels.setdefault(panel, []).append(one.get_help_record(context))
    text, _, example = command.help.partition("Example: ")
    usage = " ".join(["vcokit", name, *command.collect_usage_pieces(context)])
    yield f"## {name}\n"
    yield f"`{usage}`\n"
    yield " ".join(text.split())
    yield f"\n```sh\n{example}\n```"
    for panel, records in panels.items():
        yield f"\n| {panel} | |\n|---|---|"
        for option, says in records:
            yield f"| `{_cell(option)}` | {_cell(says)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
