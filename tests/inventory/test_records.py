"""The fast parser and the exact one agree on every file, and with the `csv` module."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcokit.errors import InventoryError
from vcokit.inventory import records
from vcokit.inventory.records import Body, Records, exact, fast

WIDTH = 3

#: Files made of the things that parsers stumble over, now and then of whole good lines.
PIECES = st.sampled_from(
    [
        "a,b,c\n",
        "a,b,c\r\n",
        '"a","b","c"\n',
        "a",
        "中",
        ",",
        '"',
        '""',
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "'",
        ";",
        "a,,\n",
        ',"x\ny",\n',
        '"a""b",c,d\n',
        ",,\n",
        "a,b,c,\n",
        "a,b\n",
        'a"b,c,d\n',
    ]
)
FILES = st.lists(PIECES, max_size=25).map("".join)

#: Files that are plain: rectangular, quotes closed on their line.
PLAIN_CELL = st.text(st.sampled_from('ab ",;é中\t'), max_size=5)
PLAIN_ROWS = st.lists(st.lists(PLAIN_CELL, min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=20)


def body(text: str, delimiter: str = ",", above: str = "") -> Body:
    """Return text as a body, with other text above it."""
    data = (above + text).encode()
    return Body("a.csv", data, len(above.encode()), 1 + above.count("\n"), WIDTH, delimiter)


def outcome(of: Body) -> Records | InventoryError:
    """Return what the exact parser makes of a body, be it an error."""
    try:
        return exact(of)
    except InventoryError as error:
        return error


def strict_fault(text: str) -> str:
    """Return what the csv module says against text in its strict mode, empty if nothing."""
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        return str(error)
    return ""


def rows_of(found: Records) -> list[tuple[int, list[str | None]]]:
    """Return records as rows with their lines."""
    columns = [column.to_pylist() for column in found.columns]
    return list(zip(found.lines.tolist(), map(list, zip(*columns, strict=True)), strict=True))


def by_csv(text: str, delimiter: str = ",") -> list[tuple[int, list[str | None]]]:
    """Return what the csv module reads, blank lines left out, short rows filled up."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found = []
    line = 1
    for record in reader:
        if len(record) > 1 or (record and record[0].strip()):
            cells = [cell or None for cell in (record + [""] * WIDTH)[:WIDTH]]
            found.append((line, cells))
        line = reader.line_num + 1
    return found


@pytest.fixture(params=[8 << 20, 64, 17], ids="block {}".format)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Let the fast parser cut files into blocks of several sizes."""
    monkeypatch.setattr(records, "_BLOCK", request.param)
    return request.param


@pytest.mark.usefixtures("blocks")
@settings(deadline=None, max_examples=1000)
@given(FILES)
@example('a,b,c\na,b,"c')
@example('a,b,c\na,b,"c\n')
@example('a,b,c\na"b,c,"d')
@example('a,b,c\nd,"e\nf",g\n')
@example("a,b,c\n\nd,e,f\n")
@example('aaaaaaaaaa,b,c\naaaaaaaaaa,b,c\nx,"yy\nzz",w\naaaaaaaaaa,b,c\n')
@example("a,b,c\r\rd,e,f\n")
def test_the_parsers_agree(text: str) -> None:
    """Where the fast parser answers, the exact one answers the same; else it leaves it to that."""
    quick = fast(body(text, above="title\nhead\n"))
    slow = outcome(body(text, above="title\nhead\n"))
    if isinstance(slow, InventoryError):
        assert quick is None
    elif quick is not None:
        assert rows_of(quick) == rows_of(slow)
        assert (quick.blank, quick.short) == (slow.blank, slow.short) == (0, 0)


@pytest.mark.usefixtures("blocks")
@settings(deadline=None)
@given(PLAIN_ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(",;\t|"), st.booleans())
def test_plain_files_go_the_fast_way(
    rows: list[list[str]], end: str, delimiter: str, closed: bool
) -> None:
    """A rectangular file is read by the fast parser, as the csv module reads it."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    text = file.getvalue() if closed else file.getvalue().removesuffix(end)
    quick = fast(body(text, delimiter, above="the title\nthe head\n"))
    if records._BLOCK > 64:  # a line longer than a block is left to the exact parser
        assert quick is not None
    if quick is not None:
        assert rows_of(quick) == [(line + 2, row) for line, row in by_csv(text, delimiter)]


@settings(deadline=None, max_examples=500)
@given(FILES)
def test_the_exact_parser_reads_as_csv_does(text: str) -> None:
    """The exact parser adds to the csv module what it refuses, and changes nothing else."""
    found = outcome(body(text))
    if isinstance(found, InventoryError):
        assert found.line is not None
        assert "quote" in str(found) or "cells where the head has" in str(found)
    else:
        assert rows_of(found) == by_csv(text)


@settings(deadline=None, max_examples=500)
@given(FILES)
def test_an_open_quote_is_found_exactly(text: str) -> None:
    """The error for an open quote comes where csv in its strict mode runs out of data, alone."""
    found, fault = outcome(body(text)), strict_fault(text)
    if "unexpected end" in fault:
        assert isinstance(found, InventoryError)
    elif not fault:  # else the strict mode stumbled over something else before the end
        assert "never closed" not in str(found)


def test_batches_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file longer than a batch is read as one that fits."""
    text = "".join(f'{n},"x\ny",\n' for n in range(50))
    whole = rows_of(exact(body(text)))
    monkeypatch.setattr(records, "_BATCH", 7)
    assert rows_of(exact(body(text))) == whole == by_csv(text)


def test_the_line_of_an_open_quote_is_that_of_its_row() -> None:
    """The line named is that on which the row with the open quote starts."""
    with pytest.raises(InventoryError, match="never closed") as caught:
        exact(body('a,b,c\n"x\ny",b,"c\nd,e,f\n', above="title\nhead\n"))
    assert caught.value.line == 4


def test_all_rows_that_are_too_long_are_counted_in_one_error() -> None:
    """The error names the first such lines and how many there are."""
    text = "a,b,c\n" + "a,b,c,d\n" * 9 + "a,b,c,,  \n"
    with pytest.raises(
        InventoryError, match=r"4 cells .* has 3, and 8 more .*\(3, 4, 5, 6, ...\)"
    ) as caught:
        exact(body(text))
    assert (caught.value.line, caught.value.source) == (2, "a.csv")
    assert "comma" in str(caught.value.remedy)


def test_a_blank_before_a_quote_is_told() -> None:
    """Quotes behind a blank are letters: the error for what follows from it says so."""
    with pytest.raises(InventoryError, match="4 cells where the head has 3") as caught:
        exact(body('a, b,"c, d"\na, b, "c, d"\n'))
    assert caught.value.line == 2
    assert "Take away the blank before the quote" in str(caught.value.remedy)


def test_blank_cells_beyond_the_head_are_nothing() -> None:
    """A delimiter, or blanks, at the end of rows make no cells."""
    assert rows_of(exact(body("a,b,c,,\u3000\nd,e,f\n"))) == [
        (1, ["a", "b", "c"]),
        (2, ["d", "e", "f"]),
    ]


def test_short_rows_and_blank_lines_are_counted() -> None:
    """What a short row lacks is missing, a blank line is no row; both are counted."""
    found = exact(body('a\n\n \u3000\n""\nb,c\nd,e,f\n,,\n'))
    lines = [1, 5, 6, 7]
    assert found.lines.tolist() == lines
    assert rows_of(found)[1][1] == ["b", "c", None]
    assert (found.blank, found.short) == (3, 2)


@pytest.mark.parametrize("spare", [0, 1])
@pytest.mark.parametrize("letter", ["x", "中"])
def test_cells_have_a_limit(spare: int, letter: str) -> None:
    """A cell as long as the limit is read either way, one letter more is refused with its line."""
    text = f'a,b,c\na,"{letter * (records.CELL_LIMIT + spare)}",c\n'
    if spare:
        assert fast(body(text)) is None
        with pytest.raises(InventoryError, match="line 2: a cell"):
            exact(body(text))
    else:
        assert rows_of(exact(body(text))) == rows_of(records.parse(body(text)))


def test_the_limit_does_not_hang_on_the_process() -> None:
    """Whatever limit the process gave the csv module, the parsers agree."""
    text = f"a,b,c\na,{'x' * 200_000},c\n"
    before = csv.field_size_limit(1_000_000)
    try:
        with pytest.raises(InventoryError, match="line 2: a cell"):
            exact(body(text))
        csv.field_size_limit(10)
        assert fast(body("a,b,12345678901\n")) is None
        with pytest.raises(InventoryError, match=r"limit \(10\)"):
            exact(body("a,b,12345678901\n"))
    finally:
        csv.field_size_limit(before)


def test_an_empty_body_has_all_columns() -> None:
    """No rows are no error."""
    found = records.parse(body(""))
    assert [len(column) for column in found.columns] == [0, 0, 0]
