"""A column parses exactly as stdlib `ipaddress` does, restricted to the strict form."""

from __future__ import annotations

import ipaddress
import random
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcokit.cidr.parse import HOST_BITS, IPV6, MALFORMED, MISSING, NO_LENGTH, parse, to_text

#: The strict form: no leading zeros; stdlib decides all else.
STRICT_4 = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){3}/(?:0|[1-9][0-9]*)", re.ASCII)
STRICT_6 = re.compile(r"[0-9A-Fa-f:.]+/(?:0|[1-9][0-9]*)", re.ASCII)

#: What may be put into a prefix, or, being empty, take a sign out of it.
SIGNS = [*"0123456789./ :-+", "", "", "é", "１", "\x00", "\n", "::"]


def by_stdlib(text: str | None) -> tuple[int, int, int]:
    """Return network, length and flags of one cell."""
    if text is None:
        return 0, NO_LENGTH, MISSING
    try:
        if STRICT_4.fullmatch(text):
            interface = ipaddress.IPv4Interface(text)
            network = interface.network
            same = interface.ip == network.network_address
            return int(network.network_address), network.prefixlen, 0 if same else HOST_BITS
        if STRICT_6.fullmatch(text):
            ipaddress.IPv6Network(text, strict=False)
            return 0, NO_LENGTH, IPV6
    except ValueError:
        pass
    return 0, NO_LENGTH, MALFORMED


def assert_parses(column: pd.Series, cells: list[str | None]) -> None:
    """Assert that a column parses as its cells do one by one."""
    found = parse(column)
    assert found.network.dtype == np.uint32
    assert found.length.dtype == found.flags.dtype == np.uint8
    result = zip(found.network.tolist(), found.length.tolist(), found.flags.tolist(), strict=True)
    for cell, got in zip(cells, result, strict=True):
        assert got == by_stdlib(cell), cell


def fuzzed(rng: random.Random) -> str:
    """Return something like a prefix: right, nearly right, or far from it."""
    octets = [str(rng.choice([0, 1, 9, 10, 99, 100, 199, 255, 256, 999])) for _ in range(4)]
    text = ".".join(octets) + "/" + str(rng.choice([0, 1, 8, 24, 31, 32, 33, 99, 128]))
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
        place = rng.randrange(len(text) + 1)
        sign = rng.choice(SIGNS)
        text = text[:place] + sign + text[place + rng.choice([0, 1]) :]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_fuzzed_strings(seed: int) -> None:
    """25,000 fuzzed strings a seed parse as stdlib says."""
    rng = random.Random(seed)
    cells = [fuzzed(rng) for _ in range(25_000)]
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
    arrow = pd.ArrowDtype(pa.large_string())
    return {
        "str": pd.Series(cells, dtype="str"),
        "object": pd.Series(cells, dtype="object"),
        "python": pd.Series(cells, dtype=pd.StringDtype("python")),
        "chunked": pd.Series(table, dtype="str"),
        "sliced": padded.iloc[1:-1],
        "arrow": pd.Series(table, dtype=arrow),
        "small offsets": pd.Series(cells, dtype=pd.ArrowDtype(pa.string())),
        "reversed": pd.Series(cells[::-1], dtype="str").iloc[::-1],
    }


CELLS = ["10.0.0.0/8", None, "10.1.2.3/16", "bad", "::/0", "", "0.0.0.0/0", "1.2.3.4/32", None]


@pytest.mark.parametrize("kind", columns(CELLS))
def test_representations(kind: str) -> None:
    """However a column is held, it parses the same."""
    assert_parses(columns(CELLS)[kind], CELLS)


def test_many_chunks() -> None:
    """Rows on both sides of the inner chunk's edge are not mixed up."""
    rng = random.Random(7)
    cells = [fuzzed(rng) if rng.random() < 0.9 else None for _ in range(40_000)]
    assert_parses(pd.Series(cells, dtype="str"), cells)


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
