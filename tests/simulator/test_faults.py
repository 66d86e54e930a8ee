"""Faults: which calls they strike, and what becomes of the call."""

from __future__ import annotations

import pytest

from vcokit.simulator import Fault
from vcokit.simulator.faults import KINDS, FaultPlan, Verdict

CREATE = "CreateVcoRouteEntry"
READ = "DescribeVpnConnection"


def struck(plan: FaultPlan, calls: int, operation: str = CREATE, connection: str = "vco-1") -> str:
    """Return a letter for each of some calls: x struck, . not."""
    return "".join("x" if plan.decide(operation, connection).struck else "." for _ in range(calls))


def test_a_fault_strikes_after_so_many_calls_and_so_often():
    """`after` leaves the first alone, `count` ends it."""
    assert struck(FaultPlan([Fault("delay")]), 5) == "xxxxx"
    assert struck(FaultPlan([Fault("delay", count=2)]), 5) == "xx..."
    assert struck(FaultPlan([Fault("delay", after=3)]), 5) == "...xx"
    assert struck(FaultPlan([Fault("delay", after=1, count=2)]), 5) == ".xx.."


def test_only_matching_calls_are_counted():
    """Calls of other operations and connections neither are struck nor use `after` up."""
    plan = FaultPlan([Fault("delay", operation=CREATE, vpn_connection_id="vco-1", after=1)])
    assert struck(plan, 3, READ) == "..."
    assert struck(plan, 3, CREATE, "vco-2") == "..."
    assert struck(plan, 3) == ".xx"


def test_chance_comes_from_the_seed():
    """A probability strikes as often as it says, the same for the same seed."""
    plans = [FaultPlan([Fault("delay", probability=0.3)], seed) for seed in (1, 1, 2)]
    first, same, other = (struck(plan, 2000) for plan in plans)
    assert first == same != other
    assert first.count("x") == pytest.approx(600, abs=80)
    assert struck(FaultPlan([Fault("delay", probability=0.0)]), 50) == "." * 50


def test_one_fault_does_not_move_another():
    """The draws of a fault are the same whatever other faults are behind it in the list."""
    alone = struck(FaultPlan([Fault("delay", probability=0.5)], 3), 200)
    both = FaultPlan([Fault("delay", probability=0.5), Fault("html", probability=0.5)], 3)
    verdicts = [both.decide(CREATE, "vco-1") for _ in range(200)]
    assert "".join("x" if v.delay else "." for v in verdicts) == alone


def test_faults_are_drawn_apart():
    """Two faults of one chance strike different calls."""
    plan = FaultPlan([Fault("delay", probability=0.5), Fault("html", probability=0.5)], 3)
    verdicts = [plan.decide(CREATE, "vco-1") for _ in range(400)]
    together = sum(1 for verdict in verdicts if len(verdict.struck) == 2)
    assert together == pytest.approx(100, abs=35)


def test_busy_and_failing_tasks_are_for_writes():
    """No read is answered busy, and none has a task that could fail."""
    plan = FaultPlan([Fault("busy"), Fault("task_fails")])
    assert not plan.decide(READ, "vco-1").struck
    assert not plan.fail_task(READ, "vco-1").struck
    assert plan.decide(CREATE, "vco-1").names == "busy"
    assert plan.fail_task(CREATE, "vco-1").names == "task_fails"


def test_a_failing_task_is_used_up_by_accepted_calls_only(world):
    """A refused write has no task, so the fault waits for one that is accepted."""
    cloud = world(faults=[Fault("task_fails", count=1)])
    assert cloud.create(0.0, Weight="1").code == "InvalidWeight"
    cloud.create(0.0)
    assert cloud.listed(4.0) == set()
    cloud.create(4.0)
    assert cloud.listed(8.0) == {("10.1.0.0/16", 100)}


# kind, applied asked for, status and code in the history, is the route there in the end
OUTCOMES = [
    ("drop_before", False, None, "", False),
    ("drop_after", False, None, "", True),
    ("delay", False, 200, "", True),
    ("status_500", False, 500, "InternalError", False),
    ("status_500", True, 500, "InternalError", True),
    ("status_503", False, 503, "ServiceUnavailable", False),
    ("status_503", True, 503, "ServiceUnavailable", True),
    ("throttle", False, 400, "Throttling.User", False),
    ("busy", False, 400, "VpnConnection.Configuring", False),
    ("truncate", False, 200, "", True),
    ("html", False, 200, "", False),
    ("html", True, 200, "", True),
]


@pytest.mark.parametrize(("kind", "applied", "status", "code", "there"), OUTCOMES)
def test_each_fault_does_what_its_table_says(world, kind, applied, status, code, there):
    """Whether the call is done, and what the history says of the answer."""
    cloud = world(faults=[Fault(kind, applied=applied, count=1)])
    cloud.create(0.0, ClientToken="t")
    call = cloud.cloud.history[0]
    assert (call.status, call.code, call.faults) == (status, code, kind)
    assert (call.effect, call.changed) == ((1, True) if there else (None, False))
    assert bool(cloud.routes()) is there
    retried = cloud.create(1.0, ClientToken="t")
    assert (retried.status, retried.replayed) == (200, there), "the token tells what happened"


def test_the_table_of_outcomes_names_every_kind():
    """No fault goes untested."""
    assert {kind for kind, *_ in OUTCOMES} | {"task_fails"} == KINDS.keys()


def test_a_throttle_asks_for_its_wait(world):
    """The fault's seconds are what the answer asks for."""
    cloud = world(faults=[Fault("throttle", seconds=7.5)])
    assert cloud.list(0.0).retry_after == 7.5


def test_faults_strike_before_the_rate_limit(world):
    """A prevented call does not count against the limit."""
    cloud = world(limits={CREATE: (1, 60.0)}, faults=[Fault("status_503", count=3)])
    assert [cloud.create(0.0).code for _ in range(4)] == ["ServiceUnavailable"] * 3 + [""]


def test_several_faults_strike_one_call():
    """Delays add up, one fault that prevents is enough, the first code stands, a drop hides all."""
    both = Verdict((Fault("delay", seconds=2.0), Fault("delay", seconds=0.5)))
    assert (both.delay, both.prevents, both.names) == (2.5, False, "delay,delay")
    codes = Verdict((Fault("drop_after"), Fault("status_503"), Fault("throttle")))
    assert (codes.drops, codes.prevents, codes.code) == (True, True, "ServiceUnavailable")
    assert codes.retry_after is None
    cut = Verdict((Fault("truncate"), Fault("status_500", applied=True)))
    assert (cut.truncates, cut.prevents, cut.code) == (True, False, "InternalError")


def test_a_delayed_call_can_be_dropped_after_its_effect(world):
    """A combination works in the state as well: done, late, and never answered."""
    cloud = world(faults=[Fault("delay", seconds=3.0), Fault("drop_after", count=1)])
    answer = cloud.create(0.0)
    assert (answer.verdict.delay, answer.verdict.drops) == (3.0, True)
    assert len(cloud.routes()) == 1
    assert cloud.cloud.history[0].status is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "flood"}, "'flood' is unknown"),
        ({"kind": "delay", "operation": "DescribeVpcs"}, "DescribeVpcs"),
        ({"kind": "delay", "probability": 1.5}, "probability"),
        ({"kind": "delay", "after": -1}, "after"),
        ({"kind": "delay", "seconds": -1.0}, "seconds"),
        ({"kind": "drop_before", "applied": True}, "not open to choice"),
    ],
)
def test_faults_that_cannot_be_are_refused(options, message):
    """A misspelt fault raises ValueError instead of never striking."""
    with pytest.raises(ValueError, match=message):
        Fault(**options)
