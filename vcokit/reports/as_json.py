"""Findings as JSON, for programs.

One object: ``format`` and ``version`` (of this layout; a key that goes or changes its meaning makes
it 2), ``tool``, ``sources``, ``notes`` (what reading noted), ``counts``, ``rules`` (those that
found something), ``findings`` (all of them, with the columns of the frame; missing is null; and
a fingerprint, by which a later audit knows them again). What a review held back is counted in
``counts``.
`findings.schema.json`, beside this module, is its JSON Schema (draft 2020-12).
Text stands in it as it was, escaped as JSON escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vcokit.reports.facts import Report, records, version
from vcokit.reports.harmless import as_json

FORMAT: Final = "vcokit-findings"
VERSION: Final = 1


def lines(report: Report) -> Iterator[str]:
    """Yield the object, a finding a line."""
    for name, value in _head(report).items():
        yield f"{'{' if name == 'format' else ''}{as_json(name)}: {as_json(value)},\n"
    yield '"findings": ['
    pairs = zip(records(report.listed), report.fingerprints, strict=True)
    for number, (record, fingerprint) in enumerate(pairs):
        yield (",\n" if number else "\n") + as_json(record | {"fingerprint": fingerprint})
    yield "\n]}\n"


def _head(report: Report) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "tool": {"name": "vcokit", "version": version()},
        "sources": [{"source": name, "routes": n} for name, n in report.sources.items()],
        "notes": report.notes,
        "counts": {
            "routes": len(report.routes),
            "findings": len(report.findings),
            "listed": len(report.listed),
            "rows": report.rows,
        }
        | _held_back(report),
        "rules": report.by_rule,
    }


def _held_back(report: Report) -> dict[str, Any]:
    if report.review is None:
        return {}
    expired = len(report.review.expired)
    return {"held_back": report.review.counts | {"expired_exceptions": expired}}
