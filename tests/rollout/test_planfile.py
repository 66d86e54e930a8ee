"""A plan's file is read back without a loss, and refused when anything about it has changed."""

from __future__ import annotations

import hashlib
import random
import resource
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inventories import draw
from tests.rollout.test_plan import NAMES, A, B, live, routes
from vcokit import schema
from vcokit.errors import PlanError
from vcokit.rollout.ordering import Gap
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.plan_io import word


def plan_of_all() -> Plan:
    """Return a plan with every action, a quota and a gap."""
    wanted = routes(
        (A, "10.0.0.0/8", 100),
        (A, "10.1.0.0/16", 0),
        (A, "10.2.0.0/16", 0),
        (B, "10.3.0.0/16", 100),
        (B, "10.4.0.1/16", 100),
    )
    there = live(
        (A, "10.1.0.0/16", 100), (A, "10.2.0.0/16", 0), (A, "10.3.0.0/16", 100), (B, "8.0.0.0/8", 0)
    )
    plan = plan_routes(wanted, there, prune=True, quota=50)
    return Plan(plan.steps, plan.live, plan.quota, (Gap((5,), 'a "gap"\n on vco-a'),))


def assert_same(one: Plan, other: Plan) -> None:
    """Assert that two plans are one."""
    pd.testing.assert_frame_equal(one.steps, other.steps)
    pd.testing.assert_frame_equal(one.live, other.live)
    assert (one.quota, one.lost) == (other.quota, other.lost)
    assert one.fingerprint == other.fingerprint


def saved(plan: Plan, path: Path) -> Path:
    """Save a plan and return where."""
    plan.save(path)
    return path


def test_every_action_comes_back(tmp_path: Path) -> None:
    """Steps, live routes, quota and gaps are read back as they were."""
    plan = plan_of_all()
    assert all(plan.counts.values())
    assert_same(Plan.load(saved(plan, tmp_path / "plan.txt")), plan)


def test_an_empty_plan_comes_back(tmp_path: Path) -> None:
    """A plan of nothing is a plan."""
    plan = plan_routes(routes(), live())
    assert_same(Plan.load(saved(plan, tmp_path / "plan.txt")), plan)


@pytest.mark.parametrize("seed", range(20))
def test_random_dirt_comes_back(tmp_path: Path, seed: int) -> None:
    """Cells of all kinds, blocked rows among them, survive."""
    drawn = draw(random.Random(seed), 40, dirt=0.3)
    given = pd.DataFrame(drawn.live_rows(), columns=NAMES)
    there = schema.frame(schema.LIVE_ROUTES, given.to_dict("series"))
    plan = plan_routes(drawn.routes(), there, prune=True, max_delete=99)
    assert_same(Plan.load(saved(plan, tmp_path / "plan.txt")), plan)


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60)
@given(texts=st.lists(st.one_of(st.none(), HOSTILE), min_size=4, max_size=4))
def test_hostile_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list) -> None:
    """Quotation marks, line ends, escapes, marks that turn text round: nothing is lost or shown."""
    wanted = routes(*[(A, f"10.{n}.0.0/16", 100) for n in range(4)]).assign(description=texts)
    path = saved(plan_routes(wanted, live()), tmp_path_factory.mktemp("p") / "plan.txt")
    assert_same(Plan.load(path), plan_routes(wanted, live()))
    assert all(letter.isprintable() or letter == "\n" for letter in path.read_text("utf-8"))


@pytest.mark.parametrize(
    "text", ["-", "", "NaN", "None", '"', "\\", "a b", "#", "\n", "\r\n", "\u202e", "end x"]
)
def test_words_that_could_be_taken_for_something_else(tmp_path: Path, text: str) -> None:
    """A cell is what it is, though it looks like nothing, like a comment, or like an end."""
    wanted = routes((A, text, 100), (A, "10.0.0.0/8", 100)).assign(description=text)
    plan = plan_routes(wanted, live())
    assert_same(Plan.load(saved(plan, tmp_path / "plan.txt")), plan)


def test_a_full_disk_leaves_the_plan_that_was_there(tmp_path: Path) -> None:
    """A plan is replaced whole or not at all, and nothing lies about afterwards."""
    path = saved(plan_of_all(), tmp_path / "plan.txt")
    larger = plan_routes(routes(*((A, f"10.{n}.0.0/16", 100) for n in range(200))), live())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(PlanError, match="cannot be written"):
            larger.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_same(Plan.load(path), plan_of_all())
    assert list(tmp_path.iterdir()) == [path]


def test_no_name_packs_a_plan(tmp_path: Path) -> None:
    """What was saved can be loaded, whatever it is called."""
    assert_same(Plan.load(saved(plan_of_all(), tmp_path / "plan.gz")), plan_of_all())


def test_a_reviewer_can_read_it(tmp_path: Path) -> None:
    """The head has counts; a step is one line under its connection, with what it changes."""
    text = saved(plan_of_all(), tmp_path / "plan.txt").read_text("utf-8")
    assert "\nsteps 2 create, 1 modify, 2 delete, 1 keep, 1 blocked\n" in text
    assert f"\nfingerprint {plan_of_all().fingerprint}\n" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["connection", A, "region", "r", "scope", "r"] in lines
    assert ["1", "modify", "10.1.0.0/16", "100->0", A, "1", "-", "-", "-", "-"] in lines
    step_lines = [line for line in text.splitlines() if " modify " in line or " keep " in line]
    assert len({line.index("10.") for line in step_lines}) == 1


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_line_ends_and_marks_of_other_systems(tmp_path: Path, ends: bytes, mark: bytes) -> None:
    """What version control or an editor does to line ends changes nothing."""
    path = saved(plan_of_all(), tmp_path / "plan.txt")
    path.write_bytes(mark + path.read_bytes().replace(b"\n", ends))
    assert_same(Plan.load(path), plan_of_all())


NEWLINE = "\n"


def sealed(text: str) -> str:
    """Return the text with a last line that is true of it."""
    above = text[: text.rindex("end ")]
    return f"{above}end {hashlib.sha256(above.removesuffix(NEWLINE).encode()).hexdigest()}\n"


DAMAGE = {
    "another file": (lambda _: "a,b\n1,2\n", 1, "no plan of vcokit"),
    "an empty file": (lambda _: "", 1, "no plan of vcokit"),
    "newer": (lambda text: text.replace("plan 1", "plan 2", 1), 1, "another version"),
    "cut off": (lambda text: text[: text.index("live")], None, "ends before"),
    "cut in a line": (lambda text: text[: text.index("->")], None, "words where"),
    "a word less": (lambda text: text.replace(" modify ", " ", 1), None, "words where"),
    "no action": (lambda text: text.replace("modify 10", "change 10", 1), None, "not an action"),
    "no weight": (lambda text: text.replace("100->0", "100=>0", 1), None, "not a weight"),
    "no number": (
        lambda text: text.replace("  1      modify", "  x      modify", 1),
        None,
        "whole",
    ),
    "far too large": (lambda text: text.replace("100->0", "100->" + "9" * 19), None, "whole"),
    "twice": (lambda text: text.replace("  1      modify", "  0      modify", 1), None, "changed"),
    "a quotation mark": (lambda text: text.replace(" modify ", ' modify" ', 1), None, "quotation"),
    "a bad escape": (
        lambda text: text.replace(" modify 10.1.0.0/16", r' modify "\q"', 1),
        None,
        "read",
    ),
    "an unknown line": (lambda text: text.replace("quota", "quote", 1), 4, "not understood"),
    "a bad group": (lambda text: text.replace(" scope ", " range ", 1), None, "not of the form"),
    "a bad live route": (lambda text: text.replace("  8.0.0.0/8 0", "  8.0.0.0/8", 1), None, "3"),
    "another weight": (lambda text: text.replace("100->0", "0->100", 1), None, "changed"),
    "another network": (lambda text: text.replace("10.1.0.0", "10.9.0.0"), None, "changed"),
    "a row more": (lambda text: text + "\n  9 create\n", None, "behind the end"),
    "another live route": (lambda text: text.replace("8.0.0.0/8", "9.0.0.0/8"), None, "changed"),
    "sealed anew": (
        lambda text: sealed(text.replace("100->0", "0->100", 1)),
        2,
        "not the one of this fingerprint",
    ),
    "sealed, twice": (
        lambda text: sealed(text.replace("  1      modify", "  0      modify", 1)),
        None,
        "stand there twice",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_refused(tmp_path: Path, kind: str) -> None:
    """Whatever happened to the file: one error that names file, line and remedy."""
    damage, line, words = DAMAGE[kind]
    path = saved(plan_of_all(), tmp_path / "plan.txt")
    before = path.read_text("utf-8")
    path.write_text(damage(before), "utf-8")
    assert path.read_text("utf-8") != before
    with pytest.raises(PlanError, match=words) as caught:
        Plan.load(path)
    message = caught.value.message
    assert message.startswith(f"{path}, line {line if line else ''}")
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(5))
def test_any_changed_byte_is_refused(tmp_path: Path, seed: int) -> None:
    """A byte that is changed, taken away or put in anywhere is noticed."""
    rng = random.Random(seed)
    path = saved(plan_of_all(), tmp_path / "plan.txt")
    before = path.read_bytes()
    for _ in range(120):
        at = rng.randrange(len(before) - 1)
        after = [
            before[:at] + bytes([rng.randrange(32, 127)]) + before[at + 1 :],
            before[:at] + before[at + 1 :],
            before[:at] + b"\xff" + before[at:],
        ][rng.randrange(3)]
        path.write_bytes(after)
        if after != before:
            with pytest.raises(PlanError):
                Plan.load(path)


def test_files_that_cannot_be_had(tmp_path: Path) -> None:
    """No file, a folder, a place that is not there: an error with the path, never a traceback."""
    for wrong in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(PlanError, match="cannot be read"):
            Plan.load(wrong)
    with pytest.raises(PlanError, match="cannot be written"):
        plan_of_all().save(tmp_path / "no" / "plan.txt")


def test_what_is_nothing_and_what_is_not() -> None:
    """A missing value and the text that stands for it are told apart."""
    assert (word(pd.NA), word(float("nan")), word("-"), word("")) == ("-", "-", '"-"', '""')
