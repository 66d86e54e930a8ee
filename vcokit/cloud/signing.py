"""Request signature V3 (``ACS3-HMAC-SHA256``): pure functions, and a signer for requests.

Headers name the operation, and the query contains the parameters::

    canonical request = METHOD / query headers names body-hash      (joined by newlines)
    string to sign    = "ACS3-HMAC-SHA256" newline hex(SHA256(canonical request))
    signature         = hex(HMAC-SHA256(secret, string to sign))

``host``, ``content-type`` if there is a body, and every ``x-acs-*`` header are signed. The cloud
refuses a date that is more than 15 minutes wrong, and a nonce that was used before. (Vendor:
"Request syntax and signature method V3".)
"""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from vcokit.cloud.credentials import Credentials
from vcokit.cloud.masking import Secret

ALGORITHM: Final = "ACS3-HMAC-SHA256"
EMPTY_HASH: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Signature:
    """A signature and the texts that it was made from.

    Parameters
    ----------
    canonical_request, string_to_sign, authorization : str
        The last one is the value of the header ``Authorization``.
    """

    canonical_request: str
    string_to_sign: str
    authorization: str


def encode(text: str) -> str:
    """Percent-encode a text: UTF-8, everything except letters, digits and ``-_.~``.

    Examples
    --------
    >>> encode("10.0.0.0/8 *~")
    '10.0.0.0%2F8%20%2A~'
    """
    return quote(text, safe="~")


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Return parameters sorted by raw name, encoded and joined; an empty value gives ``name=``.

    Examples
    --------
    >>> canonical_query([("b", "1 2"), ("B", "")])
    'B=&b=1%202'
    """
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(parameters))


def sign(
    method: str,
    parameters: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    credentials: Credentials,
    payload_hash: str = EMPTY_HASH,
) -> Signature:
    """Sign a request to the path ``/``.

    Parameters
    ----------
    method : str
        ``GET`` or ``POST``.
    parameters : iterable of (name, value)
        Those of the query, decoded; never those of a body.
    headers : mapping of str to str
        All headers to sign.
    credentials : Credentials
    payload_hash : str
        Lower-case hex SHA-256 of the body.

    Returns
    -------
    Signature
    """
    signed = sorted((name.lower(), value.strip()) for name, value in headers.items())
    names = ";".join(name for name, _ in signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    query = canonical_query(parameters)
    request = "\n".join([method, "/", query, lines, names, payload_hash])
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    # The secret is bound to no variable here: a traceback may show local variables.
    signature = hmac.new(
        credentials.access_key_secret.encode(), to_sign.encode(), hashlib.sha256
    ).hexdigest()
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key_id},"
        f"SignedHeaders={names},Signature={signature}"
    )
    return Signature(request, to_sign, authorization)


class Signer:
    """Signs each request when it is sent, with its own nonce and date.

    Parameters
    ----------
    credentials : callable
        Returns the current `Credentials`.
    clock : callable
        Returns seconds since the epoch.
    nonce : callable
        Returns a new text at each call.
    """

    def __init__(
        self,
        credentials: Callable[[], Credentials],
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._nonce = nonce
        #: Secrets of the key that signed last. No error about its calls may show them.
        self.secrets: tuple[Secret, ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._credentials()!r})"

    def sign(self, method: str, query: bytes, headers: MutableMapping[str, str]) -> None:
        """Add date, nonce, hash and signature to the headers of a request without a body.

        Signing the same headers again replaces all of these.
        """
        credentials = self._credentials()
        self.secrets = credentials.secrets
        headers["x-acs-date"] = _date(self._clock())
        headers["x-acs-signature-nonce"] = self._nonce()
        headers["x-acs-content-sha256"] = EMPTY_HASH
        if credentials.security_token:
            headers["x-acs-accesskey-id"] = credentials.access_key_id
            headers["x-acs-security-token"] = credentials.security_token
        signature = sign(
            method,
            parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query)),
            {name: value for name, value in headers.items() if _is_signed(name)},
            credentials,
        )
        headers["Authorization"] = signature.authorization

    @staticmethod
    def forget(headers: MutableMapping[str, str]) -> None:
        """Remove the token from the headers of a finished request."""
        headers.pop("x-acs-security-token", None)


def _date(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def _is_signed(name: str) -> bool:
    """Return whether a header must be signed; names are in lower case."""
    return name in ("host", "content-type") or name.startswith("x-acs-")
