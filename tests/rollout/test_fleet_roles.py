"""One key for many accounts: members of roles are planned, rolled out and kept apart."""

from __future__ import annotations

import json
import logging
import pickle
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import vcokit as vk
from tests.leaks import TEST_SECRET
from tests.rollout.accounts import SPEED, connection_of, inventory, refusing, secret_of
from vcokit import errors
from vcokit.rollout.messages import Event, StepChanged
from vcokit.simulator import (
    CANARY_ROLE_SECRET,
    CANARY_ROLE_TOKEN,
    Account,
    Connection,
    Fault,
    Role,
    Simulator,
)

NAMES = ("berlin", "madrid", "oslo")
NUMBERS = {name: f"100000000000000{number}" for number, name in enumerate(NAMES)}
OPERATOR = Account("9", "LTAIoperator", TEST_SECRET)
HOUR = 3600.0


def arn_of(name: str) -> str:
    """Return the role of a member."""
    return f"acs:ram::{NUMBERS[name]}:role/vcokit"


def made(*faults: Fault, trusting: tuple[str, ...] = NAMES, **options: Any) -> Simulator:
    """Return a cloud with an account per member, whose roles trust the operator."""
    routes = {name: inventory(name) for name in NAMES}
    connections = [
        Connection(one, account_id=NUMBERS[name])
        for name, rows in routes.items()
        for one in rows["vpn_connection_id"].unique()
    ]
    members = [
        Account(
            NUMBERS[name],
            f"key-of-{name}",
            secret_of(name),
            roles=[Role("vcokit", [OPERATOR.account_id] if name in trusting else [], "an-id")],
        )
        for name in NAMES
    ]
    options = {"speed": SPEED, "faults": faults} | options
    return Simulator(connections, accounts=[OPERATOR, *members], **options)


@pytest.fixture
def routes() -> pd.DataFrame:
    """The inventory of all members."""
    return pd.concat([inventory(name).assign(account=name) for name in NAMES], ignore_index=True)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of members; one profile of the vendor's CLI has the only key."""
    profile = {"name": "operator", "mode": "AK", "access_key_id": OPERATOR.access_key_id}
    profile["access_key_secret"] = OPERATOR.access_key_secret
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(json.dumps({"profiles": [profile]}))
    monkeypatch.setenv("HOME", str(tmp_path))
    tables = [f'[members.{name}]\nrole_arn = "{arn_of(name)}"\n' for name in NAMES]
    defaults = '[defaults]\nprofile = "operator"\nexternal_id = "an-id"\nregion = "cn-hangzhou"\n'
    path = tmp_path / "fleet.toml"
    path.write_text(defaults + "".join(tables))
    return path


def assumed(cloud: Simulator) -> list[str]:
    """Return the roles that were assumed, once for each call."""
    calls = cloud.calls()
    asked = calls[calls["operation"] == "AssumeRole"]
    assert set(asked["account_id"]) <= {OPERATOR.account_id}
    return [each["RoleArn"] for each in asked["parameters"]]


def test_one_profile_for_all_members(
    file: Path, routes: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, rollout and undo act in each account, and assume each role once."""
    with made() as cloud:
        monkeypatch.setenv("VCOKIT_ENDPOINT", cloud.endpoint)
        clients = vk.read_fleet(file)
        plan = vk.plan_fleet(routes, clients)
        fleet = vk.Fleet(plan, clients, directory=tmp_path / "fleet").start().wait()
        assert fleet.raise_on_error().frame()["done"].tolist() == [2, 2, 2]
        undone = vk.Fleet(fleet.undo(), clients, directory=tmp_path / "undo").start().wait()
        assert undone.raise_on_error().frame()["done"].tolist() == [2, 2, 2]
        assert sorted(assumed(cloud)) == sorted(map(arn_of, NAMES))
        writes = cloud.calls().query("effect.notna()")
        assert dict(writes.groupby("account_id").size()) == dict.fromkeys(NUMBERS.values(), 4)
        for connect in clients.values():
            with pickle.loads(pickle.dumps(connect))() as client:  # noqa: S301
                assert client.target.region == "cn-hangzhou"
            assert b"canary" not in pickle.dumps(connect)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (
            '[defaults]\nprofile = "p"\nexternal_id = "an-id"\nsession_name = "me"\n'
            '[members.a]\nrole_arn = "acs:ram::1:role/r"\nexternal_id = "own-id"\n',
            {
                "profile": "p",
                "external_id": "own-id",
                "session_name": "me",
                "role_arn": "acs:ram::1:role/r",
            },
        ),
        ('[members.a]\nrole_arn = "acs:ram::1:role/r"\n', {"role_arn": "acs:ram::1:role/r"}),
        (
            '[defaults]\nregion = "r"\nexternal_id = "an-id"\n[members.a]\nprofile = "own"\n',
            {"region": "r", "profile": "own"},
        ),
    ],
)
def test_defaults_are_for_members_that_say_nothing_else(
    tmp_path: Path, text: str, given: dict[str, str]
) -> None:
    """A member's own value wins; what belongs to a role is only for members that have one."""
    (tmp_path / "fleet.toml").write_text(text)
    assert vk.read_fleet(tmp_path / "fleet.toml")["a"].keywords == given


ROLE = 'role_arn = "acs:ram::1:role/r"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[members.a]\nrole_arn = 'arn:x'", r"members\.a.*role_arn is 'arn:x'\. Write it like acs"),
        (f"[members.a]\n{ROLE}external_id = 'a b'", r"members\.a.*external_id cannot be used"),
        ("[members.a]\nprofile = 'p'\nexternal_id = 'an-id'", r"members\.a.*Pass role_arn="),
        (f"[defaults]\n{ROLE}[members.a]\nprofile = 'p'", "defaults.*Write only external_id"),
        (f"[defaults]\nprofile = 3\n[members.a]\n{ROLE}", "setting defaults"),
        (f"defaults = 3\n[members.a]\n{ROLE}", "setting defaults"),
        ("[defaults]\nprofile = 'p'\n[members.a]\n", r"members\.a.*write a role_arn, or a profile"),
    ],
)
def test_a_file_with_a_role_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    """The member that is wrong is named when the file is read, before anybody connects."""
    (tmp_path / "fleet.toml").write_text(text)
    with pytest.raises(errors.ConfigError, match=said):
        vk.read_fleet(tmp_path / "fleet.toml")


def test_members_are_kept_apart(
    routes: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A run with failures leaves no secret of anybody in any file, log, error or frame.

    A member whose role is withdrawn fails by itself, with an error that names its role.
    """
    caplog.set_level(logging.DEBUG)
    berlin = {"vpn_connection_id": connection_of("berlin"), "count": 1}
    faults = [
        refusing("madrid", count=1),
        Fault("truncate", operation="AssumeRole", after=1, count=1),
        *(
            Fault(kind, operation="DescribeVcoRouteEntries", count=1)
            for kind in ("html", "truncate")
        ),
        *(
            Fault(kind, operation="CreateVcoRouteEntry", **berlin)
            for kind in ("drop_after", "empty")
        ),
    ]
    with made(*faults, trusting=("berlin", "madrid")) as cloud:
        connect = partial(vk.connect, cloud, external_id="an-id", sleep=lambda _: None)
        roles = {name: partial(connect, role_arn=arn_of(name)) for name in NAMES}
        with pytest.raises(errors.FleetError) as refused:
            vk.plan_fleet(routes, roles)
        assert refused.value.members == ("oslo",)
        assert f"member oslo: {arn_of('oslo')} cannot be assumed" in str(refused.value)
        clients = {name: roles[name](record=tmp_path / f"record-{name}") for name in NAMES[:2]}
        plan = vk.plan_fleet(routes[routes["account"] != "oslo"], clients)
        fleet = vk.Fleet(plan, clients, directory=tmp_path / "fleet").start().wait()
        with pytest.raises(errors.FleetError) as failed:
            fleet.raise_on_error()
        assert failed.value.members == ("madrid",)
        said = [repr(fleet.results()), fleet.frame().to_csv(), fleet.calls().to_csv(), caplog.text]
        said += [f"{error} {error!r}" for error in (refused.value, failed.value)]
        assert set(assumed(cloud)) == set(map(arn_of, NAMES))
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    names = {path.name for path in written}
    assert names == {"berlin.db", "madrid.db", "fleet.json", "exchanges.jsonl"}
    secrets = [CANARY_ROLE_SECRET, CANARY_ROLE_TOKEN, OPERATOR.access_key_secret]
    for secret in (*secrets, *map(secret_of, NAMES)):
        assert [path for path, data in written.items() if secret.encode() in data] == []
        assert not any(secret in text for text in said)


def test_a_token_that_ends_under_way(tmp_path: Path) -> None:
    """An hour passes in the middle of a rollout: it goes on with another key, and nothing fails."""
    passed = 0.0

    def wall() -> float:
        return time.time() + passed

    def pass_an_hour(event: Event) -> None:
        nonlocal passed
        if isinstance(event, StepChanged) and event.new == "accepted":
            passed = HOUR

    with made(wall=wall, monotonic=lambda: time.monotonic() + passed) as cloud:
        role = {"role_arn": arn_of("oslo"), "external_id": "an-id", "clock": wall}
        with vk.connect(cloud, **role) as client:
            first = client.target.credentials()
            routes = inventory("oslo", each=6)
            plan = vk.plan_routes(routes, vk.live_routes(client, routes))
            rollout = vk.Rollout(plan, client, journal=tmp_path / "oslo.db")
            rollout.observe(pass_an_hour)
            rollout.start().wait().raise_on_error()
            assert set(rollout.frame()["state"]) == {"done"}
        assert assumed(cloud) == [arn_of("oslo")] * 2
        assert cloud.calls()["code"].isna().all()
        # The first key would have been refused.
        old = SimpleNamespace(
            access_key_id=first.access_key_id,
            access_key_secret=first.access_key_secret,
            security_token=first.security_token,
        )
        with (
            vk.connect(cloud, credentials=old, clock=wall) as client,
            pytest.raises(errors.AuthError, match=r"InvalidSecurityToken\.Expired"),
        ):
            client.describe_regions()
