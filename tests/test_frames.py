"""Frames have their columns whatever is in them, and what is handed over is taken or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import vcokit as vk
from tests.inventories import as_read, clean_rows, routes_frame
from vcokit.errors import InputError


def hand_made(**columns: object) -> pd.DataFrame:
    """Return routes as somebody types them in a notebook."""
    base = {
        "region_id": ["cn-hangzhou"],
        "vpn_connection_id": ["vco-0"],
        "route_dest": ["10.0.0.1/8"],
        "next_hop": ["vco-0"],
        "weight": [100],
    }
    return pd.DataFrame({**base, **columns})


def test_empty_frames(tmp_path: Path) -> None:
    """A frame without rows has every column that one with rows has, in order, with its dtype."""

    def frames(routes: pd.DataFrame) -> dict[str, pd.DataFrame]:
        with vk.Simulator.for_routes(hand_made(), speed=600.0) as cloud, vk.connect(cloud) as it:
            live = vk.live_routes(it, routes)
            plan = vk.plan_routes(routes, live)
            journal = tmp_path / f"{len(routes)}.db"
            rollout = vk.apply_plan(plan, it, journal=journal)
            return {
                "findings": vk.audit_routes(routes),
                "live routes": vk.live_routes(it, routes),
                "live connections": vk.live_connections(it, routes),
                "plan": plan.frame(),
                "differences": vk.verify_routes(routes, live),
                "steps": rollout.frame(),
                "calls": rollout.calls(),
            }

    full = frames(pd.concat([hand_made(), hand_made(route_dest="10.0.0.0/8")]))
    for name, empty in frames(hand_made().iloc[:0]).items():
        assert len(empty) == 0 < len(full[name]), name
        assert empty.dtypes.astype("str").to_dict() == full[name].dtypes.astype("str").to_dict()


def written(routes: pd.DataFrame) -> list[dict]:
    """Return routes as they are written, where a number is told from a text."""
    vk.write_routes(routes, file := io.StringIO(), format="jsonl")
    return [json.loads(line) for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("cell", "weight"),
    [
        (100, 100),
        (0.0, 0),
        ("100.0", 100),
        ("100.00", 100),
        ("-5", -5),
        ("abc", "abc"),
        ("0100", "0100"),
        ("+100", "+100"),
        ("1e2", "1e2"),
        ("１００", "１００"),
        ("-0", "-0"),
        ("100.5", "100.5"),
        (100.5, "100.5"),
        ("", None),
        (None, None),
        (np.nan, None),
        ("\u3000", None),
        ("9" * 18, int("9" * 18)),
        ("9" * 19, "9" * 19),
        (1e16, 10**16),
        (float("inf"), "inf"),
    ],
)
def test_weights(cell: object, weight: int | str | None) -> None:
    """What counts as an integer weight, and what is kept of what does not."""
    assert [row["weight"] for row in written(hand_made(weight=[cell]))] == [weight]


@given(some.lists(some.integers(-(10**17), 10**17), min_size=1))
def test_every_integer_is_itself(numbers: list[int]) -> None:
    """Any integer in its usual form is read as itself, with and without ``.0``."""
    for form in ("{}", "{}.0"):
        cells = [form.format(number) for number in numbers]
        routes = pd.concat([hand_made(weight=[cell]) for cell in [*cells, "abc"]])
        assert [row["weight"] for row in written(routes)] == [*numbers, "abc"]


@pytest.mark.parametrize("dtype", ["uint64", "UInt64", "object"])
def test_a_weight_beyond_all_integers_is_text(dtype: str) -> None:
    """A number that no int64 holds is kept as what it is, in every dtype that holds it."""
    weights = pd.Series([2**64 - 1, 100], dtype=dtype)
    routes = pd.concat([hand_made()] * 2, ignore_index=True).assign(weight=weights)
    assert [row["weight"] for row in written(routes)] == [str(2**64 - 1), 100]


def test_index_order_and_more_columns_do_no_harm() -> None:
    """Routes are the same with another index, order of columns, and columns of the user's own."""
    routes = routes_frame(map(as_read, clean_rows(2, 2))).assign(description="x")
    odd = routes.iloc[:, ::-1].assign(extra="1").set_axis(list("abcd"))
    assert written(odd) == [row | {"extra": "1"} for row in written(routes)]
    pd.testing.assert_frame_equal(vk.audit_routes(odd), vk.audit_routes(routes))


ROUTES, LIVE = hand_made(), hand_made(route_dest=["10.0.0.0/8"])


@pytest.mark.parametrize(
    ("take", "verb"),
    [
        (lambda it: vk.audit_routes(it), "read_routes"),
        (lambda it: vk.verify_routes(it, LIVE), "read_routes"),
        (lambda it: vk.plan_routes(it, LIVE), "read_routes"),
        (lambda it: vk.plan_routes(ROUTES, it), r"live_routes\(client, routes\)"),
        (lambda it: vk.verify_routes(ROUTES, it), r"live_routes\(client, routes\)"),
        (lambda it: vk.audit_routes(ROUTES, connections=it), "live_connections"),
        (lambda it: vk.apply_suggestions(ROUTES, it), "audit_routes"),
    ],
)
def test_what_is_no_frame_is_told_how_to_get_one(
    take: Callable[[object], object], verb: str
) -> None:
    """The remedy names the verb that makes the frame that was wanted, not any other."""
    with pytest.raises(InputError, match=f"must be a DataFrame, not list.*{verb}"):
        take([])
    with pytest.raises(InputError, match=f"must be a DataFrame, not tuple.*{verb}"):
        take(())
    with pytest.raises(InputError, match=f"lacks the column.*{verb}"):
        take(pd.DataFrame({"x": [1]}))


def test_missing_columns_are_named_all_at_once() -> None:
    """A frame that lacks columns, or has one twice, is refused, naming every one of them."""
    with pytest.raises(InputError, match=r"next_hop, weight"):
        vk.audit_routes(hand_made().drop(columns=["next_hop", "weight"]))
    twice = pd.concat([hand_made(), hand_made()[["weight"]]], axis=1)
    with pytest.raises(InputError, match="more than one column weight"):
        vk.audit_routes(twice)
    with pytest.raises(InputError, match=r"\(for scope=\) lacks the column hub.*read_routes"):
        vk.audit_routes(hand_made(), scope=["hub"])


def test_a_column_of_the_wrong_kind() -> None:
    """A line column that holds words is one clear error."""
    with pytest.raises(InputError, match="'line' cannot be read"):
        vk.audit_routes(hand_made(line=["first"]))
