"""Errors of calls to the cloud: no answer, no answer of this API, a definite refusal."""

from __future__ import annotations

from typing import Any

from vcokit.errors.base import VcokitError


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
