"""Any encoding of a table is read; what is no text gives one error that names line and remedy."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InputError, InventoryError

HEADER = "地域,IPsec连接ID,目标网段,下一跳,权重,描述\n"
TABLE = HEADER + "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,杭州 分部\n" * 3
LATIN = "region,connection,cidr,weight,note\ncn-a,vco-a,10.0.0.0/8,100,{}\n"


def read(source: Any, encoding: str | None = None) -> tuple[str, list[str], list[str]]:
    """Return the encoding that was found, the descriptions, and what was noted."""
    routes = vk.read_routes(source, encoding=encoding)
    report = routes.attrs["read"]
    return report["encoding"], routes["description"].tolist(), report["notes"]


@pytest.mark.parametrize(
    ("mark", "encoding", "found"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le", None),
        (codecs.BOM_UTF16_BE, "utf-16-be", None),
        (codecs.BOM_UTF32_LE, "utf-32-le", None),
        (codecs.BOM_UTF32_BE, "utf-32-be", None),
        (b"", "utf-8", None),
        (b"", "utf-16-le", None),
        (b"", "utf-16-be", None),
        (b"", "gb18030", None),
    ],
)
def test_an_encoding_is_found(mark: bytes, encoding: str, found: str | None) -> None:
    """A mark is obeyed and no part of the text; UTF-16 is known by its NULs, UTF-8 by its form.

    That it was read as GB18030, which hardly ever fails, is noted. Decoded text has no encoding.
    """
    name, descriptions, notes = read(mark + TABLE.encode(encoding))
    assert (name, descriptions) == (found or encoding, ["杭州 分部"] * 3)
    assert ("GB18030" in " ".join(notes)) == (encoding == "gb18030")
    assert read(io.StringIO("\ufeff" + TABLE)) == read(TABLE) == (None, ["杭州 分部"] * 3, [])


@pytest.mark.parametrize(
    "words",
    [
        *("Müller GmbH", "Zürich Büro", "café", "Österreich", "São Paulo", "5 €", "HQ – Ulm"),
        *("§ 5", "5°", "10\xa0000", "“HQ”", "wait…", "½ rack", "à Paris", "A – B"),
    ],
)
def test_a_western_text_is_no_chinese(words: str) -> None:
    """High bytes alone beside letters are cp1252's, and so are few that are no Chinese: noted."""
    name, descriptions, notes = read(LATIN.format(words).encode("cp1252"))
    assert (name, descriptions) == ("cp1252", [words])
    assert "cp1252" in notes[0]


@pytest.mark.parametrize("tail", [b"\xff", b"\x80\x80 ", b"\x80 " * 30, b"\x81 "])
def test_what_is_no_text_is_no_western_text(tail: bytes) -> None:
    """Bytes in runs, many of them, and such as stand in no text are refused."""
    with pytest.raises(InventoryError, match="neither UTF-8 nor GB18030"):
        read(b"Region;CIDR;Note\n" + tail + b"\n")


@settings(deadline=None, max_examples=50)
@given(st.text("杭州分部主备总上海联通电信一二三专线", min_size=2, max_size=40))
def test_chinese_in_gb18030_is_never_western(words: str) -> None:
    """Chinese is read as such, or the encoding is asked for: it never becomes other letters."""
    with contextlib.suppress(InventoryError):  # a few words look like UTF-8, most of them
        name, descriptions, _ = read(LATIN.format(words).encode("gb18030"))
        assert (name, descriptions) == ("gb18030", [words]) or name == "utf-8"


PIECES = [
    b"",
    b"a",
    "é主😀".encode(),
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf0\x9f",
]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=6).map(b"".join))
def test_what_utf8_is(data: bytes) -> None:
    """Bytes are UTF-8 exactly where Python decodes them: no overlong form, no surrogate."""
    data = data.translate(None, b'\0"\r\n')
    text = data.decode("utf-8", "replace")
    try:
        found, descriptions, _ = read(b"region,connection,cidr,weight,note\n,,,," + data + b"x\n")
    except InventoryError:
        assert "\ufffd" in text
    else:
        assert (found == "utf-8") == ("\ufffd" not in text or text.encode() == data)
        assert found != "utf-8" or descriptions[0].endswith("x")


WHOLE = (LATIN.format("上海总部主用") * 201).encode()
CUT = [match.start() for match in re.finditer("部".encode(), WHOLE)][9]
KOELN = LATIN.format("Köln, Büro, Zürich, Bückeburg").encode().replace(b"\xc3\xb6", b"\xf6")


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (WHOLE[:-2] + b"\n", 402, "byte 0xe7 is no UTF-8, as the file is elsewhere"),
        (WHOLE[:-2], 402, "cut off"),
        (WHOLE[:CUT] + WHOLE[CUT + 1 :], 20, "is no UTF-8, as"),
        (WHOLE + "杭州分部\n".encode("gb18030") * 500, 403, "is no UTF-8, as"),
        (LATIN.format("上海总部主").encode()[:-2] + b"\n", 2, "is no UTF-8, as"),
        (KOELN, 2, "0xf6 is no UTF-8, as"),
        (b"a,b\nc,d\ne,\xff\n", 3, "byte 0xff is neither"),
        (b"a,b\r\nc,d\r\n\xff,f\r\n", 3, "neither"),
        (b"a,b\rc,d\r\xff,f\r", 3, "neither"),
        ("a,中,文\n分,部\n".encode("gb18030") + b"x\xff\n", 3, "neither"),
        ("a,中,文\n分,部\n".encode() + b"x\xff\n", 3, "is no UTF-8, as"),
        (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\x00\xd8c\x00", 3, "utf-16-le"),
        (codecs.BOM_UTF16_BE + "a\r\nb\r\n".encode("utf-16-be") + b"\x00", 3, "utf-16-be"),
        (codecs.BOM_UTF8 + b"a\nb\n\xff\n", 3, "is no utf-8"),
        (b"a,b\nc,d\ne,\0f\n", 3, "a NUL"),
        (b"a,b\nc,d\ne,\0f" + b"abc,def\n" * 8, 3, "a NUL"),
        ("a,b\nc,\udc80\n", 2, "half of a surrogate pair"),
    ],
    ids=range(17),
)
def test_the_line_of_what_is_no_text_is_named(data: bytes, line: int, said: str) -> None:
    """The error names the line of the first byte that is no text, and a remedy.

    Bytes that are UTF-8 but for few places are damaged UTF-8, no Chinese.
    """
    with pytest.raises(InventoryError, match=f"line {line}: .*{said}") as caught:
        read(data)
    assert caught.value.remedy


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "gbk", "shift_jis", "utf-8-sig"])
def test_a_given_encoding_is_used(encoding: str) -> None:
    """An encoding that the caller names is not second-guessed, nor noted; a wrong one is named."""
    words = {"cp1252": "Zürich", "shift_jis": "東京"}.get(encoding, "杭")
    found = read(LATIN.format(words).encode(encoding), encoding)
    assert found == (encoding, [words], ["next_hop taken from the connection"])
    with pytest.raises(InventoryError, match="line 2: byte 0xd6 is no utf-8"):
        read("a\n中\n".encode("gb18030"), "utf-8")


@pytest.mark.parametrize("encoding", ["nope", "hex", "", "a\0b", 5], ids=range(5))
def test_an_unknown_encoding_is_an_input_error(encoding: str) -> None:
    """A name that is no text encoding is refused before anything is read."""
    with pytest.raises(InputError, match="not known"):
        read(b"a\n", encoding)


@pytest.mark.parametrize("encoding", ["idna", "punycode", "utf-7", "unicode_escape", "undefined"])
def test_odd_codecs_give_the_same_error(encoding: str) -> None:
    """Codecs with errors of their own end in an `InventoryError` as well."""
    with pytest.raises(InventoryError):
        read(b"\\ud800\xff\xfe\\x+AAA\n", encoding)


@pytest.mark.parametrize(
    ("looks_like", "data", "options"),
    [
        ("xlsx", b"PK\x03\x04" + bytes(50), {"format": "csv"}),
        ("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), {"format": "csv"}),
        ("Parquet", b"PAR1\x15\x04\x15" + bytes(50) + b"PAR1", {"format": "csv"}),
        ("Parquet", b"PAR1 abc PAR1", {}),
        ("SQLite", b"SQLite format 3\0" + bytes(50), {}),
        ("PDF", b"%PDF-1.7\n%\xe2\xe3\n", {}),
        ("within a compressed", gzip.compress(gzip.compress(b"a\n")), {}),
        ("NUL", b"\x7fELF\x02\x01\x01" + bytes(9), {}),
        ("NUL", bytes(64), {}),
        ("NUL", codecs.BOM_UTF16_LE + "a\nb\0".encode("utf-16-le"), {}),
    ],
    ids=range(10),
)
def test_a_binary_file_says_what_it_looks_like(
    looks_like: str, data: bytes, options: dict[str, Any]
) -> None:
    """A workbook and the like give one error that names them; a text may begin like one."""
    with pytest.raises(InventoryError, match=looks_like) as caught:
        vk.read_routes(data, **options)
    assert caught.value.remedy
    assert vk.read_routes(b"PAR1,region,VCO,cidr,weight\n").columns[-1] == "PAR1"
