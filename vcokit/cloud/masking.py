r"""Hide secrets in objects, remove them from text, and replace identifying values.

`Secret` holds a text that is not visible in a repr, in ``vars()`` or in a traceback with local
variables. `Pseudonyms` replaces ids, addresses, names and descriptions, so that a recording can be
sent to others. `mask` removes secrets from text of unknown origin: values that follow the name of a
secret, and known secrets themselves. For example, the answer of a proxy may repeat a request with
its token, and a truncated answer may contain a pre-shared key. A name is recognised in any of these
notations::

    "Psk":"…"   \"Psk\": \"…\"   <Psk>…</Psk>   Psk=…&   Psk: …

A known secret is recognised by any `_PIECE` consecutive characters of it, in upper or lower case,
with or without blanks between them, also in the base64 of a longer text. Each character may be
written in any of these ways::

    /   \/   \u002f   \x2f   %2F   %2f   %252F   &#x2F;   &#47;   &sol;

A secret is not recognised if the text contains a shorter piece of it, or if it is written in hex,
reversed or encrypted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, overload

from vcokit.cloud.endpoints import REGIONS
from vcokit.cloud.operations import SECRET_FIELDS
from vcokit.contract import CONTRACT

MASK: Final = "***"

#: Names of secrets, also of those in requests. The longest name is first, because a pattern uses
#: the first alternative that matches.
_NAMES: Final = sorted(
    {
        *SECRET_FIELDS,
        "access_key_secret",
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

#: The name of a secret, the separator and the value. A quoted value ends at its closing quote, a
#: value between tags at the next tag. Any other value ends at the end of the line or, in a query,
#: at the next parameter. JSON inside JSON is masked to the end of the text, because it is not clear
#: which quote closes it.
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
#: Minimum length of a known secret. Shorter ones are not searched for, because ordinary words may
#: contain them.
_SHORTEST: Final = 4

#: One character, in any notation.
_LETTER: Final = re.compile(
    r"%(?:25){0,3}(?P<percent>[0-9a-f]{2})|\\+(?:u00|x)(?P<escape>[0-9a-f]{2})"
    r"|&#?\w{1,8};|\\+|\s+|.",
    re.IGNORECASE | re.DOTALL,
)
#: A text without escapes, such as a request id.
_AS_IT_IS: Final = re.compile(r"[\w.:/+=-]*", re.ASCII)
#: URL-safe base64 differs from standard base64 in two characters.
_ONE_BASE64: Final = str.maketrans("-_", "+/")


class Secret:
    """A text that is never shown; ``reveal()`` returns it.

    The text is stored only in closures, so that repr, ``vars()`` and pickle cannot reach it. Call
    ``reveal()`` where the text is used, and do not assign the result to a variable: a traceback may
    show local variables.

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
        #: The substrings by which the secret is recognised, and their length.
        self.pieces: Callable[[], tuple[frozenset[str], int]] = cache(lambda: _pieces(text))

    @overload
    @classmethod
    def of(cls, value: None) -> None: ...

    @overload
    @classmethod
    def of(cls, value: object) -> Secret: ...

    @classmethod
    def of(cls, value: Any) -> Secret | None:
        """Return a value as a `Secret`; return a `Secret` or None unchanged."""
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
        Any text of limited length.
    secrets : iterable of Secret
        Known secrets. They are removed everywhere, in all notations.

    Examples
    --------
    >>> mask('{"Psk":"a, b", "Name":"x"}'), mask("<Psk>abc</Psk>")
    ('{"Psk":***, "Name":"x"}', '<Psk>***</Psk>')
    >>> mask("who sent tok/1?", [Secret("tok/1")]), mask("token=TOK%252f1", [Secret("tok/1")])
    ('who sent ***?', 'token=***')
    """
    return _NAMED.sub(rf"\g<name>\g<between>{MASK}", _without(text, secrets))


def _without(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text without the secrets and without recognisable pieces of them."""
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
    """Return the substrings by which a secret is recognised, and the length of each."""
    plain = _spelt_plainly(text)[0]
    length = min(_PIECE, len(plain))
    if len(text) < _SHORTEST or not length:
        return frozenset(), 0
    # The base64 of a longer text contains the secret in one of three alignments. The characters at
    # both ends are left out, because they also depend on the neighbouring text.
    coded = (base64.b64encode(b"\0" * n + text.encode("utf-8", "replace")) for n in range(3))
    forms = [plain, *(one.decode()[4:].rstrip("=")[:-1].lower() for one in coded)]
    runs = {form[n : n + length] for form in forms for n in range(len(form) - length + 1)}
    return frozenset(runs), length


def _spelt_plainly(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text in lower case without escapes or blanks, and where each character was."""
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


# -- pseudonyms -----------------------------------------------------------------------------------

#: Fields of requests and answers whose values do not identify an account. All other fields are
#: replaced, so that an unknown field reveals nothing.
_KEPT: Final = frozenset(
    {
        "AcceptLanguage",
        "AttachType",
        "BgpStatus",
        "Code",
        "DryRun",
        "Enable",
        "EnableBgp",
        "EnableDpd",
        "EnableNatTraversal",
        "Interval",
        "LocalName",
        "MaxResults",
        "NetworkType",
        "NewWeight",
        "OverlayMode",
        "PageNumber",
        "PageSize",
        "PeriodUnit",
        "PeriodValue",
        "Policy",
        "ProductCode",
        "ProductType",
        "QuotaActionCode",
        "QuotaCategory",
        "QuotaDescription",
        "QuotaName",
        "QuotaUnit",
        "RegionEndpoint",
        "Retry",
        "Role",
        "RouteCount",
        "RouteEntryType",
        "Source",
        "Spec",
        "State",
        "Status",
        "TotalCount",
        "TotalQuota",
        "TotalUsage",
        "TunnelIndex",
        "Weight",
    }
)
#: Fields with a time in milliseconds since the epoch.
_TIMES: Final = frozenset({"CreateTime"})
#: An id: the kind of resource, a dash and the rest. Other ids are treated as text.
_ID: Final = re.compile(r"(vco|tun|tr|cen|cgw|rg|vpn)-[A-Za-z0-9*]+")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: Ids and addresses, which even a kept field must not contain.
_TELLING: Final = re.compile(rf"\b{_ID.pattern}|[0-9]+(?:\.[0-9]+){{3}}")
#: The name of a field, in the vendor's notation.
_FIELD: Final = re.compile(r"[A-Za-z]{1,40}(?:\.[0-9]{1,2}\.[A-Z][a-z]+)?")
_WORD: Final = re.compile(r"\w+")
#: Words of the vendor's documented error messages; a message keeps only these.
_WORDS: Final = frozenset(
    word
    for text in (
        *(of["text"] for of in CONTRACT["errors"].values()),
        *(of["text"] for of in CONTRACT["families"].values()),
    )
    for word in _WORD.findall(text)
)
#: 100.64.0.0/10 as (network, length). It has the same meaning for all accounts and is not replaced.
_SHARED: Final = (0x64400000, 10)


class Pseudonyms:
    """Pseudonyms for ids, addresses, names, descriptions and times; equal values stay equal.

    ==================  ====================================================================
    value               replaced by
    ==================  ====================================================================
    id                  the same kind of id with other letters: ``vco-…``
    address, network    another address or network of the same length. If exactly the first k bits
                        of two of them are equal, the same is true of their pseudonyms. So a network
                        still contains the same networks and addresses. Host bits that are zero stay
                        zero. Addresses and networks within 100.64.0.0/10 stay within it. Therefore
                        these do not change: 100.64.0.0/10, each network that contains it, such as
                        0.0.0.0/0, and the half of each such network that does not contain it. All
                        others change
    time                milliseconds since the recording began
    name, description   ``text-…``
    message             only the words that occur in the vendor's documented messages
    region, state,      not replaced, because these values do not identify the account
    code, weight, count
    ==================  ====================================================================

    Addresses are replaced by the method of Crypto-PAn (Xu, Fan, Ammar, Moon: "Prefix-preserving IP
    address anonymization", 2002): the key and the preceding bits decide whether a bit is flipped.
    With the key the original values can be recovered, so discard it.

    Parameters
    ----------
    key : bytes
        A random key of 16 bytes or more.
    start : float
        Start of the recording, in seconds since the epoch; times are counted from it.

    Examples
    --------
    >>> replace = Pseudonyms(b"a random key, thrown away", 0.0).text
    >>> replace("vco-p0w2jpkhi2eeop6q6mine") == replace("vco-p0w2jpkhi2eeop6q6mine")
    True
    >>> replace("10.1.0.0/16"), replace("10.1.2.0/24"), replace("0.0.0.0/0")
    ('44.17.0.0/16', '44.17.229.0/24', '0.0.0.0/0')
    """

    def __init__(self, key: bytes, start: float) -> None:
        # The arguments are not stored in attributes, because a traceback may show this object.
        self._digest: Callable[[str], bytes] = lambda text: hmac.digest(
            key, text.encode("utf-8", "replace"), hashlib.sha256
        )
        self._milliseconds: Callable[[float], int] = lambda time: round(time - start * 1000)
        self._turns: Callable[[int, int, int], int] = cache(self._turn)

    def text(self, value: str) -> str:
        """Return the pseudonym of an id, an address, a network or any other text."""
        if not value:
            return value
        if (address := self._address(value)) is not None:
            return address
        digest = self._digest(value)
        if _UUID.fullmatch(value):
            return str(uuid.UUID(bytes=digest[:16], version=4)).upper()
        letters = base64.b32encode(digest).decode().lower()
        if found := _ID.fullmatch(value):
            return f"{found[1]}-{letters[:16]}"
        return f"text-{letters[:12]}"

    def region(self, value: str) -> str:
        """Return a region id of the vendor unchanged, and the pseudonym of any other text."""
        return value if value in REGIONS else self.text(value)

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a request, or the fields of an answer, with pseudonyms."""
        return {self._name(name): self._value(name, value) for name, value in fields.items()}

    def _name(self, name: str) -> str:
        return name if _FIELD.fullmatch(name) else self.text(name)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self.fields(value)
        if isinstance(value, list):
            return [self._value(name, one) for one in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            if name in _TIMES:
                return self._milliseconds(value)
            return value if name in _KEPT else 0
        if name == "RegionId":
            return self.region(value)
        if name == "Message":
            return _WORD.sub(lambda found: found[0] if found[0] in _WORDS else "…", value)
        return value if name in _KEPT and not _TELLING.search(value) else self.text(value)

    def _address(self, value: str) -> str | None:
        """Return the pseudonym of an address or a network; None for any other text."""
        written, slash, length = value.partition("/")
        try:
            address = ipaddress.ip_address(written)
        except ValueError:
            return None
        width = address.max_prefixlen
        if slash and not (length.isascii() and length.isdecimal() and int(length) <= width):
            return None
        host = width - int(length) if slash else 0
        number = int(address)
        if number & ((1 << host) - 1):
            moved = self._moved(number, width, width)
            if moved & ((1 << host) - 1) == 0:
                moved += 1  # keep some host bits, so that an audit has the same finding for both
        else:
            moved = self._moved(number, width - host, width) << host
        return f"{type(address)(moved)}{slash}{length}"

    def _moved(self, number: int, bits: int, width: int) -> int:
        """Return the first bits of the pseudonym of an address."""
        moved = 0
        for depth in range(bits):
            before = number >> (width - depth)
            bit = number >> (width - depth - 1) & 1
            moved = moved << 1 | bit ^ self._turns(width, depth, before)
        return moved

    def _turn(self, width: int, depth: int, before: int) -> int:
        """Return 1 if the bit that follows the bits `before` is flipped, else 0."""
        if _leads_to_shared(width, depth, before):
            return 0
        if depth == 0 or _leads_to_shared(width, depth - 1, before >> 1):
            return 1  # the first bit that may be flipped is, so that the value always changes
        return self._digest(f"{width}/{depth}/{before}")[0] & 1


def _leads_to_shared(width: int, depth: int, before: int) -> bool:
    """Return whether the bits `before` are a proper prefix of 100.64.0.0/10."""
    network, length = _SHARED
    return width == 32 and depth < length and before == network >> (width - depth)
