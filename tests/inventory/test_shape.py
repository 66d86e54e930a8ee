"""Networks and masks in two columns, and several networks in a cell; `ipaddress` is the judge."""

from __future__ import annotations

import io
import ipaddress
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcokit.audit import apply_suggestions, audit_routes
from vcokit.inventory import read_routes

NETWORK = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


def dests(*cells: tuple[str, str], head: str = "Mask") -> list[str]:
    """Return the destinations of rows of network and mask."""
    rows = "".join(f'r,v,"{network}","{mask}",100\n' for network, mask in cells)
    routes = read_routes(f"region,connection,Network,{head},weight\n{rows}")
    return routes["route_dest"].fillna("").tolist()


@given(NETWORK, st.sampled_from(["netmask", "length", "slash", "float"]))
def test_a_mask_column_gives_the_length(network: ipaddress.IPv4Network, form: str) -> None:
    """Dotted or a length, as a spreadsheet writes it: the network is the same."""
    length = str(network.prefixlen)
    forms = {"netmask": str(network.netmask), "slash": f"/{length}", "float": f"{length}.0"}
    assert dests((str(network.network_address), forms.get(form, length))) == [str(network)]


@pytest.mark.parametrize("head", ["Mask", "Prefix Length", "Subnet-Mask", "子网掩码"])
def test_mask_columns_have_many_heads(head: str) -> None:
    """The common words for it are known; the column itself stays where it was."""
    assert dests(("10.0.0.0", "8"), head=head) == ["10.0.0.0/8"]


def test_what_is_no_mask_is_left_to_the_audit() -> None:
    """A network with its length, no network, and a mask that is none come as they stand."""
    cells = [("10.0.0.0/8", "16"), ("10.0.0.0", ""), ("", "8"), ("10.0.0.0", "255.0.255.0"),
             ("10.0.0.0", "abc"), ("10.0.0.0", "８")]  # fmt: skip
    assert dests(*cells) == ["10.0.0.0/8", "10.0.0.0", "", "10.0.0.0/255.0.255.0",
                             "10.0.0.0/abc", "10.0.0.0/８"]  # fmt: skip


@settings(max_examples=50)
@given(
    st.lists(NETWORK, min_size=2, max_size=6),
    st.sampled_from([",", ", ", ";", " ; ", "\n", "\r\n", "|", "、", "，", "；", " ", "\u3000"]),
    st.sampled_from(["", "end"]),
)
def test_several_networks_are_several_rows(
    networks: list[ipaddress.IPv4Network], mark: str, end: str
) -> None:
    """Each gives a row with the line and the other cells of the one they stood in."""
    tail = mark if end and mark.strip() else ""
    cell = mark.join(map(str, networks)) + tail
    routes = read_routes(
        "region,connection,cidr,weight,Site\n"
        f'r,a,10.0.0.0/8,100,x\nr,b,"{cell}",0,y\nr,c,11.0.0.0/8,100,z\n'
    )
    wanted = ["10.0.0.0/8", *map(str, networks), "11.0.0.0/8"]
    assert routes["route_dest"].tolist() == wanted
    assert routes["Site"].tolist() == ["x", *["y"] * len(networks), "z"]
    assert routes["line"].nunique() == 3
    assert "several networks split into rows in 1 cell" in routes.attrs["read"]["notes"]


@pytest.mark.parametrize(
    "cell",
    [
        "10.0.0.0 255.0.0.0",
        "10.0.0.0 /8",
        "10.0.0.0/8, HQ",
        "10.0.0.0/8,,x",
        "10.0.0.0/8 and 11.0.0.0/8",
        "10.0.0.0-10.0.0.255",
        "１0.0.0.0/8, 11.0.0.0/8",
        "10.0.0.0/8,",
    ],
)
def test_a_cell_is_split_only_where_every_part_is_a_network(cell: str) -> None:
    """Anything else stands as it is, for the audit to judge."""
    routes = read_routes(f'region,connection,cidr,weight\nr,v,"{cell}",0\n')
    assert routes["route_dest"].tolist() == [cell]


def test_several_networks_share_a_mask() -> None:
    """A mask beside several networks is the mask of each."""
    assert dests(("10.1.0.0, 10.2.0.0", "16")) == ["10.1.0.0/16", "10.2.0.0/16"]


FOUR = "region,connection,cidr,weight\n"
GOOD = "cn-a,vco-a,10.0.0.0/8,100\n"


@pytest.mark.parametrize("ghost", [",,,\n", '"","","",""\n', ",\u3000,, \n", ",,,,,,\n", ",\n"])
@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_a_row_of_empty_cells_is_a_blank_line(ghost: str, quoted: bool) -> None:
    """What a spreadsheet leaves behind the table is no row, by either parser; lines still count."""
    body = GOOD + ghost + (GOOD.replace("vco-a", '"vco-a"') if quoted else GOOD) + ghost * 2
    body += '"cn-a","vco\n",10.0.0.0/8,100\n' if quoted else GOOD
    routes = read_routes(FOUR + body, region="cn-a")
    assert routes["line"].tolist() == [2, 4, 7]
    assert "3 blank lines skipped" in routes.attrs["read"]["notes"]
    assert not any("fewer cells" in note for note in routes.attrs["read"]["notes"])


def test_an_empty_row_is_none_in_any_format() -> None:
    """Objects and rows of Parquet without a value are no rows either."""
    row = {"region": "cn-a", "connection": "vco-a", "cidr": "10.0.0.0/8", "weight": 100}
    lines = "".join(json.dumps(one) + "\n" for one in (row, {}, {"cidr": " "}, row))
    assert read_routes(lines)["line"].tolist() == [1, 4]
    frame = pd.DataFrame([row, {}, row]).astype("str")
    file = io.BytesIO()
    frame.where(frame != "nan").to_parquet(file)
    assert len(read_routes(file.getvalue())) == 2


@pytest.mark.parametrize("mark", [",", ", ", ";", "|", " ", "\n", "，", "、"])
def test_a_network_and_its_mask_in_one_cell_are_one_network(mark: str) -> None:
    """The cell stands as it is, the audit says what it means, and one route comes of it."""
    routes = read_routes(
        f'region,connection,cidr,weight\ncn-a,vco-a,"10.0.0.0{mark}255.0.0.0",100\n'
    )
    assert len(routes) == 1
    found = audit_routes(routes)
    assert found["rule"].tolist() == ["malformed-cidr"]
    mended = apply_suggestions(routes, found)
    assert mended["route_dest"].tolist() == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    "cell", ["255.255.0.0", "0.0.0.255", "10.0.0.0,0.255.255.255", "10.0.0.0/8;255.0.0.0"]
)
def test_a_mask_is_never_a_host(cell: str) -> None:
    """A mask, or what it leaves, is not made a route of its own, whatever stands beside it."""
    routes = read_routes(f'region,connection,cidr,weight\ncn-a,vco-a,"{cell}",100\n')
    assert routes["route_dest"].tolist() == [cell]
    assert audit_routes(routes)["suggestion"].isna().all()
