"""Every switch changes what it says it changes; `test_codes` and `test_tokens` have the rest."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from vcokit.simulator import Connection, LearnedRoute, Route, Switches

LEARNED = [Connection("vco-1", learned_routes=[LearnedRoute("10.1.0.0/16")]), Connection("vco-2")]
HERE = [Route("vco-1", "10.1.0.0/16")]
ELSEWHERE = [Route("vco-2", "10.1.0.0/16")]
LOST = "InvalidRouteEntry.NotFound"


def create(world):
    """Return the code of a create."""
    return world.create(0.0).code


def modify(world):
    """Return the code of a modify to standby."""
    return world.modify(0.0).code


def create_twice(world):
    """Return the code of a create one second after another on the same connection."""
    world.create(0.0, "vco-1", "10.9.0.0/16")
    return world.create(1.0).code


def list_while_updating(world):
    """Return the code of a listing while a task runs."""
    world.create(0.0)
    return world.list(1.0).code


def listed_while_updating(world):
    """Return what a listing shows while a task runs."""
    world.create(0.0)
    return world.listed(1.0)


def deleted_while_updating(world):
    """Return what a listing shows while a delete's task runs."""
    world.delete(0.0)
    return world.listed(1.0)


def shared_space(world):
    """Return code and tunnel's Status after a create in shared address space."""
    code = world.create(0.0, "vco-1", "100.64.1.0/24").code
    return code, world.describe(5.0)[1]


def same_token(world, now=1.0, **changes):
    """Return the code of a delete with the token that a create has bound."""
    world.create(0.0, ClientToken="t")
    return world.delete(now, ClientToken="t", **changes).code


def refused_token(world):
    """Return the code of a create whose token was refused before."""
    world.create(0.0, ClientToken="t", Weight="5")
    return world.create(0.0, ClientToken="t", Weight="5").replayed


def old_token(world):
    """Return whether a create is replayed after a minute."""
    world.create(0.0, ClientToken="t")
    return world.create(60.0, ClientToken="t").replayed


# switch, another value, what is asked, what is there, answer by default, answer with that value
CASES = [
    ("host_bits_refused", False, lambda w: w.create(0.0, "vco-1", "10.1.2.3/8").code, {},
     "IllegalParam.RouteDest", ""),
    ("ipv6_refused", False, lambda w: w.create(0.0, "vco-1", "2001:db8::/32").code, {},
     "IllegalParam.RouteDest", ""),
    ("foreign_next_hop_refused", False, lambda w: w.create(0.0, NextHop="vco-2").code, {},
     "InvalidNextHop.NotFound", ""),
    ("shared_space_refused", True, shared_space, {},
     ("", "ike_sa_not_established"), ("OperationFailed.InvalidCidrBlock", "ipsec_sa_established")),
    ("shared_space_breaks_tunnel", False, shared_space, {},
     ("", "ike_sa_not_established"), ("", "ipsec_sa_established")),
    ("description_checked", True, lambda w: w.create(0.0, Description="x" * 101).code, {},
     "", "InvalidDescription"),
    ("other_weight_refused", False, lambda w: w.create(0.0, Weight="0").code, {"routes": HERE},
     "VpnRouteEntry.Conflict", ""),
    ("other_next_hop_refused", False, create,
     {"routes": [Route("vco-1", "10.1.0.0/16", 100, "vco-2")]}, "VpnRouteEntry.BackupRoute", ""),
    ("learned_route_refused", False, create, {"connections": LEARNED},
     "VpnRouteEntry.Conflict", ""),
    ("same_weight_on_router_refused", True, create, {"routes": ELSEWHERE},
     "", "VpnRouteEntry.BackupRoute"),
    ("weight_change_in_pair_refused", True, modify, {"routes": HERE + ELSEWHERE},
     "", "VpnRouteEntry.Conflict"),
    ("missing_route_code", "VpnRouteEntry.Conflict", modify, {}, LOST, "VpnRouteEntry.Conflict"),
    ("not_attached_code", "Forbidden", create,
     {"connections": [Connection("vco-1", state="detaching")]}, "", "Forbidden"),
    ("task_conflict_seconds", 1.5, create_twice, {}, "VpnConnection.Configuring", "TaskConflict"),
    ("listed_after_task", False, listed_while_updating, {}, set(), {("10.1.0.0/16", 100)}),
    ("removed_at_acceptance", False, deleted_while_updating, {"routes": HERE},
     set(), {("10.1.0.0/16", 100)}),
    ("listing_needs_attached", True, list_while_updating, {}, "", "Vco.StatusNotSupport"),
    ("refused_calls_bind_token", True, refused_token, {}, False, True),
    ("token_lifetime", 59.0, old_token, {}, True, False),
    ("token_scope", "region", same_token, {},
     "VpnConnection.Configuring", "IdempotentParameterMismatch"),
    ("parameter_codes", "product", lambda w: w.create(0.0, Weight="").code, {},
     "MissingWeight", "MissingParameter"),
    ("codes", {"InvalidRouteEntry.NotFound": "Forbidden"}, modify, {}, LOST, "Forbidden"),
    ("statuses", {"InvalidRouteEntry.NotFound": 404}, lambda w: w.modify(0.0).status, {}, 400, 404),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "ask", "there", "default", "changed"), CASES, ids=[case[0] for case in CASES]
)
def test_a_switch_changes_what_it_says(world, name, value, ask, there, default, changed):
    """With the default the design's answer, with another value the other that is possible."""
    assert ask(world(**there)) == default
    assert ask(world(switches=Switches(**{name: value}), **there)) == changed


def test_no_switch_goes_untested():
    """Each field has its case, but for the one of XML, which stands with the envelope's tests."""
    names = {field.name for field in fields(Switches)}
    assert {case[0] for case in CASES} | {"xml_empty_lists"} == names


def test_a_token_of_an_account_reaches_across_regions(world):
    """token_scope="account": the same token in another region is the same token."""
    connections = [Connection("vco-1"), Connection("vco-2", "eu-west-1")]
    for scope, code in (("region", ""), ("account", "IdempotentParameterMismatch")):
        cloud = world(connections=connections, switches=Switches(token_scope=scope))
        cloud.create(0.0, ClientToken="t")
        assert cloud.create(0.0, "vco-2", RegionId="eu-west-1", ClientToken="t").code == code


def test_a_description_may_be_no_url(world):
    """description_checked: what holds for policy routes; an absent one is always good."""
    cloud = world(switches=Switches(description_checked=True))
    for text, code in (("https://x", "InvalidDescription"), ("x" * 100, ""), ("", "Conf")):
        answer = cloud.create(0.0, Description=text)
        assert answer.code.removeprefix("VpnConnection.").startswith(code)


def test_task_conflict_ends_before_the_task_or_after(world):
    """Too soon is TaskConflict though the task has ended; later it is the task that counts."""
    cloud = world(switches=Switches(task_conflict_seconds=6.0))
    cloud.create(0.0, "vco-1", "10.9.0.0/16")
    assert [cloud.create(now).code for now in (1.0, 5.9)] == ["TaskConflict"] * 2
    assert cloud.create(6.0).status == 200


def test_a_pair_is_of_one_transit_router(world):
    """Connections of another router, region or account are no part of it."""
    for other in (
        Connection("vco-2", transit_router_id="tr-2"),
        Connection("vco-2", attach_type="NO_ASSOCIATED"),
        Connection("vco-2", account_id="2"),
    ):
        switches = Switches(same_weight_on_router_refused=True, weight_change_in_pair_refused=True)
        cloud = world(connections=[Connection("vco-1"), other], routes=ELSEWHERE, switches=switches)
        assert cloud.create(0.0).status == 200
        assert cloud.modify(4.0).status == 200


def test_the_weight_of_a_pair_can_be_changed_when_the_other_is_gone(world):
    """The vendor's order for gateways: delete the other, change, create it again."""
    cloud = world(routes=HERE + ELSEWHERE, switches=Switches(weight_change_in_pair_refused=True))
    assert cloud.modify(0.0).code == "VpnRouteEntry.Conflict"
    cloud.delete(0.0, "vco-2")
    assert cloud.modify(0.0).status == 200


def test_switches_can_be_written_as_json():
    """A switch holds only texts, numbers and truth values, so a scenario can say all of them."""
    values = {field.name: getattr(Switches(), field.name) for field in fields(Switches)}
    assert json.loads(json.dumps(values)) == values
