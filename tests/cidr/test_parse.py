"""A column parses exactly as stdlib `ipaddress` does, restricted to the strict form."""

from __future__ import annotations

import ipaddress
import itertools
import random
import tracemalloc

import netaddr
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests import strict_cidr
from vcokit.cidr.parse import HOST_BITS, IPV6, MALFORMED, MISSING, NO_LENGTH, parse, to_text

#: What may be put into a prefix, or, being empty, take a sign out of it. Among it are the bytes
#: next to the good ones (``-`` before the dot, ``:`` after the nine), digits that are not ASCII,
#: and characters whose last four bits are those of a good one.
SIGNS = [*"0123456789./ :-+,;>?@nN", "", "", "", "é", "１", "१", "٣", "²", "\u00ae", "\u00af"]
SIGNS += ["\x00", "\n", "\t", "\r", "\u00a0", "\u200b", "::", "..", "//", "00", "7" * 40, "." * 60]


def by_stdlib(text: str | None) -> tuple[int, int, int]:
    """Return network, length and flags of one cell."""
    if text is None:
        return 0, NO_LENGTH, MISSING
    if found := strict_cidr.interface_of(text):
        network = found.network
        same = found.ip == network.network_address
        return int(network.network_address), network.prefixlen, 0 if same else HOST_BITS
    if strict_cidr.is_ipv6_prefix(text):
        return 0, NO_LENGTH, IPV6
    return 0, NO_LENGTH, MALFORMED


def assert_parses(column: pd.Series, cells: list[str | None]) -> None:
    """Assert that a column parses as its cells do one by one."""
    found = parse(column)
    assert found.network.dtype == np.uint32
    assert found.length.dtype == found.flags.dtype == np.uint8
    result = zip(found.network.tolist(), found.length.tolist(), found.flags.tolist(), strict=True)
    for cell, got in zip(cells, result, strict=True):
        assert got == by_stdlib(cell), cell


#: One in twelve is no octet, one in ten no length.
OCTETS = [0, 1, 9, 10, 19, 20, 99, 100, 101, 127, 128, 192, 199, 200, 223, 249, 250, 254, 255, 2]
OCTETS += [3, 7, 256, 999]
LENGTHS = [*range(33), 33, 40, 99, 128]


def fuzzed(rng: random.Random) -> str:
    """Return something like a prefix: right, nearly right, or far from it."""
    octets = [str(rng.choice(OCTETS)) for _ in range(4)]
    text = ".".join(octets) + "/" + str(rng.choice(LENGTHS))
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
        place = rng.randrange(len(text) + 1)
        sign = rng.choice(SIGNS)
        text = text[:place] + sign + text[place + rng.choice([0, 1]) :]
    return text


@pytest.mark.parametrize("seed", range(6))
def test_fuzzed_strings(seed: int) -> None:
    """50,000 fuzzed strings a seed parse as stdlib says."""
    rng = random.Random(seed)
    cells = [fuzzed(rng) for _ in range(50_000)]
    assert_parses(pd.Series(cells, dtype="str"), cells)


def edges() -> list[str]:
    """Return every field, good or bad, in every place, between fields of every width."""
    fields = [*map(str, range(1001)), "00", "000", "01", "001", "010", "0255", "", "-1", "1 ", "a"]
    rows = []
    for place in range(5):
        for others in (["1"] * 5, ["10"] * 5, ["100"] * 4 + ["32"]):
            for field in fields:
                parts = [*others[:place], field, *others[place + 1 :]]
                rows.append(".".join(parts[:4]) + "/" + parts[4])
    return rows


def test_every_field() -> None:
    """Every number up to 1000, and other things, in every place, is judged as stdlib does."""
    cells = edges()
    assert_parses(pd.Series(cells, dtype="str"), cells)


def test_every_byte() -> None:
    """Every byte there is, in every place of a prefix, makes it what stdlib says."""
    text = b"10.0.20.0/24"
    cells = [text[:i] + bytes([byte]) + text[i + 1 :] for i in range(12) for byte in range(256)]
    column = pd.Series(cells, dtype=pd.ArrowDtype(pa.binary()))
    assert_parses(column, [cell.decode("latin-1") for cell in cells])


@pytest.mark.parametrize("shift", range(8))
def test_every_byte_of_the_buffer(shift: int) -> None:
    """Where in the buffer a row starts changes nothing, nor what stands before and after it."""
    neighbours = ["." * shift, "9" * shift, "/" * shift]
    cells = [part for text in edges()[::37] for part in (neighbours[len(text) % 3], text)]
    assert_parses(pd.Series(cells, dtype="str"), cells)


@given(some.lists(some.one_of(some.none(), some.text(max_size=20)), max_size=30))
def test_any_text(cells: list[str | None]) -> None:
    """Any text at all, missing cells among it, parses as stdlib says."""
    assert_parses(pd.Series(cells, dtype="str"), cells)


@given(some.lists(some.ip_addresses(v=6).map(lambda ip: f"{ip}/64"), min_size=1, max_size=20))
def test_ipv6(cells: list[str]) -> None:
    """Every IPv6 prefix is seen as one, and as nothing else."""
    assert (parse(pd.Series(cells, dtype="str")).flags == IPV6).all()


def columns(cells: list[str | None]) -> dict[str, pd.Series]:
    """Return one column in all the ways pandas and Arrow may hold it."""
    table = pa.chunked_array([cells[:2], cells[2:5], [], cells[5:]], type=pa.large_string())
    padded = pd.Series(["9.9.9.9/9", *cells, "8.8.8.8/8"], dtype="str")
    arrow = {
        str(kind): pd.Series(cells, dtype=pd.ArrowDtype(kind))
        for kind in (pa.string(), pa.large_string(), pa.string_view())
    }
    encoded = [None if cell is None else cell.encode() for cell in cells]
    return {
        **arrow,
        "str": pd.Series(cells, dtype="str"),
        "object": pd.Series(cells, dtype="object"),
        "python": pd.Series(cells, dtype=pd.StringDtype("python")),
        "category": pd.Series(cells, dtype="category"),
        "bytes": pd.Series(encoded, dtype=pd.ArrowDtype(pa.binary())),
        "large bytes": pd.Series(encoded, dtype=pd.ArrowDtype(pa.large_binary())),
        "chunked": pd.Series(table, dtype="str"),
        "chunked small": pd.Series(table.cast(pa.string()), dtype=pd.ArrowDtype(pa.string())),
        "sliced": padded.iloc[1:-1],
        "sliced small": padded.astype(pd.ArrowDtype(pa.string())).iloc[1:-1],
        "stepped": pd.Series([c for cell in cells for c in (cell, "x")], dtype="str").iloc[::2],
        "reversed": pd.Series(cells[::-1], dtype="str").iloc[::-1],
    }


CELLS = ["10.0.0.0/8", None, "10.1.2.3/16", "bad", "::/0", "", "0.0.0.0/0", "1.2.3.4/32", None]


@pytest.mark.parametrize("kind", columns(CELLS))
@pytest.mark.parametrize("cells", [CELLS, [None] * 9, [""] * 9, ["", None], [None], []], ids=repr)
def test_representations(kind: str, cells: list[str | None]) -> None:
    """However a column is held, full or empty, it parses the same."""
    assert_parses(columns(cells)[kind], cells)


@given(
    some.lists(some.sampled_from([*CELLS, "255.255.255.255/32", "7" * 50]), max_size=60),
    some.lists(some.integers(0, 60), max_size=8),
    some.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
    some.integers(0, 5),
    some.integers(0, 5),
)
def test_any_chunks_and_slices(
    cells: list[str | None], cuts: list[int], kind: pa.DataType, front: int, back: int
) -> None:
    """However a column is cut into chunks, and those out of longer ones, it parses the same."""
    edges = [0, *sorted(cuts), 60]
    whole = pa.array(["8.8.8.8/8"] * front + cells + ["9.9.9.9/9"] * back, type=kind)
    inside = whole.slice(front, len(cells))
    chunks = [inside.slice(low, high - low) for low, high in itertools.pairwise(edges)]
    column = pd.Series(pa.chunked_array(chunks, type=kind), dtype=pd.ArrowDtype(kind))
    assert_parses(column, cells)


def test_columns_of_anything() -> None:
    """Cells that are no text are read by what they print; a column of numbers is malformed."""
    network = ipaddress.ip_network("10.0.0.0/8")
    cells = ["10.1.0.0/16", network, netaddr.IPNetwork("10.0.0.0/8"), 1, 2.5, ["x"], None]
    found = parse(pd.Series([*cells, float("nan"), pd.NA, pd.NaT], dtype="object"))
    assert found.length.tolist() == [16, 8, 8] + [NO_LENGTH] * 7
    assert found.flags.tolist() == [0, 0, 0] + [MALFORMED] * 3 + [MISSING] * 4
    assert parse(pd.Series([1, 2])).flags.tolist() == [MALFORMED] * 2


@pytest.mark.parametrize("rest", [[], [7]])
def test_lone_surrogates(rest: list[object]) -> None:
    """Text that UTF-8 cannot hold is malformed, and no other cell suffers from it."""
    found = parse(pd.Series(["10.0.0.0/8\ud800", "10.0.0.0/8", *rest], dtype="object"))
    assert found.flags.tolist() == [MALFORMED, 0] + [MALFORMED] * len(rest)


def test_bytes_under_a_null() -> None:
    """What stands in the buffer under a missing cell is not read."""
    text = pa.array(["10.0.0.0/8", "10.1.2.3/16", "::/0", "x"], type=pa.large_string())
    validity = pa.py_buffer(bytes([0b0001]))
    hidden = pa.Array.from_buffers(text.type, 4, [validity, *text.buffers()[1:]])
    assert_parses(pd.Series(hidden, dtype="str"), ["10.0.0.0/8", None, None, None])


def test_each_flag() -> None:
    """Each kind of dirt has its flag, and what is no prefix has neither network nor length."""
    kinds = {
        MISSING: [None],
        IPV6: ["::/0", "2001:db8::/32", "::ffff:1.2.3.4/128", "fe80::1/10"],
        HOST_BITS: ["10.0.0.1/8", "255.255.255.255/0", "0.0.0.1/31", "1.2.3.4/29"],
        0: ["10.0.0.0/8", "0.0.0.0/0", "255.255.255.255/32", "0.0.0.0/32"],
        MALFORMED: [
            *("", " ", "/", "...", ".../", "10", "10.0.0.0", "10.0.0.0/", "/8", "10.0.0/8"),
            *("10.0.0.0.0/8", "10.0.0.0/8/8", "10/0.0.0.8", "10.0.0/0.8", "10.0.0.0.8", "1..0.0/8"),
            *(
                "10.0.0.0/33",
                "10.0.0.0/08",
                "10.0.0.0/-1",
                "256.0.0.0/8",
                "010.0.0.0/8",
                "1 0.0.0.0/8",
            ),
            *(
                " 10.0.0.0/8",
                "10.0.0.0/8 ",
                "10.0.0.0/8\n",
                "+10.0.0.0/8",
                "10,0.0.0/8",
                "0x0a.0.0.0/8",
            ),
            *(
                "10.0.0.0/255.0.0.0",
                "１０.0.0.0/8",
                "१०.0.0.0/8",
                "::",
                "::/129",
                "fe80::1%eth0/64",
            ),
            *(
                "1:2/8",
                "10.0.0.0/8\0",
                "\0" * 10,
                "headquarters",
                "1" * 18,
                "255.255.255.255/320",
                "100.100.100.100/10/10",
            ),
        ],
    }
    for flag, cells in kinds.items():
        found = parse(pd.Series(cells, dtype="str"))
        assert found.flags.tolist() == [flag] * len(cells), flag
        assert_parses(pd.Series(cells, dtype="str"), cells)


def test_many_chunks() -> None:
    """Rows on both sides of the inner chunk's edge are not mixed up."""
    rng = random.Random(7)
    cells = [fuzzed(rng) if rng.random() < 0.9 else None for _ in range(40_000)]
    assert_parses(pd.Series(cells, dtype="str"), cells)


@pytest.mark.parametrize("count", [16_384, 16_385, 50_000])
def test_many_small_chunks(count: int) -> None:
    """A column of thousands of chunks, each of a few rows, parses the same."""
    rng = random.Random(count)
    cells = [fuzzed(rng) for _ in range(count)]
    whole = pa.array(cells, type=pa.string())
    chunks = pa.chunked_array([whole.slice(start, 3) for start in range(0, count, 3)])
    assert_parses(pd.Series(chunks, dtype=pd.ArrowDtype(pa.string())), cells)


@pytest.mark.parametrize("width", [18, 19, 5_000, 600_000])
def test_long_cells(width: int) -> None:
    """Cells of any length are malformed, and their neighbours are read."""
    cells = ["10.0.0.0/8", "1.2.3.4/32".ljust(width, "0"), None, "::/0" + ":" * width, "10.0.0.1/8"]
    cells = cells * (3 if width > 100_000 else 300)
    assert_parses(pd.Series(cells, dtype="str"), cells)


def test_a_giant_cell() -> None:
    """One cell of ten million bytes among good ones costs no more memory than it has itself."""
    cells = ["10.0.0.0/8", "9" * 10_000_000, "10.1.0.0/16"]
    column = pd.Series(cells * 2, dtype="str")
    tracemalloc.start()
    found = parse(column)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.length.tolist() == [8, NO_LENGTH, 16] * 2
    assert found.flags.tolist() == [0, MALFORMED, 0] * 2
    assert peak < 10_000_000


def test_the_column_is_left_alone() -> None:
    """Neither the column nor an earlier answer changes when a column is parsed."""
    column = pd.Series(CELLS, dtype="str")
    before, kept = column.copy(deep=True), parse(column)
    again = parse(column.iloc[::-1])
    pd.testing.assert_series_equal(column, before)
    assert kept.network.tolist() == again.network.tolist()[::-1]
    assert kept.flags.tolist() == again.flags.tolist()[::-1]


@given(some.lists(some.tuples(some.integers(0, 2**32 - 1), some.integers(0, 32)), max_size=50))
def test_text_and_back(prefixes: list[tuple[int, int]]) -> None:
    """What is written as text is what stdlib writes, and reads back the same."""
    networks = [ipaddress.IPv4Network(prefix, strict=False) for prefix in prefixes]
    network = np.array([int(n.network_address) for n in networks], dtype=np.uint32)
    length = np.array([n.prefixlen for n in networks], dtype=np.uint8)
    text = to_text(network, length)
    assert text.tolist() == [str(n) for n in networks]
    again = parse(text)
    assert (again.network == network).all()
    assert (again.length == length).all()


def test_every_octet_and_length_as_text() -> None:
    """Every octet in every place, and every length, is written as stdlib writes it."""
    prefixes = [(octet << shift, 32) for octet in range(256) for shift in (0, 8, 16, 24)]
    prefixes += [(0, length) for length in range(33)]
    network, length = (np.array(part) for part in zip(*prefixes, strict=True))
    text = to_text(network.astype(np.uint32), length.astype(np.uint8))
    assert text.tolist() == [str(ipaddress.IPv4Network(prefix)) for prefix in prefixes]


def test_much_text() -> None:
    """Text of more rows than are written in one go, missing ones among them, is whole."""
    rng = np.random.default_rng(11)
    network = rng.integers(0, 1 << 32, 40_000, dtype=np.uint32)
    length = rng.choice([*range(33), 33, 100, 254, NO_LENGTH], 40_000).astype(np.uint8)
    text = to_text(network, length)
    assert text.dtype == "str"
    assert pa.array(text.array).validate(full=True) is None
    pairs = zip(network.tolist(), length.tolist(), strict=True)
    expected = [f"{ipaddress.IPv4Address(a)}/{b}" if b <= 32 else None for a, b in pairs]
    assert text.isna().tolist() == [cell is None for cell in expected]
    assert text.dropna().tolist() == [cell for cell in expected if cell is not None]


@pytest.mark.parametrize("lengths", [[], [NO_LENGTH], [NO_LENGTH] * 9])
def test_no_text(lengths: list[int]) -> None:
    """Of no prefixes, or of none but missing ones, a column of text comes all the same."""
    text = to_text(np.zeros(len(lengths), np.uint32), np.array(lengths, np.uint8))
    assert text.dtype == "str"
    assert text.isna().tolist() == [True] * len(lengths)
    assert parse(text).flags.tolist() == [MISSING] * len(lengths)


def test_strided_prefixes_as_text() -> None:
    """Views of columns are written as the columns are."""
    network = np.arange(0, 6 << 24, 1 << 24, dtype=np.uint32)
    text = to_text(network[::-2], np.full(6, 8, np.uint8)[::2])
    assert text.tolist() == ["5.0.0.0/8", "3.0.0.0/8", "1.0.0.0/8"]
