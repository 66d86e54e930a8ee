r"""Taking secrets out of text to be shown: by the names they stand under, and by themselves.

What a stranger between us and the cloud sends back may repeat a request with its token, and a
cut-off answer may hold a pre-shared key. A name is recognised whatever stands around it::

    "Psk":"…"   \"Psk\": \"…\"   <Psk>…</Psk>   Psk=…&   Psk: …
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

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

#: Shorter ones would be found in words that mean something else.
_SHORTEST: Final = 4


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without secrets.

    Parameters
    ----------
    text : str
        Anything at all.
    secrets : iterable of str
        Those that are known, to be taken out wherever and however they are written.

    Examples
    --------
    >>> mask('{"Psk":"a, b", "Name":"x"}'), mask("<Psk>abc</Psk>")
    ('{"Psk":***, "Name":"x"}', '<Psk>***</Psk>')
    >>> mask("who sent tok/1?", ["tok/1"]), mask("token=tok%2F1", ["tok/1"])
    ('who sent ***?', 'token=***')
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), quote(secret)}:
                text = text.replace(form, MASK)
    return _NAMED.sub(rf"\g<name>\g<between>{MASK}", text)
