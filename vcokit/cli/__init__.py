"""The same verbs in a shell: thin functions over the library.

::

    commands     which there are, loaded when called      exits     the exit codes
    audit plan apply status undo verify live diff …       groups    options that commands share
                                                            reading   files → routes
    show   tables, consoles                                 reach     which cloud, real or simulated
    follow a rollout, shown until it ends                   running   pace, log, summary of one
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer

from vcokit._text import printable
from vcokit.cli.commands import COMPLETE, HELP, Lazy
from vcokit.cli.exits import Exit, exit_code
from vcokit.cli.outputs import silence
from vcokit.cli.words import in_shell
from vcokit.errors import VcokitError
from vcokit.rollout.signals import terminating

__all__ = ["app", "exit_code", "main"]

app = typer.Typer(
    name="vcokit",
    cls=Lazy,
    help="From a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)

#: click's exception of a wrong call; where typer keeps click is its own affair.
_Misuse: Final[type[Exception]] = typer.BadParameter.__mro__[2]


def _version(asked: bool) -> None:
    if asked:
        print(f"vcokit {version('vcokit')}")
        raise typer.Exit


@app.callback()
def _all(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """From a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud."""


def main() -> None:
    """Run the shell's command and leave with its exit code."""
    _prepare()
    try:
        # Also before a rollout, and after: SIGTERM is an interrupt, and whatever is open is closed.
        with terminating():
            code = app(standalone_mode=False)
    except VcokitError as error:
        _say(in_shell(error))
        sys.exit(exit_code(error))
    except _Misuse as error:
        _say_misuse(error)
        sys.exit(Exit.INPUT)
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted", "")
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; writing to it at exit would fail once more.
        silence(sys.stdout)
        sys.exit(Exit.OK)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _say(f"{name}{error.strerror or error}. Check path, permissions and space")
        sys.exit(Exit.INPUT)
    _flush()
    sys.exit(int(code) if isinstance(code, int) else Exit.OK)


def _flush() -> None:
    """Write out what is still held back; where nobody reads it, the command has ended as it did."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)


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


def _say(message: str, kind: str = "error: ") -> None:
    try:
        print(f"{kind}{printable(message)}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        silence(sys.stderr)


def _say_misuse(error: Any) -> None:
    """Tell of a wrong call in one line; of no call at all, what there is."""
    context = error.ctx
    if context is not None and not sys.argv[1:]:
        print(context.get_help(), file=sys.stderr)
        return
    help_of = f". See {context.command_path} --help" if context is not None else ""
    _say(f"{error.format_message().rstrip('.')}{help_of}")
