"""What the Quota Center tells of an account, and what stands where it tells nothing."""

from __future__ import annotations

import json

import pytest

import vcokit as vk
from tests import official as sdk
from tests.cloud.stub import Stub, reply
from vcokit.cloud.operations import KNOWN, OPERATIONS
from vcokit.cloud.policy import policy_document
from vcokit.simulator import Account, Connection, Fault, Route, Simulator
from vcokit.simulator import quotas as center

ONE = Connection("vco-one")
BOTH = ("ListProductQuotas", "GetProductQuota")


def test_the_account_s_numbers(simulate) -> None:
    """Routes of a connection and limits of calls are those by which the cloud refuses."""
    limits = {"CreateVcoRouteEntry": (7, 30.0)}
    there = [Route("vco-one", "10.0.0.0/8")]
    cloud, client = simulate([ONE], there, quota=123, limits=limits)
    quotas = vk.live_quota(client)
    assert quotas.routes == 123
    assert (quotas.limits["CreateVcoRouteEntry"].calls, quotas.notes) == (7, ())
    assert quotas.limits["CreateVcoRouteEntry"].seconds == 30.0
    frame = quotas.frame()
    mine = frame[frame["about"] == "routes of a connection"].iloc[0]
    assert (mine["value"], mine["used"], mine["adjustable"]) == (123, 1, True)
    assert frame["source"].str.startswith("Quota Center, vpn_").all()
    assert "routes of a connection: 123" in str(quotas)
    assert set(cloud.calls()["operation"]) == {"ListProductQuotas"}


def test_a_list_of_several_pages(simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages are read; the token of one leads to the next."""
    monkeypatch.setattr("vcokit.cloud.operations.Operation.longest_page", 3)
    cloud, client = simulate([ONE])
    assert set(OPERATIONS) == set(vk.live_quota(client).limits)
    assert len(cloud.calls()) > 3


def test_without_permission_one_note_and_the_default() -> None:
    """A key that may not ask is told which action it lacks; no number is made up."""
    document = policy_document(["DescribeVcoRouteEntries"])
    with Simulator([ONE], accounts=[Account(policy=document)]) as cloud, vk.connect(cloud) as asks:
        quotas = vk.live_quota(asks)
    assert quotas.routes is None
    assert quotas.source == "default: 50, assumed"
    (note,) = quotas.notes
    assert "Forbidden.RAM" in note
    assert "quotas:ListProductQuotas" in note
    assert quotas.frame().empty


def test_what_the_policy_allows_is_enough() -> None:
    """The document of the two operations lets the account ask, and names the other service."""
    document = policy_document(BOTH)
    assert {name for one in document["Statement"] for name in one["Action"]} == {
        "quotas:ListProductQuotas",
        "quotas:GetProductQuota",
    }
    with Simulator([ONE], accounts=[Account(policy=document)]) as cloud, vk.connect(cloud) as asks:
        assert vk.live_quota(asks).routes == cloud.quota


@pytest.mark.parametrize("kind", ["drop_before", "html", "status_500"])
def test_no_usable_answer_is_a_note(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Quota Center that cannot be reached costs nothing but its numbers."""
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "1")
    with Simulator([ONE], faults=[Fault(kind)]) as cloud, vk.connect(cloud) as client:
        quotas = vk.live_quota(client)
    assert quotas.routes is None
    assert "so the defaults apply" in quotas.notes[0]


def test_a_key_that_is_refused_is_an_error(simulate) -> None:
    """No permission is missing there: nothing at all will work."""
    _, client = simulate([ONE], faults=[Fault("refuse", code="InvalidAccessKeyId.NotFound")])
    with pytest.raises(vk.errors.AuthError):
        vk.live_quota(client)


ROW = {"ProductCode": "vpn", "QuotaCategory": "CommonQuota", "TotalQuota": 9, "TotalUsage": 0}


@pytest.mark.parametrize(
    ("rows", "routes"),
    [
        ([], None),
        ([("vpn_quota_x", "Destination routes of an IPsec connection")], 9),
        ([("vpn_quota_x", "Policy-based routes of an IPsec connection")], None),
        ([("vpn_quota_x", "Routes of a VPN gateway")], None),
        ([("other_x", "Destination routes of an IPsec connection")], None),
        ([("vpn_quota_x", "VCO routes"), ("vpn_quota_y", "VCO routes per router")], None),
    ],
)
def test_only_one_quota_that_is_surely_meant(
    rows: list, routes: int | None, simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number of something else, or one of several, is never taken for the connection's."""
    told = [{**ROW, "QuotaActionCode": code, "QuotaName": name} for code, name in rows]
    monkeypatch.setattr(center, "_quotas", lambda _: told)
    _, client = simulate([ONE])
    quotas = vk.live_quota(client)
    assert quotas.routes == routes
    assert bool(quotas.notes) == (routes is None)


def test_where_calls_go() -> None:
    """Without an endpoint they go to the one host of the Quota Center, under its own version."""
    import httpx

    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        body = {"RequestId": "1", "Quotas": [], "TotalCount": 0}
        return httpx.Response(200, text=json.dumps(body))

    key = {"access_key_id": "LTAIx", "access_key_secret": "canary-secret-c0ffee41d2"}
    with vk.connect("cn-hangzhou", transport=httpx.MockTransport(answer), **key) as client:
        vk.live_quota(client)
    assert {one.url.host for one in seen} == {"quotas.aliyuncs.com"}
    assert {one.headers["x-acs-version"] for one in seen} == {"2020-05-10"}


def test_the_same_question() -> None:
    """The official SDK asks the same of the same operation; it writes it into the body."""
    keys = {"access_key_id": "LTAIexample", "access_key_secret": "any-secret"}
    asked = {"product_code": "vpn", "quota_category": "CommonQuota", "max_results": 100}
    name = "ListProductQuotas"
    with Stub([reply({"Code": "Forbidden", "RequestId": "r"}, "403 Forbidden")]) as stub:
        host = stub.endpoint.removeprefix("http://")
        theirs = sdk.client(name, endpoint=host, protocol="http", **keys)
        with pytest.raises(Exception, match="Forbidden"):
            theirs.list_product_quotas(sdk.model(name, "Request")(**asked))
        with stub.client() as client:
            vk.live_quota(client)
    sent, ours = stub.asked
    assert ours.parameters == sent.parameters
    for header in ("x-acs-action", "x-acs-version"):
        assert ours.headers[header] == sent.headers[header]


def test_one_quota_is_read_too(simulate) -> None:
    """GetProductQuota answers the row of the list; an unknown one is refused."""
    cloud, client = simulate([ONE], quota=5)
    code = "vpn_quota_vco_routes"
    asked = {"ProductCode": "vpn", "QuotaActionCode": code}
    assert client.call(KNOWN["GetProductQuota"], asked)["Quota"]["TotalQuota"] == 5
    with pytest.raises(vk.errors.BadRequestError):
        client.call(KNOWN["GetProductQuota"], {**asked, "QuotaActionCode": "vpn_quota_none"})
    assert cloud.calls()["code"].dropna().tolist() == ["InvalidQuotaActionCode"]
