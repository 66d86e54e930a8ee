"""The time that is left is told plainly, from pace or forecast; a pause counts in neither."""

from __future__ import annotations

import pandas as pd
import pytest

from vcokit.rollout.forecast import Forecast
from vcokit.widgets.rollout import Estimate, TimeLeft


def forecast(*settled: float, seconds: float) -> Forecast:
    """Return a forecast of steps that settle at some moments."""
    return Forecast(seconds, settled, {}, pd.DataFrame())


def follow(left: TimeLeft, *marks: tuple[float, int, bool]) -> Estimate | None:
    """Note moments, steps left and whether it moves; return the estimate."""
    for now, steps, moving in marks:
        left.note(now, steps, moving=moving)
    return left.estimate()


def test_too_early_to_tell() -> None:
    """Before five steps have settled nothing is said."""
    assert TimeLeft(100).estimate() is None
    assert follow(TimeLeft(100), (0.0, 100, True), (10.0, 96, True)) is None


def test_by_the_pace() -> None:
    """Ten steps in ten seconds: the ninety that are left take ninety."""
    assert follow(TimeLeft(100), (0.0, 100, True), (10.0, 90, True)) == Estimate(90.0, "the pace")


def test_the_pace_is_that_of_the_last_minute() -> None:
    """A slow beginning is forgotten: what counts is how it goes now."""
    left = TimeLeft(1000)
    for second in range(100):
        left.note(float(second), left=1000 - second // 10, moving=True)
    for second in range(100, 200):
        left.note(float(second), left=1090 - second, moving=True)
    found = left.estimate()
    assert found is not None
    assert found.seconds == pytest.approx(891, rel=0.02)


def test_a_pause_counts_in_neither() -> None:
    """An hour's pause changes nothing about how long the rest takes once it goes on."""
    moving = follow(TimeLeft(100), (0.0, 100, True), (10.0, 90, True))
    left = TimeLeft(100)
    paused = follow(left, (0.0, 100, True), (10.0, 90, True), (3610.0, 90, False))
    assert paused == moving
    by = follow(
        TimeLeft(10, forecast(*range(1, 11), seconds=12.0)),
        (0.0, 10, True), (10.0, 5, True), (99.0, 5, False),
    )  # fmt: skip
    assert by == Estimate(14.0, "the forecast")


def test_a_long_lane_at_the_end_is_foreseen() -> None:
    """Half the steps settle in a tenth of the time; the forecast knows, the pace does not."""
    course = (*(n / 10 for n in range(1, 51)), *(5 + n for n in range(1, 51)))
    marks = ((0.0, 100, True), (10.0, 50, True))
    by_pace = follow(TimeLeft(100), *marks)
    by_forecast = follow(TimeLeft(100, forecast(*course, seconds=55.0)), *marks)
    assert by_pace == Estimate(10.0, "the pace")
    assert by_forecast == Estimate(100.0, "the forecast")


def test_after_a_resume_the_forecast_counts_from_there() -> None:
    """Steps that settled in an earlier run say nothing about the pace of this one."""
    left = TimeLeft(100, forecast(*map(float, range(1, 101)), seconds=100.0))
    assert follow(left, (0.0, 50, True), (20.0, 40, True)) == Estimate(80.0, "the forecast")


def test_a_forecast_of_another_plan_is_not_believed() -> None:
    """Where its steps are not those of the rollout, the pace is asked."""
    left = TimeLeft(100, forecast(1.0, 2.0, seconds=2.0))
    assert follow(left, (0.0, 100, True), (10.0, 90, True)) == Estimate(90.0, "the pace")


def test_nothing_left() -> None:
    """At the end nothing is left."""
    found = follow(TimeLeft(10), (0.0, 10, True), (5.0, 0, True))
    assert found is not None
    assert found.seconds == 0.0
