"""A policy allows what a command calls, on what it names, and nothing else."""

from __future__ import annotations

import json

import pytest

from vcokit import errors
from vcokit.cli import COMMANDS
from vcokit.cli.tools import COMMAND_NEEDS, PREFLIGHT
from vcokit.cloud.operations import KNOWN, OPERATIONS
from vcokit.cloud.policy import LONGEST, policy_document


def allowed(document: dict) -> dict[str, list[str]]:
    """Return the resources of each action."""
    assert document["Version"] == "1"
    assert all(one["Effect"] == "Allow" for one in document["Statement"])
    return {name: one["Resource"] for one in document["Statement"] for name in one["Action"]}


@pytest.mark.parametrize("name", ["CreateVcoRouteEntry", "ModifyVcoRouteEntryWeight"])
def test_resources_are_the_vendors(name: str) -> None:
    """Action and resource are those of the operation's page; other pages disclose none."""
    document = policy_document([name], region="r", account="1", connections=["vco-1"])
    assert allowed(document) == {f"vpc:{name}": ["acs:vpc:r:1:vpnconnection/vco-1"]}


def test_every_operation() -> None:
    """Each operation is allowed on connections, listings on all of them, regions on everything."""
    found = allowed(policy_document(OPERATIONS, connections=["vco-2", "vco-1"]))
    assert set(found) == {f"vpc:{name}" for name in OPERATIONS}
    assert found["vpc:DescribeRegions"] == ["*"]
    assert found["vpc:DescribeVpnConnections"] == ["acs:vpc:*:*:vpnconnection/*"]
    assert found["vpc:DeleteVcoRouteEntry"] == [
        "acs:vpc:*:*:vpnconnection/vco-1",
        "acs:vpc:*:*:vpnconnection/vco-2",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "cn-*"},
        {"region": ""},
        {"account": "me"},
        {"connections": ["vco-*"]},
        {"connections": ["vco-1/x"]},
        {"connections": [f"vco-{n:020}" for n in range(200)]},
    ],
)
def test_what_would_allow_too_much(wrong: dict) -> None:
    """A wildcard inside a name is refused, and so is a document that RAM would not take."""
    with pytest.raises(errors.InputError) as caught:
        policy_document(["CreateVcoRouteEntry"], **wrong)
    assert caught.value.remedy


def test_an_operation_that_is_none() -> None:
    """A name of no operation is an error that lists those there are."""
    with pytest.raises(errors.InputError, match=r"CreateRoute.*DeleteVcoRouteEntry"):
        policy_document(["CreateRoute", "DescribeRegions"])


def test_as_many_connections_as_fit() -> None:
    """A document up to the vendor's length is made."""
    names = [f"vco-{n:020}" for n in range(95)]
    document = policy_document(["CreateVcoRouteEntry"], region="cn-hangzhou", connections=names)
    assert len(json.dumps(document, separators=(",", ":"))) <= LONGEST


def test_every_command_says_what_it_needs() -> None:
    """The table names each command of the shell, and operations that there are."""
    assert set(COMMAND_NEEDS) == set(COMMANDS)
    assert all(name in KNOWN for names in (*COMMAND_NEEDS.values(), PREFLIGHT) for name in names)


def test_the_shell_prints_it(shell) -> None:
    """Standard output is the document alone; a command that calls nothing says so elsewhere."""
    given = ("apply", "--region", "cn-hangzhou", "--account", "12", "--connection", "vco-1")
    found = allowed(json.loads(shell("policy", *given)[1]))
    assert set(found) == {f"vpc:{name}" for name in COMMAND_NEEDS["apply"]}
    assert found["vpc:CreateVcoRouteEntry"] == ["acs:vpc:cn-hangzhou:12:vpnconnection/vco-1"]
    assert "vpc:DescribeVpnAttachments" in allowed(json.loads(shell("policy")[1]))
    code, out, err = shell("policy", "audit")
    assert (code, out, "needs no policy" in err) == (0, "", True)
    code, _, err = shell("policy", "aply")
    assert (code, "there is no command 'aply'" in err) == (2, True)
