"""Workbooks made by hand, down to the byte: what no spreadsheet program would write included."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape

HEADS = ("RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight", "Description")
ROW = ("cn-hangzhou", "vco-a", "10.1.0.0/16", "vco-a", "100", "Berlin")

_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def saved(made: Any) -> bytes:
    """Return the bytes of a workbook of openpyxl."""
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def cell(reference: str, text: str) -> str:
    """Return a cell of text; without a reference where that is empty."""
    where = f'r="{reference}" ' if reference else ""
    return f'<c {where}t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def row(number: int, texts: Iterable[str]) -> str:
    """Return a row of text cells."""
    cells = (cell(f"{'ABCDEFGHIJ'[place]}{number}", text) for place, text in enumerate(texts))
    return f'<row r="{number}">{"".join(cells)}</row>'


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def xlsx(
    rows: str, before: str = "", after: str = "", shared: Iterable[str] = (), styles: str = ""
) -> bytes:
    """Return a workbook of one sheet, from the XML of its rows, the texts that they share, and
    their styles.
    """
    texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
    sheet = f"<sheetData>{rows}</sheetData>"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Override '
            'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-'
            'officedocument.spreadsheetml.sheet.main+xml"/><Override '
            'PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-'
            'officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_RELS}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELS}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_RELS}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="rId2" Type="{_RELS}/sharedStrings" Target="sharedStrings.xml"/>'
            "</Relationships>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}">{before}{sheet}{after}'
            "</worksheet>",
            "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{texts}</sst>',
            "xl/styles.xml": styles or f'<styleSheet xmlns="{_MAIN}"/>',
        }
    )


def ods(rows: str) -> bytes:
    """Return an OpenDocument of one sheet, from the XML of its rows."""
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<manifest:manifest "
            'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
            "content.xml": f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        }
    )


def ods_row(texts: Iterable[str], rows: int = 1, columns: int = 1) -> str:
    """Return a row of an OpenDocument, it and its cells repeated."""
    cells = "".join(
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{columns}">'
        f"<text:p>{escape(text)}</text:p></table:table-cell>"
        for text in texts
    )
    return f'<table:table-row table:number-rows-repeated="{rows}">{cells}</table:table-row>'


def _record(kind: int, content: bytes = b"") -> bytes:
    number = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    return number + bytes([len(content) & 127 | 128, len(content) >> 7]) + content


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb(rows: Iterable[tuple[int, Iterable[tuple[int, str]]]]) -> bytes:
    """Return a binary workbook of one sheet, from rows of (column, text), all from 0."""
    sheet = _record(129) + _record(148, bytes(16)) + _record(145)
    for number, cells in rows:
        sheet += _record(0, struct.pack("<I", number) + bytes(13))
        for column, text in cells:
            sheet += _record(6, struct.pack("<II", column, 0) + _wide(text))
    sheet += _record(146) + _record(130)
    bundle = struct.pack("<II", 0, 1) + _wide("rId1") + _wide("S")
    book = _record(131) + _record(143) + _record(156, bundle) + _record(144) + _record(132)
    return zipped(
        {
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_RELS}/worksheet" Target="worksheets/sheet1.bin"/>'
            "</Relationships>",
            "xl/worksheets/sheet1.bin": sheet,
        }
    )
