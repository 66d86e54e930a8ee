"""``vcokit verify`` beyond the listing, and ``--quota live``: what is told, and what is not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stage import as_environment
from vcokit.simulator import Account, Connection, Route, Simulator, TunnelFailure

MISMATCH = TunnelFailure(2, reason="proposal mismatch", local="SHA256", remote="\x1b[31mSHA")
ROUTES = [
    Route("vco-a", "10.1.0.0/16"),
    Route("vco-a", "10.2.0.0/16"),
    Route("vco-b", "10.3.0.0/16"),
]
CONNECTIONS = [
    Connection("vco-a", tunnels=2, failures=[MISMATCH], withheld=["10.2.0.0/16"]),
    Connection("vco-b", failures=[TunnelFailure()]),
]
BOTH = ("--tunnels", "--transit-router")
#: What every note says of a read that was not allowed.
UNREAD = "was not answered (Forbidden.RAM)"


@pytest.fixture
def run(inventory: Path, shell, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command about an inventory whose cloud has broken tunnels."""
    rows = [f"cn-hangzhou,{one.vpn_connection_id},{one.route_dest},100\n" for one in ROUTES]
    inventory.write_text("region,connection,cidr,weight\n" + "".join(rows))

    def start(command: str, *options: str, **cloud: Any) -> tuple[int, str, str]:
        with Simulator(CONNECTIONS, ROUTES, **cloud) as made:
            as_environment(monkeypatch, made)
            return shell(command, inventory, *options)

    return start


def allowed(shell: Callable[..., Any], *names: str) -> dict[str, list[Account]]:
    """Return an account that may do what ``vcokit policy`` prints for some commands."""
    code, out, _ = shell("policy", *names)
    assert code == 0
    return {"accounts": [Account(policy=json.loads(out))]}


def verdicts(out: str) -> dict[str, str]:
    """Return the verdict of each network in a table of differences."""
    return {row["route_dest"]: row["verdict"] for row in csv.DictReader(io.StringIO(out))}


def test_a_listed_route_may_not_forward(run) -> None:
    """Tunnels and routers are looked at when asked for; what differs is told, and the exit is 1."""
    assert run("verify")[0] == 0
    code, out, err = run("verify", "--format", "csv", *BOTH)
    assert code == 1
    assert verdicts(out) == {"10.2.0.0/16": "not in router", "10.3.0.0/16": "tunnel down"}
    assert "1 as planned" in err
    assert (
        "tunnel tun-a2 of vco-a: ike_sa_not_established, Critical, proposal mismatch, the "
        "connection has SHA256, the peer has \\x1b[31mSHA" in err
    )
    assert "tunnel vco-b: ike_sa_not_established, Critical, Phase1 negotiation timeout" in err
    assert UNREAD not in err


def test_the_printed_policy_is_enough(run, shell) -> None:
    """The policy for these options allows all that they ask, and not a call more."""
    code, out, err = run(
        "verify",
        "--format",
        "csv",
        *BOTH,
        "--quota",
        "live",
        **allowed(shell, "verify", "tunnels", "transit-router", "quota"),
    )
    assert (code, len(verdicts(out))) == (1, 2)
    assert UNREAD not in err
    assert "note: 50 routes per connection (Quota Center, vpn_quota_vco_routes)" in err


@pytest.mark.parametrize(
    ("option", "lacks"),
    [
        ("--tunnels", "vpc:DescribeVpnConnections"),
        ("--transit-router", "vpc:DescribeVpnConnections"),
    ],
)
def test_what_is_not_allowed_is_one_note(option: str, lacks: str, run, shell) -> None:
    """Routes are verified by the listing alone."""
    code, out, err = run("verify", "--format", "csv", option, **allowed(shell, "verify"))
    assert (code, verdicts(out)) == (0, {})
    assert err.count(UNREAD) == 1
    assert f"It needs the permission {lacks} (2 connections)" in err


@pytest.mark.parametrize("command", ["audit", "plan", "apply", "verify"])
def test_the_account_s_quota(command: str, run, shell) -> None:
    """It takes the place of the default; without permission one note says that this stands."""
    options = ["--quota", "live", *(["--yes"] if command == "apply" else [])]
    _, out, err = run(command, *options, quota=2)
    assert "note: 2 routes per connection (Quota Center, vpn_quota_vco_routes)" in err
    names = ("apply", "live") if command == "apply" else ("plan",)
    code, out, err = run(command, *options, quota=2, **allowed(shell, *names))
    assert (code, err.count(UNREAD)) == (0, 1), out
    assert "so the defaults apply. It needs the permission quotas:ListProductQuotas" in err


def test_the_account_s_quota_decides(run, inventory: Path) -> None:
    """Rows beyond it are errors, in an audit and in a plan."""
    with inventory.open("a") as file:
        file.write("cn-hangzhou,vco-b,10.4.0.0/16,100\ncn-hangzhou,vco-b,10.5.0.0/16,100\n")
    code, out, _ = run("audit", "--quota", "live", quota=2)
    assert (code, "quota-exceeded" in out) == (1, True)
    assert run("audit")[0] == 0
    code, out, _ = run("plan", "--quota", "live", quota=2)
    assert "1 to create" in out
    assert "1 blocked" in out


def test_quotas_that_are_none(run) -> None:
    """A word that is none is refused at once; a cloud that nothing is asked of, too."""
    for text in ("lives", "-1", "1.5", "9" * 12):
        code, _, err = run("plan", "--quota", text)
        assert (code, "neither a number of routes nor live" in err) == (2, True)
    code, _, err = run("audit", "--simulate")
    assert (code, "Add --quota live" in err) == (2, True)
    assert run("audit", "--simulate", "--quota", "live")[0] == 0
