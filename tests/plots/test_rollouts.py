"""Pictures of rollouts show what their steps and calls say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.plots.frames import START, STEPS, A, B, C, at, calls, steps
from vcokit import plots
from vcokit.cloud.operations import Limit
from vcokit.palette import STATES
from vcokit.plots.rollout import state_counts as layers
from vcokit.rollout.forecast import Forecast


@pytest.fixture
def ax():
    """Axes on a figure of their own, wide enough for a title in one line."""
    return Figure(figsize=(16, 6)).subplots()


def brute(frame: pd.DataFrame, moment: float) -> dict[str, int]:
    """Count steps by state at a moment, one by one."""
    counts: dict[str, int] = {}
    for row in frame.to_dict("records"):
        sent = "unknown" if row["state"] == "unknown" else "sent"
        names = {"sent_at": sent, "accepted_at": "accepted", "settled_at": "settled"}
        state = "pending"
        for column, name in [*names.items(), ("ended_at", row["state"])]:
            if not pd.isna(row[column]) and row[column] <= at(moment):
                state = name
        counts[state] = counts.get(state, 0) + 1
    return counts


# -- rollout_progress ---------------------------------------------------------------------------


def test_layers_equal_a_plain_reading() -> None:
    """At every moment the layers are the counts of a plain reading of the frame."""
    moments, counts = layers(STEPS, START, 1000)
    assert moments.tolist() == [0, 1, 2, 3, 4, 5, 6]
    for place, moment in enumerate(moments):
        got = {state: int(layer[place]) for state, layer in counts.items() if layer[place]}
        assert got == brute(STEPS, moment)


def test_many_moments_are_thinned() -> None:
    """Of more moments than a figure has dots, so many at equal distances are looked at."""
    many = steps(*(("done", n, n + 0.5, n + 1, n + 2) for n in range(500)))
    moments, counts = layers(many, START, 40)
    assert len(moments) == 40
    assert (moments[0], moments[-1]) == (0, 501)
    for place in (0, 17, 39):
        got = {state: int(layer[place]) for state, layer in counts.items() if layer[place]}
        assert got == brute(many, moments[place])


def test_rollout_progress(ax) -> None:
    """Areas have the colours of their states; axes are labelled with units."""
    plots.rollout_progress(STEPS, ax)
    drawn = {c.get_label(): to_hex(c.get_facecolor()[0]) for c in ax.collections}
    assert drawn == {name: STATES[name].lower() for name in drawn}
    assert set(drawn) == set(STATES) - {"blocked"}
    assert ax.get_xlabel() == "time since the first call, seconds"
    assert ax.get_ylabel() == "steps"
    assert ax.get_ylim() == (0.0, 6.0)
    assert ax.get_title("left") == (
        "2 of 6 steps done after 6 s, 1 pending, 1 unknown, 1 skipped, 1 failed"
    )


def test_steps_that_send_nothing_are_left_out(ax) -> None:
    """What is kept or blocked takes no part."""
    frame = STEPS.assign(action=["create", "keep", "blocked", "create", "create", "create"])
    plots.rollout_progress(frame, ax)
    assert ax.get_ylim() == (0.0, 4.0)


def forecast_of(*done: float) -> Forecast:
    """Return a forecast in which steps are sent a second after the start, and done then."""
    times = pd.DataFrame({"step": range(len(done)), "sent": 1.0, "settled": done, "done": done})
    return Forecast(max(done), tuple(done), {}, times.astype({"sent": "float64"}))


def test_the_forecast_is_a_dashed_line(ax) -> None:
    """The forecast's steps are done one by one, from its own first call on; the axis holds it."""
    plots.rollout_progress(STEPS, ax, forecast=forecast_of(3.0, 5.0, 11.0))
    line = next(line for line in ax.lines if line.get_label() == "forecast: done")
    assert line.get_xydata().tolist() == [[0, 0], [2, 1], [4, 2], [10, 3]]
    assert line.get_linestyle() == "--"
    assert ax.get_xlim() == (0.0, 10.0)
    assert "(forecast: 10 s)" in ax.get_title("left")


def test_the_limit_is_a_dotted_line(ax) -> None:
    """The line of calls let through equals windows counted by hand, operation by operation."""
    frame = STEPS.assign(action=["create"] * 4 + ["delete"] * 2, region_id=["x"] * 3 + ["y"] * 3)
    limits = {"CreateVcoRouteEntry": Limit(2, 4.0), "DeleteVcoRouteEntry": Limit(1, 3.0)}
    plots.rollout_progress(frame, ax, limits=limits)
    line = next(line for line in ax.lines if line.get_label().startswith("limit"))
    for moment, possible in line.get_xydata():
        windows = {4.0: int(moment // 4) + 1, 3.0: int(moment // 3) + 1}
        by_hand = min(3, 2 * windows[4.0]) + min(1, 2 * windows[4.0]) + min(2, windows[3.0])
        assert possible == by_hand
    assert line.get_linestyle() == ":"


def test_before_the_first_call(ax) -> None:
    """A rollout that sent nothing is all pending."""
    plots.rollout_progress(steps(*[("pending", None, None, None, None)] * 3), ax)
    assert ax.get_title("left") == "0 of 3 steps done after 0 s, 3 pending"


# -- lane_timeline ------------------------------------------------------------------------------

LANES = steps(
    ("done", 2, 3, 6, 9, A),
    ("done", 7, 8, 10, 12, A),
    ("done", 0, 1, 4, 9, B),
    ("failed", 5, None, None, 7, B),
    ("unknown", 8, None, None, None, C),
    ("pending", None, None, None, None, C),
)


def spans(ax, kind: str) -> set[tuple[float, float, float]]:
    """Return the bars of a kind: (row, from, to)."""
    for drawn in ax.collections:
        if drawn.get_label() == kind:
            boxes = [path.get_extents() for path in drawn.get_paths()]
            return {(round((b.y0 + b.y1) / 2), b.x0, b.x1) for b in boxes}
    return set()


def test_lane_timeline(ax) -> None:
    """Rows are connections, the last to end first; queue, call, task and wait have their times."""
    plots.lane_timeline(LANES, ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == [C, A, B]
    c, a, b = range(3)
    assert spans(ax, "queue") == {(a, 0, 2), (a, 6, 7), (b, 4, 5), (c, 0, 8)}
    assert spans(ax, "call") == {(a, 2, 3), (a, 7, 8), (b, 0, 1), (b, 5, 7)}
    assert spans(ax, "task") == {(a, 3, 6), (a, 8, 10), (b, 1, 4)}
    assert spans(ax, "doubt") == {(c, 8, 12)}
    assert spans(ax, "wait") == {(a, 6, 9), (a, 10, 12), (b, 4, 9)}
    assert ax.get_xlim() == (0.0, 12.0)
    assert ax.get_xlabel() == "time since the first call, seconds"


def test_lane_timeline_has_the_colours_of_states(ax) -> None:
    """Each kind has the colour of the state that a step is in meanwhile."""
    plots.lane_timeline(LANES, ax)
    states = {"queue": "pending", "call": "sent", "task": "accepted"}
    states |= {"wait": "settled", "doubt": "unknown", "failed": "failed"}
    drawn = {c.get_label(): to_hex(c.get_facecolor()[0]) for c in ax.collections}
    assert drawn == {kind: STATES[state].lower() for kind, state in states.items()}


def test_lane_timeline_says_how_busy_lanes_were(ax) -> None:
    """The title counts calls and tasks against the time of all lanes."""
    plots.lane_timeline(LANES, ax)
    busy = 1 + 3 + 1 + 2 + 1 + 3 + 2 + 4
    assert ax.get_title("left") == (
        f"5 steps on 3 connections in 12 s, each busy {busy / 36:.0%} of the time; vco-c ended last"
    ).replace("%", " %")


def test_lane_timeline_marks_calls_that_went_wrong(ax) -> None:
    """Failed steps, and with calls= the writes that were refused or not answered, are marked."""
    tried = calls(
        ("CreateVcoRouteEntry", 0.1, "throttled", 1, A),
        ("CreateVcoRouteEntry", 0.1, "unknown", 3, B),
        ("CreateVcoRouteEntry", 0.1, "ok", 4, B),
        ("DescribeVpnConnection", 0.1, "throttled", 5, B),
        ("CreateVcoRouteEntry", 0.1, "unknown", 6, "vco-elsewhere"),
    )
    plots.lane_timeline(LANES, ax, calls=tried)
    marks = {
        c.get_label(): [(round(y), x) for x, y in c.get_offsets()]
        for c in ax.collections
        if len(c.get_offsets())
        and c.get_label() in ("failed", "call refused", "call without an answer")
    }
    assert marks == {
        "failed": [(2, 7.0)],
        "call refused": [(1, 1.0)],
        "call without an answer": [(2, 3.0)],
    }


def test_lane_timeline_of_thousands(ax) -> None:
    """The lanes that ended last have rows; the others are one row of shares that add up."""
    many = steps(
        *(
            ("done", n / 100, n / 100 + 1, n / 100 + 3, n / 100 + 4, f"vco-{n:04}")
            for n in range(2000)
        )
    )
    plots.lane_timeline(many, ax, top=10)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [*(f"vco-{n:04}" for n in range(1999, 1989, -1)), "1,990 others, share"]
    drawn = [c for c in ax.collections if type(c).__name__ == "FillBetweenPolyCollection"]
    assert [to_hex(c.get_facecolor()[0]) for c in drawn] == [
        STATES[state].lower() for state in ("accepted", "sent", "pending")
    ]
    top, bottom = drawn[-1].get_paths()[0].get_extents().y0, max(ax.get_ylim())
    task = drawn[0].get_paths()[0].get_extents()
    assert task.y1 == pytest.approx(bottom)
    assert task.y1 - task.y0 == pytest.approx(4 * 200 / 1990, rel=0.02)
    assert task.y1 - top == pytest.approx(4.0, rel=0.01)


def test_lane_timeline_after_a_cancel(ax) -> None:
    """Steps that were skipped waited until then, and one queue stands for all of a lane."""
    frame = steps(
        ("done", 0, 1, 2, 3, A),
        ("skipped", None, None, None, 5, A),
        ("skipped", None, None, None, 5, A),
        ("skipped", None, None, None, 5, B),
    )
    plots.lane_timeline(frame, ax)
    assert spans(ax, "queue") == {(0, 2, 5), (1, 0, 5)}


def test_lane_timeline_before_the_first_call(ax) -> None:
    """A rollout that sent nothing says so."""
    plots.lane_timeline(steps(("pending", None, None, None, None)), ax)
    assert ax.get_title("left") == "0 of 1 step sent"


# -- call_latency -------------------------------------------------------------------------------


def test_call_latency(ax) -> None:
    """Lines and points stand at the quantiles that NumPy gives; rows are operations."""
    rng = np.random.default_rng(3)
    taken = {"Describe": rng.lognormal(-3, 1, 300), "Create": rng.lognormal(-1, 0.5, 200)}
    rows = [(name, value, "ok") for name, values in taken.items() for value in values]
    plots.call_latency(calls(*rows, ("Create", None, None)), ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Describe", "Create"]
    thin, thick = (c.get_segments() for c in ax.collections)
    for row, values in enumerate(taken.values()):
        low, first, median, third, high = np.quantile(values, [0.01, 0.25, 0.5, 0.75, 0.99])
        assert thin[row][:, 0] == pytest.approx([low, high])
        assert thick[row][:, 0] == pytest.approx([first, third])
        assert ax.lines[0].get_xydata()[row] == pytest.approx([median, row])
    texts = [text.get_text() for text in ax.texts]
    assert texts[:3] == ["300", "200", "calls"]
    assert ax.get_xscale() == "log"
    assert "500 calls" in ax.get_title("left")
    assert ax.get_title("left").endswith("; all answered")


def test_call_latency_marks_what_went_wrong(ax) -> None:
    """Calls that were refused or had no answer are points in the colours of their states."""
    rows = [("Create", 0.1, "ok")] * 5
    rows += [("Create", 0.2, "throttled"), ("Create", 5.0, "unknown"), ("Create", 0.3, "refused")]
    plots.call_latency(calls(*rows), ax)
    marks = {
        c.get_label(): (to_hex(c.get_edgecolor()[0]), sorted(c.get_offsets()[:, 0].tolist()))
        for c in ax.collections[2:]
    }
    assert marks == {
        "refused": (STATES["failed"].lower(), [0.2, 0.3]),
        "unknown": (STATES["unknown"].lower(), [5.0]),
    }
    assert ax.get_title("left").endswith("; 3 refused or without an answer")
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == ["median", "refused: 2", "no answer (unknown): 1"]
