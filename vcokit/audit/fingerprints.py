"""Fingerprints of findings: the same finding has the same fingerprint in the next audit.

A fingerprint depends on the rule, the field and the route, but not on row, line or file, so it
stays the same when rows move. It ends in a colon and a number, which distinguishes findings that
agree in all of these. SARIF has it in ``partialFingerprints``, JSON in ``fingerprint``.
"""

from __future__ import annotations

import hashlib
from typing import Final

import pandas as pd

from vcokit import schema

_OF_FINDING: Final = ("rule", "column")
#: Values that identify a route even if its line has moved.
_OF_ROUTE: Final = (*schema.ROUTES_REQUIRED, "weight_text")
_DIGITS: Final = 32


def fingerprints(findings: pd.DataFrame, routes: pd.DataFrame) -> pd.Series:
    """Return the fingerprint of each finding.

    Parameters
    ----------
    findings : DataFrame
        From `audit_routes`.
    routes : DataFrame
        The audited routes.

    Returns
    -------
    Series of str
        With the index of the findings.

    Examples
    --------
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> before = fingerprints(audit_routes(routes), routes)
    >>> moved = routes.iloc[::-1]
    >>> set(before) == set(fingerprints(audit_routes(moved), moved))
    True
    """
    taken = schema.conform_routes(routes).iloc[findings["row"].to_numpy()]
    columns = [findings[name] for name in _OF_FINDING] + [taken[name] for name in _OF_ROUTE]
    texts = (column.astype("str").fillna("").tolist() for column in columns)
    digests = pd.Series(
        [_digest("\x1f".join(values)) for values in zip(*texts, strict=True)],
        index=findings.index,
        dtype="str",
    )
    number = digests.groupby(digests).cumcount() + 1
    return digests + ":" + number.astype("str")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGITS]
