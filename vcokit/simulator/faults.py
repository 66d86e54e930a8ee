"""Faults: deliberate failures, how often they occur, and in which calls.

================  =========  =========================================================
kind              executed   what the client sees
================  =========  =========================================================
`drop_before`     no         the socket closes without an answer
`drop_after`      yes        the socket closes without an answer
`late`            later      the socket closes; the call is executed `seconds` later
`delay`           yes        the answer arrives `seconds` late
`status_500`      as asked   500 ``InternalError``
`status_503`      as asked   503 ``ServiceUnavailable``
`throttle`        no         ``Throttling.User``, wait `seconds`
`busy`            no         ``VpnConnection.Configuring`` (writes only)
`refuse`          no         the error code in ``code``
`truncate`        yes        half of the answer, then the socket closes
`empty`           as asked   200 and an empty body
`html`            as asked   200 and an HTML page, as from a proxy in between
`content_type`    yes        the correct answer with the content type of a page
`duplicate`       twice      the first answer; the call is repeated `seconds` later
`resent`          yes        ``SignatureNonceUsed``: a proxy sent the request twice
`task_fails`      yes        nothing: the task ends without a change (writes only)
`reappear`        yes        a deleted route is listed now and then for `seconds`
`skew`            unchanged  answers of a server whose clock is `seconds` fast (or slow)
================  =========  =========================================================

"As asked" means the argument ``applied``. Seconds are simulated seconds, except for ``delay`` and
``skew``, which use the wall clock. ``code`` can select another code of the same class for ``busy``,
``throttle``, ``status_500`` and ``status_503``; ``refuse`` requires it.

Several faults may hit one call. It is not executed if any of them prevents it, delays add up, a
closed socket hides everything else, and the first of several error codes counts. A skew is applied
before the signature is checked; all other faults after a correct signature and before rate limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from vcokit.simulator.errors import ERRORS, codes_of
from vcokit.simulator.models import CONTRACT, OPERATION_FACTS

#: When a fault is drawn: before the signature, before the call is executed, or when its task
#: begins.
AUTH, CALL, TASK = "auth", "call", "task"


@dataclass(frozen=True)
class _FaultType:
    """The properties of a kind of faults; `codes` are the allowed values of ``code``."""

    applied: bool
    code: str = ""
    operations: frozenset[str] = frozenset(OPERATION_FACTS)
    choosable: bool = False
    codes: frozenset[str] = frozenset()
    moment: str = CALL


_WRITES: Final = frozenset(name for name, of in CONTRACT["operations"].items() if of["writes"])
_DELETE: Final = frozenset({"DeleteVcoRouteEntry"})
FAULT_TYPES: Final = {
    "drop_before": _FaultType(applied=False),
    "drop_after": _FaultType(applied=True),
    "late": _FaultType(applied=False),
    "delay": _FaultType(applied=True),
    "status_500": _FaultType(False, "InternalError", choosable=True, codes=codes_of("server")),
    "status_503": _FaultType(False, "ServiceUnavailable", choosable=True, codes=codes_of("server")),
    "throttle": _FaultType(False, "Throttling.User", codes=codes_of("throttled")),
    "busy": _FaultType(False, "VpnConnection.Configuring", _WRITES, codes=codes_of("busy")),
    "refuse": _FaultType(applied=False, codes=frozenset(ERRORS)),
    "truncate": _FaultType(applied=True),
    "empty": _FaultType(applied=False, choosable=True),
    "html": _FaultType(applied=False, choosable=True),
    "content_type": _FaultType(applied=True),
    "duplicate": _FaultType(applied=True),
    "resent": _FaultType(applied=True, code="SignatureNonceUsed"),
    "task_fails": _FaultType(applied=True, operations=_WRITES, moment=TASK),
    "reappear": _FaultType(applied=True, operations=_DELETE, moment=TASK),
    "skew": _FaultType(applied=True, moment=AUTH),
}


@dataclass(frozen=True)
class Fault:
    """One deliberate failure.

    Parameters
    ----------
    kind : str
        See the table of this module.
    operation : str, optional
        Only calls of this operation.
    vpn_connection_id : str, optional
        Only calls for this connection.
    count : int, optional
        Most calls that are hit.
    probability : float
        Probability that a matching call is hit.
    after : int
        Number of matching calls at the start that are never hit.
    burst : int
        Number of consecutive matching calls that are hit.
    seconds : float
        How late, how long, or how far; see the table.
    applied : bool
        Whether the call is executed nevertheless, for kinds with "as asked" in the table.
    code : str
        Another error code, for kinds that allow one.

    Raises
    ------
    ValueError
        If the fault is invalid; the message explains what to write.

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
    seconds: float = 1.0
    applied: bool = False
    code: str = ""

    def __post_init__(self) -> None:
        operations = OPERATION_FACTS
        if self.kind not in FAULT_TYPES:
            known = ", ".join(FAULT_TYPES)
            raise ValueError(f"fault: kind is unknown. Write one of {known}")
        if self.operation is not None and self.operation not in operations:
            raise ValueError(f"fault: operation is unknown. Name one of {', '.join(operations)}")
        if not 0 <= self.probability <= 1 or self.after < 0 or self.burst < 1:
            raise ValueError(
                f"fault {self.kind}: probability is 0 to 1, after from 0, burst from 1"
            )
        if not (-math.inf if self.kind == "skew" else 0) <= self.seconds < math.inf:
            raise ValueError(f"fault {self.kind}: seconds from 0")
        if self.applied and not self.type.choosable:
            raise ValueError(f"fault {self.kind}: applied cannot be set for this kind")
        if self.kind == "refuse" and not self.code:
            raise ValueError("fault refuse: name the code to answer, such as TaskConflict")
        if self.code and self.code not in self.type.codes:
            known = ", ".join(sorted(self.type.codes))
            remedy = f"Write one of {known}" if known else "Leave code out"
            raise ValueError(f"fault {self.kind}: code is not allowed for this kind. {remedy}")

    @property
    def type(self) -> _FaultType:
        """The properties of its kind."""
        return FAULT_TYPES[self.kind]

    @property
    def error(self) -> str:
        """Error code of the answer; empty if it has none."""
        return self.code or self.type.code

    def matches(self, operation: str, vpn_connection_id: str) -> bool:
        """Return whether this fault can hit a call."""
        return (
            operation in self.type.operations | {""}
            and self.operation in (None, operation)
            and self.vpn_connection_id in (None, vpn_connection_id)
        )


@dataclass(frozen=True)
class ActiveFaults:
    """The faults that hit one call, and their effects."""

    faults: tuple[Fault, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.faults)

    def __add__(self, others: ActiveFaults) -> ActiveFaults:
        return ActiveFaults(self.faults + others.faults)

    def _any(self, *kinds: str) -> bool:
        return any(fault.kind in kinds for fault in self.faults)

    def _seconds(self, *kinds: str) -> tuple[float, ...]:
        return tuple(fault.seconds for fault in self.faults if fault.kind in kinds)

    @property
    def names(self) -> str:
        """Kinds, joined by commas."""
        return ",".join(fault.kind for fault in self.faults)

    @property
    def skip_call(self) -> bool:
        """Whether the call is not executed, now or at all."""
        return any(not (fault.applied or fault.type.applied) for fault in self.faults)

    @property
    def error(self) -> Fault | None:
        """The fault whose error code is the answer."""
        return next((fault for fault in self.faults if fault.error), None)

    @property
    def duplicate_delays(self) -> tuple[float, ...]:
        """Delays in simulated seconds after which the call is executed, one per execution."""
        return self._seconds("duplicate", "late")

    @property
    def task_fails(self) -> bool:
        """Whether the task of the call changes nothing."""
        return self._any("task_fails")

    @property
    def reappears(self) -> float:
        """Simulated seconds for which the deleted route is still listed now and then."""
        return sum(self._seconds("reappear"))

    @property
    def skew(self) -> float:
        """Seconds by which the server's clock is fast."""
        return sum(self._seconds("skew"))

    @property
    def delay(self) -> float:
        """Seconds of wall time by which the answer is late."""
        return sum(self._seconds("delay"))

    @property
    def drops(self) -> bool:
        """Whether the socket closes without an answer."""
        return self._any("drop_before", "drop_after", "late")

    @property
    def truncates(self) -> bool:
        """Whether the answer is truncated."""
        return self._any("truncate")

    @property
    def body_override(self) -> str:
        """The replacement of a successful answer: ``html``, ``empty`` or an empty text."""
        return next((fault.kind for fault in self.faults if fault.kind in ("html", "empty")), "")

    @property
    def wrong_content_type(self) -> bool:
        """Whether the answer has the content type of a page."""
        return self._any("content_type")


NO_FAULTS: Final = ActiveFaults()


class FaultPlan:
    """Faults with their counters: how many calls each has seen and hit.

    Each fault has its own seeded generator, so that another fault in the list does not change it.

    Parameters
    ----------
    faults : sequence of Fault
        The error code of an earlier fault takes precedence.
    seed : int
        Seed of the random numbers.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self.faults = tuple(faults)
        self._random = [Random(f"{seed}/fault/{n}") for n in range(len(self.faults))]  # noqa: S311
        self._seen = [0] * len(self.faults)
        self._hit = [0] * len(self.faults)
        self._left_of_burst = [0] * len(self.faults)
        self._moments = {fault.type.moment for fault in self.faults}

    def select(self, moment: str, operation: str, vpn_connection_id: str) -> ActiveFaults:
        """Return the faults that hit a call at a moment: `AUTH`, `CALL` or `TASK`."""
        if moment not in self._moments:
            return NO_FAULTS
        return ActiveFaults(
            tuple(
                fault
                for number, fault in enumerate(self.faults)
                if fault.type.moment == moment
                and fault.matches(operation, vpn_connection_id)
                and self._hits(number)
            )
        )

    def _hits(self, number: int) -> bool:
        fault = self.faults[number]
        self._seen[number] += 1
        if self._seen[number] <= fault.after:
            return False
        if fault.count is not None and self._hit[number] >= fault.count:
            return False
        if self._left_of_burst[number]:
            self._left_of_burst[number] -= 1
        elif self._random[number].random() >= fault.probability:
            return False
        else:
            self._left_of_burst[number] = fault.burst - 1
        self._hit[number] += 1
        return True
