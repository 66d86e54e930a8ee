"""What live connections say of rows, and what it is to name a connection by its name."""

from __future__ import annotations

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


def routes(*cells: tuple, region: str | None = REGION) -> pd.DataFrame:
    """Return routes: connection and next hop of each, with networks of their own."""
    return routes_frame(
        [
            {
                "region_id": region,
                "vpn_connection_id": connection,
                "route_dest": f"10.{number}.0.0/16",
                "next_hop": next_hop,
                "weight": 100,
            }
            for number, (connection, next_hop) in enumerate(cells)
        ]
    )


def found(rows: pd.DataFrame, known: pd.DataFrame) -> list[tuple]:
    """Return row and rule of the findings, with a suggestion where there is one."""
    part = vk.audit_routes(rows, connections=known)[["row", "rule", "suggestion"]].astype("object")
    return [tuple(part.where(part.notna(), None).iloc[n]) for n in range(len(part))]


A = ("vco-a", None, REGION)
ONE = routes(("vco-a", "vco-a"))

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
    known = connections(A, ("vco-b", None, REGION), attached=values)
    rows = routes(("vco-a", "vco-a"), ("vco-b", "vco-b"))
    assert found(rows, known) == [(1, "not-attached", None)]
    with pytest.raises(InputError, match="attached"):
        vk.audit_routes(rows, connections=known.assign(attached="perhaps"))


@pytest.mark.parametrize(
    ("rows", "known", "expected"),
    [
        # A frame of ids and regions alone says of no connection that it is not attached.
        (ONE, connections(A).drop(columns="name"), []),
        # A row without a connection is not one with a connection that has no id.
        (
            routes((None, "vco-a"), ("vco-a", "vco-a")),
            connections((None, None, REGION), ("vco-a", None, None), attached=[False, True]),
            [(0, "missing-value", None)],
        ),
        # Where nothing is live, every connection is unknown.
        (ONE, connections(), [(0, "unknown-connection", None)]),
        (routes(), connections(), []),
        # A connection that is elsewhere is known, and its region can be put in the cell.
        (
            ONE,
            connections(("vco-b", None, "q"), ("vco-a", None, "eu-central-1")),
            [(0, "wrong-region", "eu-central-1")],
        ),
    ],
)
def test_where_connections_are(rows: pd.DataFrame, known: pd.DataFrame, expected: list) -> None:
    """Each row is told what is wrong with its connection, and nothing that nobody said."""
    assert found(rows, known) == expected


def test_a_region_that_nobody_asked_for_is_told() -> None:
    """Where the frame tells which regions were asked for, a row of another one hears of that."""
    known = connections(A)
    rows = routes(("vco-b", "vco-b"), ("vco-c", "vco-c"))
    rows.loc[0, "region_id"] = "eu-central-1"
    assert "asked" not in " ".join(vk.audit_routes(rows, connections=known)["message"])
    known.attrs["regions"] = [REGION]
    message = vk.audit_routes(rows, connections=known)["message"]
    assert message[0].endswith("; region eu-central-1 was not asked for")
    assert message[1] == "vco-c is not among the live connections"


# -- by name --------------------------------------------------------------------------------------

NAMED = connections(
    ("vco-a", "Depot", REGION),
    ("vco-b", "shop", REGION),
    ("vco-c", "Shop", REGION),
    ("vco-d", "depot", "eu-central-1"),
    ("vco-e", "工厂 7", REGION),
    ("vco-f", "vco-old", REGION),
    ("vco-g", None, REGION),
    ("vco-h", "harbour", "eu-central-1"),
)


def test_a_name_of_one_connection_becomes_its_id() -> None:
    """Connection and next hop are named in any case; the region tells two of one name apart."""
    rows = routes(("depot", "DEPOT"), ("vco-a", "depot"), ("工厂 7", "工厂 7"), ("depot", None))
    rows.loc[3, "region_id"] = "eu-central-1"
    ids = vk.with_connection_ids(rows, NAMED)
    assert ids["vpn_connection_id"].tolist() == ["vco-a", "vco-a", "vco-e", "vco-d"]
    assert ids["next_hop"].tolist()[:3] == ["vco-a", "vco-a", "vco-e"]
    assert pd.isna(ids["next_hop"][3])
    assert found(ids.iloc[:3], NAMED) == []


def test_what_is_no_name_of_one_connection_is_left() -> None:
    """A shared name, an unknown one, one of another region, an id, and where nothing has a name."""
    cells = ["shop", "nowhere", "harbour", "vco-old", "vco-none", None]
    rows = routes(*((cell, cell) for cell in cells))
    depot = routes(("depot", "depot"))
    nameless = NAMED[NAMED["name"].isna()]
    for given, known in (
        (rows, NAMED),
        (rows.iloc[:0], NAMED),
        (depot, nameless),
        (depot, NAMED.iloc[:0]),
    ):
        pd.testing.assert_frame_equal(vk.with_connection_ids(given, known), given)
    messages = vk.audit_routes(depot, connections=nameless)["message"]
    assert not messages.str.contains("name of").any()


def test_columns_in_several_pieces() -> None:
    """Frames that were put together, whose columns Arrow holds in pieces, are one frame."""
    rows = pd.concat([routes(("depot", "depot")), routes(("vco-b", "shop"))], ignore_index=True)
    known = pd.concat([NAMED.iloc[:4], NAMED.iloc[4:]], ignore_index=True)
    ids = vk.with_connection_ids(rows, known)
    assert ids["vpn_connection_id"].tolist() == ["vco-a", "vco-b"]
    assert found(rows, known) == found(rows, NAMED)


def test_all_else_stays() -> None:
    """The given frame is not changed; index, further columns and attrs are in the new one."""
    rows = routes(("depot", "depot")).assign(site="north").set_axis(["x"])
    rows.attrs["read"] = {"encoding": "utf-8"}
    before = rows.copy()
    ids = vk.with_connection_ids(rows, NAMED)
    pd.testing.assert_frame_equal(rows, before)
    changed = before.assign(vpn_connection_id="vco-a", next_hop="vco-a")
    pd.testing.assert_frame_equal(ids, changed)
    assert ids.attrs == rows.attrs
    pd.testing.assert_frame_equal(vk.with_connection_ids(ids, NAMED), ids)


def test_frames_that_lack_columns() -> None:
    """What is missing is named, and in which frame."""
    with pytest.raises(InputError, match="connections lacks the column name"):
        vk.with_connection_ids(ONE, NAMED.drop(columns="name"))
    with pytest.raises(InputError, match="routes lacks the column region_id"):
        vk.with_connection_ids(ONE.drop(columns="region_id"), NAMED)


def test_the_audit_says_whose_name_it_is() -> None:
    """A name is no id: the finding suggests the id, or tells which connections share the name."""
    rows = routes(*((name, name) for name in ("depot", "shop", "harbour", "vco-old", "same")))
    same = connections(*((f"vco-{n}", "same", REGION) for n in range(9)))
    findings = vk.audit_routes(rows, connections=pd.concat([NAMED, same], ignore_index=True))
    old = findings["row"] == 3
    assert findings.loc[old, ["rule", "suggestion"]].to_numpy().tolist() == [
        ["unknown-connection", "vco-f"]
    ]
    part = findings[~old & (findings["rule"] != "unknown-connection")]
    assert part["rule"].tolist() == ["invalid-connection-id"] * 4
    assert part["suggestion"].fillna("").tolist() == ["vco-a", "", "", ""]
    # Of many connections of one name four are named and the others counted.
    ends = ["vco-a", "vco-b, vco-c", "vco-h in eu-central-1"]
    ends.append("vco-0, vco-1, vco-2, vco-3 and 5 more")
    for message, end in zip(part["message"], ends, strict=True):
        assert message.endswith(f"is the name of {end}")


@pytest.mark.parametrize("seed", range(40))
def test_random_names(seed: int) -> None:
    """On random names the ids are those that a loop over all connections finds."""
    rng = random.Random(seed)
    regions, names = ["q", "r", None], ["one", "One", "two", "drei", "vco-a", "vco-3", None]
    known = [(f"vco-{n}", rng.choice(names), rng.choice(regions)) for n in range(rng.randrange(7))]
    cells = [
        [rng.choice(regions), rng.choice([*names, "vco-1"]), rng.choice([*names, "vco-1"])]
        for _ in range(rng.randrange(30))
    ]
    columns = ["region_id", "vpn_connection_id", "next_hop"]
    rows = pd.DataFrame(cells, columns=columns, dtype="str")

    def meant(cell: str | None, region: str | None) -> str | None:
        if cell is None or cell.startswith("vco-"):
            return cell
        owners = {
            id_
            for id_, name, where in known
            if name and where and name.lower() == cell.lower() and region in (where, None)
        }
        return owners.pop() if len(owners) == 1 else cell

    ids = vk.with_connection_ids(rows, connections(*known))[columns].astype("object")
    assert ids.where(ids.notna(), None).to_numpy().tolist() == [
        [region, meant(connection, region), meant(hop, region)] for region, connection, hop in cells
    ]


def test_from_a_file_of_names_to_routes_in_force(tmp_path) -> None:
    """An inventory by name is read, given its ids, audited, planned, applied and verified."""
    file = tmp_path / "by_name.csv"
    file.write_text(
        "region,connection,destination,next hop,weight\n"
        "cn-hangzhou,Depot North,10.1.0.0/16,Depot North,100\n"
        "cn-hangzhou,Depot South,10.2.0.0/16,Depot South,100\n",
        encoding="utf-8",
    )
    cloud = vk.Simulator(
        [
            Connection("vco-n", name="Depot North"),
            Connection("vco-s", name="Depot South", attach_type="NO_ASSOCIATED"),
        ],
        speed=100,
    )
    with cloud, vk.connect(cloud) as client:
        live = vk.live_connections(client, REGION)
        rows = vk.with_connection_ids(vk.read_routes(file), live)
        assert found(rows, live) == [(1, "not-attached", None)]
        plan = vk.plan_routes(rows, vk.live_routes(client, rows), connections=live)
        vk.apply_plan(plan, client, journal=tmp_path / "rollout.db")
        check = vk.verify_routes(rows.iloc[:1], vk.live_routes(client, rows))
    assert check["verdict"].tolist() == ["as planned"]
    assert check["vpn_connection_id"].tolist() == ["vco-n"]
