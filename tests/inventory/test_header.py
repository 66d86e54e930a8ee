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
from vcokit.inventory.header import ALIASES, HEADER_LINES, NAME_ALIASES, header_key
from vcokit.schema import ROUTES

NAMES = ["RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight", "Description"]
FIELDS = list(ROUTES)[:6]
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
    """Each name that is known for a field is taken for that field, and written as it is compared.

    No name stands for two fields.
    """
    for alias in ALIASES[field] + NAME_ALIASES.get(field, ()):
        names = dict(zip(FIELDS, NAMES, strict=True)) | {field: alias.upper()}
        columns = report(" , ".join(names.values()))["columns"]
        assert columns == {name: key for key, name in names.items()}
        assert header_key(alias) == alias
        assert [key for key in FIELDS if alias in ALIASES[key]] in ([field], [])


TITLE = st.text(st.sampled_from('ab1 ,;|\t"=主'), max_size=12)


@settings(deadline=None)
@given(
    st.lists(TITLE, max_size=6),
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
    """Whatever ends lines, and however many bytes the letters above it take."""
    lines = ["杭州", "", HEADER + ",备", "r,vco-a,d,n,0,x,z"]
    routes = vk.read_routes("".join(line + end for line in lines))
    assert routes[["line", "备"]].to_numpy().tolist() == [[4, "z"]]


def test_the_header_may_stand_late_but_not_too_late() -> None:
    """The header is looked for among the first lines only."""
    assert report("x\n" * (HEADER_LINES - 1) + HEADER)["head_line"] == HEADER_LINES
    with pytest.raises(InventoryError, match="no column for"):
        report("x\n" * HEADER_LINES + HEADER)
    with pytest.raises(InventoryError, match="first 50 lines are blank"):
        report("\n" * HEADER_LINES + HEADER)


def test_the_first_header_is_the_header() -> None:
    """A second line that could be a header is a row."""
    assert report("Dest,VCO,Region,Weight\nRegion,VCO,Dest,Weight")["head_line"] == 1


def test_missing_columns_are_named_all_at_once() -> None:
    """One error names every missing column, the columns that are there, and the remedies."""
    with pytest.raises(InventoryError) as caught:
        report("Title\nSite;Ort;Prefix")
    text = str(caught.value)
    assert caught.value.line == 2
    assert "no column for region_id, vpn_connection_id, weight;" in text
    assert all(hint in text for hint in ["'Site', 'Ort', 'Prefix'", "columns=", "region="])
    assert "never guessed" in text


def test_a_file_without_a_header_is_told_to_get_one() -> None:
    """A file that begins with a row is told what to put above."""
    with pytest.raises(InventoryError, match="RegionId,VpnConnectionId,RouteDest"):
        report("cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100")


def test_two_columns_for_one_field_are_both_named() -> None:
    """All fields with more than one column are named, with their names in the file."""
    with pytest.raises(InventoryError) as caught:
        report("Region,Connection,Prefix,CIDR,Weight,weight")
    assert "route_dest ('Prefix' and 'CIDR'), weight ('Weight' and 'weight')" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "columns", "places"),
    [
        ("Region,Connection,Prefix,CIDR,Weight", {"route_dest": "CIDR"}, {"CIDR": "route_dest"}),
        (
            "Region,Connection,Route,Network,Weight",
            {"description": "Route"},
            {"Network": "route_dest", "Route": "description"},
        ),
        (
            "Region,Connection,ziel netz,Ziel-Netz,Weight",
            {"route_dest": "Ziel-Netz"},
            {"Ziel-Netz": "route_dest"},
        ),
        ("Region,Connection,ziel netz,Weight", {"route_dest": "Ziel_Netz"}, {"ziel netz": None}),
        (
            "Liste\nRegion;Ziel;Tunnel;Rang",
            {"Ziel": "route_dest", "Tunnel": "vpn_connection_id", "Rang": "weight"},
            {"Ziel": "route_dest", "Tunnel": "vpn_connection_id", "Rang": "weight"},
        ),
        (HEADER, {"description": "weight", "weight": "Description"}, {"Weight": "description"}),
    ],
)
def test_a_column_that_the_caller_names_is_that_field(
    header: str, columns: dict[str, str], places: dict[str, str | None]
) -> None:
    """It wins over other names, is no other field's, and is found exactly or by its letters.

    Field to name or name to field: which is which is plain from the fields.
    """
    found = report(header, columns=columns)["columns"]
    for name, field in places.items():
        assert found[name] == (field or "route_dest")


def test_a_requested_column_must_be_there_once() -> None:
    """One that no table has, or that two columns could be, is an error that names it."""
    with pytest.raises(InventoryError, match=r"description \(asked for as 'Text'\)"):
        report(HEADER, columns={"description": "Text"})
    with pytest.raises(InventoryError, match=r"route_dest \(asked for as 'Ziel'\)"):
        report(HEADER, columns={"route_dest": "Ziel"})
    with pytest.raises(InventoryError, match="'ziel netz' and 'Ziel-Netz'"):
        report("Region,VCO,ziel netz,Ziel-Netz,Weight", columns={"route_dest": "ZIEL NETZ"})


def test_a_requested_column_may_stand_in_some_tables_alone(tmp_path: Path) -> None:
    """Of several tables each is read by the name that was given, or else by the one it knows."""
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("region,connection,cidr,Role,weight\ncn-a,vco-a,10.0.0.0/8,0,7\n")
    two.write_text("region,connection,cidr,权重\ncn-a,vco-b,10.0.0.0/8,100\n", encoding="utf-8")
    assert vk.read_routes([one, two], columns={"weight": "Role"})["weight"].tolist() == [0, 100]
    for names, where in (([one, two], "first of 2 tables"), ([two], "two.csv, line 1")):
        with pytest.raises(InventoryError) as caught:
            vk.read_routes(names, columns={"weight": "Rolle"})
        assert "weight (asked for as 'Rolle')" in str(caught.value)
        assert where in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"ziel": "a", "weight": "b", "rang": "c"}, "'ziel', 'rang'"),
        ({"Ziel": "route_dest", "Netz": "route_dest"}, "field 'route_dest' occurs twice"),
        ({"route_dest": "Ziel", "description": "Ziel"}, "name 'Ziel' occurs twice"),
        ({"route_dest": 5}, "both text"),
        (["route_dest"], "both text"),
    ],
)
def test_names_that_cannot_be_used_are_all_named(columns: dict[str, str], named: str) -> None:
    """Unknown fields, and fields or names given twice, are input errors."""
    with pytest.raises(InputError, match=named) as caught:
        report(HEADER, columns=columns)
    assert not isinstance(caught.value, InventoryError)


def test_of_several_delimiters_the_one_with_most_fields_is_meant() -> None:
    """A given one is the only one tried; it may be any character."""
    for one, other in itertools.permutations(",;\t|", 2):
        header = one.join([*NAMES, f"a{other}Prefix{other}Connection{other}b"])
        assert report(header)["delimiter"] == one
    assert vk.read_routes("，".join(NAMES) + "\n" + "a，" * 5 + "b\n", delimiter="，").shape[0] == 1
    with pytest.raises(InventoryError):
        report(HEADER, delimiter=";")


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\0", 5])
def test_a_delimiter_is_one_character(delimiter: str) -> None:
    """What cannot separate cells is refused before the file is read."""
    with pytest.raises(InputError, match="cannot separate cells"):
        vk.read_routes("no-such-file", delimiter=delimiter)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('Region,"Prefix,Connection,Weight\nr,1,2,3', 1),
        ('"' + "x" * 200_000, 1),
        ("x" * 3_000_000, 1),
        ('Mai\n\nJuni\nRegion,"Prefix,Connection,Weight\nr,1,2,3', 4),
    ],
    ids=range(4),
)
def test_a_header_that_never_ends_is_an_error(text: str, line: int) -> None:
    """An open quote or an endless line at the header is refused as such, with its line."""
    with pytest.raises(InventoryError, match=f"line {line}: a quote is opened and never closed"):
        report(text)


def test_other_columns_get_names_of_their_own() -> None:
    """Names of other columns are unique, never empty, and none of the schema's."""
    extras = "Site,,Site,line,Source,weight_text,source,column 6"
    routes = vk.read_routes(f"Region,Prefix,VCO,Weight,{extras}\n" + "x," * 11 + "x\n")
    assert list(routes.columns[9:]) == [
        "Site",
        "column 6",
        "Site (2)",
        "line (file)",
        "Source",
        "weight_text (file)",
        "source (file)",
        "column 6 (2)",
    ]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "a", "a (2)", "line", "line (file)", "column 5", "b"])))
def test_names_of_other_columns_are_unique(extras: list[str]) -> None:
    """Whatever they are called, no two columns of the frame have one name."""
    names = ["Region", "Prefix", "VCO", "Weight", *extras]
    routes = vk.read_routes(",".join(names) + "\n" + ",".join("x" for _ in names) + "\n")
    assert routes.columns.is_unique
    assert len(routes.columns) == len(ROUTES) + len(extras)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Weight (0/100)", "weight"),
        ("Destination CIDR (目标网段)", "route_dest"),
        ("目标网段（CIDR）", "route_dest"),
        ("Region [id]", "region_id"),
        ("IPsec-VPN Connection", "vpn_connection_id"),
    ],
)
def test_what_stands_in_brackets_is_passed_over(name: str, field: str) -> None:
    """Names in everyday form are known."""
    names = {"region_id": "Region", "vpn_connection_id": "VCO", "route_dest": "CIDR"}
    header = ",".join({**names, "weight": "Weight", field: name}.values())
    assert report(header)["columns"][name] == field


def test_the_plain_name_comes_before_the_bracketed_one_and_the_id_before_the_name() -> None:
    """A second column of a like name is one of the file's own."""
    found = report("Region,Connection name,Connection ID,CIDR,CIDR (old),Weight")
    assert found["columns"]["Connection ID"] == "vpn_connection_id"
    assert found["unknown"] == ["Connection name", "CIDR (old)"]
