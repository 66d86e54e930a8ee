"""Roles are assumed as the vendor's own clients do it, and act for their account until they end."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_credentials.provider import RamRoleArnCredentialsProvider
from alibabacloud_credentials.provider.ram_role_arn import TeaCore

from tests import official
from tests.simulator.conftest import ACCOUNT, HERE, READS, WALL, SmallService, signed
from tests.simulator.test_auth import allow
from tests.simulator.test_sdk import client_of, typed
from vcokit.simulator import Account, Connection, Credentials, Role, Simulator

ARN = "acs:ram::22:role/vcokit"
OPERATOR = Account("11", "key-11", "secret-11")
STRANGER = Account("33", "key-33", "secret-33")
BOUND = Account("44", "key-44", "secret-44", policy=allow("sts:*", resource="acs:ram:*:22:role/a*"))
MEMBER = Account(
    "22",
    "key-22",
    "secret-22",
    roles=[
        Role("vcokit", ["11", "44"], policy=allow("vpc:Describe*")),
        Role("asked", ["11", "44"], external_id="an-id"),
    ],
)
EVERYBODY = [OPERATOR, MEMBER, STRANGER, BOUND]
LIST = "DescribeVpnConnections"


def made() -> Simulator:
    """Return a simulator in which the operator and the member have a connection each."""
    connections = [Connection("vco-11", account_id="11"), Connection("vco-22", account_id="22")]
    return Simulator(connections, accounts=EVERYBODY)


def test_the_sdk_assumes_a_role(scheme):
    """Its key sees what the account of the role has, and may do what the role's policy says."""
    with made() as cloud:
        asked = {"role_arn": ARN, "role_session_name": "test"}
        body = typed(cloud, scheme, "AssumeRole", **asked)
        assert body.assumed_role_user.arn == f"{ARN}/test"
        key = body.credentials
        keys = {"access_key_id": key.access_key_id, "access_key_secret": key.access_key_secret}
        client = client_of(cloud, scheme, **keys, security_token=key.security_token)
        request = official.model(LIST, "Request")(region_id="cn-hangzhou")
        rows = client.describe_vpn_connections(request).body.vpn_connections.vpn_connection
        assert [row.vpn_connection_id for row in rows] == ["vco-22"]
        create = official.model("CreateVcoRouteEntry", "Request")(region_id="cn-hangzhou")
        with pytest.raises(Exception, match=r"Forbidden\.RAM"):
            client.create_vco_route_entry(create)
        calls = cloud.calls()
    assert calls["account_id"].tolist()[:2] == ["11", "22"]


def test_the_package_for_credentials_assumes_a_role(monkeypatch: pytest.MonkeyPatch):
    """It signs and reads by itself, as for profiles of the vendor's CLI; only https is changed."""
    do_action = TeaCore.do_action

    def by_http(request: Any, *options: Any) -> Any:
        request.protocol = "http"
        return do_action(request, *options)

    monkeypatch.setattr(TeaCore, "do_action", by_http)
    with made() as cloud:
        provider = RamRoleArnCredentialsProvider(
            access_key_id=OPERATOR.access_key_id,
            access_key_secret=OPERATOR.access_key_secret,
            role_arn="acs:ram::22:role/asked",
            role_session_name="test",
            external_id="an-id",
            sts_endpoint=cloud.endpoint.removeprefix("http://"),
        )
        key = provider.get_credentials()
    assert key.get_access_key_id().startswith("STS.")
    assert key.get_security_token()


REFUSED = [
    (OPERATOR, {"RoleArn": "acs:ram::22:user/vcokit"}, "InvalidParameter.RoleArn"),
    (OPERATOR, {"RoleSessionName": "a b"}, "InvalidParameter.RoleSessionName"),
    (OPERATOR, {"ExternalId": "x"}, "InvalidParameter.ExternalId"),
    (OPERATOR, {"DurationSeconds": "899"}, "InvalidParameter.DurationSeconds"),
    (OPERATOR, {"DurationSeconds": "3601"}, "InvalidParameter.DurationSeconds"),
    (OPERATOR, {"RoleArn": "acs:ram::22:role/other"}, "EntityNotExist.Role"),
    (OPERATOR, {"RoleArn": "acs:ram::11:role/vcokit"}, "EntityNotExist.Role"),
    (STRANGER, {}, "NoPermission"),
    (MEMBER, {}, "NoPermission"),
    (BOUND, {}, "NoPermission"),
    (BOUND, {"RoleArn": "acs:ram::22:role/asked", "ExternalId": "an-id"}, ""),
    (OPERATOR, {"RoleArn": "acs:ram::22:role/asked"}, "NoPermission"),
    (OPERATOR, {"RoleArn": "acs:ram::22:role/asked", "ExternalId": "another"}, "NoPermission"),
    (OPERATOR, {"ExternalId": "whatever", "DurationSeconds": "900"}, ""),
]


@pytest.mark.parametrize(("who", "changes", "code"), REFUSED)
def test_who_may_not_assume_which_role(who: Account, changes: dict[str, str], code: str):
    """The form of the call, the role, the caller's policy, the trust and the external id count."""
    asked = {"RoleArn": ARN, "RoleSessionName": "test"} | changes
    answer = SmallService(EVERYBODY).call("AssumeRole", asked, credentials=who.credentials)
    assert answer.get("Code", "") == code


def test_a_role_ends_and_is_not_another(scheme):
    """Its key lasts as long as was said, with its own token only; each call gives another key."""
    service = SmallService(epoch=WALL)
    keys = []
    for seconds in ("900", ""):
        asked = READS["AssumeRole"] | {"DurationSeconds": seconds}
        keys.append(
            Credentials(*list(service.call("AssumeRole", asked)["Credentials"].values())[:3])
        )
    assert len({text for key in keys for text in key}) == 6
    mixed = keys[0]._replace(security_token=keys[1].security_token)
    for key, seconds, code in (
        (keys[0], 899, ""),
        (keys[0], 900, "InvalidSecurityToken.Expired"),
        (keys[1], 3599, ""),
        (keys[1], 3600, "InvalidSecurityToken.Expired"),
        (mixed, 0, "InvalidSecurityToken"),
    ):
        how = {"credentials": key, "wall": WALL + seconds}
        assert service.code(signed("DescribeRegions", None, scheme, **how), how["wall"]) == code


def test_limits_are_those_of_the_account_of_the_role():
    """All keys of an account share its limits; those of the caller's account stay as they are."""
    service = SmallService(EVERYBODY, limits={LIST: (2, 60.0)}, epoch=WALL)
    asked = {"RoleArn": ARN, "RoleSessionName": "test"}
    answer = service.call("AssumeRole", asked, credentials=OPERATOR.credentials)
    role = Credentials(*list(answer["Credentials"].values())[:3])
    codes = [
        service.call(LIST, HERE, credentials=key).get("Code", "")
        for key in (role, MEMBER.credentials, role, OPERATOR.credentials)
    ]
    assert codes == ["", "", "Throttling.User", ""]


@pytest.mark.parametrize("account", ["berlin", ""])
def test_a_role_needs_an_arn(account: str):
    """An account whose id is no number cannot have one; neither can a name with other letters."""
    with pytest.raises(ValueError, match="write an account_id of digits"):
        Account(account, roles=[Role("vcokit", ["11"])])
    with pytest.raises(ValueError, match="role a/b: write"):
        Account(ACCOUNT.account_id, roles=[Role("a/b", ["11"])])
