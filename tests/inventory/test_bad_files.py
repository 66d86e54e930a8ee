"""Some hundreds of damaged files of every format: a frame or one error with place and remedy.

The damage is drawn from seeds, so that a failing one is a test case: bytes changed, cut off,
doubled, put in; in archives both in the archive and in what is packed in it.
"""

from __future__ import annotations

import gzip
import io
import random
import resource
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests.inventory import sheets
from vcokit.audit import audit_routes
from vcokit.errors import InputError
from vcokit.inventory import read_routes, write_routes

CSV = "region,connection,cidr,weight\n" + "".join(
    f'cn-hangzhou,vco-{n},10.{n}.0.0/16,{n % 2 * 100}\ncn-hangzhou,"vco-x",bad {n},"a,""b"\n'
    for n in range(20)
)
JUNK = [b"", b"\0", b"\xff\xfe", b'"', b"<", b"&#0;", b"]]>", b"{", b"[", b"PK\x03\x04", b"\n",
        b"99999999999999999999", b"-1", b"r=\"XFD1048576\"", b"\x80\x80\x80\x80\x80"]  # fmt: skip


def workbook() -> bytes:
    """Return a workbook with merged cells, numbers, shared strings and styles."""
    made = openpyxl.Workbook()
    for cells in (sheets.HEADS, sheets.ROW, [*sheets.ROW[:4], 100, None]):
        made.active.append(list(cells))
    made.active.merge_cells("A2:A3")
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def stored(form: str) -> bytes:
    """Return the routes in a format."""
    file = io.BytesIO()
    write_routes(read_routes(CSV), file, format=form)
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
        kind = chance.randrange(5)
        length = chance.choice([1, 1, 4, 50])
        if kind == 0:
            data = data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + chance.choice(JUNK) + data[place + length :]
        elif kind == 2:
            data = data[:place] + data[place + length :]
        elif kind == 3:
            data = data[:place] + data[place : place + length] * 3 + data[place + length :]
        elif chance.random() < 0.3:
            data = data[:place]
    return data


def damaged_part(data: bytes, chance: random.Random) -> bytes:
    """Return an archive, one of whose parts is damaged, the archive itself being whole."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(sorted(parts))
    parts[name] = damaged(parts[name], chance)
    return sheets.zipped(parts)


@pytest.mark.parametrize("form", GOOD)
@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_gives_findings_or_one_error(tmp_path: Path, form: str, seed: int) -> None:
    """Never another exception, never a thing written, and memory stays within bounds."""
    chance = random.Random(f"{form} {seed}")
    path = tmp_path / f"routes.{form}"
    frames = 0
    for _ in range(30):
        archive = form in ("xlsx", "ods", "xlsb") and chance.random() < 0.7
        path.write_bytes((damaged_part if archive else damaged)(GOOD[form], chance))
        try:
            routes = read_routes(path, format=chance.choice([None, None, None, "csv"]))
        except InputError as error:
            assert error.remedy  # noqa: PT017
            assert str(error).startswith(str(path))  # noqa: PT017
            assert str(error).isprintable()  # noqa: PT017
        else:
            audit_routes(routes)
            frames += 1
        assert [found.name for found in tmp_path.iterdir()] == [path.name]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak < 4 << 20  # KiB
