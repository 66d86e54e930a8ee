"""The audit itself: runs the rules, puts the findings into one frame, and counts them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from vcokit import schema
from vcokit.audit.audit import Audit, Matches
from vcokit.audit.columns import I64, NONE, TEXT, Text
from vcokit.audit.own_rules import own_rules
from vcokit.audit.prediction import Check, api_codes
from vcokit.audit.rules import NOTHING, PASSES, RULES, LooksAt, Rule, rule_names
from vcokit.cidr.relations import stable_sort
from vcokit.errors import InputError

_ROW_TEXTS: Final = ("region_id", "vpn_connection_id", "route_dest")
#: Key in the ``attrs`` of findings under which the user's own rules are described.
_ABOUT: Final = "own_rules"
#: Number of the rule that corresponds to each check; -1 if there is none.
_RULE_OF: Final = np.array(
    [
        next((number for number, rule in enumerate(RULES) if check in rule.checks), NONE)
        for check in Check
    ]
)


def audit_routes(
    routes: pd.DataFrame,
    *,
    live: pd.DataFrame | None = None,
    connections: pd.DataFrame | None = None,
    quota: int | None = None,
    scope: str | Sequence[str] = "region_id",
    rules: str | Rule | Iterable[str | Rule] = (),
) -> pd.DataFrame:
    """Check an inventory and return what is wrong, or worth knowing, about its rows.

    Parameters
    ----------
    routes : DataFrame
        From `read_routes`, or any frame with the required columns of `vcokit.schema.ROUTES`. A
        Dask frame, for example from `read_partitions`, is audited by its workers: see
        `vcokit.audit.distributed`.
    live : DataFrame, optional
        Live routes, from `live_routes`: adds ``already-live`` and ``live-conflict``.
    connections : DataFrame, optional
        Live connections, from `live_connections`: adds ``unknown-connection``, ``wrong-region``,
        ``not-attached``. If a cell is not an id but the name of a connection, the finding says
        so; `with_connection_ids` replaces names by ids.
    quota : int, optional
        Number of destination routes that a connection may have. Without it, there is one warning
        per connection, on its first row past the usual quota (setting ``quota_hint``).
    scope : str or sequence of str
        Columns of `routes`, by default the region; destinations are compared only if they agree
        in all of these.
    rules : str, Rule or an iterable of these
        Names of the built-in rules to run, by default all; and your own rules, from `rule` or
        `load_rules`, which run in addition.

    Returns
    -------
    DataFrame
        One row per finding, with the columns of `vcokit.schema.FINDINGS`, sorted by row, then
        rule; empty, with all columns, if nothing is found. ``row`` is a position in `routes`.
        ``api_code`` is what the cloud would answer to the row, on the finding that causes it. For
        a Dask frame, a Dask frame of the same findings.

    Raises
    ------
    InputError
        If a frame lacks columns, or a rule is not known. Bad cells are findings, never errors.
    RuleError
        If one of your own rules raises an exception, or does not return a mask.

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
    given: dict[str, Any] = {"live": live, "connections": connections, "quota": quota}
    dask = sys.modules.get("dask.dataframe")  # loaded already if `routes` is a Dask frame
    if dask is not None and isinstance(routes, dask.DataFrame):
        from vcokit.audit.distributed import audit_partitions

        found: pd.DataFrame = audit_partitions(routes, chosen, names, **given)
        return found
    return without_unlisted(run(Audit(routes, scope=names, **given), chosen), routes)


def without_unlisted(found: pd.DataFrame, routes: pd.DataFrame) -> pd.DataFrame:
    """Drop findings on rows that are not routes, but stand for connections without a listing."""
    if "route_entry_type" not in routes.columns:
        return found
    return found[~schema.is_unlisted(routes)[found["row"]]].reset_index(drop=True)


def run(
    audit: Audit, chosen: Sequence[Rule] = RULES, passes: Sequence[LooksAt] = PASSES
) -> pd.DataFrame:
    """Run some rules and return their findings; see `audit_routes`.

    Rules about rows run first, then rules about connections, then rules about destinations. Rules
    that can block a row always run, because the other rules need to know which rows have an error,
    and the API codes depend on which check refuses each row. If the passes run separately, the
    pass over destinations needs the audit's `has_row_error` from the earlier passes.
    """
    own = tuple(rule for rule in chosen if rule not in RULES)
    known = (*RULES, *own)
    found: list[tuple[int, Matches]] = []
    for looks_at in passes:
        for number, rule in enumerate(known):
            if rule.looks_at != looks_at or not (rule.blocks or rule in chosen):
                continue
            matches = rule.find(audit)
            if rule.blocks and (matches.severity or rule.severity) == "error":
                audit.has_row_error[matches.rows] = True
            if looks_at == "row":
                refused = slice(None) if matches.refused is None else matches.refused
                for check in rule.checks:
                    audit.refuse(matches.rows[refused], check, number)
            if rule in chosen and len(matches.rows):
                found.append((number, matches))
    findings = _assemble(audit, found, known) if found else schema.frame(findings_schema(known))
    if own:
        about = {rule.name: {"severity": rule.severity, "summary": rule.summary} for rule in own}
        findings.attrs[_ABOUT] = about
    return findings


def findings_schema(known: Sequence[Rule]) -> schema.Schema:
    """Return the schema of findings whose column ``rule`` has the names of some rules."""
    return {**schema.FINDINGS, "rule": rule_names(known)}


def _choose(rules: str | Rule | Iterable[str | Rule] | None) -> Sequence[Rule]:
    """Return the named built-in rules (all if none is named) and the user's own rules."""
    given = [rules] if isinstance(rules, str | Rule) else list(rules or ())
    own = own_rules(one for one in given if not isinstance(one, str))
    wanted = {one for one in given if isinstance(one, str)}
    wanted |= {one.name for one in given if isinstance(one, Rule) and one not in own}
    known = [rule.name for rule in (*RULES, *own)]
    if unknown := sorted(wanted - set(known)):
        raise InputError(
            f"unknown rule {', '.join(unknown)}", remedy=f"Rules are {', '.join(known)}"
        )
    return (*(rule for rule in RULES if not wanted or rule.name in wanted), *own)


def _assemble(
    audit: Audit, found: list[tuple[int, Matches]], known: Sequence[Rule]
) -> pd.DataFrame:
    """Put the findings of all rules into one frame, with the cells of their rows.

    For an inventory with many errors, the findings use most of an audit's memory. So `found` is
    emptied before its texts are joined.
    """
    found.sort(key=lambda one: one[0])
    sizes = [len(matches.rows) for _, matches in found]
    numbers = [number for number, _ in found]
    severities = [matches.severity or known[number].severity for number, matches in found]
    related = [
        np.full(size, NONE) if matches.related is None else matches.related
        for size, (_, matches) in zip(sizes, found, strict=True)
    ]
    rows = np.concatenate([matches.rows for _, matches in found])
    order, sorted_rows = stable_sort(rows.view(np.uint64))  # stable: keeps the order of the rules
    row = sorted_rows.view(np.int64)
    number = np.repeat(np.array(numbers, dtype=np.int16), sizes).take(order)
    severity = schema.SEVERITIES.categories.get_indexer(pd.Index(severities)).astype(np.int8)
    related_row = np.concatenate(related).take(order)
    parts = {
        name: [getattr(matches, name) for _, matches in found]
        for name in ("column", "message", "suggestion")
    }
    found.clear()
    routes = audit.columns.routes
    line = routes["line"].array.take(np.maximum(related_row, 0))
    line[related_row < 0] = pd.NA
    columns: dict[str, object] = {
        name: _joined(parts.pop(name), sizes, order) for name in ("message", "suggestion", "column")
    }
    columns |= {name: _series(audit.text(row, name)) for name in _ROW_TEXTS}
    columns |= {name: routes[name].array.take(row) for name in ("source", "line")}
    columns |= {
        "row": row,
        "rule": pd.Categorical.from_codes(number, dtype=rule_names(known)),
        "severity": pd.Categorical.from_codes(
            np.repeat(severity, sizes).take(order), dtype=schema.SEVERITIES
        ),
        "related_row": pd.arrays.IntegerArray(related_row, related_row < 0),
        "related_line": line,
        "api_code": _codes(audit, row, number),
    }
    return schema.frame(findings_schema(known), columns, copy=False)


def _codes(audit: Audit, row: I64, number: npt.NDArray[np.int16]) -> pd.Series:
    """Return the API code on each finding that causes it; null for the others.

    The finding that causes it is that of the rule for the check that decides the row.
    """
    refused = np.flatnonzero(audit.check.take(row) != Check.ACCEPTED)
    check = audit.check[row[refused]]
    rule = np.where(check <= Check.NEXT_HOP, audit.row_rule[row[refused]], _RULE_OF[check])
    cause = refused[rule == number[refused]]
    codes = api_codes(audit.columns, audit.check, row[cause])
    place, missing = np.zeros(len(row), dtype=np.int64), np.ones(len(row), dtype=np.bool_)
    place[cause], missing[cause] = np.arange(len(cause)), False
    return _series(codes.take(pa.array(place, mask=missing)))


def _joined(parts: list[str | Text | None], sizes: list[int], order: I64) -> pd.Series:
    """Join parts, each a text for all its rows or one per row, into one column in the given order.

    `parts` is emptied, to release its memory.
    """
    texts, places, start = [], [], 0
    for part, size in zip(parts, sizes, strict=True):
        if part is None or isinstance(part, str):
            text, place = pa.array([part], TEXT), np.zeros(size, dtype=np.int64)
        elif isinstance(part, pa.DictionaryArray):
            text, place = part.dictionary, part.indices.to_numpy()
        else:
            text, place = part, np.arange(size)
        texts.append(text)
        places.append(place + start)
        start += len(text)
    parts.clear()
    joined = pa.concat_arrays(texts)
    texts.clear()
    return _series(joined.take(pa.array(np.concatenate(places).take(order))))


def _series(text: Text) -> pd.Series:
    return pd.Series(text, dtype=schema.STR)


# -- findings counted, for people -------------------------------------------------------------


def rules_of(findings: pd.DataFrame) -> dict[str, Rule]:
    """Return the rules of some findings, by name: all built-in ones and the user's own.

    Severity and summary of the user's own rules are in the ``attrs`` of the findings. pandas drops
    these when frames are concatenated. Then the rule's name is used as its summary.

    Parameters
    ----------
    findings : DataFrame
        From `audit_routes`, or with a column ``rule``.
    """
    known = {rule.name: rule for rule in RULES}
    about = findings.attrs.get(_ABOUT, {})
    for name in map(str, findings["rule"].astype("category").cat.categories):
        said = {"severity": "warning", "summary": f"{name}."} | about.get(name, {})
        known.setdefault(name, Rule(name, said["severity"], said["summary"], _find_nothing))
    return known


def _find_nothing(audit: Audit) -> Matches:  # noqa: ARG001 - as rules are called
    return NOTHING


def by_rule(findings: pd.DataFrame) -> pd.DataFrame:
    """Count findings by rule, the worst first.

    Parameters
    ----------
    findings : DataFrame
        From `audit_routes`.

    Returns
    -------
    DataFrame
        Columns rule, severity, rows, sentence: one row per rule and severity that was found,
        errors first, then in the order of the rules.

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
    sentences = {name: rule.summary for name, rule in rules_of(findings).items()}
    table["sentence"] = table["rule"].astype("str").map(sentences).astype("str")
    return table[["rule", "severity", "rows", "sentence"]]


def by_severity(findings: pd.DataFrame) -> dict[str, int]:
    """Return the number of rows with a finding of each severity, the worst first.

    The shell, reports, views and plots all use this count.
    """
    rows = findings.groupby("severity", observed=False)["row"].nunique()
    return {name: int(rows[name]) for name in reversed(schema.SEVERITIES.categories)}
