"""Whatever a file holds, reading it gives a frame or one error with place and remedy.

Damage to workbooks and Parquet is drawn from seeds, so that a failing one is a test case: bytes
changed, cut off, doubled, put in; in archives both in the archive and in what is packed in it.
"""

from __future__ import annotations

import gzip
import io
import random
import resource
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from tests.inventory import sheets
from vcokit.errors import InputError, InventoryError

COLUMNS = [
    *("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight", "description"),
    *("weight_text", "source", "line"),
]
CSV = "region,connection,cidr,weight\n" + "".join(
    f'cn-hangzhou,vco-{n},10.{n}.0.0/16,{n % 2 * 100}\ncn-hangzhou,"vco-x",bad {n},"a,""b"\n'
    for n in range(20)
)
JUNK = [b"", b"\0", b"\xff\xfe", b'"', b"<", b"&#0;", b"]]>", b"{", b"[", b"PK\x03\x04", b"\n",
        b"99999999999999999999", b"-1", b"r=\"XFD1048576\"", b"\x80\x80\x80\x80\x80"]  # fmt: skip


def workbook() -> bytes:
    """Return a workbook with merged cells, numbers, percentages, shared strings and styles."""
    made = openpyxl.Workbook()
    for cells in (sheets.HEADS, sheets.ROW, [*sheets.ROW[:4], 1, None]):
        made.active.append(list(cells))
    made.active["E3"].number_format = "0%"
    made.active.merge_cells("A2:A3")
    return sheets.saved(made)


def stored(form: str) -> bytes:
    """Return the routes in a format."""
    file = io.BytesIO()
    vk.write_routes(vk.read_routes(CSV), file, format=form)
    return file.getvalue()


GOOD = {
    "csv": CSV.encode(),
    "csv.gz": gzip.compress(CSV.encode()),
    "jsonl": stored("jsonl"),
    "parquet": stored("parquet"),
    "xlsx": workbook(),
    "ods": sheets.ods(sheets.ods_row(sheets.HEADS) + sheets.ods_row(sheets.ROW)),
    "xlsb": sheets.xlsb([(0, enumerate(sheets.HEADS)), (1, enumerate(sheets.ROW))]),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with one to four faults."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        end = place + chance.choice([1, 1, 4, 50])
        changed = [
            data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :],
            data[:place] + chance.choice(JUNK) + data[end:],
            data[:place] + data[end:],
            data[:place] + data[place:end] * 3 + data[end:],
            data[:place] if chance.random() < 0.3 else data,
        ]
        data = chance.choice(changed)
    return data


def damaged_part(data: bytes, chance: random.Random) -> bytes:
    """Return an archive, one of whose parts is damaged, the archive itself being whole."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(sorted(parts))
    return sheets.zipped(parts | {name: damaged(parts[name], chance)})


@pytest.mark.parametrize("form", GOOD)
def test_a_damaged_file_gives_findings_or_one_error(tmp_path: Path, form: str) -> None:
    """Never another exception, never a thing written, and memory stays within bounds."""
    chance = random.Random(form)
    path = tmp_path / f"routes.{form}"
    for _ in range(30):
        archive = form in ("xlsx", "ods", "xlsb") and chance.random() < 0.7
        path.write_bytes((damaged_part if archive else damaged)(GOOD[form], chance))
        try:
            routes = vk.read_routes(path, format=chance.choice([None, None, None, "csv"]))
        except InputError as error:
            assert error.remedy  # noqa: PT017
            assert str(error).startswith(str(path))  # noqa: PT017
            assert str(error).isprintable()  # noqa: PT017
        else:
            vk.audit_routes(routes)
        assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20  # KiB


TEXT = (
    "Routes of May\n\nRegionId,IPsec连接ID,RouteDest,NextHop,Weight,Description,Site\n"
    'cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,"杭州, ""HQ""",x\n'
    "cn-hangzhou, VCO-B ,10.2.0.0/16,vco-b,备,'=1+1,\n"
    'cn-hangzhou,vco-c,10.3.0.0/16,vco-c,0,"two\nlines",y\n'
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-32"]
PIECE = st.sampled_from([b",", b'"', b"\n", b"\r", b"\0", b"\xff", b"a", b"cidr", b"vco"])
BYTES = st.binary(max_size=200) | st.lists(PIECE).map(b"".join)
MAGIC = [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"PK\x03\x04"]
MAGIC += [b"\x1f\x8b\b"]
DAMAGE = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 6), BYTES), max_size=4)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw bytes at random, or a good file, in any encoding, with bytes replaced and put in."""
    if draw(st.booleans()):
        return draw(st.sampled_from(MAGIC)) + draw(BYTES)
    text = TEXT.replace(",", draw(st.sampled_from(",;\t|")))
    data = text.encode(draw(st.sampled_from(ENCODINGS)))
    for place, length, piece in draw(DAMAGE):
        data = data[:place] + piece + data[place + length :]
    return data


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


@settings(deadline=None, max_examples=200)
@given(files(), OPTIONS)
def test_any_bytes_give_a_frame_or_an_inventory_error(data: bytes, options: dict[str, Any]) -> None:
    """Whatever the bytes and the options are."""
    try:
        routes = vk.read_routes(data, **options)
    except InventoryError as error:
        assert error.source  # noqa: PT017
        assert error.remedy  # noqa: PT017
        assert "\0" not in str(error)  # noqa: PT017
    else:
        assert list(routes.columns)[: len(COLUMNS)] == COLUMNS
        assert routes["line"].is_monotonic_increasing
        assert routes.columns.is_unique
