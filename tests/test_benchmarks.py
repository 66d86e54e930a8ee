"""The benchmarks measure what they say: agreement, memory, growth, tables. Never a time."""

from __future__ import annotations

import doctest
import gc
import importlib
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import child, contest, growth, ours, peers, readme, report, timing
from benchmarks.agreement import DisagreementError
from benchmarks.beside import agreed
from benchmarks.given import Given
from benchmarks.inventories import Shape

ROOT = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Return an inventory of which a third is spoilt."""
    folder = tmp_path_factory.mktemp("dirty")
    return Given.make(Shape(3000, dirt=0.33), folder, addresses=2000)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Return a clean inventory."""
    return Given.make(Shape(2500), tmp_path_factory.mktemp("clean"), addresses=2000)


def here() -> list[peers.Peer]:
    """Return the peers that are installed."""
    return [peer for peer in peers.PEERS if not peer.missing]


# Agreement


@pytest.mark.parametrize("case", contest.CASES, ids=lambda case: case.name)
def test_everyone_agrees(case: contest.Case, clean: Given, dirty: Given) -> None:
    """All programs that are here answer each case as ours does."""
    able = [peer for peer in here() if case.name in peer.entries]
    entries, _ = agreed(case, dirty if case.dirty else clean, able)
    assert set(entries) == {contest.OURS, *(peer.name for peer in able)}


@pytest.mark.parametrize("case", contest.CASES, ids=lambda case: case.name)
def test_one_wrong_answer_stops_a_case(
    case: contest.Case, clean: Given, dirty: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours, wrong in one row, is caught wherever there is anybody to compare with."""
    given = dirty if case.dirty else clean
    honest = ours.ENTRIES[case.name](given)

    def lying(_: Given) -> contest.Entry:
        return contest.Entry(honest.call, lambda result: spoil_one(honest.answer(result)))

    monkeypatch.setitem(ours.ENTRIES, case.name, lying)
    able = [peer for peer in here() if case.name in peer.entries]
    if able or case.name.startswith("parse"):
        with pytest.raises(DisagreementError, match=f"^{case.name}: vcokit "):
            agreed(case, given, able)
    else:
        assert "nobody" in agreed(case, given, able)[1][0]


def spoil_one(answer: contest.Answer) -> contest.Answer:
    """Return an answer of which the last element of every part is another one."""
    wrong = {name: np.array(part, copy=True) for name, part in answer.items()}
    for part in wrong.values():
        part[(-1,) * part.ndim] = ~part[(-1,) * part.ndim]
    return wrong


def test_lenient_peers_are_told_of(dirty: Given) -> None:
    """What a peer reads beyond the strict form is a note that names the kinds of mistake."""
    _, notes = agreed(contest.BY_NAME["parse-dirty"], dirty, [peers.BY_NAME["netaddr"]])
    assert re.fullmatch(r"netaddr reads \d+ cells that the strict form refuses: .+", notes[0])
    assert "bare address" in notes[0]


def test_leniency_of_ours_is_an_error(dirty: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is excused in a peer is not in ours: one cell too many read stops the case."""
    honest = ours.ENTRIES["parse-dirty"](dirty)
    refused = int(np.flatnonzero(dirty.reads < 0)[0])

    def lenient(_: Given) -> contest.Entry:
        return contest.Entry(honest.call, read_one_more)

    def read_one_more(result: object) -> contest.Answer:
        reads = np.array(honest.answer(result)["reads"], copy=True)
        reads[refused] = 24
        return {"reads": reads}

    monkeypatch.setitem(ours.ENTRIES, "parse-dirty", lenient)
    with pytest.raises(DisagreementError, match=f"the inventory itself .* row {refused}: 24, -1"):
        agreed(contest.BY_NAME["parse-dirty"], dirty, [])


# Times and memory


def test_rounds_are_interleaved() -> None:
    """Every round asks everyone once, and another one first; garbage waits for the clock."""
    asked: list[tuple[str, bool]] = []
    calls = {name: lambda name=name: asked.append((name, gc.isenabled())) for name in "abc"}
    found = timing.interleaved(calls, 3)
    assert "".join(name for name, _ in asked) == "abcbcacab"
    assert not any(collecting for _, collecting in asked)
    assert gc.isenabled()
    assert {name: len(seconds) for name, seconds in found.items()} == {"a": 3, "b": 3, "c": 3}


def test_nobody_pays_for_who_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each call garbage is collected, and freed memory is the system's again."""
    events: list[str] = []
    monkeypatch.setattr(timing, "settle", lambda room: events.append(f"settle {room}"))
    timing.interleaved({name: lambda name=name: events.append(name) for name in "ab"}, 2, 7)
    assert events == ["settle 7", "a", "settle 7", "b", "settle 7", "b", "settle 7", "a"]
    monkeypatch.undo()
    objects = [bytes(1000) for _ in range(200_000)]
    pins = objects[::1000]  # so that the heap cannot shrink by itself
    full = child.mib("VmRSS")
    del objects
    timing.settle()
    assert full - child.mib("VmRSS") > 100
    assert len(pins) == 200


def test_memory_is_that_of_the_call(clean: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was held and freed before, and in later rounds, is not counted; the call's own is."""
    sizes = iter([64, 512])

    def prepare(_: Given) -> contest.Entry:
        np.ones(400 << 17).sum()  # 400 MiB, gone when the call begins
        return contest.Entry(lambda: np.ones(next(sizes) << 17), lambda _: {})

    monkeypatch.setitem(ours.ENTRIES, "table", prepare)
    found = child._ask(clean, "table", contest.OURS, 2)
    assert len(found["seconds"]) == 2
    assert 60 < found["peak_mib"] - found["before_mib"] < 200


def test_a_child_that_fails_says_why(clean: Given) -> None:
    """The error of a process of its own is passed on."""
    with pytest.raises(RuntimeError, match="KeyError: 'no such case'"):
        child.ask(clean.folder, "no such case", contest.OURS)


def test_exponents_are_taken_from_large_sizes() -> None:
    """The fixed cost of small sizes does not flatter the exponent, nor is it held to a promise."""
    points = [
        {"rows": rows, "median": 1 + (rows / 1e5) ** 1.5 if rows < 1e5 else (rows / 1e5) ** 1.5}
        for rows in (1e3, 1e4, 1e5, 1e6, 1e7)
    ]
    fitted = growth._fitted("findings", points)
    assert fitted["exponent"] == pytest.approx(1.5)
    assert (fitted["from_rows"], fitted["promised"]) == (1e5, 1.2)
    assert growth._fitted("findings", points[:3])["promised"] is None


# The command


def test_a_short_run_measures_everything(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """`--quick` compares, times, prints and draws every case, and the README's table takes it."""
    assert command.main(["--quick", "--rows", "1200", "--out", str(tmp_path)]) is None
    document = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    names = [case.name for case in contest.CASES]
    assert [case["case"] for case in document["beside"]["cases"]] == names
    for case in document["beside"]["cases"]:
        able = {peer.name for peer in here() if case["case"] in peer.entries}
        assert case["entries"].keys() == {contest.OURS} | able
        assert case["ratios"].keys() == able
        assert all(ratio["target"] is None for ratio in case["ratios"].values())
    assert {case["case"] for case in document["growth"]["cases"]} == {"cover-groups", "findings"}
    assert all(len(case["slower"]) == 6 for case in document["shapes"]["cases"])
    for name in ("bench.png", "bench-growth.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert all(case.title in printed for case in contest.CASES)
    filled = readme.table(document)
    assert_shape(filled)
    assert len(re.findall(r"^\| .* \| [\d.,]+ m?s \|", filled, re.M)) == len(names)


def test_a_missing_peer_is_said_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not here is named, with what to install, on the screen and in the results."""
    monkeypatch.setattr(peers, "_has_module", lambda name: name in {"netaddr", "pandas"})
    monkeypatch.setattr(peers.shutil, "which", lambda _: None)
    arguments = ["--quick", "--rows", "400", "--cases", "cover-global,parse", "--out"]
    assert command.main([*arguments, str(tmp_path)]) is None
    output = capsys.readouterr()
    missing = json.loads((tmp_path / "bench.json").read_text("utf-8"))["beside"]["missing"]
    assert [line.partition(":")[0] for line in missing] == [
        "pytricia",
        "Polars",
        "DuckDB",
        "iprange",
    ]
    for text in (output.out, " ".join(output.err.split())):
        assert "pytricia: no pytricia here; pip install 'vcokit[bench]'" in text
        assert "iprange: no iprange here; apt-get install iprange" in text
    assert "cover-global: answers compared with nobody's" in output.out


def test_wrong_answers_are_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where answers differ the command says so, and leaves no figures."""
    honest = ours.ENTRIES["parse"]

    def lying(given: Given) -> contest.Entry:
        entry = honest(given)
        return contest.Entry(entry.call, lambda result: spoil_one(entry.answer(result)))

    monkeypatch.setitem(ours.ENTRIES, "parse", lying)
    said = command.main(["--quick", "--rows", "400", "--cases", "parse", "--out", str(tmp_path)])
    assert said is not None
    assert said.startswith("The answers differ, so their times mean nothing.\nparse: vcokit ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--cases", "prase"], ["--rows", "-1"], ["--rounds", "-2"]])
def test_a_mistyped_command_is_refused(arguments: list[str]) -> None:
    """An unknown case or an impossible number is a usage error, not an empty run."""
    with warnings.catch_warnings(), pytest.raises(SystemExit, match="2"):
        command.main(arguments)


def test_sections_are_kept_apart(tmp_path: Path) -> None:
    """A later run of one section keeps what an earlier one measured of the others."""
    path = tmp_path / "out" / "bench.json"
    assert report.load(path) == {}
    report.save({"beside": {"rows": 1}, "growth": {"rows": 2}}, path)
    report.save(report.load(path) | {"growth": {"rows": 3}}, path)
    assert report.load(path) == {"beside": {"rows": 1}, "growth": {"rows": 3}}


# The README


def assert_shape(table: str) -> None:
    """Check that a table has a row a case, a column a program, and nothing but figures in it."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    assert lines[0] == [contest.OURS, *(peer.name for peer in peers.PEERS)]
    assert [line[0] for line in lines[2:]] == [case.title for case in contest.CASES]
    for _, own, *cells in lines[2:]:
        assert re.fullmatch(r"–|[\d,]+(\.\d)? m?s", own)
        assert len(cells) == len(peers.PEERS)
        assert all(re.fullmatch(r"–|[\d,]+(\.\d+)? ×", cell) for cell in cells)


def test_the_readme_has_the_generated_table() -> None:
    """The table of the README is in the shape that the benchmarks write."""
    text = readme.README.read_text("utf-8")
    assert_shape(text.partition(readme.BEGIN)[2].partition(readme.END)[0])


def test_filling_the_readme(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--readme` changes what stands between the marks, twice as once, and needs results."""
    copy = tmp_path / "README.md"
    text = readme.README.read_text("utf-8")
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(readme, "README", copy)
    assert "run make bench first" in command.main(["--readme", "--out", str(tmp_path)])
    ratio = {"median": 41.4, "low": 40.0, "high": 43.0, "target": 35.0}
    case = {"case": "parse", "entries": {contest.OURS: {"median": 0.061}}}
    section = {
        "rows": 10**6,
        "rounds": 5,
        "measured": "2026-11-23T12:00:00+00:00",
        "machine": {"cores": 2},
        "cases": [case | {"ratios": {"netaddr": ratio}}],
    }
    report.save({"beside": section}, tmp_path / "bench.json")
    for _ in range(2):
        assert command.main(["--readme", "--out", str(tmp_path)]) is None
        filled = copy.read_text("utf-8")
        assert_shape(filled.partition(readme.BEGIN)[2].partition(readme.END)[0])
        assert "| text → prefixes | 61.0 ms | 41 × | – |" in filled
        assert "1,000,000 rows, 2 cores, medians of 5 interleaved rounds, 2026-11-23." in filled
        assert filled.partition(readme.BEGIN)[0] == text.partition(readme.BEGIN)[0]
        assert filled.partition(readme.END)[2] == text.partition(readme.END)[2]
    with pytest.raises(ValueError, match="once each"):
        readme.fill("no marks", {})


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    """The examples of the benchmarks' own modules give what they show."""
    module = importlib.import_module(f"benchmarks.{name}")
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_files_are_small() -> None:
    """No module of the benchmarks is too long to be read at a sitting."""
    for path in (ROOT / "benchmarks").rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) < 400, path.name
