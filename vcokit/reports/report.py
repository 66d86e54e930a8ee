"""The common input of all writers: findings and counts, computed from the frames once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.audit.findings import by_rule, by_severity, rules_of
from vcokit.audit.fingerprints import fingerprints
from vcokit.audit.review import Review
from vcokit.audit.rules import Rule
from vcokit.errors import InputError
from vcokit.inventory.read import notes_of

#: Columns of findings, and of the objects and tables made from them.
COLUMNS: Final = tuple(schema.FINDINGS)
#: Severities, the worst first.
WORST_FIRST: Final = tuple(reversed(schema.SEVERITIES.categories))
NEVER: Final = "never"

_BATCH: Final = 10_000  # findings that are converted to Python objects at a time


def version() -> str:
    """Return the installed version of vcokit."""
    return metadata.version("vcokit")


@dataclass(frozen=True)
class Report:
    """The findings of an inventory with everything a writer needs to report them.

    Parameters
    ----------
    findings : DataFrame
        With the schema `vcokit.schema.FINDINGS`, in the order of the audit.
    routes : DataFrame
        The audited routes.
    fail_on : str
        Lowest severity that is a failure, or ``never``.
    limit : int or None
        Most findings that a writer lists; the worst are kept.
    places : DataFrame or None
        Positions of the faulty cells, from `vcokit.reports.csv_locations.locate_cells`.
    root : Path or None
        Folder that file paths are relative to.
    skipped : mapping of str to str
        Rules that did not run, and why.
    review : Review or None
        The review that held findings back; `findings` are the remaining ones.
    """

    findings: pd.DataFrame
    routes: pd.DataFrame
    fail_on: str = "error"
    limit: int | None = None
    places: pd.DataFrame | None = None
    root: Path | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    review: Review | None = None

    @property
    def held_back(self) -> str:
        """How many findings are held back, and by what; empty if there was no review."""
        return "" if self.review is None else str(self.review)

    @cached_property
    def fingerprints(self) -> list[str]:
        """Fingerprints of the listed findings."""
        if self.review is None:
            return fingerprints(self.listed, self.routes).tolist()
        return self.review.fingerprints[self.listed.index].tolist()

    @cached_property
    def listed(self) -> pd.DataFrame:
        """The listed findings: the worst, in the order of the audit."""
        return worst(self.findings, self.limit)

    @property
    def left_out(self) -> int:
        """Number of findings that are not listed."""
        return len(self.findings) - len(self.listed)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Number of rows with a finding, by severity, the worst first."""
        return by_severity(self.findings)

    @cached_property
    def by_rule(self) -> list[dict[str, Any]]:
        """Rule, severity, row count and sentence of each rule with findings, the worst first."""
        table = by_rule(self.findings)
        names = ("rule", "severity", "rows", "sentence")
        columns = (to_list(table[name]) for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    @cached_property
    def sources(self) -> dict[str, int]:
        """Number of routes by source, in the order of the routes, without empty sources."""
        names = self.routes["source"].astype("category")  # counts without one text per row
        counts = names.cat.remove_unused_categories().value_counts(dropna=False)
        places = {name: place for place, name in enumerate(names.cat.categories)}
        known = sorted(counts.items(), key=lambda pair: places.get(pair[0], len(places)))
        return {name if isinstance(name, str) else "": int(count) for name, count in known}

    @property
    def notes(self) -> list[str]:
        """Notes of the reader, each with its source; see `vcokit.inventory.read`."""
        return notes_of(self.routes)

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by name, built-in and custom."""
        return rules_of(self.findings)

    @property
    def failing(self) -> tuple[str, ...]:
        """Severities that are failures, the worst first."""
        if self.fail_on == NEVER:
            return ()
        return WORST_FIRST[: WORST_FIRST.index(self.fail_on) + 1]

    @property
    def summary(self) -> str:
        """One line: number of routes, and of rows with findings of each severity.

        Examples
        --------
        >>> empty = schema.frame(schema.FINDINGS)
        >>> Report(empty, schema.frame(schema.ROUTES)).summary
        '0 routes, nothing found'
        """
        said = [f"{pluralize(n, 'row')} with {name}" for name, n in self.rows.items() if n]
        held = f"; {self.held_back}" if self.held_back else ""
        return f"{pluralize(len(self.routes), 'route')}, {', '.join(said) or 'nothing found'}{held}"


def report_of(
    findings: pd.DataFrame,
    routes: pd.DataFrame,
    *,
    fail_on: str = "error",
    limit: int | None = None,
    places: pd.DataFrame | None = None,
    root: str | os.PathLike[str] | None = None,
    skipped: Mapping[str, str] | None = None,
    review: Review | None = None,
) -> Report:
    """Return a `Report` of checked frames.

    Parameters
    ----------
    findings, routes : DataFrame
        From `vcokit.audit_routes`, and its routes.
    fail_on : {"info", "warning", "error", "never"}
        Lowest severity that is a failure (JUnit).
    limit : int, optional
        Most findings that are listed, the worst; counts always include all findings.
    places : DataFrame, optional
        From `vcokit.reports.csv_locations.locate_cells`, for some or all of these findings (SARIF).
    root : path, optional
        Folder that file paths are relative to (SARIF).
    skipped : mapping of str to str, optional
        Rules that did not run, by name, and why (JUnit). They did not pass although they have no
        finding.
    review : Review, optional
        From `vcokit.review_findings`; pass its ``findings``. Every format states how many were
        held back.

    Raises
    ------
    InputError
        If a column is missing, findings refer to rows that the routes do not have, or an option
        cannot be used.
    """
    schema.require_columns(findings, COLUMNS, what="findings")
    if fail_on not in (*WORST_FIRST, NEVER):
        raise InputError(f"fail_on={fail_on!r}", remedy="Write error, warning, info or never")
    if limit is not None and limit < 0:
        raise InputError(f"limit={limit}", remedy="Give 0 or more, or None for all")
    if not findings["row"].between(0, len(routes) - 1).all():
        raise InputError(
            f"a finding of row {findings['row'].max()}, of {len(routes)} routes",
            remedy="Give the routes that were audited",
        )
    conformed = schema.conform_routes(routes)
    conformed.attrs = routes.attrs  # notes of the reader: which source is a sheet
    findings = findings.astype({"severity": schema.SEVERITIES})
    folder = Path(root) if root else None
    if review is not None and len(review.findings) != len(findings):
        raise InputError("findings of another review", remedy="Give review.findings")
    return Report(findings, conformed, fail_on, limit, places, folder, skipped or {}, review)


def worst(findings: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Return the worst findings, at most `limit`, in their order."""
    if limit is None or len(findings) <= limit:
        return findings
    rank = findings["severity"].cat.codes.to_numpy()
    kept = np.sort(np.argsort(-rank, kind="stable")[:limit])
    return findings.iloc[kept]


def to_records(findings: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield findings as dicts of Python values; a missing value is None."""
    for start in range(0, len(findings), _BATCH):
        part = findings.iloc[start : start + _BATCH]
        columns = [to_list(part[name]) for name in COLUMNS]
        for values in zip(*columns, strict=True):
            yield dict(zip(COLUMNS, values, strict=True))


def to_list(column: pd.Series) -> list[Any]:
    """Return a column as a list of str or int; a missing value is None.

    Examples
    --------
    >>> to_list(pd.Series([1, None], dtype="Int64")), to_list(pd.Series(["a", None], dtype="str"))
    ([1, None], ['a', None])
    """
    objects = column.astype("object")
    return [None if gone else v for v, gone in zip(objects, column.isna(), strict=True)]
