"""Findings as JUnit's XML, for pipelines that know tests: a suite per file, a case per rule.

A rule fails where it has findings at or above ``fail_on``; those below stand in the case's
``system-out``. One that did not run (`Report.skipped`) is skipped: it did not pass. What a review
held back is counted in the ``system-out`` of each suite, for all files together. The layout is
that of the Jenkins xUnit plugin's ``junit-10.xsd``: nothing is in it that other readers (GitLab,
Azure, CircleCI) do not take.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import pandas as pd

from vcokit._text import pluralize, printable
from vcokit.reports.report import Report, to_records
from vcokit.reports.tables import line_or_row

#: Stands for the source of routes that have none.
_NAMELESS: Final = "routes"


def junit_lines(report: Report) -> Iterator[str]:
    """Yield the document, a suite at a time."""
    names = report.findings["source"].astype("str").fillna("")
    rules = report.findings["rule"].astype("str")
    groups = dict(iter(report.findings.groupby([names, rules])))
    nothing = report.findings.iloc[:0]
    suites = []
    for source in report.sources or {"": 0}:
        suite = Element("testsuite", name=printable(source) or _NAMELESS)
        for rule in report.rules:
            _add_case(suite, report, rule, groups.get((source, rule), nothing))
        if report.held_back:
            SubElement(suite, "system-out").text = printable(report.held_back)
        counts = {"failures": len(suite.findall("*/failure")), "errors": 0}
        skipped = len(suite.findall("*/skipped"))
        for name, count in {"tests": len(report.rules), **counts, "skipped": skipped}.items():
            suite.set(name, str(count))
        suites.append(suite)
    failures = sum(int(suite.get("failures", 0)) for suite in suites)
    tests = len(suites) * len(report.rules)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="vcokit audit" tests="{tests}" failures="{failures}" errors="0">\n'
    for suite in suites:
        indent(suite, "")
        yield tostring(suite, "unicode") + "\n"
    yield "</testsuites>\n"


def _add_case(suite: Element, report: Report, rule: str, found: pd.DataFrame) -> None:
    """Add the case of a rule, with its findings of one file."""
    case = SubElement(
        suite, "testcase", name=printable(rule), classname=suite.get("name", ""), time="0"
    )
    fails = found["severity"].isin(report.failing)
    if not len(found):
        if rule in report.skipped:
            SubElement(case, "skipped", message=printable(report.skipped[rule]))
        return
    if fails.any():
        message = f"{pluralize(int(fails.sum()), 'row')}: {report.rules[rule].summary}"
        severity = str(found["severity"][fails].max())
        failure = SubElement(case, "failure", type=severity, message=printable(message))
        failure.text = "".join(_listing(report, found[fails]))
    if not fails.all():
        SubElement(case, "system-out").text = "".join(_listing(report, found[~fails]))


def _listing(report: Report, found: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each finding; in all no more than the report lists, shared among rules."""
    rules = max(1, len(report.by_rule))
    most = len(found) if report.limit is None else max(1, report.limit // rules)
    for record in to_records(found.iloc[:most]):
        where = f"{record['source'] or _NAMELESS}:{line_or_row(record)}"
        hint = f" (suggestion: {record['suggestion']})" if record["suggestion"] else ""
        yield printable(f"{where}: {record['severity']}: {record['message']}{hint}") + "\n"
    if len(found) > most:
        yield f"… and {len(found) - most:,} more\n"
