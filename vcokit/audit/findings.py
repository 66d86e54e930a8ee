"""The audit itself: runs the rules, puts what they find into one frame, and counts it."""

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
#: Note of findings that says what the user's own rules are.
_ABOUT: Final = "own_rules"
#: Number of the rule that stands for each check, -1 for none.
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
    """Say what is wrong, or worth knowing, about the rows of an inventory.

    Parameters
    ----------
    routes : DataFrame
        From `read_routes`, or any frame with the required columns of `vcokit.schema.ROUTES`. A
        Dask frame, from `read_partitions` say, is audited by the workers that it has; so is the
        result: see `vcokit.audit.distributed`.
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
    rules : str, Rule or an iterable of these
        Names of the built-in rules to run, by default all; and rules of one's own, made by `rule`
        or read by `load_rules`, which run beside them.

    Returns
    -------
    DataFrame
        A row a finding, of `vcokit.schema.FINDINGS`, sorted by row, then rule; empty, with all
        columns, where nothing is found. ``row`` is a position in `routes`. ``api_code`` is what
        the cloud would answer to the row, on the finding that causes it. Of a Dask frame, a Dask
        frame of the same findings.

    Raises
    ------
    InputError
        If a frame lacks columns, or a rule is not known. Bad cells are findings, never errors.
    RuleError
        If a rule of one's own raises, or returns no mask.

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
    dask = sys.modules.get("dask.dataframe")  # who has no Dask frame need not load it
    if dask is not None and isinstance(routes, dask.DataFrame):
        from vcokit.audit.distributed import audit_partitions

        found: pd.DataFrame = audit_partitions(routes, chosen, names, **given)
        return found
    return without_unlisted(run(Audit(routes, scope=names, **given), chosen), routes)


def without_unlisted(found: pd.DataFrame, routes: pd.DataFrame) -> pd.DataFrame:
    """Return findings but those on rows that are no route: connections that are not listed."""
    if "route_entry_type" not in routes.columns:
        return found
    return found[~schema.is_unlisted(routes)[found["row"]]].reset_index(drop=True)


def run(
    audit: Audit, chosen: Sequence[Rule] = RULES, passes: Sequence[LooksAt] = PASSES
) -> pd.DataFrame:
    """Run some rules and return their findings; see `audit_routes`.

    A first pass goes over the rows, then over their connections; a second one over destinations.
    Rules that can block a row always run, for the others ask which rows have an error, and every
    finding which check refuses its row. Where the passes are run apart, `has_row_error` of the
    audit is what the second one takes from the first.
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
    """Return the schema of findings in which ``rule`` has the names of some rules."""
    return {**schema.FINDINGS, "rule": rule_names(known)}


def _choose(rules: str | Rule | Iterable[str | Rule] | None) -> Sequence[Rule]:
    """Return the built-in rules that are named, all where none is, and the user's own."""
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

    The findings of a dirty inventory are the largest thing an audit holds. So `found` is emptied
    before its texts are joined.
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
    order, sorted_rows = stable_sort(rows.view(np.uint64))  # the rules are in order, and stay so
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
    """Return the API code of each finding that causes it; null for the others.

    It is of the rule that stands for the check that decides its row.
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
    """Join parts, each a text for all its rows or one per row, and bring them into order.

    `parts` is emptied: their text is in the joined column.
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
    """Return the rules that findings know, by name: the built-in ones and the user's own.

    What an own rule says of itself goes with the findings as a note (``attrs``), which pandas
    loses where frames are put together. Then its name stands for it.

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
    sentences = {name: rule.summary for name, rule in rules_of(findings).items()}
    table["sentence"] = table["rule"].astype("str").map(sentences).astype("str")
    return table[["rule", "severity", "rows", "sentence"]]


def by_severity(findings: pd.DataFrame) -> dict[str, int]:
    """Return the number of rows with a finding of each severity, the worst first.

    This is the one count of an audit: shell, reports, views and plots all say it.
    """
    rows = findings.groupby("severity", observed=False)["row"].nunique()
    return {name: int(rows[name]) for name in reversed(schema.SEVERITIES.categories)}
