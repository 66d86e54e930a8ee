"""The audit foretells what the simulator answers, row by row, on inventories nobody has seen.

The two share no code: the audit is NumPy on columns, the simulator ipaddress on one request. Both
keep the order of checks that the design page writes down. `make differential` plays more seeds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.differential import judge
from tests.differential.__main__ import told_of
from tests.differential.inventories import TOLD, Row, Trial
from vcokit.audit import audit_routes
from vcokit.simulator.operations import OPERATIONS

#: Seeds played here, each in two ways that between them tell everything and its opposite.
SEEDS, A_BLOCK = 400, 20
#: Seeds within which a slip must show.
NOTICED_WITHIN = 120


@pytest.mark.parametrize("block", range(SEEDS // A_BLOCK))
def test_the_audit_foretells_the_cloud(block: int) -> None:
    """Each row's API code is what the simulator answers, and a row without one is accepted."""
    for seed in range(block * A_BLOCK, (block + 1) * A_BLOCK):
        for told in told_of(seed):
            report = judge.judge(seed, told)
            assert report is None, report


#: What the design says the cloud answers.
ANSWERS = [f"Missing{name}" for name in judge.PARAMETERS.values()]
ANSWERS += ["InvalidWeight", "InvalidVpnConnectionInstanceId.NotFound", "IllegalParam.RouteDest"]
ANSWERS += ["OperationFailed.InvalidCidrBlock", "InvalidNextHop.NotFound"]
ANSWERS += ["VpnRouteEntry.AlreadyExists", "VpnRouteEntry.Conflict", "VpnRouteEntry.BackupRoute"]
ANSWERS += ["CreateDbrRoutesQuotaFull.QuotaFull"]

#: Rules of what no request can carry: the cloud has no answer to it.
NEVER_SENT = {"invalid-region", "description-too-long"}


def test_every_code_and_rule_is_met() -> None:
    """The first trials alone meet every code the audit can foretell, and every rule it has."""
    codes: Counter[str] = Counter()
    rules = set()
    for seed in range(60):
        trial = Trial.draw(seed, told_of(seed)[seed // 4 % 2])
        codes.update(judge.answered(trial))
        rules |= set(audit_routes(trial.routes_frame(), **trial.told_frames())["rule"])
    assert codes.keys() == {*ANSWERS, ""}
    known = audit_routes(Trial.draw(0, TOLD[0]).routes_frame())["rule"].cat.categories
    assert rules == {*known} - NEVER_SENT
    assert codes[""] > 0.15 * codes.total()


def test_everything_is_told_and_kept_back() -> None:
    """Each seed tells the audit of everything, and keeps everything back; seeds go through all."""
    assert {told for seed in range(4) for told in told_of(seed)} == set(TOLD)
    for seed in range(4):
        one, other = told_of(seed)
        assert all(a is not b for a, b in zip(one, other, strict=True))


# -- slips are noticed ----------------------------------------------------------------------------

CREATE = OPERATIONS["CreateVcoRouteEntry"]
#: Those that the design numbers; the others stand where an inventory cannot touch them.
NUMBERED = ["required", "weight", "connection", "destination", "default_route"]
NUMBERED += ["next_hop", "same_route", "other_weight", "other_next_hop", "quota"]


def notice() -> bool:
    """Tell whether any of the trials shows a disagreement."""
    return any(
        judge.disagreements(Trial.draw(seed, told))
        for seed in range(NOTICED_WITHIN)
        for told in told_of(seed)
    )


@pytest.mark.parametrize("place", range(len(NUMBERED) - 1))
def test_another_order_in_the_simulator_is_noticed(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two neighbouring checks of the simulator, swapped, disagree with the audit."""
    # The one that is off by default can look at a connection that was found only.
    swapped = [check for check in CREATE.checks if check.__name__ != "check_attached"]
    order = [check.__name__.removeprefix("check_") for check in swapped]
    one, other = (order.index(check) for check in NUMBERED[place : place + 2])
    swapped[one], swapped[other] = swapped[other], swapped[one]
    changed = replace(CREATE, checks=tuple(swapped))
    monkeypatch.setitem(OPERATIONS, "CreateVcoRouteEntry", changed)
    assert notice()


def foretelling(answer: str, instead: str | None) -> Callable[..., pd.DataFrame]:
    """Return an audit that foretells something else where it should foretell an answer."""

    def lame(*given: pd.DataFrame, **told: Any) -> pd.DataFrame:
        findings = audit_routes(*given, **told)
        codes = findings["api_code"]
        return findings.assign(api_code=codes.mask(codes == answer, instead))

    return lame


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_the_audit_leaves_out_is_noticed(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audit that foretells nothing where a check decides disagrees with the simulator."""
    monkeypatch.setattr(judge, "audit_routes", foretelling(answer, None))
    assert notice()


def test_a_report_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report holds the inventory as CSV, no row too many, and the line that plays it again."""
    lame = foretelling("OperationFailed.InvalidCidrBlock", "Wrong")
    monkeypatch.setattr(judge, "audit_routes", lame)
    seed, told = next(
        (seed, told)
        for seed in range(NOTICED_WITHIN)
        for told in told_of(seed)
        if judge.disagreements(Trial.draw(seed, told))
    )
    lines = (judge.judge(seed, told) or "").splitlines()
    assert lines[0] == ",".join(Row.__dataclass_fields__)
    assert lines[1].split(",")[2].endswith("/0")
    assert lines[-2] == (
        "row 0: the audit foretells Wrong, the simulator answers OperationFailed.InvalidCidrBlock"
    )
    told_text = "".join("01"[one] for one in told)
    assert lines[-1] == f"again: python -m tests.differential --seed {seed} --told {told_text}"


def test_a_trial_is_its_seed() -> None:
    """A seed and what is told draw the same trial at any time, and nothing else is looked at."""
    random.seed(1)
    one = Trial.draw(7, TOLD[-1])
    random.seed(2)
    assert Trial.draw(7, TOLD[-1]) == one != Trial.draw(8, TOLD[-1])
