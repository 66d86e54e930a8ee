"""What live connections say of rows, and what it is to name a connection by its name."""

from __future__ import annotations

import io
import random

import pandas as pd
import pytest

import vcokit as vk
from tests.inventories import routes_frame
from vcokit.errors import InputError
from vcokit.simulator import Connection

REGION = "cn-hangzhou"


def connections(*cells: tuple, **more: object) -> pd.DataFrame:
    """Return live connections: id, name and region of each, and columns by name."""
    columns = pd.DataFrame(cells, columns=["vpn_connection_id", "name", "region_id"])
    return columns.assign(**more)


def routes(*cells: tuple) -> pd.DataFrame:
    """Return routes: connection, next hop, perhaps region of each, with networks of their own."""
    names = ["vpn_connection_id", "next_hop", "region_id"]
    rows = [dict(zip(names, (*one, REGION), strict=False)) for one in cells]
    more = ({"route_dest": f"10.{number}.0.0/16", "weight": 100} for number in range(len(rows)))
    return routes_frame(row | cell for row, cell in zip(rows, more, strict=True))


def found(rows: pd.DataFrame, known: pd.DataFrame) -> list[tuple]:
    """Return row and rule of the findings, with a suggestion where there is one."""
    part = vk.audit_routes(rows, connections=known)[["row", "rule", "suggestion"]].astype("object")
    return list(part.where(part.notna(), None).itertuples(index=False, name=None))


A, B = ("vco-a", None, REGION), ("vco-b", None, REGION)
ONE = routes(("vco-a", "vco-a"))
TWO = routes(("vco-a", "vco-a"), ("vco-b", "vco-b"))

# -- attached, there and here ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attached", "attach_type", "router", "is_attached"),
    [
        (True, "VPNGW", None, True),
        (False, "CEN", "tr-1", False),
        (None, "CEN", "tr-1", True),
        (None, "CEN", None, False),
        (None, "VPNGW", "tr-1", False),
        (None, None, None, False),
    ],
)
def test_the_column_attached_decides(attached, attach_type, router, is_attached) -> None:
    """Where `attached` is told it decides; else the type and the transit router do."""
    told = pd.array([attached], dtype="boolean")
    known = connections(A, attached=told, attach_type=[attach_type], transit_router_id=[router])
    assert found(ONE, known) == ([] if is_attached else [(0, "not-attached", None)])


@pytest.mark.parametrize("values", [[True, False], [1, 0], [1.0, 0.0]])
def test_attached_in_any_dtype(values: list) -> None:
    """True and false mean the same in every dtype that can hold them; else it is refused."""
    known = connections(A, B, attached=values)
    assert found(TWO, known) == [(1, "not-attached", None)]
    with pytest.raises(InputError, match="attached"):
        vk.audit_routes(TWO, connections=known.assign(attached="perhaps"))


@pytest.mark.parametrize(
    ("rows", "known", "expected"),
    [
        (ONE, connections(A).drop(columns="name"), []),
        (
            routes((None, "vco-a"), ("vco-a", "vco-a")),
            connections((None, None, REGION), ("vco-a", None, None), attached=[False, True]),
            [(0, "missing-value", None)],
        ),
        (ONE, connections(), [(0, "unknown-connection", None)]),
        (routes(), connections(), []),
        (
            ONE,
            connections(("vco-b", None, "q"), ("vco-a", None, "eu-central-1")),
            [(0, "wrong-region", "eu-central-1")],
        ),
    ],
    ids=[
        "ids and regions alone",
        "no id is not a connection",
        "none is live",
        "no rows",
        "elsewhere",
    ],
)
def test_where_connections_are(rows: pd.DataFrame, known: pd.DataFrame, expected: list) -> None:
    """Each row is told what is wrong with its connection, and nothing that nobody said."""
    assert found(rows, known) == expected


def test_a_region_that_nobody_asked_for_is_told() -> None:
    """Where the frame tells which regions were asked for, a row of another one hears of that."""
    known = connections(A)
    rows = routes(("vco-b", "vco-b", "eu-central-1"), ("vco-c", "vco-c"))
    assert "asked" not in " ".join(vk.audit_routes(rows, connections=known)["message"])
    known.attrs["regions"] = [REGION]
    message = vk.audit_routes(rows, connections=known)["message"]
    assert message[0].endswith("; region eu-central-1 was not asked for")
    assert message[1] == "vco-c is not among the live connections"


# -- by name --------------------------------------------------------------------------------------

NAMED = pd.read_csv(
    io.StringIO(
        """vpn_connection_id,name,region_id
vco-a,Depot,cn-hangzhou
vco-b,shop,cn-hangzhou
vco-c,Shop,cn-hangzhou
vco-d,depot,eu-central-1
vco-e,工厂 7,cn-hangzhou
vco-f,vco-old,cn-hangzhou
vco-g,,cn-hangzhou
vco-h,harbour,eu-central-1
"""
    )
)
COLUMNS = ["region_id", "vpn_connection_id", "next_hop"]


def by_loop(known: list[tuple], cell: str | None, region: str | None) -> str | None:
    """Return the id that a cell means: of the one connection of its name, where there is one."""
    if cell is None or cell.startswith("vco-"):
        return cell
    owners = {
        id_
        for id_, name, where in known
        if name and where and name.lower() == cell.lower() and region in (where, None)
    }
    return owners.pop() if len(owners) == 1 else cell


@pytest.mark.parametrize("seed", range(40))
def test_a_name_of_one_connection_becomes_its_id(seed: int) -> None:
    """In any case, the region telling two of one name apart; all else is left, as by a loop.

    A shared name, an unknown one, one of another region, and an id are no such names.
    """
    rng = random.Random(seed)
    regions, names = ["q", "r", None], ["工厂 7", "One", "one", "drei", "vco-a", "vco-3", None]
    known = [(f"vco-{n}", rng.choice(names), rng.choice(regions)) for n in range(rng.randrange(7))]
    cells = [
        [rng.choice(regions), rng.choice([*names, "vco-1"]), rng.choice([*names, "vco-1"])]
        for _ in range(rng.randrange(30))
    ]
    rows = pd.DataFrame(cells, columns=COLUMNS, dtype="str")
    ids = vk.with_connection_ids(rows, connections(*known))[COLUMNS].astype("object")
    assert ids.where(ids.notna(), None).to_numpy().tolist() == [
        [region, by_loop(known, connection, region), by_loop(known, hop, region)]
        for region, connection, hop in cells
    ]


def test_columns_in_several_pieces() -> None:
    """Frames that were put together, whose columns Arrow holds in pieces, are one frame."""
    rows = pd.concat([routes(("depot", "depot")), routes(("vco-b", "shop"))], ignore_index=True)
    known = pd.concat([NAMED.iloc[:4], NAMED.iloc[4:]], ignore_index=True)
    ids = vk.with_connection_ids(rows, known)
    assert ids["vpn_connection_id"].tolist() == ["vco-a", "vco-b"]
    assert found(rows, known) == found(rows, NAMED)


def test_all_else_stays() -> None:
    """The given frame is not changed; index, further columns and attrs are in the new one.

    What a call needs and a frame lacks is named.
    """
    rows = routes(("depot", "depot")).assign(site="north").set_axis(["x"])
    rows.attrs["read"] = {"encoding": "utf-8"}
    before = rows.copy()
    ids = vk.with_connection_ids(rows, NAMED)
    pd.testing.assert_frame_equal(rows, before)
    changed = before.assign(vpn_connection_id="vco-a", next_hop="vco-a")
    pd.testing.assert_frame_equal(ids, changed)
    assert ids.attrs == rows.attrs
    pd.testing.assert_frame_equal(vk.with_connection_ids(ids, NAMED), ids)
    pd.testing.assert_frame_equal(vk.with_connection_ids(rows, NAMED.iloc[:0]), rows)
    with pytest.raises(InputError, match="connections lacks the column name"):
        vk.with_connection_ids(ONE, NAMED.drop(columns="name"))
    with pytest.raises(InputError, match="routes lacks the column region_id"):
        vk.with_connection_ids(ONE.drop(columns="region_id"), NAMED)


@pytest.mark.parametrize(
    ("name", "rule", "suggestion", "end"),
    [
        ("depot", "invalid-connection-id", "vco-a", "is the name of vco-a"),
        ("shop", "invalid-connection-id", None, "is the name of vco-b, vco-c"),
        ("harbour", "invalid-connection-id", None, "is the name of vco-h in eu-central-1"),
        ("vco-old", "unknown-connection", "vco-f", "is the name of vco-f"),
        ("same", "invalid-connection-id", None, "of vco-0, vco-1, vco-2, vco-3 and 5 more"),
    ],
)
def test_the_audit_says_whose_name_it_is(name, rule, suggestion, end) -> None:
    """A name is no id: the finding suggests the id, or tells which connections share the name."""
    same = connections(*((f"vco-{n}", "same", REGION) for n in range(9)))
    known = pd.concat([NAMED, same], ignore_index=True)
    findings = vk.audit_routes(routes((name, name)), connections=known)
    told = findings[findings["rule"] == rule].iloc[0]
    assert (None if pd.isna(told["suggestion"]) else told["suggestion"]) == suggestion
    assert told["message"].endswith(end)
    nameless = vk.audit_routes(routes((name, name)), connections=NAMED[NAMED["name"].isna()])
    assert not nameless["message"].str.contains("name of").any()


def test_from_a_file_of_names_to_routes_in_force(tmp_path) -> None:
    """An inventory by name is read, given its ids, audited, planned, applied and verified."""
    given = (
        "region,connection,destination,next hop,weight\n"
        "cn-hangzhou,Depot North,10.1.0.0/16,Depot North,100\n"
        "cn-hangzhou,Depot South,10.2.0.0/16,Depot South,100\n"
    )
    south = Connection("vco-s", name="Depot South", attach_type="NO_ASSOCIATED")
    cloud = vk.Simulator([Connection("vco-n", name="Depot North"), south], speed=100)
    with cloud, vk.connect(cloud) as client:
        live = vk.live_connections(client, REGION)
        rows = vk.with_connection_ids(vk.read_routes(given), live)
        assert found(rows, live) == [(1, "not-attached", None)]
        plan = vk.plan_routes(rows, vk.live_routes(client, rows), connections=live)
        vk.apply_plan(plan, client, journal=tmp_path / "rollout.db")
        check = vk.verify_routes(rows.iloc[:1], vk.live_routes(client, rows))
    assert check[["vpn_connection_id", "verdict"]].to_numpy().tolist() == [["vco-n", "as planned"]]
