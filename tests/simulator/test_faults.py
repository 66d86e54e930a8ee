"""Faults: which calls they hit, and what becomes of the call."""

from __future__ import annotations

import json

import pytest

from tests.simulator.conftest import SmallCloud, SmallService, vendor_signed
from vcokit.simulator import Account, Fault, Route
from vcokit.simulator.errors import ApiError
from vcokit.simulator.faults import CALL, FAULT_TYPES, TASK, ActiveFaults, FaultPlan

CREATE = "CreateVcoRouteEntry"
READ = "DescribeVpnConnection"


def struck(plan: FaultPlan, calls: int, operation: str = CREATE, connection: str = "vco-1") -> str:
    """Return a letter for each of some calls: x struck, . not."""
    return "".join("x" if plan.select(CALL, operation, connection) else "." for _ in range(calls))


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
    verdicts = [both.select(CALL, CREATE, "vco-1") for _ in range(200)]
    assert "".join("x" if v.delay else "." for v in verdicts) == alone


def test_faults_are_drawn_apart():
    """Two faults of one chance strike different calls."""
    plan = FaultPlan([Fault("delay", probability=0.5), Fault("html", probability=0.5)], 3)
    verdicts = [plan.select(CALL, CREATE, "vco-1") for _ in range(400)]
    together = sum(1 for verdict in verdicts if len(verdict.faults) == 2)
    assert together == pytest.approx(100, abs=35)


def test_busy_and_failing_tasks_are_for_writes():
    """No read is answered busy, and none has a task that could fail."""
    plan = FaultPlan([Fault("busy"), Fault("task_fails")])
    assert not plan.select(CALL, READ, "vco-1")
    assert not plan.select(TASK, READ, "vco-1")
    assert plan.select(CALL, CREATE, "vco-1").names == "busy"
    assert plan.select(TASK, CREATE, "vco-1").names == "task_fails"


def test_a_failing_task_is_used_up_by_accepted_calls_only():
    """A refused write has no task, so the fault waits for one that is accepted."""
    cloud = SmallCloud(faults=[Fault("task_fails", count=1)])
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
    ("late", False, None, "", False),
    ("throttle", False, 400, "Throttling.User", False),
    ("busy", False, 400, "VpnConnection.Configuring", False),
    ("truncate", False, 200, "", True),
    ("html", False, 200, "", False),
    ("html", True, 200, "", True),
    ("empty", False, 200, "", False),
    ("empty", True, 200, "", True),
    ("content_type", False, 200, "", True),
    ("duplicate", False, 200, "", True),
    ("resent", False, 400, "SignatureNonceUsed", True),
    ("refuse", False, 403, "Forbidden.RiskControl", False),
]


@pytest.mark.parametrize(("kind", "applied", "status", "code", "there"), OUTCOMES)
def test_each_fault_does_what_its_table_says(kind, applied, status, code, there):
    """Whether the call is done, and what the history says of the answer."""
    named = {"code": code} if kind == "refuse" else {}
    cloud = SmallCloud(faults=[Fault(kind, applied=applied, count=1, seconds=5.0, **named)])
    cloud.create(0.0, ClientToken="t")
    call = cloud.cloud.history[0]
    shown = call.status if call.awaited and not call.faults.drops else None
    assert (shown, call.code, call.faults.names) == (status, code, kind)
    assert (call.effect, call.changed) == ((1, True) if there else (None, False))
    assert bool(cloud.listed(0.9) or cloud.describe(0.9)[0] == "updating") is there
    retried = cloud.create(1.0, ClientToken="t")
    assert (retried.status, retried.replayed) == (200, there), "the token tells what happened"


def test_the_table_of_outcomes_names_every_kind():
    """No fault goes untested."""
    assert {kind for kind, *_ in OUTCOMES} | {
        "task_fails",
        "skew",
        "reappear",
    } == FAULT_TYPES.keys()


def test_a_throttle_asks_for_its_wait():
    """The fault's seconds are what the answer asks for."""
    cloud = SmallCloud(faults=[Fault("throttle", seconds=7.5)])
    assert cloud.list(0.0).retry_after == 7.5


def test_faults_strike_before_the_rate_limit():
    """A prevented call does not count against the limit."""
    cloud = SmallCloud(limits={CREATE: (1, 60.0)}, faults=[Fault("status_503", count=3)])
    assert [cloud.create(0.0).code for _ in range(4)] == ["ServiceUnavailable"] * 3 + [""]


def test_several_faults_strike_one_call():
    """Delays add up, one fault that prevents is enough, the first code stands, a drop hides all."""
    both = ActiveFaults((Fault("delay", seconds=2.0), Fault("delay", seconds=0.5)))
    assert (both.delay, both.skip_call, both.names) == (2.5, False, "delay,delay")
    codes = ActiveFaults((Fault("drop_after"), Fault("status_503"), Fault("throttle")))
    assert (codes.drops, codes.skip_call, codes.error.kind) == (True, True, "status_503")
    cut = ActiveFaults((Fault("truncate"), Fault("status_500", applied=True)))
    assert (cut.truncates, cut.skip_call, cut.error.error) == (True, False, "InternalError")


def test_a_delayed_call_can_be_dropped_after_its_effect():
    """A combination works in the state as well: done, late, and never answered."""
    cloud = SmallCloud(faults=[Fault("delay", seconds=3.0), Fault("drop_after", count=1)])
    answer = cloud.create(0.0)
    assert (answer.faults.delay, answer.faults.drops) == (3.0, True)
    assert len(cloud.listed(4.0)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "flood"}, "kind is unknown"),
        ({"kind": "delay", "operation": "DescribeVpcs"}, "operation is unknown"),
        ({"kind": "delay", "probability": 1.5}, "probability"),
        ({"kind": "delay", "after": -1}, "after"),
        ({"kind": "delay", "seconds": -1.0}, "seconds"),
        ({"kind": "drop_before", "applied": True}, "not open to choice"),
        ({"kind": "delay", "burst": 0}, "burst"),
        ({"kind": "delay", "seconds": float("inf")}, "seconds"),
        ({"kind": "skew", "seconds": float("nan")}, "seconds"),
        ({"kind": "refuse"}, "name the code"),
        ({"kind": "refuse", "code": "Nonsense"}, "code is none of its own"),
        ({"kind": "busy", "code": "Throttling.User"}, "Write one of Appliance.Configuring"),
        ({"kind": "delay", "code": "TaskConflict"}, "Leave code out"),
    ],
)
def test_faults_that_cannot_be_are_refused(options, message):
    """A misspelt fault raises ValueError instead of never striking."""
    with pytest.raises(ValueError, match=message):
        Fault(**options)


def test_a_burst_strikes_calls_in_a_row():
    """Once its chance comes a fault strikes `burst` matching calls, and `count` still ends it."""
    assert struck(FaultPlan([Fault("busy", burst=3, count=2)]), 5) == "xx..."
    letters = struck(FaultPlan([Fault("throttle", probability=0.02, burst=5)], 4), 4000)
    runs = [len(run) for run in letters.split(".") if run]
    assert len(runs) > 40
    assert all(length >= 5 for length in runs[:-1])
    assert letters.count("x") == pytest.approx(4000 * 0.1 / 1.08, abs=120)


def test_a_burst_is_of_matching_calls():
    """Calls of other connections in between neither end a burst nor are part of it."""
    plan = FaultPlan([Fault("busy", vpn_connection_id="vco-1", burst=2, count=2)])
    seen = [plan.select(CALL, CREATE, f"vco-{n}").names for n in (1, 2, 2, 1, 1)]
    assert seen == ["busy", "", "", "busy", ""]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("busy", "TaskConflict"),
        ("busy", "OperationFailed.IdempotentTokenProcessing"),
        ("throttle", "Throttling.Api"),
        ("status_500", "UnknownError"),
    ],
)
def test_a_fault_can_have_another_code_of_its_kind(kind, code):
    """`code` replaces the usual code; the kind stays what it is in the history."""
    cloud = SmallCloud(faults=[Fault(kind, code=code, seconds=3.0)])
    answer = cloud.create(0.0)
    assert (answer.code, cloud.cloud.history[0].faults.names) == (code, kind)
    assert answer.retry_after == (3.0 if kind == "throttle" else None)


def test_a_late_call_is_done_when_it_comes():
    """Nobody hears of it; it takes effect `seconds` later, before whatever comes after that."""
    cloud = SmallCloud(faults=[Fault("late", count=1, seconds=30.0)])
    cloud.create(0.0)
    assert cloud.listed(29.0) == set()
    assert cloud.describe(31.0)[0] == "updating"
    assert cloud.listed(34.0) == {("10.1.0.0/16", 100)}
    first, second = [call for call in cloud.cloud.history if call.operation == CREATE]
    assert (first.time, first.faults.drops, first.effect) == (0.0, True, None)
    assert (second.time, second.awaited, second.effect, second.faults.names) == (
        30.0,
        False,
        1,
        "late",
    )


def test_a_late_call_meets_the_world_of_its_time():
    """A delete that comes late deletes the route that was made in the meantime."""
    cloud = SmallCloud(faults=[Fault("late", operation="DeleteVcoRouteEntry", seconds=10.0)])
    cloud.delete(0.0)
    cloud.create(1.0)
    assert cloud.listed(9.0) == {("10.1.0.0/16", 100)}
    assert cloud.listed(10.0) == set()


def test_late_calls_come_in_their_order():
    """Of several the earlier due comes first, and those of one moment in the order of sending."""
    plan = [
        Fault("late", vpn_connection_id=f"vco-{n}", seconds=s)
        for n, s in ((1, 9.0), (2, 5.0), (3, 5.0))
    ]
    cloud = SmallCloud(faults=plan)
    for number in (1, 2, 3):
        cloud.create(0.0, f"vco-{number}")
    cloud.cloud.advance(20.0)
    came = [(call.vpn_connection_id, call.time) for call in cloud.cloud.history[3:]]
    assert came == [("vco-2", 5.0), ("vco-3", 5.0), ("vco-1", 9.0)]


def test_a_duplicate_is_harmless_with_a_token_and_not_without():
    """The copy replays where a token tells it; without one it is a request of its own."""
    for token, effects in (("t", [1, 1]), ("", [1, None])):
        cloud = SmallCloud(faults=[Fault("duplicate", count=1, seconds=5.0)])
        assert cloud.create(0.0, ClientToken=token).status == 200
        cloud.cloud.advance(20.0)
        first, copy = cloud.cloud.history
        assert [first.effect, copy.effect] == effects
        assert copy.replayed is bool(token)
        assert copy.code == ("" if token else "VpnRouteEntry.AlreadyExists")
        assert len(cloud.listed(30.0)) == 1


def test_a_duplicate_of_a_delete_can_take_what_came_after():
    """Delete, create again, and then the delete's copy: the reason why tokens are worth it."""
    cloud = SmallCloud(
        routes=[Route("vco-1", "10.1.0.0/16")],
        faults=[Fault("duplicate", operation="DeleteVcoRouteEntry", seconds=20.0)],
    )
    cloud.delete(0.0)
    cloud.create(5.0)
    assert cloud.listed(19.0) == {("10.1.0.0/16", 100)}
    assert cloud.listed(20.0) == set()


def test_the_history_is_in_order_of_time():
    """A late call stands before what was refused after it, at the gateway too."""
    cloud = SmallCloud(faults=[Fault("late", count=1, seconds=5.0)])
    cloud.create(0.0)
    cloud.call("DescribeVpcs", {}, 9.0)
    cloud.cloud.record_error(ApiError("SignatureDoesNotMatch"), now=10.0)
    assert [call.time for call in cloud.cloud.history] == [0.0, 5.0, 9.0, 10.0]


def test_a_page_comes_in_place_of_an_answer_or_the_answer_as_a_page():
    """`html` is 200 with a page and no request id, `content_type` the right answer misnamed."""
    page = SmallService(faults=[Fault("html")]).send(vendor_signed("DescribeRegions"))
    headers = dict(page.headers)
    assert (page.status, headers.keys()) == (200, {b"content-type", b"date"})
    assert headers[b"content-type"] == b"text/html;charset=utf-8"
    assert page.body.startswith(b"<!DOCTYPE html>")
    named = SmallService(faults=[Fault("content_type")]).send(vendor_signed("DescribeRegions"))
    assert dict(named.headers)[b"content-type"] == b"text/html;charset=utf-8"
    assert json.loads(named.body)["Regions"]


@pytest.mark.parametrize(("speed", "expected"), [(1.0, b"60000"), (60.0, b"1000"), (7.0, b"8572")])
def test_a_throttled_client_is_told_to_wait(speed, expected):
    """The header is in milliseconds of wall time, rounded up; no other answer has it."""
    service = SmallService(limits={"DescribeRegions": (1, 60.0)}, speed=speed)
    answers = [service.send(vendor_signed("DescribeRegions")) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 400]
    waits = [dict(answer.headers).get(b"x-acs-retry-after") for answer in answers]
    assert waits == [None, expected]


def test_what_happens_on_the_way_is_told_to_the_server():
    """The service only says what shall happen to an answer."""
    faults = [Fault("delay", seconds=1.5), Fault("delay", seconds=0.5), Fault("truncate")]
    answer = SmallService(faults=faults).send(vendor_signed("DescribeRegions"))
    assert (answer.delay, answer.drops, answer.truncates) == (2.0, False, True)


def test_faults_do_not_hit_who_is_not_let_in():
    """A request with a wrong signature uses up no fault."""
    service = SmallService(faults=[Fault("status_503", count=1)])
    wrong = Account(access_key_secret="x").credentials
    assert service.code(vendor_signed("DescribeRegions", credentials=wrong)) == (
        "SignatureDoesNotMatch"
    )
    assert service.code(vendor_signed("DescribeRegions")) == "ServiceUnavailable"
