"""What a cloud does in time: tasks, effects, tokens, rate limits, history, chance."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.conftest import FACTS, ONE, SmallCloud, route
from vcokit.simulator import Connection, Fault, Route, Switches
from vcokit.simulator.backend import Cloud

CREATE, LIST = "CreateVcoRouteEntry", "DescribeVcoRouteEntries"
ATTACHED = ("attached", "ipsec_sa_established")
UPDATING = ("updating", "ipsec_sa_established")
DOWN = ("attached", "ike_sa_not_established")
THERE = Route("vco-1", "10.1.0.0/16")
ACTIVE, STANDBY = {("10.1.0.0/16", 100)}, {("10.1.0.0/16", 0)}


# -- tasks ----------------------------------------------------------------------------------------

LOWER = {"NewWeight": "0"}
RAISE = {"Weight": "0", "NewWeight": "100"}


@pytest.mark.parametrize(
    ("write", "changes", "at_acceptance", "before", "early", "after"),
    [
        ("create", {}, True, set(), set(), ACTIVE),
        ("delete", {}, True, ACTIVE, set(), set()),
        ("delete", {}, False, ACTIVE, ACTIVE, set()),
        ("modify", LOWER, True, ACTIVE, STANDBY, STANDBY),
        ("modify", LOWER, False, ACTIVE, ACTIVE, STANDBY),
        ("modify", RAISE, True, STANDBY, STANDBY, ACTIVE),
    ],
)
def test_less_traffic_comes_at_acceptance_and_more_at_the_end(
    write, changes, at_acceptance, before, early, after
):
    """As the switch has it; until the very end of its task the connection is updating."""
    routes = [Route("vco-1", dest, weight, created_ms=5) for dest, weight in before]
    cloud = SmallCloud(routes=routes, switches=Switches(removed_at_acceptance=at_acceptance))
    assert cloud.listed(10.0) == before
    assert getattr(cloud, write)(10.0, **changes).status == 200
    assert cloud.listed(10.0) == cloud.listed(13.999) == early
    assert cloud.describe(13.999) == UPDATING
    assert cloud.listed(14.0) == after
    assert cloud.describe(14.0) == ATTACHED
    if write == "modify":
        assert cloud.list(14.0).fields["VcoRouteEntries"][0]["CreateTime"] == 5


def test_a_create_answers_published_although_its_task_runs():
    """State in the answer to a create is always published; the fields repeat the request."""
    cloud = SmallCloud(epoch=1000.0)
    assert cloud.create(2.5, Description="site 7", OverlayMode="Ipsec").fields == {
        "VpnConnectionId": "vco-1",
        "RouteDest": "10.1.0.0/16",
        "NextHop": "vco-1",
        "Weight": 100,
        "OverlayMode": "Ipsec",
        "State": "published",
        "CreateTime": 1_002_500,
        "Description": "site 7",
    }
    assert cloud.modify(7.0).fields == cloud.delete(12.0, Weight="0").fields == {}


def test_a_route_can_be_listed_at_once_where_the_switch_says_so():
    """listed_after_task=False: it is the last row and counts in the total, on whatever page."""
    routes = [Route("vco-1", "10.2.0.0/16"), Route("vco-1", "10.3.0.0/16")]
    cloud = SmallCloud(routes=routes, switches=Switches(listed_after_task=False))
    cloud.create(0.0)
    for now in (0.0, 4.0):
        pages = [cloud.list(now, PageSize="2", PageNumber=n).fields for n in "123"]
        shown = [[row["RouteDest"] for row in page["VcoRouteEntries"]] for page in pages]
        assert shown == [["10.2.0.0/16", "10.3.0.0/16"], ["10.1.0.0/16"], []]
        assert [page["TotalCount"] for page in pages] == [3] * 3


@pytest.mark.parametrize("fails", [False, True])
def test_one_task_at_a_time_and_a_pause_after_it(fails):
    """Busy while updating, a conflict up to a second after, whether or not the task did anything.

    A write that is refused does nothing; other connections are free.
    """
    faults = [Fault("task_fails", count=1)] if fails else []
    cloud = SmallCloud(routes=[THERE], switches=Switches(), faults=faults)
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    writes = (cloud.create, cloud.modify, cloud.delete)
    busy, conflict = "VpnConnection.Configuring", "TaskConflict"
    for now, code in ((3.999, busy), (4.5, conflict), (4.999, conflict)):
        assert {(write(now).status, write(now).code) for write in writes} == {(400, code)}
    assert cloud.create(4.999, "vco-2").status == 200
    assert cloud.create(5.0, "vco-1", "10.2.0.0/16").status == 200
    created = set() if fails else {("10.9.0.0/16", 100)}
    assert cloud.listed(9.0) == ACTIVE | created | {("10.2.0.0/16", 100)}


def test_task_times_are_drawn_from_their_range_and_the_seed():
    """Times fill the range, repeat with the seed, and do not move with what is read."""

    def times(seed: int, reads: int = 0, **options) -> list[float]:
        cloud = SmallCloud(**{"seed": seed, "task_seconds": (2.0, 5.0), "quota": 100} | options)
        found = []
        for number in range(100):
            start = number * 10.0
            assert cloud.create(start, "vco-1", f"10.{number}.0.0/16").status == 200
            for _ in range(reads):
                cloud.describe(start)
            found.append(cloud.cloud.connections(start)[0].task.ends - start)
        return found

    first = times(1)
    assert 2.0 <= min(first) < 2.2
    assert 4.8 < max(first) <= 5.0
    assert sum(first) / 100 == pytest.approx(3.5, abs=0.25)
    assert times(1, reads=3) == first != times(2)
    assert set(times(1, connections=[Connection("vco-1", task_seconds=1.0)])) == {1.0}


def test_a_failed_task_changes_nothing_and_looks_attached():
    """A create, a raise, a lowering and a delete whose task fails leave no trace, at no time."""
    cloud = SmallCloud(
        routes=[THERE, Route("vco-2", "10.1.0.0/16", 0)], faults=[Fault("task_fails")]
    )
    before = {c: cloud.listed(0.0, c) for c in ("vco-1", "vco-2", "vco-3")}
    answers = [
        cloud.delete(1.0),
        cloud.modify(1.0, "vco-2", **RAISE),
        cloud.create(1.0, "vco-3"),
        cloud.modify(6.0),
    ]
    assert [answer.status for answer in answers] == [200] * 4
    assert cloud.describe(6.0) == UPDATING
    for now in (1.0, 5.0, 6.0, 10.0):
        assert {c: cloud.listed(now, c) for c in before} == before
    assert cloud.describe(10.0) == ATTACHED
    assert [call.changed for call in cloud.history if call.effect] == [False] * 4


@pytest.mark.parametrize(
    ("dest", "harmful"),
    [
        *(
            (dest, True)
            for dest in ("100.64.0.0/10", "100.100.0.0/16", "100.0.0.0/8", "64.0.0.0/2")
        ),
        *((dest, False) for dest in ("100.128.0.0/16", "100.63.255.0/24", "96.0.0.0/6")),
    ],
)
def test_shared_space_breaks_the_tunnel_or_is_refused(dest, harmful):
    """What touches 100.64.0.0/10 harms from the end of its task to its delete."""
    cloud, harmed = SmallCloud(), DOWN if harmful else ATTACHED
    assert cloud.create(0.0, "vco-1", dest).status == 200
    assert [cloud.describe(now) for now in (3.0, 4.0)] == [UPDATING, harmed]
    cloud.modify(4.0, "vco-1", dest)
    assert cloud.describe(8.0) == harmed
    cloud.delete(8.0, "vco-1", dest, Weight="0")
    assert cloud.describe(8.0) == UPDATING
    strict = SmallCloud(switches=Switches(shared_space_refused=True))
    code = "OperationFailed.InvalidCidrBlock" if harmful else ""
    assert strict.create(0.0, "vco-1", dest).code == code


# -- who and what ---------------------------------------------------------------------------------


def test_regions_and_accounts_do_not_see_one_another():
    """A connection is found in its region and by its owner only."""
    cloud = SmallCloud(
        connections=[Connection("vco-1", account_id="1"), Connection("vco-2", "eu-west-1")]
    )
    assert cloud.create(0.0).code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, "vco-2").code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, "vco-2", RegionId="eu-west-1").status == 200
    for account, status in (("1", 200), ("2", 404)):
        assert cloud.call("DescribeVpnConnection", ONE, account=account).status == status


def test_the_history_keeps_every_call_as_it_was():
    """Time, names, parameters, status, code, ids, replay and effect of each call, in order."""
    cloud = SmallCloud()
    first = cloud.create(1.0, ClientToken="t")
    again = cloud.create(2.0, ClientToken="t")
    busy = cloud.delete(3.0)
    cloud.list(3.5)
    assert cloud.call("DescribeVpcs", {}, 4.0).code == "InvalidAction.NotFound"
    assert again.fields == first.fields
    same, other = first.request_id, busy.request_id
    rows = cloud.history
    assert [
        (row.time, row.status, row.code, row.replayed, row.effect, row.changed) for row in rows
    ] == [
        (1.0, 200, "", False, 1, True),
        (2.0, 200, "", True, 1, False),
        (3.0, 400, "VpnConnection.Configuring", False, None, False),
        (3.5, 200, "", False, None, False),
        (4.0, 404, "InvalidAction.NotFound", False, None, False),
    ]
    assert [row.request_id for row in rows[:3]] == [same, same, other]
    assert rows[0].client_token == "t"
    assert rows[2].parameters["RouteDest"] == "10.1.0.0/16"
    assert rows[4].operation == "DescribeVpcs"
    named = {(row.region_id, row.vpn_connection_id) for row in rows[:4]}
    assert named == {("cn-hangzhou", "vco-1")}


def test_the_same_seed_gives_the_same_cloud():
    """The same calls give the same answers; request ids are upper-case UUIDs, each its own."""

    def run() -> list[object]:
        cloud = SmallCloud(seed=3, task_seconds=(1.0, 9.0), faults=[Fault("busy", probability=0.5)])
        return [cloud.create(n * 3.0, "vco-1", f"10.{n}.0.0/16") for n in range(40)]

    answers = run()
    assert run() == answers
    ids = {answer.request_id for answer in answers}
    assert len(ids) == 40
    assert all(str(UUID(text)).upper() == text for text in ids)


# -- ClientTokens ---------------------------------------------------------------------------------


def test_the_same_call_gets_the_first_answer_again():
    """Each write repeated is answered as before, id included, and does nothing, busy or not."""
    cloud = SmallCloud()
    writes = [(cloud.create, {}), (cloud.modify, {}), (cloud.delete, {"Weight": "0"})]
    firsts = [write(4.0 * n, ClientToken="t", **of) for n, (write, of) in enumerate(writes)]
    assert [first.effect for first in firsts] == [1, 2, 3]
    for now in (9.0, 12.0, 100.0):
        for (write, of), first in zip(writes, firsts, strict=True):
            again = write(now, ClientToken="t", **of)
            assert (again.status, again.fields, again.request_id, again.effect) == (
                *(200, first.fields, first.request_id, first.effect),
            )
            assert (again.replayed, again.changed) == (True, False)
    assert cloud.listed(104.0) == set(), "a replay does not bring a deleted route back"


@pytest.mark.parametrize(
    "changes",
    [
        {"RouteDest": "10.2.0.0/16"},
        {"Weight": "0"},
        {"Description": "other"},
        {"VpnConnectionId": "vco-2", "NextHop": "vco-2"},
        {"Weight": "nonsense"},
    ],
)
def test_other_parameters_with_the_same_token_are_a_mismatch(changes):
    """Any difference is refused, before anything else is looked at."""
    cloud = SmallCloud()
    cloud.create(0.0, ClientToken="t")
    answer = cloud.create(9.0, ClientToken="t", **changes)
    assert (answer.status, answer.code) == (400, "IdempotentParameterMismatch")


def test_refused_calls_bind_no_token_but_count():
    """Busy, a bad parameter, a throttle: the token stays free; the rate limit is used up."""
    cloud = SmallCloud(limits={CREATE: (3, 60.0)})
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    assert cloud.create(1.0, ClientToken="t").code == "VpnConnection.Configuring"
    assert cloud.create(1.0, ClientToken="t", Weight="5").code == "InvalidWeight"
    throttled = cloud.create(5.5, ClientToken="t")
    assert (throttled.status, throttled.code) == (400, "Throttling.User")
    assert throttled.retry_after == 54.5
    assert cloud.create(61.0, ClientToken="t").status == 200


def test_refused_calls_bind_where_the_switch_says_so():
    """refused_calls_bind_token=True repeats a refusal whose reason has gone, but no dry run's."""
    cloud = SmallCloud(switches=Switches(refused_calls_bind_token=True))
    assert cloud.create(0.0, "vco-2", ClientToken="t", DryRun="true").code == "DryRunOperation"
    assert cloud.create(0.0, "vco-2", ClientToken="t").status == 200
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    first = cloud.create(1.0, ClientToken="u")
    again = cloud.create(9.0, ClientToken="u")
    assert first.code == again.code == "VpnConnection.Configuring"
    assert again.replayed
    assert cloud.create(9.0, ClientToken="u", Weight="0").code == "IdempotentParameterMismatch"


def test_a_token_lives_24_hours():
    """To the last moment the first answer is given again; then the call is new."""
    cloud, day = SmallCloud(), 24 * 3600.0
    cloud.create(10.0, ClientToken="t")
    assert cloud.create(10.0 + day - 0.001, ClientToken="t").replayed
    assert cloud.create(10.0 + day, ClientToken="t").code == "VpnRouteEntry.AlreadyExists"


def test_tokens_belong_to_account_region_and_operation():
    """The same token elsewhere is another token, and so is one in other letters."""
    elsewhere = [Connection("vco-2", "eu-west-1"), Connection("vco-3", account_id="2")]
    cloud = SmallCloud(connections=[Connection("vco-1"), *elsewhere])
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(0.0, ClientToken="T").code == "VpnConnection.Configuring"
    assert cloud.create(0.0, "vco-2", RegionId="eu-west-1", ClientToken="t").status == 200
    assert cloud.delete(4.0, ClientToken="t").status == 200
    other = cloud.call(CREATE, route("vco-3", ClientToken="t"), account="2")
    assert (other.status, other.replayed) == (200, False)


def test_without_a_token_the_request_id_is_the_token():
    """Two such calls are two requests; one that names the first's RequestId is its replay."""
    cloud = SmallCloud()
    first = cloud.create(0.0, ClientToken="")
    assert cloud.create(4.0, ClientToken="").code == "VpnRouteEntry.AlreadyExists"
    again = cloud.create(5.0, ClientToken=first.request_id)
    assert (again.replayed, again.request_id, again.effect) == (True, first.request_id, 1)
    other = cloud.create(5.0, ClientToken=first.request_id, Weight="0")
    assert other.code == "IdempotentParameterMismatch"


@pytest.mark.parametrize(
    ("token", "code"),
    [("t" * 64, ""), ("t" * 65, "IllegalParam.ClientToken"), ("tökén", "InvalidClientToken")],
)
def test_tokens_are_at_most_64_ascii_characters(token, code):
    """Of a write; a read gives the present whatever its token, never an old answer."""
    cloud = SmallCloud()
    assert cloud.list(0.0, ClientToken=token).fields["TotalCount"] == 0
    assert cloud.create(0.0, ClientToken=token).code == code
    assert cloud.list(4.0, ClientToken=token).fields["TotalCount"] == (0 if code else 1)


def test_a_replay_after_a_failed_task_is_still_the_first_answer():
    """The trap of the real cloud: the token says done, the listing says it is not."""
    cloud = SmallCloud(faults=[Fault("task_fails", count=1)])
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(9.0, ClientToken="t").replayed
    assert cloud.listed(20.0) == set()
    assert [call.faults.names for call in cloud.history[:2]] == ["task_fails", ""]


# -- rate limits ----------------------------------------------------------------------------------


def wait_of(cloud: SmallCloud, now: float) -> float | None:
    """Return how long a call is told to wait, None where it passes."""
    return cloud.call("DescribeRegions", {}, now).retry_after


def test_the_window_is_exact_at_its_edges():
    """The fourth call passes when the first is ten seconds old, and not a microsecond sooner."""
    cloud = SmallCloud(limits={"DescribeRegions": (3, 10.0)})
    assert [wait_of(cloud, now) for now in (0.1, 4.0, 10.0)] == [None] * 3
    assert wait_of(cloud, 10.0) == pytest.approx(0.1, abs=1e-9)
    assert wait_of(cloud, 10.099999) == pytest.approx(0.000001, abs=1e-9)
    assert wait_of(cloud, 10.1) is None
    assert wait_of(cloud, 13.999) == pytest.approx(0.001, abs=1e-9)


@given(st.lists(st.integers(0, 40_000), max_size=60).map(sorted))
def test_no_window_holds_more_than_the_limit(milliseconds):
    """Any three seconds hold at most the limit, nothing is refused below it (slow oracle).

    Throttled calls do not count: a client that hammers is let in as soon as one that waits.
    """
    cloud = SmallCloud(limits={"DescribeRegions": (4, 3.0)})
    passed: list[int] = []
    for now in milliseconds:
        window = [at for at in passed if now - 3000 < at <= now]
        wait = wait_of(cloud, now / 1000)
        assert (wait is None) == (len(window) < 4)
        if wait is None:
            passed.append(now)
        else:
            assert wait == pytest.approx((window[0] + 3000 - now) / 1000)


def test_limits_are_the_contract_s_unless_changed_one_by_one():
    """A changed limit leaves the others as the vendor has them."""
    limits = {name: of["limit"] for name, of in FACTS.items()}
    expected = {name: (of["calls"], of["seconds"]) for name, of in limits.items()}
    assert Cloud().limits == expected
    changed = Cloud(limits={"DeleteVcoRouteEntry": (5, 1.0)}).limits
    assert changed == expected | {"DeleteVcoRouteEntry": (5, 1.0)}


def test_accounts_regions_and_operations_are_counted_apart():
    """A window belongs to one account, one region and one operation."""
    first, second = "DescribeVpnConnections", "DescribeVpnAttachments"
    cloud = SmallCloud(limits={first: (1, 60.0), second: (1, 60.0)})
    for operation, region, account, code in (
        (first, "cn-hangzhou", "1", ""),
        (first, "cn-hangzhou", "1", "Throttling.User"),
        (first, "eu-west-1", "1", ""),
        (first, "cn-hangzhou", "2", ""),
        (second, "cn-hangzhou", "1", ""),
    ):
        assert cloud.call(operation, {"RegionId": region}, account=account).code == code


# -- listings that flap ---------------------------------------------------------------------------


@pytest.mark.parametrize(("at_acceptance", "gone"), [(True, 1.0), (False, 5.0)])
def test_a_deleted_route_may_show_up_again_for_some_seconds(at_acceptance, gone):
    """From when it is gone; some listings show it, none after its time; it is not really there."""
    cloud = SmallCloud(
        routes=[THERE, Route("vco-1", "10.2.0.0/16")],
        faults=[Fault("reappear", seconds=20.0)],
        switches=Switches(removed_at_acceptance=at_acceptance, task_conflict_seconds=0.0),
        limits={LIST: (10**6, 1.0)},
    )
    cloud.delete(1.0)
    if not at_acceptance:
        assert all(len(cloud.listed(1.0 + n / 10)) == 2 for n in range(40))
    seen = []
    for number in range(200):
        fields = cloud.list(gone + number / 10).fields
        rows = [row["RouteDest"] for row in fields["VcoRouteEntries"]]
        assert rows in (["10.2.0.0/16"], ["10.2.0.0/16", "10.1.0.0/16"])
        assert fields["TotalCount"] == len(rows)
        seen.append(len(rows))
    assert 60 < seen.count(2) < 140
    assert 2 in seen[-30:], "to the end of its time"
    assert all(cloud.listed(gone + 20.0) == {("10.2.0.0/16", 100)} for _ in range(20))


def test_a_route_that_reappears_is_listed_once():
    """Created again while listings still show the old one, it is one route."""
    cloud = SmallCloud(routes=[THERE], faults=[Fault("reappear", seconds=60.0)])
    cloud.delete(0.0)
    cloud.create(5.0)
    assert all(len(cloud.list(10.0 + n).fields["VcoRouteEntries"]) == 1 for n in range(30))
