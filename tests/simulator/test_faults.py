"""Faults: which calls they hit, and what becomes of the call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.conftest import ONE, SmallCloud, SmallService, route, signed
from vcokit.simulator import Account, Fault, Route
from vcokit.simulator.faults import FAULT_TYPES

CREATE, DELETE = "CreateVcoRouteEntry", "DeleteVcoRouteEntry"
READ = "DescribeVpnConnection"
ACTIVE = {("10.1.0.0/16", 100)}


def hits(*faults: Fault, calls: int = 5, seed: int = 7, asked: str = "1") -> list[str]:
    """Return the names of the faults that hit each of some reads, of connections by number."""
    cloud = SmallCloud(faults=faults, seed=seed, limits={READ: (10**6, 1.0)})
    for number in range(calls):
        cloud.call(READ, ONE | {"VpnConnectionId": f"vco-{asked[number % len(asked)]}"})
    return [call.faults.names for call in cloud.history]


@pytest.mark.parametrize(
    ("options", "asked", "hit"),
    [
        ({}, "1", "xxxxx"),
        ({"count": 2}, "1", "xx..."),
        ({"after": 3}, "1", "...xx"),
        ({"after": 1, "count": 2}, "1", ".xx.."),
        ({"probability": 0.0}, "1", "....."),
        ({"burst": 3, "count": 2}, "1", "xx..."),
        ({"operation": CREATE}, "1", "....."),
        # Other calls are not hit, use up no `after` and neither end a burst nor are part of it.
        ({"vpn_connection_id": "vco-1", "after": 1}, "22111", "...xx"),
        ({"vpn_connection_id": "vco-1", "burst": 2, "count": 2}, "12211", "x..x."),
    ],
)
def test_a_fault_hits_matching_calls_after_so_many_and_so_often(options, asked, hit):
    """`after` leaves the first alone, `count` ends it, `burst` is of calls in a row."""
    assert hits(Fault("delay", **options), asked=asked) == ["delay" * (x == "x") for x in hit]


def test_chance_comes_from_the_seed_for_each_fault_apart():
    """As often as it says, the same for a seed, and whatever other faults are behind it."""
    one, other = Fault("delay", probability=0.3), Fault("html", probability=0.3)
    first = hits(one, calls=1000)
    assert hits(one, calls=1000) == first != hits(one, calls=1000, seed=8)
    assert first.count("delay") == pytest.approx(300, abs=60)
    both = hits(one, other, calls=1000)
    assert ["delay" * ("delay" in names) for names in both] == first
    assert both.count("delay,html") == pytest.approx(90, abs=35)


def test_a_burst_hits_calls_in_a_row():
    """Once its chance comes a fault hits `burst` matching calls."""
    found = hits(Fault("throttle", probability=0.02, burst=5), calls=4000)
    runs = "".join("x" if names else "." for names in found).split(".")
    assert len([run for run in runs if run]) > 40
    assert all(len(run) >= 5 for run in runs[:-1] if run)
    assert found.count("throttle") == pytest.approx(4000 * 0.1 / 1.08, abs=120)


def test_busy_and_failing_tasks_are_for_accepted_writes():
    """No read is busy or has a task; a refused write leaves a failing task to the next."""
    assert hits(Fault("busy"), Fault("task_fails")) == [""] * 5
    cloud = SmallCloud(faults=[Fault("task_fails", count=1)])
    assert cloud.create(0.0, Weight="1").code == "InvalidWeight"
    cloud.create(0.0)
    assert cloud.listed(4.0) == set()


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
    # Another code of the same class in place of the usual one.
    ("busy", False, 400, "TaskConflict", False),
    ("busy", False, 400, "OperationFailed.IdempotentTokenProcessing", False),
    ("throttle", False, 400, "Throttling.Api", False),
    ("status_500", False, 500, "UnknownError", False),
]


@pytest.mark.parametrize(("kind", "applied", "status", "code", "there"), OUTCOMES)
def test_each_fault_does_what_its_table_says(kind, applied, status, code, there):
    """Whether the call is done, and what the history says of the answer."""
    usual = ("InternalError", "ServiceUnavailable", "SignatureNonceUsed")
    named = {} if code in usual else {"code": code}
    cloud = SmallCloud(faults=[Fault(kind, applied=applied, count=1, seconds=5.0, **named)])
    answer = cloud.create(0.0, ClientToken="t")
    assert answer.retry_after == (5.0 if kind == "throttle" else None)
    call = cloud.history[0]
    shown = call.status if call.awaited and not call.faults.drops else None
    assert (shown, call.code, call.faults.names) == (status, code, kind)
    assert (call.effect, call.changed) == ((1, True) if there else (None, False))
    assert bool(cloud.listed(0.9) or cloud.describe(0.9)[0] == "updating") is there
    retried = cloud.create(1.0, ClientToken="t")
    assert (retried.status, retried.replayed) == (200, there), "the token tells what happened"


def test_the_table_of_outcomes_names_every_kind():
    """No fault goes untested."""
    elsewhere = {"task_fails", "skew", "reappear"}
    assert {kind for kind, *_ in OUTCOMES} | elsewhere == FAULT_TYPES.keys()


DELAYS = [Fault("delay", seconds=2.0), Fault("delay", seconds=0.5)]
DROPPED = [Fault("delay", seconds=3.0), Fault("drop_after")]
TOGETHER = [
    (DELAYS, (2.5, False, False, 200), True),
    (DROPPED, (3.0, True, False, 200), True),
    ([*DROPPED, Fault("status_503"), Fault("throttle")], (3.0, True, False, 503), False),
    ([Fault("truncate"), Fault("status_500", applied=True)], (0.0, False, True, 500), True),
]


@pytest.mark.parametrize(("faults", "sent", "done"), TOGETHER)
def test_several_faults_hit_one_call(faults, sent, done):
    """Delays add up, one that prevents is enough, the first code stands, a drop hides all."""
    service = SmallService(faults=faults)
    answer = service.send(signed(CREATE, route()))
    assert (answer.delay, answer.drops, answer.truncates, answer.status) == sent
    assert service.cloud.history[0].changed is done


def test_faults_hit_before_the_rate_limit_and_behind_the_signature():
    """A prevented call does not count against the limit; a wrong signature uses up no fault."""
    service = SmallService(limits={CREATE: (1, 60.0)}, faults=[Fault("status_503", count=3)])
    wrong = Account(access_key_secret="x").credentials
    refused = service.code(signed(CREATE, route(), credentials=wrong))
    assert refused == "SignatureDoesNotMatch"
    codes = [service.code(signed(CREATE, route())) for _ in range(5)]
    assert codes == ["ServiceUnavailable"] * 3 + ["", "Throttling.User"]


# -- calls that come late or twice ----------------------------------------------------------------


def test_late_calls_are_done_when_they_come():
    """In order of coming, those of one moment in order of sending; the history is in order."""
    seconds = {"vco-1": 9.0, "vco-2": 5.0, "vco-3": 5.0}
    faults = [Fault("late", vpn_connection_id=name, seconds=s) for name, s in seconds.items()]
    service = SmallService(faults=faults)
    for name in seconds:
        service.send(signed(CREATE, route(name)))
    assert service.send(signed("DescribeVpcs"), now=9.0).status == 404, "refused at the gateway"
    assert [(call.vpn_connection_id, call.time) for call in service.cloud.history] == [
        *((name, 0.0) for name in seconds),
        *(("vco-2", 5.0), ("vco-3", 5.0), ("vco-1", 9.0), ("", 9.0)),
    ]


@pytest.mark.parametrize(("kind", "effects"), [("late", [None, 2]), ("duplicate", [1, 3])])
def test_a_late_delete_can_take_what_came_after(kind, effects):
    """A call takes effect in the world of its time, and nobody hears of it."""
    there = [Route("vco-1", "10.1.0.0/16")] if kind == "duplicate" else []
    cloud = SmallCloud(routes=there, faults=[Fault(kind, operation=DELETE, seconds=20.0)])
    cloud.delete(0.0)
    cloud.create(5.0)
    assert cloud.listed(19.0) == ACTIVE
    assert cloud.listed(20.0) == set()
    assert cloud.describe(23.0)[0] == "updating"
    first, second = [call for call in cloud.history if call.operation == DELETE]
    assert (first.faults.drops, first.awaited) == (kind == "late", True)
    assert (second.time, second.awaited, second.faults.names) == (20.0, False, kind)
    assert [first.effect, second.effect] == effects


def test_a_duplicate_is_harmless_with_a_token_and_not_without():
    """The copy replays where a token tells it; without one it is a request of its own."""
    for token, effects in (("t", [1, 1]), ("", [1, None])):
        cloud = SmallCloud(faults=[Fault("duplicate", count=1, seconds=5.0)])
        assert cloud.create(0.0, ClientToken=token).status == 200
        cloud.cloud.advance(20.0)
        first, copy = cloud.history
        assert [first.effect, copy.effect] == effects
        assert copy.replayed is bool(token)
        assert copy.code == ("" if token else "VpnRouteEntry.AlreadyExists")
        assert len(cloud.listed(30.0)) == 1


# -- answers --------------------------------------------------------------------------------------


def test_a_page_comes_in_place_of_an_answer_or_the_answer_as_a_page():
    """`html` is 200 with a page and no request id, `content_type` the right answer misnamed."""

    def sent(kind: str) -> tuple[int, dict[bytes, bytes], Any]:
        answer = SmallService(faults=[Fault(kind)]).send(signed("DescribeRegions"))
        return answer.status, dict(answer.headers), answer.body

    status, headers, body = sent("html")
    assert (status, headers.keys()) == (200, {b"content-type", b"date"})
    assert headers[b"content-type"] == b"text/html;charset=utf-8"
    assert body.startswith(b"<!DOCTYPE html>")
    assert sent("empty")[2] == b""
    status, headers, body = sent("content_type")
    assert headers[b"content-type"] == b"text/html;charset=utf-8"
    assert json.loads(body)["Regions"]


@pytest.mark.parametrize(("speed", "expected"), [(1.0, b"60000"), (60.0, b"1000"), (7.0, b"8572")])
def test_a_throttled_client_is_told_to_wait(speed, expected):
    """The header is in milliseconds of wall time, rounded up; no other answer has it."""
    service = SmallService(limits={"DescribeRegions": (1, 60.0)}, speed=speed)
    answers = [service.send(signed("DescribeRegions")) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 400]
    waits = [dict(answer.headers).get(b"x-acs-retry-after") for answer in answers]
    assert waits == [None, expected]
