"""``vcokit completion``: the script that lets a shell complete commands and options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from vcokit.cli.commands import COMPLETE


class Shell(StrEnum):
    """Shells that can be taught."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


def completion_command(
    shell: Annotated[Shell, typer.Argument(help="Which shell.", metavar="SHELL")],
) -> None:
    """Print the script that completes commands in a shell.

    For bash: vcokit completion bash > ~/.local/share/bash-completion/completions/vcokit
    """
    print(get_completion_script(prog_name="vcokit", complete_var=COMPLETE, shell=shell.value))
