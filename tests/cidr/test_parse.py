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
from hypothesis import given, settings
from hypothesis import strategies as some

import vcokit as vk
from tests import strict_cidr
from tests.cidr.networks import cells, column

#: What the flags of a row mean, and the length of a row without a prefix.
MISSING, MALFORMED, IPV6, HOST_BITS, NO_LENGTH = 1, 2, 4, 8, 255

#: What may be put into a prefix, or, being empty, take a sign out of it. Among it are the bytes
#: next to the good ones (``-`` before the dot, ``:`` after the nine), digits that are not ASCII,
#: and characters whose last four bits are those of a good one.
SIGNS = [*"0123456789./ :-+,;>?@nN", "", "", "", "é", "１", "१", "٣", "²", "\u00ae", "\u00af"]
SIGNS += ["\x00", "\n", "\t", "\r", "\u00a0", "\u200b", "::", "..", "//", "00", "7" * 40, "." * 60]


def by_stdlib(text: str | None) -> tuple[int, int, int]:
    """Return network, length and flags of one cell."""
    if text is None:
        return 0, NO_LENGTH, MISSING
    interface = strict_cidr.interface_of(text)
    if interface is not None:
        network = interface.network
        same = interface.ip == network.network_address
        return int(network.network_address), network.prefixlen, 0 if same else HOST_BITS
    return 0, NO_LENGTH, IPV6 if strict_cidr.is_ipv6_prefix(text) else MALFORMED


def assert_parses(text: pd.Series, rows: list[str | None]) -> None:
    """Assert that a column parses as its cells do one by one."""
    network, length, flags = text.cidr.network, text.cidr.prefix_length, text.cidr.flags
    assert (network.dtype, length.dtype, flags.dtype) == ("UInt32", "UInt8", "uint8")
    read = zip(
        network.fillna(0).tolist(), length.fillna(NO_LENGTH).tolist(), flags.tolist(), strict=True
    )
    for row, got in zip(rows, read, strict=True):
        assert got == by_stdlib(row), row


IPV6_PREFIX = some.ip_addresses(v=6).map(lambda address: f"{address}/64")
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


def test_fuzzed_strings() -> None:
    """40,000 strings, most of them nearly right, parse as stdlib says, also in small chunks."""
    rng = random.Random(0)
    rows = [fuzzed(rng) if rng.random() < 0.98 else None for _ in range(40_000)]
    assert_parses(column(rows), rows)
    whole = pa.array(rows[:17_000], type=pa.string())
    chunks = pa.chunked_array([whole.slice(start, 3) for start in range(0, 17_000, 3)])
    assert_parses(pd.Series(chunks, dtype=pd.ArrowDtype(pa.string())), rows[:17_000])


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


def test_every_field_and_every_byte() -> None:
    """Every number up to 1000 and other things as a field, every byte in every place."""
    text = "10.0.20.0/24"
    rows = [text[:i] + chr(byte) + text[i + 1 :] for i in range(12) for byte in range(256)]
    assert_parses(column([*edges(), *rows]), [*edges(), *rows])


@settings(max_examples=40)
@given(some.lists(some.none() | some.text(max_size=20) | IPV6_PREFIX, max_size=20))
def test_any_text(rows: list[str | None]) -> None:
    """Any text at all, missing cells and IPv6 among it, parses as stdlib says."""
    assert_parses(column(rows), rows)


def held(rows: list[str | None]) -> dict[str, pd.Series]:
    """Return one column in all the ways pandas and Arrow may hold it."""
    table = pa.chunked_array([rows[:2], rows[2:5], [], rows[5:]], type=pa.large_string())
    padded = pd.Series(["9.9.9.9/9", *rows, "8.8.8.8/8"], dtype="str")
    small = pd.ArrowDtype(pa.string())
    kinds = ["str", "object", "string[python]", "category", small, pd.ArrowDtype(pa.large_string())]
    return {
        **{str(kind): pd.Series(rows, dtype=kind) for kind in kinds},
        "chunked": pd.Series(table, dtype="str"),
        "chunked small": pd.Series(table.cast(pa.string()), dtype=small),
        "sliced": padded.iloc[1:-1],
        "sliced small": padded.astype(small).iloc[1:-1],
        "stepped": pd.Series([r for row in rows for r in (row, "x")], dtype="str").iloc[::2],
        "reversed": pd.Series(rows[::-1], dtype="str").iloc[::-1],
    }


ROWS = ["10.0.0.0/8", None, "10.1.2.3/16", "bad", "::/0", "", "0.0.0.0/0", "1.2.3.4/32", None]


@pytest.mark.parametrize("kind", held(ROWS))
def test_representations(kind: str) -> None:
    """However a column is held, full or empty, it parses the same, and stays as it is."""
    for rows in (ROWS, [None] * 9, ["", None], []):
        asked = held(rows)[kind]
        before = asked.copy(deep=True)
        assert_parses(asked, rows)
        pd.testing.assert_series_equal(asked, before)


@settings(max_examples=40)
@given(
    some.lists(some.sampled_from([*ROWS, "255.255.255.255/32", "7" * 50]), max_size=60),
    some.lists(some.integers(0, 60), max_size=8),
    some.sampled_from([pa.string(), pa.large_string()]),
    some.integers(0, 5),
)
def test_any_chunks_and_slices(
    rows: list[str | None], cuts: list[int], kind: pa.DataType, around: int
) -> None:
    """However a column is cut into chunks, and those out of longer ones, it parses the same."""
    bounds = [0, *sorted(cuts), 60]
    whole = pa.array(["8.8.8.8/8"] * around + rows + ["9.9.9.9/9"] * around, type=kind)
    inside = whole.slice(around, len(rows))
    chunks = [inside.slice(low, high - low) for low, high in itertools.pairwise(bounds)]
    chunked = pa.chunked_array(chunks, type=kind)
    assert_parses(pd.Series(chunked, dtype=pd.ArrowDtype(kind)), rows)


def test_objects_are_read_by_their_text() -> None:
    """Objects of stdlib and netaddr, numbers and lists are read by what they print."""
    network = ipaddress.ip_network("10.0.0.0/8")
    rows = ["10.1.0.0/16", network, netaddr.IPNetwork("10.1.2.3/16"), 1, 2.5, ["x"]]
    asked = pd.Series([*rows, None, float("nan"), pd.NA, pd.NaT], dtype="object")
    assert asked.cidr.flags.tolist() == [0, 0, HOST_BITS, *[MALFORMED] * 3, *[MISSING] * 4]
    assert cells(asked.cidr.to_cidr())[1:3] == [network, ipaddress.ip_network("10.1.0.0/16")]


@pytest.mark.parametrize("kind", ["object", "string[python]"])
def test_lone_surrogates(kind: str) -> None:
    """Text that UTF-8 cannot hold is malformed, and no other cell suffers from it."""
    asked = pd.Series(["10.0.0.0/8\udc80", "10.0.0.0/8"], dtype=kind)
    assert asked.cidr.flags.tolist() == [MALFORMED, 0]
    assert asked.cidr.normalized().isna().tolist() == [True, False]
    with pytest.raises(ValueError, match="position 0"):
        asked.astype("cidr")
    assert (asked.cidr.to_cidr() == "\udc80").tolist() == [pd.NA, False]


def test_bytes_under_a_null() -> None:
    """What stands in the buffer under a missing cell is not read."""
    text = pa.array(["10.0.0.0/8", "10.1.2.3/16", "::/0", "x"], type=pa.large_string())
    validity = pa.py_buffer(bytes([0b0001]))
    hidden = pa.Array.from_buffers(text.type, 4, [validity, *text.buffers()[1:]])
    assert_parses(pd.Series(hidden, dtype="str"), ["10.0.0.0/8", None, None, None])


#: Each kind of cell, parted by a bar where no blank may part them.
KINDS = {
    IPV6: "::/0|2001:db8::/32|::ffff:1.2.3.4/128|fe80::1/10",
    HOST_BITS: "10.0.0.1/8|255.255.255.255/0|0.0.0.1/31|1.2.3.4/29",
    0: "10.0.0.0/8|0.0.0.0/0|255.255.255.255/32|0.0.0.0/32",
    MALFORMED: "| |/|...|.../|10|10.0.0.0|10.0.0.0/|/8|10.0.0/8|10.0.0.0.0/8|10.0.0.0/8/8"
    "|10/0.0.0.8|10.0.0/0.8|10.0.0.0.8|1..0.0/8|10.0.0.0/33|10.0.0.0/08|10.0.0.0/-1|256.0.0.0/8"
    "|010.0.0.0/8|1 0.0.0.0/8| 10.0.0.0/8|10.0.0.0/8 |10.0.0.0/8\n|+10.0.0.0/8|10,0.0.0/8"
    "|0x0a.0.0.0/8|10.0.0.0/255.0.0.0|１０.0.0.0/8|१०.0.0.0/8|::|::/129|fe80::1%eth0/64|1:2/8"
    "|10.0.0.0/8\0|\0\0\0\0|headquarters|111111111111111111|255.255.255.255/320"
    "|100.100.100.100/10/10",
}


@pytest.mark.parametrize("flag", KINDS)
def test_each_flag(flag: int) -> None:
    """Each kind of dirt has its flag, and what is no prefix has neither network nor length."""
    rows = KINDS[flag].split("|")
    assert column(rows).cidr.flags.tolist() == [flag] * len(rows)
    assert_parses(column(rows), rows)


@pytest.mark.parametrize("width", [18, 19, 5_000, 600_000])
def test_long_cells(width: int) -> None:
    """Cells of any length are malformed, and their neighbours are read."""
    rows = ["10.0.0.0/8", "1.2.3.4/32".ljust(width, "0"), None, "::/0" + ":" * width, "10.0.0.1/8"]
    rows = rows * (3 if width > 100_000 else 100)
    assert_parses(column(rows), rows)


def test_a_giant_cell() -> None:
    """One cell of ten million bytes among good ones costs no more memory than it has itself."""
    asked = column(["10.0.0.0/8", "9" * 10_000_000, "10.1.0.0/16"] * 2)
    tracemalloc.start()
    flags = asked.cidr.flags
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert flags.tolist() == [0, MALFORMED, 0] * 2
    assert peak < 10_000_000


# -- and back ----------------------------------------------------------------------------------


def test_every_octet_and_length_as_text() -> None:
    """Every octet in every place, and every length, is written as stdlib writes it, and read."""
    pairs = [(octet << shift, 32) for octet in range(256) for shift in (0, 8, 16, 24)]
    nets = [ipaddress.IPv4Network(pair) for pair in [*pairs, *((0, n) for n in range(33))]]
    text = [str(net) for net in nets]
    made = column([*nets, None], "cidr")
    assert made.astype("str").tolist()[:-1] == text
    assert cells(pd.Series([*text, None], dtype="str").astype("cidr")) == cells(made)
    assert cells(made) == [*nets, None]
    assert made.array.nbytes == 5 * len(made)


def test_much_text() -> None:
    """Text of more rows than are written at once, missing ones among them, is intact."""
    rng = np.random.default_rng(11)
    length = rng.choice([*range(33), NO_LENGTH, NO_LENGTH], 40_000).astype(np.uint8)
    mask = np.array([*(2**32 - 2 ** (32 - n) for n in range(33)), *[0] * 223], np.uint32)
    network = rng.integers(0, 1 << 32, 40_000, dtype=np.uint32) & mask[length]
    pairs = list(zip(network.tolist(), length.tolist(), strict=True))
    expected = [f"{ipaddress.IPv4Address(a)}/{b}" if b <= 32 else "" for a, b in pairs]
    made = pd.Series(vk.CidrArray.from_arrays(network, length))
    text = made.astype("str")
    assert pa.array(text.array).validate(full=True) is None
    assert text.fillna("").tolist() == expected
    assert made.iloc[::-2].astype("str").fillna("").tolist() == expected[::-2]
