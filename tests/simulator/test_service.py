"""The gateway: who is let in, in which order the checks stand, and how answers look."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest

from vcokit.simulator import Account, Connection, Credentials, Fault
from vcokit.simulator.codes import Refusal
from vcokit.simulator.defaults import TIMESTAMP_TOLERANCE
from vcokit.simulator.gateway import NonceMemory, read_parameters
from vcokit.simulator.requests import HttpRequest

WALL = 1_767_323_045.0
ONE = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_get_and_post_are_answered_alike(gate, sign, method):
    """Both methods carry their parameters in the query."""
    answer = gate().send(sign("DescribeVpnConnection", ONE, method=method))
    assert answer.status == 200
    assert json.loads(answer.body)["State"] == "attached"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "get", "X"])
def test_other_methods_are_refused(gate, sign, method):
    """Only GET and POST are methods of this API."""
    assert gate().code(sign("DescribeRegions", method=method)) == "UnsupportedHTTPMethod"


def test_an_answer_has_its_headers_and_envelope(gate, sign):
    """JSON in UTF-8, and the request id in the header is that of the body."""
    for parameters in (ONE, {}):
        answer = gate().send(sign("DescribeVpnConnection", parameters))
        headers = dict(answer.headers)
        body = json.loads(answer.body)
        assert headers[b"content-type"] == b"application/json;charset=utf-8"
        assert headers[b"x-acs-request-id"].decode() == body["RequestId"]
        assert str(UUID(body["RequestId"])).upper() == body["RequestId"]


def test_an_error_has_the_vendor_s_envelope(gate, sign):
    """RequestId, HostId, Code, Message and Recommend, nothing else."""
    answer = gate().send(sign("DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-9"}))
    body = json.loads(answer.body)
    assert answer.status == 404
    assert body == {
        "RequestId": body["RequestId"],
        "HostId": "127.0.0.1:80",
        "Code": "InvalidVpnConnectionInstanceId.NotFound",
        "Message": "The specified vpn connection instance id does not exist.",
        "Recommend": "https://api.alibabacloud.com/troubleshoot"
        f"?q=InvalidVpnConnectionInstanceId.NotFound&product=Vpc&requestId={body['RequestId']}",
    }


def test_texts_come_back_as_they_went(gate, name_route):
    """Spaces, signs and other scripts in a description survive."""
    text = "a b*c~d+e/f%g&h=i\"j'k(l)!m 测试 😀 <script>\x00"
    answer = gate().call("CreateVcoRouteEntry", name_route(Description=text))
    assert answer["Description"] == text


# What is wrong, in the order in which it is found out; a later one never hides an earlier one.
GATE = [
    ("UnsupportedHTTPMethod", {"method": "PUT"}),
    ("MissingVersion", {"headers": {"x-acs-version": None}}),
    ("InvalidVersion", {"headers": {"x-acs-version": "2014-05-26"}}),
    ("InvalidAction.NotFound", {"action": "DescribeVpcs"}),
    ("IncompleteSignature", {"headers": {"x-acs-content-sha256": None}}),
    ("MissingSignatureNonce", {"headers": {"x-acs-signature-nonce": None}}),
    ("MissingTimestamp", {"headers": {"x-acs-date": None}}),
    ("InvalidAccessKeyId.NotFound", {"credentials": Credentials("nobody", "x")}),
    ("InvalidTimeStamp.Format", {"headers": {"x-acs-date": "2026-01-02 03:04:05"}}),
    ("InvalidTimeStamp.Expired", {"headers": {"x-acs-date": "2025-01-02T03:04:05Z"}}),
    ("SignatureDoesNotMatch", {"credentials": Account(access_key_secret="x").credentials}),
    ("SignatureNonceUsed", {"headers": {"x-acs-signature-nonce": "used"}}),
    ("MissingVpnConnectionId", {"parameters": {"RegionId": "cn-hangzhou"}}),
]


def spoiled(sign, *spoils):
    """Return a request with several things wrong."""
    how = {"action": "DescribeVpnConnection", "parameters": ONE, "headers": {}}
    for spoil in spoils:
        headers = how["headers"] | spoil.get("headers", {})
        how = how | spoil | {"headers": headers}
    return sign(how.pop("action"), how.pop("parameters"), **how)


def test_the_gate_checks_in_order(gate, sign):
    """Of any two things wrong the earlier one in the documented order is answered."""
    before = gate()
    before.send(sign("DescribeRegions", headers={"x-acs-signature-nonce": "used"}))
    for position, (code, spoil) in enumerate(GATE):
        for _, later in [("", {}), *GATE[position + 1 :]]:
            if spoil.keys() & later.keys() - {"headers"}:
                continue
            if spoil.get("headers", {}).keys() & later.get("headers", {}).keys():
                continue
            assert before.code(spoiled(sign, later, spoil)) == code, later


@pytest.mark.parametrize(
    ("header", "code"), [("x-acs-action", "MissingAction"), ("x-acs-version", "MissingVersion")]
)
def test_the_operation_must_be_named(gate, sign, header, code):
    """Action and version are required."""
    assert gate().code(sign("DescribeRegions", headers={header: None})) == code


def test_only_the_root_is_served(gate, sign):
    """Any other path is an unknown API."""
    other = replace(sign("DescribeRegions"), path="/v2")
    answer = gate().send(other)
    assert (answer.status, json.loads(answer.body)["Code"]) == (404, "InvalidAction.NotFound")


@pytest.mark.parametrize("offset", [-900, 0, 900])
def test_dates_are_good_for_fifteen_minutes_either_way(gate, sign, offset):
    """Exactly fifteen minutes are still good, one second more is not."""
    request = sign("DescribeRegions", wall=WALL + offset)
    assert gate().code(request, wall=WALL) == ""
    further = sign("DescribeRegions", wall=WALL + offset + (1 if offset >= 0 else -1))
    expected = "" if offset == 0 else "InvalidTimeStamp.Expired"
    assert gate().code(further, wall=WALL) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-1-2T3:4:5Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "0000-01-02T00:00:00Z",
        "２０２６-01-02T03:04:05Z",
        "Fri, 02 Jan 2026 03:04:05 GMT",
    ],
)
def test_dates_have_one_form(gate, sign, text):
    """Only yyyy-MM-ddTHH:mm:ssZ is a date, and only if there is such a day."""
    assert gate().code(sign("DescribeRegions", headers={"x-acs-date": text})) == (
        "InvalidTimeStamp.Format"
    )


def test_a_request_can_be_sent_once(gate, sign):
    """The same nonce again is a replay; the resend of a call carries a new one."""
    before, request = gate(), sign("DescribeRegions")
    assert [before.code(request), before.code(request)] == ["", "SignatureNonceUsed"]
    assert before.code(sign("DescribeRegions")) == ""


def test_a_nonce_counts_only_when_its_signature_was_right(gate, sign):
    """A forged request cannot use up the nonce of a true one."""
    before, request = gate(), sign("DescribeRegions")
    forged = replace(request, query=b"a=1")
    assert before.code(forged) == "SignatureDoesNotMatch"
    assert before.code(request) == ""


def test_a_nonce_belongs_to_its_key(gate, sign):
    """Two keys may use the same nonce."""
    accounts = [Account(), Account("2", "key-2", "secret-2")]
    before = gate(accounts=accounts)
    nonce = {"x-acs-signature-nonce": "n"}
    for account in accounts:
        assert (
            before.code(sign("DescribeRegions", headers=nonce, credentials=account.credentials))
            == ""
        )


def test_nonces_are_kept_as_long_as_they_matter():
    """Each is kept until its date has expired, in whatever order they came, and no longer."""
    memory, late, early = NonceMemory(), 1000.0, 200.0
    memory.use("k", "late", date=late, wall=500.0)
    memory.use("k", "early", date=early, wall=500.0)
    end = early + TIMESTAMP_TOLERANCE
    memory.use("k", "x", date=end, wall=end)
    assert len(memory) == 3
    memory.use("k", "y", date=end, wall=end + 1)
    assert len(memory) == 3, "early is forgotten, y is new"


def test_temporary_keys_need_their_token(gate, sign):
    """An STS account is let in with its token only; a plain one must not send any."""
    temporary = Account("2", "STS.key", "secret", security_token="token==")
    before = gate(accounts=[temporary, Account()])
    credentials = temporary.credentials
    assert before.code(sign("DescribeRegions", credentials=credentials)) == ""
    without = sign("DescribeRegions", credentials=credentials._replace(security_token=None))
    assert before.code(without) == "MissingSecurityToken"
    other = sign("DescribeRegions", credentials=credentials._replace(security_token="x"))
    assert before.code(other) == "InvalidSecurityToken"
    plain = sign("DescribeRegions", headers={"x-acs-security-token": "x"})
    assert before.code(plain) == "InvalidSecurityToken"
    wrong_id = {"x-acs-accesskey-id": "other"}
    assert before.code(sign("DescribeRegions", headers=wrong_id)) == "InvalidAccessKeyId.NotFound"


def test_each_key_acts_for_its_account(gate):
    """A call reaches the connections of the account whose key signed it."""
    mine, theirs = Account(), Account("2", "key-2", "secret-2")
    before = gate(accounts=[mine, theirs], connections=[Connection("vco-1", account_id="2")])
    assert "State" in before.call("DescribeVpnConnection", ONE, credentials=theirs.credentials)
    refused = before.call("DescribeVpnConnection", ONE, credentials=mine.credentials)
    assert refused["Code"] == "InvalidVpnConnectionInstanceId.NotFound"


def test_a_parameter_stands_there_once():
    """Which of two values counts is nowhere written, so two are refused, equal ones too."""
    assert read_parameters(HttpRequest("GET", query=b"a=1&b=2&c=")) == {"a": "1", "b": "2", "c": ""}
    with pytest.raises(Refusal) as caught:
        read_parameters(HttpRequest("GET", query=b"a=1&b=2&a=1"))
    assert caught.value.code == "InvalidParameter"
    assert '"a"' in caught.value.message


@pytest.mark.parametrize(("speed", "expected"), [(1.0, "60000"), (60.0, "1000"), (7.0, "8572")])
def test_a_throttled_client_is_told_to_wait(gate, sign, speed, expected):
    """The header x-acs-retry-after is in milliseconds of wall time, rounded up."""
    before = gate(limits={"DescribeRegions": (1, 60.0)}, speed=speed)
    before.send(sign("DescribeRegions"))
    answer = before.send(sign("DescribeRegions"))
    assert answer.status == 400
    assert dict(answer.headers)[b"x-acs-retry-after"].decode() == expected


def test_only_throttled_clients_are_told_to_wait(gate, sign):
    """The header makes SDKs raise a throttling error, so no other answer has it."""
    before = gate()
    for request in (sign("DescribeRegions"), sign("DescribeVpnConnection")):
        assert b"x-acs-retry-after" not in dict(before.send(request).headers)


def test_who_is_turned_away_is_in_the_history(gate, sign):
    """A call that the gateway refuses is kept, without an account."""
    before = gate()
    before.send(sign("DescribeVpnConnection", ONE, credentials=Credentials("nobody", "x")), now=3.0)
    call = before.world.cloud.history[0]
    assert (call.time, call.operation, call.account_id, call.code, call.status) == (
        3.0,
        "DescribeVpnConnection",
        "",
        "InvalidAccessKeyId.NotFound",
        404,
    )
    assert call.vpn_connection_id == "vco-1"


def test_parameters_of_the_protocol_are_not_kept(gate):
    """Signatures and tokens that stand in a query never reach the history."""
    before = gate()
    before.call("DescribeRegions", {"SecurityToken": "s", "Signature": "s", "Format": "JSON"})
    assert before.world.cloud.history[0].parameters == {}


@pytest.mark.parametrize(
    ("faults", "delay", "drops", "truncates"),
    [
        ([Fault("delay", seconds=2.0)], 2.0, False, False),
        ([Fault("drop_before")], 0.0, True, False),
        ([Fault("truncate")], 0.0, False, True),
        ([Fault("delay", seconds=1.0), Fault("drop_after")], 1.0, True, False),
    ],
)
def test_what_happens_on_the_way_is_said(gate, sign, faults, delay, drops, truncates):
    """The service only says what shall happen to an answer; the carrier does it."""
    answer = gate(faults=faults).send(sign("DescribeRegions"))
    assert (answer.delay, answer.drops, answer.truncates) == (delay, drops, truncates)


def test_a_page_of_someone_in_between_is_html(gate, sign):
    """The fault html answers 200 with a page and no request id."""
    answer = gate(faults=[Fault("html")]).send(sign("DescribeRegions"))
    assert answer.status == 200
    headers = dict(answer.headers)
    assert headers.pop(b"date")
    assert headers == {b"content-type": b"text/html;charset=utf-8"}
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_faults_do_not_strike_who_is_not_let_in(gate, sign):
    """A request with a wrong signature uses up no fault."""
    before = gate(faults=[Fault("status_503", count=1)])
    wrong = sign("DescribeRegions", credentials=Account(access_key_secret="x").credentials)
    assert before.code(wrong) == "SignatureDoesNotMatch"
    assert before.code(sign("DescribeRegions")) == "ServiceUnavailable"


def test_secrets_are_in_no_repr():
    """Accounts and credentials show who, never how."""
    account = Account("1", "the-id", "the-secret", security_token="the-token")
    shown = f"{account!r} {account} {account.credentials!r} {account.credentials} {[account]}"
    assert "the-id" in shown
    assert "the-secret" not in shown
    assert "the-token" not in shown
