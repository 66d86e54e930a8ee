"""Any encoding of a table is read; what is no text gives one error that names line and remedy."""

from __future__ import annotations

import codecs
import contextlib
import io
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
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        *((b"", encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030")),
    ],
)
def test_an_encoding_is_found(mark: bytes, encoding: str) -> None:
    """A mark is obeyed and no part of the text; UTF-16 is known by its NULs, UTF-8 by its form.

    That it was read as GB18030, which hardly ever fails, is noted. Decoded text has no encoding.
    """
    name, descriptions, notes = read(mark + TABLE.encode(encoding))
    assert name == ("utf-8-sig" if mark == codecs.BOM_UTF8 else encoding)
    assert descriptions == ["杭州 分部"] * 3
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


@settings(deadline=None, max_examples=30)
@given(st.text("杭州分部主备总上海联通电信一二三专线", min_size=2, max_size=40))
def test_chinese_in_gb18030_is_never_western(words: str) -> None:
    """Chinese is read as such, or the encoding is asked for: it never becomes other letters."""
    with contextlib.suppress(InventoryError):  # a few words look like UTF-8, most of them
        name, descriptions, _ = read(LATIN.format(words).encode("gb18030"))
        assert (name, descriptions) == ("gb18030", [words]) or name == "utf-8"


PIECES = [b"", b"a", "é主😀".encode(), b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
PIECES += [b"\xf0\x9f"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=6).map(b"".join))
def test_what_utf8_is(data: bytes) -> None:
    """Bytes are UTF-8 exactly where Python decodes them: no overlong form, no surrogate."""
    data = data.translate(None, b'\0",\r\n')
    text = data.decode("utf-8", "replace")
    try:
        found, descriptions, _ = read(b"region,connection,cidr,weight,note\n,,,," + data + b"x\n")
    except InventoryError:
        assert "\ufffd" in text
    else:
        assert (found == "utf-8") == ("\ufffd" not in text or text.encode() == data)
        assert found != "utf-8" or descriptions[0].endswith("x")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "gbk", "shift_jis", "utf-8-sig"])
def test_a_given_encoding_is_used(encoding: str) -> None:
    """An encoding that the caller names is not second-guessed, nor noted; a wrong one is named."""
    words = {"cp1252": "Zürich", "shift_jis": "東京"}.get(encoding, "杭")
    found = read(LATIN.format(words).encode(encoding), encoding)
    assert found == (encoding, [words], ["next_hop set to the connection"])
    with pytest.raises(InventoryError, match="line 2: byte 0xd6 is no utf-8"):
        read("a\n中\n".encode("gb18030"), "utf-8")


def test_odd_encodings_are_one_error() -> None:
    """A name that is no text encoding is refused; codecs with errors of their own end in ours."""
    for encoding in ("nope", "hex", "", "a\0b", 5):
        with pytest.raises(InputError, match="not known"):
            read(b"a\n", encoding)
    for encoding in ("idna", "punycode", "utf-7", "unicode_escape", "undefined"):
        with pytest.raises(InventoryError):
            read(b"\\ud800\xff\xfe\\x+AAA\n", encoding)


def test_a_text_may_begin_like_a_binary_file() -> None:
    """The four letters that a Parquet file begins with are the name of a column as well."""
    assert vk.read_routes(b"PAR1,region,VCO,cidr,weight\n").columns[-1] == "PAR1"
