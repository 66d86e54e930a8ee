"""Findings as JUnit's XML, for pipelines that show tests: a suite per file, a case per rule.

A rule fails if it has findings at or above ``fail_on``; lower findings are in the ``system-out`` of
its case. A rule that did not run (`Report.skipped`) is marked as skipped, because it did not pass.
The ``system-out`` of each suite contains the number of findings that a review held back, for all
files together. The layout follows ``junit-10.xsd`` of the Jenkins xUnit plugin and contains only
what other readers (GitLab, Azure, CircleCI) accept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import pandas as pd

from vcokit._text import pluralize, printable
from vcokit.reports.report import Report, to_records
from vcokit.reports.tables import line_or_row

#: Used as the source of routes without a source.
_NAMELESS: Final = "routes"


def junit_lines(report: Report) -> Iterator[str]:
    """Yield the document, one suite at a time."""
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
    """Yield a line per finding; the report's limit of listed findings is shared among the rules."""
    rules = max(1, len(report.by_rule))
    most = len(found) if report.limit is None else max(1, report.limit // rules)
    for record in to_records(found.iloc[:most]):
        where = f"{record['source'] or _NAMELESS}:{line_or_row(record)}"
        hint = f" (suggestion: {record['suggestion']})" if record["suggestion"] else ""
        yield printable(f"{where}: {record['severity']}: {record['message']}{hint}") + "\n"
    if len(found) > most:
        yield f"… and {len(found) - most:,} more\n"
