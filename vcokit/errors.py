"""Every error vcokit raises on purpose, each with its evidence and its remedy.

::

    VcokitError
    ├── InputError               what was handed over cannot be used
    │   ├── InventoryError       a file that cannot be read as routes (file, line, column)
    │   ├── ConfigError          a setting with a wrong value (name, origin)
    │   └── RuleError            a rule of one's own that cannot be used (rule, file, line)
    ├── CredentialsError         no usable AccessKey was found
    ├── CloudError               a call to the cloud gave no usable result
    │   ├── NoAnswerError        nothing came back: the outcome of a write is unknown
    │   │   └── NotSentError     the request never left: nothing happened
    │   ├── ProtocolError        something came back that is no answer of this API
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
    │   └── JournalLockedError   another rollout holds the journal
    └── RolloutError             steps failed (raised by ``raise_on_error`` alone)
        └── FleetError           members of a fleet failed (likewise)

``str(error)`` is one line that says what was wrong, where, and what to do, in which control
characters are spelt out, whoever sent them. No error carries a secret: requests are named by
operation, never by signed headers.
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
    """Spell an option as an argument of Python; `...` stands for any value."""
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

    As a string it is worded for Python. A shell has other words for the same options.

    Parameters
    ----------
    sentence : str
        What to do, as an imperative; an option stands in it as its name in braces.
    **options
        Value of each option; ``...`` where any value may stand. Four are no arguments: `resume`,
        with the journal of a rollout that can go on; `resume_fleet`, with the directory of a
        fleet; `simulate`, where a simulator has to be connected; `new_plan`, where a new plan has
        to be made.

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
        """Return this remedy and what follows it."""
        other = more if isinstance(more, Remedy) else Remedy(more)
        return Remedy(self.sentence + other.sentence, **(self.options | other.options))

    def spelled(self, spell: Callable[[str, object], str]) -> str:
        """Return the sentence with each option as ``spell(name, value)``."""
        return _filled(self.sentence, self.options, spell)

    def reworded(self, **words: str) -> Remedy:
        """Return the remedy with some of its options in words that stay as they are."""
        sentence = _filled(self.sentence, {**words}, lambda _, text: str(text))
        return Remedy(sentence, **self.options)


def _filled(sentence: str, options: dict[str, object], spell: Callable[[str, object], str]) -> str:
    # Not `str.format`: a sentence may name a file that has braces in its name.
    for name, value in options.items():
        sentence = sentence.replace(f"{{{name}}}", spell(name, value))
    return sentence


class VcokitError(Exception):
    """Base of all errors that vcokit raises on purpose.

    Parameters
    ----------
    message : str
        What was wrong, without a closing full stop.
    remedy : str, optional
        What to do about it, as an imperative; a `Remedy` where it names options.
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
            Called with name and value of each option that the remedy names; returns its words.
        """
        parts = [self.where(), self.message]
        text = ": ".join(part for part in parts if part)
        remedy = self.remedy.spelled(spell) if isinstance(self.remedy, Remedy) else self.remedy
        if remedy:
            # What the cloud says ends like a sentence, what we say does not.
            stop = " " if text.endswith((".", "!", "?")) else ". "
            text = f"{text}{stop}{remedy}"
        return printable(text)  # a traceback prints it to a terminal as it is

    def where(self) -> str:
        """Return the place of the fault as a prefix of the message; empty where there is none."""
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Evidence is given by keyword, which the usual way of pickling errors forgets.
        return _revive, (type(self), self.args, dict(self.__dict__))


class InputError(VcokitError):
    """What was handed over (a frame, an argument, a file) cannot be used as it is."""


class InventoryError(InputError):
    """A file that cannot be read as an inventory of routes.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    source : str or Path, optional
        Name of the file.
    line : int, optional
        Line in the file, from 1, the header included.
    column : str, optional
        Name of the column at fault.

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
        """Return file, line and column, as far as they are known."""
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
        """Return the setting and where its value came from."""
        if self.name is None:
            return self.origin or ""
        return f"setting {self.name}" + (f" ({self.origin})" if self.origin else "")


class RuleError(InputError):
    """A rule of one's own that cannot be used, or fails on the routes.

    Parameters
    ----------
    message, remedy : str
        See `VcokitError`.
    rule : str, optional
        Name of the rule.
    source : str or Path, optional
        File that holds it.
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
        """Return file, line and rule, as far as they are known."""
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
        The server's id of the call, to quote to the vendor's support.
    http_status : int, optional
        Status of the answer, where there was one.
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
        """Return the operation and the request id, as far as they are known."""
        if self.request_id:
            return f"{self.operation or 'call'} (request id {self.request_id})"
        return self.operation or ""


class NoAnswerError(CloudError):
    """Nothing came back in time, or the connection broke: a write may or may not have happened."""


class NotSentError(NoAnswerError):
    """The connection could not be opened, so the request never left: nothing happened."""


class ProtocolError(CloudError):
    """Something came back that is no answer of this API: cut off, empty, HTML, wrong type.

    Parameters
    ----------
    message, operation, request_id, http_status, remedy
        See `CloudError`.
    received : str, optional
        The beginning of what came, with secrets taken out.
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

    The class attribute ``kind`` is the word for the class in the table of error codes
    (`vcokit.cloud.error_codes`); ``other`` is a code of no known class.

    Parameters
    ----------
    message, operation, request_id, http_status, remedy
        See `CloudError`.
    code : str
        The code of the answer, for example ``VpnConnection.Configuring``.
    retry_after : float, optional
        Seconds the server asked to wait (header ``x-acs-retry-after``), capped by the client.
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
        Seconds that the cloud's clock is ahead of this machine's, negative where it is behind;
        None where the answer bore no date.
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
        One line a difference: connection, route, what the plan saw, what is there now.
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
    """Another rollout holds the journal."""


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
