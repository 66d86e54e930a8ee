"""A simulator that was given what a probe saw answers a probe the same."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import vcokit as vk
from tests.probe.conftest import NAME
from vcokit import config
from vcokit.simulator import Connection, Fault, Simulator, Switches
from vcokit.simulator.facts import FactsError, read_facts

#: Few creates, so that a probe takes few calls.
QUICK = {"limits": {"CreateVcoRouteEntry": (20, 60.0)}}
PASSED = "DryRunOperation"

#: Each switch as nobody assumes it, the question that finds it, and its answer.
FLIPPED: list[tuple[dict[str, Any], str, Any]] = [
    ({"shared_space_refused": True}, "shared_space", "OperationFailed.InvalidCidrBlock"),
    ({"task_conflict_seconds": 0.0}, "task_conflict_seconds", 0.0),
    ({"task_conflict_seconds": 4.0}, "task_conflict_seconds", 4.0),
    ({"removed_at_acceptance": False}, "removed_at_acceptance", False),
    ({"listed_after_task": False}, "listed_after_task", False),
    ({"listing_needs_attached": True}, "listing_needs_attached", True),
    ({"listing_weight": "missing"}, "listing_weight", "missing"),
    ({"listing_weight": "constant"}, "listing_weight", "constant"),
    ({"host_bits": "masked"}, "host_bits", PASSED),
    ({"other_next_hop_refused": False}, "other_next_hop", PASSED),
    ({"busy_code": "TaskConflict"}, "second_write", "TaskConflict"),
    ({"dry_run_checks_state": False}, "repeat", PASSED),
    ({"refused_calls_bind_token": True}, "refused_calls_bind_token", True),
]
#: What no switch is of, or is of the moment.
OF_THE_MOMENT = {"clock_skew", "round_trip"}


def answers(probe) -> dict[str, Any]:
    """Return what was seen, times of chance aside."""
    seen = {name: one.value for name, one in probe.seen.items() if name not in OF_THE_MOMENT}
    if seen["deleted_reappears"]:
        seen["deleted_reappears"] = "some time"  # whether a listing shows it is drawn each time
    return seen


def calibrated(stage, probe, tmp_path: Path, **options: Any):
    """Return a probe of a simulator that behaves as the probe saw."""
    path = tmp_path / "probe.json"
    probe.to_json(path)
    on = stage(task_seconds=None, facts=path, **options)
    again = on.probe(sandbox=True)
    assert on.cloud.routes().empty
    return again


@pytest.mark.parametrize(
    ("switch", "question", "value"), FLIPPED, ids=lambda one: str(one) if one is not dict else None
)
def test_each_switch_is_found_and_kept(
    switch: dict, question: str, value: Any, stage, tmp_path: Path
) -> None:
    """Flipped alone, it is what the probe finds; a simulator of its file behaves the same."""
    on = stage(switches=Switches(**switch), **QUICK)
    probe = on.probe(sandbox=True)
    assert on.cloud.routes().empty
    assert probe.value(question) == value
    assert answers(calibrated(stage, probe, tmp_path)) == answers(probe)
    read = read_facts(tmp_path / "probe.json")
    assert read.switches == Switches(**switch)


@pytest.mark.parametrize(
    ("options", "question", "value"),
    [
        ({"quota": 123}, "quota", 123),
        ({"task_seconds": 7.0}, "task_seconds", [7.0, 7.0]),
        ({"limits": {"CreateVcoRouteEntry": (22, 25.0)}}, "create_limit", [22, 25]),
        ({"faults": [Fault("reappear", seconds=9.0)]}, "deleted_reappears", "some time"),
    ],
)
def test_each_number_is_found_and_kept(
    options: dict, question: str, value: Any, stage, tmp_path: Path
) -> None:
    """Numbers of the account are found as they are, and its facts have them."""
    probe = stage(**{**QUICK, **options}).probe(sandbox=True)
    assert answers(probe)[question] == value
    assert answers(calibrated(stage, probe, tmp_path)) == answers(probe)


def test_a_connection_that_is_not_attached(stage, tmp_path: Path) -> None:
    """The one switch that needs such a connection is found by a dry run."""
    loose = [Connection(NAME, attach_type="NO_ASSOCIATED")]
    for refused in (True, False):
        on = stage(connections=loose, switches=Switches(not_attached_refused=refused))
        probe = on.probe()
        probe.to_json(tmp_path / "probe.json")
        assert read_facts(tmp_path / "probe.json").switches == Switches(
            not_attached_refused=refused
        )
        again = stage(connections=loose, facts=tmp_path / "probe.json").probe()
        assert again.value("not_attached") == probe.value("not_attached")
        assert on.writes().empty


def drawn(seed: int) -> dict[str, Any]:
    """Return a cloud with its switches set by chance."""
    chance = random.Random(seed)
    switches = {}
    for switch, _, _ in chance.sample(FLIPPED, chance.randrange(2, len(FLIPPED))):
        switches |= switch
    return {
        "switches": Switches(**switches),
        "task_seconds": float(chance.randrange(2, 7)),
        "quota": chance.randrange(20, 90),
        "limits": {"CreateVcoRouteEntry": (chance.randrange(18, 26), 60.0)},
        "faults": [Fault("reappear", seconds=12.0)] * chance.randrange(2),
        "seed": seed,
    }


def wrong_answers(options: dict[str, Any], probe) -> dict[str, str]:
    """Return each question that can be answered in a cloud, and what is wrong with its answer."""
    is_set = options["switches"]
    expected = {
        "shared_space": "OperationFailed.InvalidCidrBlock"
        if is_set.shared_space_refused
        else PASSED,
        "task_conflict_seconds": is_set.task_conflict_seconds,
        "listing_needs_attached": is_set.listing_needs_attached,
        "listing_weight": is_set.listing_weight,
        "host_bits": "IllegalParam.RouteDest" if is_set.host_bits == "refused" else PASSED,
        "other_next_hop": "InvalidNextHop.NotFound" if is_set.other_next_hop_refused else PASSED,
        "second_write": is_set.busy_code,
        "repeat": "VpnRouteEntry.AlreadyExists" if is_set.dry_run_checks_state else PASSED,
        "refused_calls_bind_token": is_set.refused_calls_bind_token,
        "quota": options["quota"],
        "create_limit": list(options["limits"]["CreateVcoRouteEntry"]),
    }
    if not is_set.listing_needs_attached:  # else nobody sees what a listing shows meanwhile
        expected["listed_after_task"] = is_set.listed_after_task
        expected["removed_at_acceptance"] = is_set.removed_at_acceptance
    wrong = {
        name: "" if probe.value(name) == value else f"{value} was seen as {probe.value(name)}"
        for name, value in expected.items()
    }
    flaps = bool(probe.value("deleted_reappears"))
    wrong["deleted_reappears"] = "" if flaps == bool(options["faults"]) else f"seen: {flaps}"
    return wrong


@pytest.mark.parametrize("seed", range(10))
def test_combinations(seed: int, stage, tmp_path: Path) -> None:
    """Switches that are flipped together hide none of each other from the second probe."""
    options = drawn(seed)
    on = stage(**options)
    probe = on.probe(sandbox=True)
    assert on.cloud.routes().empty
    again = calibrated(stage, probe, tmp_path, seed=seed)
    # Whether a listing shows what was deleted is drawn each time; once it was seen, facts have it.
    first, second = answers(probe), answers(again)
    read = read_facts(tmp_path / "probe.json")
    assert bool(read.faults) == bool(first.pop("deleted_reappears"))
    second.pop("deleted_reappears")
    assert second == first
    assert not {name: wrong for name, wrong in wrong_answers(options, probe).items() if wrong}
    if not options["switches"].listing_needs_attached:
        assert read.switches == options["switches"]
    assert (read.quota, read.limits) == (options["quota"], options["limits"])


def test_arguments_win_over_facts(stage, tmp_path: Path) -> None:
    """What is said beside a file of facts counts, for an inventory's simulator too."""
    stage(quota=70).probe().to_json(tmp_path / "probe.json")
    routes = pd.DataFrame(
        {
            "region_id": "cn-hangzhou",
            "vpn_connection_id": "vco-a",
            "route_dest": ["10.0.0.0/8"],
            "next_hop": "vco-a",
            "weight": 100,
        }
    )
    facts = tmp_path / "probe.json"
    assert Simulator(facts=facts).quota == 70
    assert Simulator(facts=facts, quota=5).quota == 5
    assert Simulator.for_routes(routes, facts=facts).quota == 70
    assert Simulator.for_routes(routes, facts=facts, quota=5).quota == 5
    assert Simulator.for_routes(routes).quota == 50


GOOD = {"format": "vcokit probe", "version": 1, "answers": {}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "cannot be read"),
        ("{", "it is not JSON"),
        ([], "was not written by a probe"),
        ({**GOOD, "version": 2}, "was not written by a probe of this version"),
        ({**GOOD, "answers": []}, "answers"),
        ({**GOOD, "answers": {"quota": {"seen": "50"}}}, "quota: write a number above 0"),
        ({**GOOD, "answers": {"task_seconds": {"seen": [5, 2]}}}, "task_seconds"),
        ({**GOOD, "answers": {"create_limit": {"seen": 60}}}, "create_limit"),
        ({**GOOD, "answers": {"create_limit": {"seen": [0, 60]}}}, "create_limit"),
        ({**GOOD, "answers": {"deleted_reappears": {"seen": "x"}}}, "deleted_reappears"),
        ({**GOOD, "answers": {"listing_weight": {"seen": "odd"}}}, "switches: listing_weight"),
        ({**GOOD, "answers": {"listed_after_task": {"seen": 1}}}, "switches: listed_after_task"),
    ],
)
def test_a_file_that_cannot_be_used(document: Any, said: str, tmp_path: Path) -> None:
    """One error names file, key and remedy."""
    path = tmp_path / "probe.json"
    if document is not None:
        path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(FactsError, match=said) as caught:
        Simulator(facts=path)
    assert str(caught.value).startswith(f"{path}: ")


def test_facts_of_nothing_are_the_defaults(tmp_path: Path) -> None:
    """What was not asked stays as it is without facts."""
    path = tmp_path / "probe.json"
    path.write_text(json.dumps(GOOD))
    assert read_facts(path).switches == Switches()
    assert Simulator(facts=path).quota == Simulator().quota


#: What only the account's own cloud shows, or shows otherwise each time.
OF_ITS_OWN = OF_THE_MOMENT | {
    "endpoint",
    "unknown_fields",
    "wrong_answers",
    "absent_fields",
    "unknown_values",
    "listing_order",
    "deleted_reappears",
    "task_seconds",
    # Of other routes than those that a simulator has.
    "beyond_quota",
    "repeat",
    "other_weight",
}
PROBES = sorted((Path(__file__).parent / "probes").glob("*.json"))


@pytest.mark.parametrize("path", PROBES, ids=lambda path: path.stem)
def test_probes_that_were_sent_in(path: Path, stage) -> None:
    """A simulator of each file answers as the account did, as far as a simulator can."""
    told = json.loads(path.read_text("utf-8"))
    seen = {name: one["seen"] for name, one in told["answers"].items()}
    on = stage(task_seconds=None, facts=path)
    probe = on.probe(sandbox=told["sandbox"])
    assert on.cloud.routes().empty
    compared = {name for name, value in seen.items() if value is not None} - OF_ITS_OWN
    assert len(compared) >= 7
    assert {name: probe.value(name) for name in compared} == {name: seen[name] for name in compared}
    if told["sandbox"]:
        assert list(read_facts(path).task_seconds) == seen["task_seconds"]
        assert bool(probe.value("deleted_reappears")) == bool(seen["deleted_reappears"])


def test_settings_that_follow(stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``vcokit.toml`` they are the settings; what is by default is not repeated."""
    on = stage(switches=Switches(listing_weight="constant"), quota=70, task_seconds=9.0, **QUICK)
    probe = on.probe(sandbox=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VCOKIT_POLL_INTERVAL")
    Path("vcokit.toml").write_text(probe.settings_toml(), encoding="utf-8")
    names = ("listing_weight", "quota_hint", "task_seconds", "poll_interval", "list_after")
    assert [config.get(name) for name in names] == ["unknown", 70, 9.0, 3.0, 10]
    with vk.connect(on.cloud) as client:
        assert client.target.listing_weight == "unknown"
    lines = stage(**QUICK).probe().settings_toml().splitlines()
    assert [line for line in lines if not line.startswith("#")] == []
