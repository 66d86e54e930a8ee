"""How a command ends, as a number that cron, CI and systemd can tell apart.

The table `Exit` is the only place in which the codes stand; the documentation is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from vcokit.errors import (
    AuthError,
    CloudError,
    CredentialsError,
    RolloutError,
    StalePlanError,
    VcokitError,
)


class Exit(IntEnum):
    """Exit codes; `MEANING` says when each is given."""

    OK = 0
    FINDINGS = 1
    INPUT = 2
    STALE = 3
    CREDENTIALS = 4
    UNREACHABLE = 5
    FAILED = 6
    RESUMABLE = 7
    INTERRUPTED = 130


MEANING: Final[Mapping[Exit, str]] = {
    Exit.OK: "all is well",
    Exit.FINDINGS: "findings at or above --fail-on; verify and diff: differences",
    Exit.INPUT: "usage or input: a wrong option, a file that cannot be used, nobody to ask",
    Exit.STALE: "stale plan: the live routes are not those it was made from; nothing more was sent",
    Exit.CREDENTIALS: "credentials: no AccessKey, or the cloud refuses it",
    Exit.UNREACHABLE: "the cloud is out of reach, or its answer is of no use",
    Exit.FAILED: "steps failed or were skipped",
    Exit.RESUMABLE: "stopped by --max-hours, --stop-after or a wave; `vcokit resume` goes on",
    Exit.INTERRUPTED: "interrupted by Ctrl-C or SIGTERM; the journal is whole",
}

#: Exit code of each error; the first class that fits decides, any other error of ours is input.
_OF: Final[Mapping[type[VcokitError], Exit]] = {
    StalePlanError: Exit.STALE,
    CredentialsError: Exit.CREDENTIALS,
    AuthError: Exit.CREDENTIALS,
    CloudError: Exit.UNREACHABLE,
    RolloutError: Exit.FAILED,
}


def exit_code(error: VcokitError) -> Exit:
    """Return the exit code of an error.

    Examples
    --------
    >>> int(exit_code(StalePlanError("…"))), int(exit_code(VcokitError("…")))
    (3, 2)
    """
    return next((code for kind, code in _OF.items() if isinstance(error, kind)), Exit.INPUT)
