"""What a cloud does in time: tasks, effects, tokens, rate limits, history, chance."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.conftest import CONTRACT, SmallCloud
from vcokit.simulator import Connection, Fault, LearnedRoute, Route, Switches
from vcokit.simulator.backend import Cloud

LIST = "DescribeVcoRouteEntries"
ATTACHED = ("attached", "ipsec_sa_established")
UPDATING = ("updating", "ipsec_sa_established")


def test_a_create_is_listed_when_its_task_ends_and_not_before():
    """The route appears at the very end of its task; until then the connection is updating."""
    cloud = SmallCloud()
    assert cloud.create(10.0).status == 200
    assert cloud.listed(10.0) == cloud.listed(13.999) == set()
    assert cloud.describe(13.999) == UPDATING
    assert cloud.listed(14.0) == {("10.1.0.0/16", 100)}
    assert cloud.describe(14.0) == ATTACHED


def test_a_create_answers_published_although_its_task_runs():
    """State in the answer to a create is always published; the fields repeat the request."""
    answer = SmallCloud(epoch=1000.0).create(2.5, Description="site 7")
    assert answer.fields == {
        "VpnConnectionId": "vco-1",
        "RouteDest": "10.1.0.0/16",
        "NextHop": "vco-1",
        "Weight": 100,
        "OverlayMode": "Ipsec",
        "State": "published",
        "CreateTime": 1_002_500,
        "Description": "site 7",
    }


def test_a_route_can_be_listed_at_once_where_the_switch_says_so():
    """listed_after_task=False lists a new route at acceptance; it forwards after its task."""
    cloud = SmallCloud(switches=Switches(listed_after_task=False))
    cloud.create(0.0)
    assert cloud.listed(0.0) == {("10.1.0.0/16", 100)}
    assert cloud.listed(4.0) == {("10.1.0.0/16", 100)}


def test_a_route_listed_at_once_stands_on_the_last_page():
    """The route on its way is the last row and counts in the total, on whatever page it falls."""
    routes = [Route("vco-1", "10.2.0.0/16"), Route("vco-1", "10.3.0.0/16")]
    cloud = SmallCloud(routes=routes, switches=Switches(listed_after_task=False))
    cloud.create(0.0)
    pages = [
        cloud.list(1.0, PageSize="2", PageNumber=str(n)).fields["VcoRouteEntries"]
        for n in (1, 2, 3)
    ]
    assert [[row["RouteDest"] for row in rows] for rows in pages] == [
        ["10.2.0.0/16", "10.3.0.0/16"],
        ["10.1.0.0/16"],
        [],
    ]
    assert cloud.list(1.0).fields["TotalCount"] == 3


def test_a_delete_takes_effect_at_acceptance():
    """The route is gone at once, although the connection is updating until the task ends."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.delete(1.0).status == 200
    assert cloud.listed(1.0) == set()
    assert cloud.describe(4.9) == UPDATING
    assert cloud.describe(5.0) == ATTACHED


def test_a_lowered_weight_takes_effect_at_acceptance():
    """100 to 0 is seen at once."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.modify(1.0, NewWeight="0").fields == {}
    assert cloud.listed(1.0) == {("10.1.0.0/16", 0)}
    assert cloud.describe(1.0) == UPDATING


def test_a_raised_weight_takes_effect_when_its_task_ends():
    """0 to 100 is seen at the end of the task, and the route keeps its time of creation."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.1.0.0/16", weight=0, created_ms=5)])
    assert cloud.modify(1.0, Weight="0", NewWeight="100").status == 200
    assert cloud.listed(4.9) == {("10.1.0.0/16", 0)}
    assert cloud.listed(5.0) == {("10.1.0.0/16", 100)}
    assert cloud.list(5.0).fields["VcoRouteEntries"][0]["CreateTime"] == 5


def test_one_task_at_a_time_on_a_connection():
    """A write while updating is refused and does nothing; other connections are free."""
    cloud = SmallCloud(routes=[Route("vco-1", "10.9.0.0/16")])
    cloud.create(0.0)
    refused = [
        cloud.create(1.0, "vco-1", "10.2.0.0/16"),
        cloud.delete(2.0, "vco-1", "10.9.0.0/16"),
        cloud.modify(3.999, "vco-1", "10.9.0.0/16"),
    ]
    assert {answer.code for answer in refused} == {"VpnConnection.Configuring"}
    assert cloud.create(1.0, "vco-2").status == 200
    assert cloud.create(4.0, "vco-1", "10.2.0.0/16").status == 200
    assert cloud.listed(8.0) == {("10.1.0.0/16", 100), ("10.2.0.0/16", 100), ("10.9.0.0/16", 100)}


def test_task_times_are_drawn_from_their_range_and_the_seed():
    """Times fill the range evenly, repeat with the seed, and do not move with what is read."""

    def times(seed: int, reads: int) -> list[float]:
        cloud = SmallCloud(seed=seed, task_seconds=(2.0, 5.0), quota=200)
        found = []
        for number in range(200):
            start = number * 10.0
            assert cloud.create(start, "vco-1", f"10.{number}.0.0/16").status == 200
            for _ in range(reads):
                cloud.describe(start)
            found.append(cloud.cloud.connections(start)[0].task.ends - start)
        return found

    first = times(1, reads=0)
    assert all(2.0 <= seconds <= 5.0 for seconds in first)
    assert min(first) < 2.1
    assert max(first) > 4.9
    assert sum(first) / 200 == pytest.approx(3.5, abs=0.25)
    assert times(1, reads=3) == first
    assert times(2, reads=0) != first


def test_a_failed_task_changes_nothing_and_looks_attached():
    """A create, a raise, a lowering and a delete whose task fails leave no trace, at no time."""
    start = [Route("vco-1", "10.1.0.0/16"), Route("vco-2", "10.1.0.0/16", weight=0)]
    cloud = SmallCloud(routes=start, faults=[Fault("task_fails")])
    before = {c: cloud.listed(0.0, c) for c in ("vco-1", "vco-2", "vco-3")}
    answers = [
        cloud.delete(1.0),
        cloud.modify(1.0, "vco-2", Weight="0", NewWeight="100"),
        cloud.create(1.0, "vco-3"),
        cloud.modify(6.0),
    ]
    assert [answer.status for answer in answers] == [200] * 4
    assert cloud.describe(6.0) == UPDATING
    for now in (1.0, 5.0, 6.0, 10.0):
        assert {c: cloud.listed(now, c) for c in before} == before
    assert cloud.describe(10.0) == ATTACHED
    assert [call.changed for call in cloud.cloud.history if call.effect] == [False] * 4


@pytest.mark.parametrize("dest", ["100.64.0.0/10", "100.100.0.0/16", "100.0.0.0/8", "64.0.0.0/2"])
def test_shared_space_is_accepted_and_breaks_the_tunnel(dest):
    """The tunnel falls when the task ends, whichever contains the other; a delete heals it."""
    cloud = SmallCloud()
    assert cloud.create(0.0, "vco-1", dest).status == 200
    assert cloud.describe(3.0) == UPDATING
    assert cloud.describe(4.0) == ("attached", "ike_sa_not_established")
    cloud.modify(4.0, "vco-1", dest)
    assert cloud.describe(8.0) == ("attached", "ike_sa_not_established")
    cloud.delete(8.0, "vco-1", dest, Weight="0")
    assert cloud.describe(8.0) == UPDATING


@pytest.mark.parametrize("dest", ["100.128.0.0/16", "100.63.255.0/24", "96.0.0.0/6"])
def test_the_neighbours_of_shared_space_do_no_harm(dest):
    """Only what touches 100.64.0.0/10 breaks a tunnel; 96.0.0.0/6 ends at 99.255.255.255."""
    cloud = SmallCloud()
    cloud.create(0.0, "vco-1", dest)
    assert cloud.describe(4.0) == ATTACHED


def test_shared_space_is_refused_where_the_switch_says_so():
    """shared_space_refused=True refuses what touches 100.64.0.0/10."""
    cloud = SmallCloud(switches=Switches(shared_space_refused=True))
    assert cloud.create(0.0, "vco-1", "100.64.0.0/16").code == "OperationFailed.InvalidCidrBlock"
    assert cloud.create(0.0, "vco-1", "100.128.0.0/16").status == 200


def test_regions_and_accounts_do_not_see_one_another():
    """A connection is found in its region and by its owner only."""
    cloud = SmallCloud(
        connections=[Connection("vco-1", account_id="1"), Connection("vco-2", "eu-west-1")]
    )
    assert cloud.create(0.0).code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, "vco-2").code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, "vco-2", RegionId="eu-west-1").status == 200
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}
    assert cloud.call("DescribeVpnConnection", named, account="1").status == 200
    assert cloud.call("DescribeVpnConnection", named, account="2").status == 404


def test_the_history_keeps_every_call_as_it_was():
    """Time, names, parameters, status, code, ids, replay and effect of each call, in order."""
    cloud = SmallCloud()
    first = cloud.create(1.0, ClientToken="t")
    again = cloud.create(2.0, ClientToken="t")
    busy = cloud.delete(3.0)
    cloud.list(3.5)
    rows = cloud.cloud.history
    assert [(call.time, call.status, call.code) for call in rows] == [
        (1.0, 200, ""),
        (2.0, 200, ""),
        (3.0, 400, "VpnConnection.Configuring"),
        (3.5, 200, ""),
    ]
    assert [call.request_id for call in rows[:3]] == [
        first.request_id,
        first.request_id,
        busy.request_id,
    ]
    assert again.fields == first.fields
    assert [call.replayed for call in rows] == [False, True, False, False]
    assert [call.effect for call in rows] == [1, 1, None, None]
    assert [call.changed for call in rows] == [True, False, False, False]
    assert rows[0].client_token == "t"
    assert rows[2].parameters["RouteDest"] == "10.1.0.0/16"
    assert {(call.region_id, call.vpn_connection_id) for call in rows} == {("cn-hangzhou", "vco-1")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": [Connection("vco-1")] * 2}, "twice"),
        ({"routes": [Route("vco-1", "10.0.0.0")]}, "no network"),
        ({"routes": [Route("vco-1", "0.0.0.0/0")]}, "default route"),
        ({"routes": [Route("vco-9", "10.0.0.0/8")]}, "no connection vco-9"),
        ({"task_seconds": (5.0, 2.0)}, "task_seconds"),
        ({"task_seconds": -1.0}, "task_seconds"),
        ({"limits": {"Nonsense": (1, 1)}}, "Nonsense"),
        ({"limits": {"DescribeRegions": (0, 1)}}, "at least 1"),
    ],
)
def test_a_cloud_that_cannot_be_is_refused(options, message):
    """Arguments that make no sense raise ValueError and say what would."""
    with pytest.raises(ValueError, match=message):
        SmallCloud(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Connection("vpn-1"), "vco-"),
        (lambda: Connection("vco-1", attach_type="X"), "attach_type is unknown. Write one of CEN"),
        (lambda: Connection("vco-1", status="up"), "status is unknown"),
        (lambda: Connection("vco-1", state="up"), "state is unknown"),
        (lambda: Connection("vco-1", tunnels=3), "tunnels is 0, 1 or 2"),
        (lambda: Connection("vco-1", ssl_client_pools=["10.0.0.1/8"]), "pool is no network"),
        (lambda: Connection("vco-1", task_seconds=[3, 2]), "task_seconds: write a time"),
        (lambda: LearnedRoute("10.0.0.0"), "learned route is no network"),
        (lambda: LearnedRoute("10.0.0.0/8", source="X"), "source is unknown"),
        (lambda: Route("vco-1", "10.0.0.0/8", weight=50), "neither 0 nor 100"),
        (lambda: Switches(listing_weight="x"), "listing_weight is unknown. Write one of const"),
        (lambda: Switches(task_conflict_seconds=-1.0), "write seconds"),
    ],
)
def test_things_that_cannot_be_are_refused(make, message):
    """A connection or route that the cloud could not hold cannot be made."""
    with pytest.raises(ValueError, match=message):
        make()


def test_unknown_operations_are_refused():
    """The state itself refuses what it has not, and keeps it in the history."""
    cloud = SmallCloud()
    assert cloud.call("DescribeVpcs", {}).code == "InvalidAction.NotFound"
    assert cloud.cloud.history[0].operation == "DescribeVpcs"


def test_the_same_seed_gives_the_same_cloud():
    """Two runs of the same calls give the same answers, ids included."""

    def run() -> list[object]:
        cloud = SmallCloud(seed=3, task_seconds=(1.0, 9.0), faults=[Fault("busy", probability=0.5)])
        return [cloud.create(n * 3.0, "vco-1", f"10.{n}.0.0/16") for n in range(40)]

    assert run() == run()


def test_request_ids_are_upper_case_uuids_and_never_repeat():
    """Every answer has an id of its own, refusals too."""
    cloud = SmallCloud()
    ids = [cloud.create(float(n)).request_id for n in range(50)]
    assert len(set(ids)) == 50
    assert all(str(UUID(text)).upper() == text for text in ids)


# -- ClientTokens ---------------------------------------------------------------------------------


def test_the_same_call_gets_the_first_answer_again():
    """A repeated create is answered as before, id included, and does nothing, busy or not."""
    cloud = SmallCloud()
    first = cloud.create(0.0, ClientToken="t")
    for now in (1.0, 4.0, 100.0):
        again = cloud.create(now, ClientToken="t")
        assert (again.status, again.fields, again.request_id) == (
            200,
            first.fields,
            first.request_id,
        )
        assert again.replayed
        assert not again.changed
        assert again.effect == first.effect == 1
    assert len(cloud.listed(100.0)) == 1


def test_a_repeated_create_does_not_bring_a_deleted_route_back():
    """A replay has no effect even if the route has gone since."""
    cloud = SmallCloud()
    cloud.create(0.0, ClientToken="t")
    cloud.delete(4.0, ClientToken="t")
    assert cloud.create(8.0, ClientToken="t").status == 200
    assert cloud.listed(99.0) == set()


def test_deletes_and_modifies_are_replayed_too():
    """Each write gives its first answer again instead of not finding the route."""
    cloud = SmallCloud()
    cloud.create(0.0)
    for call in (cloud.modify, lambda now, **kw: cloud.delete(now, Weight="0", **kw)):
        start = 4.0 if call == cloud.modify else 8.0
        first = call(start, ClientToken="t")
        again = call(start + 1, ClientToken="t")
        assert first.status == again.status == 200
        assert again.request_id == first.request_id


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


def test_refused_calls_bind_no_token():
    """A busy connection, a bad parameter, a throttle: the token stays free for the next try."""
    cloud = SmallCloud(limits={"CreateVcoRouteEntry": (3, 60.0)})
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    assert cloud.create(1.0, ClientToken="t").code == "VpnConnection.Configuring"
    assert cloud.create(1.0, ClientToken="t", Weight="5").code == "InvalidWeight"
    assert cloud.create(5.0, ClientToken="t").code == "Throttling.User"
    assert cloud.create(61.0, ClientToken="t").status == 200


def test_refused_calls_bind_where_the_switch_says_so():
    """refused_calls_bind_token=True repeats the refusal, though the reason has gone."""
    cloud = SmallCloud(switches=Switches(refused_calls_bind_token=True))
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    first = cloud.create(1.0, ClientToken="t")
    again = cloud.create(9.0, ClientToken="t")
    assert first.code == again.code == "VpnConnection.Configuring"
    assert again.replayed
    assert cloud.create(9.0, ClientToken="t", Weight="0").code == "IdempotentParameterMismatch"


def test_a_dry_run_binds_no_token_whatever_the_switch_says():
    """A client checks and then creates with the same token: that is two requests."""
    cloud = SmallCloud(switches=Switches(refused_calls_bind_token=True))
    assert cloud.create(0.0, ClientToken="t", DryRun="true").code == "DryRunOperation"
    assert cloud.create(0.0, ClientToken="t").status == 200


def test_a_token_lives_24_hours():
    """To the last moment the first answer is given again; then the call is new."""
    cloud = SmallCloud()
    cloud.create(10.0, ClientToken="t")
    day = 24 * 3600.0
    assert cloud.create(10.0 + day - 0.001, ClientToken="t").replayed
    late = cloud.create(10.0 + day, ClientToken="t")
    assert late.code == "VpnRouteEntry.AlreadyExists"


def test_tokens_belong_to_account_region_and_operation():
    """The same token elsewhere is another token."""
    connections = [
        Connection("vco-1"),
        Connection("vco-2", "eu-west-1"),
        Connection("vco-3", account_id="2"),
    ]
    cloud = SmallCloud(connections=connections)
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(0.0, "vco-2", RegionId="eu-west-1", ClientToken="t").status == 200
    assert cloud.delete(4.0, ClientToken="t").status == 200
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-3", "NextHop": "vco-3"}
    named |= {"RouteDest": "10.1.0.0/16", "Weight": "100", "ClientToken": "t"}
    other = cloud.call("CreateVcoRouteEntry", named, account="2")
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


def test_tokens_are_at_most_64_ascii_characters():
    """64 are taken, 65 are too many, and only ASCII is a token."""
    assert SmallCloud().create(0.0, ClientToken="t" * 64).status == 200
    assert SmallCloud().create(0.0, ClientToken="t" * 65).code == "IllegalParam.ClientToken"
    assert SmallCloud().create(0.0, ClientToken="tökén").code == "InvalidClientToken"


def test_tokens_are_case_sensitive():
    """T and t are two tokens."""
    cloud = SmallCloud()
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(0.0, ClientToken="T").code == "VpnConnection.Configuring"


def test_reads_give_the_present_whatever_their_token():
    """A listing with a token is never an old one."""
    cloud = SmallCloud()
    assert cloud.list(0.0, ClientToken="t").fields["TotalCount"] == 0
    cloud.create(0.0)
    assert cloud.list(4.0, ClientToken="t").fields["TotalCount"] == 1


def test_a_replay_after_a_failed_task_is_still_the_first_answer():
    """The trap of the real cloud: the token says done, the listing says it is not."""
    cloud = SmallCloud(faults=[Fault("task_fails", count=1)])
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(9.0, ClientToken="t").replayed
    assert cloud.listed(20.0) == set()
    assert cloud.create(20.0, ClientToken="u").status == 200
    assert [call.faults.names for call in cloud.cloud.history[:2]] == ["task_fails", ""]


# -- rate limits ----------------------------------------------------------------------------------


LIMIT = {"DescribeRegions": (3, 10.0)}


def wait_of(cloud: SmallCloud, now: float) -> float | None:
    """Return how long a call is told to wait, None where it passes."""
    return cloud.call("DescribeRegions", {}, now).retry_after


def test_the_window_is_exact_at_its_edges():
    """The fourth call passes when the first is ten seconds old, and not a microsecond sooner."""
    cloud = SmallCloud(limits=LIMIT)
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


@given(st.lists(st.floats(0, 50, allow_nan=False), min_size=1, max_size=40).map(sorted))
def test_waiting_as_long_as_told_is_enough(times):
    """Whoever waits the time of the refusal passes."""
    cloud, now = SmallCloud(limits=LIMIT), 0.0
    for at in times:
        now = max(now, at)
        wait = wait_of(cloud, now)
        if wait is not None:
            now += wait
            assert wait_of(cloud, now) is None


def test_limits_are_the_contract_s_unless_changed_one_by_one():
    """A changed limit leaves the others as the vendor has them."""
    facts = CONTRACT["operations"].items()
    expected = {name: (of["limit"]["calls"], of["limit"]["seconds"]) for name, of in facts}
    assert Cloud().limits == expected
    changed = Cloud(limits={"DeleteVcoRouteEntry": (5, 1.0)}).limits
    assert changed == expected | {"DeleteVcoRouteEntry": (5, 1.0)}


def test_accounts_regions_and_operations_are_counted_apart():
    """A window belongs to one account, one region and one operation."""
    cloud = SmallCloud(
        limits={"DescribeVpnConnections": (1, 60.0), "DescribeVpnAttachments": (1, 60.0)}
    )

    def code(operation: str, region: str, account: str) -> str:
        return cloud.call(operation, {"RegionId": region}, account=account).code

    assert code("DescribeVpnConnections", "cn-hangzhou", "1") == ""
    assert code("DescribeVpnConnections", "cn-hangzhou", "1") == "Throttling.User"
    assert code("DescribeVpnConnections", "eu-west-1", "1") == ""
    assert code("DescribeVpnConnections", "cn-hangzhou", "2") == ""
    assert code("DescribeVpnAttachments", "cn-hangzhou", "1") == ""


def test_refused_calls_count():
    """A call that is refused for its parameters has used the limit up like any other."""
    cloud = SmallCloud(limits={"CreateVcoRouteEntry": (2, 60.0)})
    assert cloud.create(0.0, Weight="1").code == "InvalidWeight"
    assert cloud.create(0.0).status == 200
    throttled = cloud.create(1.5, "vco-2")
    assert (throttled.status, throttled.code) == (400, "Throttling.User")
    assert throttled.retry_after == 58.5


# -- closer to the page ---------------------------------------------------------------------------


def test_a_write_soon_after_a_task_is_a_conflict():
    """While the task runs it is Configuring, up to a second after its end TaskConflict."""
    cloud = SmallCloud(switches=Switches())
    cloud.create(0.0)
    writes = (cloud.create, cloud.modify, cloud.delete)
    assert {write(3.999).code for write in writes} == {"VpnConnection.Configuring"}
    for now in (4.0, 4.999):
        assert {(write(now).status, write(now).code) for write in writes} == {(400, "TaskConflict")}
    assert cloud.create(4.999, "vco-2").status == 200, "another connection is free"
    assert cloud.delete(5.0).status == 200


def test_a_conflict_comes_after_a_failed_task_too():
    """Whether the task did anything cannot be told from outside."""
    cloud = SmallCloud(switches=Switches(), faults=[Fault("task_fails", count=1)])
    cloud.create(0.0)
    assert [cloud.create(now).code for now in (4.9, 5.0)] == ["TaskConflict", ""]


def test_a_deleted_route_may_show_up_again_for_some_seconds():
    """Some listings show it, some do not, none after its time; the total counts what is shown."""
    routes = [Route("vco-1", f"10.{n}.0.0/16") for n in (1, 2)]
    cloud = SmallCloud(
        routes=routes, faults=[Fault("reappear", seconds=20.0)], limits={LIST: (10**6, 1.0)}
    )
    cloud.delete(1.0)
    seen = []
    for number in range(200):
        fields = cloud.list(1.0 + number / 10).fields
        rows = [row["RouteDest"] for row in fields["VcoRouteEntries"]]
        assert rows in (["10.2.0.0/16"], ["10.2.0.0/16", "10.1.0.0/16"])
        assert fields["TotalCount"] == len(rows)
        seen.append(len(rows))
    assert 60 < seen.count(2) < 140
    assert all(cloud.listed(21.0 + number) == {("10.2.0.0/16", 100)} for number in range(20))
    assert cloud.create(50.0).status == 200, "it is not really there"


def test_a_route_that_reappears_is_listed_once():
    """Created again while listings still show the old one, it is one route."""
    cloud = SmallCloud(
        routes=[Route("vco-1", "10.1.0.0/16")], faults=[Fault("reappear", seconds=60.0)]
    )
    cloud.delete(0.0)
    cloud.create(5.0)
    assert all(len(cloud.list(10.0 + n).fields["VcoRouteEntries"]) == 1 for n in range(30))


def test_a_deleted_route_reappears_when_it_is_gone_and_not_before():
    """Where a delete is in force when its task ends, the seconds count from there."""
    cloud = SmallCloud(
        routes=[Route("vco-1", "10.1.0.0/16")],
        faults=[Fault("reappear", seconds=10.0)],
        switches=Switches(removed_at_acceptance=False),
    )
    cloud.delete(0.0)
    assert all(cloud.list(n / 10).fields["TotalCount"] == 1 for n in range(40))
    totals = {cloud.list(4.0 + n / 10).fields["TotalCount"] for n in range(100)}
    assert totals == {0, 1}
    assert cloud.list(14.0).fields["TotalCount"] == 0
