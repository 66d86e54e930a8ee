"""The algebra and the rules work on columns: four times the rows are no more steps of Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pandas as pd
import pytest

import vcokit as vk

FEW, MANY = 1_000, 4_000
WORK: dict[str, Callable[[pd.Series], object]] = {
    "network": lambda text: text.cidr.network,
    "prefix_length": lambda text: text.cidr.prefix_length,
    "flags": lambda text: text.cidr.flags,
    "to_cidr": lambda text: text.cidr.to_cidr(),
    "text": lambda text: text.cidr.to_cidr().astype("str"),
    "normalized": lambda text: text.cidr.normalized(),
    "overlaps": lambda text: text.cidr.overlaps(text.iloc[::-1]),
    "covered_by": lambda text: text.cidr.covered_by(text.iloc[::-1]),
    "closest_cover": lambda text: text.cidr.closest_cover(),
    "lookup": lambda text: text.cidr.lookup(text.str.partition("/")[0]),
    "aggregate": lambda text: text.cidr.aggregate(),
    "subtract": lambda text: text.cidr.subtract(text.iloc[::2]),
    "complement": lambda text: text.cidr.complement("10.0.0.0/8"),
    "audit": lambda text: vk.audit_routes(routes(text)),
}


def prefixes(rows: int) -> pd.Series:
    """Return prefixes that nest, repeat and stand side by side, some with host bits."""
    lengths = (16, 24, 24, 25, 32)
    cells = [f"10.{n % 7}.{n // 7 % 256}.{n % 3}/{lengths[n % 5]}" for n in range(rows)]
    return pd.Series(cells, dtype="str")


def routes(text: pd.Series) -> pd.DataFrame:
    """Return routes to prefixes, on a hundred connections."""
    names = "vco-" + pd.Series(range(len(text))).mod(100).astype("str")
    return pd.DataFrame(
        {
            "region_id": "cn-hangzhou",
            "vpn_connection_id": names,
            "route_dest": text,
            "next_hop": names,
            "weight": 100,
        }
    )


def steps(work: Callable[[], object]) -> int:
    """Return how many instructions of Python some work takes, in this thread."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", WORK)
def test_no_loop_over_rows(name: str) -> None:
    """What an operation costs beyond its columns does not grow with their rows."""
    few, many = prefixes(FEW), prefixes(MANY)
    WORK[name](few)  # what is loaded or made at the first use is no cost of rows
    assert steps(lambda: WORK[name](many)) < 1.3 * steps(lambda: WORK[name](few))


def test_a_loop_is_seen() -> None:
    """The count sees a loop, in a comprehension too."""
    cells = prefixes(MANY).tolist()
    assert steps(lambda: [cell for cell in cells]) > MANY  # noqa: C416
