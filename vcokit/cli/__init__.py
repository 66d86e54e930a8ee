"""The same verbs in a shell: thin functions over the library.

Exit codes: 0 all is well; 1 findings at or above ``--fail-on``; 2 usage or input; 3 the plan is
stale; 4 credentials; 5 the cloud is out of reach; 6 steps failed; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import typer

from vcokit.cli.apply import apply_command, resume_command
from vcokit.cli.audit import audit_command
from vcokit.cli.demo import demo_command
from vcokit.cli.policy import policy_command
from vcokit.cli.show import error_console
from vcokit.cli.simulate import simulate_command
from vcokit.errors import (
    AuthError,
    CloudError,
    CredentialsError,
    RolloutError,
    StalePlanError,
    VcokitError,
)
from vcokit.plain import visible

app = typer.Typer(
    name="vcokit",
    help="From a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("audit")(audit_command)
app.command("apply")(apply_command)
app.command("resume")(resume_command)
app.command("simulate")(simulate_command)
app.command("demo")(demo_command)
app.command("policy")(policy_command)

#: click's exception of a wrong call; where typer keeps click is its own affair.
_Misuse: Final[type[Exception]] = typer.BadParameter.__mro__[2]

#: Exit code of each error; the first class that fits decides, any other error of ours is 2.
_EXIT: Final[Mapping[type[VcokitError], int]] = {
    StalePlanError: 3,
    CredentialsError: 4,
    AuthError: 4,
    CloudError: 5,
    RolloutError: 6,
}


def exit_code(error: VcokitError) -> int:
    """Return the exit code of an error.

    Examples
    --------
    >>> exit_code(StalePlanError("…")), exit_code(VcokitError("…"))
    (3, 2)
    """
    for kind, code in _EXIT.items():
        if isinstance(error, kind):
            return code
    return 2


def main() -> None:
    """Run the shell's command and leave with its exit code."""
    try:
        code = app(standalone_mode=False)
    except VcokitError as error:
        error_console().print(f"error: {visible(str(error))}", markup=False, highlight=False)
        sys.exit(exit_code(error))
    except _Misuse as error:
        error.show()  # type: ignore[attr-defined]
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; writing to it at exit would fail once more.
        sys.stdout = None
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
