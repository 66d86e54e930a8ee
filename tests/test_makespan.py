"""The makespan benchmark measures what it says; the scheduler keeps within its limits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import makespan, naive
from benchmarks.cloudmodel import CREATES, CloudModel, Work
from benchmarks.driver import Driver
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.rollout.journal import Journal

STEPS, LANES = 300, 12


def work(shape: str = "even", seed: int = 1) -> Work:
    """Return a small amount of work."""
    return Work.of(makespan.SHAPES[shape](STEPS, LANES), seed)


@pytest.mark.parametrize("shape", makespan.SHAPES)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_ours_does_all_within_the_limits(shape: str, share: float) -> None:
    """All is created once; no window holds too much; nothing is refused where limits are known."""
    model = CloudModel(work(shape), makespan.limits(share))
    driver = Driver(model, makespan.limits(), seed=1)
    seconds = driver.run()
    assert model.created() == STEPS
    assert {record.state for record in driver.scheduler.records.values()} == {"done"}
    assert len(model.passed[CREATES]) == STEPS + model.refused[CREATES, "busy"]
    for operation in model.passed:
        assert model.most_in_a_window(operation) <= model.limits[operation].calls
    if share == 1.0:
        assert model.share("throttled") == 0
    assert seconds >= model.work.bound(model.limits)


def test_a_run_follows_from_its_seed() -> None:
    """The same seed gives the same times, another one others."""
    first, again, other = (makespan.ours(work(seed=seed), seed, 1.0) for seed in (1, 1, 2))
    assert first.seconds == again.seconds != other.seconds


def test_the_journal_holds_every_call(tmp_path: Path) -> None:
    """What the model saw of creates is in the journal that the driver writes."""
    given, path = work(), tmp_path / "rollout.db"
    model = CloudModel(given, makespan.limits(0.5))
    with Journal.create(path, makespan.plan_of(given), "bench") as journal:
        Driver(model, makespan.limits(), 1, journal).run()
        steps, calls = journal.steps(), journal.calls()
    assert set(steps["state"]) == {"done"}
    seen = len(model.passed[CREATES]) + model.refused[CREATES, "throttled"]
    assert (calls["operation"] == CREATES).sum() == seen


def test_the_naive_peer() -> None:
    """It does what it can: made, failed and waiting add up, and it runs into the limits."""
    model = CloudModel(work(), makespan.limits())
    _, failed = naive.run(model, seed=1)
    assert model.created() + failed == STEPS
    assert failed > 0
    patient = CloudModel(work(), makespan.limits())
    seconds, failed = naive.run(patient, seed=1, timeout=math.inf)
    assert (patient.created(), failed) == (STEPS, 0)
    assert patient.refused[CREATES, "busy"] > 0
    assert patient.most_in_a_window(CREATES) == OPERATIONS[CREATES].limit.calls
    assert seconds > patient.work.bound(patient.limits)


def test_the_model_refuses_as_the_contract_says() -> None:
    """One call more than the limit passes only when the first leaves the window, to the instant."""
    model = CloudModel(work(), {CREATES: Limit(2, 10.0)})
    assert [model.admit(CREATES, t) for t in (0.0, 1.0, 2.0)] == [None, None, 8.0]
    assert model.admit(CREATES, 9.5) == 0.5
    assert model.admit(CREATES, 10.0) is None
    assert model.refused[CREATES, "throttled"] == 2


def test_busy_until_the_task_ends() -> None:
    """A connection takes one write at a time, and lists a route when its task has ended."""
    model = CloudModel(work(), makespan.limits())
    end, lane = model.work.tasks[0], model.work.steps[0].lane
    assert model.create(0, 0.0) == ("ok", None)
    assert model.create(1, end - 0.001) == ("busy", None)
    assert model.state(lane, end - 0.001) == "updating"
    assert model.listing(lane, 1, end - 0.001) == ((), 0)
    assert model.listing(lane, 1, end)[1] == 1
    assert model.create(1, end) == ("ok", None)
    assert (model.created(), model.share("busy", writes=True)) == (2, 1 / 3)


@pytest.mark.parametrize(
    ("sizes", "seconds"), [([1] * 60, None), ([1] * 61, 60.0), ([1] * 1201, 1200.0), ([9], None)]
)
def test_the_lower_bound(sizes: list[int], seconds: float | None) -> None:
    """The bound is that of the limit where there are many lanes, else that of the longest one."""
    given = Work.of(sizes, 3)
    per_lane = [
        sum(
            task + trip
            for step, task, trip in zip(given.steps, given.tasks, given.trips, strict=True)
            if step.lane == lane
        )
        for lane in {step.lane for step in given.steps}
    ]
    wanted = max(per_lane) if seconds is None else seconds
    assert given.bound(makespan.limits()) == pytest.approx(wanted)


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a row for each shape, limit and peer; as Markdown where asked."""
    makespan.main(["--steps", "40", "--lanes", "4", "--seeds", "1", "--readme", "--journal"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3 * 2 * 3
    assert all(line.count("|") == 12 for line in lines)
    makespan.main(["--steps", "40", "--lanes", "4", "--seeds", "1"])
    assert makespan.NAIVE in capsys.readouterr().out


def test_memory_is_weighed(capsys: pytest.CaptureFixture[str]) -> None:
    """What a rollout takes is told in all and before it began, the first being more."""
    makespan.main(["--memory", "200", "--lanes", "4"])
    words = capsys.readouterr().out.split()
    assert words[:2] == ["200", "steps:"]
    assert int(words[2]) >= int(words[7]) > 0
