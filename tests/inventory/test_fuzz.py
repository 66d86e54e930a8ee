"""Whatever a file holds, reading it gives a frame or one `InventoryError`, never anything else."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from vcokit.errors import InventoryError
from vcokit.inventory import read_routes
from vcokit.schema import ROUTES

GOOD = (
    "Routes of May\n\nRegionId,IPsec连接ID,RouteDest,NextHop,Weight,Description,Site\n"
    'cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,"杭州, ""HQ""",x\n'
    "cn-hangzhou, VCO-B ,10.2.0.0/16,vco-b,备,'=1+1,\n"
    'cn-hangzhou,vco-c,10.3.0.0/16,vco-c,0,"two\nlines",y\n'
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-32"]
BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b",", b'"', b"\n", b"\r", b"\0", b"\xff", b"a", b"cidr", b"vco"])
    ).map(b"".join),
)
MAGIC = st.sampled_from(
    [
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xff\xfe\0\0",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
    ]
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "region": st.just("cn-hangzhou"),
        "weights": st.just({"备": 0}),
        "delimiter": st.sampled_from([",", ";", "\t", "|", " ", "x", "，"]),
        "encoding": st.sampled_from([*ENCODINGS, "latin-1", "utf-7", "shift_jis", "cp037"]),
        "columns": st.sampled_from([{"route_dest": "Site"}, {"Weight": "description"}]),
    },
)


def holds(source: object, options: dict[str, object]) -> None:
    """Check the promise for one source."""
    try:
        routes = read_routes(source, **options)
    except InventoryError as error:
        caught = error
    else:
        assert list(routes.columns)[: len(ROUTES)] == list(ROUTES)
        assert routes["line"].is_monotonic_increasing
        assert routes.columns.is_unique
        return
    assert caught.source
    assert caught.remedy
    assert "\0" not in str(caught)


@settings(deadline=None, max_examples=800)
@given(MAGIC, BYTES, OPTIONS)
def test_any_bytes_give_a_frame_or_an_inventory_error(
    magic: bytes, data: bytes, options: dict[str, object]
) -> None:
    """Bytes at random, behind marks and magic numbers, under any options."""
    holds(io.BytesIO(magic + data), options)


@settings(deadline=None, max_examples=800)
@given(
    st.sampled_from(ENCODINGS),
    st.sampled_from(",;\t|"),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 6), BYTES), max_size=4),
    OPTIONS,
)
def test_any_damage_gives_a_frame_or_an_inventory_error(
    encoding: str,
    delimiter: str,
    damage: list[tuple[int, int, bytes]],
    options: dict[str, object],
) -> None:
    """A good file with bytes replaced, put in and taken out, in any encoding."""
    data = GOOD.replace(",", delimiter).encode(encoding)
    for place, length, piece in damage:
        data = data[:place] + piece + data[place + length :]
    holds(io.BytesIO(data), options)
