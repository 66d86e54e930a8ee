"""Whose AccessKey signs: explicit, else the environment's; masked wherever it is shown.

The environment's names are those of the vendor's tools: ``ALIBABA_CLOUD_ACCESS_KEY_ID``,
``ALIBABA_CLOUD_ACCESS_KEY_SECRET`` and, for temporary keys, ``ALIBABA_CLOUD_SECURITY_TOKEN``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vcokit.errors import CredentialsError

_KEY_ID: Final = "ALIBABA_CLOUD_ACCESS_KEY_ID"
_KEY_SECRET: Final = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 - a name, no secret
_TOKEN: Final = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105

_REMEDY: Final = (
    f"Set {_KEY_ID} and {_KEY_SECRET}, or pass access_key_id= and access_key_secret= to connect()"
)


@dataclass(frozen=True)
class Credentials:
    """An AccessKey, with the token of a temporary one.

    Parameters
    ----------
    access_key_id : str
    access_key_secret : str
    security_token : str, optional

    Examples
    --------
    >>> Credentials("LTAI5tExample0123", "secret")
    Credentials(access_key_id='LTAI***', access_key_secret='***')
    """

    access_key_id: str
    access_key_secret: str
    security_token: str | None = None

    def __post_init__(self) -> None:
        for name in ("access_key_id", "access_key_secret"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise CredentialsError(f"{name} is empty", remedy=_REMEDY)
            if not value.isascii() or not value.isprintable() or " " in value:
                raise CredentialsError(
                    f"{name} holds characters that no key has", remedy="Copy the key again"
                )

    def __repr__(self) -> str:
        token = ", security_token='***'" if self.security_token else ""
        key = f"{self.access_key_id[:4]}***" if len(self.access_key_id) > 4 else "***"
        return f"Credentials(access_key_id={key!r}, access_key_secret='***'{token})"


def find(
    access_key_id: str | None = None,
    access_key_secret: str | None = None,
    security_token: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Credentials:
    """Return the explicit AccessKey, else that of the environment.

    Parameters
    ----------
    access_key_id, access_key_secret, security_token : str, optional
        Given together; half a key is an error, it is never completed from the environment.
    environ : mapping of str to str, optional
        By default the environment of the process.

    Returns
    -------
    Credentials

    Raises
    ------
    CredentialsError
        If none is found, or half of one.
    """
    environ = os.environ if environ is None else environ
    if access_key_id is None and access_key_secret is None:
        access_key_id = environ.get(_KEY_ID)
        access_key_secret = environ.get(_KEY_SECRET)
        security_token = security_token or environ.get(_TOKEN) or None
    if not access_key_id and not access_key_secret:
        raise CredentialsError("no AccessKey was found", remedy=_REMEDY)
    if not access_key_id or not access_key_secret:
        raise CredentialsError(
            "half an AccessKey was found, id or secret is missing", remedy=_REMEDY
        )
    return Credentials(access_key_id, access_key_secret, security_token)
