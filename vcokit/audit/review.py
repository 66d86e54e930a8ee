"""Review of findings: hold back those that a baseline or an exception covers, keep the new ones.

::

    findings ──▶ is its fingerprint in the baseline? ──yes──▶ held back by the baseline
                       │ no
                       ▼
                 does an exception of today apply? ────yes──▶ held back by an exception
                       │ no
                       ▼
                 left: listed, counted, and used for the exit code

A `Review` counts the findings that are held back, and every output shows the counts. A review does
not affect a plan, which blocks the same rows without it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from vcokit import schema
from vcokit._text import pluralize
from vcokit.audit.exceptions import AgreedException, read_exceptions
from vcokit.audit.findings import rules_of
from vcokit.audit.fingerprints import fingerprints
from vcokit.errors import InputError

_WRITE: Final = "Write it with: vcokit audit FILE --output findings.json"


@dataclass(frozen=True)
class Review:
    """Findings, divided into those that are left and those that are held back.

    Parameters
    ----------
    findings : DataFrame
        The findings that are left, in the form of `audit_routes`.
    held_back : DataFrame
        The others, with three more columns: ``held_by`` (``baseline`` or ``exception``), and
        ``reason`` and ``until`` of the exception.
    fingerprints : Series of str
        Fingerprints of the findings that are left.
    expired : tuple of AgreedException
        Exceptions whose last day is over; they hold nothing back.
    given : tuple of str
        What the findings were compared with: ``baseline``, ``exceptions`` or both.
    """

    findings: pd.DataFrame
    held_back: pd.DataFrame
    fingerprints: pd.Series
    expired: tuple[AgreedException, ...] = ()
    given: tuple[str, ...] = field(default=("baseline", "exceptions"))

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings that the baseline and the exceptions hold back, for those given."""
        by = self.held_back["held_by"]
        number = {
            "baseline": int((by == "baseline").sum()),
            "exceptions": int((by == "exception").sum()),
        }
        return {name: number[name] for name in self.given}

    def __str__(self) -> str:
        names = {"baseline": "the baseline", "exceptions": "exceptions"}
        said = ", ".join(f"{n:,} by {names[name]}" for name, n in self.counts.items())
        over = f"; {pluralize(len(self.expired), 'exception')} expired" if self.expired else ""
        return f"{len(self.held_back):,} held back: {said}{over}"


def review_findings(
    findings: pd.DataFrame,
    routes: pd.DataFrame,
    *,
    baseline: str | PathLike[str] | None = None,
    exceptions: str | PathLike[str] | None = None,
    today: datetime.date | None = None,
) -> Review:
    """Hold back the findings that are already known, and those with an agreed exception.

    Parameters
    ----------
    findings : DataFrame
        All findings of `audit_routes`.
    routes : DataFrame
        The audited routes.
    baseline : path, optional
        Findings of an earlier audit: a JSON or SARIF file that ``vcokit audit`` wrote. Findings
        with the same fingerprint (see `vcokit.audit.fingerprints`) are held back.
    exceptions : path, optional
        A TOML file; see `vcokit.audit.exceptions`.
    today : date, optional
        The day for which exceptions must apply; by default the current date of this machine.

    Returns
    -------
    Review
        ``str()`` of it gives the number of findings that are held back.

    Raises
    ------
    InputError
        If a file cannot be used, or the findings are not from an audit of these routes.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from vcokit.audit import audit_routes
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.0.0.0/8", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "exceptions.toml")
    ...     _ = path.write_text('''[[exception]]
    ... rule = "covered"
    ... network = "10.0.0.0/8"
    ... reason = "kept until the migration"
    ... until = 2027-03-31''')
    ...     review = review_findings(audit_routes(routes), routes, exceptions=path,
    ...                              today=datetime.date(2027, 1, 1))
    >>> print(review)
    1 held back: 1 by exceptions
    >>> review.findings["rule"].tolist()
    ['host-bits-set']
    """
    schema.require_columns(findings, tuple(schema.FINDINGS), what="findings")
    if not findings["row"].between(0, len(routes) - 1).all():
        raise InputError(
            f"a finding of row {findings['row'].max()}, of {len(routes)} routes",
            remedy="Give the routes that were audited",
        )
    findings = findings.reset_index(drop=True)
    day = today.date() if isinstance(today, datetime.datetime) else today or datetime.date.today()
    prints = fingerprints(findings, routes)
    by = np.full(len(findings), None, dtype=object)
    reason, until = by.copy(), by.copy()
    expired: list[AgreedException] = []
    if exceptions is not None:
        for one in read_exceptions(exceptions, rules_of(findings)):
            if one.until < day:
                expired.append(one)
                continue
            met = one.applies(findings) & pd.isna(by)
            by[met], reason[met], until[met] = "exception", one.reason, str(one.until)
    if baseline is not None:
        known = prints.isin(_known(baseline)).to_numpy()
        by[known], reason[known], until[known] = "baseline", None, None
    held = ~pd.isna(by)
    why = {
        "held_by": pd.Series(by[held], dtype="str"),
        "reason": pd.Series(reason[held], dtype="str"),
        "until": pd.Series(until[held], dtype="str"),
    }
    return Review(
        findings[~held].reset_index(drop=True),
        findings[held].reset_index(drop=True).assign(**why),
        prints[~held].reset_index(drop=True),
        tuple(expired),
        tuple(
            name
            for name, path in (("baseline", baseline), ("exceptions", exceptions))
            if path is not None
        ),
    )


# -- baselines ----------------------------------------------------------------------------------


def _known(path: str | PathLike[str]) -> set[str]:
    """Return the fingerprints of a file that ``vcokit audit`` wrote."""
    try:
        with pa.input_stream(str(path)) as stream:  # decompresses .gz and .zst
            held = json.loads(stream.read())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {_reason(error)}", remedy=_WRITE) from None
    except ValueError as error:  # of JSON, and of UTF-8
        raise InputError(f"{path} is not JSON: {error}", remedy=_WRITE) from None
    try:
        is_sarif = "runs" in held
        found: list[Any] = list(_of_sarif(held) if is_sarif else _of_json(held))
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"{path} contains no vcokit findings", remedy=_WRITE) from None
    except _CutError:
        raise InputError(
            f"{path} does not contain all findings", remedy="Write it without --limit, as JSON"
        ) from None
    if not all(isinstance(one, str) for one in found):
        raise InputError(f"{path} has no fingerprints: an earlier vcokit wrote it", remedy=_WRITE)
    return set(found)


def _reason(error: OSError) -> str:
    return error.strerror or str(error).splitlines()[0]


class _CutError(Exception):
    """The file lists only a part of the findings."""


def _of_json(held: Any) -> Iterable[object]:
    if held["format"] != "vcokit-findings":
        raise KeyError
    if held["counts"]["listed"] < held["counts"]["findings"]:
        raise _CutError
    return [one.get("fingerprint") for one in held["findings"]]


def _of_sarif(held: Any) -> Iterable[object]:
    runs = [run for run in held["runs"] if run["tool"]["driver"]["name"] == "vcokit"]
    if not runs:
        raise KeyError
    for run in runs:
        if run["invocations"][0].get("properties", {}).get("leftOut"):
            raise _CutError
        for one in run["results"]:
            yield one["partialFingerprints"].get("primaryLocationLineHash")
