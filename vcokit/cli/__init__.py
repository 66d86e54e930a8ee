"""The commands of the shell: thin functions over the library, with the same verbs.

::

    audit     audit, explain, aggregate           options   options that commands share
    rollout   plan, apply, resume, undo           console   tables, standard output, CSV and JSON
    inspect   live, verify, diff, status, report  run       a rollout: progress, log, summary, end
    fleet     fleet plan, fleet apply, …          members   a fleet: progress, summary, end
    account   quota, probe                        journals  their names, and when one is refused
    tools     config, policy, simulate, demo

A command is loaded when it is called: ``vcokit --help`` lists all commands and loads none. The exit
codes are defined here, and only `exit_code` converts an exception to an exit code.
"""

from __future__ import annotations

import importlib
import logging
import os
import shlex
import sys
from collections.abc import Mapping
from enum import IntEnum
from importlib.metadata import version
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import MarkupMode, TyperCommand, TyperGroup

from vcokit._text import printable
from vcokit.cli.console import pipe_safe_streams
from vcokit.errors import (
    AuthError,
    CloudError,
    CredentialsError,
    Remedy,
    RolloutError,
    StalePlanError,
    VcokitError,
)
from vcokit.rollout.signals import terminating

__all__ = ["COMMANDS", "ExitCode", "app", "exit_code", "load", "main"]


class ExitCode(IntEnum):
    """Exit codes of the commands, so that cron, CI and systemd can distinguish how a command ended.

    This is the only table of exit codes. The documentation and the summaries of rollouts use it.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> ExitCode:
        """Return a member with the meaning of its code."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "all is well"
    FINDINGS = 1, "findings at or above --fail-on; verify and diff: differences"
    INPUT = 2, "usage or input: a wrong option, a file that cannot be used, no terminal to ask on"
    STALE = (
        3,
        "stale plan: the live routes changed after the plan was made; nothing more was sent",
    )
    CREDENTIALS = 4, "credentials: no AccessKey, or the cloud refuses it"
    UNREACHABLE = 5, "the cloud cannot be reached, or its answer cannot be used"
    FAILED = 6, "steps failed or were skipped"
    RESUMABLE = 7, "stopped by --max-hours, --stop-after or a wave; it can be resumed"
    INTERRUPTED = 130, "interrupted by Ctrl-C or SIGTERM; the journal is intact"


#: Exit code of a fault of vcokit itself, which ends with a traceback: Python's own code for that.
FAULT: Final = 1

#: click's exception for a wrong command line. It is not imported from click, because some versions
#: of typer contain a copy of click.
_UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[2]

#: Exit code of each exception class; the first class that matches is used.
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
    """Return the exit code of an exception; `FAULT` for an unexpected one.

    Examples
    --------
    >>> int(exit_code(StalePlanError("…"))), int(exit_code(VcokitError("…"))), exit_code(KeyError())
    (3, 2, 1)
    """
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAULT)


class Command(NamedTuple):
    """The module of a command, its panel in the help, and its line of help.

    The function of a command is the last word of its name with ``_command``.
    """

    module: str
    panel: str
    summary: str


_INVENTORY: Final = "Inventories"
_ROLLOUT: Final = "Rollouts"
_FLEET: Final = "Rollouts of many accounts"
_LIVE: Final = "Live routes"
_TOOLS: Final = "Tools"

COMMANDS: Final[Mapping[str, Command]] = {
    "audit": Command("audit", _INVENTORY, "List what is wrong or unusual in an inventory."),
    "explain": Command(
        "audit", _INVENTORY, "Show which route wins for an address, and which is next."
    ),
    "aggregate": Command("audit", _INVENTORY, "Write the same forwarding with fewer destinations."),
    "plan": Command("rollout", _ROLLOUT, "Show what would be sent; send nothing."),
    "apply": Command("rollout", _ROLLOUT, "Audit, plan, apply and verify an inventory or a plan."),
    "resume": Command("rollout", _ROLLOUT, "Resume a rollout that was interrupted."),
    "status": Command("inspect", _ROLLOUT, "Show the state of a rollout, also while it runs."),
    "report": Command("inspect", _ROLLOUT, "Write the record of a change."),
    "undo": Command("rollout", _ROLLOUT, "Undo a rollout."),
    "fleet plan": Command("fleet", _FLEET, "Show what would be sent to each account."),
    "fleet apply": Command("fleet", _FLEET, "Plan and apply an inventory, or apply a plan."),
    "fleet resume": Command("fleet", _FLEET, "Resume a fleet that was interrupted."),
    "fleet status": Command("fleet", _FLEET, "Show the state of a fleet, also while it runs."),
    "fleet report": Command("fleet", _FLEET, "Write the record of a change of many accounts."),
    "fleet undo": Command("fleet", _FLEET, "Undo a fleet."),
    "verify": Command("inspect", _LIVE, "Compare an inventory with the live routes."),
    "live": Command("inspect", _LIVE, "Write the live routes as an inventory."),
    "diff": Command("inspect", _LIVE, "Compare two inventories, or one with the live routes."),
    "quota": Command("account", _LIVE, "Show the quotas of the account."),
    "probe": Command("account", _LIVE, "Ask the account how its cloud behaves."),
    "demo": Command("tools", _TOOLS, "Run all steps on an example, in a simulated cloud."),
    "simulate": Command("tools", _TOOLS, "Serve the simulated API on this machine until Ctrl-C."),
    "config": Command("tools", _TOOLS, "Show the settings and where each comes from."),
    "policy": Command("tools", _TOOLS, "Print the RAM policy that commands need."),
    "completion": Command("tools", _TOOLS, "Print the script for completion in your shell."),
}

#: Commands with commands of their own.
GROUPS: Final[Mapping[str, Command]] = {
    "fleet": Command("fleet", _ROLLOUT, "Plan and roll out many accounts as one."),
}

#: The variable by which a shell asks for completions.
COMPLETE: Final = "_VCOKIT_COMPLETE"
_HELP: Final = {"help_option_names": ["-h", "--help"]}


class PanelHelp:
    """Help in panels: drawn by rich on a terminal, elsewhere the same sections as plain text."""

    rich_markup_mode: MarkupMode

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.rich_markup_mode = "rich" if sys.stdout.isatty() else None
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, options and commands, grouped by panel."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in ctx.command.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if param.param_type_name == "argument" else "Options"
                panel = getattr(param, "rich_help_panel", None) or usual
                sections.setdefault(panel, []).append(record)
        for name, command in getattr(self, "commands", {}).items():
            sections.setdefault(command.rich_help_panel, []).append((name, command.help))
        for panel, records in sections.items():
            if records:
                with formatter.section(panel):
                    formatter.write_dl(records)


class PanelCommand(PanelHelp, TyperCommand):
    """A command with help in panels."""


class LazyGroup(PanelHelp, TyperGroup):
    """A group that knows its commands by name and summary, and loads only the called command."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self._prefix = f"{self.name} " if self.name in GROUPS else ""
        for name, (_, panel, summary) in {**COMMANDS, **GROUPS}.items():
            group, _, word = name.rpartition(" ")
            if group == self._prefix.strip():
                self.add_command(TyperCommand(word, help=summary, rich_help_panel=panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the command and the remaining arguments."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, known if name is None else load(f"{self._prefix}{name}"), rest


def load(name: str) -> Any:
    """Load the module of a command and return the command for click."""
    if name in GROUPS:
        group = _group(name, GROUPS[name].summary)
        group.callback()(lambda: None)
        return typer.main.get_command(group)
    from vcokit.cli.options import flatten_option_groups

    module = importlib.import_module(f"vcokit.cli.{COMMANDS[name].module}")
    word = name.split()[-1]
    function = flatten_option_groups(getattr(module, f"{word}_command"))
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    # A paragraph becomes one line, so that it is wrapped to the width of the terminal.
    text = "\n\n".join(" ".join(part.split()) for part in str(function.__doc__).split("\n\n"))
    single.command(word, cls=PanelCommand, help=text, context_settings=_HELP)(function)
    return typer.main.get_command(single)


def _group(name: str, text: str) -> typer.Typer:
    """Return a group of commands."""
    return typer.Typer(
        name=name,
        cls=LazyGroup,
        help=text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )


app = _group(
    "vcokit",
    "From a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud.",
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
    """Run the command of the shell and exit with its exit code."""
    _prepare()
    with pipe_safe_streams():
        try:
            # SIGTERM is an interrupt also before and after a rollout, so that all files are closed.
            with terminating():
                result = app(standalone_mode=False)
            code = result if isinstance(result, int) else ExitCode.OK
        except tuple(_CODES) as error:
            code = exit_code(error)
            print(_message(error), file=sys.stderr)
    sys.exit(int(code))


def _prepare() -> None:
    """Prepare completion, the output streams and logging."""
    if COMPLETE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()  # else typer supports only the shells of click, or none
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # If a terminal cannot show a character, print its number instead of a traceback.
            stream.reconfigure(errors="backslashreplace")
    root, ours = logging.getLogger(), logging.getLogger("vcokit")
    if not root.handlers and logging.lastResort is not None:
        # Show no log records of other packages: the vendor's credentials package logs tracebacks of
        # errors that vcokit reports in one line.
        root.addHandler(logging.NullHandler())
        ours.addHandler(logging.lastResort)


def shell_text(error: VcokitError, words: Mapping[str, str] | None = None) -> str:
    """Return an error in one line, with the arguments in its remedy written as shell options.

    Parameters
    ----------
    error : VcokitError
    words : mapping of str to str, optional
        What to write for some of the arguments instead.

    Examples
    --------
    >>> remedy = Remedy("Change the inventory, or pass {allow_gap}", allow_gap=True)
    >>> shell_text(VcokitError("gaps", remedy=remedy))
    'gaps. Change the inventory, or pass --allow-gap'
    """
    given = words or {}
    return error.text(lambda name, value: given.get(name) or _as_option(name, value))


def shell_words(text: str | None) -> str | None:
    """Return a text of the library, with the arguments that it names written as shell options."""
    return text.spelled(_as_option) if isinstance(text, Remedy) else text


def _as_option(name: str, value: object) -> str:
    """Write an argument of the library as a shell option."""
    if name in ("resume", "resume_fleet"):
        command = "vcokit resume" if name == "resume" else "vcokit fleet resume"
        return f"{command} {shlex.quote(str(value))}"
    if name == "new_plan":
        return "make a new plan: vcokit apply with the inventory"
    if name == "format":  # there is no such option, because the file name determines the format
        return f"another name, such as routes.{value}"
    option = {"columns": "--column", "weights": "--weight-word"}.get(name) or (
        "--" + name.replace("_", "-")
    )
    if name == "waves" and isinstance(value, list):
        value = ",".join("rest" if size is None else str(size) for size in value)
    if isinstance(value, dict):
        return " ".join(f'{option} "{key}={one}"' for key, one in value.items())
    return option if value is True or value is ... else f"{option} {value}"


def _message(error: Any) -> str:
    """Return an expected error in one line; return the help if there were no arguments."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted"
    if isinstance(error, VcokitError):
        text = shell_text(error)
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
