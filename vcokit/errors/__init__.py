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

``str(error)`` is one line that says what was wrong, where, and what to do, in which control
characters are spelt out, whoever sent them. No error carries a secret: requests are named by
operation, never by signed headers.
"""

from __future__ import annotations

from vcokit.errors.base import (
    ConfigError,
    CredentialsError,
    InputError,
    InventoryError,
    JournalError,
    JournalLockedError,
    PlanError,
    RolloutError,
    RuleError,
    StalePlanError,
    VcokitError,
)
from vcokit.errors.cloud import (
    ApiError,
    AuthError,
    BadRequestError,
    BusyError,
    ClockError,
    CloudError,
    DryRunPassed,
    NoAnswerError,
    NotFoundError,
    NotSentError,
    ProtocolError,
    QuotaError,
    ServerError,
    StateError,
    ThrottledError,
)

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
    "RolloutError",
    "RuleError",
    "ServerError",
    "StalePlanError",
    "StateError",
    "ThrottledError",
    "VcokitError",
]


def __dir__() -> list[str]:
    return __all__
