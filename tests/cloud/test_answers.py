"""Whatever comes back becomes an answer or one error of this package."""

from __future__ import annotations

import httpx
import pytest

from vcokit import errors
from vcokit.cloud import answers, lists
from vcokit.cloud.codes import CODES, classify
from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.transport import Reply


def came(status: int, *, content: bytes, headers: dict[str, str] | None = None, cut="") -> Reply:
    """Return a reply."""
    return Reply(status, httpx.Headers(headers or {}), content, cut=cut)


def test_every_transport_error_is_mapped() -> None:
    """No exception of the HTTP library escapes: each becomes an error of this package."""
    operation = OPERATIONS["CreateVcoRouteEntry"]

    def subclasses(kind: type) -> list[type]:
        return [kind, *(deep for sub in kind.__subclasses__() for deep in subclasses(sub))]

    for kind in subclasses(httpx.RequestError):
        mapped = answers.transport_error(operation, kind("boom"))
        assert isinstance(mapped, errors.NoAnswerError | errors.ProtocolError), kind
        assert mapped.operation == operation.name
    for kind in (httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError):
        assert not isinstance(answers.transport_error(operation, kind("boom")), errors.NotSentError)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"RequestId": 5, "VcoRouteEntries": []}',
        b'{"RequestId": "x"}',
        b'{"RequestId": "x", "VcoRouteEntries": {}}',
        b'{"RequestId": "x", "VcoRouteEntries": [1]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_strange_answers(body: bytes, status: int) -> None:
    """Whatever comes that is no answer of the API is one ProtocolError that shows what came."""
    with pytest.raises(errors.ProtocolError) as caught:
        answers.read(OPERATIONS["DescribeVcoRouteEntries"], came(status, content=body), 30.0)
    assert len(caught.value.received) <= 200
    assert caught.value.http_status == status


@pytest.mark.parametrize(
    "row",
    [
        {"Weight": "heavy"},
        {"CreateTime": "yesterday"},
        {"CreateTime": 10**30},
        {"Weight": [1]},
    ],
)
def test_rows_of_the_wrong_type(row: dict) -> None:
    """A list with values of the wrong type is a ProtocolError, not a traceback of pandas."""
    with pytest.raises(errors.ProtocolError):
        lists.frame_of(OPERATIONS["DescribeVcoRouteEntries"], [row], "cn-hangzhou")


def test_retry_after_makes_a_throttled_error_and_is_capped() -> None:
    """A positive x-acs-retry-after means throttled whatever the code, and is believed to a cap."""
    operation = OPERATIONS["DescribeRegions"]
    body = b'{"Code": "InternalError", "RequestId": "r", "Message": "m"}'
    for header, expected in (("250", 0.25), ("99999999", 30.0)):
        response = came(500, content=body, headers={"x-acs-retry-after": header})
        with pytest.raises(errors.ThrottledError) as caught:
            answers.read(operation, response, 30.0)
        assert caught.value.retry_after == expected
    for header in ("0", "-5", "soon", "9" * 5000):
        response = came(500, content=body, headers={"x-acs-retry-after": header})
        with pytest.raises(errors.ServerError):
            answers.read(operation, response, 30.0)


def test_every_code_has_its_class() -> None:
    """Each code of the table, and an unknown one, is raised as the class of its kind."""
    operation = OPERATIONS["CreateVcoRouteEntry"]
    for code in [*CODES, "Never.Seen", "MissingWeight", "InvalidWeight"]:
        body = f'{{"Code": "{code}", "RequestId": "r", "Message": "m"}}'.encode()
        with pytest.raises(errors.ApiError) as caught:
            answers.read(operation, came(400, content=body), 30.0)
        assert caught.value.kind == classify(code, 400).kind
        assert caught.value.code == code
        assert caught.value.request_id == "r"
