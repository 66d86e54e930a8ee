"""Plots show the figures of their frame: bar lengths, colours by state, labels with units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.rollout.test_plan import A, B, routes
from vcokit import plots, schema
from vcokit.colours import STATES, WEIGHTS


@pytest.fixture
def ax():
    """Axes on a figure of their own."""
    return Figure().subplots()


def bars(ax, colour: str) -> dict[str, float]:
    """Return the length of each bar of a colour, by label."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    lengths = [p.get_width() for p in ax.patches if to_hex(p.get_facecolor()) == colour.lower()]
    return dict(zip(names, lengths, strict=True))


def test_weight_distribution(ax) -> None:
    """A bar a connection: active to the right, standby to the left, most routes first."""
    frame = routes(
        (A, "10.0.0.0/8", 100),
        (A, "11.0.0.0/8", 100),
        (A, "12.0.0.0/8", 0),
        (B, "10.0.0.0/8", 0),
        (B, "13.0.0.0/8", 50),
    )
    assert plots.weight_distribution(frame, ax) is ax
    assert bars(ax, WEIGHTS["active"]) == {A: 2, B: 0}
    assert bars(ax, WEIGHTS["standby"]) == {A: -1, B: -1}
    assert ax.get_xlabel() == "routes"
    assert "2 active and 2 standby routes on 2 connections" in ax.get_title("left")
    assert "50% of active destinations have a standby" in ax.get_title("left")


def test_thousands_of_connections_stay_readable(ax) -> None:
    """Only the top connections have a bar; the rest is one bar of their mean."""
    frame = routes(*((f"vco-{n:04}", f"10.{n % 256}.{n // 256}.0/24", 100) for n in range(2000)))
    frame = pd.concat([frame, routes(("vco-0007", "9.0.0.0/8", 0), ("vco-0007", "8.0.0.0/8", 0))])
    plots.weight_distribution(frame, ax, top=5)
    shown = bars(ax, WEIGHTS["standby"])
    assert len(shown) == 6
    assert shown["vco-0007"] == -2
    assert bars(ax, WEIGHTS["active"])["1995 others, mean"] == 1


def test_nothing_to_show(ax) -> None:
    """Empty frames give an empty plot with its labels, not an error."""
    plots.weight_distribution(routes(), ax)
    assert ax.get_xlabel() == "routes"
    other = Figure().subplots()
    plots.rollout_progress(schema.frame(schema.STEPS), other)
    assert other.get_title("left") == "0 of 0 steps done"


def steps(*rows: tuple) -> pd.DataFrame:
    """Return steps; a row is (state, sent, accepted, settled, ended), seconds or None."""
    stamps = ["sent_at", "accepted_at", "settled_at", "ended_at"]
    start = pd.Timestamp("2026-01-01", tz="UTC")
    columns: dict[str, object] = {
        "action": ["create"] * len(rows),
        "state": [row[0] for row in rows],
    }
    for place, name in enumerate(stamps, start=1):
        columns[name] = [
            pd.NaT if row[place] is None else start + pd.Timedelta(seconds=row[place])
            for row in rows
        ]
    return schema.frame(schema.STEPS, columns)


STEPS = steps(
    ("done", 0, 1, 4, 5),
    ("done", 2, 3, 5, 5),
    ("failed", 3, None, None, 4),
    ("pending", None, None, None, None),
    ("skipped", None, None, None, 6),
)


def brute(frame: pd.DataFrame, moment: float) -> dict[str, int]:
    """Count steps by state at a moment, one by one."""
    start = pd.Timestamp("2026-01-01", tz="UTC")
    counts: dict[str, int] = {}
    names = {"sent_at": "sent", "accepted_at": "accepted", "settled_at": "settled"}
    for row in frame.to_dict("records"):
        state = "pending"
        for column, name in [*names.items(), ("ended_at", row["state"])]:
            if not pd.isna(row[column]) and (row[column] - start).total_seconds() <= moment:
                state = name
        counts[state] = counts.get(state, 0) + 1
    return counts


def test_rollout_progress_layers() -> None:
    """At every moment the layers are the counts of a plain reading of the frame."""
    moments, layers = plots._layers(STEPS)
    for place, moment in enumerate(moments):
        got = {state: int(layer[place]) for state, layer in layers.items() if layer[place]}
        assert got == brute(STEPS, moment)


def test_rollout_progress_picture(ax) -> None:
    """Areas have the colours of their states; axes are labelled with units."""
    assert plots.rollout_progress(STEPS, ax) is ax
    drawn = {c.get_label(): to_hex(c.get_facecolor()[0]) for c in ax.collections}
    assert drawn == {name: STATES[name].lower() for name in drawn}
    assert set(drawn) == {"done", "failed", "skipped", "settled", "accepted", "sent", "pending"}
    assert ax.get_xlabel() == "time since the first call, seconds"
    assert ax.get_ylabel() == "steps"
    assert ax.get_ylim() == (0.0, 5.0)
    assert ax.get_title("left") == "2 of 5 steps done"


def test_units_grow() -> None:
    """Long rollouts are shown in minutes or hours."""
    assert plots._unit(90)[0] == "seconds"
    assert plots._unit(600)[0] == "minutes"
    assert plots._unit(9000)[0] == "hours"


def test_a_plot_without_axes_makes_a_figure_of_its_own() -> None:
    """Without ax= each call draws on a new figure and leaves the settings alone."""
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("agg")
    before = dict(mpl.rcParams)
    one = plots.weight_distribution(routes((A, "10.0.0.0/8", 100)))
    two = plots.rollout_progress(STEPS)
    assert one.figure is not two.figure
    assert dict(mpl.rcParams) == before
    assert np.isfinite(one.get_xlim()).all()
    pyplot.close("all")
