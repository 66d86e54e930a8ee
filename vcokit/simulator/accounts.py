"""Accounts and their keys: who may call, and what a call may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vcokit.simulator import defaults
from vcokit.simulator.codes import KINDS
from vcokit.simulator.policy import Policy, read_policy


class Credentials(NamedTuple):
    """An AccessKey: what a client needs to sign its calls."""

    access_key_id: str
    access_key_secret: str
    security_token: str | None = None

    def __repr__(self) -> str:
        token = None if self.security_token is None else "***"
        return (
            f"Credentials(access_key_id={self.access_key_id!r}, access_key_secret='***', "
            f"security_token={token!r})"
        )


@dataclass(frozen=True)
class Account:
    """An account and one of its AccessKeys; accounts with one id and several keys are one account.

    Parameters
    ----------
    account_id : str
        Owner of connections; rate limits and client tokens are kept by it.
    access_key_id, access_key_secret : str
        The key that signs.
    security_token : str, optional
        Makes the key a temporary one: every call must carry the token too.
    token_expires : float, optional
        Epoch seconds at which the token ends; never where absent.
    active : bool
        Whether the key is enabled.
    policy : Policy or mapping, optional
        What the key may do, as a RAM policy document; everything where absent.
    denial_code : str
        How a call that the policy does not allow is refused.

    Raises
    ------
    ValueError
        If the key is none, or the policy or the code cannot be used.
    """

    account_id: str = defaults.ACCOUNT_ID
    access_key_id: str = defaults.ACCESS_KEY_ID
    access_key_secret: str = field(default=defaults.ACCESS_KEY_SECRET, repr=False)
    security_token: str | None = field(default=None, repr=False)
    token_expires: float | None = None
    active: bool = True
    policy: Policy | Mapping[str, Any] | None = field(default=None, repr=False)
    denial_code: str = "Forbidden.RAM"

    def __post_init__(self) -> None:
        if not self.access_key_id or not self.access_key_secret:
            raise ValueError("account: write an access_key_id and an access_key_secret")
        if self.denial_code not in KINDS["permission"]:
            known = ", ".join(sorted(KINDS["permission"]))
            raise ValueError(f"denial_code {self.denial_code!r} is unknown. Write one of {known}")
        if self.token_expires is not None and self.security_token is None:
            raise ValueError("token_expires without security_token: nothing would expire")
        if self.policy is not None:
            object.__setattr__(self, "policy", read_policy(self.policy))

    @property
    def credentials(self) -> Credentials:
        """The AccessKey as clients take it."""
        return Credentials(self.access_key_id, self.access_key_secret, self.security_token)

    def may(self, action: str, resource: str) -> bool:
        """Tell whether the key may do something."""
        return not isinstance(self.policy, Policy) or self.policy.permits(action, resource)
