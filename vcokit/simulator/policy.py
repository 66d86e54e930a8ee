"""RAM policies: what a key may do, in the vendor's own policy language.

::

    {"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "vpc:Describe*", "Resource": "*"},
        {"Effect": "Deny",  "Action": "*", "Resource": "acs:vpc:*:*:vpnconnection/vco-1"}]}

What no statement allows is denied, and a denial beats any permission. ``*`` stands for any
characters and ``?`` for one, as in the vendor's description of policies. Conditions and negated
elements (``NotAction``) are not modelled and are refused, for guessing at permissions is worse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_EFFECTS: Final = ("Allow", "Deny")
_ELEMENTS: Final = {"Effect", "Action", "Resource"}


@dataclass(frozen=True)
class Statement:
    """One statement: whether it allows, and patterns of actions and resources."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, action: str, resource: str) -> bool:
        """Tell whether it speaks of an action on a resource; actions know no case."""
        return _any(self.actions, action, re.IGNORECASE) and _any(self.resources, resource)


@dataclass(frozen=True)
class Policy:
    """Statements; `permits` reads them together."""

    statements: tuple[Statement, ...]

    def permits(self, action: str, resource: str) -> bool:
        """Tell whether an action on a resource is allowed and not denied.

        Examples
        --------
        >>> policy = read_policy({"Version": "1", "Statement": [
        ...     {"Effect": "Allow", "Action": ["vpc:Describe*"], "Resource": "*"}]})
        >>> policy.permits("vpc:DescribeRegions", "*"), policy.permits("vpc:CreateVcoRouteEntry",
        ...     "acs:vpc:cn-hangzhou:1:vpnconnection/vco-1")
        (True, False)
        """
        verdicts = {s.allows for s in self.statements if s.covers(action, resource)}
        return verdicts == {True}


def read_policy(document: Mapping[str, Any] | Policy) -> Policy:
    """Return the policy of a document.

    Raises
    ------
    ValueError
        If the document is none, or holds an element that is not modelled.
    """
    if isinstance(document, Policy):
        return document
    if not isinstance(document, Mapping):
        raise ValueError(f"policy {document!r}. Write a mapping with Version and Statement")
    if document.get("Version", "1") != "1" or document.keys() - {"Version", "Statement"}:
        raise ValueError('policy: write Version = "1" and Statement, nothing else')
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list | tuple) or not statements:
        raise ValueError("policy: Statement is a list of at least one statement")
    return Policy(tuple(map(_statement, statements)))


def _statement(written: object) -> Statement:
    if not isinstance(written, Mapping) or written.keys() != _ELEMENTS:
        raise ValueError(
            f"policy statement {written!r}. Write Effect, Action and Resource; conditions and "
            "negated elements are not modelled"
        )
    if written["Effect"] not in _EFFECTS:
        raise ValueError(f"policy: Effect {written['Effect']!r}. Write Allow or Deny")
    return Statement(
        written["Effect"] == "Allow", _texts(written["Action"]), _texts(written["Resource"])
    )


def _texts(written: object) -> tuple[str, ...]:
    texts = (written,) if isinstance(written, str) else written
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"policy: {written!r}. Write a text or a list of texts")
    return tuple(texts)


def _any(patterns: Iterable[str], text: str, flags: int = 0) -> bool:
    return any(re.fullmatch(_expression(one), text, flags | re.DOTALL) for one in patterns)


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def resource_of(region: str, account: str, vpn_connection_id: str) -> str:
    """Return the name by which policies know a connection; ``*`` where a call names none.

    The vendor publishes this form for Create and Modify; for the other operations it is inferred.

    Examples
    --------
    >>> resource_of("cn-hangzhou", "1", "")
    'acs:vpc:cn-hangzhou:1:vpnconnection/*'
    """
    return f"acs:vpc:{region or '*'}:{account}:vpnconnection/{vpn_connection_id or '*'}"
