"""The table is found wherever it begins, whatever separates its cells, whatever it calls them."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InputError, InventoryError
from vcokit.inventory.header import ALIASES, NAME_ALIASES

NAMES = ["RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight", "Description"]
FIELDS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"]
HEADER = ",".join(NAMES)


def report(header: str, **options: Any) -> dict[str, Any]:
    """Return what reading noted of a file that ends with its header."""
    return vk.read_routes(header + "\n", **options).attrs["read"]


def written(rows: list[list[str]], delimiter: str) -> str:
    """Return rows as the csv module writes them."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("field", FIELDS)
def test_every_alias_is_found(field: str) -> None:
    """Each name that the table of aliases has is taken for its field, in capitals and apart."""
    for alias in ALIASES[field] + NAME_ALIASES.get(field, ()):
        name = f" {alias[0]}-{alias[1:]} ".upper()
        names = dict(zip(FIELDS, NAMES, strict=True)) | {field: name.strip()}
        assert report(" , ".join(names.values()))["columns"] == {v: k for k, v in names.items()}


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Weight (0/100)", "weight"),
        ("Destination CIDR (目标网段)", "route_dest"),
        ("目标网段（CIDR）", "route_dest"),
        ("Region [id]", "region_id"),
        ("IPsec-VPN Connection", "vpn_connection_id"),
        ("ＩＰｓｅｃ连接 ID", "vpn_connection_id"),
    ],
)
def test_what_stands_in_brackets_is_passed_over(name: str, field: str) -> None:
    """Names in everyday form are known; a plain name comes first, and an id before a name."""
    names = {"region_id": "Region", "vpn_connection_id": "VCO", "route_dest": "CIDR"}
    header = ",".join({**names, "weight": "Weight", field: name}.values())
    assert report(header)["columns"][name] == field
    found = report("Region,Connection name,Connection ID,CIDR,CIDR (old),Weight")
    assert found["columns"]["Connection ID"] == "vpn_connection_id"
    assert found["unknown"] == ["Connection name", "CIDR (old)"]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.text(st.sampled_from('ab1 ,;|\t"=主'), max_size=12), max_size=6),
    st.permutations(NAMES),
    st.sampled_from(",;\t|"),
    st.sampled_from(["Site", "Site, old", "A;B|C", 'the "site"', "two\nlines"]),
)
def test_the_header_is_found_below_any_titles(
    titles: list[str], names: list[str], delimiter: str, extra: str
) -> None:
    """Neither titles, even with quotes left open, nor quoted names lead to another header."""
    above = "".join(title + "\n" for title in titles)
    row = ["r", "vco-a", "10.0.0.0/8", "vco-a", "100", "", "x"]
    routes = vk.read_routes(above + written([[*names, extra], row, row], delimiter))
    found = routes.attrs["read"]
    assert (found["delimiter"], found["head_line"]) == (delimiter, len(titles) + 1)
    assert found["columns"] == {name: dict(zip(NAMES, FIELDS, strict=True))[name] for name in names}
    assert found["unknown"] == [extra]
    first = len(titles) + 2 + extra.count("\n")
    assert routes["line"].tolist() == [first, first + 1]
    assert [each["text"] for each in found["skipped"]] == [t.strip() for t in titles if t.strip()]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_first_row_is_the_line_below_the_header(end: str) -> None:
    """Whatever ends lines, however many bytes the letters above it take; a second header is one.

    The header may stand on the fiftieth line.
    """
    lines = ["杭州", "", HEADER + ",备", HEADER + ",备", "r,vco-a,d,n,0,x,z"]
    routes = vk.read_routes("".join(line + end for line in lines))
    assert routes[["line", "备"]].to_numpy().tolist() == [[4, "备"], [5, "z"]]
    assert report(f"x{end}" * 49 + HEADER)["head_line"] == 50


@pytest.mark.parametrize(
    ("header", "columns", "places"),
    [
        ("Region,Connection,Prefix,CIDR,Weight", {"route_dest": "CIDR"}, {"CIDR": "route_dest"}),
        ("Region,Connection,Route,Network,Weight", {"description": "Route"},
         {"Network": "route_dest", "Route": "description"}),
        ("Region,Connection,ziel netz,Ziel-Netz,Weight", {"route_dest": "Ziel-Netz"},
         {"Ziel-Netz": "route_dest"}),
        ("Region,Connection,ziel netz,Weight", {"route_dest": "Ziel_Netz"},
         {"ziel netz": "route_dest"}),
        ("Liste\nRegion;Ziel;Tunnel;Rang",
         {"Ziel": "route_dest", "Tunnel": "vpn_connection_id", "Rang": "weight"},
         {"Ziel": "route_dest", "Tunnel": "vpn_connection_id", "Rang": "weight"}),
        (HEADER, {"description": "weight", "weight": "Description"}, {"Weight": "description"}),
    ],
    ids=range(6),
)  # fmt: skip
def test_a_column_that_the_caller_names_is_that_field(
    header: str, columns: dict[str, str], places: dict[str, str]
) -> None:
    """It wins over other names, is no other field's, and is found exactly or by its letters.

    Field to name or name to field: which is which is plain from the fields.
    """
    assert places.items() <= report(header, columns=columns)["columns"].items()


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        (HEADER, {"description": "Text"}, r"description \(asked for as 'Text'\)"),
        (HEADER, {"route_dest": "Ziel"}, r"route_dest \(asked for as 'Ziel'\)"),
        ("Region,VCO,ziel netz,Ziel-Netz,Weight", {"route_dest": "ZIEL NETZ"},
         "'ziel netz' and 'Ziel-Netz'"),
        (HEADER, {"ziel": "a", "weight": "b", "rang": "c"}, "'ziel', 'rang'"),
        (HEADER, {"Ziel": "route_dest", "Netz": "route_dest"}, "'route_dest' occurs twice"),
        (HEADER, {"route_dest": "Ziel", "description": "Ziel"}, "name 'Ziel' occurs twice"),
        (HEADER, {"route_dest": 5}, "both text"),
        (HEADER, ["route_dest"], "both text"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_requested_column_must_be_there_once(header: str, columns: Any, said: str) -> None:
    """One that no table has, that two columns could be, or that is no field is named."""
    with pytest.raises(InputError, match=said) as caught:
        report(header, columns=columns)
    assert caught.value.remedy


def test_a_requested_column_may_stand_in_some_tables_alone(tmp_path: Path) -> None:
    """Of several tables each is read by the name that was given, or else by the one it knows."""
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("region,connection,cidr,Role,weight\ncn-a,vco-a,10.0.0.0/8,0,7\n")
    two.write_text("region,connection,cidr,权重\ncn-a,vco-b,10.0.0.0/8,100\n", encoding="utf-8")
    assert vk.read_routes([one, two], columns={"weight": "Role"})["weight"].tolist() == [0, 100]
    for names, where in (([one, two], "first of 2 tables"), ([two], "two.csv, line 1")):
        with pytest.raises(InventoryError, match=r"weight \(asked for as 'Rolle'\)") as caught:
            vk.read_routes(names, columns={"weight": "Rolle"})
        assert where in str(caught.value)


def test_of_several_delimiters_the_one_with_most_fields_is_meant() -> None:
    """A given one is the only one tried; it may be any character that can separate cells."""
    for one, other in itertools.permutations(",;\t|", 2):
        header = one.join([*NAMES, f"a{other}Prefix{other}Connection{other}b"])
        assert report(header)["delimiter"] == one
    assert vk.read_routes("，".join(NAMES) + "\n" + "a，" * 5 + "b\n", delimiter="，").shape[0] == 1
    with pytest.raises(InventoryError):
        report(HEADER, delimiter=";")
    for wrong in ("", ",,", '"', "\n", "\0", 5):
        with pytest.raises(InputError, match="cannot separate cells"):
            vk.read_routes("no-such-file", delimiter=wrong)


def test_other_columns_get_names_of_their_own() -> None:
    """Names of other columns are never empty, and none of the schema's; a thousand may be alike."""
    extras = "Site,,Site,line,Source,weight_text,source,column 6,line (file)" + ",a" * 1_000
    routes = vk.read_routes(f"Region,Prefix,VCO,Weight,{extras}\n" + "x," * 1_012 + "x\n")
    assert list(routes.columns[9:19]) == [
        *("Site", "column 6", "Site (2)", "line (file)", "Source", "weight_text (file)"),
        *("source (file)", "column 6 (2)", "line (file) (2)", "a"),
    ]
    assert routes.columns[-1] == "a (1000)"
    assert routes.columns.is_unique
