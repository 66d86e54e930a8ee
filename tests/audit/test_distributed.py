"""A Dask frame is audited as one machine would audit it: the same findings, to the letter."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pytest

import vcokit as vk
from tests.inventories import draw
from vcokit import schema

LIVE = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
CONNECTION = ["vpn_connection_id", "region_id", "state", "attach_type", "transit_router_id"]
CONNECTION += ["attached", "name"]
INVENTORIES = 8
#: Partitions of an inventory, by its seed; with seven an audit takes longest.
PARTITIONS = (1, 2, 7, 1, 2)


@pytest.fixture(autouse=True)
def here() -> Iterator[None]:
    """Let one thread do all the work, and the partitions change hands in memory."""
    with dask.config.set({"scheduler": "synchronous", "dataframe.shuffle.method": "tasks"}):
        yield


@vk.rule(severity="error", column="weight")
def standby(routes: pd.DataFrame) -> pd.Series:
    """The route is a standby route."""
    return routes["weight"] == 0


def partitioned(routes: pd.DataFrame, count: int) -> Any:
    """Return a frame in so many partitions of different sizes, some of them empty perhaps."""
    places = sorted(random.Random(count).choices(range(len(routes) + 1), k=count - 1))
    bounds = [0, *places, len(routes)]
    parts = [routes.iloc[a:b] for a, b in pairwise(bounds)]
    return dd.from_map(lambda part: part, parts, meta=routes.iloc[:0])


def assert_same(routes: pd.DataFrame, count: int, **given: Any) -> None:
    """Assert that a frame in partitions has the findings that it has in one piece."""
    found = vk.audit_routes(partitioned(routes, count), **given)
    assert isinstance(found, dd.DataFrame)
    assert found.npartitions == count
    wanted = vk.audit_routes(routes, **given)
    result = found.compute().reset_index(drop=True)
    assert dict(found.dtypes.drop("source")) == dict(wanted.dtypes.drop("source"))
    for frame in (result, wanted):
        frame["source"] = frame["source"].astype("str")
        frame.attrs = {}
    pd.testing.assert_frame_equal(result, wanted)


def drawn(seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a random inventory with what an audit may be told, and further columns."""
    chance = random.Random(seed)
    inventory = draw(chance, 40, dirt=chance.choice((0.0, 0.1, 0.3)))
    routes = inventory.routes()
    routes["site"] = [chance.choice(("a", "b")) for _ in range(len(routes))]
    routes["source"] = [chance.choice(("a.csv", "b.csv", None)) for _ in range(len(routes))]
    routes.loc[[chance.random() < 0.3 for _ in range(len(routes))], "line"] = pd.NA
    routes["source"] = routes["source"].astype("category")
    live = pd.DataFrame(inventory.live_rows(), columns=LIVE)
    connections = pd.DataFrame(inventory.connection_rows(), columns=CONNECTION)
    return routes, {"live": live, "connections": connections, "quota": inventory.quota}


def ways(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ways in which an inventory is audited here."""
    scope = ("region_id", "site")
    return [{}, told, {"scope": scope}, {"rules": [standby], "scope": "site", **told}]


@pytest.mark.parametrize("seed", range(INVENTORIES))
def test_findings_are_those_of_one_machine(seed: int) -> None:
    """On a random inventory each finding is the same, messages too, whatever the audit is told."""
    routes, told = drawn(seed)
    assert_same(routes, PARTITIONS[seed % 5], **ways(told)[seed % 4])


def test_networks_wider_than_a_partition_reach_all_of_it() -> None:
    """The shortest networks cover what is in every stretch of addresses, and are found once."""
    nets = ["0.0.0.0/1", "128.0.0.0/1", *(f"{n}.0.0.0/{4 + n % 5}" for n in range(0, 256, 16))]
    nets += [f"{n}.{n % 7}.0.0/16" for n in range(1, 250, 3)]
    routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
        "route_dest": nets, "next_hop": "vco-a", "weight": 100})  # fmt: skip
    routes.loc[:5, "weight"] = 0  # so that the widest have findings of their own
    assert_same(routes.sample(frac=1, random_state=1), 7)


def test_what_cannot_be_audited_is_said_at_once() -> None:
    """A lacking column, an unknown rule or quota is an error before anything is computed."""
    routes = partitioned(drawn(1)[0], 2)
    for given in ({"scope": "town"}, {"rules": "x"}, {"quota": -1}):
        with pytest.raises(vk.errors.InputError):
            vk.audit_routes(routes, **given)
    with pytest.raises(vk.errors.InputError, match="lacks the column weight"):
        vk.audit_routes(routes.drop(columns="weight"))


def test_empty_frames_have_no_findings() -> None:
    """A Dask frame without rows has no findings, in all columns."""
    assert_same(schema.frame(schema.ROUTES), 2)


def test_many_files_are_one_frame(tmp_path: Path) -> None:
    """Files are partitions, in the order of their names, with the findings of `read_routes`."""
    data = vk.read_routes(Path(__file__).parents[2] / "data" / "routes-small.csv")
    for number in range(3):
        vk.write_routes(data.iloc[number * 15 : number * 15 + 15], tmp_path / f"{number}.csv")
    routes = vk.read_partitions(tmp_path / "*.csv")
    assert routes.npartitions == 3
    whole = vk.read_routes(tmp_path / "*.csv")
    result = vk.audit_routes(routes).compute().reset_index(drop=True)
    wanted = vk.audit_routes(whole)
    for frame in (result, wanted):
        frame["source"] = frame["source"].astype("str")
    pd.testing.assert_frame_equal(result, wanted)
    assert len(result) > 20
    with pytest.raises(vk.errors.InputError):
        vk.read_partitions(tmp_path / "none.csv")


def test_nothing_of_dask_is_loaded_without_a_dask_frame() -> None:
    """An audit of a pandas frame loads no Dask; without Dask, reading for it says what to do."""
    code = (
        "import sys, vcokit as vk\n"
        "routes = vk.read_routes('region,connection,cidr,weight\\ncn-a,vco-a,10.0.0.1/8,100\\n')\n"
        "assert len(vk.audit_routes(routes)) == 1\n"
        "assert not any(name.partition('.')[0] == 'dask' for name in sys.modules)\n"
        "sys.modules['dask'] = None\n"
        "try:\n    vk.read_partitions('x.csv')\n"
        "except vk.errors.InputError as error:\n    assert 'vcokit[dask]' in str(error)\n"
        "else:\n    raise SystemExit(3)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
