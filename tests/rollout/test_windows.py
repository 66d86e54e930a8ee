"""Windows: nothing new is sent outside of them, and what waits goes on by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from tests.rollout.play import LIMITS
from vcokit import schema
from vcokit.errors import InputError
from vcokit.rollout.messages import Finished, List, Listed, Poll, Polled, Send, TimedOut
from vcokit.rollout.options import Options
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import Route, Step
from vcokit.rollout.windows import Timetable, Window, next_change

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MINUTE, HOUR = 60.0, 3600.0
NAMES = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


def epoch(text: str, zone: str = "UTC") -> float:
    """Return when clocks of a zone show a time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def is_open(texts: list[tuple[list[str], int, int, str]], at: float) -> bool:
    """Look at a clock of each window's zone; the day is that on which the window began."""
    for days, begin, end, zone in texts:
        local = datetime.fromtimestamp(at, ZoneInfo(zone))
        minute, today = local.hour * 60 + local.minute, DAYS[local.weekday()]
        yesterday = DAYS[local.weekday() - 1]
        over = end <= begin
        if today in days and begin <= minute and (over or minute < end):
            return True
        if over and yesterday in days and minute < end:
            return True
    return False


WINDOWS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
        st.integers(0, 1439),
        st.integers(0, 1439),
        st.sampled_from(["UTC", "Asia/Shanghai", "Asia/Kolkata", "America/Phoenix"]),
    ).filter(lambda one: one[1] != one[2]),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60)
@given(WINDOWS, st.integers(0, 7 * 24 * 60))
def test_open_and_closed_as_a_clock_on_the_wall_says(
    texts: list[tuple[list[str], int, int, str]], minute: int
) -> None:
    """It is open when the clocks of a zone say so, and stays as it is until the time told."""
    at = epoch("2026-11-23T00:00") + minute * MINUTE
    windows = [
        Window.parse(f"{','.join(d)} {b // 60}:{b % 60:02}-{e // 60:02}:{e % 60:02} {zone}")
        for d, b, e, zone in texts
    ]
    found, until = next_change(windows, at)
    assert found == is_open(texts, at)
    assert until > at
    step = max(1, int((until - at) / MINUTE / 50))
    for ahead in range(0, int(min(until - at, 7 * 24 * HOUR) / MINUTE), step):
        assert is_open(texts, at + ahead * MINUTE) == found
    if until - at < 7 * 24 * HOUR:
        assert is_open(texts, until) != found


def test_clocks_that_are_set_back_and_forward() -> None:
    """A night in which clocks change has its window by those clocks."""
    window = [Window.parse("01:00-05:00 Europe/Berlin")]
    for night, hours in (("2026-03-29", 3), ("2026-10-25", 5), ("2026-11-25", 4)):
        at = epoch(f"{night}T01:00", "Europe/Berlin")
        assert next_change(window, at) == (True, at + hours * HOUR)


def test_a_clock_that_is_set_while_it_waits() -> None:
    """The window opens when the clock on the wall says so, also after that clock was set back."""
    table = Timetable(["01:00-02:00 UTC"])
    assert table.update(now=0.0, at=50 * MINUTE) == 0.0
    assert table.opens_at == 10 * MINUTE
    assert table.update(now=10 * MINUTE, at=55 * MINUTE) is None
    assert (table.is_open, table.opens_at) == (False, 15 * MINUTE)
    assert table.update(now=15 * MINUTE, at=60 * MINUTE) == 15 * MINUTE
    assert (table.is_open, table.opens_at) == (True, None)


@pytest.mark.parametrize(
    "text",
    ["", "22:00", "22:00-05:00", "25:00-05:00 UTC", "22:60-05:00 UTC", "22:00-22:00 UTC",
     "22:00-24:01 UTC", "Moon 22:00-05:00 UTC", "22:00-05:00 Mars/Base", "22:00-05:00 ../etc", 7],
)  # fmt: skip
def test_what_is_no_window_is_one_error(text: object) -> None:
    """The error says what a window looks like."""
    with pytest.raises(InputError, match="Asia/Shanghai"):
        Window.parse(text)  # type: ignore[arg-type]


def test_a_forecast_waits_for_the_windows() -> None:
    """No step is sent outside; three nights are used; the time between counts."""
    cells = [("cn-hangzhou", "vco-a", f"10.{n}.0.0/16", "vco-a", 100) for n in range(100)]
    plan = vk.plan_routes(pd.DataFrame(cells, columns=NAMES), schema.frame(schema.LIVE_ROUTES))
    begin = epoch("2026-11-25T12:00")
    windows = ["23:58-00:01 UTC"]
    found = vk.forecast(plan, task_seconds=3.0, windows=windows, begin=begin)
    times = begin + found.times["sent"]
    assert times.notna().all()
    clock = [datetime.fromtimestamp(at, UTC) for at in times]
    assert {(one.hour, one.minute) for one in clock} == {(23, 58), (23, 59), (0, 0)}
    assert len({one.date() for one in clock if one.hour}) == 3
    assert 2 * 24 * HOUR < found.seconds < 3 * 24 * HOUR
    assert vk.forecast(plan, task_seconds=3.0).seconds < HOUR


class Night:
    """A scheduler of two creates on one connection, in a window from 01:00 to 02:00 of day one."""

    def __init__(self) -> None:
        steps = [Step(n, "create", "r", "vco-a", f"10.{n}.0.0/16", "h", 100) for n in range(2)]
        self.steps = steps
        options = Options.in_force().wishing(windows="01:00-02:00 UTC")
        self.scheduler = Scheduler(steps, {}, LIMITS, options)
        self.now = 0.0

    def tell(self, *inputs: object, at: float | None = None) -> list[object]:
        """Tell something, at a time or a moment later; return what it asks for."""
        self.now = self.now + 1.0 if at is None else at
        return list(self.scheduler.advance(inputs, self.now, self.now).decisions)  # type: ignore[arg-type]


def test_it_waits_looks_again_and_goes_on() -> None:
    """Before the window it lists, and waits; at its opening it lists anew before it sends."""
    night = Night()
    assert night.tell()[0] == List("vco-a", 1)
    night.tell(Listed("vco-a", 1, (), 0))
    (wake,) = night.tell(Polled("vco-a", "attached"))
    assert wake.time == HOUR
    assert night.scheduler.steered == "waiting"
    asked = night.tell(at=HOUR)
    assert asked[0] == List("vco-a", 1)
    assert Send(0, 0) in night.tell(Listed("vco-a", 1, (), 0))
    assert night.scheduler.steered is None


def test_what_changed_while_it_waited_is_stale() -> None:
    """Routes that somebody made before the window opened end it before anything is sent."""
    night = Night()
    night.tell()
    night.tell(Listed("vco-a", 1, (), 0))
    night.tell(Polled("vco-a", "attached"))
    assert night.tell(at=HOUR)[0] == List("vco-a", 1)
    (end,) = night.tell(Listed("vco-a", 1, (Route("10.0.0.0/16", "h", 100),), 1))
    assert isinstance(end, Finished)
    assert (end.reason, len(end.differences)) == ("stale", 1)


def test_a_lost_write_that_arrives_while_it_waits_is_its_own() -> None:
    """What was sent once without an answer may show up hours later: it is done, and not stale."""
    night = Night()
    night.tell()
    night.tell(Listed("vco-a", 1, (), 0))
    night.tell(Polled("vco-a", "attached"))
    night.tell(at=HOUR)
    assert Send(0, 0) in night.tell(Listed("vco-a", 1, (), 0), at=2 * HOUR - 10)
    asked = night.tell(TimedOut(0, True, "no answer"), at=2 * HOUR + 10)
    while night.scheduler.connections["vco-a"].unresolved:  # the window has closed: it only looks
        if List("vco-a", 1) in asked:
            asked = night.tell(Listed("vco-a", 1, (), 0))
        elif Poll("vco-a") in asked:
            asked = night.tell(Polled("vco-a", "attached"))
        else:
            asked = night.tell()
    assert night.scheduler.steered == "waiting"
    assert night.tell(at=25 * HOUR)[0] == List("vco-a", 1)
    asked = night.tell(Listed("vco-a", 1, (Route("10.0.0.0/16", "h", 100),), 1))
    assert not [one for one in asked if isinstance(one, Finished)]


def test_the_journal_keeps_them(tmp_path) -> None:
    """Who resumes has the same windows, or those that are given."""
    routes = pd.DataFrame([("cn-hangzhou", "vco-a", "10.0.0.0/8", "vco-a", 100)], columns=NAMES)
    with vk.Simulator.for_routes(routes, speed=1000.0) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        path = tmp_path / "rollout.db"
        vk.Rollout(plan, client, journal=path, windows="22:00-05:00 Asia/Shanghai").close()
        with_same = vk.Rollout.open(path, client)
        assert with_same.options.windows == ("22:00-05:00 Asia/Shanghai",)
        with_same.close()
        rollout = vk.Rollout.open(path, client, windows=None).start().wait()
        assert set(rollout.frame()["state"]) == {"done"}
        with pytest.raises(InputError, match="is not a window"):
            vk.Rollout(plan, client, journal=tmp_path / "other.db", windows="at night")
