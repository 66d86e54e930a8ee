"""A request as it came, decoded as a form is, and nothing believed yet.

Clients write one query in many ways: a space as ``+`` or ``%20``, a star bare or as ``%2A``, names
in any order, parameters in the query or in the body. What counts is what they decode to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

FORM: Final = "application/x-www-form-urlencoded"

#: Names and values, in the order in which they came; a name may stand there more than once.
Pairs: TypeAlias = list[tuple[str, str]]


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came.

    Parameters
    ----------
    method, path : str
        Of the first line.
    query : bytes
        What stood behind the question mark, undecoded.
    headers : tuple of (bytes, bytes)
        Names in lower case; a name may stand there more than once.
    body : bytes
        The whole body.
    """

    method: str
    path: str = "/"
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    @cached_property
    def header_values(self) -> Mapping[str, str]:
        """Headers as signatures see them: trimmed; several values sorted and joined by commas."""
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            text = value.decode("utf-8", "replace").strip()
            values.setdefault(name.decode("latin-1").lower(), []).append(text)
        return {name: ",".join(sorted(several)) for name, several in values.items()}

    @cached_property
    def query_pairs(self) -> Pairs:
        """Names and values of the query."""
        return decode_form(self.query)

    @cached_property
    def form_pairs(self) -> Pairs:
        """Names and values of a form body; none where the body is no form."""
        kind = self.header_values.get("content-type", "").partition(";")[0].strip().lower()
        return decode_form(self.body) if kind == FORM else []

    @cached_property
    def pairs(self) -> Pairs:
        """Names and values of query and form."""
        return [*self.query_pairs, *self.form_pairs] if self.body else self.query_pairs

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """Values by name; of several values the first."""
        return dict(reversed(self.pairs))


def decode_form(data: bytes) -> Pairs:
    """Return names and values of a form; bytes that are no UTF-8 become U+FFFD.

    Examples
    --------
    >>> decode_form(b"a=1+2&b=%2B&&c")
    [('a', '1 2'), ('b', '+'), ('c', '')]
    """
    pieces = (piece.partition(b"=") for piece in data.split(b"&") if piece)
    return [(_decode(name), _decode(value)) for name, _, value in pieces]


def _decode(data: bytes) -> str:
    if b"+" in data or b"%" in data:
        data = unquote_to_bytes(data.replace(b"+", b" "))
    return data.decode("utf-8", "replace")


def encode(text: str) -> str:
    """Percent-encode as signatures want it: all but letters, digits and ``-_.~``.

    Examples
    --------
    >>> encode("a b*~/")
    'a%20b%2A~%2F'
    """
    return quote(text, safe="~", encoding="utf-8", errors="replace")


def canonical_pairs(pairs: Pairs) -> str:
    """Return names and values sorted by the raw name and encoded, as both schemes sign them.

    Examples
    --------
    >>> canonical_pairs([("Tag.2.Key", "x"), ("Tag.10.Key", "a/b"), ("a", "")])
    'Tag.10.Key=a%2Fb&Tag.2.Key=x&a='
    """
    ordered = sorted(pairs, key=lambda pair: pair[0].encode("utf-8", "replace"))
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in ordered)
