"""How answers are written: JSON or XML, the error envelope, the headers.

===============  ==================================  ======================================
answer           JSON                                XML
===============  ==================================  ======================================
success          ``{"RequestId": …, fields…}``       ``<{Action}Response>…``
error            RequestId, HostId, Code, Message,   ``<Error>…`` with the same
                 Recommend
list             array                               the element once for each item
truth            ``true``                            ``true``
===============  ==================================  ======================================

JSON is the default; the parameter ``Format`` asks for XML in either scheme. Without it the header
``Accept`` may (ours: no page says what V3 does). Source: the vendor's page on the structure of
answers; the content types are those that its SDKs look for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from vcokit.simulator.answers import Answer
from vcokit.simulator.requests import HttpRequest

JSON, XML = "JSON", "XML"
CONTENT_TYPES: Final = {
    JSON: "application/json;charset=utf-8",
    XML: "text/xml;charset=utf-8",
}
_HELP: Final = (
    "https://api.alibabacloud.com/troubleshoot?q={code}&product=Vpc&requestId={request_id}"
)
_DECLARATION: Final = "<?xml version='1.0' encoding='UTF-8'?>"
#: What XML 1.0 cannot hold, not even escaped.
_UNWRITABLE: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def wanted_format(request: HttpRequest) -> str | None:
    """Return the format that a request asks for, None where it is none that is known."""
    named = request.parameters.get("Format", "")
    if named:
        return named.upper() if named.upper() in CONTENT_TYPES else None
    accepted = request.header_values.get("accept", "")
    return XML if "xml" in accepted and "json" not in accepted else JSON


def write_answer(
    answer: Answer, operation: str, form: str, *, host: str, empty_lists: bool = False
) -> bytes:
    """Return the body of an answer.

    Parameters
    ----------
    answer : Answer
        What the cloud says.
    operation : str
        Names the root element of a success in XML.
    form : str
        ``JSON`` or ``XML``.
    host : str
        ``HostId`` of errors: the host as the client wrote it.
    empty_lists : bool
        Whether an empty list has an element in XML.
    """
    fields = _error_fields(answer, host) if answer.code else answer.fields
    fields = {"RequestId": answer.request_id, **fields}
    if form == JSON:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    else:
        root = "Error" if answer.code else f"{operation}Response"
        text = _DECLARATION + "".join(_element(root, fields, empty_lists))
    return text.encode("utf-8", "replace")


def _error_fields(answer: Answer, host: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "HostId": host,
        "Code": answer.code,
        "Message": answer.message,
        "Recommend": _HELP.format(code=answer.code, request_id=answer.request_id),
    }
    return fields | ({"AccessDeniedDetail": dict(answer.detail)} if answer.detail else {})


def _element(name: str, value: Any, empty_lists: bool) -> Iterator[str]:
    """Yield a value as XML; a list becomes its element again and again."""
    if isinstance(value, list):
        items = value or ([""] if empty_lists else [])
        for item in items:
            yield from _element(name, item, empty_lists)
        return
    yield f"<{name}>"
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _element(key, inner, empty_lists)
    else:
        yield _text(value)
    yield f"</{name}>"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A bare carriage return would be read back as a line feed.
    return escape(_UNWRITABLE.sub("\ufffd", str(value)), {"\r": "&#13;"})
