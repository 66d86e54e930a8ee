"""Errors of the API: the exception for an error, and the facts of the contract about each code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vcokit.simulator.models import CONTRACT, OPERATION_FACTS

#: Code → its ``status``, ``text`` and ``class``.
ERRORS: Final[Mapping[str, Mapping[str, Any]]] = CONTRACT["errors"]


def codes_of(error_class: str) -> frozenset[str]:
    """Return the codes of a class, such as ``busy`` or ``throttled``."""
    return frozenset(code for code, of in ERRORS.items() if of["class"] == error_class)


def describe_error(code: str, operation: str = "") -> tuple[int, str]:
    """Return the HTTP status and the text of an error code.

    Codes that the gateway builds from a parameter's name are in no table. The documentation of an
    operation may have its own text.

    Examples
    --------
    >>> describe_error("MissingRouteDest")
    (400, 'RouteDest is mandatory for this action.')
    >>> describe_error("InvalidWeight")
    (400, 'Specified parameter Weight is not valid.')
    """
    for beginning, family in CONTRACT["families"].items():
        if code not in ERRORS and code.startswith(beginning):
            return family["status"], family["text"].format(code.removeprefix(beginning))
    own = OPERATION_FACTS.get(operation, {}).get("errors", {}).get("texts", {})
    return ERRORS[code]["status"], own.get(code, ERRORS[code]["text"])


class ApiError(Exception):
    """An error code as the answer to a call: an answer of the cloud, not a bug of the simulator.

    Parameters
    ----------
    code : str
        A code of the contract, or one that the gateway builds from a parameter's name.
    message : str, optional
        Replaces the text of the contract.
    retry_after : float, optional
        Simulated seconds that the client is asked to wait.
    detail : mapping, optional
        ``AccessDeniedDetail`` of a refused permission.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        retry_after: float | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        self.code, self.message = code, message
        self.retry_after, self.detail = retry_after, detail or {}
        super().__init__(code)
