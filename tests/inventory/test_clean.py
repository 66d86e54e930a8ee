"""What cells mean: a letter by letter reading and `ipaddress` are the judges."""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InputError

SIX = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]
FOUR = "region,connection,cidr,weight\n"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
LETTER = st.sampled_from(
    "'=+-@\t \n\r\v\f\"\xa0\u3000\x1c\x85\u2028" + INVISIBLE + "abAB019"
) | st.characters(exclude_categories=["Cs"], exclude_characters="\0")
RAW = st.text(LETTER, max_size=8)


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


def trimmed(cell: str) -> str:
    """Return a cell without blanks at its ends, letter by letter."""
    inside = [place for place, x in enumerate(cell) if not (x.isspace() or x in INVISIBLE)]
    return cell[inside[0] : inside[-1] + 1] if inside else ""


def by_hand(cell: str) -> str:
    """Return what a cell means."""
    cell = trimmed(cell)
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in "=+-@'\t＝＋－＠" else cell


def test_blanks_are_every_unicode_space_and_the_invisible() -> None:
    """Whatever letter stands alone in a cell, it is a blank or text as Unicode has it."""
    codes = [*range(1, 0x3100), *range(0xFE00, 0x10000), *range(0x1F300, 0x1F400), 0xE0020]
    letters = [chr(code) for code in codes if not 0xD800 <= code < 0xE000]
    found = vk.read_routes(quoted(letters))["description"]
    assert found.fillna("").tolist() == [trimmed(letter) for letter in letters]


@settings(deadline=None, max_examples=25)
@given(st.lists(RAW, max_size=12))
@example(["'\tx", "'", "''", "'=", "' =", "\u200b'=1\u200b", "'x", "'\u3000=", "'＝1"])
def test_cells_are_trimmed_and_unprotected(cells: list[str]) -> None:
    """As a letter by letter reading has it, in names of columns too, and it is counted."""
    routes = vk.read_routes(quoted(cells))
    assert routes["description"].fillna("").tolist() == [by_hand(cell) for cell in cells]
    notes = " | ".join(routes.attrs["read"]["notes"])
    counted = [
        ("blanks trimmed in", sum(cell != trimmed(cell) for cell in cells)),
        ("protective ' taken away in", sum(trimmed(cell) != by_hand(cell) for cell in cells)),
    ]
    for words, number in counted:
        assert (re.search(f"{words} {number} cells?(?: |$)", notes) is not None) == (number > 0)
    # Without letters, for a name that Hypothesis finds may be that of a field.
    written = [re.sub(r"\w", "§", cell) for cell in cells]
    columns = vk.read_routes(quoted(["x"], **dict.fromkeys(written, "y"))).columns
    assert {by_hand(name) for name in written} - {""} <= set(columns)


def test_absence_is_an_empty_cell_and_nothing_else() -> None:
    """NA, null, None and nan are text; empty and blank cells are missing."""
    words = ["NA", "N/A", "null", "None", "nan", "NULL", "-nan", "#N/A"]
    routes = vk.read_routes(table(*(f"{word},v,{word},n,{word},{word}" for word in words)))
    assert routes["route_dest"].tolist() == routes["weight_text"].tolist() == words
    assert vk.read_routes(table(" ,\u3000,\u200b,\xa0,\ufeff,''\n"))[SIX].isna().sum().sum() == 5


@settings(deadline=None, max_examples=30)
@given(st.text(st.characters(min_codepoint=0x41, max_codepoint=0x24F), min_size=1))
@example("CN-\u212a1\u0130")
def test_ascii_letters_of_identifiers_become_lower_case(letters: str) -> None:
    """As bytes have it: the Kelvin sign is no ``k``. Other columns stay as they are."""
    routes = vk.read_routes(quoted(["ABC"], region=f"x{letters}x", next_hop="VCO-B"))
    wanted = [f"x{letters}x".encode().lower().decode(), "vco-b", "ABC"]
    assert routes.loc[0, ["region_id", "next_hop", "description"]].tolist() == wanted


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(["100", "0.0", "1e2", "主", "-5", "+1", "007", "9" * 18]) | RAW))
@example(["-0", "9" * 19, "100.0", "100.", "１００", "0100", "'=1", "-5.00"])
def test_a_weight_is_a_whole_number_or_stays_text(cells: list[str]) -> None:
    """A number of at most 18 digits without a plus or leading zero, ``.0`` behind it or not."""
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
        [["weight", "region", "connection", "cidr"], *([cell, "r", "v", "d"] for cell in cells)]
    )
    routes = vk.read_routes(file.getvalue())
    for cell, weight, text in zip(
        map(by_hand, cells), routes["weight"], routes["weight_text"].fillna(""), strict=True
    ):
        number = re.fullmatch(r"(0|-?[1-9][0-9]{0,17})(\.0+)?", cell)
        assert (None if pd.isna(weight) else weight) == (int(number[1]) if number else None)
        assert text == ("" if number else cell)


def test_words_stand_for_weights() -> None:
    """With ``weights=`` words are weights, whatever their case and the blanks around them.

    A word stands for one whole number.
    """
    rows = [f"r,v,d,n,{word},x" for word in (" 主 ", "备", "ACTIVE", "0", "other")]
    routes = vk.read_routes(table(*rows), weights={"主": 100, " 备": np.int64(0), "Active": 100})
    assert routes["weight"].tolist()[:4] == [100, 0, 100, 0]
    assert routes.at[4, "weight_text"] == "other"
    assert "weight words replaced in 3 cells" in routes.attrs["read"]["notes"]
    wrong: list[Any] = [{"a": "b"}, {"a": 1.5}, {"a": True}, {" ": 1}, {5: 1}, ["a"]]
    for weights in [*wrong, {"a": 1, "A ": 2}]:
        with pytest.raises(InputError, match="weights"):
            vk.read_routes(table(), weights=weights)


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


@pytest.mark.parametrize("header", ["Mask", "Prefix Length", "Subnet-Mask", "子网掩码"])
def test_a_mask_column_gives_the_length(header: str) -> None:
    """Dotted or a length, as a spreadsheet writes it, under the common words for it.

    A network with its length, no network, and a mask that is none come as they stand.
    """
    nets = [ipaddress.ip_network((0xC0A80101, n), strict=False) for n in range(33)]
    for form in ("{0.netmask}", "{0.prefixlen}", "/{0.prefixlen}", "{0.prefixlen}.0"):
        cells = [(str(net.network_address), form.format(net)) for net in nets]
        assert dests(*cells, header=header) == [str(net) for net in nets]
    assert dests(("10.1.0.0, 10.2.0.0", "16"), header=header) == ["10.1.0.0/16", "10.2.0.0/16"]
    odd = [("10.0.0.0/8", "16"), ("10.0.0.0", ""), ("", "8"), ("10.0.0.0", "255.0.255.0")]
    odd += [("10.0.0.0", "abc"), ("10.0.0.0", "８")]
    kept = ["10.0.0.0/8", "10.0.0.0", "", "10.0.0.0/255.0.255.0", "10.0.0.0/abc", "10.0.0.0/８"]
    assert dests(*odd, header=header) == kept


@settings(deadline=None, max_examples=15)
@given(st.lists(NETWORK, min_size=2, max_size=6), st.booleans())
def test_several_networks_are_several_rows(
    networks: list[ipaddress.IPv4Network], closed: bool
) -> None:
    """Each gives a row with the line and the other cells of the one they stood in."""
    marks = [",", ", ", ";", " ; ", "\n", "\r\n", "|", "、", "，", "；", " ", "\u3000"]
    ends = [mark if closed and mark.strip() else "" for mark in marks]
    cells = [mark.join(map(str, networks)) + end for mark, end in zip(marks, ends, strict=True)]
    rows = [f'r,v{n},"{cell}",{n},y{n}\n' for n, cell in enumerate(cells)]
    routes = vk.read_routes("region,connection,cidr,weight,Site\n" + "".join(rows))
    assert routes["route_dest"].tolist() == [str(network) for network in networks] * len(marks)
    numbers = [n for n in range(len(marks)) for _ in networks]
    assert routes["weight"].tolist() == numbers
    assert routes["Site"].tolist() == [f"y{n}" for n in numbers]
    assert routes["line"].nunique() == len(marks)
    assert "several networks split into rows in 12 cells" in routes.attrs["read"]["notes"]


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        *(
            (f"10.0.0.0{by}255.0.0.0", "10.0.0.0/8")
            for by in (",", ", ", ";", "|", " ", "\n", "、")
        ),
        ("10.0.0.0 /8", "10.0.0.0/8"),
        *((cell, None) for cell in ("255.255.0.0", "0.0.0.255", "10.0.0.0,0.255.255.255")),
        *((cell, None) for cell in ("10.0.0.0/8;255.0.0.0", "10.0.0.0/8, HQ", "10.0.0.0/8,,x")),
        *((cell, None) for cell in ("10.0.0.0/8 and 11.0.0.0/8", "10.0.0.0-10.0.0.255")),
        *((cell, None) for cell in ("１0.0.0.0/8, 11.0.0.0/8", "10.0.0.0/8,")),
    ],
)
def test_a_cell_is_split_only_where_every_part_is_a_network(cell: str, meant: str | None) -> None:
    """Anything else stands as it is, a network with its mask too: the audit says what it means.

    A mask, or what it leaves, is never a route of its own.
    """
    routes = vk.read_routes(f'{FOUR}cn-a,vco-a,"{cell}",100\n')
    assert routes["route_dest"].tolist() == [cell]
    found = vk.audit_routes(routes)
    assert found["rule"].tolist() == ["malformed-cidr"]
    fixed = vk.apply_suggestions(routes, found)["route_dest"].tolist()
    assert fixed == [meant or cell]


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
    file = io.BytesIO()
    pd.DataFrame([row, {}, row]).to_parquet(file)
    assert len(vk.read_routes(file.getvalue())) == 2
