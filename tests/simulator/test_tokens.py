"""ClientTokens: the first answer again, and no second effect."""

from __future__ import annotations

import pytest

from vcokit.simulator import Connection, Switches


def test_the_same_call_gets_the_first_answer_again(world):
    """A repeated create is answered as before, id included, and does nothing, busy or not."""
    cloud = world()
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
    assert len(cloud.routes()) == 1


def test_a_repeated_create_does_not_bring_a_deleted_route_back(world):
    """A replay has no effect even if the route has gone since."""
    cloud = world()
    cloud.create(0.0, ClientToken="t")
    cloud.delete(4.0, ClientToken="t")
    assert cloud.create(8.0, ClientToken="t").status == 200
    assert cloud.listed(99.0) == set()


def test_deletes_and_modifies_are_replayed_too(world):
    """Each write gives its first answer again instead of not finding the route."""
    cloud = world()
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
def test_other_parameters_with_the_same_token_are_a_mismatch(world, changes):
    """Any difference is refused, before anything else is looked at."""
    cloud = world()
    cloud.create(0.0, ClientToken="t")
    answer = cloud.create(9.0, ClientToken="t", **changes)
    assert (answer.status, answer.code) == (400, "IdempotentParameterMismatch")


def test_refused_calls_bind_no_token(world):
    """A busy connection, a bad parameter, a throttle: the token stays free for the next try."""
    cloud = world(limits={"CreateVcoRouteEntry": (3, 60.0)})
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    assert cloud.create(1.0, ClientToken="t").code == "VpnConnection.Configuring"
    assert cloud.create(1.0, ClientToken="t", Weight="5").code == "InvalidWeight"
    assert cloud.create(5.0, ClientToken="t").code == "Throttling.User"
    assert cloud.create(61.0, ClientToken="t").status == 200


def test_refused_calls_bind_where_the_switch_says_so(world):
    """refused_calls_bind_token=True repeats the refusal, though the reason has gone."""
    cloud = world(switches=Switches(refused_calls_bind_token=True))
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    first = cloud.create(1.0, ClientToken="t")
    again = cloud.create(9.0, ClientToken="t")
    assert first.code == again.code == "VpnConnection.Configuring"
    assert again.replayed
    assert cloud.create(9.0, ClientToken="t", Weight="0").code == "IdempotentParameterMismatch"


def test_a_dry_run_binds_no_token_whatever_the_switch_says(world):
    """A client checks and then creates with the same token: that is two requests."""
    cloud = world(switches=Switches(refused_calls_bind_token=True))
    assert cloud.create(0.0, ClientToken="t", DryRun="true").code == "DryRunOperation"
    assert cloud.create(0.0, ClientToken="t").status == 200


def test_a_token_lives_24_hours(world):
    """To the last moment the first answer is given again; then the call is new."""
    cloud = world()
    cloud.create(10.0, ClientToken="t")
    day = 24 * 3600.0
    assert cloud.create(10.0 + day - 0.001, ClientToken="t").replayed
    late = cloud.create(10.0 + day, ClientToken="t")
    assert late.code == "VpnRouteEntry.AlreadyExists"


def test_the_lifetime_is_a_switch(world):
    """token_lifetime shortens it, and forgotten tokens take no room."""
    cloud = world(switches=Switches(token_lifetime=5.0))
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(4.9, ClientToken="t").replayed
    assert cloud.create(5.0, "vco-2", ClientToken="t").status == 200


def test_tokens_belong_to_account_region_and_operation(world):
    """The same token elsewhere is another token."""
    connections = [
        Connection("vco-1"),
        Connection("vco-2", "eu-west-1"),
        Connection("vco-3", account_id="2"),
    ]
    cloud = world(connections=connections)
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(0.0, "vco-2", RegionId="eu-west-1", ClientToken="t").status == 200
    assert cloud.delete(4.0, ClientToken="t").status == 200
    named = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-3", "NextHop": "vco-3"}
    named |= {"RouteDest": "10.1.0.0/16", "Weight": "100", "ClientToken": "t"}
    other = cloud.call("CreateVcoRouteEntry", named, account="2")
    assert (other.status, other.replayed) == (200, False)


def test_without_a_token_two_calls_are_two_requests(world):
    """An absent or empty token binds nothing."""
    cloud = world()
    assert cloud.create(0.0, ClientToken="").status == 200
    assert cloud.create(4.0, ClientToken="").code == "VpnRouteEntry.AlreadyExists"


def test_tokens_are_at_most_64_ascii_characters(world):
    """64 are taken, 65 are too many, and only ASCII is a token."""
    assert world().create(0.0, ClientToken="t" * 64).status == 200
    assert world().create(0.0, ClientToken="t" * 65).code == "IllegalParam.ClientToken"
    assert world().create(0.0, ClientToken="tökén").code == "InvalidClientToken"


def test_tokens_are_case_sensitive(world):
    """T and t are two tokens."""
    cloud = world()
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(0.0, ClientToken="T").code == "VpnConnection.Configuring"


def test_reads_give_the_present_whatever_their_token(world):
    """A listing with a token is never an old one."""
    cloud = world()
    assert cloud.list(0.0, ClientToken="t").fields["TotalCount"] == 0
    cloud.create(0.0)
    assert cloud.list(4.0, ClientToken="t").fields["TotalCount"] == 1


def test_a_replay_after_a_failed_task_is_still_the_first_answer(world):
    """The trap of the real cloud: the token says done, the listing says it is not."""
    from vcokit.simulator import Fault

    cloud = world(faults=[Fault("task_fails", count=1)])
    cloud.create(0.0, ClientToken="t")
    assert cloud.create(9.0, ClientToken="t").replayed
    assert cloud.listed(20.0) == set()
    assert cloud.create(20.0, ClientToken="u").status == 200
    assert [call.faults for call in cloud.cloud.history[:2]] == ["task_fails", ""]
