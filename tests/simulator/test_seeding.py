"""A cloud for an inventory: which connections there are, where, and how large the quota is."""

from __future__ import annotations

import pandas as pd
import pytest

from vcokit.simulator import Route, Simulator

COLUMNS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


def inventory(*rows: tuple) -> pd.DataFrame:
    """Return rows of (region, connection, destination, weight) as a routes frame."""
    columns = {name: [] for name in COLUMNS}
    for region, connection, dest, weight in rows:
        for name, value in zip(
            COLUMNS, (region, connection, dest, connection, weight), strict=True
        ):
            columns[name].append(value)
    dtypes = dict.fromkeys(COLUMNS, "str") | {"weight": "Int64"}
    return pd.DataFrame(columns).astype(dtypes)


def test_each_well_formed_id_is_a_connection():
    """Malformed and missing ids make none; each other makes one, attached, in order."""
    rows = inventory(
        ("eu-west-1", "vco-b", "10.0.0.0/8", 100),
        ("eu-west-1", "vco-a****", "10.0.0.0/8", 0),
        ("eu-west-1", "vco-b", "rubbish", None),
        ("eu-west-1", "vpn-x", "10.0.0.0/8", 100),
        ("eu-west-1", "vco-", "10.0.0.0/8", 100),
        ("eu-west-1", None, "10.0.0.0/8", 100),
    )
    found = Simulator.for_routes(rows).connections()
    assert found["vpn_connection_id"].tolist() == ["vco-b", "vco-a****"]
    assert found["attach_type"].unique().tolist() == ["CEN"]
    assert found["state"].unique().tolist() == ["attached"]
    assert Simulator.for_routes(rows).routes().empty


def test_a_cloud_may_hold_routes_at_the_start():
    """Beside the inventory it is made for, a cloud takes the routes that are there already."""
    rows = inventory(("eu-west-1", "vco-b", "10.0.0.0/8", 100))
    cloud = Simulator.for_routes(rows, routes=[Route("vco-b", "10.1.0.0/16", 0)])
    assert cloud.routes()["route_dest"].tolist() == ["10.1.0.0/16"]


def test_the_region_is_that_of_the_first_row_that_names_one():
    """A missing region is no region; where no row names one the default is taken."""
    rows = inventory(
        (None, "vco-1", "10.0.0.0/8", 100),
        ("eu-west-1", "vco-1", "10.1.0.0/16", 100),
        ("us-east-1", "vco-1", "10.2.0.0/16", 100),
        (None, "vco-2", "10.0.0.0/8", 100),
        ("", "vco-3", "10.0.0.0/8", 100),
    )
    found = Simulator.for_routes(rows).connections().set_index("vpn_connection_id")
    assert found["region_id"].to_dict() == {
        "vco-1": "eu-west-1",
        "vco-2": "cn-hangzhou",
        "vco-3": "cn-hangzhou",
    }


def test_what_is_invented_is_plausible_and_comes_from_the_seed():
    """A transit router for each region, zones of the region, names of their own; repeatable."""
    rows = inventory(
        *(("cn-hangzhou", f"vco-{n}", "10.0.0.0/8", 100) for n in range(5)),
        ("ap-southeast-5", "vco-x", "10.0.0.0/8", 100),
    )
    found, again = (Simulator.for_routes(rows, seed=4).connections() for _ in range(2))
    pd.testing.assert_frame_equal(found, again)
    assert not found.equals(Simulator.for_routes(rows, seed=5).connections())
    assert found["name"].is_unique
    assert found.groupby("region_id")["transit_router_id"].nunique().tolist() == [1, 1]
    assert found["transit_router_id"].nunique() == 2
    assert found["zone"].str.fullmatch(r"cn-hangzhou-[abc]|ap-southeast-5[abc]").all()
    assert found["transit_router_id"].str.fullmatch("tr-[a-z0-9]{20}").all()


def test_the_quota_lets_the_inventory_in():
    """50, or the distinct rows of the largest connection; repeats and malformed ids count not."""
    small = inventory(*(("r", "vco-1", f"10.{n}.0.0/16", 100) for n in range(50)))
    assert Simulator.for_routes(small).quota == 50
    large = inventory(*(("r", "vco-1", f"10.{n}.0.0/16", 100) for n in range(60)))
    twice = pd.concat([large, large.assign(region_id="x"), small.assign(vpn_connection_id="bad")])
    assert Simulator.for_routes(twice).quota == 60
    assert Simulator.for_routes(large.assign(vpn_connection_id="bad")).quota == 50
    assert Simulator.for_routes(large, quota=7).quota == 7
    assert Simulator.for_routes(inventory()).quota == 50


def test_options_reach_the_simulator():
    """Speed and all other options are those of the constructor."""
    rows = inventory(("r", "vco-1", "10.0.0.0/8", 100))
    cloud = Simulator.for_routes(rows, speed=5.0, limits={"DescribeRegions": (1, 2.0)})
    assert cloud.speed == 5.0
    assert cloud.limits["DescribeRegions"] == (1, 2.0)
    assert Simulator.for_routes(rows).speed == 60.0


def test_dirty_cells_do_no_harm():
    """Numbers, objects and missing values in any column make a cloud all the same."""
    rows = pd.DataFrame(
        {
            "region_id": [1, None, "r", float("nan")],
            "vpn_connection_id": [2.5, None, "vco-1", "vco-1"],
            "route_dest": [None, 3, "10.0.0.0/8", ["x"]],
            "next_hop": [None] * 4,
            "weight": ["abc", None, 100, 1e300],
        },
        dtype=object,
    )
    found = Simulator.for_routes(rows).connections()
    assert found[["region_id", "vpn_connection_id"]].to_numpy().tolist() == [["r", "vco-1"]]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_lacks_is_named(column):
    """A frame that is no inventory is refused with the column and the remedy."""
    with pytest.raises(ValueError, match=f"lacks the column {column}.*read_routes"):
        Simulator.for_routes(inventory().drop(columns=column))


def test_what_is_no_frame_is_told():
    """A path in the place of a frame is refused with the remedy."""
    with pytest.raises(ValueError, match=r"must be a DataFrame, not str.*read_routes"):
        Simulator.for_routes("routes.csv")


def test_a_categorical_inventory_is_an_inventory():
    """Columns that a reader made categorical work like text."""
    rows = inventory(("eu-west-1", "vco-1", "10.0.0.0/8", 100)).astype("category")
    assert Simulator.for_routes(rows).connections()["region_id"].tolist() == ["eu-west-1"]
