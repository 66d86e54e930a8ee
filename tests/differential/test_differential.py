"""The audit foretells what the simulator answers, row by row, on inventories nobody has seen.

The two share no code: the audit is NumPy on columns, the simulator ipaddress on one request. Both
keep the order of checks that the design page writes down. `make differential` plays more seeds.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

import vcokit as vk
from tests.audit.oracle import RELATIONS, ROW_CHECKS, RULES, oracle
from tests.differential import judge
from tests.differential.__main__ import main, told_of
from tests.differential.judge import Trial

#: Seeds played here, each in two ways that between them tell everything and its opposite.
SEEDS, A_BLOCK = 160, 20
#: Seeds within which a slip of either side must show, and within which every code comes up.
NOTICED_WITHIN = 120
MET_WITHIN = 40
FULL = "CreateDbrRoutesQuotaFull.QuotaFull"

# Each line of the package runs here many times over: counting them would double the time.
pytestmark = pytest.mark.no_cover


@pytest.mark.parametrize("block", range(SEEDS // A_BLOCK))
def test_the_audit_foretells_the_cloud(block: int) -> None:
    """Each row's API code is what the simulator answers, and a row without one is accepted."""
    for seed in range(block * A_BLOCK, (block + 1) * A_BLOCK):
        for told in told_of(seed):
            report = judge.judge(seed, told)
            assert report is None, report


def test_every_code_and_rule_is_met() -> None:
    """The first trials alone meet every code there is, so that none could be left out unseen.

    What no request can carry, a malformed region or too long a description, is never sent.
    """
    codes: Counter[str] = Counter()
    rules = set()
    for seed in range(MET_WITHIN):
        trial = Trial.draw(seed, told_of(seed)[seed // 4 % 2])
        codes.update(judge.answered(trial))
        rules |= set(vk.audit_routes(trial.inventory.typed(), **trial.told_frames())["rule"])
    missing = {f"Missing{name}" for name in judge.PARAMETERS.values()}
    related = {code for _, code, _ in RELATIONS.values()}
    assert codes.keys() == {"", FULL, *missing, *ROW_CHECKS.values(), *related}
    assert rules == RULES.keys() - {"invalid-region", "description-too-long"}
    assert codes[""] > 0.15 * codes.total()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("missing-value", "invalid-weight"),
        ("invalid-weight", "invalid-connection-id"),
        ("invalid-connection-id", "malformed-cidr"),
        ("unknown-connection", "malformed-cidr"),
        ("not-attached", "malformed-cidr"),
        ("malformed-cidr", "next-hop-mismatch"),
        ("host-bits-set", "next-hop-mismatch"),
        ("default-route", "next-hop-mismatch"),
        ("next-hop-mismatch", "already-live"),
        ("duplicate", "weight-conflict"),
        ("already-live", "live-conflict"),
        ("live-conflict", "quota-exceeded"),
    ],
)
def test_the_order_of_checks_matters(first: str, then: str) -> None:
    """Of each two neighbouring checks some row fails both: were they swapped, it would show."""
    assert any((first, then) in both_failed(seed) for seed in range(NOTICED_WITHIN))


@cache
def both_failed(seed: int) -> set[tuple[str, str]]:
    """Return (the rule that has the code, a rule that it comes before) of the rows of a trial."""
    given = Trial.draw(seed, judge.TOLD[-1]).inventory
    there = {"live": given.live_rows(), "connections": given.connection_rows()}
    found = oracle(given.read(), quota=given.quota, **there)
    rules = [(one["row"], one["rule"]) for one in found]
    # The quota is asked about last, so that no finding shows where it is used up already.
    used = Counter(route.vpn_connection_id for route in set(given.live))
    full = {name for name, routes in used.items() if routes >= given.quota}
    rules += [
        (row, "quota-exceeded")
        for row, one in enumerate(given.rows)
        if one.vpn_connection_id in full
    ]
    decides = {one["row"]: one["rule"] for one in found if one["api_code"]}
    return {(decides[row], rule) for row, rule in rules if row in decides}


def test_a_report_replays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report holds the inventory as CSV, no row too many, and the line that plays it again."""
    honest, default = judge.answered, "OperationFailed.InvalidCidrBlock"
    monkeypatch.setattr(
        judge,
        "answered",
        lambda trial: ["Wrong" if code == default else code for code in honest(trial)],
    )
    reports = (judge.judge(seed, told) for seed in range(NOTICED_WITHIN) for told in told_of(seed))
    report = next(report for report in reports if report)
    lines = report.splitlines()
    assert lines[1].split(",")[2].endswith("/0")
    assert lines[-2] == f"row 0: the audit foretells {default}, the simulator answers Wrong"
    assert main(lines[-1].split()[4:]) == 1
    assert capsys.readouterr().out == f"{report}\n"
