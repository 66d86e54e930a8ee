"""The commands: where each lives, and the group that loads one only when it is called.

``vcokit --help`` shows all of them and loads none: no HTTP client, no plots, no rich. What
``import vcokit`` loads, pandas and pyarrow, is loaded by then.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

import typer
from typer.core import TyperGroup

#: The variable by which a shell asks for completions.
COMPLETE: Final = "_VCOKIT_COMPLETE"

#: How help is asked for.
HELP: Final = {"help_option_names": ["-h", "--help"]}

#: Module and one line of help of each command; its function is the name with ``_command``.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "audit": ("audit", "Read an inventory and print what is wrong, or worth knowing."),
    "plan": ("plan", "Plan what makes the live routes agree with an inventory; send nothing."),
    "apply": ("apply", "Read, audit, plan, apply and verify an inventory, or apply a saved plan."),
    "resume": ("apply", "Go on with a rollout where it broke off."),
    "status": ("status", "Tell how a rollout stands, also while it runs."),
    "undo": ("undo", "Take back what a rollout provably did."),
    "verify": ("verify", "Compare what an inventory asks for with what is live."),
    "live": ("live", "Write what the cloud holds now, as an inventory."),
    "diff": ("diff", "Compare two inventories, or an inventory with the live routes."),
    "explain": ("explain", "Say which route wins for an address, and what if it is down."),
    "aggregate": ("aggregate", "Write the same forwarding with the fewest destinations."),
    "policy": ("policy", "Print the RAM policy that commands need."),
    "config": ("config", "Show the settings in force and where each comes from."),
    "simulate": ("simulate", "Serve the simulated API on 127.0.0.1 until Ctrl-C."),
    "demo": ("demo", "Do the whole loop on a real inventory against a simulated cloud."),
    "completion": ("completion", "Print the script that completes commands in a shell."),
}


def load(name: str) -> Any:
    """Return a command as click knows it, its module loaded."""
    from vcokit.cli.groups import grouped

    module, _ = COMMANDS[name]
    function = getattr(importlib.import_module(f"vcokit.cli.{module}"), f"{name}_command")
    single = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    single.command(name, context_settings=HELP)(grouped(function))
    return typer.main.get_command(single)


class Lazy(TyperGroup):
    """A group whose commands are loaded one by one, when they are called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        # The names alone: typer looks at them where it suggests what was meant.
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's own
        """Return a command, None where there is none of that name."""
        if cmd_name in COMMANDS and self.commands[cmd_name] is None:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's own
        """Write the list of commands without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])
