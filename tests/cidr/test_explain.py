"""What is suggested for a bad cell is what a person would write, or nothing."""

from __future__ import annotations

import ipaddress

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcokit.cidr.suggest import suggest, suggestions

RIGHT = {
    "10.1.2.3": "10.1.2.3/32",
    "10.1.2.0/255.255.255.0": "10.1.2.0/24",
    "10.1.2.9/255.255.255.0": "10.1.2.0/24",
    "10.1.2.0 255.255.255.0": "10.1.2.0/24",
    " 10.0.0.0/8": "10.0.0.0/8",
    "10.0.0.0 / 8": "10.0.0.0/8",
    "10.\u00a00.0.0/8": "10.0.0.0/8",
    "10.0.0.0\u200b/8": "10.0.0.0/8",
    "１０.0.0.0/8": "10.0.0.0/8",
    "१०.0.0.0/8": "10.0.0.0/8",
    "１０．０．０．０／８": "10.0.0.0/8",
}
NOTHING = [
    "010.0.0.0/8",
    "10.0.0.0/08",
    "10.0.0.0/0",
    "0.0.0.0/0.0.0.0",
    "10.0.0.256/24",
    "10.0.0.0/33",
    "10.0.0.0/255.0.255.0",
    "10.0.0.0/0.0.0.255",
    "1 0.0.0.0/8",
    "10.0.0.0/",
    "10.0.0/24",
    "headquarters",
    "",
]


@pytest.mark.parametrize("text", RIGHT)
def test_put_right(text: str) -> None:
    """A usual slip is put right."""
    assert suggest(text) == RIGHT[text]


@pytest.mark.parametrize("text", NOTHING)
def test_no_guess(text: str) -> None:
    """Where it could mean several things, or nothing, nothing is suggested."""
    assert suggest(text) is None


@given(some.text(max_size=30))
def test_what_is_suggested_can_be_used(text: str) -> None:
    """Whatever the cell, a suggestion is a network in strict form, longer than /0."""
    suggestion = suggest(text)
    if suggestion is not None:
        network = ipaddress.IPv4Network(suggestion)
        assert str(network) == suggestion
        assert network.prefixlen > 0


#: Addresses, masks and what parts them, so that random cells are near to what is put right.
PIECES = [
    "10.1.2.3",
    "255.255.0.0",
    "255.255.255.255",
    "0.0.0.0/0.0.0.0",
    "0.255.0.255",
    "256.0.0.1",
]
CELLS = some.lists(
    some.none()
    | some.text(max_size=8)
    | some.lists(
        some.sampled_from(
            [*PIECES, "/", " ", "0", "8", "\n", "é", "１", "१", "．", "\xa0", "\x0b", "\x1c"]
        ),
        max_size=4,
    ).map("".join)
)


@given(CELLS)
def test_columns_as_cells(cells: list[str | None]) -> None:
    """A column's suggestions are those of its cells, one by one."""
    found = suggestions(pd.Series(cells, dtype="str"))
    one_by_one = [None if cell is None else suggest(cell) for cell in cells]
    assert [None if pd.isna(text) else text for text in found] == one_by_one


def test_columns_of_what_is_put_right() -> None:
    """The cells above, as one column, with repeats."""
    cells = [*RIGHT, *NOTHING, *RIGHT]
    found = suggestions(pd.Series(cells, dtype="str"))
    assert found.fillna("-").tolist() == [RIGHT.get(cell, "-") for cell in cells]
