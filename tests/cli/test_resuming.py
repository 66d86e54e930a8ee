"""Where a rollout broke off, the shell says the way on; and there always is one."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, refusing
from vcokit.cli import ExitCode
from vcokit.cli.console import console
from vcokit.cli.journals import ResumePoint
from vcokit.cli.run import RolloutProgress
from vcokit.rollout.forecast import Forecast, forecast
from vcokit.rollout.messages import Tally
from vcokit.simulator import Simulator


@pytest.fixture
def broken_off(shell, inventory: Path, serve) -> Simulator:
    """A cloud, and a rollout on it that a refused step stopped."""
    cloud = serve(faults=[refusing()])
    code, out, _ = shell("apply", inventory, "--yes", "--stop-after", "1")
    assert code == ExitCode.RESUMABLE
    assert "1 step failed, the limit of this run" in out
    return cloud


def edited(journal: Path, statement: str) -> None:
    """Do to a journal what a crash would have."""
    with closing(sqlite3.connect(journal)) as opened, opened:
        opened.execute(statement)


def by_hand(cloud: Simulator) -> None:
    """Add a route that no plan names, as somebody in the console would."""
    with vk.connect(cloud) as client:
        client.create_vco_route_entry(
            region_id="cn-hangzhou", vpn_connection_id="vco-a", route_dest="172.16.0.0/12",
            next_hop="vco-a", weight=100,
        )  # fmt: skip


def test_a_stale_journal_is_no_dead_end(shell, inventory: Path, broken_off: Simulator) -> None:
    """A route added by hand: resume asks for a new plan, and the next apply makes one."""
    journal = inventory.with_name("routes.rollout.db")
    by_hand(broken_off)
    code, _, err = shell("resume", journal)
    assert (code, "vcokit apply" in err) == (ExitCode.STALE, True)
    facts = json.loads(shell("status", journal, "--json")[1])
    assert (facts["state"], facts["resume"]) == ("stale", None)
    code, out, _ = shell("apply", inventory, "--yes", "--summary", "s.json")
    assert code == ExitCode.OK, out
    assert inventory.with_name("routes.rollout-2.db").exists()
    assert len(broken_off.routes()) == 11


def test_a_stale_journal_in_doubt_names_the_way_out(
    shell, inventory: Path, broken_off: Simulator
) -> None:
    """What the cloud may yet do is not passed over in silence; the way named is one."""
    journal = inventory.with_name("routes.rollout.db")
    by_hand(broken_off)
    assert shell("resume", journal)[0] == ExitCode.STALE
    edited(journal, "UPDATE step SET state = 'unknown' WHERE state = 'pending' AND step = 5")
    code, _, err = shell("apply", inventory, "--yes")
    assert (code, "for 1 step the outcome is not known" in err) == (ExitCode.INPUT, True)
    option = re.search(r"--journal (\S+)", err)[1]
    assert shell("apply", inventory, "--yes", "--journal", option)[0] == ExitCode.OK


def test_nothing_left(shell, inventory: Path) -> None:
    """A journal with nothing left says so, without asking the cloud or forecasting."""
    assert shell("apply", inventory, *FAST)[0] == ExitCode.OK
    for options in (("--simulate",), ("--simulate", "--summary", "s.json")):
        code, out, err = shell("resume", "routes.simulated.db", *options)
        assert (code, err) == (ExitCode.OK, "")
        assert "Nothing is left to do: 10 done" in out
        assert "Forecast" not in out
    facts = json.loads(Path("s.json").read_text())
    assert (facts["exit_code"], facts["resume"]) == (0, None)


@pytest.mark.parametrize("scenario", [True, False])
def test_the_command_that_goes_on_reaches_the_same_cloud(
    shell, inventory: Path, scenario: bool
) -> None:
    """A scenario that was given is part of it."""
    Path("s.toml").write_text(
        'speed = 600\n[[connections]]\nvpn_connection_id = "vco-a"\nregion_id = "cn-hangzhou"\n'
        '[[faults]]\nkind = "refuse"\noperation = "CreateVcoRouteEntry"\n'
        'code = "IllegalParam.RouteDest"\ncount = 1\n'
    )
    options = ("--scenario", "s.toml") if scenario else FAST
    limits = ("--stop-after", "1") if scenario else ("--max-hours", "1e-9")
    code, out, _ = shell("apply", inventory, *options, *limits, "--summary", "sum.json")
    assert code == ExitCode.RESUMABLE
    go_on = f"vcokit resume {inventory.with_name('routes.simulated.db')} {options[0]}"
    go_on += " s.toml" if scenario else ""
    assert f"Resume with: {go_on}\n" in out
    assert json.loads(Path("sum.json").read_text())["resume"] == go_on
    assert scenario or "the time limit of 0 s has passed" in out


def test_what_is_left_is_forecast(shell, inventory: Path, broken_off: Simulator) -> None:
    """Going on is forecast from where the rollout stands, not from its beginning."""
    journal = inventory.with_name("routes.rollout.db")
    edited(journal, "UPDATE step SET state = 'done' WHERE step < 8")
    edited(journal, "UPDATE step SET state = 'settled' WHERE step = 8")
    edited(journal, "UPDATE step SET state = 'pending' WHERE step = 9")
    standing = ResumePoint.of(journal)
    assert standing.left.steps["route_dest"].tolist() == ["10.8.0.0/16", "10.9.0.0/16"]
    whole, rest = forecast(standing.plan), forecast(standing.left)
    assert len(rest.times) == 2
    assert 0 < rest.seconds < whole.seconds / 3


class Still:
    """A rollout whose counts stand still, ten steps settled and ten to come."""

    journal = Path("still.db")

    def __init__(self) -> None:
        self.counts = {"pending": 20}

    def tally(self) -> Tally:
        """Return the counts."""
        return Tally(Counter(self.counts), started=0.0, latest=1.0)


def test_progress_in_a_pipe(capsys, monkeypatch) -> None:
    """A line on change, one a minute else; the rate falls while nothing happens; time is told."""
    clock = [0.0]
    monkeypatch.setattr("vcokit.cli.run.time.monotonic", lambda: clock[0])
    rollout, thought = Still(), Forecast(40.0, tuple(map(float, range(2, 42, 2))), {}, None)
    with RolloutProgress(rollout, thought, console()) as follower:
        rollout.counts = {"settled": 10, "pending": 10}
        for second in range(200):
            clock[0] = float(second)
            follower.show()
    lines = capsys.readouterr().out.splitlines()
    rates = [float(re.search(r"([\d.]+)/s", line)[1]) for line in lines]
    assert len(lines) == 4  # on the change, then each minute
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] <= 0.1
    assert "after 6 s" in lines[0]
    assert all("left" in line for line in lines)


def test_a_spoilt_wave_names_a_way_that_goes_on(shell, inventory: Path, serve) -> None:
    """The option that it names is one by which the rest is done."""
    inventory.write_text(HEAD + "".join(GOOD.replace("vco-a", f"vco-{name}") for name in "abc"))
    cloud = serve(faults=[refusing()])
    code, out, _ = shell("apply", inventory, "--yes", "--waves", "1,rest")
    assert code == ExitCode.RESUMABLE
    option = re.search(r"such as (--waves \S+?)\.", out)[1].split()
    code, out, _ = shell("resume", "routes.rollout.db", *option)
    assert (code, len(cloud.routes())) == (ExitCode.FAILED, 2)


def test_a_part_that_the_plan_does_not_have(shell, inventory: Path) -> None:
    """A mistyped connection is no success with nothing to send."""
    for command in ("plan", "apply"):
        given = (command, inventory, *FAST, "--only-connection", "vco-typo")
        code, _, err = shell(*given)
        assert (code, "vco-typo" in err) == (ExitCode.INPUT, True)
