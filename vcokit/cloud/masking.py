r"""Secrets: kept where nothing shows them, and taken out of text that is to be shown.

`Secret` holds a text that no repr, no traceback with local variables and no ``vars()`` shows.
`mask` takes secrets out of text of strangers: by the names they stand under, and by themselves.
What a stranger between us and the cloud sends back may repeat a request with its token, and a
cut-off answer may hold a pre-shared key. A name is recognised whatever stands around it::

    "Psk":"…"   \"Psk\": \"…\"   <Psk>…</Psk>   Psk=…&   Psk: …

A secret by itself is recognised by any `_PIECE` of its letters in a row, in either case, broken by
blanks or not, each letter written in any of these ways, and in base64 of a longer text::

    /   \/   \u002f   \x2f   %2F   %2f   %252F   &#x2F;   &#47;   &sol;

Not recognised: a piece that is shorter, hex, a secret that is written backwards or encrypted.
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

#: Names of secrets, those of requests too; the longest first, for an alternative that fits ends it.
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

#: Behind a name: what separates it, and the value up to what ends it. A quoted value ends with its
#: quote, one between tags with a tag, any other with the line or, in a query, its parameter. JSON
#: inside JSON is masked to the end of the text: which quote ends it cannot be told for certain.
_NAMED: Final = re.compile(
    rf"(?P<name>\b(?<!</)(?:{'|'.join(map(re.escape, _NAMES))}))"
    r"(?P<between>(?:\\*[\"'])?\s*(?:[:=]|>|%3D|%3A)\s*)"
    r"(?:\\+[\"'].*|"
    r"(?P<quote>[\"'])(?:(?!(?P=quote))(?:\\.|.))*(?P=quote)?|"
    r"(?<=>)[^<]*|"
    r"(?:(?!&[\w.%-]+=)[^\n\r<])*)",
    re.IGNORECASE | re.DOTALL,
)

#: Letters in a row by which a secret is recognised.
_PIECE: Final = 12
#: Shorter ones would be found in words that mean something else.
_SHORTEST: Final = 4

#: One letter, however it is written.
_LETTER: Final = re.compile(
    r"%(?:25){0,3}(?P<percent>[0-9a-f]{2})|\\+(?:u00|x)(?P<escape>[0-9a-f]{2})"
    r"|&#?\w{1,8};|\\+|\s+|.",
    re.IGNORECASE | re.DOTALL,
)
#: A text in which every letter is written as it is: a request id, for example.
_AS_IT_IS: Final = re.compile(r"[\w.:/+=-]*", re.ASCII)
#: Base64 of URLs has two letters of its own.
_ONE_BASE64: Final = str.maketrans("-_", "+/")


class Secret:
    """A text that is shown nowhere; ``reveal()`` returns it.

    It stands in closures alone, so that neither a repr nor ``vars()`` nor pickle gets at it. Call
    ``reveal()`` where the text is used up, and give it no name: a traceback may show local
    variables.

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
        #: Runs of letters by which it is recognised, and their length.
        self.pieces: Callable[[], tuple[frozenset[str], int]] = cache(lambda: _pieces(text))

    @overload
    @classmethod
    def of(cls, value: None) -> None: ...

    @overload
    @classmethod
    def of(cls, value: object) -> Secret: ...

    @classmethod
    def of(cls, value: Any) -> Secret | None:
        """Return a value as a secret; one that is a secret, or None, as it is."""
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
        Anything at all, of a bounded length.
    secrets : iterable of Secret
        Those that are known, to be taken out wherever and however they are written.

    Examples
    --------
    >>> mask('{"Psk":"a, b", "Name":"x"}'), mask("<Psk>abc</Psk>")
    ('{"Psk":***, "Name":"x"}', '<Psk>***</Psk>')
    >>> mask("who sent tok/1?", [Secret("tok/1")]), mask("token=TOK%252f1", [Secret("tok/1")])
    ('who sent ***?', 'token=***')
    """
    return _NAMED.sub(rf"\g<name>\g<between>{MASK}", _without(text, secrets))


def _without(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text without the pieces of secrets."""
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
    """Return the runs of letters by which a secret is recognised, and how long each is."""
    plain = _spelt_plainly(text)[0]
    length = min(_PIECE, len(plain))
    if len(text) < _SHORTEST or not length:
        return frozenset(), 0
    # Base64 of a longer text has it in one of three ways; letters at its ends have neighbours.
    coded = (base64.b64encode(b"\0" * n + text.encode("utf-8", "replace")) for n in range(3))
    forms = [plain, *(one.decode()[4:].rstrip("=")[:-1].lower() for one in coded)]
    runs = {form[n : n + length] for form in forms for n in range(len(form) - length + 1)}
    return frozenset(runs), length


def _spelt_plainly(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text's letters, each as it is in lower case, and where each of them stands in it."""
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
