"""Run the rules and put what they find into one frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit import prediction as predict
from vcokit.audit.audit import Audit, Matches
from vcokit.audit.columns import I64, NONE, Mask
from vcokit.audit.prediction import api_codes
from vcokit.audit.rules import RULE_NAMES, RULES, Rule
from vcokit.errors import InputError

_ROW_COLUMNS: Final = ("source", "line", "region_id", "vpn_connection_id", "route_dest")
#: Columns of a finding that its rule words, the longest first.
_HIT_COLUMNS: Final = ("message", "suggestion", "column")


def audit_routes(
    routes: pd.DataFrame,
    *,
    live: pd.DataFrame | None = None,
    connections: pd.DataFrame | None = None,
    quota: int | None = None,
    scope: str | Sequence[str] = "region_id",
    rules: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Say what is wrong, or worth knowing, about the rows of an inventory.

    Parameters
    ----------
    routes : DataFrame
        From `read_routes`, or any frame with the required columns of `vcokit.schema.ROUTES`.
    live : DataFrame, optional
        Live routes, from `live_routes`: adds ``already-live`` and ``live-conflict``.
    connections : DataFrame, optional
        Live connections, from `live_connections`: adds ``unknown-connection``, ``wrong-region``,
        ``not-attached``, and says of a cell that is no id whose name it is; `with_connection_ids`
        puts the ids in.
    quota : int, optional
        Destination routes a connection may have. Without it, one warning stands on the first row
        past the usual quota (setting ``quota_hint``).
    scope : str or sequence of str
        Columns of `routes` within which destinations meet, by default the region.
    rules : iterable of str, optional
        NameIndex of the rules to run, by default all.

    Returns
    -------
    DataFrame
        A row a finding, of `vcokit.schema.FINDINGS`, sorted by row, then rule; empty, with all
        columns, where nothing is found. ``row`` is a position in `routes`. ``api_code`` is what
        the cloud would answer to the row, on the finding that causes it.

    Raises
    ------
    InputError
        If a frame lacks columns, or a rule is not known. Bad cells are findings, never errors.

    Examples
    --------
    >>> import pandas as pd
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> audit_routes(routes)[["row", "rule", "suggestion", "api_code"]]
       row           rule   suggestion               api_code
    0    1  host-bits-set  10.1.0.0/16  IllegalParam.RouteDest
    1    1        covered          NaN                    NaN
    """
    chosen = _choose(rules)
    names = (scope,) if isinstance(scope, str) else tuple(scope)
    found = run(Audit(routes, live=live, connections=connections, quota=quota, scope=names), chosen)
    if "route_entry_type" not in routes.columns:
        return found
    # Of live routes: a row that says that a connection is not listed is no route.
    kept = schema.is_unlisted(routes)[found["row"]]
    return found[~kept].reset_index(drop=True)


def run(audit: Audit, chosen: tuple[Rule, ...] = RULES) -> pd.DataFrame:
    """Run some rules on an audit and return their findings; see `audit_routes`."""
    found = ((rule, rule.find(audit)) for rule in chosen)
    said = [(rule, matches) for rule, matches in found if matches is not None and len(matches.rows)]
    if not said:
        return schema.frame({**schema.FINDINGS, "rule": RULE_NAMES})
    return _assemble(audit, said)


def _choose(rules: Iterable[str] | None) -> tuple[Rule, ...]:
    if rules is None:
        return RULES
    wanted = {rules} if isinstance(rules, str) else set(rules)
    unknown = sorted(wanted - set(RULE_NAMES.categories))
    if unknown:
        raise InputError(
            f"unknown rule {', '.join(unknown)}",
            remedy=f"Rules are {', '.join(RULE_NAMES.categories)}",
        )
    return tuple(rule for rule in RULES if rule.name in wanted)


def _cause(audit: Audit, rows: I64) -> I64:
    """Return the number of the rule on whose finding some rows' API code stands; -1 for none."""
    columns, live, status = audit.columns, audit.live, audit.status
    check = audit.check[rows]
    number = {name: place for place, name in enumerate(RULE_NAMES.categories)}
    table: tuple[tuple[int, Mask | bool, str], ...] = (
        (predict.MISSING, True, "missing-value"),
        (predict.WEIGHT, True, "invalid-weight"),
        (predict.CONNECTION, ~columns.id_ok, "invalid-connection-id"),
        (predict.CONNECTION, status.unknown if status else False, "unknown-connection"),
        (predict.CONNECTION, True, "wrong-region"),
        (predict.DESTINATION, columns.malformed, "malformed-cidr"),
        (predict.DESTINATION, columns.ipv6, "ipv6-unsupported"),
        (predict.DESTINATION, columns.host_bits, "host-bits-set"),
        (predict.DEFAULT, True, "default-route"),
        (predict.NEXT_HOP, True, "next-hop-mismatch"),
        (predict.SAME, live.same, "already-live"),
        (predict.SAME, True, "duplicate"),
        (predict.OTHER_WEIGHT, live.other_weight, "live-conflict"),
        (predict.OTHER_WEIGHT, True, "weight-conflict"),
        (predict.OTHER_HOP, True, "live-conflict"),
        (predict.QUOTA, True, "quota-exceeded"),
    )
    conditions = [
        (check == decided) & (where if isinstance(where, bool) else where[rows])
        for decided, where, _ in table
    ]
    return np.select(conditions, [number[name] for _, _, name in table], -1).astype(np.int64)


def _assemble(audit: Audit, said: list[tuple[Rule, Matches]]) -> pd.DataFrame:
    """Put the findings of all rules together, sorted, with what the rows themselves say.

    Of a dirty inventory the findings are the largest thing an audit holds, so what is no longer
    needed is let go first: `said` is emptied, and the texts of the rules, which stand twice while
    they are sorted, come before the columns that are only looked up.
    """
    audit.settle()
    sizes = [len(matches.rows) for _, matches in said]
    row = np.concatenate([matches.rows for _, matches in said])
    number = np.repeat([RULE_NAMES.categories.get_loc(rule.name) for rule, _ in said], sizes)
    order = np.lexsort([number, row])
    row, number = row[order], number[order]
    severities = pd.Index([matches.severity or rule.severity for rule, matches in said])
    severity = np.repeat(schema.SEVERITIES.categories.get_indexer(severities), sizes)[order]
    related = [
        np.full(n, NONE) if h.related is None else h.related
        for n, (_, h) in zip(sizes, said, strict=True)
    ]
    related_row = np.concatenate(related)[order]
    texts = {name: [getattr(matches, name) for _, matches in said] for name in _HIT_COLUMNS}
    said.clear()
    del related
    columns: dict[str, object] = {
        name: _strings(texts.pop(name), sizes, order) for name in _HIT_COLUMNS
    }
    line = audit.columns.routes["line"].array.take(np.maximum(related_row, 0))
    line[related_row < 0] = pd.NA
    code = api_codes(audit.columns, audit.check, row)
    code = pc.if_else(pa.array(_cause(audit, row) == number), code, None)
    columns |= {name: audit.text(row, name) for name in _ROW_COLUMNS}
    columns |= {
        "row": row,
        "rule": pd.Categorical.from_codes(number, dtype=RULE_NAMES),
        "severity": pd.Categorical.from_codes(severity, dtype=schema.SEVERITIES),
        "related_row": pd.arrays.IntegerArray(related_row, related_row < 0),
        "related_line": line,
        "api_code": pd.Series(code, dtype="str"),
    }
    return schema.frame({**schema.FINDINGS, "rule": RULE_NAMES}, columns, copy=False)


def _strings(parts: list[str | pd.Series | None], sizes: list[int], order: I64) -> pd.Series:
    """Join parts, each a column or one text for all its rows, and bring them into order.

    `parts` is emptied: their text stands in the joined column.
    """
    chunks = [
        pa.array(part.array, pa.large_string(), from_pandas=True)
        if isinstance(part, pd.Series)
        else pa.repeat(pa.scalar(part, pa.large_string()), size)
        for part, size in zip(parts, sizes, strict=True)
    ]
    parts.clear()
    return pd.Series(pa.chunked_array(_flat(chunks)).take(order), dtype="str")


def _flat(chunks: list[Any]) -> list[Any]:
    """Return the chunks of arrays that may be chunked themselves."""
    return [
        piece
        for chunk in chunks
        for piece in (chunk.chunks if isinstance(chunk, pa.ChunkedArray) else [chunk])
    ]


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
    sentences = {rule.name: rule.summary for rule in RULES}
    table["sentence"] = table["rule"].astype("str").map(sentences).astype("str")
    return table[["rule", "severity", "rows", "sentence"]]


def by_severity(findings: pd.DataFrame) -> dict[str, int]:
    """Return the number of rows with a finding of each severity, the worst first.

    This is the one count of an audit: shell, reports, views and plots all say it.
    """
    rows = findings.groupby("severity", observed=False)["row"].nunique()
    return {name: int(rows[name]) for name in reversed(schema.SEVERITIES.categories)}
