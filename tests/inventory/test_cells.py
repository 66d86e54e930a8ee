"""What a cell means, on whole columns, is what it means for one cell of a plain Python loop."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcokit.inventory import cells
from vcokit.inventory.cells import Tally
from vcokit.schema import BLANKS, split_weight

LISTED = "\xa0\u3000\ufeff\u200b\u200c\u200d\u2060"
RAW = st.text(
    st.one_of(
        st.sampled_from("'=+-@\t \n\r\v\f\"" + LISTED + "\x1c\x85\u2028"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from("abAB019"),
    ),
    max_size=8,
)
RAWS = st.lists(st.one_of(st.none(), RAW), max_size=12)


def column(values: list[str | None]) -> pa.ChunkedArray:
    """Return values as a column of two chunks, the second a slice."""
    half = len(values) // 2
    rest = pa.array(["x", *values[half:]], pa.large_string()).slice(1)
    return pa.chunked_array([pa.array(values[:half], pa.large_string()), rest])


def is_blank(letter: str) -> bool:
    """Tell, independently of the package, whether a letter is trimmed."""
    return letter.isspace() or letter in LISTED


def by_hand(cell: str | None) -> str | None:
    """Read one cell, letter by letter."""
    letters = list(cell or "")
    while letters and is_blank(letters[0]):
        del letters[0]
    while letters and is_blank(letters[-1]):
        del letters[-1]
    if len(letters) > 1 and letters[0] == "'" and letters[1] in "=+-@'\t":
        del letters[0]
    return "".join(letters) or None


def test_blanks_are_every_unicode_space_and_the_invisible() -> None:
    """The blanks are all that Unicode calls space, and the invisible ones by name; no others."""
    every = {chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000}
    assert set(BLANKS) == {letter for letter in every if is_blank(letter)}


@settings(deadline=None)
@given(RAWS)
@example(["'\tx", "'", "''", "'=", "' =", "\u200b'=1\u200b", "'x", "'\u3000="])
def test_columns_are_cleaned_as_cells_are_by_hand(values: list[str | None]) -> None:
    """Trimming and unprotecting a column gives what a letter by letter reading gives.

    Parsers have made null of what is empty.
    """
    parsed = column([cell or None for cell in values])
    assert cells.clean(parsed, Tally()).to_pylist() == [by_hand(cell) for cell in values]


@settings(deadline=None)
@given(RAW)
def test_heads_are_cleaned_as_cells(cell: str) -> None:
    """The rule for one cell is the rule for columns."""
    assert cells.clean_cell(cell) == (by_hand(cell) or "")


@settings(deadline=None)
@given(RAWS)
def test_changes_are_counted(values: list[str | None]) -> None:
    """The tally says in how many cells blanks were trimmed and protection taken away."""
    tally = Tally()
    cells.clean(column(values), tally)
    trimmed = [(cell or "").strip(BLANKS) for cell in values]
    assert tally.counts.get("trimmed", 0) == sum(
        cell is not None and cell != trim for cell, trim in zip(values, trimmed, strict=True)
    )
    assert tally.counts.get("unprotected", 0) == sum(
        trim != (by_hand(trim) or "") for trim in trimmed
    )


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(st.characters(max_codepoint=0x24F)))))
def test_ascii_letters_become_lower_case(values: list[str | None]) -> None:
    """ASCII letters become lower case as bytes have it, no others do, and are counted."""
    tally = Tally()
    lowered = cells.lower(column(values), tally).to_pylist()
    expected = [None if one is None else one.encode().lower().decode() for one in values]
    assert lowered == expected
    changed = sum(value != after for value, after in zip(values, lowered, strict=True))
    assert tally.counts.get("lowered", 0) == changed


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.sampled_from(["100", "0.0", "1e2", "主", "-5", "+1"]), RAW))
)
def test_weights_are_split_as_the_schema_has_it(values: list[str | None]) -> None:
    """Looking at each distinct text once gives what `split_weight` gives for every row."""
    weight, text = cells.weights(column(values))
    wanted, wanted_text = split_weight(pd.Series(values, dtype="str"))
    pd.testing.assert_series_equal(weight, wanted)
    pd.testing.assert_series_equal(text, wanted_text)


def test_words_are_replaced_without_regard_to_case() -> None:
    """Words stand for weights whatever their case, only as whole cells, and are counted."""
    tally = Tally()
    values = ["Active", "STANDBY", None, "active x", "主", "100"]
    words = {"active": 100, "standby": 0, "主": 100}
    translated = cells.translate(column(values), words, tally).to_pylist()
    assert translated == ["100", "0", None, "active x", "100", "100"]
    assert tally.counts == {"translated": 3}
