"""The benchmarks compare before they time, and say who is missing. No time is asserted on."""

from __future__ import annotations

import csv
import doctest
import importlib
import itertools
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import DisagreementError, algebra, calls, makespan
from benchmarks.__main__ import HEADS, main
from benchmarks.algebra import CASES, OURS, Entry
from benchmarks.inventories import KINDS, ORDERS, SPREADS, Inventory, Shape
from tests import strict_cidr

ROOT = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))
SHAPES = [
    Shape(rows, spread, order, dirt)
    for rows, spread, order, dirt in itertools.product((2000, 2001), SPREADS, ORDERS, (0.0, 0.33))
]
# Each line of the package runs here many times over: counting them would double the time.
pytestmark = pytest.mark.no_cover

SMALL = ["algebra", "--rows", "300", "--rounds", "1"]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> algebra.Given:
    """Return an inventory of which a third is spoilt, to ask about."""
    return algebra.given(600, tmp_path_factory.mktemp("dirty"), dirt=0.33)


# -- inventories ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_inventory_has_the_shape_that_is_asked_for(shape: Shape) -> None:
    """Rows, spread, order and mistakes are as asked; no route stands twice before the mistakes."""
    found = Inventory(shape)
    columns = (found.connection, found.network, found.length)
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    assert len(set(keys)) == len(keys) == shape.rows
    assert (sorted(keys) == keys) == (shape.order == "sorted")
    assert (found.kinds >= 0).sum() == round(shape.rows * shape.dirt)
    sizes = Counter(found.connection.tolist()).values()
    if shape.spread == "giant":
        assert len(sizes) == 1
    elif shape.spread == "even":
        assert set(sizes) <= {39, 40, 41, 42}
    else:
        assert max(sizes) > 5 * statistics.median(sizes)


def test_a_mistake_is_what_its_kind_says(tmp_path: Path) -> None:
    """Every kind is there; what a destination says is what the strict form reads of the file."""
    found = Inventory(Shape(3000, dirt=0.33))
    assert set(found.kinds.tolist()) == {-1, *range(len(KINDS))}
    with found.write(tmp_path / "routes.csv").open(newline="", encoding="utf-8") as file:
        cells = [row["RouteDest"] for row in csv.DictReader(file)]
    assert cells == found.text
    for cell, reads in zip(cells, found.reads.tolist(), strict=True):
        network = strict_cidr.network_of(cell)
        number = int(network.network_address) << 6 | network.prefixlen if network else -1
        assert reads == number, cell


def test_the_same_shape_gives_the_same_file(tmp_path: Path) -> None:
    """An inventory follows from its shape, to the byte; another seed gives another one."""
    shape = Shape(500, dirt=0.1)
    first, again, other = (
        Inventory(one).write(tmp_path / f"{n}.csv").read_bytes()
        for n, one in enumerate([shape, shape, Shape(500, dirt=0.1, seed=1)])
    )
    assert first == again != other


# -- answers are compared ---------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_everyone_agrees(case: str, given: algebra.Given) -> None:
    """All programs that are here answer each case as ours does."""
    here = {name for name in CASES[case] if name == OURS or not algebra.missing(name)}
    assert set(algebra.agreed(case, given, lambda _: None)) == here


@pytest.mark.parametrize("case", CASES)
def test_one_wrong_answer_stops_the_run(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ours, wrong in one place, ends the run before anything of that case is timed."""
    honest = CASES[case][OURS]

    def lying(given: algebra.Given) -> Entry:
        entry = honest(given)
        return Entry(entry.call, lambda result: spoilt(entry.read(result)))

    for other in set(CASES) - {case}:
        monkeypatch.delitem(CASES, other)
    monkeypatch.setitem(CASES, case, {OURS: lying, "netaddr": honest})
    said = main(SMALL)
    assert re.match(rf"The answers differ.*\n{re.escape(case)}: vcokit ", said or "")
    assert f"{case} |" not in capsys.readouterr().err


def spoilt(answer: Any) -> Any:
    """Return an answer with another last element."""
    if isinstance(answer, dict):
        return {name: value + 1 for name, value in answer.items()}
    wrong = np.array(answer, copy=True)
    wrong[-1] = ~wrong[-1]
    return wrong


def test_leniency_is_told_of_in_a_peer_and_an_error_in_ours(
    given: algebra.Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a peer reads beyond the strict form is named by kind; of ours it ends the run."""
    case = "text → prefixes, 3 % dirty"
    told: list[str] = []
    algebra.agreed(case, given, told.append)
    assert any(line.startswith("netaddr reads") and "bare address" in line for line in told)
    monkeypatch.setitem(CASES, case, {OURS: CASES[case]["netaddr"]})
    monkeypatch.setattr(algebra, "_PARSE", CASES[case])
    with pytest.raises(DisagreementError, match="the inventory itself"):
        algebra.agreed(case, given, told.append)


def test_a_missing_peer_is_named_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is not here is said with how to get it, and has no row in the table."""
    monkeypatch.setitem(algebra.PEERS, "ipaddress", ("no_such_module", "pip install it"))
    assert main([*SMALL, "--markdown"]) is None
    out, err = capsys.readouterr()
    assert err.count("ipaddress is left out: no no_such_module here; pip install it") == 1
    assert "| ipaddress |" not in out
    assert "| netaddr |" in out


@pytest.mark.parametrize("who", makespan.WHO)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_who_carries_a_rollout_out_does_all_of_it(who: str, share: float) -> None:
    """Every route is created once, no faster than can be; the same seed takes the same time."""
    first, again = (makespan.measure(who, makespan.zipf(40, 4), 7, share) for _ in range(2))
    assert first == again
    assert first.ratio >= 1
    if who == makespan.OURS and share == 1.0:
        assert first.throttled == 0


def test_who_leaves_a_route_out_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A makespan of less than all the work is none."""

    async def lazy(run: makespan.Run) -> None:
        await run.create("vco-0000", run.lanes["vco-0000"][0])

    monkeypatch.setitem(makespan.WHO, "competent", makespan.played(lazy))
    said = main(["makespan", "--steps", "4", "--connections", "2", "--seeds", "1"])
    assert "competent: the cloud does not hold the routes of the plan" in (said or "")


def test_client_and_sdk_read_the_same() -> None:
    """Calls are timed where client and SDK read the same state, and not where they differ."""
    found = list(calls.rows(calls=4, rounds=1))
    assert [row.peer for row in found] == ["official SDK", "official SDK, 32 threads"]
    with pytest.raises(DisagreementError):
        calls.compare("attached", "updating")


# -- what is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    """The examples of the benchmarks' own modules give what they show."""
    module = importlib.import_module(f"benchmarks.{name}")
    assert doctest.testmod(module).failed == 0


def test_the_page_shows_the_table() -> None:
    """The page has the columns that the benchmarks write, and the peers beside ours."""
    text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    head = f"| {' | '.join(HEADS)} |\n"
    rows = text.partition(head)[2].partition("\n<!--")[0].splitlines()
    assert len(rows) > len(CASES)
    assert all(row.count("|") == len(HEADS) + 1 for row in rows)
    assert {row.split(" | ")[2] for row in rows[1:]} >= {"competent", "provider", "netaddr"}
