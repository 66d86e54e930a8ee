"""Who is who in a fleet, and one plan of many accounts."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.leaks import TEST_SECRET
from tests.rollout.accounts import Accounts, connection_of
from vcokit import errors, schema


@pytest.fixture(scope="module")
def three() -> Iterator[Accounts]:
    """Three accounts of one cloud; nothing is written there."""
    with Accounts(["berlin", "madrid", "oslo"]) as accounts:
        yield accounts


@pytest.fixture
def routes(three: Accounts) -> pd.DataFrame:
    """An inventory of all three, its rows mixed, with one row that is wrong."""
    found = pd.concat([rows.assign(account=name) for name, rows in three.routes.items()])
    found = found.iloc[[4, 0, 2, 1, 3, 5]].reset_index(drop=True)
    found.loc[2, "route_dest"] = "10.0.0.1/24"  # of madrid
    return found


def test_each_account_has_its_plan(three: Accounts, routes: pd.DataFrame) -> None:
    """Each member's plan is what planning its rows alone gives, but for the numbers of rows."""
    plan = vk.plan_fleet(routes, three.clients)
    assert list(plan) == ["berlin", "madrid", "oslo"]
    for name in plan:
        mine = routes[routes["account"] == name]
        with three.clients[name]() as client:
            alone = vk.plan_routes(mine, vk.live_routes(client, mine))
        assert plan[name].fingerprint == alone.fingerprint
    assert str(plan) == "3 members: 5 create, 0 modify, 0 delete, 0 keep, 1 blocked"
    steps = plan.frame()
    assert steps.dtypes.equals(schema.frame(schema.MEMBER_STEPS).dtypes)
    there = routes.loc[steps["row"], "vpn_connection_id"]
    assert steps["vpn_connection_id"].tolist() == there.tolist()


def test_what_a_review_reads(three: Accounts, routes: pd.DataFrame) -> None:
    """Text, diff, Markdown and impact name each member; the fingerprint is one of all of them."""
    plan = vk.plan_fleet(routes, three.clients)
    for said in (plan.text(), plan.diff(), plan.markdown()):
        for name in plan:
            assert f"# {name}\n" in said
    assert "Plan: 5 to create, 0 to modify, 0 to delete, 0 to keep, 1 blocked." in plan.text()
    assert "| madrid | 1 | 0 | 0 | 0 | 1 |" in plan.markdown()
    assert plan.fingerprint in plan.markdown()
    impact = plan.impact()
    assert impact.columns[0] == "member"
    assert impact["addresses"].sum() == 5 * 256
    other = vk.plan_fleet(routes[routes["account"] != "oslo"], three.clients)
    assert list(other) == ["berlin", "madrid"]
    again = vk.plan_fleet(routes, dict(reversed(three.clients.items())))
    assert plan.fingerprint == again.fingerprint != other.fingerprint


def test_a_long_plan_fits_into_a_comment(three: Accounts, routes: pd.DataFrame) -> None:
    """Markdown of very many members stays below what code hosts take; all are counted."""
    one = vk.plan_fleet(routes, three.clients)["oslo"]
    plan = vk.FleetPlan({f"member-{number}": one for number in range(900)})
    text = plan.markdown()
    assert len(text.encode()) < 64 * 1024
    assert text.count("| member-") == 900


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "row 1 names no account. Name one in the column account"),
        ("Oslo", "row 1 names the unknown account 'Oslo'. Write 'oslo'"),
        ("rome", r"row 1 names the unknown account 'rome' \(and 1 more"),
    ],
)
def test_rows_of_nobody(three: Accounts, routes: pd.DataFrame, name: str | None, said: str) -> None:
    """A row of no account, or of one that is no member, is refused with the next best name."""
    routes.loc[[1, 3] if name == "rome" else [1], "account"] = name
    with pytest.raises(errors.InputError, match=said):
        vk.plan_fleet(routes, three.clients)


def test_an_inventory_without_accounts(three: Accounts, routes: pd.DataFrame) -> None:
    """Without the column, or without a row, nothing is planned."""
    with pytest.raises(errors.InputError, match="account"):
        vk.plan_fleet(routes.drop(columns="account"), three.clients)
    with pytest.raises(errors.InputError, match="no row names an account"):
        vk.plan_fleet(routes.iloc[:0], three.clients)


def test_all_that_cannot_be_read_are_named(three: Accounts, routes: pd.DataFrame) -> None:
    """One error names every member that cannot be planned, and says why."""

    def refuse() -> vk.Client:
        raise errors.CredentialsError("no AccessKey was found")

    clients = {**three.clients, "berlin": refuse, "oslo": refuse}
    with pytest.raises(errors.FleetError) as caught:
        vk.plan_fleet(routes, clients)
    assert caught.value.members == ("berlin", "oslo")
    assert "member oslo: no AccessKey was found" in str(caught.value)


def test_from_the_files_of_a_user(
    three: Accounts, routes: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of members, profiles of the vendor's CLI, and a CSV: planned and rolled out."""
    profiles = [
        {"name": name, "mode": "AK", "access_key_id": key, "access_key_secret": secret}
        for name, (key, secret) in three.keys.items()
    ]
    home = tmp_path / "home"
    (home / ".aliyun").mkdir(parents=True)
    (home / ".aliyun" / "config.json").write_text(json.dumps({"profiles": profiles}))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("VCOKIT_ENDPOINT", three.cloud.endpoint)
    (tmp_path / "fleet.toml").write_text(
        "\n".join(
            f'[members.{name}]\nprofile = "{name}"\nregion = "cn-hangzhou"'
            for name in routes["account"].unique()
        )
    )
    routes.to_csv(tmp_path / "routes.csv", index=False)
    clients = vk.read_fleet(tmp_path / "fleet.toml")
    assert list(clients) == routes["account"].unique().tolist()
    plan = vk.plan_fleet(vk.read_routes(tmp_path / "routes.csv"), clients)
    assert plan.counts["create"] == 5
    for connect in clients.values():
        assert b"canary" not in pickle.dumps(connect)
        with connect() as client:
            assert client.target.region == "cn-hangzhou"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no members"),
        ("members = 3", "names no members"),
        ("member = {}", "unknown: member"),
        ("[members.a", "not valid TOML"),
        ("[members.a]\n", r"setting members\.a .*: write a role_arn, or a profile"),
        ("[members.a]\nprofile = 3", r"members\.a"),
        ('[members.a]\nprofile = "a"\nregoin = "x"', r"members\.a"),
        ('[members."a/b"]\nprofile = "a"', "'a/b' cannot be the name of a member"),
        (f'[members.a]\nprofile = "a"\naccess_key_secret = "{TEST_SECRET}"', r"members\.a"),
    ],
)
def test_a_file_of_members_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    """Whatever else stands in the file is one error with its name; a key in it is not repeated."""
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(errors.ConfigError, match=said) as caught:
        vk.read_fleet(path)
    assert str(path) in str(caught.value)
    assert TEST_SECRET not in str(caught.value)
    path.unlink()  # the watch over secrets looks at every file that is left
    with pytest.raises(errors.ConfigError, match="cannot be read"):
        vk.read_fleet(path)


def test_the_plan_is_what_a_fleet_takes(
    three: Accounts, routes: pd.DataFrame, tmp_path: Path
) -> None:
    """A fleet is made of the plan as it is, with the plans of its members."""
    plan = vk.plan_fleet(routes, three.clients)
    fleet = vk.Fleet(plan, three.clients, directory=tmp_path / "fleet")
    frame = fleet.frame().set_index("member")
    assert {name: plan[name].fingerprint for name in plan} == frame["fingerprint"].to_dict()
    assert connection_of("oslo") in set(fleet.steps()["vpn_connection_id"])
