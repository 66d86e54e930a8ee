"""The same verbs in a shell: thin functions over the library.

::

    audit     audit, explain, aggregate       options   options that commands share
    rollout   plan, apply, resume, undo       console   tables, standard output, CSV and JSON
    inspect   live, verify, diff, status      run       a rollout: progress, log, summary, end
    tools     config, policy, simulate, demo  journals  their names, and what they may be used for

A command is loaded when it is called: ``vcokit --help`` lists all of them and loads none. The exit
codes stand here, and `exit_code` is the only place in which an exception becomes one.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Mapping
from enum import IntEnum
from importlib.metadata import version
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from vcokit._text import printable
from vcokit.cli.console import pipe_safe_streams
from vcokit.cli.words import in_shell
from vcokit.errors import (
    AuthError,
    CloudError,
    CredentialsError,
    RolloutError,
    StalePlanError,
    VcokitError,
)
from vcokit.rollout.signals import terminating

__all__ = ["COMMANDS", "ExitCode", "app", "exit_code", "load", "main"]


class ExitCode(IntEnum):
    """How a command ends, as a number that cron, CI and systemd can tell apart.

    The only table of them: the documentation and the summaries of rollouts are made from it.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> ExitCode:
        """Return a member that says when it is given."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "all is well"
    FINDINGS = 1, "findings at or above --fail-on; verify and diff: differences"
    INPUT = 2, "usage or input: a wrong option, a file that cannot be used, nobody to ask"
    STALE = (
        3,
        "stale plan: the live routes are not those it was made from; nothing more was sent",
    )
    CREDENTIALS = 4, "credentials: no AccessKey, or the cloud refuses it"
    UNREACHABLE = 5, "the cloud is out of reach, or its answer is of no use"
    FAILED = 6, "steps failed or were skipped"
    RESUMABLE = 7, "stopped by --max-hours, --stop-after or a wave; `vcokit resume` goes on"
    INTERRUPTED = 130, "interrupted by Ctrl-C or SIGTERM; the journal is whole"


#: A fault of vcokit itself ends with a traceback, and with Python's own code for that.
FAULT: Final = 1

#: click's exception of a wrong call; where typer keeps click is its own affair.
_UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[2]

#: Exit code of each exception; the first class that fits decides.
_CODES: Final[Mapping[type[BaseException], ExitCode]] = {
    StalePlanError: ExitCode.STALE,
    CredentialsError: ExitCode.CREDENTIALS,
    AuthError: ExitCode.CREDENTIALS,
    CloudError: ExitCode.UNREACHABLE,
    RolloutError: ExitCode.FAILED,
    VcokitError: ExitCode.INPUT,
    _UsageError: ExitCode.INPUT,
    OSError: ExitCode.INPUT,
    KeyboardInterrupt: ExitCode.INTERRUPTED,
    typer.Abort: ExitCode.INTERRUPTED,
}


def exit_code(error: BaseException) -> int:
    """Return the exit code of an exception; `FAULT` of one that nobody expects.

    Examples
    --------
    >>> int(exit_code(StalePlanError("…"))), int(exit_code(VcokitError("…"))), exit_code(KeyError())
    (3, 2, 1)
    """
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAULT)


class Command(NamedTuple):
    """Where a command lives; its function is the name with ``_command``."""

    module: str
    summary: str


COMMANDS: Final[Mapping[str, Command]] = {
    "audit": Command("audit", "Read an inventory and print what is wrong, or worth knowing."),
    "plan": Command(
        "rollout", "Plan what makes the live routes agree with an inventory; send nothing."
    ),
    "apply": Command(
        "rollout", "Read, audit, plan, apply and verify an inventory, or apply a saved plan."
    ),
    "resume": Command("rollout", "Go on with a rollout where it broke off."),
    "status": Command("inspect", "Tell how a rollout stands, also while it runs."),
    "undo": Command("rollout", "Take back what a rollout provably did."),
    "verify": Command("inspect", "Compare what an inventory asks for with what is live."),
    "live": Command("inspect", "Write what the cloud holds now, as an inventory."),
    "diff": Command("inspect", "Compare two inventories, or an inventory with the live routes."),
    "explain": Command("audit", "Say which route wins for an address, and what if it is down."),
    "aggregate": Command("audit", "Write the same forwarding with the fewest destinations."),
    "policy": Command("tools", "Print the RAM policy that commands need."),
    "config": Command("tools", "Show the settings in force and where each comes from."),
    "simulate": Command("tools", "Serve the simulated API on 127.0.0.1 until Ctrl-C."),
    "demo": Command("tools", "Do the whole loop on a real inventory against a simulated cloud."),
    "completion": Command("tools", "Print the script that completes commands in a shell."),
}

#: The variable by which a shell asks for completions.
COMPLETE: Final = "_VCOKIT_COMPLETE"
_HELP: Final = {"help_option_names": ["-h", "--help"]}


def load(name: str) -> Any:
    """Return a command as click knows it, its module loaded."""
    from vcokit.cli.options import flatten_option_groups

    module = importlib.import_module(f"vcokit.cli.{COMMANDS[name].module}")
    function = flatten_option_groups(getattr(module, f"{name}_command"))
    single = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    single.command(name, context_settings=_HELP)(function)
    return typer.main.get_command(single)


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and summary, and loads the one that is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, command in COMMANDS.items():
            self.add_command(TyperCommand(name, help=command.summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the command and the arguments that are left."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, known if name is None else load(name), rest


app = typer.Typer(
    name="vcokit",
    cls=LazyGroup,
    help="From a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"vcokit {version('vcokit')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """From a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud."""


def main() -> None:
    """Run the shell's command and leave with its exit code."""
    _prepare()
    with pipe_safe_streams():
        try:
            # Also before a rollout, and after: SIGTERM is an interrupt, and all files are closed.
            with terminating():
                result = app(standalone_mode=False)
            code = result if isinstance(result, int) else ExitCode.OK
        except tuple(_CODES) as error:
            code = exit_code(error)
            print(_message(error), file=sys.stderr)
    sys.exit(int(code))


def _prepare() -> None:
    """Let nothing but us write to the screen, and nothing that is written fail."""
    if COMPLETE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()  # else typer knows the plain shells of click alone, or none
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a letter is shown its number, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    root, ours = logging.getLogger(), logging.getLogger("vcokit")
    if not root.handlers and logging.lastResort is not None:
        # The vendor's credentials package logs tracebacks of what we tell in one line.
        root.addHandler(logging.NullHandler())
        ours.addHandler(logging.lastResort)


def _message(error: Any) -> str:
    """Return an expected error in one line; of no call at all, the help."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted"
    if isinstance(error, VcokitError):
        text = in_shell(error)
    elif isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        text = f"{place}{error.strerror or error}. Check path, permissions and space"
    elif error.ctx is None:
        text = error.format_message().rstrip(".")
    elif not sys.argv[1:]:
        return str(error.ctx.get_help())
    else:
        text = f"{error.format_message().rstrip('.')}. See {error.ctx.command_path} --help"
    return f"error: {printable(text)}"
