"""CSV rows are what the `csv` module reads; what it lets through and should not is an error."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InventoryError
from vcokit.inventory import csv_reader

HEADER = "region,connection,cidr,weight\n"
WIDTH = 4
ROW = "a,b,c,d\n"
BLANKS = " \t\r\n"
LIMIT = 131_072

#: Files made of the things that parsers stumble over, now and then of whole good lines.
PIECES = st.sampled_from(
    [
        *(ROW, ROW.replace("\n", "\r\n"), '"a","b","c","d"\n', "a", "中", ",", '"', '""', "\n"),
        *("\r\n", "\r", " ", "\t", "'", ";", "a,,\n", ',"x\ny",,\n', '"a""b",c,d,e\n', ",,,\n"),
        *("a,b,c,d,\n", "a,b\n", 'a"b,c,d,e\n', '"x\r\ny",b,c,d\n', "a,b,c,d,e\n"),
    ]
)
FILES = st.lists(PIECES, max_size=25).map("".join)
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


@pytest.fixture(params=[4 << 20, 64, 17], ids="block {}".format)
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be cut into blocks of several sizes; no door leads to them."""
    monkeypatch.setattr(csv_reader, "_BLOCK", request.param)


@pytest.mark.usefixtures("_blocks")
@settings(deadline=None, max_examples=400)
@given(FILES)
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


@pytest.mark.usefixtures("_blocks")
@settings(deadline=None, max_examples=200)
@given(RECTANGLES, st.sampled_from(["\n", "\r\n"]), st.sampled_from(",;\t|，"))
def test_any_rectangle_is_what_csv_reads(rows: list[list[str]], end: str, delimiter: str) -> None:
    """Whatever ends its lines and separates its cells."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    routes = vk.read_routes(HEADER.replace(",", delimiter) + file.getvalue(), delimiter=delimiter)
    wanted = by_csv(file.getvalue(), delimiter)
    assert routes["line"].tolist() == [line for line, _ in wanted or ()]
    assert routes["region_id"].fillna("").tolist() == [row[0] or "" for _, row in wanted or ()]


def test_a_plain_file_is_what_pandas_reads(tmp_path: Path) -> None:
    """On a clean file the six columns are those of `pandas.read_csv`."""
    path = tmp_path / "routes.csv"
    rows = [f"r{n},vco-{n},10.{n}.0.0/16,vco-{n},{n % 2 * 100},site {n}\n" for n in range(200)]
    path.write_text(
        "region_id,vpn_connection_id,route_dest,next_hop,weight,description\n" + "".join(rows)
    )
    wanted = pd.read_csv(path).astype({"weight": "Int64"})
    routes = vk.read_routes(path)
    pd.testing.assert_frame_equal(routes[list(wanted)], wanted, check_flags=False)
    assert routes["line"].tolist() == list(range(2, 202))


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
    "change",
    [
        lambda text: text + "\n",
        lambda text: text + " \n\n",
        lambda text: text.replace("vco-1500", '"vco-1500\n"', 1),
        lambda text: text.replace(",vco-1500,100", "", 1),
        lambda text: text.replace("vco-1500,100", "vco-1500,100,", 1),
    ],
    ids=["blank last line", "blank lines", "quoted line end", "short row", "comma at the end"],
)
def test_one_odd_row_costs_nothing(change: Callable[[str], str]) -> None:
    """A file with an odd row is read with about as many calls as without it."""
    plain = "region_id,vpn_connection_id,route_dest,next_hop,weight\n" + "".join(
        f"cn-hangzhou,vco-{i},10.{i // 250}.{i % 250}.0/24,vco-{i},100\n" for i in range(3000)
    )
    vk.read_routes(plain)
    odd = change(plain)
    assert odd != plain
    assert calls(lambda: vk.read_routes(odd)) < 1.2 * calls(lambda: vk.read_routes(plain))


def test_a_long_file_without_arrow_is_read_whole() -> None:
    """A file that Arrow does not take is read as one that it does, however long it is."""
    rows = "".join(f"r,v{n},d,w\n" for n in range(45_000))
    found = vk.read_routes((HEADER + rows).replace("\n", "\r"))
    wanted = vk.read_routes(HEADER + rows)
    pd.testing.assert_frame_equal(found, wanted, check_flags=False)


def test_the_line_of_an_open_quote_is_that_of_its_row() -> None:
    """The line named is that on which the row with the open quote starts."""
    with pytest.raises(InventoryError, match="never closed") as caught:
        by_vcokit('a,b,c,d\n"x\ny",b,c,"d\nd,e,f,g\n', "title\n" + HEADER)
    assert caught.value.line == 4


def test_all_rows_that_are_too_long_are_counted_in_one_error() -> None:
    """The error names the first such lines and how many there are; blank cells are none."""
    text = ROW + "a,b,c,d,e\n" * 9 + "a,b,c,d,,  \n"
    with pytest.raises(
        InventoryError, match=r"5 cells .* has 4, and 8 more .*\(4, 5, 6, 7, ...\)"
    ) as caught:
        by_vcokit(text)
    assert (caught.value.line, caught.value.source) == (3, "<text>")
    assert "comma" in str(caught.value.remedy)
    assert by_vcokit("a,b,c,d,,\u3000\ne,f,g,h\n") == [(2, list("abcd")), (3, list("efgh"))]


def test_a_blank_before_a_quote_is_named() -> None:
    """Quotes behind a blank are letters: the error for what follows from it says so."""
    with pytest.raises(InventoryError, match="5 cells where the header has 4") as caught:
        by_vcokit('a, b,"c, d",e\na, b, "c, d",e\n')
    assert caught.value.line == 3
    assert "Take away the blank before the quote" in str(caught.value.remedy)


@pytest.mark.parametrize("lone", ["", "x,y,z,w\r"], ids=["arrow", "csv"])
def test_short_rows_and_blank_lines_are_counted(lone: str) -> None:
    """What a short row lacks is missing, a blank line is no row; both are noted."""
    routes = vk.read_routes(HEADER + lone + 'a\n\n \u3000\n""\nb,c\nd,e,f,g\n,,\n,,,\n')
    assert (routes["line"] - len(lone) // 8).tolist()[-3:] == [2, 6, 7]
    assert routes.iloc[-2, :4].fillna("").tolist() == ["b", "c", "", "c"]
    assert {"fewer cells than the header in 2 rows", "5 blank lines skipped"} <= set(
        routes.attrs["read"]["notes"]
    )


@pytest.mark.parametrize("letter", ["x", "中"])
def test_cells_have_a_limit(letter: str) -> None:
    """A cell as long as the limit is read, one letter more is refused with its line."""
    text = f'{ROW}a,"{letter * LIMIT}",c,d\n'
    assert by_vcokit(text) == by_csv(text)
    with pytest.raises(InventoryError, match="line 3: a cell"):
        by_vcokit(text.replace(letter, letter * 2, 1))


def test_the_limit_does_not_hang_on_the_process() -> None:
    """Whatever limit the process gave the csv module, a longer cell is refused."""
    before = csv.field_size_limit(1_000_000)
    try:
        with pytest.raises(InventoryError, match="line 3: a cell"):
            by_vcokit(f"{ROW}a,{'x' * 200_000},c,d\n")
        csv.field_size_limit(20)
        with pytest.raises(InventoryError, match=r"limit \(20\)"):
            by_vcokit(f"a,b,{'x' * 21},d\n")
    finally:
        csv.field_size_limit(before)


def test_many_small_files_are_read_like_one() -> None:
    """A small file more takes at most as many calls as pandas' own reader."""
    row = "region,connection,cidr,weight\ncn-hangzhou,vco-{},10.0.0.0/24,100\n"
    files = [row.format(number) for number in range(60)]

    def by_pandas() -> None:
        pd.concat([pd.read_csv(io.StringIO(text), dtype=str) for text in files])

    vk.read_routes(files[:2])
    assert calls(lambda: vk.read_routes(files)) < calls(by_pandas)
