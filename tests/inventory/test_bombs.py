"""Small files that stand for gigabytes: one error, and little memory, whatever they hold."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.inventory import sheets
from vcokit.errors import InventoryError
from vcokit.inventory import read_routes, sources

HEAD = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
LONG = 30_000


def parquet(description: pa.Array) -> bytes:
    """Return a Parquet file of routes whose descriptions are given."""
    first = pa.array([0] * len(description), pa.int32())
    columns = {
        name: pa.DictionaryArray.from_arrays(first, pa.array(["x"])) for name in HEAD.split(",")
    }
    file = io.BytesIO()
    pq.write_table(pa.table({**columns, "Description": description}), file, compression="zstd")
    return file.getvalue()


def repeated(text: str, count: int) -> pa.Array:
    """Return a text so many times, which is stored once."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))


def lists() -> pa.Array:
    """Return lists of a text that is stored once."""
    bounds = pa.array(range(0, 5_000_001, 100), pa.int32())
    return pa.ListArray.from_arrays(bounds, repeated("A" * 1_000, 5_000_000))


def shared() -> bytes:
    """Return a workbook in which every cell refers to one long text."""
    head = "".join(f'<c t="s"><v>{number}</v></c>' for number in range(6))
    row = "<row>" + '<c t="s"><v>6</v></c>' * 6 + "</row>"
    return sheets.xlsx(f"<row>{head}</row>" + row * 10_000, shared=[*sheets.HEADS, "A" * LONG])


def merged() -> bytes:
    """Return a workbook in which a long text is merged down all rows."""
    rows = [sheets.row(1, sheets.HEADS), sheets.row(2, [*sheets.ROW[:5], "A" * LONG])]
    rows += [sheets.row(number, sheets.ROW[:5]) for number in range(3, 20_000)]
    return sheets.xlsx("".join(rows), after='<mergeCells><mergeCell ref="F2:F20000"/></mergeCells>')


def repeats() -> bytes:
    """Return an OpenDocument in which a row of long texts is repeated."""
    rows = sheets.ods_row(sheets.HEADS) + sheets.ods_row(["A" * LONG], 100_000, 6)
    return sheets.ods(rows)


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


BOMBS = {
    "shared": shared,
    "merged": merged,
    "repeats": repeats,
    "blanks": blanks,
    "dictionary": lambda: parquet(repeated("A" * 100_000, 100_000)),
    "lists": lambda: parquet(lists()),
    "nothing": lambda: parquet(pa.nulls(10_000_000, pa.string())),
    "split": split,
    "wide": wide,
    "keys": keys,
}

CHILD = """
import pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
import vcokit as vk
try:
    vk.read_routes(pathlib.Path(sys.argv[1]).read_bytes())
except vk.errors.InventoryError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_never_becomes_a_large_one(name: str, tmp_path: Path) -> None:
    """It is refused before it is laid out, with a remedy; the process takes under a gigabyte."""
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 1 << 20
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, timeout=600
    )
    assert child.returncode == 0, child.stderr
    said, _, megabytes = child.stdout.rstrip().rpartition("\n")
    assert "<buffer>" in said
    assert "that becomes more than 224 MiB of cells" in said
    assert "or split the file" in said
    assert int(megabytes) < 1_000


def test_error_cells_are_looked_for_once() -> None:
    """Cells that only look like errors are passed over, and the true one behind them is found."""
    head = sheets.row(1, sheets.HEADS)
    empty = '<row r="2">' + '<c t="e"/>' * 6 + "</row>"
    true = '<row r="9"><c r="A9" t="e"><f>x</f><v>#REF!</v></c></row>'
    noise = "<!-- <c" + " t='e'" * 30_000 + " -->"
    routes = read_routes(sheets.xlsx(head + empty * 2_000 + true + noise))
    assert routes["region_id"].tolist() == ["#ref!"]


@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError])
def test_too_little_memory_is_one_error(
    error: type[MemoryError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever library runs out of memory, the error is ours and names the file."""

    def exhausted(*_: object, **__: object) -> None:
        raise error("malloc of size 10 failed")

    (tmp_path / "a.csv").write_text(f"{HEAD}\ncn-a,vco-a,10.0.0.0/8,vco-a,100,\n")
    monkeypatch.setattr("pyarrow.csv.read_csv", exhausted)
    with pytest.raises(InventoryError, match=r"a\.csv: there is not enough memory") as caught:
        read_routes(tmp_path / "a.csv")
    assert "Split the file" in str(caught.value.remedy)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device here")
def test_a_source_without_end_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device or a pipe is read up to a bound, by its path and where it comes open."""
    monkeypatch.setattr("vcokit.inventory.sources.STREAM", 3 << 20)
    with pytest.raises(InventoryError, match="/dev/zero: more than 3 MiB, and no end of it"):
        read_routes("/dev/zero")
    with (
        Path("/dev/zero").open("rb") as file,
        pytest.raises(InventoryError, match="/dev/zero: more"),
    ):
        read_routes(file)


def test_columns_of_one_name_are_told_apart() -> None:
    """Many extra columns of one name are numbered; more than a sheet has are refused."""
    head = HEAD + ",a" * 16_000
    routes = read_routes(f"{head}\ncn-a,vco-a,10.0.0.0/8,vco-a,100\n")
    assert routes.columns[-1] == "a (16000)"
    with pytest.raises(InventoryError, match="columns, where a sheet has 16,384"):
        read_routes(f"{head}{',a' * 1_000}\ncn-a,vco-a,10.0.0.0/8,vco-a,100\n")


def test_the_bound_grows_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file may become as many times its size as a small one."""
    monkeypatch.setattr(sources, "FREE", 1 << 10)
    row = "cn-a,vco-a,10.0.0.0/8,vco-a,100,\n"
    assert len(read_routes(HEAD + "\n" + row * 1_000)) == 1_000
    with pytest.raises(InventoryError, match="as no inventory does"):
        read_routes(HEAD + ",x" * 1_000 + "\n" + "x\n" * 1_000)
