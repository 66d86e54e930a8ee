"""COVERAGE.md says what is so: switches and defaults, limits, faults, and how codes are reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from tests.simulator.reach import REACH
from vcokit.simulator import Account, Connection, Switches
from vcokit.simulator.codes import ERRORS, LISTED
from vcokit.simulator.codes import KINDS as CODE_KINDS
from vcokit.simulator.faults import KINDS, Fault
from vcokit.simulator.limits import merged_limits
from vcokit.simulator.scenario_keys import KEYS

COVERAGE = Path(__file__).parents[2] / "vcokit" / "simulator" / "COVERAGE.md"
CONFIDENCE = ("documented", "listed", "SDK", "inferred", "ours")


def rows_of(heading: str) -> Iterator[list[str]]:
    """Yield the cells of the table under a heading, the head left out."""
    text = COVERAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for row in rows[2:]:
        yield [cell.strip().strip("`") for cell in row.strip("|").split(" | ")]


def test_it_tells_how_each_code_of_the_operations_is_reached():
    """The same operations, codes and things to set as the enumeration that the SDK runs."""
    written = {
        (operation, code): "" if how == "by itself" else how
        for operation, code, how, _ in rows_of("Error codes of the operations")
    }
    assert written == {key: reach.how for key, reach in REACH.items()}


def test_it_holds_every_other_code_once():
    """Codes that no operation lists, each with what brings it about."""
    codes = [code for code, _, _ in rows_of("Error codes of the gateway and of siblings")]
    listed = {code for of_operation in LISTED.values() for code in of_operation}
    assert sorted(codes) == sorted(ERRORS.keys() - listed)


@pytest.mark.parametrize("row", list(rows_of("Error codes of the gateway and of siblings")))
def test_what_it_says_brings_a_code_about_is_there(row):
    """A key of scenarios, a fault that can have the code, a switch."""
    code, how, _ = row
    for part in how.replace("`", "").split(", "):
        table, _, name = part.partition(".")
        if part == "faults.skew":
            continue  # it has no code of its own: the gateway finds the date expired
        if table == "faults":
            kind = KINDS[name]
            assert code == kind.code or code in kind.codes
            assert Fault(name, code=code if kind.codes else "").error == code
        elif part != "by itself":
            assert name in KEYS[table]
    if "accounts.denial_code" in how:
        assert code in CODE_KINDS["permission"]


def test_it_holds_every_switch_with_its_default():
    """In the order of the code, and the default is the one in force."""
    written = [(name, default) for name, default, _ in rows_of("Switches")]
    assert written == [(f.name, repr(getattr(Switches(), f.name))) for f in fields(Switches)]


def test_it_holds_every_rate_limit():
    """Calls and seconds of all eight operations."""
    written = {name: (int(calls), float(s)) for name, calls, s, _ in rows_of("Rate limits")}
    assert written == merged_limits(None)


def test_it_holds_every_fault():
    """In the order of the code."""
    assert [kind for kind, _ in rows_of("Faults")] == list(KINDS)


@pytest.mark.parametrize("heading", ["Protocol", "State"])
def test_every_claim_has_a_confidence(heading):
    """Each row ends in one of the words that are explained."""
    rows = list(rows_of(heading))
    assert len(rows) > 10
    assert {row[-1] for row in rows} <= set(CONFIDENCE)


def test_what_can_be_reached_is_reached_by_something_that_is_there():
    """Names of accounts and connections are fields of theirs."""
    for reach in REACH.values():
        table, _, name = reach.how.partition(".")
        kind = {"accounts": Account, "connections": Connection}.get(table)
        assert kind is None or name in kind.__dataclass_fields__
