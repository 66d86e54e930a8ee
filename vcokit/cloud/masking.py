r"""Secrets: hidden in objects, and removed from text before it is shown.

`Secret` contains a text that no repr, no traceback with local variables and no ``vars()`` shows.
`mask` removes secrets from text of unknown origin: values that follow the name of a secret, and
known secrets themselves. The answer of a proxy may repeat a request with its token, and a truncated
answer may contain a pre-shared key. A name is recognised in any of these notations::

    "Psk":"…"   \"Psk\": \"…\"   <Psk>…</Psk>   Psk=…&   Psk: …

A known secret is recognised by any `_PIECE` consecutive characters of it, in upper or lower case,
with or without blanks in between, with each character written in any of these ways, and in base64
of a longer text::

    /   \/   \u002f   \x2f   %2F   %2f   %252F   &#x2F;   &#47;   &sol;

Not recognised: a shorter piece, hex, and a secret that is reversed or encrypted.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, overload

from vcokit.cloud.operations import SECRET_FIELDS

MASK: Final = "***"

#: Names of secrets, also those in requests. The longest first, because a pattern stops at the first
#: alternative that fits.
_NAMES: Final = sorted(
    {
        *SECRET_FIELDS,
        "AccessKeySecret",
        "access_key_secret",
        "SecurityToken",
        "security_token",
        "x-acs-security-token",
        "sts_token",
        "StsToken",
        "Signature",
        "Authorization",
        "Proxy-Authorization",
    },
    key=len,
    reverse=True,
)

#: After a name: the separator, and the value up to its end. A quoted value ends at its quote, a
#: value between tags at a tag, any other at the end of the line or, in a query, of its parameter.
#: JSON inside JSON is masked to the end of the text, because the closing quote is ambiguous.
_NAMED: Final = re.compile(
    rf"(?P<name>\b(?<!</)(?:{'|'.join(map(re.escape, _NAMES))}))"
    r"(?P<between>(?:\\*[\"'])?\s*(?:[:=]|>|%3D|%3A)\s*)"
    r"(?:\\+[\"'].*|"
    r"(?P<quote>[\"'])(?:(?!(?P=quote))(?:\\.|.))*(?P=quote)?|"
    r"(?<=>)[^<]*|"
    r"(?:(?!&[\w.%-]+=)[^\n\r<])*)",
    re.IGNORECASE | re.DOTALL,
)

#: Number of consecutive characters by which a secret is recognised.
_PIECE: Final = 12
#: Shorter secrets are not searched for, because they would be found in ordinary words.
_SHORTEST: Final = 4

#: One character, in any notation.
_LETTER: Final = re.compile(
    r"%(?:25){0,3}(?P<percent>[0-9a-f]{2})|\\+(?:u00|x)(?P<escape>[0-9a-f]{2})"
    r"|&#?\w{1,8};|\\+|\s+|.",
    re.IGNORECASE | re.DOTALL,
)
#: A text without escapes: a request id, for example.
_AS_IT_IS: Final = re.compile(r"[\w.:/+=-]*", re.ASCII)
#: Base64 for URLs has two characters of its own.
_ONE_BASE64: Final = str.maketrans("-_", "+/")


class Secret:
    """A text that is never shown; ``reveal()`` returns it.

    It is kept only in closures, so that repr, ``vars()`` and pickle cannot reach it. Call
    ``reveal()`` where the text is used, and bind the result to no variable: a traceback may show
    local variables.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> Secret("s3cret"), Secret("s3cret") == Secret("s3cret"), Secret("s3cret").reveal()
    (***, True, 's3cret')
    """

    __slots__ = ("pieces", "reveal")

    def __init__(self, text: str) -> None:
        self.reveal: Callable[[], str] = lambda: text
        #: Runs of characters by which it is recognised, and their length.
        self.pieces: Callable[[], tuple[frozenset[str], int]] = cache(lambda: _pieces(text))

    @overload
    @classmethod
    def of(cls, value: None) -> None: ...

    @overload
    @classmethod
    def of(cls, value: object) -> Secret: ...

    @classmethod
    def of(cls, value: Any) -> Secret | None:
        """Return a value as a secret; return a secret or None unchanged."""
        return value if value is None or isinstance(value, Secret) else cls(value)

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self.reveal())


def mask(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return a text without secrets.

    Parameters
    ----------
    text : str
        Any text of a bounded length.
    secrets : iterable of Secret
        Known secrets, removed wherever they are and in every notation.

    Examples
    --------
    >>> mask('{"Psk":"a, b", "Name":"x"}'), mask("<Psk>abc</Psk>")
    ('{"Psk":***, "Name":"x"}', '<Psk>***</Psk>')
    >>> mask("who sent tok/1?", [Secret("tok/1")]), mask("token=TOK%252f1", [Secret("tok/1")])
    ('who sent ***?', 'token=***')
    """
    return _NAMED.sub(rf"\g<name>\g<between>{MASK}", _without(text, secrets))


def _without(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text without any piece of the secrets."""
    plain, spans = _spelt_plainly(text)
    hidden = [False] * len(plain)
    for secret in secrets:
        pieces, length = secret.pieces()
        for start in range(len(plain) - length + 1 if length else 0):
            if plain[start : start + length] in pieces:
                hidden[start : start + length] = [True] * length
    if not any(hidden):
        return text
    shown, end = [], 0
    for number, (start, stop) in enumerate(spans):
        if not hidden[number]:
            shown.append(text[end:stop])
        elif number == 0 or not hidden[number - 1]:
            shown += text[end:start], MASK
        end = stop
    return "".join((*shown, text[end:]))


def _pieces(text: str) -> tuple[frozenset[str], int]:
    """Return the runs of characters by which a secret is recognised, and the length of each."""
    plain = _spelt_plainly(text)[0]
    length = min(_PIECE, len(plain))
    if len(text) < _SHORTEST or not length:
        return frozenset(), 0
    # Base64 of a longer text contains it in one of three alignments. The characters at both ends
    # also depend on the neighbouring text.
    coded = (base64.b64encode(b"\0" * n + text.encode("utf-8", "replace")) for n in range(3))
    forms = [plain, *(one.decode()[4:].rstrip("=")[:-1].lower() for one in coded)]
    runs = {form[n : n + length] for form in forms for n in range(len(form) - length + 1)}
    return frozenset(runs), length


def _spelt_plainly(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text without escapes in lower case, and the position of each character in it."""
    if _AS_IT_IS.fullmatch(text):
        spans = [(n, n + 1) for n in range(len(text))]
        return text.lower().translate(_ONE_BASE64), spans
    letters: list[str] = []
    spans = []
    for found in _LETTER.finditer(text):
        written = found[0]
        if number := found["percent"] or found["escape"]:
            written = chr(int(number, 16))
        elif len(written) > 1 and written[0] == "&":
            written = html.unescape(written)
        for letter in written.lower().translate(_ONE_BASE64):
            if not letter.isspace() and letter != "\\":
                letters.append(letter)
                spans.append(found.span())
    return "".join(letters), spans
