"""All errors that vcokit raises deliberately, each with its evidence and its remedy.

::

    VcokitError
    ├── InputError               an argument, frame or file cannot be used
    │   ├── InventoryError       a file that cannot be read as routes (file, line, column)
    │   ├── ConfigError          a setting with a wrong value (name, origin)
    │   └── RuleError            a custom rule that cannot be used (rule, file, line)
    ├── CredentialsError         no usable AccessKey was found
    ├── CloudError               a call to the cloud gave no usable result
    │   ├── NoAnswerError        no answer was received: the outcome of a write is unknown
    │   │   └── NotSentError     the request was never sent: nothing happened
    │   ├── ProtocolError        the answer is not one of this API
    │   └── ApiError             a definite refusal, with code and request id
    │       ├── BusyError        another task runs on the connection
    │       ├── ThrottledError   a rate limit (``retry_after`` in seconds)
    │       ├── BadRequestError  the request can never succeed as sent
    │       ├── StateError       not valid in the present state of the account or connection
    │       ├── QuotaError       a quota is used up
    │       ├── AuthError        credentials, signature or permission
    │       │   └── ClockError   this machine's clock is wrong (``skew`` in seconds)
    │       ├── NotFoundError    a named resource does not exist
    │       ├── ServerError      a fault on the server side: the outcome of a write is unknown
    │       └── DryRunPassed     not a failure: the dry run found nothing wrong
    ├── PlanError                a plan cannot be made or carried out
    │   └── StalePlanError       the live routes are not those the plan was made from
    ├── JournalError             a journal cannot be read or written
    │   └── JournalLockedError   another rollout is using the journal
    └── RolloutError             steps failed (raised only by ``raise_on_error``)
        └── FleetError           members of a fleet failed (likewise)

``str(error)`` is one line: what was wrong, where, and what to do. Control characters in it are
always escaped. No error contains a secret: requests are identified by operation, never by signed
headers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vcokit._text import printable

__all__ = [
    "ApiError",
    "AuthError",
    "BadRequestError",
    "BusyError",
    "ClockError",
    "CloudError",
    "ConfigError",
    "CredentialsError",
    "DryRunPassed",
    "FleetError",
    "InputError",
    "InventoryError",
    "JournalError",
    "JournalLockedError",
    "NoAnswerError",
    "NotFoundError",
    "NotSentError",
    "PlanError",
    "ProtocolError",
    "QuotaError",
    "Remedy",
    "RolloutError",
    "RuleError",
    "ServerError",
    "StalePlanError",
    "StateError",
    "ThrottledError",
    "VcokitError",
]


def as_argument(name: str, value: object) -> str:
    """Return an option as a Python argument; `...` stands for any value."""
    if name == "new_plan":
        return "make a new plan"
    if name == "resume":
        return f"vk.Rollout.open({json.dumps(str(value), ensure_ascii=False)}, client).start()"
    if name == "resume_fleet":
        return f"vk.Fleet.open({json.dumps(str(value), ensure_ascii=False)}, clients).start()"
    if name == "simulate":
        return "client = vk.connect(simulator)"
    if value is ...:
        return f"{name}="
    text = isinstance(value, str | dict)
    return f"{name}={json.dumps(value, ensure_ascii=False) if text else repr(value)}"


class Remedy(str):
    """What to do about an error, with the options that it names as data.

    The string itself is written for Python. A shell writes the same options differently.

    Parameters
    ----------
    sentence : str
        What to do, in the imperative; it contains the name of each option in braces.
    **options
        Value of each option; ``...`` stands for any value. Four options are not arguments:
        `resume`, with the journal of a rollout that can be resumed; `resume_fleet`, with the
        directory of a fleet; `simulate`, if a simulator must be connected; `new_plan`, if a new
        plan must be made.

    Examples
    --------
    >>> remedy = Remedy("Change the inventory, or pass {allow_gap}", allow_gap=True)
    >>> remedy
    'Change the inventory, or pass allow_gap=True'
    >>> remedy.spelled(lambda name, value: "--" + name.replace("_", "-"))
    'Change the inventory, or pass --allow-gap'
    """

    sentence: str
    options: dict[str, object]

    def __new__(cls, sentence: str, **options: object) -> Remedy:
        """Return a remedy."""
        self = super().__new__(cls, _filled(sentence, options, as_argument))
        self.sentence, self.options = sentence, options
        return self

    def __add__(self, more: str) -> Remedy:
        """Return this remedy with more text after it."""
        other = more if isinstance(more, Remedy) else Remedy(more)
        return Remedy(self.sentence + other.sentence, **(self.options | other.options))

    def spelled(self, spell: Callable[[str, object], str]) -> str:
        """Return the sentence with each option as ``spell(name, value)``."""
        return _filled(self.sentence, self.options, spell)

    def reworded(self, **words: str) -> Remedy:
        """Return the remedy with some of its options replaced by fixed words."""
        sentence = _filled(self.sentence, {**words}, lambda _, text: str(text))
        return Remedy(sentence, **self.options)


def _filled(sentence: str, options: dict[str, object], spell: Callable[[str, object], str]) -> str:
    # Not `str.format`: the sentence may contain a file name with braces.
    for name, value in options.items():
        sentence = sentence.replace(f"{{{name}}}", spell(name, value))
    return sentence


class VcokitError(Exception):
    """Base of all errors that vcokit raises deliberately.

    Parameters
    ----------
    message : str
        What was wrong, without a full stop at the end.
    remedy : str, optional
        What to do about it, in the imperative; a `Remedy` if it names options.
    """

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.text()

    def text(self, spell: Callable[[str, object], str] = as_argument) -> str:
        """Return the error in one line.

        Parameters
        ----------
        spell : callable
            Called with name and value of each option in the remedy; returns the text for it.
        """
        parts = [self.where(), self.message]
        text = ": ".join(part for part in parts if part)
        remedy = self.remedy.spelled(spell) if isinstance(self.remedy, Remedy) else self.remedy
        if remedy:
            # A message from the cloud may end like a sentence; this package's messages do not.
            stop = " " if text.endswith((".", "!", "?")) else ". "
            text = f"{text}{stop}{remedy}"
        return printable(text)  # a traceback prints it to a terminal unchanged

    def where(self) -> str:
        """Return the place of the fault as a prefix of the message; empty if it has none."""
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Evidence is passed by keyword, which the default pickling of exceptions loses.
        return _revive, (type(self), self.args, dict(self.__dict__))


class InputError(VcokitError):
    """An argument, a frame or a file cannot be used as it is."""


class InventoryError(InputError):
    """A file that cannot be read as an inventory of routes.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    source : str or Path, optional
        Name of the file.
    line : int, optional
        Line in the file, from 1, including the header.
    column : str, optional
        Name of the faulty column.

    Examples
    --------
    >>> print(InventoryError("8 cells where the header has 6", source="a.csv", line=17,
    ...                      remedy="Put quotes around the cell that holds a comma"))
    a.csv, line 17: 8 cells where the header has 6. Put quotes around the cell that holds a comma
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | Path | None = None,
        line: int | None = None,
        column: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.source = None if source is None else str(source)
        self.line = line
        self.column = column

    def where(self) -> str:
        """Return file, line and column, if known."""
        parts = [
            self.source,
            None if self.line is None else f"line {self.line}",
            None if self.column is None else f"column {self.column!r}",
        ]
        return ", ".join(part for part in parts if part)


class ConfigError(InputError):
    """A setting has a value that cannot be used.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    name : str, optional
        Name of the setting.
    origin : str, optional
        Where the value came from: ``argument``, ``environment``, or the name of a file.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str | None = None,
        origin: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.name = name
        self.origin = origin

    def where(self) -> str:
        """Return the setting and the origin of its value."""
        if self.name is None:
            return self.origin or ""
        return f"setting {self.name}" + (f" ({self.origin})" if self.origin else "")


class RuleError(InputError):
    """A custom rule cannot be used, or fails on the routes.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    rule : str, optional
        Name of the rule.
    source : str or Path, optional
        File that contains it.
    line : int, optional
        Line in the file, from 1.

    Examples
    --------
    >>> print(RuleError("KeyError: 'Site'", rule="lab-network", source="lab.py", line=7,
    ...                 remedy="Correct the rule, or leave it out"))
    lab.py, line 7, rule lab-network: KeyError: 'Site'. Correct the rule, or leave it out
    """

    def __init__(
        self,
        message: str,
        *,
        rule: str | None = None,
        source: str | Path | None = None,
        line: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.rule = rule
        self.source = None if source is None else str(source)
        self.line = line

    def where(self) -> str:
        """Return file, line and rule, if known."""
        parts = [
            self.source,
            None if self.line is None else f"line {self.line}",
            None if self.rule is None else f"rule {self.rule}",
        ]
        return ", ".join(part for part in parts if part)


class CredentialsError(VcokitError):
    """No usable AccessKey was found, or the one found cannot be used."""


class CloudError(VcokitError):
    """A call to the cloud gave no usable result.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    operation : str, optional
        Name of the API operation, for example ``CreateVcoRouteEntry``.
    request_id : str, optional
        The server's id of the call, for the vendor's support.
    http_status : int, optional
        Status of the answer, if there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        request_id: str | None = None,
        http_status: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.operation = operation
        self.request_id = request_id
        self.http_status = http_status

    def where(self) -> str:
        """Return the operation and the request id, if known."""
        if self.request_id:
            return f"{self.operation or 'call'} (request id {self.request_id})"
        return self.operation or ""


class NoAnswerError(CloudError):
    """No answer in time, or the connection broke: a write may or may not have happened."""


class NotSentError(NoAnswerError):
    """The connection could not be opened, so the request was never sent: nothing happened."""


class ProtocolError(CloudError):
    """The answer is not one of this API: truncated, empty, HTML, or with a wrong type.

    Parameters
    ----------
    message, operation, request_id, http_status, remedy
        See `CloudError`.
    received : str, optional
        The beginning of the answer, without secrets.
    """

    def __init__(
        self,
        message: str,
        *,
        received: str = "",
        operation: str | None = None,
        request_id: str | None = None,
        http_status: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(
            message,
            operation=operation,
            request_id=request_id,
            http_status=http_status,
            remedy=remedy,
        )
        self.received = received


class ApiError(CloudError):
    """The cloud answered with an error code: a definite refusal.

    The class attribute ``kind`` is the name of the class in the table of error codes
    (`vcokit.cloud.error_codes`); ``other`` is for a code of no known class.

    Parameters
    ----------
    message, operation, request_id, http_status, remedy
        See `CloudError`.
    code : str
        The code of the answer, for example ``VpnConnection.Configuring``.
    retry_after : float, optional
        Seconds that the server asked to wait (header ``x-acs-retry-after``), capped by the client.
    """

    kind = "other"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        operation: str | None = None,
        request_id: str | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(
            f"{code}: {message}" if message else code,
            operation=operation,
            request_id=request_id,
            http_status=http_status,
            remedy=remedy,
        )
        self.code = code
        self.retry_after = retry_after


class BusyError(ApiError):
    """Another task runs on the same connection; the same request may succeed later."""

    kind = "busy"


class ThrottledError(ApiError):
    """A rate limit of the account or the operation; nothing was done."""

    kind = "throttled"


class BadRequestError(ApiError):
    """The request can never succeed as it was sent."""

    kind = "input"


class StateError(ApiError):
    """Not valid in the present state of the account, the route table or the connection."""

    kind = "state"


class QuotaError(ApiError):
    """A quota is used up."""

    kind = "quota"


class AuthError(ApiError):
    """Credentials, signature or permission."""

    kind = "auth"


class ClockError(AuthError):
    """The date of the request was refused: this machine's clock and the cloud's differ too much.

    Parameters
    ----------
    message, code, operation, request_id, http_status, retry_after, remedy
        See `ApiError`.
    skew : float, optional
        Seconds by which the cloud's clock is ahead of this machine's; negative if it is behind;
        None if the answer had no date.
    """

    def __init__(self, message: str, *, skew: float | None = None, **evidence: Any) -> None:
        super().__init__(message, **evidence)
        self.skew = skew


class NotFoundError(ApiError):
    """A named resource does not exist (in this region, for this account)."""

    kind = "not-found"


class ServerError(ApiError):
    """A fault on the server side: a write may or may not have happened."""

    kind = "server"


class DryRunPassed(ApiError):  # noqa: N818 - the contract reports a pass as an error code
    """Not a failure: the dry run found nothing wrong and nothing was changed."""

    kind = "dry-run-ok"


class PlanError(VcokitError):
    """A plan cannot be made from these frames, or cannot be carried out."""


class StalePlanError(PlanError):
    """The live routes are not those the plan was made from; nothing was sent.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    differences : tuple of str
        One line per difference: connection, route, what the plan saw, what is there now.
    """

    def __init__(
        self, message: str, *, differences: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.differences = differences


class JournalError(VcokitError):
    """A journal cannot be read or written.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    path : str or Path, optional
        The journal's file.
    """

    def __init__(
        self, message: str, *, path: str | Path | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.path = None if path is None else str(path)

    def where(self) -> str:
        """Return the journal's path."""
        return self.path or ""


class JournalLockedError(JournalError):
    """Another rollout is using the journal."""


class RolloutError(VcokitError):
    """Steps of a rollout failed.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    failed : int
        Number of failed steps.
    """

    def __init__(self, message: str, *, failed: int = 0, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.failed = failed


class FleetError(RolloutError):
    """Members of a fleet failed.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    members : tuple of str
        Names of those that failed.
    """

    def __init__(
        self, message: str, *, members: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.members = members


def _revive(
    kind: type[VcokitError], args: tuple[Any, ...], evidence: dict[str, Any]
) -> VcokitError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(evidence)
    return error


def __dir__() -> list[str]:
    return __all__
