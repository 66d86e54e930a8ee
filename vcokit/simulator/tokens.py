"""The memory of ClientTokens: a repeated write gets its first answer again and does nothing.

A token belongs to an account, a region and an operation (`Switches.token_scope` widens that). It is
bound by a write that was accepted
(`Switches.refused_calls_bind_token` adds refused ones) and forgotten after its lifetime. Dry runs,
throttled calls and reads bind none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from vcokit.simulator.checks import Ask
from vcokit.simulator.codes import Refusal
from vcokit.simulator.switches import TOKEN_SCOPES

MAX_LENGTH: Final = 64

AnswerT = TypeVar("AnswerT")


class TokenKey(NamedTuple):
    """What a token is remembered under; parts beyond its scope are empty."""

    account: str
    region: str
    operation: str
    token: str


def token_key(ask: Ask, scope: str) -> TokenKey:
    """Return what the token of a call is remembered under."""
    within = TOKEN_SCOPES.index(scope)
    return TokenKey(
        ask.account,
        ask.text("RegionId") if within < TOKEN_SCOPES.index("account") else "",
        ask.operation.name if within < TOKEN_SCOPES.index("region") else "",
        ask.text("ClientToken"),
    )


@dataclass(frozen=True)
class _Bound(Generic[AnswerT]):
    expires: float
    parameters: Mapping[str, str]
    answer: AnswerT


class TokenMemory(Generic[AnswerT]):
    """First answers by token.

    Parameters
    ----------
    lifetime : float
        Simulated seconds a token is remembered.
    """

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        # All live equally long, so the order of binding is the order of forgetting.
        self._bound: dict[TokenKey, _Bound[AnswerT]] = {}

    def recall(self, key: TokenKey, parameters: Mapping[str, str], now: float) -> AnswerT | None:
        """Return the first answer to this very call, None where the token is free.

        Raises
        ------
        Refusal
            If the token is none, or was used with other parameters.
        """
        self._forget(now)
        if len(key.token) > MAX_LENGTH:
            raise Refusal("IllegalParam.ClientToken")
        if not key.token.isascii():
            raise Refusal("InvalidClientToken")
        bound = self._bound.get(key)
        if bound is None:
            return None
        if bound.parameters != parameters:
            raise Refusal("IdempotentParameterMismatch")
        return bound.answer

    def bind(
        self, key: TokenKey, parameters: Mapping[str, str], answer: AnswerT, now: float
    ) -> None:
        """Remember the answer to a call."""
        self._bound[key] = _Bound(now + self.lifetime, parameters, answer)

    def _forget(self, now: float) -> None:
        while self._bound:
            oldest = next(iter(self._bound))
            if self._bound[oldest].expires > now:
                return
            del self._bound[oldest]
