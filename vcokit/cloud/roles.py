"""Roles in other accounts: one key gets temporary keys for many accounts.

::

    Keyring of the calling key ──signs──▶ AssumeRole ──▶ temporary key ──▶ Keyring of the role

``AssumeRole`` is an operation of the Security Token Service, and is called like any other: with the
same signatures, time-outs and attempts. It is never recorded, because its answers are keys.

Clients of one role share a keyring, if the calling key is the same. So there is one call per role
and hour in a process, and never two at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from vcokit.cloud.client import Client
from vcokit.cloud.credentials import Credentials, Keyring
from vcokit.cloud.error_codes import may_try_again
from vcokit.cloud.operations import KNOWN
from vcokit.cloud.simulated import may_be_simulator
from vcokit.contract import CONTRACT
from vcokit.errors import ApiError, ClockError, CloudError, CredentialsError, InputError

if TYPE_CHECKING:
    from vcokit.cloud.connect import Target

_ASSUME: Final = KNOWN["AssumeRole"]
_FORMS: Final[Mapping[str, Any]] = CONTRACT["services"]["security_token"]["parameters"]


@dataclass(frozen=True)
class Role:
    """A role, and what its trust policy asks of whoever assumes it.

    Parameters
    ----------
    arn : str
        Its name with its account: ``acs:ram::123456789012:role/vcokit``.
    external_id : str, optional
        The external id in its trust policy.
    session_name : str
        Name under which the vendor's log of the account shows the calls.

    Raises
    ------
    InputError
        If a value is not of the form that the vendor describes.

    Examples
    --------
    >>> Role("acs:ram::123456789012:role/vcokit").account
    '123456789012'
    """

    arn: str
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "vcokit"

    def __post_init__(self) -> None:
        if not _is_formed("RoleArn", self.arn):
            raise InputError(
                f"role_arn is {self.arn!r}",
                remedy="Write it like acs:ram::123456789012:role/vcokit",
            )
        if not _is_formed("RoleSessionName", self.session_name):
            raise InputError(
                f"session_name is {self.session_name!r}",
                remedy="Write 2 to 64 letters, digits and . @ - _",
            )
        if self.external_id is not None and not _is_formed("ExternalId", self.external_id):
            raise InputError(
                "external_id cannot be used",
                remedy="Write 2 to 1,224 letters, digits and = , . @ : / + - _",
            )

    @property
    def account(self) -> str:
        """The number of its account."""
        return self.arn.split(":")[3]


def role_of(
    role_arn: str | None, external_id: str | None = None, session_name: str | None = None
) -> Role | None:
    """Return the role in the arguments of `connect`; None if there is none.

    Raises
    ------
    InputError
        If a value cannot be used, or only the role is missing.
    """
    if role_arn is not None:
        return Role(role_arn, external_id, session_name or Role.session_name)
    if external_id is not None or session_name is not None:
        raise InputError(
            "external_id and session_name belong to a role", remedy="Pass role_arn= as well"
        )
    return None


def _is_formed(name: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(_FORMS[name]["pattern"], value) is not None


#: Keyrings by role, calling key, and where the service is asked. A forked process has its own,
#: because it must not use the network connections of its parent.
_rings: dict[tuple[Any, ...], Keyring] = {}


def assume(role: Role, target: Target, **options: Any) -> Keyring:
    """Return the keyring of a role; assume the role unless its present key is still valid.

    Parameters
    ----------
    role : Role
    target : Target
        That of the calling key. An endpoint that may be a simulator is asked itself; otherwise the
        host of the service is.
    **options
        Of the `Client` that asks: `sleep`, `now` and `luck`.

    Raises
    ------
    CredentialsError
        If the role cannot be assumed.
    CloudError
        If the service does not answer, or only later.
    """
    endpoint = target.endpoint if may_be_simulator(target.endpoint) else ""
    caller = target.credentials()
    key = (role, caller, endpoint, target.clock, target.transport, os.getpid())
    ring = _rings.get(key)
    if ring is None:
        client = Client(replace(target, endpoint=endpoint, region=None, record=None), **options)
        made = Keyring(_Source(role, client), clock=target.clock)
        ring = _rings.setdefault(key, made)
    ring()
    return ring


@dataclass
class _Source:
    """Assumes a role for its keyring."""

    role: Role
    client: Client
    #: None: as many as for any read. A renewal has one, because another call waits for it, and the
    #: keyring tries again later.
    attempts: int | None = None

    def __call__(self) -> Credentials:
        asked = {
            "RoleArn": self.role.arn,
            "RoleSessionName": self.role.session_name,
            "ExternalId": self.role.external_id,
        }
        try:
            given = self.client.call(_ASSUME, asked, self.attempts)["Credentials"]
        except CloudError as error:
            if may_try_again(error) or isinstance(error, ClockError):
                raise
            refusal = error
        else:
            self.attempts = 1
            # The expiration is by the cloud's clock, the keyring uses this machine's.
            skew = self.client.skew or 0.0
            ends = datetime.fromisoformat(given["Expiration"]).timestamp() - skew
            return Credentials(
                given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"], ends
            )
        # Raised outside of the except block: the traceback of the other error leads to the answer.
        raise CredentialsError(
            f"{self.role.arn} cannot be assumed "
            f"({refusal.message}; request id {refusal.request_id})",
            remedy=_remedy(self.role, refusal),
        )


def _remedy(role: Role, refusal: CloudError) -> str | None:
    code = refusal.code if isinstance(refusal, ApiError) else ""
    if code == "NoPermission":
        condition = "" if role.external_id is None else " with this external_id"
        return (
            f"Let the trust policy of {role.arn} name the account of the calling key{condition}, "
            "and allow that key sts:AssumeRole (vcokit policy roles)"
        )
    if code == "EntityNotExist.Role":
        return f"Create the role in account {role.account}, or correct role_arn"
    if code.startswith("InvalidParameter."):
        return f"Correct what {role.arn} is assumed with: role_arn, external_id, session_name"
    return refusal.remedy
