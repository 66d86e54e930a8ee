"""A snapshot is what the journal's frames say, counted another way: by pandas, not by SQL."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests.rollout.stage import Stage, inventory
from vcokit import schema
from vcokit.errors import JournalError
from vcokit.rollout.journal import CallEnd, CallRow, Journal
from vcokit.rollout.messages import StepChanged
from vcokit.rollout.plan import plan_routes
from vcokit.rollout.snapshot import PACE_WINDOW, RATE_WINDOW, RECENT, RolloutSnapshot
from vcokit.simulator import Fault

STAMPS = {"sent_at": "sent", "accepted_at": "accepted", "settled_at": "settled"}


def seconds(times: pd.Series) -> pd.Series:
    """Return times as seconds since the epoch; NaN where there is none."""
    return (times - pd.Timestamp(0, unit="s", tz="UTC")).dt.total_seconds()


def check(journal: Journal, snapshot: RolloutSnapshot, search: str = "") -> None:
    """Compare a snapshot with the frames of the journal it was taken of."""
    steps, calls = journal.steps(), journal.calls()
    names = steps["vpn_connection_id"].fillna("")
    assert list(snapshot.connections) == names.unique().tolist()
    for name, states in steps["state"].astype("str").groupby(names):
        assert snapshot.connections[name] == Counter(states)
    assert snapshot.states == Counter(steps["state"])
    assert snapshot.actions == Counter(steps["action"])
    ended = calls[calls["outcome"].notna()]
    assert snapshot.calls == Counter(zip(ended["operation"], ended["outcome"], strict=True))
    assert list(snapshot.open_calls) == calls.loc[calls["outcome"].isna(), "call"].tolist()
    moments = steps[[*STAMPS, "ended_at"]].apply(seconds)
    latest = moments.max(axis=1).dropna()
    order = sorted(latest.items(), key=lambda entry: (entry[1], entry[0]))[-RECENT:]
    assert [change.step for change in snapshot.recent] == [step for step, _ in order]
    for change in snapshot.recent:
        row = moments.loc[change.step]
        assert change.at == pytest.approx(row.max(), abs=1e-5)
        reached = [name for name in row.index if row[name] == row.max()][-1]
        assert change.state == STAMPS.get(reached, steps["state"][change.step])
    failed = steps[steps["state"].isin(["failed", "unknown"])]
    texts = failed[["vpn_connection_id", "route_dest", "code", "message", "request_id"]].fillna("")
    found = [search.lower() in " ".join(row).lower() for row in texts.itertuples(index=False)]
    failed = failed[pd.Series(found, index=failed.index, dtype="bool")]
    order = failed.assign(state=failed["state"].astype("str")).sort_values(["state", "step"])
    assert snapshot.failures_found == len(order)
    listed = order["step"].tolist()[: len(snapshot.failures)]
    assert [failure.step for failure in snapshot.failures] == listed
    sent = seconds(calls["sent_at"])
    if not len(calls):
        assert (snapshot.started, snapshot.pace, snapshot.rates) == (None, None, {})
        return
    assert snapshot.started == pytest.approx(sent.min(), abs=1e-5)
    assert snapshot.latest == pytest.approx(max(sent.iloc[-1], latest.max()), abs=1e-5)
    writes = calls["step"].notna()
    until = snapshot.at if snapshot.holder else sent.iloc[-1]
    since = max(sent[writes].min(), until - PACE_WINDOW)
    done = moments["settled_at"].fillna(moments["ended_at"])[moments["sent_at"].notna()]
    assert snapshot.pace == pytest.approx((done >= since - 1e-5).sum() / max(until - since, 1.0))
    recent = calls[writes & (sent >= snapshot.at - RATE_WINDOW)]
    counts = Counter(zip(recent["operation"], recent["region_id"], strict=True))
    span = max(1.0, snapshot.at - sent[recent.index].min()) if counts else 1.0
    rates = {name: number / span for name, number in counts.items()}
    assert snapshot.rates == pytest.approx(rates, rel=1e-4)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal of 40 steps, three of them blocked, which this process holds."""
    routes = inventory(4, 10).astype({"weight": object})
    routes.loc[[3, 17], "route_dest"] = "10.0.0.1/8"
    routes.loc[25, "vpn_connection_id"] = None
    plan = plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    with Journal.create(tmp_path / "rollout.db", plan, "some id", now=lambda: 0.0) as made:
        made.write(meta={"state": "running"})
        yield made


def send(journal: Journal, step: int, at: float, *states: str, code: str | None = None) -> None:
    """Have a step sent at a moment, and changed each second after that."""
    call = journal.last_call() + 1
    place = ("cn-hangzhou", "vco-0", at)
    message = f"{code}: no" if code else None
    changes = [StepChanged(at, step, "pending", "sent")]
    for seconds_later, state in enumerate(states, 1):
        changes.append(
            StepChanged(at + seconds_later, step, "", state, code, message, f"REQ-{step}")
        )
    journal.write(changes, [CallRow(call, "CreateVcoRouteEntry", *place, step)])
    if states:
        journal.write(ends=[CallEnd(call, 0.1, "refused" if code else "ok", code)])
    journal.write(calls=[CallRow(call + 1, "DescribeVpnConnection", *place)])
    journal.write(ends=[CallEnd(call + 1, 0.1, "ok")])


def test_a_snapshot_at_each_moment(journal: Journal) -> None:
    """Whether it is given an earlier one or not, it is what the frames say."""
    earlier = journal.snapshot(now=0.0)
    check(journal, earlier)
    story = [
        (0, 1.0, ("accepted", "settled", "done"), None),
        (1, 2.0, ("accepted", "settled"), None),
        (10, 30.0, ("failed",), "VpnRouteEntry.Conflict"),
        (11, 31.0, ("unknown",), None),
        (12, 340.0, (), None),
        (20, 341.0, ("accepted",), None),
        (30, 342.0, ("failed",), "QuotaExceeded"),
    ]
    for step, at, states, code in story:
        send(journal, step, at, *states, code=code)
        snapshot = journal.snapshot(earlier=earlier, now=at + 3)
        check(journal, snapshot)
        assert snapshot == journal.snapshot(now=at + 3)
        earlier = snapshot
    # The call that was cut off comes to an end after all: it was counted nowhere yet.
    open_call = earlier.open_calls[0]
    journal.write(ends=[CallEnd(open_call, 9.0, "unknown")])
    snapshot = journal.snapshot(earlier=earlier, now=400.0)
    check(journal, snapshot)
    assert snapshot.open_calls == ()
    assert snapshot.calls["CreateVcoRouteEntry", "unknown"] == 1


def test_what_follows_from_the_counts(journal: Journal) -> None:
    """What is left, in doubt, made, and how long it takes at this pace."""
    send(journal, 0, 10.0, "accepted", "settled", "done")
    send(journal, 1, 10.0, "accepted")
    snapshot = journal.snapshot(now=20.0)
    assert (snapshot.changes, snapshot.changes_made) == (37, 1)
    assert (snapshot.left, snapshot.in_doubt, snapshot.resumable) == (36, 1, True)
    assert snapshot.pace == pytest.approx(1 / 10)
    assert snapshot.seconds_left == pytest.approx(360)


def test_failures_are_limited_and_searched(journal: Journal) -> None:
    """The first so many are listed, failed before unknown; a search looks into all of them."""
    for step in range(12):
        if step != 3:
            send(journal, step, float(step), "unknown" if step < 4 else "failed", code="Some.Code")
    snapshot = journal.snapshot(failures=5, now=20.0)
    assert [failure.step for failure in snapshot.failures] == [4, 5, 6, 7, 8]
    assert snapshot.failures_found == 11
    for search, found in (("req-11", [11]), ("SOME.code", [*range(4, 12), 0, 1, 2]), ("%", [])):
        snapshot = journal.snapshot(search=search, now=20.0)
        assert [failure.step for failure in snapshot.failures] == found
        check(journal, snapshot, search)


def test_of_another_journal(journal: Journal, tmp_path: Path) -> None:
    """An earlier snapshot of another journal is not believed."""
    send(journal, 0, 1.0, "accepted")
    other = journal.snapshot(now=2.0)
    plan = plan_routes(inventory(2, 2), schema.frame(schema.LIVE_ROUTES))
    with Journal.create(tmp_path / "other.db", plan, "another id") as made:
        assert made.snapshot(earlier=other, now=9.0) == made.snapshot(now=9.0)


def test_an_empty_plan(tmp_path: Path) -> None:
    """There is nothing, and nothing left."""
    plan = plan_routes(inventory(0, 0), schema.frame(schema.LIVE_ROUTES))
    with Journal.create(tmp_path / "empty.db", plan, "some id") as made:
        snapshot = made.snapshot(now=1.0)
        check(made, snapshot)
    assert (snapshot.left, snapshot.resumable, snapshot.seconds_left) == (0, False, None)


def test_a_real_rollout(tmp_path: Path) -> None:
    """Through refusals and lost answers, the snapshot at the end is what the frames say."""
    faults = [
        Fault(
            "refuse",
            operation="CreateVcoRouteEntry",
            count=3,
            after=5,
            code="VpnRouteEntry.Conflict",
        ),
        Fault("drop_after", operation="CreateVcoRouteEntry", count=4, after=9),
    ]
    with Stage(tmp_path, *faults, lanes=5, each=6) as stage:
        rollout = stage.rollout()
        snapshots: list[RolloutSnapshot] = []

        def look(_: object) -> None:
            with Journal.read(rollout.journal) as journal:
                earlier = snapshots[-1] if snapshots else None
                snapshots.append(journal.snapshot(earlier=earlier))

        rollout.observe(look)
        rollout.start().wait()
        tally = rollout.tally()
    with Journal.read(rollout.journal) as journal:
        last = journal.snapshot(earlier=snapshots[-1])
        check(journal, last)
        assert (last.state, last.holder) == ("finished", None)
        assert last.states == tally.states
        by_operation: Counter[str] = Counter()
        for (operation, _), count in last.calls.items():
            by_operation[operation] += count
        assert by_operation == tally.calls
    assert {snapshot.state for snapshot in snapshots} >= {"running"}
    assert all(sum(snapshot.states.values()) == 30 for snapshot in snapshots)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE step SET sent_at = 'noon'",
        "UPDATE call SET sent_at = 'noon'",
        "UPDATE step SET vpn_connection_id = x'ff00'",
        "UPDATE step SET route_dest = CAST(x'ff' AS TEXT)",
        "UPDATE call SET operation = x'00'",
    ],
)
def test_what_was_never_written(journal: Journal, damage: str) -> None:
    """A time that is no number, or a name that is no text, is one error of a journal."""
    send(journal, 0, 1.0, "accepted")
    earlier = journal.snapshot(now=1.5)
    journal._db.execute(damage)  # as any SQLite tool could
    for given in (None, earlier):
        with pytest.raises(JournalError, match=r"damaged|cannot be read"):
            journal.snapshot(earlier=given, now=2.0)


def test_a_message_that_is_no_text(journal: Journal) -> None:
    """It is shown as it prints."""
    send(journal, 0, 1.0, "failed", code="Some.Code")
    journal._db.execute("UPDATE step SET message = x'ff00' WHERE step = 0")
    assert journal.snapshot(now=2.0).failures[0].message == r"b'\xff\x00'"
