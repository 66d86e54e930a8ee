"""How long tasks take: fixed, between, log-normal; by cloud, operation and connection."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist, median

import pytest

from vcokit.simulator import Connection, Route
from vcokit.simulator.durations import Between, Lognormal, read_duration

SKEWED = {"median": 3.0, "sigma": 0.5, "longest": 60.0}


def test_a_number_is_a_fixed_time():
    """Every draw gives it."""
    assert {read_duration(2).draw(Random(n)) for n in range(20)} == {2.0}


def test_two_numbers_are_a_range():
    """Draws fill it evenly, whether it came as a pair, a list or a table."""
    for written in ((2, 5), [2.0, 5.0], {"shortest": 2, "longest": 5}, Between(2.0, 5.0)):
        chance = Random(1)
        drawn = [read_duration(written).draw(chance) for _ in range(4000)]
        assert 2.0 <= min(drawn) < 2.01
        assert 4.99 < max(drawn) <= 5.0
        assert sum(drawn) / 4000 == pytest.approx(3.5, abs=0.05)


def test_a_skewed_time_has_its_median_and_its_tail():
    """Half lie below the median, and the logarithm spreads as sigma says (stdlib as oracle)."""
    chance, duration = Random(1), read_duration(SKEWED)
    drawn = sorted(duration.draw(chance) for _ in range(8000))
    assert median(drawn) == pytest.approx(3.0, rel=0.03)
    fitted = NormalDist.from_samples([math.log(seconds) for seconds in drawn])
    assert fitted.stdev == pytest.approx(0.5, rel=0.03)


def test_a_skewed_time_ends_somewhere():
    """The longest cuts the tail off, and a draw of nothing at all is no fault."""
    chance = Random(1)
    drawn = [Lognormal(3.0, 2.0, 10.0).draw(chance) for _ in range(500)]
    assert max(drawn) == 10.0
    assert drawn.count(10.0) > 50

    class Nothing(Random):
        def random(self) -> float:
            return 0.0

    assert 0.0 <= Lognormal(3.0, 0.5, 10.0).draw(Nothing()) < 1.0


def test_every_kind_takes_one_draw():
    """So that another duration somewhere moves no other task."""
    after = []
    for written in (2, (2, 5), SKEWED):
        chance = Random(7)
        read_duration(written).draw(chance)
        after.append(chance.random())
    assert len(set(after)) == 1


@pytest.mark.parametrize(
    "written",
    [
        -1,
        (5, 2),
        (1, 2, 3),
        "2",
        True,
        math.nan,
        (0, math.inf),
        {"median": 3},
        {"median": 0, "sigma": 1, "longest": 5},
        {"median": 9, "sigma": 1, "longest": 5},
        {"shortest": "a", "longest": 5},
        None,
        ["a", "b"],
    ],
)
def test_what_is_no_time_is_refused(written):
    """The message shows the three ways to write one."""
    with pytest.raises(ValueError, match=r"Write a time such as 2, .* \[2, 5\], or \{median"):
        read_duration(written)


def ends(cloud, number: int = 1) -> float:
    """Return when the task of a connection ends."""
    return cloud.cloud.sites(0.0)[number - 1].task.ends


def test_a_connection_s_time_wins_over_an_operation_s_over_the_cloud_s(world):
    """The more particular decides."""
    cloud = world(
        connections=[Connection("vco-1", task_seconds=2), Connection("vco-2")],
        routes=[Route("vco-2", "10.9.0.0/16")],
        task_seconds=9.0,
        durations={"CreateVcoRouteEntry": 5.0},
    )
    cloud.create(0.0)
    cloud.create(0.0, "vco-2")
    assert (ends(cloud, 1), ends(cloud, 2)) == (2.0, 5.0)
    cloud.delete(5.0, "vco-2", "10.9.0.0/16")
    assert ends(cloud, 2) == 14.0


def test_only_writes_have_a_duration(world):
    """A read has no task, and an unknown operation is a slip of the pen."""
    for name in ("DescribeRegions", "CreateRoute"):
        with pytest.raises(ValueError, match=f"duration of '{name}'. Name one of Create"):
            world(durations={name: 1.0})
