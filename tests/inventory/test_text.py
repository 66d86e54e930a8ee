"""Any encoding of a table is read; what is no text gives one error that names line and remedy."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcokit.errors import InputError, InventoryError
from vcokit.inventory.text import is_utf8, line_at, load

HEAD = "地域,IPsec连接ID,目标网段,下一跳,权重,描述\n"
TABLE = HEAD + "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,杭州 分部\n" * 3

MARKED = {
    "utf-8-sig": codecs.BOM_UTF8 + TABLE.encode("utf-8"),
    "utf-16-le": codecs.BOM_UTF16_LE + TABLE.encode("utf-16-le"),
    "utf-16-be": codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"),
    "utf-32-le": codecs.BOM_UTF32_LE + TABLE.encode("utf-32-le"),
    "utf-32-be": codecs.BOM_UTF32_BE + TABLE.encode("utf-32-be"),
}


@pytest.mark.parametrize("encoding", MARKED)
def test_a_byte_order_mark_is_obeyed(encoding: str) -> None:
    """A byte order mark names the encoding and is no part of the text."""
    text = load(io.BytesIO(MARKED[encoding]))
    assert (text.encoding, text.data.decode()) == (encoding, TABLE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_an_encoding_without_a_mark_is_found(encoding: str) -> None:
    """UTF-16 is known by its NULs, UTF-8 by its form, and GB18030 is what is left."""
    text = load(io.BytesIO(TABLE.encode(encoding)))
    assert (text.encoding, text.data.decode()) == (encoding, TABLE)


def test_gb18030_is_mentioned() -> None:
    """That a file was read as GB18030, which hardly ever fails, is noted."""
    assert "GB18030" in load(io.BytesIO(TABLE.encode("gb18030"))).notes[0]
    assert load(io.BytesIO(TABLE.encode("gb18030")), "gb18030").notes == ()


LATIN = HEAD.encode("ascii", "ignore").decode() + "cn-a,vco-a,10.0.0.0/8,vco-a,100,{}\n"


@pytest.mark.parametrize("words", ["Müller GmbH", "Zürich Büro", "café", "Österreich", "São Paulo"])
def test_a_western_text_is_no_chinese(words: str) -> None:
    """High bytes that stand alone beside letters are cp1252's, which is noted."""
    text = load(LATIN.format(words).encode("cp1252"))
    assert (text.encoding, text.data.decode()) == ("cp1252", LATIN.format(words))
    assert "cp1252" in text.notes[0]


@settings(deadline=None)
@given(st.text("杭州分部主备总上海联通电信一二三专线", min_size=2, max_size=40))
def test_chinese_in_gb18030_is_never_western(words: str) -> None:
    """Chinese is read as such, or the encoding is asked for: it never becomes other letters."""
    data = LATIN.format(words).encode("gb18030")
    with contextlib.suppress(InventoryError):  # a few words look like UTF-8, most of them
        text = load(data)
        assert (text.encoding, text.data.decode()) in (
            ("gb18030", LATIN.format(words)),
            ("utf-8", data.decode("utf-8", "replace")),
        )


WHOLE = (LATIN.format("上海总部主用") * 201).encode()
CUT = [match.start() for match in re.finditer("部".encode(), WHOLE)][9]


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (WHOLE[:-2] + b"\n", 402, "byte 0xe7 is no UTF-8"),
        (WHOLE[:-2], 402, "cut off"),
        (WHOLE[:CUT] + WHOLE[CUT + 1 :], 20, "is no UTF-8"),
        (WHOLE + "杭州分部\n".encode("gb18030") * 500, 403, "is no UTF-8"),
        (LATIN.format("上海总部主").encode()[:-2] + b"\n", 2, "is no UTF-8"),
        (
            LATIN.format("Köln, Büro, Zürich, Bückeburg").encode().replace(b"\xc3\xb6", b"\xf6"),
            2,
            "0xf6",
        ),
    ],
    ids=["character", "end", "middle", "joined", "short", "latin"],
)
def test_a_damaged_utf8_file_is_no_chinese(data: bytes, line: int, said: str) -> None:
    """Bytes that are UTF-8 but for few places are damaged UTF-8: the first such line is named."""
    with pytest.raises(InventoryError, match=said) as caught:
        load(data)
    assert caught.value.line == line
    assert "encoding=" in str(caught.value.remedy)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "gbk", "shift_jis", "utf-8-sig"])
def test_a_given_encoding_is_used(encoding: str) -> None:
    """An encoding that the caller names is not second-guessed."""
    table = "cidr,connection,weight,note\n10.0.0.0/8,vco-a,100,x\n"
    table += {"cp1252": "Zürich\n"}.get(encoding, "杭\n" if encoding != "shift_jis" else "東京\n")
    text = load(io.BytesIO(table.encode(encoding)), encoding)
    assert (text.encoding, text.data.decode()) == (encoding, table)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_utf8_is_always_taken_for_utf8(text: str) -> None:
    """Text in UTF-8 is never mistaken for another encoding, whatever it says."""
    data = ("a,b\n" + text).encode("utf-8")
    loaded = load(io.BytesIO(data))
    assert loaded.encoding == "utf-8"
    assert loaded.data == data


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a,b\nc,d\ne,\xff\n", 3),
        (b"a,b\r\nc,d\r\n\xff,f\r\n", 3),
        (b"a,b\rc,d\r\xff,f\r", 3),
        ("a,中,文\n分,部\n".encode("gb18030") + b"x\xff\n", 3),
        ("a,中,文\n分,部\n".encode() + b"x\xff\n", 3),
        (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\x00\xd8c\x00", 3),
        (codecs.BOM_UTF16_BE + "a\r\nb\r\n".encode("utf-16-be") + b"\x00", 3),
        (codecs.BOM_UTF8 + b"a\nb\n\xff\n", 3),
    ],
    ids=range(8),
)
def test_the_line_of_an_undecodable_byte_is_named(data: bytes, line: int) -> None:
    """The error names the line of the first byte that is no text, and a remedy."""
    with pytest.raises(InventoryError) as caught:
        load(io.BytesIO(data))
    assert caught.value.line == line
    assert "UTF-8" in str(caught.value.remedy)


def test_a_wrong_given_encoding_is_named() -> None:
    """A given encoding that does not fit gives an error with the line, not another encoding."""
    with pytest.raises(InventoryError, match="line 2: byte 0xd6 is no utf-8"):
        load(io.BytesIO("a\n中\n".encode("gb18030")), "utf-8")


@pytest.mark.parametrize("encoding", ["nope", "hex", "", "a\0b", 5], ids=range(5))
def test_an_unknown_encoding_is_an_input_error(encoding: str) -> None:
    """A name that is no text encoding is refused before anything is read."""
    with pytest.raises(InputError, match="not known"):
        load(io.BytesIO(b"a\n"), encoding)


@pytest.mark.parametrize("encoding", ["idna", "punycode", "utf-7", "unicode_escape", "undefined"])
def test_odd_codecs_give_the_same_error(encoding: str) -> None:
    """Codecs with errors of their own end in an `InventoryError` as well."""
    with pytest.raises(InventoryError):
        load(io.BytesIO(b"\\ud800\xff\xfe\\x+AAA\n"), encoding)


@pytest.mark.parametrize(
    ("looks_like", "data"),
    [
        ("xlsx", b"PK\x03\x04" + bytes(50)),
        ("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50)),
        ("Parquet", b"PAR1\x15\x04\x15" + bytes(50) + b"PAR1"),
        ("Parquet", b"PAR1 abc PAR1"),
        ("SQLite", b"SQLite format 3\0" + bytes(50)),
        ("PDF", b"%PDF-1.7\n%\xe2\xe3\n"),
        ("within a gzip", gzip.compress(gzip.compress(b"a\n"))),
        ("NUL", b"\x7fELF\x02\x01\x01" + bytes(9)),
        ("NUL", bytes(64)),
        ("NUL", b"a,b\nc,\0d\n"),
        ("NUL", codecs.BOM_UTF16_LE + "a\nb\0".encode("utf-16-le")),
    ],
    ids=range(11),
)
def test_a_binary_file_says_what_it_looks_like(looks_like: str, data: bytes) -> None:
    """A workbook, a Parquet file and the like give one error that names them and what to do."""
    with pytest.raises(InventoryError, match=looks_like) as caught:
        load(io.BytesIO(data))
    assert caught.value.remedy


def test_a_text_may_begin_like_a_binary() -> None:
    """Letters that some binary files begin with are letters in a text."""
    assert load(io.BytesIO(b"PAR1,PKT\n")).encoding == "utf-8"


def test_the_line_of_a_nul_is_named() -> None:
    """A NUL within text is found with its line."""
    with pytest.raises(InventoryError) as caught:
        load("a,b\nc,d\ne,\0\n")
    assert caught.value.line == 3


def test_half_a_surrogate_pair_is_an_error() -> None:
    """Decoded text with what stands for no character is refused with its line."""
    with pytest.raises(InventoryError, match="surrogate") as caught:
        load("a,b\nc,\udc80\n")
    assert caught.value.line == 2


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    """A packed file is read as what it holds, whatever its name."""
    path = tmp_path / "routes.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode("gb18030")))
    text = load(path)
    assert text.data.decode() == TABLE
    assert "gzip" in text.notes[0]


@pytest.mark.parametrize("cut", [3, 12, -1])
def test_damaged_gzip_is_an_error(cut: int) -> None:
    """A packed file that was cut off is refused as such."""
    with pytest.raises(InventoryError, match="damaged gzip"):
        load(io.BytesIO(gzip.compress(TABLE.encode())[:cut]))


def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    """Paths, binary and text files, bytes and text itself give the same text."""
    path = tmp_path / "routes.csv"
    path.write_text(TABLE, encoding="utf-8", newline="")
    with path.open("rb") as binary, path.open(encoding="utf-8") as decoded:
        sources = [path, str(path), binary, decoded, io.BytesIO(TABLE.encode()), TABLE]
        sources += [TABLE.encode(), bytearray(TABLE.encode()), io.StringIO("\ufeff" + TABLE)]
        texts = [load(source) for source in sources]
    assert {text.data.decode() for text in texts} == {TABLE}
    assert {text.source for text in texts} == {str(path), "<buffer>", "<text>"}
    assert [text.encoding for text in texts].count(None) == 3


def test_a_file_that_reads_bytearrays_is_read() -> None:
    """What a file object returns need not be bytes proper."""

    class File:
        def read(self) -> bytearray:
            return bytearray(b"a\n")

    assert load(File()).data == b"a\n"


@pytest.mark.parametrize(
    "name", ["no-such.csv", "", "x" * 5000, "a\0b", ".", "ziel,vco", "路由"], ids=range(7)
)
def test_a_missing_file_names_both_readings(name: str) -> None:
    """A str that is no file may have been meant as text: the error says both."""
    with pytest.raises(InventoryError, match=r"taken for a path.*text itself"):
        load(name)


def test_a_missing_path_has_one_reading(tmp_path: Path) -> None:
    """A Path is a path, and its error names it as given."""
    with pytest.raises(InventoryError) as caught:
        load(tmp_path / "none.csv")
    assert caught.value.source == str(tmp_path / "none.csv")
    assert "text" not in str(caught.value.remedy)


def test_a_name_that_is_no_text_can_still_be_shown(tmp_path: Path) -> None:
    """Bytes of a file name that are no UTF-8 do not keep it from being read or shown."""
    path = tmp_path / "r\udcff.csv"
    path.write_text(TABLE, encoding="utf-8")
    assert load(path).source.encode("utf-8")


@pytest.mark.parametrize("source", [5, None, ["a\n"], {"a": "b"}, Path])
def test_a_source_of_another_type_is_an_input_error(source: object) -> None:
    """What is neither path nor file nor text is refused by its type."""
    with pytest.raises(InputError, match="cannot be read from"):
        load(source)


def test_files_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    """Closed files, files opened for writing or in a wrong encoding, and files of no bytes."""
    path = tmp_path / "a.csv"
    with path.open("wb") as writing, pytest.raises(InventoryError, match="open file"):
        load(writing)
    closed = io.BytesIO(b"a\n")
    closed.close()
    with pytest.raises(InventoryError, match="closed file"):
        load(closed)
    path.write_bytes(b"\xff\n")
    with path.open(encoding="utf-8") as wrong, pytest.raises(InventoryError, match="rb"):
        load(wrong)

    class File:
        def read(self) -> int:
            return 5

    with pytest.raises(InputError, match="gave a int"):
        load(File())
    with pytest.raises(InputError, match="not bytes"):
        load(_BytesPath())


class _BytesPath:
    def __fspath__(self) -> bytes:
        return b"a.csv"


@settings(deadline=None)
@given(st.text("ab\r\n"), st.integers(0, 20))
def test_lines_are_counted_as_by_the_io_module(text: str, place: int) -> None:
    """LF, CR LF and CR alone each end one line."""
    data = text.encode()
    text = text[:place]
    if text.endswith("\r"):
        text += "x"  # the io module would wait for an LF
        data = data[:place] + b"x"
        place += 1
    lines = list(io.StringIO(text + "x", newline=""))
    assert line_at(data, min(place, len(data))) == len(lines)


PIECES = [b"", b"a", b"\x00", "é主😀".encode(), b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=6))
@example([b"\xf0\x9f\x98"])
@example(PIECES[3:4])
def test_what_utf8_is(parts: list[bytes]) -> None:
    """Bytes are UTF-8 exactly where Python decodes them: no overlong form, no surrogate."""
    data = b"".join(parts)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        assert not is_utf8(data)
    else:
        assert is_utf8(data)


@pytest.mark.parametrize(
    "cell",
    [
        "5 €",
        "HQ – Ulm",
        "§ 5",
        "5°",
        "10\xa0000",
        "“HQ”",
        "wait…",
        "½ rack",
        "à Paris",
        "Ø 5",
        "A – B – C",
    ],
)
def test_western_signs_that_touch_no_letter_are_read(cell: str) -> None:
    """Few high bytes, none beside another, that are no GB18030, are cp1252."""
    loaded = load(io.BytesIO(f"Region;CIDR;Note\ncn-a;10.0.0.0/8;{cell}\n".encode("cp1252")))
    assert loaded.encoding == "cp1252"
    assert cell in loaded.data.decode()


@pytest.mark.parametrize("tail", [b"\xff", b"\x80\x80 ", b"\x80 " * 30, b"\x81 "])
def test_what_is_no_text_is_no_western_text(tail: bytes) -> None:
    """Bytes in runs, many of them, and such as stand in no text are refused as before."""
    with pytest.raises(InventoryError, match="neither UTF-8 nor GB18030"):
        load(io.BytesIO(b"Region;CIDR;Note\n" + tail + b"\n"))
