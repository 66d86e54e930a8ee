"""What the cloud answers: fields or an error code, and how a refusal becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vcokit.simulator.codes import ERRORS, TEXTS, Refusal, describe_error
from vcokit.simulator.described import Fields
from vcokit.simulator.facts import COMMON_PARAMETERS
from vcokit.simulator.faults import CLEAN, Verdict
from vcokit.simulator.switches import Switches


@dataclass(frozen=True)
class Answer:
    """What the cloud answers to a call.

    Parameters
    ----------
    status : int
        HTTP status.
    code, message : str
        Of an error; empty where there is none.
    fields : mapping
        Of a success, ``RequestId`` aside.
    detail : mapping
        ``AccessDeniedDetail`` of an error; empty for most.
    request_id : str
        Upper-case UUID; that of the first answer where it is replayed.
    retry_after : float, optional
        Simulated seconds the client shall wait.
    replayed : bool
        Whether this is the first answer to the same token again.
    effect : int, optional
        Number of the accepted write.
    changed : bool
        Whether the call changed routes, or will when its task ends.
    verdict : Verdict
        Faults that struck, for whoever carries the answer.
    """

    status: int
    request_id: str
    code: str = ""
    message: str = ""
    fields: Fields = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    replayed: bool = False
    effect: int | None = None
    changed: bool = False
    verdict: Verdict = CLEAN


def refuse(answer: Answer, refusal: Refusal, operation: str, switches: Switches) -> Answer:
    """Return an answer turned into a refusal, worded as the operation and the switches want it."""
    code, message = _worded(refusal, operation, switches)
    status = switches.statuses.get(code, describe_error(code)[0])
    return replace(
        answer,
        status=status,
        code=code,
        message=message,
        fields={},
        detail=refusal.detail,
        retry_after=refusal.retry_after,
    )


def _worded(refusal: Refusal, operation: str, switches: Switches) -> tuple[str, str]:
    code = switches.codes.get(refusal.code, refusal.code)
    if code != refusal.code:
        return code, describe_error(code)[1]
    if switches.parameter_codes == "product":
        return _of_product(code, refusal.message)
    return code, TEXTS.get((operation, code), refusal.message)


def _of_product(code: str, message: str) -> tuple[str, str]:
    """Return a code about a parameter as the product makes it, others as they are.

    Examples
    --------
    >>> _of_product("MissingWeight", "")[0], _of_product("SignatureNonceUsed", "…")
    ('MissingParameter', ('SignatureNonceUsed', '…'))
    """
    for prefix, text in (
        (
            "Missing",
            'The input parameter "{}" that is mandatory for processing this request '
            "is not supplied.",
        ),
        ("Invalid", 'The specified value of parameter "{}" is not valid.'),
    ):
        name = code.removeprefix(prefix)
        if code not in ERRORS and name != code and name not in {*COMMON_PARAMETERS, "Parameter"}:
            return f"{prefix}Parameter", text.format(name)
    return code, message
