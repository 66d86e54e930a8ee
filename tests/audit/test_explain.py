"""One address: what is said to win is what a slow reading of the forwarding rules picks."""

from __future__ import annotations

import io
import ipaddress
import random
import re
from collections.abc import Collection
from html import unescape

import netaddr
import pandas as pd
import pytest

import vcokit as vk
from tests import strict_cidr
from tests.inventories import draw
from vcokit.errors import InputError

SIZES = [8, 9, 12, 16, 24, 32]


def tidy_routes(rng: random.Random, size: int) -> pd.DataFrame:
    """Return rows that all stand: one route a connection, region and network."""
    rows = {}
    for _ in range(size):
        length = rng.choice(SIZES)
        address = (10 << 24) | rng.choice([0, 0x010203, 0x800000, 0x010280])
        network = ipaddress.IPv4Network((address >> (32 - length) << (32 - length), length))
        region = rng.choice(["cn-a", "cn-b"])
        name = f"vco-{region[-1]}{rng.randrange(4)}"
        rows[name, network] = (region, name, str(network), name, rng.choice([0, 100]))
    columns = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
    return pd.DataFrame(list(rows.values()), columns=columns)


def winners(routes: pd.DataFrame, region: str, wanted: str, down: Collection[str] = ()) -> set[int]:
    """Pick the rows that win for an address or prefix, one row after the other."""
    asked = ipaddress.IPv4Network(wanted)
    able = [
        (ipaddress.IPv4Network(one.route_dest).prefixlen, one.weight, one.Index)
        for one in routes.itertuples()
        if one.region_id == region
        and one.vpn_connection_id not in down
        and asked.subnet_of(ipaddress.IPv4Network(one.route_dest))
    ]
    best = max((length, weight) for length, weight, _ in able) if able else None
    return {row for length, weight, row in able if (length, weight) == best}


@pytest.mark.parametrize("seed", range(6))
def test_winners_as_picked_by_hand(seed: int) -> None:
    """Winners, and what takes over from each, are those of a loop over all rows."""
    rng = random.Random(seed)
    routes = tidy_routes(rng, rng.randrange(1, 40))
    for wanted in ("10.1.2.3/32", "10.128.0.0/16", "10.1.2.128/25", "11.0.0.0/8"):
        found = vk.explain(routes, wanted)
        for region in ("cn-a", "cn-b"):
            here = found.routes[found.routes["region_id"] == region]
            wins = set(here.loc[here["verdict"] == "wins", "row"])
            assert wins == winners(routes, region, wanted)
            for name in routes.loc[list(wins), "vpn_connection_id"]:
                then = found.if_down[
                    (found.if_down["down"] == name) & (found.if_down["region_id"] == region)
                ]
                assert set(then["row"].dropna()) == winners(routes, region, wanted, [name])
                assert len(then) >= 1


@pytest.mark.parametrize("seed", range(4))
def test_every_row_that_touches_is_told_once(seed: int) -> None:
    """Of dirty inventories, all rows that touch are told, blocked ones as a plan blocks them."""
    asked = ipaddress.IPv4Network("10.1.0.0/16")
    routes = draw(random.Random(seed), 60, dirt=0.3).routes()
    told = vk.explain(routes, str(asked)).routes
    steps = vk.plan_routes(routes, routes.iloc[:0]).frame().dropna(subset="route_dest")
    networks = steps["route_dest"].map(strict_cidr.network_of)
    touching = steps[[bool(network) and network.overlaps(asked) for network in networks]]
    assert sorted(told["row"]) == sorted(touching["row"])
    blocked = touching.loc[touching["action"] == "blocked", "row"]
    assert set(told.loc[told["verdict"] == "blocked", "row"]) == set(blocked)


def scene() -> pd.DataFrame:
    """Return a pair, its cover, a longer prefix, a blocked row, and a row in another region."""
    text = """region_id,vpn_connection_id,route_dest,next_hop,weight
cn-a,vco-a,10.1.0.0/16,vco-a,100
cn-a,vco-b,10.1.0.0/16,vco-b,0
cn-a,vco-c,10.0.0.0/8,vco-c,100
cn-a,vco-a,10.1.2.0/24,vco-a,100
cn-a,vco-d,10.1.2.9/24,vco-d,100
cn-b,vco-e,10.1.0.0/16,vco-e,0
cn-a,vco-a,10.1.2.0/255.255.255.0,vco-a,100
cn-a,vco-a,10.9.0.0/255.255.0.0,vco-a,100
"""
    return pd.read_csv(io.StringIO(text))


def verdicts(found: vk.audit.Explanation) -> dict[int, str]:
    """Return verdicts by row."""
    return dict(zip(found.routes["row"], found.routes["verdict"], strict=True))


@pytest.mark.parametrize(
    ("address", "told", "then", "said"),
    [
        (
            "10.1.2.3",
            "3 wins,0 shadowed,1 shadowed,2 shadowed,4 blocked,5 wins",
            [1, "10.1.0.0/16", False],
            [
                "if vco-a is down: 10.1.0.0/16 on vco-b (weight 0, row 1) may take over",
                "if vco-e is down: no other route",
                "10.1.2.3/32 in cn-b",
            ],
        ),
        (
            "10.1.0.0/16",
            "0 wins,1 stands by,2 shadowed,3 inside,4 blocked,5 wins",
            [1, "10.1.0.0/16", True],
            [],
        ),
    ],
)
def test_an_address_and_a_prefix(address: str, told: str, then: list, said: list[str]) -> None:
    """The longest prefix wins; down with its connection, a shorter prefix may take over.

    Of a prefix, longer ones inside it decide for themselves, and the standby takes over. Findings
    of the rows that touch are told, and cells that were meant to; others are not.
    """
    found = vk.explain(scene(), address)
    assert verdicts(found) == {int(one[0]): one[2:] for one in told.split(",")}
    down = found.if_down.set_index("down")
    assert down.loc["vco-a", ["row", "route_dest", "sure"]].tolist() == then
    assert down.loc["vco-e", "row"] is pd.NA
    for words in said:
        assert words in repr(found)
    assert {4, 6} <= set(found.findings["row"]) <= {0, 1, 2, 3, 4, 5, 6}
    assert 7 in set(vk.audit_routes(scene())["row"])


def test_nothing_touches_it() -> None:
    """Where no route leads, or only blocked ones, is said; the frames keep their columns."""
    found, full = vk.explain(scene(), "192.0.2.1"), vk.explain(scene(), "10.1.2.3")
    assert repr(found) == "192.0.2.1/32: no route touches it"
    assert list(found.routes.columns) == list(full.routes.columns)
    assert (found.if_down.dtypes == full.if_down.dtypes).all()
    assert vk.explain(scene(), "0.0.0.1").routes.empty  # cells that hold no prefix touch nothing
    blocked = vk.explain(scene().iloc[[4]], "10.1.2.3")
    assert "no route wins" in repr(blocked)
    assert blocked.if_down.empty


def test_ways_to_ask() -> None:
    """Text, and the types of ipaddress and netaddr, ask the same; anything else is refused.

    The error has an example, says which argument is which, and holds no frame.
    """
    for kind in (" {} ".format, ipaddress.ip_network, netaddr.IPNetwork):
        assert vk.explain(scene(), kind("10.1.2.3/32")).address == "10.1.2.3/32"
    for kind in (str, ipaddress.ip_address, netaddr.IPAddress):
        assert vk.explain(scene(), kind("10.1.2.3")).address == "10.1.2.3/32"
    for wrong in ("headquarters", "", "10.1.2", "::1", "10.0.0.0/33", None):
        with pytest.raises(InputError, match="neither an IPv4 address nor a prefix"):
            vk.explain(scene(), wrong)
    with pytest.raises(InputError, match="takes the routes first") as caught:
        vk.explain("10.1.2.3", scene())
    assert "vk.explain(routes" in caught.value.remedy
    with pytest.raises(InputError, match="not a DataFrame") as caught:
        vk.explain(scene(), scene())
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "str") for name in ("verdict", "route_dest", "weight", "row", "source", "down")),
        *(("other", dtype) for dtype in ("str", "object", "category")),
    ],
)
def test_a_scope_may_be_called_anything(name: str, dtype: str) -> None:
    """A scope of a column by any name is the same scope by another name."""
    rows = scene().assign(line=range(2, 10))
    if name not in rows:
        rows[name] = pd.Series(list("abab" * 2), dtype=dtype)
    rows["zone"] = rows[name].astype("str")
    found, same = (vk.explain(rows, "10.1.2.3", scope=one) for one in (name, "zone"))
    assert verdicts(found) == verdicts(same)
    for mine, theirs in ((found.routes, same.routes), (found.if_down, same.if_down)):
        assert mine.columns.is_unique
        assert list(mine.columns)[1:] == list(theirs.columns)[1:]
        assert (mine.dtypes.iloc[1:] == theirs.dtypes.iloc[1:]).all()
        own = list(mine.columns)[1:]
        pd.testing.assert_frame_equal(
            *(one[own].sort_values(own, ignore_index=True) for one in (mine, theirs))
        )
    assert found.routes.columns[0] in (name, f"{name} (scope)")
    assert repr(found).count("10.1.2.3/32 in ") == rows["zone"].iloc[found.routes["row"]].nunique()


def test_other_scopes() -> None:
    """Destinations meet within the scope that is asked for; with no columns all rows are of one."""
    found = vk.explain(scene(), "10.1.2.3", scope=[])
    assert verdicts(found)[5] == "shadowed"
    assert repr(found).startswith("10.1.2.3/32\n")
    assert verdicts(vk.explain(scene(), "10.1.2.3", scope=["region_id"] * 2))[5] == "wins"
    rows = scene().assign(tr=["t1", "t2"] * 4)
    found = vk.explain(rows, "10.1.0.0/16", scope=["region_id", "tr"])
    assert verdicts(found)[1] == "wins"
    assert "in cn-a, t2" in repr(found)


def test_files_are_told_apart() -> None:
    """Where the frame is of several files, every line is told with its file; of one, without."""
    rows = scene().assign(line=[2, 3, 4, 5, 6, 7, 8, 9])
    rows["source"] = pd.Categorical(["a.csv"] * 3 + ["b.csv"] * 4 + [None])
    found = vk.explain(rows, "10.1.2.3")
    text = repr(found)
    assert re.search(r"wins  .*  b\.csv, line 5\n", text)
    assert "10.1.0.0/16 on vco-b (weight 0, a.csv, line 3) may take over" in text
    assert re.search(r"\n  b\.csv, line 6: error host-bits-set", text)
    assert found.routes["source"].tolist()[:1] == ["b.csv"]
    assert ".csv" not in repr(vk.explain(rows.assign(source="a.csv"), "10.1.2.3"))


def test_a_notebook_shows_the_same_lines() -> None:
    """As HTML an explanation has the lines of its text; in both, hostile cells are harmless."""
    routes = scene().assign(vpn_connection_id="<b>&", region_id="cn\x1b[31m")
    found = vk.explain(routes, "10.1.2.3")
    shown = found._repr_html_()
    lines = re.findall(r'<div style="white-space:pre-wrap[^"]*">(.*?)</div>', shown)
    assert [unescape(line) for line in lines] == repr(found).splitlines()
    assert "<b>" not in shown
    assert "\x1b" not in shown + repr(found)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (3, "down: 10.0.0.0/8 on vco-1 (weight 100, row 1) and 10.0.0.0/8 on vco-2"),
        (5_000, "if vco-0 is down: 10.0.0.0/8 on vco-1 (weight 100, row 1) and 4,998 more"),
    ],
)
def test_a_destination_of_many_connections_is_told_in_few_words(size: int, said: str) -> None:
    """Of many that take over the first is said, and how many there are; two or three are named.

    The frame that is printed is cut as well.
    """
    ids = [f"vco-{n}" for n in range(size)]
    given = {"region_id": "cn-a", "route_dest": "10.0.0.0/8", "next_hop": ids, "weight": 100}
    found = vk.explain(pd.DataFrame({"vpn_connection_id": ids} | given), "10.1.2.3")
    assert said in repr(found)
    assert len(repr(found).splitlines()) < 40
    assert set(found.if_down["routes"]) == {size - 1}
    assert found.if_down["down"].nunique() == len(found.routes) == size
    if size > 3:
        assert "… and 4,990 more" in repr(found)
        assert len(found.if_down) == 50_000
