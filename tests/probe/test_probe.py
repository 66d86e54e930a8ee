"""A probe finds how a cloud behaves, and changes nothing that it was not given."""

from __future__ import annotations

import json
import stat

import pytest

import vcokit as vk
from tests.probe.conftest import NAME, WRITES
from vcokit.probing.questions import QUESTIONS
from vcokit.simulator import Connection, Fault, Route
from vcokit.simulator.models import ACCESS_KEY_SECRET
from vcokit.simulator.operations import RequestContext

#: What is of the machine and the moment, or is nothing that could be assumed.
OF_ITS_OWN = {"endpoint", "round_trip", "absent_fields", "task_seconds"}
#: What this stage cannot show: the quota is not used up, and the connection is attached.
NOT_SEEN = {"beyond_quota", "not_attached"}
OTHERS = [Route(NAME, "10.0.0.0/8", 0), Route(NAME, "172.16.0.0/12"), Route(NAME, "198.18.0.0/24")]


def test_the_default_cloud_is_as_assumed(stage) -> None:
    """Everything can be seen in the sandbox, and is what vcokit takes for granted."""
    probe = stage().probe(sandbox=True)
    seen = {name for name in QUESTIONS if probe.value(name) is not None}
    assert set(QUESTIONS) - seen == NOT_SEEN
    for name in seen - OF_ITS_OWN:
        assert probe.value(name) == QUESTIONS[name].assumed, name
    # A look each second saw it at 2 and no more at 3: midway is the best guess.
    assert probe.value("task_seconds") == [3.0, 3.0]
    assert (probe.left, probe.simulated) == ([], True)


def test_without_the_sandbox_nothing_is_written(stage) -> None:
    """The history of the cloud holds no write, whatever is there, and its routes stay."""
    on = stage(routes=OTHERS)
    before = on.cloud.routes()
    probe = on.probe()
    calls = on.cloud.calls()
    assert set(calls["operation"]) > {"DescribeRegions", "CreateVcoRouteEntry"}
    assert on.writes().empty
    assert calls["effect"].isna().all()
    assert not calls["changed"].any()
    assert on.cloud.routes().equals(before)
    assert not on.journal.exists()
    codes = {name: probe.value(name) for name in ("dry_run", "host_bits", "repeat", "other_weight")}
    assert codes == {
        "dry_run": "DryRunOperation",
        "host_bits": "IllegalParam.RouteDest",
        "repeat": "VpnRouteEntry.AlreadyExists",
        "other_weight": "VpnRouteEntry.Conflict",
    }
    assert probe.value("listing_weight") == "shown"
    assert probe.value("task_seconds") is None


def test_without_a_connection_not_even_dry_runs(stage) -> None:
    """A dry run that is none would write: so it is made only where a connection is named."""
    on = stage(routes=OTHERS)
    probe = on.probe(None)
    assert not set(on.cloud.calls()["operation"]) & WRITES
    assert probe.value("quota") == 50
    assert probe.value("dry_run") is None
    assert "No connection was named." in str(probe)


def test_only_the_given_connection_is_written_to(stage) -> None:
    """Whatever else is there stays, routes of the range among it."""
    theirs = [Route("vco-other", "198.19.0.0/24"), Route("vco-other", "10.0.0.0/8")]
    connections = [Connection(NAME), Connection("vco-other")]
    on = stage(connections=connections, routes=[*OTHERS, *theirs])
    before = on.cloud.routes()
    on.probe(sandbox=True, among_others=True)
    assert on.cloud.routes().equals(before)
    writes = on.writes()
    assert set(writes["vpn_connection_id"]) == {NAME}
    dests = writes["parameters"].map(lambda given: given["RouteDest"])
    assert dests.str.match(r"198\.1[89]\.").all()
    assert "198.18.0.0/24" not in set(dests)
    assert not on.journal.exists()


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        ({}, {"connection": None, "sandbox": True}, "a sandbox needs a connection"),
        ({"routes": OTHERS}, {"sandbox": True}, "has 2 routes outside 198.18.0.0/15"),
        ({}, {"connection": "eni-1"}, "is not a connection"),
        ({"routes": [Route(NAME, "198.16.0.0/12")]}, {}, "198.18.0.0/15 is in use"),
    ],
)
def test_what_is_refused(options: dict, given: dict, said: str, stage) -> None:
    """A sandbox that could touch what it was not given is refused before anything is sent."""
    on = stage(**options)
    with pytest.raises(vk.errors.InputError, match=said) as caught:
        on.probe(**given)
    assert caught.value.remedy
    assert on.writes().empty


def test_a_connection_that_takes_no_writes(stage) -> None:
    """It is told at once; without the sandbox the code of a dry run is what is asked for."""
    on = stage(connections=[Connection(NAME, attach_type="NO_ASSOCIATED")])
    with pytest.raises(vk.errors.StateError, match="is not attached"):
        on.probe(sandbox=True)
    assert on.probe().value("not_attached") == "Vco.StatusNotSupport"
    assert on.writes().empty


@pytest.mark.parametrize("text", ["x", "[]", '{"connection": 1}', "OUTSIDE"])
def test_a_journal_that_is_none(text: str, stage) -> None:
    """No file of somebody else is taken for a journal, and none is overwritten."""
    outside = {"connection": NAME, "region": "cn-hangzhou", "networks": ["10.0.0.0/8"]}
    text = json.dumps(outside) if text == "OUTSIDE" else text
    on = stage(routes=[Route(NAME, "10.0.0.0/8")])
    on.journal.write_text(text)
    with pytest.raises(vk.errors.InputError, match="journal"):
        on.probe(sandbox=True, among_others=True)
    assert on.journal.read_text() == text
    assert on.writes().empty


def test_a_journal_of_another_connection(stage) -> None:
    """What was left elsewhere is not forgotten, and not touched without being asked."""
    connections = [Connection(NAME), Connection("vco-other")]
    on = stage(connections=connections, routes=[Route("vco-other", "198.18.7.0/24")])
    left = {"connection": "vco-other", "region": "cn-hangzhou", "networks": ["198.18.7.0/24"]}
    on.journal.write_text(json.dumps(left))
    with pytest.raises(vk.errors.InputError, match="left routes on vco-other"):
        on.probe(sandbox=True)
    assert any("earlier probe" in note for note in on.probe().notes)
    assert on.writes().empty
    on.probe("vco-other", sandbox=True)
    assert on.cloud.routes().empty


def test_a_dry_run_that_is_none(stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cloud creates all the same, it is said, and the sandbox takes it back."""
    monkeypatch.setattr(RequestContext, "is_dry_run", False)
    on = stage()
    probe = on.probe()
    (there,) = on.cloud.routes()["route_dest"]
    assert probe.value("dry_run") == "accepted as a create"
    assert any(there in note for note in probe.notes)
    other = stage()
    assert other.probe(sandbox=True).value("dry_run") == "accepted as a create"
    assert other.cloud.routes().empty


def test_a_quota_that_is_nearly_used_up(stage) -> None:
    """It is used up for a moment, to see what comes then."""
    on = stage(quota=6)
    probe = on.probe(sandbox=True)
    assert probe.value("quota") == 6
    assert probe.value("beyond_quota") == "CreateDbrRoutesQuotaFull.QuotaFull"
    assert on.cloud.routes().empty
    full = stage(quota=1, routes=[Route(NAME, "10.0.0.0/8")])
    assert full.probe().value("beyond_quota") == "CreateDbrRoutesQuotaFull.QuotaFull"


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "html", "busy", "status_500"])
@pytest.mark.parametrize("operation", ["CreateVcoRouteEntry", "DeleteVcoRouteEntry"])
def test_answers_that_are_lost(kind: str, operation: str, stage) -> None:
    """Whatever becomes of calls, no route is left."""
    fault = Fault(kind, operation=operation, probability=0.4)
    on = stage(faults=[fault], seed=3, limits={"CreateVcoRouteEntry": (25, 60.0)})
    assert on.probe(sandbox=True).left == []
    assert on.cloud.routes().empty
    assert not on.journal.exists()


def test_what_is_not_known_is_named(stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields and values that the contract does not have are findings of the probe."""
    from vcokit.simulator import operations

    shown = operations._custom_route

    def more(route, weight):
        return shown(route, weight) | {"State": "paused", "Colour": "red"}

    monkeypatch.setattr(operations, "_custom_route", more)
    probe = stage(routes=OTHERS).probe()
    assert probe.value("unknown_fields") == ["DescribeVcoRouteEntries: VcoRouteEntries[].Colour"]
    assert probe.value("unknown_values") == ["DescribeVcoRouteEntries: State paused"]


def test_the_clock_of_the_cloud(stage) -> None:
    """How far it is off is told, to the second or two that a date can tell."""
    skew = stage(faults=[Fault("skew", seconds=120.0)]).probe().value("clock_skew")
    assert 118 <= skew <= 122


def test_what_is_written_down(stage, tmp_path) -> None:
    """The file says what was asked, seen and meant, and holds no id but those of requests."""
    on = stage()
    probe = on.probe(sandbox=True)
    text = probe.to_json(tmp_path / "probe.json")
    assert (tmp_path / "probe.json").read_text(encoding="utf-8") == text
    for secret in (NAME, NAME[4:], ACCESS_KEY_SECRET, "198.18.", "198.19."):
        assert secret not in text
    told = json.loads(text)
    assert (told["region"], told["sandbox"]) == ("cn-hangzhou", True)
    assert told["when"].endswith("Z")
    assert set(told["answers"]) == set(QUESTIONS)
    known = set(on.cloud.calls()["request_id"])
    for answer in told["answers"].values():
        assert set(answer["evidence"]) <= known
        assert answer["means"]
    answered = {name for name, of in told["open_questions"].items() if of["seen"]}
    assert set(told["open_questions"]) - answered == {"auth_status"}


def test_what_is_shown(stage) -> None:
    """Each question has its row in the frame and its line in the text."""
    probe = stage(task_seconds=4.0).probe(sandbox=True)
    frame = probe.frame().set_index("question")
    assert list(frame.index) == list(QUESTIONS)
    assert frame.loc["listed_after_task", "seen"] == frame.loc["listed_after_task", "assumed"]
    assert frame.loc["task_seconds", "seen"] == "4, 4"
    assert frame["means"].notna().all()
    text = str(probe)
    assert "! Who answers? a simulator" in text
    assert "= Does a listing show weights: shown, missing or constant? shown" in text


def test_the_journal_is_there_before_the_route(stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a route is there, the file names it, and only its owner reads it."""
    on = stage(limits={"CreateVcoRouteEntry": (25, 60.0)})
    modes = set()

    def sleep(seconds: float) -> None:
        there = set(on.cloud.routes()["route_dest"])
        named = set(json.loads(on.journal.read_text())["networks"]) if there else set()
        assert there <= named
        if there:
            modes.add(stat.S_IMODE(on.journal.stat().st_mode))
        on.clock.sleep(seconds)

    on.probe(sandbox=True, sleep=sleep)
    assert modes == {0o600}
