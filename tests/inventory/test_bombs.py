"""Small files that stand for gigabytes: one error, and little memory, whatever they hold."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vcokit as vk
from tests.inventory import sheets
from vcokit.errors import InventoryError
from vcokit.inventory import sources

HEAD = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
ROW = "cn-a,vco-a,10.0.0.0/8,vco-a,100,\n"
LONG = "A" * 30_000


def parquet(description: pa.Array) -> bytes:
    """Return a Parquet file of routes whose descriptions are given."""
    cells = repeated("x", len(description))
    columns = {**dict.fromkeys(HEAD.split(","), cells), "Description": description}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def repeated(text: str, count: int) -> pa.Array:
    """Return a text so many times, which is stored once."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([text]))


def lists() -> bytes:
    """Return lists of a text that is stored once."""
    bounds = pa.array(np.arange(0, 5_000_001, 100, dtype=np.int32))
    return parquet(pa.ListArray.from_arrays(bounds, repeated("A" * 1_000, 5_000_000)))


def shared(reference: str) -> bytes:
    """Return a workbook in which every cell refers to one long text, in a way of writing it."""
    head = "".join(f'<c t="s"><v>{number}</v></c>' for number in range(6))
    row = "<row>" + f'<c t="s"><v>{reference}</v></c>' * 6 + "</row>"
    return sheets.xlsx(f"<row>{head}</row>" + row * 10_000, shared=[*sheets.HEADS, LONG])


def merged() -> bytes:
    """Return a workbook in which a long text is merged down all rows."""
    rows = [sheets.row(1, sheets.HEADS), sheets.row(2, [*sheets.ROW[:5], LONG])]
    rows += [sheets.row(number, sheets.ROW[:5]) for number in range(3, 20_000)]
    return sheets.xlsx("".join(rows), after='<mergeCells><mergeCell ref="F2:F20000"/></mergeCells>')


def blanks() -> bytes:
    """Return an OpenDocument with a cell of a thousand million blanks."""
    return sheets.ods(
        '<table:table-row><table:table-cell office:value-type="string"><text:p>'
        '<text:s text:c="1000000000"/></text:p></table:table-cell></table:table-row>'
    )


def split() -> bytes:
    """Return two rows, each of thousands of networks beside a long description."""
    row = f'cn-a,vco-a,"{" ".join(["10.0.0.0/8"] * 11_900)}",vco-a,100,{"D" * 131_000}'
    return "\n".join([HEAD, row, row, ""]).encode()


def wide() -> bytes:
    """Return a head of thousands of columns above many short rows."""
    more = ",".join(f"h{number}" for number in range(5_000))
    return gzip.compress(f"{HEAD},{more}\n".encode() + b"x\n" * 50_000)


def keys() -> bytes:
    """Return an object of many keys above many without any."""
    first = dict.fromkeys([*HEAD.split(","), *(f"k{number}" for number in range(900))], "x")
    return gzip.compress(json.dumps(first).encode() + b"\n" + b"{}\n" * 300_000)


BOMBS: dict[str, Callable[[], bytes]] = {
    "shared": lambda: shared("6"),
    "zeros": lambda: shared("0000000000006"),
    "merged": merged,
    "repeats": lambda: sheets.ods(
        sheets.ods_row(sheets.HEADS) + sheets.ods_row([LONG], 100_000, 6)
    ),
    "blanks": blanks,
    "dictionary": lambda: parquet(repeated("A" * 100_000, 100_000)),
    "lists": lists,
    "nothing": lambda: parquet(pa.nulls(4_000_000, pa.string())),
    "split": split,
    "wide": wide,
    "keys": keys,
}

#: Reads each file in a process of its own, which begins where everything is loaded.
CHILD = """
import os, pathlib, resource, sys
import vcokit as vk, vcokit.inventory, pyarrow.parquet, python_calamine
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
for path in sys.argv[1:]:
    child = os.fork()
    if child:
        _, status, usage = os.wait4(child, 0)
        print("|", status, "|", usage.ru_maxrss >> 10, flush=True)
        continue
    try:
        vk.read_routes(pathlib.Path(path).read_bytes())
    except vk.errors.InventoryError as error:
        print(error, end=" ", flush=True)
    os._exit(0)
"""


def test_a_small_file_never_becomes_a_large_one(tmp_path: Path) -> None:
    """It is refused before it is laid out, with a remedy; a process takes under a gigabyte."""
    for name, bomb in BOMBS.items():
        (tmp_path / name).write_bytes(bomb())
        assert (tmp_path / name).stat().st_size < 1 << 20
    paths = [str(tmp_path / name) for name in BOMBS]
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, *paths], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    for name, line in zip(BOMBS, child.stdout.splitlines(), strict=True):
        said, status, megabytes = line.split("|")
        assert status.strip() == "0", (name, child.stderr)
        assert "<buffer>" in said, name
        assert "that becomes more than 224 MiB of cells" in said, name
        assert "or split the file" in said, name
        assert int(megabytes) < 1_000, name


def test_a_declared_size_means_nothing() -> None:
    """A sheet that declares all cells there can be, and has a few, is read."""
    rows = sheets.row(1, sheets.HEADS) + sheets.row(2, sheets.ROW)
    assert len(vk.read_routes(sheets.xlsx(rows, before='<dimension ref="A1:XFD1048576"/>'))) == 1
    rows = sheets.ods_row(sheets.HEADS) + sheets.ods_row(sheets.ROW)
    empty = (
        '<table:table-row table:number-rows-repeated="1048574">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    assert len(vk.read_routes(sheets.ods(rows + empty))) == 1


def test_cells_are_looked_at_once() -> None:
    """Cells that only look like errors or percentages are passed over, however many there are."""
    head = sheets.row(1, sheets.HEADS)
    empty = '<row r="2">' + '<c t="e"/>' * 6 + "</row>"
    true = '<row r="9"><c r="A9" t="e"><f>x</f><v>#REF!</v></c></row>'
    noise = "<!-- <c" + " t='e'" * 30_000 + " --><!-- <c" + " s='1'" * 300_000 + " -->"
    styles = '<styleSheet><cellXfs><xf/><xf numFmtId="9"/></cellXfs></styleSheet>'
    data = sheets.xlsx(head + empty * 2_000 + true + noise, styles=styles)
    assert vk.read_routes(data)["region_id"].tolist() == ["#ref!"]


@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError])
def test_too_little_memory_is_one_error(
    error: type[MemoryError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever library runs out of memory, the error is ours and names the file."""

    def exhausted(*_: object, **__: object) -> None:
        raise error("malloc of size 10 failed")

    (tmp_path / "a.csv").write_text(f"{HEAD}\n{ROW}")
    monkeypatch.setattr("pyarrow.csv.read_csv", exhausted)
    with pytest.raises(InventoryError, match=r"a\.csv: there is not enough memory") as caught:
        vk.read_routes(tmp_path / "a.csv")
    assert "Split the file" in str(caught.value.remedy)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device here")
def test_a_source_without_end_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device or a pipe is read up to a bound, which no test could reach as it is: a gigabyte."""
    monkeypatch.setattr(sources, "STREAM", 3 << 20)
    with pytest.raises(InventoryError, match="/dev/zero: more than 3 MiB, without end"):
        vk.read_routes("/dev/zero")
    with Path("/dev/zero").open("rb") as file, pytest.raises(InventoryError, match="zero: more"):
        vk.read_routes(file)


def test_the_bound_grows_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file may become as many times its size as a small one; the bound is lowered here."""
    monkeypatch.setattr(sources, "FREE", 1 << 10)
    assert len(vk.read_routes(f"{HEAD}\n{ROW * 1_000}")) == 1_000
    with pytest.raises(InventoryError, match="too large for an inventory"):
        vk.read_routes(HEAD + ",x" * 1_000 + "\n" + "x\n" * 1_000)
