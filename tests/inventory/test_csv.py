"""CSV rows are what the `csv` module reads; what it lets through and should not is an error."""

from __future__ import annotations

import csv
import functools
import io
import random
import sys
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InventoryError

HEADER = "region,connection,cidr,weight\n"
WIDTH = 4
ROW = "a,b,c,d\n"
BLANKS = " \t\r\n"
LIMIT = 131_072

#: The things that parsers stumble over, now and then whole good lines.
PIECES = [
    *(ROW, ROW.replace("\n", "\r\n"), '"a","b","c","d"\n', "a", "中", ",", '"', '""', "\n"),
    *("\r\n", "\r", " ", "\t", "'", ";", "a,,\n", ',"x\ny",,\n', '"a""b",c,d,e\n', ",,,\n"),
    *("a,b,c,d,\n", "a,b\n", 'a"b,c,d,e\n', '"x\r\ny",b,c,d\n', "a,b,c,d,e\n"),
]
CELL = st.text(st.sampled_from('ab ",;é中\t\n'), max_size=5)
RECTANGLES = st.lists(st.lists(CELL, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=20)


def value(cell: str) -> str | None:
    """Return what a cell means, independently of the package."""
    cell = cell.strip(BLANKS)
    return (cell[1:] if cell[:1] == "'" and cell[1:2] in "='\t" and cell[1:] else cell) or None


def by_csv(text: str, delimiter: str = ",") -> list[tuple[int, list[str | None]]] | None:
    """Return the rows that the csv module reads, with their lines; None where one is a fault.

    A quote is open at the end where it swallows a mark that is put behind the text.
    """
    marked = list(csv.reader(io.StringIO(text + "\n\x01", newline=""), delimiter=delimiter))
    if marked[-1] != ["\x01"]:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found, line = [], 2
    for record in reader:
        cells = [value(cell) for cell in record]
        if any(cells[WIDTH:]):
            return None
        if any(cells):
            found.append((line, [*cells, *[None] * WIDTH][:WIDTH]))
        line = reader.line_num + 2
    return found


def by_vcokit(text: str, header: str = HEADER) -> list[tuple[int, list[str | None]]]:
    """Return the rows that `read_routes` reads, with their lines."""
    routes = vk.read_routes(header + text)
    names = ["region_id", "vpn_connection_id", "route_dest", "weight_text"]
    cells = routes[names].astype("object").where(routes[names].notna(), None).to_numpy().tolist()
    return list(zip(routes["line"].tolist(), cells, strict=True))


@settings(deadline=None, max_examples=120)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example(ROW + 'a,b,"c')
@example(ROW + 'a,b,c,"d\n')
@example(ROW + 'a"b,c,d,"e')
@example(ROW + 'd,"e\nf",g,h\n')
@example(ROW + "\n" + ROW)
@example(ROW + "a,b\n\n" + ROW + '"x\ny",b\n' + ROW)
@example("aaaaaaaaaa,b,c,d\n" * 2 + 'x,"yy\nzz",w,v\naaaaaaaaaa,b,c,d\n')
@example("a,b,c,d\r\rd,e,f,g\n")
def test_any_file_is_what_csv_reads(text: str) -> None:
    """The same rows on the same lines, or one error where a quote is open or a row too long."""
    wanted = by_csv(text)
    if wanted is not None:
        assert by_vcokit(text) == wanted
        return
    with pytest.raises(InventoryError) as caught:
        by_vcokit(text)
    assert caught.value.line is not None
    assert "quote" in str(caught.value) or "cells where the header has" in str(caught.value)


def test_a_long_file_is_what_csv_reads() -> None:
    """However many blocks it is cut into, and whatever stands where one ends."""
    chance = random.Random(0)
    ends = ["\n", "\r\n", "\n", "\n"]
    cells = ["中" * 900, '"x\ny"', '"a""b"', "", "'=1", " a ", '"' + "\r\n" * 50 + '"', "b" * 3_000]
    rows = [
        ",".join(chance.choices(cells, k=chance.choice([4, 4, 4, 2]))) + chance.choice(ends)
        for _ in range(4_000)
    ]
    text = "".join(rows)
    assert len(text.encode()) > 9 << 20
    names = ["region_id", "vpn_connection_id", "route_dest"]
    routes = vk.read_routes(HEADER + text)
    wanted = by_csv(text) or []
    assert routes["line"].tolist() == [line for line, _ in wanted]
    assert routes[names].fillna("").to_numpy().tolist() == [
        [(cell or "").strip(BLANKS) for cell in row[:3]] for _, row in wanted
    ]


@settings(deadline=None, max_examples=30)
@given(RECTANGLES, st.sampled_from(["\n", "\r\n"]), st.sampled_from(",;\t|，"))
def test_any_rectangle_is_what_csv_reads(rows: list[list[str]], end: str, delimiter: str) -> None:
    """Whatever ends its lines and separates its cells."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    routes = vk.read_routes(HEADER.replace(",", delimiter) + file.getvalue(), delimiter=delimiter)
    wanted = by_csv(file.getvalue(), delimiter)
    assert routes["line"].tolist() == [line for line, _ in wanted or ()]
    assert routes["region_id"].fillna("").tolist() == [row[0] or "" for _, row in wanted or ()]


def test_a_plain_file_is_what_pandas_reads() -> None:
    """On a clean file the six columns are those of `pandas.read_csv`; so is one that ends in CR."""
    names = "region_id,vpn_connection_id,route_dest,next_hop,weight,description\n"
    text = names + "".join(
        f"r{n},vco-{n},10.{n}.0.0/16,vco-{n},{n % 2 * 100},site {n}\n" for n in range(9_000)
    )
    wanted = pd.read_csv(io.StringIO(text)).astype({"weight": "Int64"})
    for source in (text, text.replace("\n", "\r")):
        routes = vk.read_routes(source)
        pd.testing.assert_frame_equal(routes[list(wanted)], wanted, check_flags=False)
        assert routes["line"].tolist() == list(range(2, 9_002))


def calls(work: Callable[[], object]) -> int:
    """Return how many functions some work calls, which no load of the machine changes."""
    count = 0

    def profile(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("100\n$", "100\n \n\n"),
        ("vco-500", '"vco-500\n"'),
        (",vco-500,100", ""),
        ("100\n$", "100,\n"),
    ],
    ids=["blank lines", "quoted line end", "short row", "comma at the end"],
)
def test_one_odd_row_costs_nothing(old: str, new: str) -> None:
    """A file with an odd row is read with about as many calls as without it, or a tenth of it."""
    plain = "region_id,vpn_connection_id,route_dest,next_hop,weight\n" + "".join(
        f"cn-hangzhou,vco-{i},10.{i // 250}.{i % 250}.0/24,vco-{i},100\n" for i in range(1000)
    )
    odd = (plain + "$").replace(old, new, 1).removesuffix("$")
    assert odd != plain
    tenth = "\n".join(plain.splitlines()[:100])
    vk.read_routes(plain)
    of_odd, of_plain, of_tenth = (
        calls(functools.partial(vk.read_routes, text)) for text in (odd, plain, tenth)
    )
    assert of_odd < 1.2 * of_plain < 2 * of_tenth


def test_many_small_files_are_read_like_one() -> None:
    """A small file more takes at most as many calls as pandas' own reader."""
    row = "region,connection,cidr,weight\ncn-hangzhou,vco-{},10.0.0.0/24,100\n"
    files = [row.format(number) for number in range(30)]

    def by_pandas() -> None:
        pd.concat([pd.read_csv(io.StringIO(text), dtype=str) for text in files])

    vk.read_routes(files[:2])
    assert calls(lambda: vk.read_routes(files)) < calls(by_pandas)


@pytest.mark.parametrize("lone", ["", "x,y,z,w\r"], ids=["arrow", "csv"])
def test_short_rows_and_blank_lines_are_counted(lone: str) -> None:
    """What a short row lacks is missing, a blank line is no row; both are noted.

    Blank cells beyond the header are nothing.
    """
    text = f'{lone}a\n\n \u3000\n""\nb,c\nd,e,f,g,,\u3000\n,,\n,,,\n'
    routes = vk.read_routes(HEADER + text)
    assert (routes["line"] - len(lone) // 8).tolist()[-3:] == [2, 6, 7]
    assert routes.iloc[-2, :4].fillna("").tolist() == ["b", "c", "", "c"]
    assert {"fewer cells than the header in 2 rows", "5 blank lines skipped"} <= set(
        routes.attrs["read"]["notes"]
    )


def test_a_cell_has_a_limit() -> None:
    """It is one of characters, not of bytes, whatever limit the csv module was given."""
    before = csv.field_size_limit(1_000_000)
    try:
        for letter in ("x", "中"):
            text = ROW + 'a,"' + letter * LIMIT + '",c,d\n'
            assert by_vcokit(text) == by_csv(text)
            with pytest.raises(InventoryError, match="line 3: a cell of the row that starts here"):
                by_vcokit(text.replace('",c', letter + '",c'))
        csv.field_size_limit(20)
        with pytest.raises(InventoryError, match=r"limit \(20\)"):
            by_vcokit(f"a,b,{'x' * 21},d\n")
    finally:
        csv.field_size_limit(before)
