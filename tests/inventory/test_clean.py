"""What cells mean, on whole columns: a letter by letter reading and `ipaddress` are the judges."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InputError
from vcokit.schema import BLANKS, split_weight

SIX = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]
LISTED = "\xa0\u3000\ufeff\u200b\u200c\u200d\u2060"
RAW = st.text(
    st.one_of(
        st.sampled_from("'=+-@\t \n\r\v\f\"" + LISTED + "\x1c\x85\u2028"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from("abAB019"),
    ),
    max_size=8,
)


def table(*rows: str) -> str:
    """Return a file of the six columns."""
    return "".join(row + "\n" for row in (",".join(SIX), *rows))


def quoted(cells: list[str], **others: str) -> str:
    """Return a file in which a column has some cells, every one of them in quotes."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    given = {"region": "r", "connection": "v", "cidr": "d", "weight": "0", "next_hop": "n"} | others
    writer.writerow([*given, "description"])
    writer.writerows([*given.values(), cell] for cell in cells)
    return file.getvalue()


def is_blank(letter: str) -> bool:
    """Tell, independently of the package, whether a letter is trimmed."""
    return letter.isspace() or letter in LISTED


def by_hand(cell: str) -> str:
    """Read one cell, letter by letter."""
    letters = list(cell)
    while letters and is_blank(letters[0]):
        del letters[0]
    while letters and is_blank(letters[-1]):
        del letters[-1]
    if len(letters) > 1 and letters[0] == "'" and letters[1] in "=+-@'\t＝＋－＠":
        del letters[0]
    return "".join(letters)


def test_blanks_are_every_unicode_space_and_the_invisible() -> None:
    """The blanks are all that Unicode calls space, and the invisible ones by name; no others."""
    every = {chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000}
    assert set(BLANKS) == {letter for letter in every if is_blank(letter)}


@settings(deadline=None)
@given(st.lists(RAW, max_size=12))
@example(["'\tx", "'", "''", "'=", "' =", "\u200b'=1\u200b", "'x", "'\u3000=", "'＝1"])
def test_cells_are_trimmed_and_unprotected(cells: list[str]) -> None:
    """As a letter by letter reading has it, in names of columns too, and it is counted."""
    routes = vk.read_routes(quoted(cells))
    assert routes["description"].fillna("").tolist() == [by_hand(cell) for cell in cells]
    notes = routes.attrs["read"]["notes"]
    trimmed = sum(cell != cell.strip(BLANKS) for cell in cells)
    freed = sum(cell.strip(BLANKS) != by_hand(cell) for cell in cells)
    assert any(note.startswith(f"blanks trimmed in {trimmed} cell") for note in notes) == (
        trimmed > 0
    )
    assert any(f"taken away in {freed} cell" in note for note in notes) == (freed > 0)
    for cell in cells:
        name = by_hand(cell)
        if name and not name.isalnum():
            assert name in vk.read_routes(quoted(["x"], **{cell: "y"})).columns


def test_absence_is_an_empty_cell_and_nothing_else() -> None:
    """NA, null, None and nan are text; empty and blank cells are missing."""
    words = ["NA", "N/A", "null", "None", "nan", "NULL", "-nan", "#N/A"]
    routes = vk.read_routes(table(*(f"{word},v,{word},n,{word},{word}" for word in words)))
    assert routes["route_dest"].tolist() == words
    assert routes["weight_text"].tolist() == words
    assert vk.read_routes(table(" ,\u3000,\u200b,\xa0,\ufeff,''\n"))[SIX].isna().sum().sum() == 5


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x41, max_codepoint=0x24F), min_size=1))
@example("CN-\u212a1\u0130")
def test_ascii_letters_of_identifiers_become_lower_case(letters: str) -> None:
    """As bytes have it: the Kelvin sign is no ``k``. Other columns stay as they are."""
    routes = vk.read_routes(quoted(["ABC"], region=f"x{letters}x", next_hop="VCO-B"))
    wanted = f"x{letters}x".encode().lower().decode()
    assert routes.loc[0, ["region_id", "next_hop", "description"]].tolist() == [
        wanted, "vco-b", "ABC",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(["100", "0.0", "1e2", "主", "-5", "+1"]), RAW)))
def test_weights_are_split_as_the_schema_has_it(cells: list[str]) -> None:
    """What is no whole number is kept as it stood; `split_weight` says which is which."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(["weight", "region", "connection", "cidr"])
    writer.writerows([cell, "r", "v", "d"] for cell in cells)
    routes = vk.read_routes(file.getvalue())
    weight, text = split_weight(pd.Series([by_hand(cell) for cell in cells], dtype="str"))
    pd.testing.assert_series_equal(routes["weight"], weight, check_names=False)
    pd.testing.assert_series_equal(routes["weight_text"], text, check_names=False)


def test_words_stand_for_weights() -> None:
    """With ``weights=`` words are weights, whatever their case and the blanks around them."""
    rows = ["r,v,d,n, 主 ,x", "r,v,d,n,备,x", "r,v,d,n,ACTIVE,x", "r,v,d,n,0,x", "r,v,d,n,other,x"]
    routes = vk.read_routes(table(*rows), weights={"主": 100, " 备": np.int64(0), "Active": 100})
    assert routes["weight"].tolist()[:4] == [100, 0, 100, 0]
    assert routes.at[4, "weight_text"] == "other"
    assert "weight words replaced in 3 cells" in routes.attrs["read"]["notes"]


@pytest.mark.parametrize(
    ("cell", "meant"),
    [("100%", 100), ("100 ％", 100), ("100,00", 100), ("0%", 0), ("0,0", 0), ("1%", None),
     ("50%", None), ("100,5", None), ("1000", None), ("-0%", None)],
)  # fmt: skip
def test_a_weight_in_percent_or_with_decimals_is_suggested(cell: str, meant: int | None) -> None:
    """It stands as it is, and the audit says which weight to write; it guesses no other."""
    routes = vk.read_routes(f"region;connection;cidr;weight\ncn-a;vco-a;10.0.0.0/8;{cell}\n")
    found = vk.audit_routes(routes)
    assert found["rule"].tolist()[0] == "invalid-weight"
    fixed = vk.apply_suggestions(routes, found)["weight"].tolist()[0]
    assert fixed == meant if meant is not None else found["suggestion"].isna().all()


@pytest.mark.parametrize(
    "weights", [{"a": "b"}, {"a": 1.5}, {"a": True}, {" ": 1}, {5: 1}, {"a": 1, "A ": 2}, ["a"]]
)
def test_words_that_cannot_be_weights_are_input_errors(weights: Any) -> None:
    """A word stands for one whole number."""
    with pytest.raises(InputError, match="weights"):
        vk.read_routes(table(), weights=weights)


NETWORK = st.builds(
    lambda address, length: ipaddress.ip_network((address, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


def dests(*cells: tuple[str, str], header: str = "Mask") -> list[str]:
    """Return the destinations of rows of network and mask."""
    rows = "".join(f'r,v,"{network}","{mask}",100\n' for network, mask in cells)
    routes = vk.read_routes(f"region,connection,Network,{header},weight\n{rows}")
    return routes["route_dest"].fillna("").tolist()


@settings(deadline=None)
@given(NETWORK, st.sampled_from(["netmask", "length", "slash", "float"]))
def test_a_mask_column_gives_the_length(network: ipaddress.IPv4Network, form: str) -> None:
    """Dotted or a length, as a spreadsheet writes it: the network is the same."""
    length = str(network.prefixlen)
    forms = {"netmask": str(network.netmask), "slash": f"/{length}", "float": f"{length}.0"}
    assert dests((str(network.network_address), forms.get(form, length))) == [str(network)]


@pytest.mark.parametrize("header", ["Mask", "Prefix Length", "Subnet-Mask", "子网掩码"])
def test_mask_columns_have_many_names(header: str) -> None:
    """The common words for it are known; several networks share the mask beside them."""
    assert dests(("10.1.0.0, 10.2.0.0", "16"), header=header) == ["10.1.0.0/16", "10.2.0.0/16"]


def test_what_is_no_mask_is_left_to_the_audit() -> None:
    """A network with its length, no network, and a mask that is none come as they stand."""
    cells = [("10.0.0.0/8", "16"), ("10.0.0.0", ""), ("", "8"), ("10.0.0.0", "255.0.255.0"),
             ("10.0.0.0", "abc"), ("10.0.0.0", "８")]  # fmt: skip
    assert dests(*cells) == ["10.0.0.0/8", "10.0.0.0", "", "10.0.0.0/255.0.255.0",
                             "10.0.0.0/abc", "10.0.0.0/８"]  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(
    st.lists(NETWORK, min_size=2, max_size=6),
    st.sampled_from([",", ", ", ";", " ; ", "\n", "\r\n", "|", "、", "，", "；", " ", "\u3000"]),
    st.booleans(),
)
def test_several_networks_are_several_rows(
    networks: list[ipaddress.IPv4Network], mark: str, closed: bool
) -> None:
    """Each gives a row with the line and the other cells of the one they stood in."""
    cell = mark.join(map(str, networks)) + (mark if closed and mark.strip() else "")
    routes = vk.read_routes(
        "region,connection,cidr,weight,Site\n"
        f'r,a,10.0.0.0/8,100,x\nr,b,"{cell}",0,y\nr,c,11.0.0.0/8,100,z\n'
    )
    assert routes["route_dest"].tolist() == ["10.0.0.0/8", *map(str, networks), "11.0.0.0/8"]
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
    routes = vk.read_routes(f'region,connection,cidr,weight\nr,v,"{cell}",0\n')
    assert routes["route_dest"].tolist() == [cell]


@pytest.mark.parametrize("mark", [",", ", ", ";", "|", " ", "\n", "，", "、"])
def test_a_network_and_its_mask_in_one_cell_are_one_network(mark: str) -> None:
    """The cell stands as it is, the audit says what it means, and one route comes of it."""
    routes = vk.read_routes(
        f'region,connection,cidr,weight\ncn-a,vco-a,"10.0.0.0{mark}255.0.0.0",100\n'
    )
    found = vk.audit_routes(routes)
    assert found["rule"].tolist() == ["malformed-cidr"]
    assert vk.apply_suggestions(routes, found)["route_dest"].tolist() == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    "cell", ["255.255.0.0", "0.0.0.255", "10.0.0.0,0.255.255.255", "10.0.0.0/8;255.0.0.0"]
)
def test_a_mask_is_never_a_host(cell: str) -> None:
    """A mask, or what it leaves, is not made a route of its own, whatever stands beside it."""
    routes = vk.read_routes(f'region,connection,cidr,weight\ncn-a,vco-a,"{cell}",100\n')
    assert routes["route_dest"].tolist() == [cell]
    assert vk.audit_routes(routes)["suggestion"].isna().all()


FOUR = "region,connection,cidr,weight\n"
GOOD = "cn-a,vco-a,10.0.0.0/8,100\n"


@pytest.mark.parametrize("ghost", [",,,\n", '"","","",""\n', ",\u3000,, \n", ",,,,,,\n", ",\n"])
@pytest.mark.parametrize("odd", [GOOD, '"cn-a","vco\n",10.0.0.0/8,100\n', "cn-a,vco-a,,0\r"])
def test_a_row_of_empty_cells_is_a_blank_line(ghost: str, odd: str) -> None:
    """What a spreadsheet leaves behind the table is no row; lines still count."""
    routes = vk.read_routes(FOUR + GOOD + ghost + GOOD + ghost * 2 + odd, region="cn-a")
    assert routes["line"].tolist() == [2, 4, 7]
    assert "3 blank lines skipped" in routes.attrs["read"]["notes"]
    assert not any("fewer cells" in note for note in routes.attrs["read"]["notes"])


def test_an_empty_row_is_none_in_any_format() -> None:
    """Objects and rows of Parquet without a value are no rows either."""
    row = {"region": "cn-a", "connection": "vco-a", "cidr": "10.0.0.0/8", "weight": 100}
    lines = "".join(json.dumps(one) + "\n" for one in ({}, row, {}, {"cidr": " "}, row))
    assert vk.read_routes(lines)["line"].tolist() == [2, 5]
    frame = pd.DataFrame([row, {}, row]).astype("str")
    file = io.BytesIO()
    frame.where(frame != "nan").to_parquet(file)
    assert len(vk.read_routes(file.getvalue())) == 2
