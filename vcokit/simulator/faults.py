"""Faults: what goes wrong on purpose, how often, and on which calls.

================  =========  =========================================================
kind              call done  what the client sees
================  =========  =========================================================
`drop_before`     no         the socket closes without an answer
`drop_after`      yes        the socket closes without an answer
`late`            later      the socket closes; the call is done `seconds` later
`delay`           yes        the answer comes `seconds` late
`status_500`      as asked   500 ``InternalError``
`status_503`      as asked   503 ``ServiceUnavailable``
`throttle`        no         ``Throttling.User``, wait `seconds`
`busy`            no         ``VpnConnection.Configuring`` (writes only)
`refuse`          no         the error code that is asked for
`truncate`        yes        half of the answer, then the socket closes
`empty`           as asked   200 and nothing
`html`            as asked   200 and an HTML page, as of a proxy in between
`content_type`    yes        the right answer under the content type of a page
`duplicate`       twice      the first answer; the call comes again `seconds` later
`resent`          yes        ``SignatureNonceUsed``: someone between sent it twice
`task_fails`      yes        nothing: the task ends, nothing has changed (writes only)
`skew`            as it is   answers of a server whose clock is `seconds` fast (or slow)
================  =========  =========================================================

"As asked" is the argument ``applied``. Seconds are simulated ones but for ``delay`` and ``skew``,
which are of the clock on the wall. ``code`` names another code of the same kind for ``busy``,
``throttle``, ``status_500`` and ``status_503``; ``refuse`` needs one.

Several faults may strike one call: it is left undone if any of them leaves it undone, delays add
up, a closed socket hides all else, and of several error codes the first stands. A skew strikes
before a signature is looked at; all others after it was found right and before rate limits.

`FaultPlan` draws from seeded generators, one for each fault, so that another fault in the list
moves none of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from vcokit.simulator import codes, defaults
from vcokit.simulator.facts import OPERATIONS

#: When a fault is drawn: before the signature, before the cloud, or when a task begins.
GATE, CALL, TASK = "gate", "call", "task"


@dataclass(frozen=True)
class _Kind:
    applied: bool
    code: str = ""
    writes_only: bool = False
    choosable: bool = False
    codes: frozenset[str] = frozenset()
    moment: str = CALL


KINDS: Final = {
    "drop_before": _Kind(applied=False),
    "drop_after": _Kind(applied=True),
    "late": _Kind(applied=False),
    "delay": _Kind(applied=True),
    "status_500": _Kind(False, "InternalError", choosable=True, codes=codes.KINDS["server"]),
    "status_503": _Kind(False, "ServiceUnavailable", choosable=True, codes=codes.KINDS["server"]),
    "throttle": _Kind(False, "Throttling.User", codes=codes.KINDS["throttle"]),
    "busy": _Kind(False, "VpnConnection.Configuring", writes_only=True, codes=codes.KINDS["busy"]),
    "refuse": _Kind(applied=False, codes=frozenset(codes.ERRORS)),
    "truncate": _Kind(applied=True),
    "empty": _Kind(applied=False, choosable=True),
    "html": _Kind(applied=False, choosable=True),
    "content_type": _Kind(applied=True),
    "duplicate": _Kind(applied=True),
    "resent": _Kind(applied=True, code="SignatureNonceUsed"),
    "task_fails": _Kind(applied=True, writes_only=True, moment=TASK),
    "skew": _Kind(applied=True, moment=GATE),
}
#: Kinds that leave something else in place of the answer's fields.
_PAGES: Final = frozenset({"html", "empty"})


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    kind : str
        See the table of this module.
    operation : str, optional
        Only calls of this operation.
    vpn_connection_id : str, optional
        Only calls that name this connection.
    count : int, optional
        Strike at most so often.
    probability : float
        Chance of each matching call to be struck.
    after : int
        Leave the first so many matching calls alone.
    burst : int
        Once it strikes, strike so many matching calls in a row.
    seconds : float
        How late, how long, or how far; see the table.
    applied : bool
        Whether the call is done nevertheless, for kinds where that is open.
    code : str
        Another error code, for kinds that can have one.

    Raises
    ------
    ValueError
        If there is no such fault; the message says what to write.

    Examples
    --------
    >>> Fault("drop_after", operation="CreateVcoRouteEntry", count=1).kind
    'drop_after'
    >>> Fault("busy", probability=0.01, burst=20, code="TaskConflict").error
    'TaskConflict'
    """

    kind: str
    operation: str | None = None
    vpn_connection_id: str | None = None
    count: int | None = None
    probability: float = 1.0
    after: int = 0
    burst: int = 1
    seconds: float = defaults.FAULT_SECONDS
    applied: bool = False
    code: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault {self.kind!r} is unknown. Write one of {', '.join(KINDS)}")
        if self.operation is not None and self.operation not in OPERATIONS:
            raise ValueError(f"fault on {self.operation!r}. Name one of {', '.join(OPERATIONS)}")
        if not 0 <= self.probability <= 1 or self.after < 0 or self.burst < 1:
            raise ValueError(
                f"fault {self.kind}: probability is 0 to 1, after from 0, burst from 1"
            )
        if not (0 if self.kind != "skew" else -math.inf) <= self.seconds < math.inf:
            raise ValueError(f"fault {self.kind}: seconds from 0")
        if self.applied and not KINDS[self.kind].choosable:
            raise ValueError(f"fault {self.kind}: whether the call is done is not open to choice")
        self._check_code()

    def _check_code(self) -> None:
        known = KINDS[self.kind].codes
        if self.kind == "refuse" and not self.code:
            raise ValueError("fault refuse: name the code to answer, such as TaskConflict")
        if self.code and self.code not in known:
            remedy = f"Write one of {', '.join(sorted(known))}" if known else "Leave code out"
            raise ValueError(f"fault {self.kind}: code {self.code!r} is none of its own. {remedy}")

    @property
    def error(self) -> str:
        """Error code of the answer, empty where it brings none."""
        return self.code or KINDS[self.kind].code

    @property
    def done(self) -> bool:
        """Whether a call that it strikes is done."""
        return self.applied or KINDS[self.kind].applied

    def matches(self, operation: str, vpn_connection_id: str) -> bool:
        """Tell whether a call is of the kind that this fault strikes."""
        if KINDS[self.kind].writes_only and not OPERATIONS[operation].writes:
            return False
        return self.operation in (None, operation) and self.vpn_connection_id in (
            None,
            vpn_connection_id,
        )


@dataclass(frozen=True)
class Verdict:
    """The faults that strike one call, and what follows."""

    struck: tuple[Fault, ...] = ()

    def _has(self, *kinds: str) -> bool:
        return any(fault.kind in kinds for fault in self.struck)

    def _seconds(self, kind: str) -> tuple[float, ...]:
        return tuple(fault.seconds for fault in self.struck if fault.kind == kind)

    @property
    def names(self) -> str:
        """Kinds, joined by commas."""
        return ",".join(fault.kind for fault in self.struck)

    @property
    def prevents(self) -> bool:
        """Whether the call is left undone, for now or for ever."""
        return not all(fault.done for fault in self.struck)

    @property
    def code(self) -> str:
        """Error code of the answer, empty where the faults bring none."""
        return next((fault.error for fault in self.struck if fault.error), "")

    @property
    def retry_after(self) -> float | None:
        """Simulated seconds a throttled client shall wait."""
        first = next((fault for fault in self.struck if fault.error), None)
        return first.seconds if first is not None and first.kind == "throttle" else None

    @property
    def copies(self) -> tuple[float, ...]:
        """How many simulated seconds later the call comes, each time that it does."""
        return (*self._seconds("duplicate"), *self._seconds("late"))

    @property
    def skew(self) -> float:
        """Seconds that the server's clock is fast."""
        return sum(self._seconds("skew"))

    @property
    def delay(self) -> float:
        """Seconds of wall time that the answer is late."""
        return sum(self._seconds("delay"))

    @property
    def drops(self) -> bool:
        """Whether the socket closes without an answer."""
        return self._has("drop_before", "drop_after", "late")

    @property
    def truncates(self) -> bool:
        """Whether the answer is cut off."""
        return self._has("truncate")

    @property
    def page(self) -> str:
        """What stands in place of an answer without error: ``html``, ``empty`` or nothing."""
        return next((fault.kind for fault in self.struck if fault.kind in _PAGES), "")

    @property
    def is_html(self) -> bool:
        """Whether the answer is a page of someone in between."""
        return self.page == "html"

    @property
    def mislabels(self) -> bool:
        """Whether the answer says that it is a page."""
        return self._has("content_type")


CLEAN: Final = Verdict()


class FaultPlan:
    """Faults with their memory: how many calls each has seen and struck.

    Parameters
    ----------
    faults : sequence of Fault
        In the order in which their error codes take precedence.
    seed : int
        Of the draws.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = defaults.SEED) -> None:
        self.faults = tuple(faults)
        self._draws = [Random(f"{seed}/fault/{n}") for n in range(len(self.faults))]  # noqa: S311
        self._seen = [0] * len(self.faults)
        self._struck = [0] * len(self.faults)
        self._in_burst = [0] * len(self.faults)
        self._moments = {KINDS[fault.kind].moment for fault in self.faults}

    def greet(self, operation: str, vpn_connection_id: str) -> Verdict:
        """Return the faults that strike a request before its signature is looked at."""
        return self._strike(GATE, operation, vpn_connection_id)

    def decide(self, operation: str, vpn_connection_id: str) -> Verdict:
        """Return the faults that strike a call, those of its background task aside."""
        return self._strike(CALL, operation, vpn_connection_id)

    def fail_task(self, operation: str, vpn_connection_id: str) -> Verdict:
        """Return the faults that strike the task of a call that was just accepted."""
        return self._strike(TASK, operation, vpn_connection_id)

    def _strike(self, moment: str, operation: str, connection: str) -> Verdict:
        if moment not in self._moments:
            return CLEAN
        struck = tuple(
            fault
            for number, fault in enumerate(self.faults)
            if KINDS[fault.kind].moment == moment
            and fault.matches(operation, connection)
            and self._strikes(number)
        )
        return Verdict(struck) if struck else CLEAN

    def _strikes(self, number: int) -> bool:
        fault = self.faults[number]
        self._seen[number] += 1
        if self._seen[number] <= fault.after:
            return False
        if fault.count is not None and self._struck[number] >= fault.count:
            return False
        if self._in_burst[number]:
            self._in_burst[number] -= 1
        elif self._draws[number].random() >= fault.probability:
            return False
        else:
            self._in_burst[number] = fault.burst - 1
        self._struck[number] += 1
        return True
