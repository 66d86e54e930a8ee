"""Tasks, effects, identity, history and snapshots of the pure state."""

from __future__ import annotations

import json

import pytest

from vcokit.simulator import Connection, Fault, Route, Switches
from vcokit.simulator.frames import ROUTES, frame, route_rows
from vcokit.simulator.state import Cloud

ATTACHED = ("attached", "ipsec_sa_established")
UPDATING = ("updating", "ipsec_sa_established")


def test_a_create_is_listed_when_its_task_ends_and_not_before(world):
    """The route appears at the very end of its task; until then the connection is updating."""
    cloud = world()
    assert cloud.create(10.0).status == 200
    assert cloud.listed(10.0) == cloud.listed(13.999) == set()
    assert cloud.describe(13.999) == UPDATING
    assert cloud.listed(14.0) == {("10.1.0.0/16", 100)}
    assert cloud.describe(14.0) == ATTACHED


def test_a_create_answers_published_although_its_task_runs(world):
    """State in the answer to a create is always published; the fields repeat the request."""
    answer = world(epoch=1000.0).create(2.5, Description="site 7")
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


def test_a_route_can_be_listed_at_once_where_the_switch_says_so(world):
    """listed_after_task=False lists a new route at acceptance; it forwards after its task."""
    cloud = world(switches=Switches(listed_after_task=False))
    cloud.create(0.0)
    assert cloud.listed(0.0) == {("10.1.0.0/16", 100)}
    rows = frame(ROUTES, route_rows(cloud.cloud.sites(0.0), listed_after_task=False))
    assert rows[["listed", "forwarding"]].to_numpy().tolist() == [[True, False]]
    assert cloud.listed(4.0) == {("10.1.0.0/16", 100)}


def test_a_route_listed_at_once_stands_on_the_last_page(world):
    """The route on its way is the last row and counts in the total, on whatever page it falls."""
    routes = [Route("vco-1", "10.2.0.0/16"), Route("vco-1", "10.3.0.0/16")]
    cloud = world(routes=routes, switches=Switches(listed_after_task=False))
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


def test_a_delete_takes_effect_at_acceptance(world):
    """The route is gone at once, although the connection is updating until the task ends."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.delete(1.0).status == 200
    assert cloud.listed(1.0) == set()
    assert cloud.describe(4.9) == UPDATING
    assert cloud.describe(5.0) == ATTACHED


def test_a_lowered_weight_takes_effect_at_acceptance(world):
    """100 to 0 is seen at once."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16")])
    assert cloud.modify(1.0, NewWeight="0").fields == {}
    assert cloud.listed(1.0) == {("10.1.0.0/16", 0)}
    assert cloud.describe(1.0) == UPDATING


def test_a_raised_weight_takes_effect_when_its_task_ends(world):
    """0 to 100 is seen at the end of the task, and the route keeps its time of creation."""
    cloud = world(routes=[Route("vco-1", "10.1.0.0/16", weight=0, created_ms=5)])
    assert cloud.modify(1.0, Weight="0", NewWeight="100").status == 200
    assert cloud.listed(4.9) == {("10.1.0.0/16", 0)}
    assert cloud.listed(5.0) == {("10.1.0.0/16", 100)}
    assert cloud.list(5.0).fields["VcoRouteEntries"][0]["CreateTime"] == 5


def test_one_task_at_a_time_on_a_connection(world):
    """A write while updating is refused and does nothing; other connections are free."""
    cloud = world(routes=[Route("vco-1", "10.9.0.0/16")])
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


def test_task_times_are_drawn_from_their_range_and_the_seed(world):
    """Times fill the range evenly, repeat with the seed, and do not move with what is read."""

    def times(seed: int, reads: int) -> list[float]:
        cloud = world(seed=seed, task_seconds=(2.0, 5.0), quota=200)
        found = []
        for number in range(200):
            start = number * 10.0
            assert cloud.create(start, "vco-1", f"10.{number}.0.0/16").status == 200
            for _ in range(reads):
                cloud.describe(start)
            found.append(cloud.cloud.sites(start)[0].task.ends - start)
        return found

    first = times(1, reads=0)
    assert all(2.0 <= seconds <= 5.0 for seconds in first)
    assert min(first) < 2.1
    assert max(first) > 4.9
    assert sum(first) / 200 == pytest.approx(3.5, abs=0.25)
    assert times(1, reads=3) == first
    assert times(2, reads=0) != first


def test_a_failed_task_changes_nothing_and_looks_attached(world):
    """A create, a raise, a lowering and a delete whose task fails leave no trace, at no time."""
    start = [Route("vco-1", "10.1.0.0/16"), Route("vco-2", "10.1.0.0/16", weight=0)]
    cloud = world(routes=start, faults=[Fault("task_fails")])
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
def test_shared_space_is_accepted_and_breaks_the_tunnel(world, dest):
    """The tunnel falls when the task ends, whichever contains the other; a delete heals it."""
    cloud = world()
    assert cloud.create(0.0, "vco-1", dest).status == 200
    assert cloud.describe(3.0) == UPDATING
    assert cloud.describe(4.0) == ("attached", "ike_sa_not_established")
    rows = frame(ROUTES, route_rows(cloud.cloud.sites(4.0), listed_after_task=True))
    assert rows[["listed", "forwarding"]].to_numpy().tolist() == [[True, False]]
    cloud.modify(4.0, "vco-1", dest)
    assert cloud.describe(8.0) == ("attached", "ike_sa_not_established")
    cloud.delete(8.0, "vco-1", dest, Weight="0")
    assert cloud.describe(8.0) == UPDATING


@pytest.mark.parametrize("dest", ["100.128.0.0/16", "100.63.255.0/24", "96.0.0.0/6"])
def test_the_neighbours_of_shared_space_do_no_harm(world, dest):
    """Only what touches 100.64.0.0/10 breaks a tunnel; 96.0.0.0/6 ends at 99.255.255.255."""
    cloud = world()
    cloud.create(0.0, "vco-1", dest)
    assert cloud.describe(4.0) == ATTACHED


def test_shared_space_is_refused_where_the_switch_says_so(world):
    """shared_space_refused=True refuses what touches 100.64.0.0/10."""
    cloud = world(switches=Switches(shared_space_refused=True))
    assert cloud.create(0.0, "vco-1", "100.64.0.0/16").code == "OperationFailed.InvalidCidrBlock"
    assert cloud.create(0.0, "vco-1", "100.128.0.0/16").status == 200


def test_routes_tell_listed_from_forwarding(world):
    """A route on its way is in the frame, but neither listed nor forwarding."""
    cloud = world(routes=[Route("vco-1", "10.9.0.0/16", weight=0)])
    cloud.create(0.0)
    rows = frame(ROUTES, route_rows(cloud.cloud.sites(1.0), listed_after_task=True))
    assert rows.set_index("route_dest")[["listed", "forwarding"]].T.to_dict("list") == {
        "10.9.0.0/16": [True, True],
        "10.1.0.0/16": [False, False],
    }
    cloud.modify(4.0, "vco-1", "10.9.0.0/16", Weight="0", NewWeight="100")
    rows = frame(ROUTES, route_rows(cloud.cloud.sites(5.0), listed_after_task=True))
    assert len(rows) == 2, "a raise under way is still one route, the one that is there"


def test_regions_and_accounts_do_not_see_one_another(world):
    """A connection is found in its region and by its owner only."""
    cloud = world(
        connections=[Connection("vco-1", account_id="1"), Connection("vco-2", "eu-west-1")]
    )
    assert cloud.create(0.0).code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, "vco-2").code == "InvalidVpnConnectionInstanceId.NotFound"
    assert cloud.create(0.0, "vco-2", RegionId="eu-west-1").status == 200
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}
    assert cloud.call("DescribeVpnConnection", named, account="1").status == 200
    assert cloud.call("DescribeVpnConnection", named, account="2").status == 404


def test_the_history_keeps_every_call_as_it_was(world):
    """Time, names, parameters, status, code, ids, replay and effect of each call, in order."""
    cloud = world()
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


def test_a_snapshot_is_plain_json_and_comes_back_whole(world):
    """to_dict and from_dict keep connections, routes and quota; running tasks count as ended."""
    cloud = world(routes=[Route("vco-1", "10.9.0.0/16", weight=0, description="ü")], quota=77)
    cloud.create(0.0, "vco-2", "10.5.0.0/16")
    cloud.modify(0.0, "vco-1", "10.9.0.0/16", Weight="0", NewWeight="100")
    data = json.loads(json.dumps(cloud.cloud.to_dict()))
    assert cloud.describe(1.0) == UPDATING, "taking a snapshot must not end the tasks"
    back = Cloud.from_dict(data)
    assert back.to_dict() == data
    assert back.quota == 77
    kept = {(r["vpn_connection_id"], r["route_dest"], r["weight"]) for r in data["routes"]}
    assert kept == {("vco-1", "10.9.0.0/16", 100), ("vco-2", "10.5.0.0/16", 100)}
    assert back.sites(0.0)[0].state == "attached"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"format": "other"},
        [],
        {"format": "vcokit-simulator/1"},
        {"format": "vcokit-simulator/1", "quota": 1, "connections": [{"x": 1}], "routes": []},
        {"format": "vcokit-simulator/1", "quota": "?", "connections": [], "routes": []},
    ],
)
def test_what_is_no_snapshot_is_refused(data):
    """from_dict says that it cannot use the data, whatever is wrong with them."""
    with pytest.raises(ValueError, match="lacks or misspells"):
        Cloud.from_dict(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": [Connection("vco-1")] * 2}, "twice"),
        ({"routes": [Route("vco-1", "10.0.0.0")]}, "no network"),
        ({"routes": [Route("vco-1", "0.0.0.0/0")]}, "no network"),
        ({"routes": [Route("vco-9", "10.0.0.0/8")]}, "no connection vco-9"),
        ({"task_seconds": (5.0, 2.0)}, "task_seconds"),
        ({"task_seconds": -1.0}, "task_seconds"),
        ({"limits": {"Nonsense": (1, 1)}}, "Nonsense"),
        ({"limits": {"DescribeRegions": (0, 1)}}, "at least 1"),
    ],
)
def test_a_cloud_that_cannot_be_is_refused(world, options, message):
    """Arguments that make no sense raise ValueError and say what would."""
    with pytest.raises(ValueError, match=message):
        world(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Connection("vpn-1"), "vco-"),
        (lambda: Connection("vco-1", attach_type="X"), "attach_type 'X' is unknown"),
        (lambda: Connection("vco-1", status="up"), "status 'up' is unknown"),
        (lambda: Route("vco-1", "10.0.0.0/8", weight=50), "Write 0 or 100"),
    ],
)
def test_things_that_cannot_be_are_refused(make, message):
    """A connection or route that the cloud could not hold cannot be made."""
    with pytest.raises(ValueError, match=message):
        make()


def test_unknown_operations_are_refused(world):
    """The state itself refuses what it has not, and keeps it in the history."""
    cloud = world()
    assert cloud.call("DescribeVpcs", {}).code == "InvalidAction.NotFound"
    assert cloud.cloud.history[0].operation == "DescribeVpcs"


def test_the_same_seed_gives_the_same_cloud(world):
    """Two runs of the same calls give the same answers, ids included."""

    def run() -> list[object]:
        cloud = world(seed=3, task_seconds=(1.0, 9.0), faults=[Fault("busy", probability=0.5)])
        return [cloud.create(n * 3.0, "vco-1", f"10.{n}.0.0/16") for n in range(40)]

    assert run() == run()


def test_request_ids_are_upper_case_uuids_and_never_repeat(world):
    """Every answer has an id of its own, refusals too."""
    from uuid import UUID

    cloud = world()
    ids = [cloud.create(float(n)).request_id for n in range(50)]
    assert len(set(ids)) == 50
    assert all(str(UUID(text)).upper() == text for text in ids)
