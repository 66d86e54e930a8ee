"""Findings counted, for people."""

from __future__ import annotations

import pandas as pd

from vcokit import schema
from vcokit.audit.rules import RULES


def by_rule(findings: pd.DataFrame) -> pd.DataFrame:
    """Count findings by rule, the worst first.

    Parameters
    ----------
    findings : DataFrame
        From `audit_routes`.

    Returns
    -------
    DataFrame
        Columns rule, severity, rows, sentence: a row a rule and severity that was found, errors
        first, then in the order of the rules.

    Examples
    --------
    >>> import pandas as pd
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> by_rule(audit_routes(routes))[["rule", "severity", "rows"]]
                rule severity  rows
    0  host-bits-set    error     1
    1        covered     info     1
    """
    counts = findings.groupby(["severity", "rule"], observed=True).size().rename("rows")
    table = counts.reset_index().sort_values(
        ["severity", "rule"], ascending=[False, True], ignore_index=True
    )
    sentences = {rule.name: rule.sentence for rule in RULES}
    table["sentence"] = table["rule"].astype("str").map(sentences).astype("str")
    return table[["rule", "severity", "rows", "sentence"]]


def counts(findings: pd.DataFrame) -> dict[str, int]:
    """Return the number of rows with a finding of each severity, the worst first.

    This is the one count of an audit: shell, reports, views and plots all say it.
    """
    rows = findings.groupby("severity", observed=False)["row"].nunique()
    return {name: int(rows[name]) for name in reversed(schema.SEVERITIES.categories)}
