"""Findings as JUnit's XML, for pipelines that know tests: a suite a file, a case a rule.

A rule fails where it has findings at or above ``fail_on``; those below stand in the case's
``system-out``. One that did not run (`Report.skipped`) is skipped: it did not pass. What a review
held back is counted in the ``system-out`` of each suite, for all files together. The layout is
that of the Jenkins xUnit plugin's ``junit-10.xsd``: nothing is in it that other readers (GitLab,
Azure, CircleCI) do not take.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vcokit._text import pluralize
from vcokit.reports.facts import Report, records
from vcokit.reports.harmless import xml_attribute, xml_text
from vcokit.reports.text import place

#: Stands for the source of routes that have none.
NAMELESS: Final = "routes"


def lines(report: Report) -> Iterator[str]:
    """Yield the document, a suite a source."""
    cases = _cases(report)
    failed = sum(bad for suite in cases.values() for _, _, bad in suite)
    total = sum(map(len, cases.values()))
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="vcokit audit" tests="{total}" failures="{failed}" errors="0">\n'
    for source, suite in cases.items():
        bad = sum(bad for _, _, bad in suite)
        name = xml_attribute(source or NAMELESS)
        left = sum(_is_skipped(report, rule, found) for rule, found, _ in suite)
        counts = f'tests="{len(suite)}" failures="{bad}" errors="0" skipped="{left}"'
        yield f"<testsuite name={name} {counts}>\n"
        for rule, found, _ in suite:
            yield from _case(report, source, rule, found)
        if report.held_back:
            yield f"<system-out>{xml_text(report.held_back)}</system-out>\n"
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _cases(report: Report) -> dict[str, list[tuple[str, Any, bool]]]:
    """Return, by source, each rule, its findings there, and whether they fail it."""
    findings = report.findings
    names = findings["source"].astype("str").fillna("")
    groups = dict(iter(findings.groupby([names, findings["rule"].astype("str")])))
    nothing = findings.iloc[:0]
    return {
        source: [(rule, found, _fails(report, found)) for rule, found in suite]
        for source in report.sources or {"": 0}
        for suite in [[(rule, groups.get((source, rule), nothing)) for rule in report.rules]]
    }


def _fails(report: Report, found: Any) -> bool:
    return bool(found["severity"].isin(report.failing).any())


def _is_skipped(report: Report, rule: str, found: Any) -> bool:
    return rule in report.skipped and not len(found)


def _case(report: Report, source: str, rule: str, found: Any) -> Iterator[str]:
    sentence = report.rules[rule].summary
    head = f"<testcase name={xml_attribute(rule)} classname={xml_attribute(source or NAMELESS)}"
    if _is_skipped(report, rule, found):
        why = xml_attribute(report.skipped[rule])
        yield f'{head} time="0"><skipped message={why}/></testcase>\n'
        return
    if not len(found):
        yield f'{head} time="0"/>\n'
        return
    yield f'{head} time="0">\n'
    bad = found["severity"].isin(report.failing)
    if bad.any():
        count = int(bad.sum())
        said = f"{pluralize(count, 'row')}: {sentence}"
        yield f'<failure type="{found["severity"][bad].max()}" message={xml_attribute(said)}>'
        yield from _listing(report, found[bad])
        yield "</failure>\n"
    if not bad.all():
        yield "<system-out>"
        yield from _listing(report, found[~bad])
        yield "</system-out>\n"
    yield "</testcase>\n"


def _listing(report: Report, found: Any) -> Iterator[str]:
    """Yield a line a finding; in all no more than the report lists, shared among its rules."""
    rules = max(1, len(report.by_rule))
    most = len(found) if report.limit is None else max(1, report.limit // rules)
    for record in records(found.iloc[:most]):
        where = f"{record['source'] or NAMELESS}:{place(record)}"
        hint = f" (suggestion: {record['suggestion']})" if record["suggestion"] else ""
        yield xml_text(f"{where}: {record['severity']}: {record['message']}{hint}") + "\n"
    if len(found) > most:
        yield f"… and {len(found) - most:,} more\n"
