"""Whatever comes back becomes an answer or one error of this package."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from tests.leaks import TEST_TOKEN
from vcokit import errors
from vcokit.cloud import responses
from vcokit.cloud.error_codes import classify
from vcokit.cloud.masking import Secret
from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.responses import Answer
from vcokit.cloud.transport import Reply, error_of
from vcokit.simulator import CANARY_AUTH_KEY, CANARY_PSK


def came(status: int, *, content: bytes, headers: dict[str, str] | None = None, cut="") -> Reply:
    """Return a reply."""
    return Reply(status, httpx.Headers(headers or {}), content, cut=cut)


def test_every_transport_error_is_mapped() -> None:
    """No exception of the HTTP library escapes: each becomes an error of this package."""
    operation = "CreateVcoRouteEntry"

    def subclasses(kind: type) -> list[type]:
        return [kind, *(deep for sub in kind.__subclasses__() for deep in subclasses(sub))]

    for kind in subclasses(httpx.RequestError):
        mapped = error_of(operation, kind("boom"))
        assert isinstance(mapped, errors.NoAnswerError | errors.ProtocolError), kind
        assert mapped.operation == operation
    for kind in (httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError):
        assert not isinstance(error_of(operation, kind("boom")), errors.NotSentError)


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
        responses.read(OPERATIONS["DescribeVcoRouteEntries"], came(status, content=body), 30.0)
    assert len(caught.value.received) <= 200
    assert caught.value.http_status == status


@pytest.mark.parametrize(
    ("name", "lists_nothing"),
    [
        ("DescribeVcoRouteEntries", {"VcoRouteEntries": None}),
        ("DescribeVcoRouteEntries", {}),
        ("DescribeVpnConnections", {"VpnConnections": {"VpnConnection": None}}),
        ("DescribeVpnConnections", {"VpnConnections": {}}),
        ("DescribeVpnConnections", {"VpnConnections": None}),
        ("DescribeVpnConnections", {}),
    ],
)
def test_a_list_of_nothing_may_be_missing(name: str, lists_nothing: dict) -> None:
    """Where the cloud counts no rows a list that is null or left out is empty, else it is wrong."""
    operation = OPERATIONS[name]

    def read(**fields: object) -> Answer:
        body = json.dumps({"RequestId": "r", **fields}).encode()
        return responses.read(operation, came(200, content=body), 30.0)

    assert responses.rows_in(operation, read(TotalCount=0, **lists_nothing).data) == []
    for wrong in ({"TotalCount": 3, **lists_nothing}, lists_nothing):
        with pytest.raises(errors.ProtocolError, match="missing or of the wrong type"):
            read(**wrong)
    flat = [{"VpnConnectionId": "vco-1"}] if len(operation.rows) > 1 else [[]]
    for wrong in ("", 5, {"VpnConnection": ""}, [None], flat):
        with pytest.raises(errors.ProtocolError, match="missing or of the wrong type"):
            read(TotalCount=0, **{operation.rows[0]: wrong})


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
        responses.frame_of(OPERATIONS["DescribeVcoRouteEntries"], [row], "cn-hangzhou")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "Throttling.User", "throttled"),
        (400, "Never.Seen", "throttled"),
        (429, "Never.Seen", "throttled"),
        (400, "SystemBusy", "throttled"),
        (503, "Throttling.User", "throttled"),
        (400, "OperationFailed.IdempotentTokenProcessing", "busy"),
        (500, "InternalError", "server"),
        (503, "ServiceUnavailable", "server"),
        (503, "SystemBusy", "busy"),
        (502, "Never.Seen", "server"),
        (400, "InternalError", "server"),
        (400, "SignatureDoesNotMatch", "auth"),
        (400, "VpnRouteEntry.AlreadyExists", "state"),
        (400, "IllegalParam.RouteDest", "input"),
    ],
)
def test_a_wait_asked_for_is_carried_and_changes_no_fate(status: int, code: str, kind: str) -> None:
    """x-acs-retry-after makes a rate limit only of a refusal that may be one; all carry it."""
    body = f'{{"Code": "{code}", "RequestId": "r", "Message": "m"}}'.encode()
    operation = OPERATIONS["CreateVcoRouteEntry"]
    for header, expected in (("250", 0.25), ("99999999", 30.0)):
        response = came(status, content=body, headers={"x-acs-retry-after": header})
        with pytest.raises(errors.ApiError) as caught:
            responses.read(operation, response, 30.0)
        assert (caught.value.kind, caught.value.retry_after) == (kind, expected)
    for header in ("0", "-5", "soon", "9" * 5000):
        response = came(status, content=body, headers={"x-acs-retry-after": header})
        with pytest.raises(errors.ApiError) as caught:
            responses.read(operation, response, 30.0)
        assert (caught.value.kind, caught.value.retry_after) == (classify(code, status).kind, None)


DATED = {"Date": "Mon, 23 Nov 2026 10:00:00 GMT"}
TEN = 1_795_428_000.0  # the same in seconds


@pytest.mark.parametrize(
    ("ours", "skew", "words"),
    [
        (TEN - 1384, 1384.0, "clock is 23 min 4 s behind the cloud's"),
        (TEN + 90_000, -90_000.0, "clock is 1 d 1 h ahead of the cloud's"),
    ],
)
def test_a_wrong_clock(ours: float, skew: float, words: str) -> None:
    """A refused date says how wrong this machine's clock is, and which way."""
    body = b'{"Code": "InvalidTimeStamp.Expired", "RequestId": "r", "Message": "Expired."}'
    with pytest.raises(errors.ClockError, match=words) as caught:
        responses.read(
            OPERATIONS["DescribeRegions"], came(400, content=body, headers=DATED), 30.0, now=ours
        )
    assert caught.value.skew == skew
    assert "Set this machine's clock" in str(caught.value)
    for headers in ({}, {"Date": "yesterday"}, {"Date": "Mon, 99 Nov 2026 10:00:00 GMT"}):
        reply = came(400, content=body, headers=headers)
        with pytest.raises(errors.ClockError) as caught:
            responses.read(OPERATIONS["DescribeRegions"], reply, 30.0, now=ours)
        assert caught.value.skew is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": "TaskConflict", "message": "busy", "requestId": "R-1"}',
        b"<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R-1</RequestId><HostId>h</HostId>"
        b"<Code>TaskConflict</Code><Message>busy</Message></Error>",
        '{"Code": "TaskConflict", "Message": "busy", "RequestId": "R-1"}'.encode("utf-16"),
    ],
)
def test_errors_in_other_clothes(body: bytes) -> None:
    """An error is read in either case of its names, in XML, and in any encoding of JSON."""
    with pytest.raises(errors.BusyError, match=r"R-1.*TaskConflict: busy") as caught:
        responses.read(OPERATIONS["CreateVcoRouteEntry"], came(409, content=body), 30.0)
    assert (caught.value.code, caught.value.request_id) == ("TaskConflict", "R-1")


def test_the_request_id_of_the_header() -> None:
    """An error whose body has no id carries that of the header."""
    reply = came(503, content=b'{"Code": "X"}', headers={"X-Acs-Request-Id": "R-2"})
    with pytest.raises(errors.ServerError) as caught:
        responses.read(OPERATIONS["DescribeRegions"], reply, 30.0)
    assert caught.value.request_id == "R-2"


def test_a_denied_permission_names_the_action() -> None:
    """Who is denied learns what to allow, and who prints the policy."""
    for code in ("Forbidden.RAM", "Forbbiden.SubUser", "Forbidden"):
        reply = came(403, content=f'{{"Code": "{code}", "RequestId": "r"}}'.encode())
        with pytest.raises(errors.AuthError, match=r"vpc:DeleteVcoRouteEntry .vcokit policy"):
            responses.read(OPERATIONS["DeleteVcoRouteEntry"], reply, 30.0)


def test_messages_do_not_repeat_secrets() -> None:
    """What was signed, and a token that stands in a message, are taken out of it."""
    signed = "No match. server StringToSign is [a] server CanonicalRequest is [x-acs-date:b]"
    for message in (signed, f"the token {TEST_TOKEN} is unknown", f'bad "SecurityToken":"{1}x"'):
        body = json.dumps({"Code": "SignatureDoesNotMatch", "RequestId": "r", "Message": message})
        with pytest.raises(errors.AuthError) as caught:
            responses.read(
                OPERATIONS["DescribeRegions"],
                came(400, content=body.encode()),
                30.0,
                secrets=(Secret(TEST_TOKEN),),
            )
        said = str(caught.value)
        assert not any(word in said for word in ("x-acs-date", TEST_TOKEN, "1x"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
def test_secrets_of_answers_are_dropped(encoding: str) -> None:
    """Keys are dropped at any depth, and masked in what is cut off, in any encoding of JSON."""
    tunnels = [{"TunnelIkeConfig": {"Psk": CANARY_PSK, "psk": CANARY_PSK, "IkeMode": "main"}}]
    body = {
        "RequestId": "r",
        "State": "attached",
        "IkeConfig": {"Psk": CANARY_PSK},
        "VpnBgpConfig": {"AuthKey": CANARY_AUTH_KEY, "authKey": CANARY_AUTH_KEY},
        "TunnelOptionsSpecification": {"TunnelOptions": tunnels},
    }
    operation = OPERATIONS["DescribeVpnConnection"]
    data = json.dumps(body).encode(encoding)
    whole = responses.read(operation, came(200, content=data), 30.0)
    assert whole["TunnelOptionsSpecification"]["TunnelOptions"] == [
        {"TunnelIkeConfig": {"IkeMode": "main"}}
    ]
    said = repr(whole)
    for end in range(len(data) // 2, len(data), 3):
        with pytest.raises(errors.ProtocolError) as caught:
            responses.read(operation, came(200, content=data[:end]), 30.0)
        said += f"{caught.value!r} {caught.value} {caught.value.received}"
    assert "***" in said
    said = said.replace("\\x00", "").replace("\0", "")  # what wide letters look like in narrow ones
    assert CANARY_PSK not in said
    assert CANARY_AUTH_KEY not in said


def test_a_dual_tunnel_connection_is_one_row() -> None:
    """What each tunnel says stands in one cell, in the cloud's order; empty text is missing."""
    tunnels = [
        {"Role": "master", "Status": "ipsec_sa_established", "ZoneNo": "z-a"},
        {"Role": "slave", "Status": "ike_sa_not_established", "ZoneNo": "z-b"},
    ]
    rows = [
        {"VpnConnectionId": "vco-1", "TunnelOptionsSpecification": {"TunnelOptions": tunnels}},
        {"VpnConnectionId": "vco-2", "Name": "", "Status": "ipsec_sa_established"},
    ]
    operation = OPERATIONS["DescribeVpnConnections"]
    body = {"RequestId": "r", "TotalCount": 2, "VpnConnections": {"VpnConnection": rows}}
    assert responses.misfit(operation, body) is None
    found = responses.frame_of(operation, rows, "cn-hangzhou")
    assert found["tunnel_status"].tolist()[0] == "ipsec_sa_established, ike_sa_not_established"
    assert found["zone"].tolist()[0] == "z-a, z-b"
    assert found.loc[1, ["tunnel_status", "zone", "name"]].isna().all()
    tunnels[1]["Status"] = 5
    assert responses.misfit(operation, body).endswith("TunnelOptions[].Status")


TUNNEL = {"TunnelOptionsSpecification": {"TunnelOptions": [{"TunnelBgpConfig": []}]}}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"IkeConfig": 5}, "IkeConfig"),
        ({"IkeConfig": {"IkeLifetime": "soon"}}, "IkeConfig.IkeLifetime"),
        ({"TunnelOptionsSpecification": {"TunnelOptions": {}}}, "TunnelOptionsSpecification"),
        (TUNNEL, "TunnelOptionsSpecification.TunnelOptions[].TunnelBgpConfig"),
        ({"Tags": {"Tag": ["team"]}}, "Tags.Tag"),
        ({"CreateTime": True}, "CreateTime"),
        ({"CreateTime": 1.5}, "CreateTime"),
        ({"State": ["attached"]}, "State"),
        ({"EnableDpd": 1}, "EnableDpd"),
    ],
)
def test_fields_within_an_answer_are_of_the_contract(fields: dict, path: str) -> None:
    """A field of another type than the contract's, however deep, makes an answer a strange one."""
    body = {"RequestId": "r", "State": "attached"}
    operation = OPERATIONS["DescribeVpnConnection"]

    def read(**more: object) -> Answer:
        content = json.dumps({**body, **more}).encode()
        return responses.read(operation, came(200, content=content), 30.0)

    with pytest.raises(errors.ProtocolError, match=f"{re.escape(path)}.* of the wrong type"):
        read(**fields)
    left_out = dict.fromkeys(set(fields) - {"State"})
    assert read(**left_out, Odd=[5])["Odd"] == [5]  # nobody knows what is odd


@pytest.mark.parametrize("total", [None, "2", 2.0, True])
def test_a_list_without_its_total(total: object) -> None:
    """A list that does not say how long it is could end anywhere: it is no answer."""
    body = {"RequestId": "r", "VcoRouteEntries": [], "TotalCount": total}
    with pytest.raises(errors.ProtocolError, match="TotalCount"):
        responses.read(
            OPERATIONS["DescribeVcoRouteEntries"],
            came(200, content=json.dumps(body).encode()),
            30.0,
        )


@pytest.mark.parametrize("half", [b"\\ud83d", b"\xed\xa0\xbd"])
def test_half_a_character_is_replaced(half: bytes) -> None:
    """Text that no file could take (half a pair of surrogates) is made fit where it is parsed."""
    body = b'{"Code": "Busy%s", "Message": "\xe2\x98\x81 %s", "RequestId": "r%s"}' % ((half,) * 3)
    with pytest.raises(errors.ApiError) as caught:
        responses.read(OPERATIONS["DescribeRegions"], came(400, content=body), 30.0)
    assert (caught.value.code, caught.value.message) == ("Busy?", "Busy?: ☁ ?")
    assert caught.value.request_id == "r?"
    row = b'{"RouteDest": "%s", "NextHopTunnelIdList": ["t%s"], "%s": 1}' % ((half,) * 3)
    content = b'{"RequestId": "r", "TotalCount": 1, "VcoRouteEntries": [%s]}' % row
    found = responses.read(OPERATIONS["DescribeVcoRouteEntries"], came(200, content=content), 30.0)
    expected = {"RouteDest": "?", "NextHopTunnelIdList": ["t?"], "?": 1}
    assert found["VcoRouteEntries"] == [expected]
