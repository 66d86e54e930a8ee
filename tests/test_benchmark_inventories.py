"""The inventories that benchmarks are asked about are what their shape and their mistakes say."""

from __future__ import annotations

import csv
import ipaddress
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import dirt
from benchmarks.given import Given
from benchmarks.inventories import ORDERS, SPREADS, Layout, Shape, lay_out

STRICT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}", re.ASCII)
SHAPES = [
    Shape(rows, spread, order, part)
    for rows, spread, order, part in itertools.product((4000, 4001), SPREADS, ORDERS, (0, 0.03))
]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Return an inventory of which a third is spoilt."""
    folder = tmp_path_factory.mktemp("dirty")
    return Given.make(Shape(3000, dirt=0.33), folder, addresses=2000)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Return a clean inventory."""
    return Given.make(Shape(2500), tmp_path_factory.mktemp("clean"), addresses=2000)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_inventory_has_the_shape_that_is_asked_for(shape: Shape) -> None:
    """Rows, spread and order are as asked; no route stands twice; pairs are active and standby."""
    layout = lay_out(shape)
    keys = list(numbers(layout))
    assert len(set(keys)) == len(keys) == shape.rows
    assert (sorted(keys) == keys) == (shape.order == "sorted")
    sizes = Counter(layout.connection.tolist()).values()
    if shape.spread == "giant":
        assert len(sizes) == 1
        assert layout.active.all()
        return
    assert len(sizes) == shape.rows // 80 * 2
    if shape.spread == "even":
        assert set(sizes) <= {39, 40, 41}
    else:
        assert max(sizes) > 5 * statistics.median(sizes)
    assert (layout.active == (layout.connection % 2 == 0)).all()
    twins = Counter((one // 2, *rest) for one, *rest in keys)
    assert Counter(twins.values())[2] == shape.rows // 2


@pytest.mark.parametrize("spread", SPREADS)
def test_one_destination_in_a_hundred_is_nested(spread: str) -> None:
    """About one in a hundred lies in another of its connection; none is of special purpose."""
    layout = lay_out(Shape(20_000, spread))
    found = {
        (group, ipaddress.IPv4Network((network, length)))
        for group, network, length in numbers(layout)
    }
    nested = sum(
        any((group, network.supernet(new_prefix=bits)) in found for bits in range(16, longest))
        for group, network in found
        for longest in [network.prefixlen]
    )
    assert 0.007 < nested / len(found) < 0.02
    special = [ipaddress.IPv4Network(text) for text in ("100.64.0.0/10", "0.0.0.0/8")]
    for network in {network for _, network in found}:
        kinds = ("is_loopback", "is_link_local", "is_multicast", "is_reserved")
        assert not any(getattr(network, kind) for kind in kinds), network
        assert not any(network.overlaps(one) for one in special), network


def numbers(layout: Layout) -> Iterator[tuple[int, int, int]]:
    """Yield connection, network and length of each row."""
    columns = (layout.connection, layout.network, layout.length)
    return zip(*(column.tolist() for column in columns), strict=True)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """A shape's files are the same each time, and others for another seed."""
    contents = []
    for number, seed in enumerate((5, 5, 6)):
        folder = tmp_path / str(number)
        folder.mkdir()
        Given.make(Shape(300, dirt=0.1, seed=seed), folder, addresses=50)
        contents.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert contents[0] == contents[1]
    assert contents[0]["routes.csv"] != contents[2]["routes.csv"]


def test_no_room_is_said() -> None:
    """More destinations than there are /24s to take are refused, not repeated."""
    with pytest.raises(ValueError, match="no room for 20,000,000 destinations"):
        lay_out(Shape(20_000_000, "giant"))


def test_what_a_spoilt_cell_says_is_known(dirty: Given) -> None:
    """`reads` is the standard library's reading of the strict form, for every kind of mistake."""
    assert set(dirty.kinds) == {kind.name for kind in dirt.KINDS} | {""}
    assert (dirty.kinds != "").sum() == 990
    cells = dirty.text.fillna("").tolist()
    for cell, packed in zip(cells, dirty.reads.tolist(), strict=True):
        assert packed == strictly(cell), cell


def strictly(cell: str) -> int:
    """Read a cell with the standard library: network × 64 + length, -1 where it is malformed."""
    address, _, length = cell.partition("/")
    if not STRICT.fullmatch(cell) or length != str(int(length)) or int(length) > 32:
        return -1
    try:
        network = ipaddress.IPv4Network((address, int(length)), strict=False)
    except ValueError:
        return -1
    return int(network.network_address) << 6 | network.prefixlen


def test_the_file_holds_the_columns(dirty: Given, clean: Given) -> None:
    """The CSV parses, a line a row, with the destinations of the column; commas are quoted."""
    for given in (dirty, clean):
        with given.csv.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        assert [row["RouteDest"] for row in rows] == given.text.fillna("").tolist()
        assert all(len(row) == 6 and None not in row.values() for row in rows)
    assert clean.list.read_text("ascii").splitlines() == clean.text.tolist()
