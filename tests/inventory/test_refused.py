"""What is not a table of routes is one error: where it is wrong, what it is, and what to do."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vcokit as vk
from tests.inventory import sheets
from vcokit.errors import InventoryError

HEADER = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"
ROW = {"RegionId": "cn-a", "VpnConnectionId": "vco-a", "RouteDest": "10.1.0.0/16", "Weight": 100}
LATIN = "region,connection,cidr,weight,note\ncn-a,vco-a,10.0.0.0/8,100,{}\n"
WHOLE = (LATIN.format("上海总部主用") * 201).encode()
CUT = [match.start() for match in re.finditer("部".encode(), WHOLE)][9]
KOELN = LATIN.format("Köln, Büro, Zürich, Bückeburg").encode().replace(b"\xc3\xb6", b"\xf6")
LE, BE = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OPEN = 'Region,"Prefix,Connection,Weight\nr,1,2,3'
FAR = sheets.row(1, sheets.HEADS) + f'<row r="1048576">{sheets.cell("XFD1048576", "x")}</row>'
QUOTED = FAR.replace('r="', "r = '").replace('" t', "' t").replace('">', "'>")
ONE = sheets.cell("", "x")
LAST = [(0, enumerate(sheets.HEADS)), (1_048_575, [(16_383, "x")])]


def lines(*rows: object) -> bytes:
    """Return objects a line each."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(**columns: Any) -> bytes:
    """Return a Parquet file: good columns, and others beside them or in their place."""
    file = io.BytesIO()
    pq.write_table(pa.table({name: [cell] for name, cell in ROW.items()} | columns), file)
    return file.getvalue()


def book(*rows: tuple) -> bytes:
    """Return a workbook of one sheet."""
    made = openpyxl.Workbook()
    made.active.title = "S"
    for cells in rows:
        made.active.append(cells)
    return sheets.saved(made)


#: By format: what is given, and what is said of it. Bytes are of the format, text may be any.
REFUSED: dict[str, list[tuple[bytes | str | Callable[[], bytes], str]]] = {
    # Bytes that are UTF-8 but for few places are damaged UTF-8, no Chinese.
    "text": [
        (WHOLE[:-2] + b"\n", "line 402: byte 0xe7 is not UTF-8, but the rest of the file is"),
        (WHOLE[:-2], "line 402: .*cut off"),
        (WHOLE[:CUT] + WHOLE[CUT + 1 :], "line 20: .*is not UTF-8, but"),
        (WHOLE + "杭州分部\n".encode("gb18030") * 500, "line 403: .*is not UTF-8, but"),
        (LATIN.format("上海总部主").encode()[:-2] + b"\n", "line 2: .*is not UTF-8, but"),
        (KOELN, "line 2: .*0xf6 is not UTF-8, but"),
        (b"a,b\nc,d\ne,\xff\n", "line 3: .*byte 0xff is neither UTF-8 nor GB18030"),
        (b"a,b\r\nc,d\r\n\xff,f\r\n", "line 3: .*neither"),
        (b"a,b\rc,d\r\xff,f\r", "line 3: .*neither"),
        ("a,中,文\n分,部\n".encode("gb18030") + b"x\xff\n", "line 3: .*neither"),
        ("a,中,文\n分,部\n".encode() + b"x\xff\n", "line 3: .*is not UTF-8, but"),
        (LE + "a\nb\n".encode("utf-16-le") + b"\x00\xd8c\x00", "line 3: .*utf-16-le"),
        (BE + "a\r\nb\r\n".encode("utf-16-be") + b"\x00", "line 3: .*utf-16-be"),
        (codecs.BOM_UTF8 + b"a\nb\n\xff\n", "line 3: .*is no utf-8"),
        (b"a,b\nc,d\ne,\0f\n", "line 3: .*a NUL"),
        (b"a,b\nc,d\ne,\0f" + b"abc,def\n" * 8, "line 3: .*a NUL"),
        ("a,b\nc,\udc80\n", "line 2: .*a lone surrogate"),
        *(
            (b"Region;CIDR;Note\n" + tail + b"\n", "neither UTF-8 nor GB18030")
            for tail in (b"\xff", b"\x80\x80 ", b"\x80 " * 30, b"\x81 ")
        ),
    ],
    "header": [
        ("x\n" * 50 + HEADER, "line 1: no column for"),
        ("\n" * 50 + HEADER, "^<text>: the first 50 lines are blank"),
        (
            "Title\nSite;Ort;Prefix",
            "line 2: no column for region_id, vpn_connection_id, weight; the columns here are "
            "'Site', 'Ort', 'Prefix'.*columns=.*region=.*a weight is never guessed",
        ),
        ("cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100", "line 1: .*RegionId,VpnConnectionId,RouteDest"),
        (
            "Region,Connection,Prefix,CIDR,Weight,weight",
            r"line 1: .*route_dest \('Prefix' and 'CIDR'\), weight \('Weight' and 'weight'\)",
        ),
        (OPEN, "line 1: .*a quote is never closed"),
        (f"Mai\n\nJuni\n{OPEN}", "line 4: .*a quote is never closed"),
        ('"' + "x" * 200_000, "line 1: .*never closed, or a cell is far too long"),
        ("x" * 3_000_000, "line 1: .*never closed, or a cell is far too long"),
        *((text, "^<text>: .*nothing but blank lines") for text in (" ", "\ufeff", " \n\u3000\r")),
        (b"", "^<buffer>: the file is empty"),
        (f"{HEADER}{',a' * 17_000}\n", "17,006 columns, where a sheet has 16,384"),
    ],
    "binary": [
        (OLE + bytes(50), "xls"),
        (b"PAR1 abc PAR1", "Parquet"),
        (b"SQLite format 3\0" + bytes(50), "SQLite"),
        (b"%PDF-1.7\n%\xe2\xe3\n", "PDF"),
        (gzip.compress(gzip.compress(b"a\n")), "within a compressed"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "NUL"),
        (bytes(64), "NUL"),
        (LE + "a\nb\0".encode("utf-16-le"), "NUL"),
        (lambda: gzip.compress(HEADER.encode() + bytes(80 << 20), 1), "a packed file of more than"),
    ],
    "csv": [
        (b"PK\x03\x04" + bytes(50), "xlsx"),
        (OLE + bytes(50), "xls"),
        (b"PAR1\x15\x04\x15" + bytes(50) + b"PAR1", "Parquet"),
        (f'title\n{HEADER}\na,b\n"x\ny",b,c,d,"e\nf\n', "line 4: .*never closed. Close the quote"),
        (
            f"{HEADER}\na,b,c,d,e,f\n" + "a,b,c,d,e,f,g\n" * 9 + "a,b,c,d,e,f,,  \n",
            r"line 3: 7 cells .* has 6, and 8 more such lines \(4, 5, 6, 7, ...\). .*a comma",
        ),
        (
            f'{HEADER}\na,b,c,d,"e, f",g\na,b,c,d, "e, f",g\n',
            "line 3: .*the blank before the quote",
        ),
    ],
    "jsonl": [
        *((data, "contains no JSON object") for data in (b"[]\n", b"\n\n")),
        (b'[\n{"a": 1}\n{"a": 2}]', "line 3: no comma before it"),
        (b'[\n{"a": 1},\n7]', "line 3: expected an object, found a single value"),
        (b'[\n{"a": 1},\n\n', "line 4: the list is not closed"),
        (b'[{"a": 1}]\n[]', "line 2: unexpected text after the list"),
        (b'[{"a":\n' + b"[" * 100_000, "line 1: far too deep"),
        (b'[{"a": 1,\n"a": 2}]', "line 1: the key 'a' appears twice"),
        (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}\n", "line 1: far too deep|no column for"),
        (b'{"a":' + b"[" * 100_000, "line 1: far too deep"),
        (lines(ROW) + b"{", "line 2: not JSON: .*character 2"),
        (lines(ROW) + b"\n[1]", "line 3: expected an object, found a list"),
        (lines(ROW, 7), "line 2: expected an object, found a single value"),
        (b'{"Weight": 1, "Weight": 2}', "line 1: the key 'Weight' appears twice"),
        (lines(ROW) + b'{"a": "\xff\xff"}', "byte 0xff is neither UTF-8 nor GB18030"),
        (lines({**ROW, "NextHop": "\ud800"}), "line 1: a lone surrogate"),
        (lines({**ROW, "\ud800": 1}), "is no character"),
        (lines({**ROW, "NextHop": "a\0"}), "line 1, column 'NextHop': a cell holds a NUL"),
        (lines({**ROW, "NextHop": "a" * 131_073}), "more than 131,072 characters"),
        (lines({"a": 1}), "no column for region_id, .* the columns here are 'a'"),
        (lines({f"k{n}": 1 for n in range(2000)}), "more than 1,000 different keys"),
        (b"PK\x03\x04", "an Excel workbook"),
    ],
    "parquet": [
        (parquet()[:-9], "a damaged Parquet file"),
        (b"PAR1" + bytes(60) + b"PAR1", "a damaged Parquet file"),
        (b"region,cidr\n", "not a Parquet file: it does not begin with PAR1"),
        (parquet(RouteDest=[b"\xff"]), "column 'RouteDest': bytes that are not UTF"),
        (parquet(Weight=["a\0"]), "column 'Weight': row 0 holds a NUL"),
        (parquet(Weight=[b"\xff"]), "no column for weight|bytes that are not UTF"),
        (parquet(cidr=["x"]), "more than one column for route_dest"),
        (parquet(**{f"c{n}": [1] for n in range(997)}), "1,001 columns, which is not a table"),
    ],
    "excel": [
        (OLE[:4] + bytes(600), r"old Excel workbook \(\.xls\)\. Open it, and save"),
        (OLE[:4] + "EncryptedPackage".encode("utf-16-le"), "encrypted .* password"),
        (book((), ("x",)), r"\[S\], line 2: no column for .* the columns here are 'x'"),
        (book(("CIDR", "Prefix", "Connection", "Region", "Weight")), "A1 'CIDR' and B1"),
        (book(("CIDR", "Connection", "Region")), "no column for weight"),
        (book(sheets.HEADS, ("x_x0000_y",)), r"line 2, column 'RegionId': cell A2 holds a NUL"),
        (book(), "all visible sheets are empty"),
        (sheets.ods(""), "all visible sheets are empty"),
        (book(sheets.HEADS, sheets.ROW)[:-30], "damaged workbook"),
        (b"PK\x03\x04" + bytes(60), "damaged workbook"),
        (sheets.zipped({"a": "b"}), "a zip archive of 1 file, not a workbook. Unpack it"),
        # Few bytes that stand for thousands of millions of cells are refused before they do.
        (sheets.xlsx(FAR), "spans 1,048,576 rows and 16,384 columns"),
        (sheets.xlsx(QUOTED), "spans 1,048,576 rows"),
        (sheets.xlsx(f"<row>{ONE * 9000}</row>{'<row/>' * 90_000}<row>{ONE}</row>"), "columns"),
        (
            sheets.ods(sheets.ods_row(sheets.HEADS) + sheets.ods_row("x", 1_048_570, 16_384)),
            "spans 1,048,571 rows",
        ),
        (sheets.xlsb(LAST), "spans 1,048,576 rows"),
        (lambda: sheets.xlsx(" " * (70 << 20)), "a workbook of more than 6. MiB, unpacked"),
        (
            lambda: sheets.zipped({f"xl/{n}": " " * (14 << 20) for n in range(5)}),
            "a workbook of more than 6. MiB, unpacked",
        ),
        (sheets.zipped({f"xl/{n}": "" for n in range(5_001)}), "of 5,001 parts"),
    ],
}


@pytest.mark.parametrize(
    ("form", "number"), [(form, n) for form, cases in REFUSED.items() for n in range(len(cases))]
)
def test_what_is_no_table_says_where_and_what_to_do(form: str, number: int) -> None:
    """One error names the source, the line, sheet or column, what is wrong there, and a remedy."""
    given, said = REFUSED[form][number]
    data = given() if callable(given) else given
    options = {} if form in ("text", "header", "binary") else {"format": form}
    with pytest.raises(InventoryError, match=said) as caught:
        vk.read_routes(data if isinstance(data, bytes) else data + "\n", **options)
    assert caught.value.remedy
    assert str(caught.value).startswith(("<buffer>", "<text>"))
