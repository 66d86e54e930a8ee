"""A plan's file is read back without a loss, and refused when anything about it has changed."""

from __future__ import annotations

import json
import random
import resource
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inventories import draw
from tests.rollout.test_plan import NAMES, A, B, live, routes
from vcokit import schema
from vcokit.errors import InventoryError, PlanError
from vcokit.inventory import read_routes
from vcokit.rollout.journal import Journal
from vcokit.rollout.ordering import Gap
from vcokit.rollout.plan import Plan, plan_routes

#: A plan as version 1 of the file has it, and the journal that was begun with it.
EARLIER = Path(__file__).parent / "data" / "plan-1.txt"
EARLIER_JOURNAL = EARLIER.with_name("journal-of-plan-1.db")


def plan_of_all() -> Plan:
    """Return a plan with every action, a quota and a gap: what the earlier file holds, too."""
    wanted = routes(
        (A, "10.0.0.0/8", 100),
        (A, "10.1.0.0/16", 0),
        (A, "10.2.0.0/16", 0),
        (B, "10.3.0.0/16", 100),
        (B, "10.4.0.1/16", 100),
        (B, "-", 0),
    ).assign(
        description=["Hub, 2nd\u202e", None, "-", None, None, "\n"],
        source="routes small.csv",
        line=range(2, 8),
    )
    there = live(
        (A, "10.1.0.0/16", 100), (A, "10.2.0.0/16", 0), (A, "10.3.0.0/16", 100), (B, "8.0.0.0/8", 0)
    )
    plan = plan_routes(wanted, there.assign(simulated=True), prune=True, quota=50)
    return Plan(plan.steps, plan.live, plan.quota, (Gap((6,), 'a "gap"\n on vco-a'),), True)


PLAN = plan_of_all()


def assert_same(one: Plan, other: Plan) -> None:
    """Assert that two plans are one."""
    pd.testing.assert_frame_equal(one.steps, other.steps)
    pd.testing.assert_frame_equal(one.live, other.live)
    assert (one.quota, one.lost, one.simulated) == (other.quota, other.lost, other.simulated)
    assert one.fingerprint == other.fingerprint


def saved(plan: Plan, path: Path) -> Path:
    """Save a plan and return where."""
    plan.save(path)
    return path


@pytest.mark.parametrize("name", ["plan.jsonl", "plan.gz"])
@pytest.mark.parametrize("plan", [PLAN, plan_routes(routes(), live())], ids=str)
def test_a_plan_comes_back(tmp_path: Path, plan: Plan, name: str) -> None:
    """Steps of every action, live routes, quota, gaps, or nothing; no name packs the file."""
    assert_same(Plan.load(saved(plan, tmp_path / name)), plan)


@pytest.mark.parametrize("seed", range(8))
def test_random_dirt_comes_back(tmp_path: Path, seed: int) -> None:
    """Cells of all kinds, blocked rows among them, survive."""
    drawn = draw(random.Random(seed), 40, dirt=0.3)
    given = pd.DataFrame(drawn.live_rows(), columns=NAMES)
    there = schema.frame(schema.LIVE_ROUTES, given.to_dict("series"))
    plan = plan_routes(drawn.routes(), there, prune=True, max_delete=99)
    assert_same(Plan.load(saved(plan, tmp_path / "plan.jsonl")), plan)


@settings(max_examples=25)
@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=4))
def test_hostile_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list) -> None:
    """Quotation marks, line ends, escapes, marks that turn text round: nothing is lost or shown."""
    wanted = routes(*((A, text, 100) for text in texts)).assign(description=texts)
    plan = plan_routes(wanted, live())
    path = saved(plan, tmp_path_factory.mktemp("p") / "plan.jsonl")
    assert_same(Plan.load(path), plan)
    assert all(letter.isprintable() or letter == "\n" for letter in path.read_text("utf-8"))


def test_each_line_is_a_json_object_of_public_names(tmp_path: Path) -> None:
    """A head with what a reviewer asks first, then the steps, then the live routes."""
    plan = PLAN
    lines = saved(plan, tmp_path / "plan.jsonl").read_text("utf-8").splitlines()
    head, *body = map(json.loads, lines)
    assert head["format"] == "vcokit plan"
    assert head["fingerprint"] == plan.fingerprint
    assert head["actions"] == {"create": 2, "modify": 1, "delete": 1, "keep": 1, "blocked": 3}
    assert (head["regions"], head["simulated"], head["quota"]) == (["r"], True, 50)
    assert (len(body), head["live_routes"]) == (len(plan) + len(plan.live), len(plan.live))
    names = [name for name in plan.frame() if name != "state"]
    steps = pd.DataFrame(body[: len(plan)], columns=names).astype("object")
    shown = plan.frame()[names].astype("object")
    pd.testing.assert_frame_equal(
        steps.where(steps.notna(), None), shown.where(shown.notna(), None)
    )
    assert body[len(plan) :] == plan.live.to_dict("records")


def test_a_full_disk_leaves_the_plan_that_was_there(tmp_path: Path) -> None:
    """A plan is replaced whole or not at all, and nothing lies about afterwards."""
    path = saved(PLAN, tmp_path / "plan.jsonl")
    larger = plan_routes(routes(*((A, f"10.{n}.0.0/16", 100) for n in range(200))), live())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(PlanError, match="cannot be written"):
            larger.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_same(Plan.load(path), PLAN)
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_be_had(tmp_path: Path) -> None:
    """No file, a folder, a place that is not there: an error with the path, never a traceback."""
    for wrong in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(PlanError, match="cannot be read"):
            Plan.load(wrong)
    with pytest.raises(PlanError, match="cannot be written"):
        PLAN.save(tmp_path / "no" / "plan.jsonl")


def test_what_an_earlier_version_wrote_is_read() -> None:
    """A file of version 1 and a journal of its time hold the plan they always held."""
    told = next(line for line in EARLIER.read_text().splitlines() if line.startswith("fingerprint"))
    assert told.split()[1] != PLAN.fingerprint
    assert_same(Plan.load(EARLIER), PLAN)
    with Journal.read(EARLIER_JOURNAL) as journal:
        assert_same(journal.plan(), PLAN)


# -- what has changed -----------------------------------------------------------------------------


@pytest.fixture(params=["now", "earlier"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of a plan, as it is written now, and as it once was."""
    path = tmp_path / "plan"
    if request.param == "earlier":
        return Path(shutil.copy(EARLIER, path))
    return saved(PLAN, path)


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_line_ends_and_marks_of_other_systems(file: Path, ends: bytes, mark: bytes) -> None:
    """What version control or an editor does to line ends changes nothing."""
    file.write_bytes(mark + file.read_bytes().replace(b"\n", ends))
    assert_same(Plan.load(file), PLAN)


@pytest.mark.parametrize("seed", range(3))
def test_any_changed_byte_is_refused(file: Path, seed: int) -> None:
    """A byte that is changed, taken away or put in is noticed, or makes no difference."""
    rng = random.Random(seed)
    before = file.read_bytes()
    for _ in range(60):
        at = rng.randrange(len(before))
        rest = before[at + rng.randrange(2) :]
        file.write_bytes(
            before[:at] + rng.choice([b"", b"\xff", bytes([rng.randrange(128)])]) + rest
        )
        with suppress(PlanError):
            assert_same(Plan.load(file), PLAN)


def line_of(text: str, part: str) -> int:
    """Return the number of the first line that holds a text."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


Change = Callable[[str], str]
DAMAGE: dict[str, tuple[Change, str | int, str]] = {
    "another file": (lambda _: "a,b\n1,2\n", 1, "not a plan of vcokit"),
    "an empty file": (lambda _: "", 1, "not a plan of vcokit"),
    "newer": (lambda text: text.replace('"version": 2', '"version": 3', 1), 1, "another version"),
    "a head of less": (lambda text: text.replace('"actions"', '"more"', 1), 1, "of actions"),
    "no counts": (lambda text: text.replace('"create": 2', '"create": "2"', 1), 1, "of actions"),
    "cut off": (lambda text: text[: text.index('{"step": 5')], 7, "ends before"),
    "cut in a line": (lambda text: text[: text.index('"old_weight')], 3, "not a JSON"),
    "a step less": (lambda text: cut(text, '{"step": 4'), '{"step": 5', "step 4 should"),
    "a step twice": (lambda text: text.replace('"step": 4', '"step": 3'), 6, "step 4 should"),
    "no action": (lambda text: text.replace('"modify", ', '"change", '), 3, "not an action"),
    "no weight": (lambda text: text.replace('"old_weight": 100', '"old_weight": true'), 3, "True"),
    "far too large": (lambda text: text.replace('t": 100,', f't": 1{"0" * 19},', 1), 2, "JSON"),
    "too deep": (lambda text: text.replace('"step": 0', '"step": ' + "[" * 10_000), 2, "JSON"),
    "an unknown name": (lambda text: text.replace('"next_hop"', '"hop"', 1), 2, "'hop'"),
    "a live route less": (lambda text: cut(text, '{"region_id"'), 13, "ends before"),
    "a line more": (lambda text: text + "{}\n", 14, "after the end"),
    "another weight": (lambda text: text.replace('t": 100,', 't": 0,', 1), 1, "changed"),
    "another reason": (lambda text: text.replace("has host bits", "is right"), 1, "changed"),
    "another live route": (lambda text: text.replace("8.0.0.0/8", "9.0.0.0/8"), 1, "changed"),
    "no rehearsal": (
        lambda text: text.replace('"simulated": true', '"simulated": false'),
        1,
        "cha",
    ),
}


def cut(text: str, part: str) -> str:
    """Return a text without the first line that holds a part of it."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[: line_of(text, part) - 1] + lines[line_of(text, part) :])


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused(tmp_path: Path, kind: str) -> None:
    """Whatever happened to the file: one error that names file, line and remedy."""
    damage, line, words = DAMAGE[kind]
    path = saved(PLAN, tmp_path / "plan.jsonl")
    before = path.read_text("utf-8")
    after = damage(before)
    assert after != before
    path.write_text(after, "utf-8")
    with pytest.raises(PlanError, match=words) as caught:
        Plan.load(path)
    number = line if isinstance(line, int) else line_of(after, line)
    assert caught.value.message.startswith(f"{path}, line {number}: ")
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", [slice(None), slice(1, None), slice(7, 9)])
def test_a_plan_is_no_inventory(tmp_path: Path, part: slice) -> None:
    """All or some of its lines, read as routes, would be created, deletes and all: an error."""
    path = saved(PLAN, tmp_path / "plan.jsonl")
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[part]), "utf-8")
    with pytest.raises(InventoryError, match="steps of a plan"):
        read_routes(path)


def test_a_plan_of_another_fingerprint_is_refused(tmp_path: Path) -> None:
    """A file that is whole, but whose steps are not those of its fingerprint, is not a plan."""
    plan = replace(PLAN)
    object.__setattr__(plan, "fingerprint", "0" * 64)
    with pytest.raises(PlanError, match="does not match its fingerprint"):
        Plan.load(saved(plan, tmp_path / "plan.jsonl"))
