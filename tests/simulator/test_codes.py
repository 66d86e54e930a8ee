"""Error codes: status and text are the contract's, and switches change what is not sure."""

from __future__ import annotations

import pytest

from vcokit.simulator import Switches
from vcokit.simulator.codes import ERRORS, KINDS, LISTED, TEXTS


def test_codes_have_the_contract_s_status_and_text(contract):
    """Each code is answered with the status and text that the contract has for it."""
    own = {"SignatureDoesNotMatch"} | {code for _, code in TEXTS}
    for code in ERRORS.keys() - own:
        status, text = contract["errors"].get(code, (None, None))
        assert (status or ERRORS[code][0], text or ERRORS[code][1]) == ERRORS[code], code


def test_every_code_of_the_contract_is_known(contract):
    """What any source names can be answered; only codes made of parameter names need no table."""
    unknown = contract["errors"].keys() - ERRORS.keys()
    assert unknown <= {
        *("MissingParameter", "InvalidParameter", "MissingSecurityToken", "InvalidSecurityToken"),
        "InvalidVersion",
    }


def test_operations_list_the_contract_s_codes(contract):
    """For each operation the same codes, and where it words one in its own way, that text."""
    for operation, facts in contract["operations"].items():
        assert set(LISTED[operation]) == facts["errors"].keys()
        for code, (status, text) in facts["errors"].items():
            said = TEXTS.get((operation, code), ERRORS[code][1])
            assert (ERRORS[code][0], said) == (status, text), (operation, code)


def test_kinds_hold_known_codes():
    """A fault can only give codes that there are."""
    assert all(codes <= ERRORS.keys() for codes in KINDS.values())


def test_a_status_can_be_another(world):
    """Where vendor tables differ the switch decides the status, and nothing else."""
    cloud = world(switches=Switches(statuses={"IllegalParam.RouteDest": 403}))
    answer = cloud.create(0.0, "vco-1", "10.1.2.3/8")
    assert (answer.status, answer.code) == (403, "IllegalParam.RouteDest")


def test_a_code_can_stand_for_another(world):
    """Where vendor tables differ the switch decides the code, its status and its text."""
    switches = Switches(codes={"VpnConnection.Configuring": "OperationConflict"})
    cloud = world(switches=switches)
    cloud.create(0.0)
    answer = cloud.create(1.0)
    assert (answer.status, answer.code) == (409, "OperationConflict")
    assert answer.message == ERRORS["OperationConflict"][1]


def test_a_throttled_client_is_told_to_wait_under_any_code(world):
    """Another code for the rate limit keeps the wait."""
    switches = Switches(codes={"Throttling.User": "Throttling.Api"})
    cloud = world(switches=switches, limits={"DescribeVcoRouteEntries": (1, 60.0)})
    cloud.list(0.0)
    assert (cloud.list(1.0).code, cloud.list(1.0).retry_after) == ("Throttling.Api", 59.0)


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        (
            {"Weight": ""},
            "MissingParameter",
            'The input parameter "Weight" that is mandatory for processing this request '
            "is not supplied.",
        ),
        (
            {"Weight": "5"},
            "InvalidParameter",
            'The specified value of parameter "Weight" is not valid.',
        ),
        ({"RouteDest": "x"}, "IllegalParam.RouteDest", "The specified RouteDest is invalid"),
    ],
)
def test_parameters_can_be_refused_by_the_product(world, changes, code, text):
    """parameter_codes="product" answers the product's codes for parameters, no others."""
    answer = world(switches=Switches(parameter_codes="product")).create(0.0, **changes)
    assert (answer.status, answer.code, answer.message) == (400, code, text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token_scope": "world"}, "token_scope 'world' is unknown. Write one of operation"),
        ({"parameter_codes": "x"}, "parameter_codes 'x' is unknown"),
        ({"missing_route_code": "Nonsense"}, "error code 'Nonsense' is unknown"),
        ({"codes": {"Nonsense": "TaskConflict"}}, "error code 'Nonsense'"),
        ({"codes": {"TaskConflict": "Nonsense"}}, "error code 'Nonsense'"),
        ({"statuses": {"TaskConflict": 200}}, "status 200 of TaskConflict"),
        ({"token_lifetime": -1.0}, "token_lifetime -1.0. Write seconds"),
        ({"task_conflict_seconds": float("nan")}, "task_conflict_seconds nan"),
    ],
)
def test_switches_that_cannot_be_are_refused(options, message):
    """A misspelt switch raises ValueError and says what can be written."""
    with pytest.raises(ValueError, match=message):
        Switches(**options)
