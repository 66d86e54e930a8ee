"""What blocks a row of a plan is said in the row's own step."""

from __future__ import annotations

import pandas as pd

import vcokit as vk


def plan(*rows: tuple[str, str, int]) -> pd.DataFrame:
    """Return the steps of a plan for rows of one connection: destination, next hop, weight."""
    routes = pd.DataFrame(rows, columns=["route_dest", "next_hop", "weight"])
    routes = routes.assign(region_id="r", vpn_connection_id="vco-a")
    return vk.plan_routes(routes, routes.iloc[:0]).steps


def test_a_warning_blocks_nothing() -> None:
    """A row past the usual quota, and one of special purpose, are made."""
    steps = plan(
        *((f"10.{n}.0.0/16", "vco-a", 100) for n in range(51)), ("127.0.0.0/8", "vco-a", 0)
    )
    assert set(steps["action"]) == {"create"}


def test_a_blocked_row_names_all_its_errors() -> None:
    """Of each error its rule and message, in the order of the rules; a row without has none."""
    steps = plan(("10.0.0.0/8", "vco-a", 100), ("11.0.0.1/8", "vco-b", 7))
    assert steps["action"].tolist() == ["create", "blocked"]
    assert steps["message"].isna().tolist() == [True, False]
    assert steps["message"][1] == (
        "invalid-weight: weight '7' is neither 0 (standby) nor 100 (active); "
        "host-bits-set: 11.0.0.1/8 has host bits set; its network is 11.0.0.0/8; "
        "next-hop-mismatch: next hop vco-b is not the connection vco-a; may be refused"
    )


def test_of_rows_that_disagree_each_says_so() -> None:
    """The first has no finding of its own, and is blocked all the same; the later names it."""
    steps = plan(("10.0.0.0/8", "vco-a", 100), ("10.0.0.0/8", "vco-a", 0))
    assert steps["action"].tolist() == ["blocked", "blocked"]
    assert steps["message"].tolist() == [
        "a later row gives the same route another weight or next hop",
        "weight-conflict: row 0 gives the same route the weight 100",
    ]


def test_a_repeat_of_a_row_in_error_is_made() -> None:
    """The first row without an error is the one that is made, the rows after it are repeats."""
    cells = ["10.0.0.1/8", "10.0.0.0/8", "10.0.0.0/8"]
    steps = plan(*((cell, "vco-a", 100) for cell in cells))
    assert steps["action"].tolist() == ["blocked", "create", "blocked"]
    assert steps["message"][2] == "duplicate: same route as row 0"
