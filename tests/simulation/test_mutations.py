"""Each way to break the executor's promises is caught, by the seed that stands beside it.

A mutation is our own code, broken on purpose in one place. Without it the same seeds are right, as
the campaign shows; with it the judge names the promise that is broken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import play as stage
from tests.simulation.__main__ import scratch
from tests.simulation.cases import case_of
from tests.simulation.judge import judge
from tests.simulation.play import play
from tests.simulation.scenario import scenario_of
from vcokit.cloud.windows import Window
from vcokit.rollout import engine, heard, prune, undo
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import Answered
from vcokit.rollout.journal import Journal
from vcokit.rollout.ledger import Ledger
from vcokit.rollout.steps import client_token
from vcokit.rollout.waits import Waits

Patch = pytest.MonkeyPatch


def drop_an_intent(patch: Patch) -> None:
    """The journal forgets the intent of a write now and then."""
    write = Journal.write

    def broken(self: Journal, steps: Any = (), calls: Any = (), *more: Any, **named: Any) -> None:
        write(self, steps, [row for row in calls if row.call % 3], *more, **named)

    patch.setattr(Journal, "write", broken)


def reuse_a_token(patch: Patch) -> None:
    """Two steps that follow one another have one token."""
    patch.setattr(engine, "client_token", lambda of, n, tries: client_token(of, n // 2, tries))


def window_off_by_one(patch: Patch) -> None:
    """A window lets one call more through than the limit allows."""
    begin = Window.__init__

    def broken(self: Window, calls: int, seconds: float) -> None:
        begin(self, calls + 1, seconds)

    patch.setattr(Window, "__init__", broken)


def _instead(patch: Patch, state: str, other: str) -> None:
    put = Ledger.set

    def broken(self: Ledger, number: int, new: str, *said: Any, **more: Any) -> None:
        put(self, number, other if new == state else new, *said, **more)

    patch.setattr(Ledger, "set", broken)


def done_at_accepted(patch: Patch) -> None:
    """A step is done when the cloud has accepted it."""
    _instead(patch, st.ACCEPTED, st.DONE)


def attached_is_done(patch: Patch) -> None:
    """A step is done when its connection is attached again, without a listing."""
    _instead(patch, st.SETTLED, st.DONE)


def skip_a_dependency(patch: Patch) -> None:
    """No step waits for another."""
    patch.setattr(Waits, "over", lambda *_: True)


def forget_unknown(patch: Patch) -> None:
    """After a restart a step whose answer is not known counts as never sent, or as refused."""
    standing = Journal.standing

    def broken(self: Journal) -> Iterator[tuple[int, str, int, int]]:
        for number, state, attempt, *more in standing(self):
            lost = state in (st.SENT, st.UNKNOWN)
            yield number, st.PENDING if lost else state, attempt + lost, *more

    patch.setattr(Journal, "standing", broken)


def resend_the_refused(patch: Patch) -> None:
    """A request that was refused is sent again unchanged: the attempt never rises."""
    patch.setattr(engine, "client_token", lambda of, n, _: client_token(of, n, 0))


def resend_after_a_refusal(patch: Patch) -> None:
    """A refusal for good is taken for one that passes."""
    of_write = heard._of_write

    def broken(*given: Any) -> Any:
        said = of_write(*given)
        final = isinstance(said, Answered) and said.kind in ("input", "auth", "quota")
        return replace(said, kind="busy") if final else said

    patch.setattr(heard, "_of_write", broken)


def prune_a_blocked_row(patch: Patch) -> None:
    """A row that is blocked does not protect the live route it names."""
    unnamed = prune._unnamed

    def broken(facts: Any, there: Any) -> Any:
        found = unnamed(facts, there)
        return found | (facts.live_connection < facts.id_count)

    patch.setattr(prune, "_unnamed", broken)


def undo_a_foreign_route(patch: Patch) -> None:
    """What is there and was asked for counts as ours, whoever made it."""
    patch.setattr(undo, "_unproven", lambda _: None)


#: A mutation, the promise that it breaks, and a seed that shows it.
MUTATIONS: list[tuple[Callable[[Patch], None], str, int]] = [
    (drop_an_intent, "intent", 1),
    (reuse_a_token, "token", 1),
    (window_off_by_one, "throttled", 9),
    (done_at_accepted, "done", 1),
    (attached_is_done, "done", 1),
    (skip_a_dependency, "gap", 100),
    (forget_unknown, "unknown", 10),
    (resend_the_refused, "token", 12),
    (resend_after_a_refusal, "refused", 40),
    (prune_a_blocked_row, "plan", 50),
    (undo_a_foreign_route, "undo", 7398),
]
#: A rollout that is broken may go on for ever; what it broke shows long before, virtual seconds.
UNTIL = 300.0


@pytest.fixture(autouse=True)
def plans_made_anew() -> Iterator[None]:
    """A plan that a mutation made is nobody else's."""
    case_of.cache_clear()
    yield
    case_of.cache_clear()


def wrong_with(seed: int) -> list[str]:
    """Return what the judge says of a seed."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        return judge(play(scenario_of(seed), Path(folder)))


@pytest.mark.parametrize(
    ("mutate", "promise", "seed"), MUTATIONS, ids=[mutate.__name__ for mutate, *_ in MUTATIONS]
)
def test_caught(
    mutate: Callable[[Patch], None], promise: str, seed: int, monkeypatch: Patch
) -> None:
    """The seed is right as the code is, and names the broken promise when it is broken."""
    assert wrong_with(seed) == []
    case_of.cache_clear()
    monkeypatch.setattr(stage, "UNTIL", UNTIL)
    mutate(monkeypatch)
    assert promise in {line.partition(":")[0] for line in wrong_with(seed)}
