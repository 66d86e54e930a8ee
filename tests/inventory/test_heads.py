"""The table is found wherever it begins, whatever parts its cells, whatever its heads are."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcokit.errors import InputError, InventoryError
from vcokit.inventory import read_routes
from vcokit.inventory.heads import HEAD_LINES, extra_names, find_head, wanted_heads
from vcokit.inventory.text import load
from vcokit.schema import ALIASES

NAMES = ["RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight", "Description"]
FIELDS = list(ALIASES)


def head_of(text: str, delimiter: str | None = None, region: bool = False, **wanted: str):
    """Find the head of text."""
    return find_head(load(text + "\n"), wanted, delimiter, region=region)


def written(rows: list[list[str]], delimiter: str) -> str:
    """Return rows as the csv module writes them."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize(
    ("field", "alias"), [(field, alias) for field in FIELDS for alias in ALIASES[field]]
)
def test_every_alias_is_found(field: str, alias: str) -> None:
    """Each name that the schema lists for a field is taken for that field."""
    names = dict(zip(FIELDS, NAMES, strict=True)) | {field: f" {alias.upper()} "}
    head = head_of(",".join(names.values()))
    assert head.fields == {name: place for place, name in enumerate(FIELDS)}


TITLE = st.text(st.sampled_from('ab1 ,;|\t"=主'), max_size=12)


@settings(deadline=None)
@given(
    st.lists(TITLE, max_size=6),
    st.permutations(NAMES),
    st.sampled_from(",;\t|"),
    st.sampled_from(["Site", "Site, old", "A;B|C", 'the "site"', "two\nlines"]),
)
def test_the_head_is_found_below_any_titles(
    titles: list[str], names: list[str], delimiter: str, extra: str
) -> None:
    """Neither titles, even with quotes left open, nor quoted heads lead to another head."""
    above = "".join(title + "\n" for title in titles)
    row = ["r", "vco-a", "10.0.0.0/8", "vco-a", "100", "", "x"]
    head = head_of(above + written([[*names, extra], row, row], delimiter))
    assert (head.delimiter, head.line) == (delimiter, len(titles) + 1)
    assert head.cells == (*names, extra)
    called = dict(zip(NAMES, FIELDS, strict=True))
    assert head.fields == {called[name]: place for place, name in enumerate(names)}
    assert head.body_line == len(titles) + 2 + extra.count("\n")
    assert [title for _, title in head.titles] == [t.strip() for t in titles if t.strip()]


@settings(deadline=None)
@given(st.permutations(NAMES), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]))
def test_the_body_begins_below_the_head(names: list[str], delimiter: str, end: str) -> None:
    """The position of the body is that of the first byte below the head."""
    above = f"杭州{end}{end}" + delimiter.join([*names, "备"]) + end
    text = load(above + "1" + end)
    head = find_head(text, {})
    assert text.data[head.body :] == ("1" + end).encode()
    assert (head.line, head.body_line) == (3, 4)


def test_the_head_may_stand_late_but_not_too_late() -> None:
    """The head is looked for among the first lines only."""
    head = ",".join(NAMES)
    assert head_of("x\n" * (HEAD_LINES - 1) + head).line == HEAD_LINES
    with pytest.raises(InventoryError, match="no column for"):
        head_of("x\n" * HEAD_LINES + head)
    with pytest.raises(InventoryError, match="first 50 lines are blank"):
        head_of("\n" * HEAD_LINES + head)


def test_the_first_head_is_the_head() -> None:
    """A second line that could be a head is a row."""
    assert head_of("Dest,Connection,Region,Weight\n" + ",".join(NAMES)).line == 1


def test_missing_columns_are_named_all_at_once() -> None:
    """One error names every missing column, the heads that are there, and the remedies."""
    with pytest.raises(InventoryError) as caught:
        head_of("Title\nSite;Ort;Prefix")
    text = str(caught.value)
    assert caught.value.line == 2
    assert "no column for region_id, vpn_connection_id, weight;" in text
    assert all(hint in text for hint in ["'Site', 'Ort', 'Prefix'", "columns=", "region="])
    assert "never guessed" in text


def test_a_region_may_be_given_instead_of_a_column() -> None:
    """With a region given, the file need not have that column."""
    with pytest.raises(InventoryError, match="no column for region_id;"):
        head_of("Prefix,Connection,Weight")
    assert "region_id" not in head_of("Prefix,Connection,Weight", region=True).fields


def test_a_file_without_heads_is_told_to_get_some() -> None:
    """A file that begins with a row is told what heads to put above."""
    with pytest.raises(InventoryError, match="RegionId,VpnConnectionId,RouteDest"):
        head_of("cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100")


def test_two_heads_for_one_field_are_both_named() -> None:
    """All fields with more than one column are named, with their heads."""
    with pytest.raises(InventoryError) as caught:
        head_of("Region,Connection,Prefix,CIDR,Weight,weight")
    assert "route_dest ('Prefix' and 'CIDR'), weight ('Weight' and 'weight')" in str(caught.value)


def test_a_named_head_wins_over_aliases() -> None:
    """With a head named for a field, other heads for it are mere columns."""
    head = head_of("Region,Connection,Prefix,CIDR,Weight", route_dest="CIDR")
    assert head.fields["route_dest"] == 3
    assert extra_names(head) == {2: "Prefix"}


def test_a_head_named_for_one_field_is_no_others() -> None:
    """A head that is an alias of another field goes where the caller says."""
    head = head_of(
        "Region,Connection,Route,Network,Weight", route_dest="Network", description="Route"
    )
    assert (head.fields["route_dest"], head.fields["description"]) == (3, 2)
    head = head_of("Region,Connection,Route,Network,Weight", description="Route")
    assert (head.fields["route_dest"], head.fields["description"]) == (3, 2)


def test_a_named_head_is_found_exactly_or_by_its_letters() -> None:
    """A head that is there exactly is meant, else one that differs in case and signs alone."""
    text = "Region,Connection,ziel netz,Ziel-Netz,Weight"
    assert head_of(text, route_dest="Ziel-Netz").fields["route_dest"] == 3
    with pytest.raises(InventoryError, match="'ziel netz' and 'Ziel-Netz'"):
        head_of(text, route_dest="ZIEL NETZ")
    assert head_of("Region,Connection,ziel netz,Weight", route_dest="Ziel_Netz").fields


def test_a_named_head_that_is_not_there_is_named() -> None:
    """A head that the caller named must be there, even for a field that may be absent."""
    with pytest.raises(InventoryError, match=r"description \(asked for as 'Text'\)"):
        read_routes(",".join(NAMES) + "\n", columns={"description": "Text"})
    with pytest.raises(InventoryError, match=r"route_dest \(asked for as 'Ziel'\)"):
        read_routes(",".join(NAMES) + "\n", columns={"route_dest": "Ziel"})


def test_named_heads_make_a_head() -> None:
    """A head line without any alias is found by the heads that the caller named."""
    wanted = {"route_dest": "Ziel", "vpn_connection_id": "Tunnel", "weight": "Rang"}
    head = head_of("Liste\nZiel;Tunnel;Rang", region=True, **wanted)
    assert (head.line, head.delimiter) == (2, ";")


def test_a_given_delimiter_is_used() -> None:
    """A delimiter that the caller gives is the only one tried; it may be any character."""
    assert head_of("，".join(NAMES), "，").fields["weight"] == 4
    with pytest.raises(InventoryError):
        head_of(",".join(NAMES), ";")


@pytest.mark.parametrize(
    "text", ['Region,"Prefix,Connection,Weight\nr,1,2,3', '"' + "x" * 200_000, "x" * 3_000_000]
)
def test_a_head_that_never_ends_is_an_error(text: str) -> None:
    """An open quote or an endless line at the head is refused as such, with its line."""
    with pytest.raises(InventoryError, match="line 1: a quote is opened and never closed"):
        head_of(text)


def test_an_open_quote_in_a_head_below_titles_has_its_line() -> None:
    """The line named is that of the head, not that of the file's first line."""
    with pytest.raises(InventoryError, match="line 4: a quote is opened and never closed"):
        head_of('Mai\n\nJuni\nRegion,"Prefix,Connection,Weight\nr,1,2,3')


def test_other_columns_get_names_of_their_own() -> None:
    """Names of other columns are unique, never empty, and none of the schema's."""
    head = head_of(
        "Region,Prefix,Connection,Weight,Site,,Site,line,Source,weight_text,source,column 6"
    )
    assert list(extra_names(head).values()) == [
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
    """Whatever the heads, no two columns of the frame have one name."""
    names = extra_names(head_of(",".join(["Region,Prefix,Connection,Weight", *extras]))).values()
    assert len(set(names)) == len(extras)
    assert "" not in names


@pytest.mark.parametrize(
    "columns",
    [
        {"route_dest": "Ziel", "weight": "Rang"},
        {"Ziel": "route_dest", "Rang": "weight"},
    ],
)
def test_columns_may_be_named_either_way(columns: dict[str, str]) -> None:
    """Field to head or head to field: which is which is plain from the fields."""
    assert wanted_heads(columns) == {"route_dest": "Ziel", "weight": "Rang"}


def test_fields_on_both_sides_are_read_as_field_to_head() -> None:
    """Where either reading would do, the documented one is taken."""
    assert wanted_heads({"description": "weight"}) == {"description": "weight"}
    assert wanted_heads({"Ziel": "route_dest", "weight": "description"}) == {
        "route_dest": "Ziel",
        "description": "weight",
    }
    assert wanted_heads(None) == {}


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"ziel": "a", "weight": "b", "rang": "c"}, "'ziel', 'rang'"),
        ({"Ziel": "route_dest", "Netz": "route_dest"}, "field 'route_dest' occurs twice"),
        ({"route_dest": "Ziel", "description": "Ziel"}, "head 'Ziel' occurs twice"),
        ({"route_dest": 5}, "both text"),
        (["route_dest"], "both text"),
    ],
)
def test_names_that_cannot_be_used_are_all_named(columns: dict[str, str], named: str) -> None:
    """Unknown fields, and fields or heads named twice, are input errors."""
    with pytest.raises(InputError, match=named) as caught:
        wanted_heads(columns)
    assert not isinstance(caught.value, InventoryError)


def test_many_delimiters_in_one_head_are_told_apart() -> None:
    """Of the delimiters that part the head, the one that gives most fields is meant."""
    for one, other in itertools.permutations(",;\t|", 2):
        text = one.join([*NAMES, f"a{other}Prefix{other}Connection{other}b"])
        assert head_of(text).delimiter == one


def test_a_head_that_is_named_may_stand_in_some_tables_alone(tmp_path: Path) -> None:
    """Of several tables each is read by the head that was named, or else by the one it knows."""
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("region,connection,cidr,Role,weight\ncn-a,vco-a,10.0.0.0/8,0,7\n")
    two.write_text("region,connection,cidr,权重\ncn-a,vco-b,10.0.0.0/8,100\n", encoding="utf-8")
    assert read_routes([one, two], columns={"weight": "Role"})["weight"].tolist() == [0, 100]
    for names, where in (([one, two], "first of 2 tables"), ([two], "two.csv, line 1")):
        with pytest.raises(InventoryError) as caught:
            read_routes(names, columns={"weight": "Rolle"})
        assert "weight (asked for as 'Rolle')" in str(caught.value)
        assert where in str(caught.value)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("Weight (0/100)", "weight"),
        ("Destination CIDR (目标网段)", "route_dest"),
        ("目标网段（CIDR）", "route_dest"),
        ("Region [id]", "region_id"),
        ("Connection Name", "vpn_connection_id"),
        ("IPsec-VPN Connection", "vpn_connection_id"),
        ("IPsec连接名称", "vpn_connection_id"),
    ],
)
def test_heads_in_everyday_form_are_known(head: str, name: str) -> None:
    """What stands in brackets is passed over, and a name stands for a connection."""
    heads = {"region_id": "Region", "vpn_connection_id": "VCO", "route_dest": "CIDR"}
    cells = list({**heads, "weight": "Weight", name: head}.values())
    found = find_head(load(",".join(cells) + "\n"), {})
    assert found.fields[name] == cells.index(head)


def test_the_plain_head_comes_before_the_bracketed_one_and_the_id_before_the_name() -> None:
    """A second column of a like head is one of the file's own."""
    heads = "Region,Connection name,Connection ID,CIDR,CIDR (old),Weight\n"
    found = find_head(load(heads), {})
    assert (found.fields["vpn_connection_id"], found.fields["route_dest"]) == (2, 3)
    assert list(extra_names(found).values()) == ["Connection name", "CIDR (old)"]
