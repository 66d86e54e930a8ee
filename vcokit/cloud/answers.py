"""What came back from the cloud: a parsed answer, or the error that it is.

Secrets in answers (`Psk`, `AuthKey`) are dropped while the JSON is parsed: no object of this
package ever holds them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pandas as pd

from vcokit import schema
from vcokit.cloud.operations import SECRET_FIELDS, Operation, classify
from vcokit.errors import (
    ApiError,
    AuthError,
    BadRequestError,
    BusyError,
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

_BY_KIND: Final[Mapping[str, type[ApiError]]] = {
    kind.kind: kind
    for kind in (
        BusyError,
        ThrottledError,
        BadRequestError,
        StateError,
        QuotaError,
        AuthError,
        NotFoundError,
        ServerError,
        DryRunPassed,
        ApiError,
    )
}

#: Bytes of a strange answer that its error carries.
_SHOWN: Final = 200
_SECRET_TEXT: Final = re.compile(
    rf"(?P<name>{'|'.join(sorted(SECRET_FIELDS))})(?P<between>\W{{1,6}})[^\"'<,}}\s]+"
)

#: A refused signature comes back with all that the server would have signed, tokens included.
_SIGNED_TEXT: Final = re.compile(r"\s*server (?:StringToSign|string to sign) is.*", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """A definite success.

    Parameters
    ----------
    operation : str
    request_id : str
    data : dict
        The answer's fields under the API's names, secrets left out.
    """

    operation: str
    request_id: str
    data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default where the answer has none."""
        return self.data.get(name, default)


def read(operation: Operation, response: httpx.Response, retry_cap: float) -> Answer:
    """Return the answer of a response, or raise the error that it is.

    Parameters
    ----------
    operation : Operation
    response : httpx.Response
        Read to its end.
    retry_cap : float
        Longest ``x-acs-retry-after`` that is believed, in seconds.

    Raises
    ------
    ApiError
        For an answer with an error code, of the class of its code.
    ProtocolError
        For anything that is no answer of this API.
    """
    body = _parse(operation, response)
    if response.status_code >= 400:
        raise _refusal(operation, response, body, retry_cap)
    request_id = body.get("RequestId")
    if not isinstance(request_id, str) or _rows(operation, body) is None:
        raise _strange(operation, response, "an answer without the fields of this operation")
    return Answer(operation.name, request_id, body)


def _parse(operation: Operation, response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.content, object_pairs_hook=_without_secrets)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    raise _strange(operation, response, _what_it_is(response))


def _without_secrets(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name not in SECRET_FIELDS}


def _what_it_is(response: httpx.Response) -> str:
    content = response.content.lstrip()
    if not content:
        return "an empty answer"
    if content[:1] == b"<":
        return "HTML or XML instead of JSON, perhaps from a proxy"
    return "an answer that is cut off or no JSON"


def _strange(operation: Operation, response: httpx.Response, what: str) -> ProtocolError:
    text = response.content[:_SHOWN].decode("utf-8", "replace")
    shown = _SECRET_TEXT.sub(r"\g<name>\g<between>***", text)
    return ProtocolError(
        f"{what} (HTTP {response.status_code}): {shown!r}",
        received=shown,
        operation=operation.name,
        request_id=response.headers.get("x-acs-request-id"),
        http_status=response.status_code,
        remedy="Try again; if it stays so, check endpoint and proxy",
    )


def _refusal(
    operation: Operation, response: httpx.Response, body: dict[str, Any], retry_cap: float
) -> CloudError:
    code = body.get("Code")
    if not isinstance(code, str) or not code:
        return _strange(operation, response, "an error without a code")
    known = classify(code, response.status_code)
    wait = _milliseconds(response.headers.get("x-acs-retry-after"))
    # The vendor's SDKs take a positive x-acs-retry-after for throttling, whatever the code.
    kind = "throttled" if wait else known.kind
    message = _SIGNED_TEXT.sub("", str(body.get("Message") or ""))
    return _BY_KIND[kind](
        message,
        code=code,
        operation=operation.name,
        request_id=str(body.get("RequestId") or response.headers.get("x-acs-request-id") or ""),
        http_status=response.status_code,
        retry_after=min(wait / 1000, retry_cap) if wait else None,
        remedy=known.remedy or None,
    )


def _milliseconds(header: str | None) -> int:
    """Return a header's milliseconds; 0 for anything that is no sensible number."""
    return int(header) if header and re.fullmatch(r"[0-9]{1,9}", header) else 0


def transport_error(operation: Operation, error: httpx.RequestError) -> CloudError:
    """Return the error that a failed exchange is, in this package's words.

    A connection that could not be opened never carried the request; of anything later it is
    unknown whether it arrived.
    """
    never_left = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    if isinstance(error, (*never_left, httpx.UnsupportedProtocol, httpx.ProxyError)):
        return NotSentError(
            f"the connection could not be opened ({type(error).__name__}: {error})",
            operation=operation.name,
            remedy="Check the endpoint, the network and the proxy",
        )
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError):
        return ProtocolError(
            f"the answer was cut off or garbled ({error})",
            operation=operation.name,
            remedy="Try again; if it stays so, check the proxy",
        )
    return NoAnswerError(
        f"no answer ({type(error).__name__})",
        operation=operation.name,
        remedy="A write may have happened: read the live routes before it is sent again",
    )


def _rows(operation: Operation, body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of a list answer ([] for other answers), or None where it has no list."""
    here: Any = body if operation.rows else []
    for name in operation.rows:
        here = here.get(name) if isinstance(here, dict) else None
    if not isinstance(here, list) or not all(isinstance(row, dict) for row in here):
        return None
    return here


def rows_of(operation: Operation, answer: Answer) -> list[dict[str, Any]]:
    """Return the rows of one page, under the API's names."""
    return _rows(operation, answer.data) or []


def frame_of(
    operation: Operation, rows: list[dict[str, Any]], region_id: str | None
) -> pd.DataFrame:
    """Return rows as a frame of the operation; fields that it does not name are dropped.

    Parameters
    ----------
    operation : Operation
        One whose answer is a list.
    rows : list of dict
        Under the API's names, of all pages.
    region_id : str or None
        The region that was asked, for rows that do not repeat it.

    Raises
    ------
    ProtocolError
        If a value is not of its column's type.
    """
    columns: dict[str, list[Any]] = {}
    for name, column in operation.columns.items():
        if any(name in row for row in rows):
            columns[column] = [row.get(name) for row in rows]
    if "region_id" not in columns and region_id is not None:
        columns["region_id"] = [region_id] * len(rows)
    try:
        if "create_time" in columns:
            times = pd.to_numeric(pd.Series(columns["create_time"], dtype="object"))
            columns["create_time"] = list(pd.to_datetime(times, unit="ms", utc=True))
        return schema.frame(operation.frame, columns)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(
            f"a list with values of the wrong type ({error})", operation=operation.name
        ) from None
