"""Rate limits: a sliding window, exact at its edges."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcokit.simulator.codes import Refusal
from vcokit.simulator.limits import RateLimits

LIMIT = {"DescribeRegions": (3, 10.0)}


def admitted(limits: RateLimits, now: float, region: str = "r") -> float | None:
    """Return None where a call passes, else how long it shall wait."""
    try:
        limits.admit("1", region, "DescribeRegions", now)
    except Refusal as refusal:
        return refusal.retry_after
    return None


def test_the_window_is_exact_at_its_edges():
    """The fourth call passes when the first is ten seconds old, and not a microsecond sooner."""
    limits = RateLimits(LIMIT)
    assert [admitted(limits, now) for now in (0.1, 4.0, 10.0)] == [None] * 3
    assert admitted(limits, 10.0) == pytest.approx(0.1, abs=1e-9)
    assert admitted(limits, 10.099999) == pytest.approx(0.000001, abs=1e-9)
    assert admitted(limits, 10.1) is None
    assert admitted(limits, 13.999) == pytest.approx(0.001, abs=1e-9)


def test_throttled_calls_do_not_count():
    """A client that hammers is let in as soon as one that waits."""
    limits = RateLimits(LIMIT)
    assert [admitted(limits, 0.0) for _ in range(3)] == [None] * 3
    assert all(admitted(limits, now / 10) for now in range(100))
    assert admitted(limits, 10.0) is None


@given(st.lists(st.integers(0, 40_000), max_size=60).map(sorted))
def test_no_window_holds_more_than_the_limit(milliseconds):
    """Any three seconds hold at most the limit, and nothing is refused below it (slow oracle)."""
    limits = RateLimits({"DescribeRegions": (4, 3.0)})
    passed: list[int] = []
    for now in milliseconds:
        in_window = len(passed) - bisect_right(passed, now - 3000)
        wait = admitted(limits, now / 1000)
        assert (wait is None) == (in_window < 4)
        if wait is None:
            passed.append(now)
        else:
            oldest = passed[bisect_right(passed, now - 3000)]
            assert wait == pytest.approx((oldest + 3000 - now) / 1000)


@given(st.lists(st.floats(0, 50, allow_nan=False), min_size=1, max_size=40).map(sorted))
def test_waiting_as_long_as_told_is_enough(times):
    """Whoever waits the time of the refusal passes."""
    limits = RateLimits(LIMIT)
    now = 0.0
    for at in times:
        now = max(now, at)
        wait = admitted(limits, now)
        if wait is not None:
            now += wait
            assert admitted(limits, now) is None


def test_accounts_regions_and_operations_are_counted_apart(world):
    """A window belongs to one account, one region and one operation."""
    cloud = world(limits={"DescribeVpnConnections": (1, 60.0), "DescribeVpnAttachments": (1, 60.0)})

    def code(operation: str, region: str, account: str) -> str:
        return cloud.call(operation, {"RegionId": region}, account=account).code

    assert code("DescribeVpnConnections", "cn-hangzhou", "1") == ""
    assert code("DescribeVpnConnections", "cn-hangzhou", "1") == "Throttling.User"
    assert code("DescribeVpnConnections", "eu-west-1", "1") == ""
    assert code("DescribeVpnConnections", "cn-hangzhou", "2") == ""
    assert code("DescribeVpnAttachments", "cn-hangzhou", "1") == ""


def test_refused_calls_count(world):
    """A call that is refused for its parameters has used the limit up like any other."""
    cloud = world(limits={"CreateVcoRouteEntry": (2, 60.0)})
    assert cloud.create(0.0, Weight="1").code == "InvalidWeight"
    assert cloud.create(0.0).status == 200
    throttled = cloud.create(1.5, "vco-2")
    assert (throttled.status, throttled.code) == (400, "Throttling.User")
    assert throttled.retry_after == 58.5


def test_limits_can_be_changed_one_by_one(world):
    """A changed limit leaves the others as the vendor has them."""
    limits = world(limits={"DeleteVcoRouteEntry": (5, 1.0)}).cloud.limits
    assert limits["DeleteVcoRouteEntry"] == (5, 1.0)
    assert limits["ModifyVcoRouteEntryWeight"] == (120, 60.0)
