"""Parses a reply of the cloud into an answer or an error.

::

    Reply ─┬─ cut off, empty, HTML, no JSON, fields missing or of the wrong type ─▶ ProtocolError
           ├─ status 400 and up, with a code ─▶ the ApiError of the code's kind
           └─ else ─▶ Answer ─▶ rows of a page ─▶ a frame with the columns of its operation

Secrets in answers (`Psk`, `AuthKey`) are dropped while the JSON is parsed: no object of this
package ever holds them. Those that an operation is called for become a `Secret` there. What an
error shows of an invalid answer is masked. The amount that is parsed and searched is bounded, so
that no answer costs more than some megabytes and a moment. An answer about a connection that was
not asked for is an error.
"""

from __future__ import annotations

import contextlib
import email.utils
import html
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, TypeAlias

import pandas as pd

from vcokit import schema
from vcokit._text import duration, printable
from vcokit.cloud.error_codes import (
    WRONG_CLOCK,
    Code,
    Fate,
    Kind,
    classify,
    fate_of_write,
    is_key,
)
from vcokit.cloud.masking import Secret, mask
from vcokit.cloud.operations import KNOWN, SECRET_FIELDS, TYPES, Operation
from vcokit.cloud.transport import UNKNOWN, Reply
from vcokit.errors import (
    ApiError,
    AuthError,
    BadRequestError,
    BusyError,
    ClockError,
    CloudError,
    DryRunPassed,
    NotFoundError,
    ProtocolError,
    QuotaError,
    ServerError,
    StateError,
    ThrottledError,
)

_BY_KIND: Final[Mapping[Kind, type[ApiError]]] = {
    Kind(error.kind): error
    for error in (
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

#: Characters of an invalid answer that its error contains.
_SHOWN: Final = 200
#: Characters of it that are searched for secrets: a secret that begins in the part that is shown
#: ends within these.
_LOOKED_AT: Final = 8192
#: Characters of a message, a code or a request id that are kept.
_LONGEST: Final = 2000
#: Most commas, colons and brackets in JSON that is parsed; a page of 50 connections has 10,000.
_MOST_VALUES: Final = 50_000

#: Between the values of a list in one cell.
_SEPARATOR: Final = ", "

#: Names of secrets: as the vendor writes them, and with a lower-case first letter.
_DROPPED: Final = SECRET_FIELDS | {name[0].lower() + name[1:] for name in SECRET_FIELDS}

#: The error for a wrong signature repeats all that the server would have signed, also tokens.
_SIGNED_TEXT: Final = re.compile(
    r"server (?:StringToSign|string to sign|CanonicalRequest) is.*", re.DOTALL | re.IGNORECASE
)

#: An error in XML, which a gateway may send before it has read the requested format.
_XML_ERROR: Final = re.compile(r"(?:<\?xml[^>]*\?>\s*)?<Error>(.*)</Error>", re.DOTALL)
_XML_FIELD: Final = re.compile(r"<(\w+)>([^<]*)</\1>")


@dataclass(frozen=True)
class Answer:
    """The answer to a successful call.

    Parameters
    ----------
    operation : str
    request_id : str
    data : dict
        The answer's fields with the API's names, without secrets or with a `Secret` for each.
    """

    operation: str
    request_id: str
    data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default if the answer does not have it."""
        return self.data.get(name, default)


def read(
    operation: Operation,
    reply: Reply,
    retry_cap: float,
    *,
    asked: object = None,
    secrets: tuple[Secret, ...] = (),
    now: float | None = None,
) -> Answer:
    """Return the answer in a reply, or raise its error.

    Parameters
    ----------
    operation : Operation
    reply : Reply
    retry_cap : float
        Longest ``x-acs-retry-after`` that is accepted, in seconds.
    asked : str, optional
        The connection that was asked for.
    secrets : tuple of Secret
        Secrets that no error may show.
    now : float, optional
        Seconds since the epoch by this machine's clock, to report how wrong that clock is.

    Raises
    ------
    ApiError
        For an answer with an error code; the class depends on the code.
    ProtocolError
        For anything that is not an answer of this API.
    """
    body = parse(reply.content, operation.secrets)
    if (wrong := _wrong_with(reply, body)) is None and body is not None:
        if reply.status_code >= 400:
            raise _refusal(operation, reply, body, retry_cap, secrets, now)
        misfitting = misfit(operation, body)
        if misfitting is not None:
            wrong = f"an answer with {misfitting} missing or of the wrong type"
        elif (other := stranger(operation, body, asked)) is not None:
            wrong = f"an answer about {_shown(other, secrets, _SHOWN)}, not about {asked}"
        else:
            return Answer(operation.name, _shown(body["RequestId"], secrets), body)
    raise _strange(operation, reply, wrong or "", secrets)


def _wrong_with(reply: Reply, body: dict[str, Any] | None) -> str | None:
    """Return what is wrong with a reply of any operation, or None."""
    content = reply.content.lstrip()
    if reply.cut:
        return f"an answer that is cut off ({reply.cut})"
    if reply.status_code in range(300, 400):
        return "a redirection, which is not followed"
    if not content:
        return "an empty answer"
    if body is not None:
        has_code = isinstance(_either(body, "Code"), str)
        return None if reply.status_code < 400 or has_code else "an error without a code"
    if _has_too_many_values(content):
        return "an answer with too many values"
    if content[:1] == b"<":
        return "HTML or XML instead of JSON, perhaps from a proxy"
    return "an answer that is truncated or not JSON"


def _strange(
    operation: Operation, reply: Reply, what: str, secrets: tuple[Secret, ...]
) -> ProtocolError:
    shown = mask(_text(reply.content[:_LOOKED_AT]), secrets)[:_SHOWN]
    return ProtocolError(
        f"{_shown(what, secrets)} (HTTP {reply.status_code}): {shown!r}",
        received=shown,
        operation=operation.name,
        request_id=_shown(reply.headers.get("x-acs-request-id", ""), secrets) or None,
        http_status=reply.status_code,
        remedy="Try again; if the error persists, check endpoint and proxy",
    )


def _refusal(
    operation: Operation,
    reply: Reply,
    body: dict[str, Any],
    retry_cap: float,
    secrets: tuple[Secret, ...],
    now: float | None,
) -> ApiError:
    code = _shown(_either(body, "Code"), secrets)
    known = classify(code, reply.status_code)
    wait = wait_of(reply)
    request_id = _either(body, "RequestId") or reply.headers.get("x-acs-request-id", "")
    message = _SIGNED_TEXT.sub("", _shown(_either(body, "Message") or "", secrets)).rstrip()
    evidence: dict[str, Any] = {
        "code": code,
        "operation": operation.name,
        "request_id": _shown(request_id, secrets),
        "http_status": reply.status_code,
        "retry_after": min(wait, retry_cap) if wait else None,
        "remedy": _remedy(known, operation, code, reply.status_code),
    }
    if code == WRONG_CLOCK:
        return _wrong_clock(message, reply.headers.get("date"), now, evidence)
    limited = wait and _may_be_a_limit(known, code, reply.status_code)
    return _BY_KIND[Kind.THROTTLED if limited else known.kind](message, **evidence)


def _shown(value: Any, secrets: tuple[Secret, ...], longest: int = _LONGEST) -> str:
    """Return a text of an answer that is safe to display: without secrets, and not too long."""
    text = str(value)
    shown = mask(text[:_LOOKED_AT], secrets)
    if len(text) <= _LOOKED_AT and len(shown) <= longest:
        return shown
    return f"{shown[:longest]} … (cut, {len(text):,} characters)"


def _may_be_a_limit(known: Code, code: str, http_status: int) -> bool:
    """Return whether a refusal that asks for a wait is treated as a rate limit.

    The vendor's SDKs raise their throttling error for any answer with x-acs-retry-after. The header
    gives the time of the next try, not the outcome of a write: after a server fault the outcome is
    still unknown.
    """
    refused = fate_of_write(code, http_status) is Fate.REFUSED
    return known.kind in (Kind.OTHER, Kind.BUSY, Kind.THROTTLED) and refused and http_status < 500


def _either(body: Mapping[str, Any], name: str) -> Any:
    """Return a field of an error; as in the official SDK, its first letter may have either case."""
    return body.get(name) or body.get(name[0].lower() + name[1:])


def _wrong_clock(
    message: str, date: str | None, now: float | None, evidence: dict[str, Any]
) -> ClockError:
    skew = None if now is None else skew_of(date, now)
    if skew is not None:
        way = f"{duration(abs(skew))} {'behind' if skew > 0 else 'ahead of'}"
        message = f"{message} This machine's clock is {way} the cloud's".strip()
    return ClockError(message, skew=skew, **evidence)


def parse(content: bytes, wanted: Collection[str] = ()) -> dict[str, Any] | None:
    """Return the fields of JSON or of an XML error; None if it is neither.

    Secrets are dropped; those that are wanted become a `Secret`.
    """
    body = None
    if not _has_too_many_values(content):
        with contextlib.suppress(ValueError, RecursionError, MemoryError):
            body = json.loads(content, object_pairs_hook=partial(_kept, wanted))
    if body is None and (found := _XML_ERROR.fullmatch(_text(content[:_LOOKED_AT]).strip())):
        body = {name: html.unescape(value) for name, value in _XML_FIELD.findall(found[1])}
    return body if isinstance(body, dict) else None


def _has_too_many_values(content: bytes) -> bool:
    return sum(map(content.count, (b",", b":", b"[", b"{"))) > _MOST_VALUES


def _kept(wanted: Collection[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields without other secrets, and with texts that can be encoded in UTF-8."""
    return {
        _writable(name): Secret(value)
        if name in wanted and isinstance(value, str)
        else _writable(value)
        for name, value in pairs
        if name in wanted or name not in _DROPPED
    }


def _writable(value: Any) -> Any:
    # JSON can contain a lone surrogate, and Python reads it; UTF-8 cannot encode it.
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode("utf-8")
    return [_writable(one) for one in value] if isinstance(value, list) else value


def _text(content: bytes) -> str:
    # JSON may be in UTF-16; without decoding, no name of a secret would be found in it.
    return content.decode(json.detect_encoding(content), "replace")


def _remedy(known: Code, operation: Operation, code: str, http_status: int) -> str | None:
    if operation.writes and fate_of_write(code, http_status) is Fate.UNKNOWN:
        return UNKNOWN
    if known.kind is Kind.AUTH and code.startswith(("Forb", "NoPermission")) and known.remedy:
        return f"{known.remedy}: {operation.action} (vcokit policy prints what each command needs)"
    return known.remedy or None


def note_of(error: CloudError, otherwise: str) -> str:
    """Return one line about a failed optional read: the reason, and what applies without it.

    Parameters
    ----------
    error : CloudError
    otherwise : str
        What applies without the read, such as ``so the defaults apply``.

    Raises
    ------
    CloudError
        The error itself, if the AccessKey is refused: then no read can work.
    """
    code = error.code if isinstance(error, ApiError) else "no answer"
    if error.operation is None or is_key(code):
        raise error
    note = f"{error.operation} was not answered ({printable(code)}), {otherwise}"
    if isinstance(error, AuthError):
        note += f". It needs the permission {KNOWN[error.operation].action}"
    return note


def wait_of(reply: Reply) -> float:
    """Return the seconds that a reply asks to wait; 0 if there is no sensible value."""
    header = reply.headers.get("x-acs-retry-after")
    return int(header) / 1000 if header and re.fullmatch(r"[0-9]{1,9}", header) else 0.0


def skew_of(date: str | None, now: float) -> float | None:
    """Return the seconds by which a server's clock is ahead of this one; None without a date."""
    try:
        return email.utils.parsedate_to_datetime(date or "").timestamp() - now
    except (ValueError, OverflowError):
        return None


# -- rows and fields -------------------------------------------------------------------------------


def rows_in(operation: Operation, body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of a list answer ([] for other answers), or None if the list is missing.

    If there are no rows, the list may be null or absent: servers' JSON libraries differ here.
    """
    here: Any = body if operation.rows else []
    for name in operation.rows:
        if not isinstance(here, dict | None):
            return None
        here = None if here is None else here.get(name)
    if here is None and body.get("TotalCount") == 0:
        return []
    if not isinstance(here, list) or not all(isinstance(row, dict) for row in here):
        return None
    return here


def misfit(operation: Operation, body: Mapping[str, Any]) -> str | None:
    """Return the first required field that is missing, or field of a wrong type.

    None if all are correct. A field that is null counts as absent.
    """
    needed = ("RequestId", *operation.needs)
    missing = (path for path in needed if all(one is None for one in _values(body, path)))
    if (name := next(missing, None)) is not None:
        return name
    if rows_in(operation, body) is None:
        return ".".join(operation.rows)
    return _first_misfit(body, _shape(operation.name))


#: The structure of an answer: the type of each field, and the structure inside it or in each of its
#: rows. A row that is not an object has an empty name.
_Shape: TypeAlias = "dict[str, tuple[type, _Shape]]"


#: Types that also fit a type of the contract: a whole number, and a text that is a secret.
_ALIKE: Final = ((float, int), (str, Secret))


@cache
def _shape(operation: str) -> _Shape:
    """Return the fields of an operation's answer as a nested structure."""
    shape: _Shape = {}
    for path, kind in KNOWN[operation].answers.items():
        *outer, name = re.sub(r"\[\]$", ".", path).replace("[]", "").split(".")
        inside = shape
        for one in outer:
            inside = inside[one][1]
        inside[name] = (TYPES[kind], {})
    return shape


def _first_misfit(value: Mapping[str, Any], shape: _Shape) -> str | None:
    """Return the path of the first field of a wrong type, in objects and lists."""
    for name, found in value.items():
        if found is None or name not in shape:
            continue
        kind, inner = shape[name]
        if type(found) is not kind and (kind, type(found)) not in _ALIKE:
            return name
        if not inner:
            continue
        rows = found if isinstance(found, list) else [found]
        if "" in inner:
            rows = [{"": row} for row in rows]
        for row in rows:
            if type(row) is not dict:
                return name
            if (path := _first_misfit(row, inner)) is not None:
                return f"{name}{'[]' * (kind is list)}.{path}".rstrip(".")
    return None


def stranger(operation: Operation, body: Mapping[str, Any], asked: object) -> str | None:
    """Return a connection in an answer that was not asked for, or None.

    An answer or a row that names no connection counts as the one that was asked for.
    """
    if asked is None:
        return None
    named = [body.get("VpnConnectionId")]
    for path, column in operation.columns.items():
        if column == "vpn_connection_id":
            named += [row.get(path) for row in rows_in(operation, body) or []]
    return next((name for name in named if name not in (None, "", asked)), None)


def frame_of(
    operation: Operation,
    rows: list[dict[str, Any]],
    region_id: str | None,
    request_id: str | None = None,
) -> pd.DataFrame:
    """Return rows as a frame of the operation; drop fields that the operation does not name.

    An empty text becomes a missing value. The value of a column may come from a nested field or a
    list. The values of a list are joined by commas in the cloud's order, so that a dual-tunnel
    connection stays one row.

    Parameters
    ----------
    operation : Operation
        An operation whose answer is a list.
    rows : list of dict
        With the API's names.
    region_id : str or None
        The requested region, which the rows do not repeat.
    request_id : str, optional
        That of the last page, for errors.

    Returns
    -------
    DataFrame
        With the operation's schema.

    Raises
    ------
    ProtocolError
        If a value does not fit the type of its column.
    """
    columns: dict[str, list[Any]] = {}
    for path, column in operation.columns.items():
        cells = [_cell(row, path) for row in rows]
        before = columns.get(column, cells)
        pairs = zip(before, cells, strict=True)
        merged = [new if old is None else old for old, new in pairs]
        if any(cell is not None for cell in merged):
            columns[column] = merged
    if region_id is not None:
        columns.setdefault("region_id", [region_id] * len(rows))
    try:
        for name in columns:
            if operation.frame[name] == schema.TIME:
                times = pd.to_numeric(pd.Series(columns[name], dtype="object"))
                columns[name] = list(pd.to_datetime(times, unit="ms", utc=True))
        return schema.frame(operation.frame, columns)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(
            f"a list with values of the wrong type ({error})",
            operation=operation.name,
            request_id=request_id,
        ) from None


def _cell(row: Mapping[str, Any], path: str) -> Any:
    if "." not in path and "[]" not in path:
        return None if row.get(path) == "" else row.get(path)
    found = [value for value in _values(row, path) if value not in (None, "")]
    return _SEPARATOR.join(map(str, found)) if found else None


def _values(row: Any, path: str) -> list[Any]:
    """Return the values at a path: one value, or one for each row of the lists on the path."""
    if "." not in path:
        value = row.get(path.removesuffix("[]"))
        return value if path.endswith("[]") and isinstance(value, list) else [value]
    name, _, rest = path.partition(".")
    inner = row.get(name.removesuffix("[]"))
    several = inner if isinstance(inner, list) else [inner]
    return [value for one in several if isinstance(one, dict) for value in _values(one, rest)]
