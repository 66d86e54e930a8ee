"""What all formats keep: the same text again, counts of all, the worst listed, nothing made up."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import jsonschema
import pandas as pd
import pytest
from markdown_it import MarkdownIt

import vcokit as vk
from tests.reports import published
from tests.reports.samples import HEAD, ROOT, SMALL, audited, hostile
from vcokit import errors, reports, schema
from vcokit._text import printable

SCHEMA = json.loads((ROOT / "vcokit" / "reports" / "findings.schema.json").read_text("utf-8"))
ROUTES = vk.read_routes(SMALL)
FINDINGS = vk.audit_routes(ROUTES)
NOTHING = (schema.frame(schema.FINDINGS), schema.frame(schema.ROUTES))
GOOD = vk.read_routes(f"{HEAD}\ncn-hangzhou,vco-a,10.0.0.0/8,vco-a,100,\n")


@pytest.mark.parametrize("kind", reports.KINDS)
def test_same_frames_same_text(kind: str) -> None:
    """Written twice, a file is the same to the byte, and names no time and no path of its own."""
    text = reports.write(kind, FINDINGS, ROUTES)
    assert text == reports.write(kind, FINDINGS.copy(), ROUTES.copy())
    assert text.endswith("\n")
    assert str(ROOT) not in text.replace(str(SMALL), "")


@pytest.mark.parametrize("kind", reports.KINDS)
@pytest.mark.parametrize("frames", [NOTHING, audited(GOOD)], ids=["no routes", "nothing found"])
def test_nothing_found(kind: str, frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """No findings, even of no routes, are a whole file too."""
    text = reports.write(kind, *frames)
    assert text.endswith("\n")
    if kind in ("json", "sarif"):
        json.loads(text)
    if kind == "junit":
        published.junit(text)


def test_the_version_is_that_of_the_package() -> None:
    """What a file says of its maker is what `vcokit.__version__` says."""
    assert json.loads(reports.write("json", *NOTHING))["tool"]["version"] == vk.__version__


@pytest.mark.parametrize("frames", [(FINDINGS, ROUTES), NOTHING, audited(hostile())])
def test_json_is_what_its_schema_says(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """The JSON validates against the schema that is shipped beside it, and that schema is one."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = json.loads(reports.write("json", *frames))
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    names = SCHEMA["properties"]["findings"]["items"]["required"]
    assert names == [*schema.FINDINGS, "fingerprint"]


def test_json_reads_back_as_the_frame() -> None:
    """Every finding, with every value and every absence, is what the frame holds."""
    for findings, routes in ((FINDINGS, ROUTES), audited(hostile())):
        found = json.loads(reports.write("json", findings, routes))["findings"]
        assert len(found) == len(findings)
        for record, (_, row) in zip(found, findings.iterrows(), strict=True):
            for name, value in row.items():
                assert record[name] is None if pd.isna(value) else record[name] == value
        counted = findings.groupby("severity", observed=False)["row"].nunique().to_dict()
        head = json.loads(reports.write("json", findings, routes))
        assert head["counts"]["rows"] == counted
        assert sum(one["routes"] for one in head["sources"]) == len(routes)


def test_csv_reads_back_as_the_frame() -> None:
    """A reader of CSV finds the values, visible, and a formula only behind its quote mark."""
    for findings, routes in ((FINDINGS, ROUTES), audited(hostile())):
        text = reports.write("csv", findings, routes)
        rows = list(csv.DictReader(io.StringIO(text)))
        assert list(rows[0]) == list(schema.FINDINGS)
        assert text.count("\n") == len(rows) + 1 == len(findings) + 1
        for cells, (_, row) in zip(rows, findings.iterrows(), strict=True):
            for name, value in row.items():
                assert cells[name][:1] not in ("=", "+", "-", "@", "\t")
                assert cells[name] in (printable(value), f"'{printable(value)}")


def test_the_worst_are_listed_and_the_rest_is_said() -> None:
    """A limit keeps errors before warnings before infos, in the order of the file."""
    worst = FINDINGS[FINDINGS["severity"] == "error"]
    rest = len(FINDINGS) - len(worst)
    found = json.loads(reports.write("json", FINDINGS, ROUTES, limit=len(worst)))
    assert [one["row"] for one in found["findings"]] == list(worst["row"])
    assert found["counts"]["findings"] == len(FINDINGS)
    assert found["counts"]["listed"] == len(worst)
    for kind in ("markdown", "sarif"):
        assert f"{rest} more findings" in reports.write(kind, FINDINGS, ROUTES, limit=len(worst))
    for kind in ("text", "html"):
        said = f"worst {len(worst)} of {len(FINDINGS)}"
        assert said in reports.write(kind, FINDINGS, ROUTES, limit=len(worst))


def test_junit_has_a_case_a_rule() -> None:
    """Every rule is a case; it fails where rows are at or above fail_on; numbers add up."""
    text = reports.write("junit", FINDINGS, ROUTES)
    published.junit(text)
    document = ElementTree.fromstring(text)  # noqa: S314
    cases = {case.get("name"): case for case in document.iter("testcase")}
    assert list(cases) == list(FINDINGS["rule"].cat.categories)
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == set(FINDINGS.loc[FINDINGS["severity"] == "error", "rule"])
    assert int(document.get("failures")) == len(failed)
    assert int(document.get("tests")) == len(cases)
    listed = cases["malformed-cidr"].find("failure").text.splitlines()
    assert [line.split(": ")[0].rpartition(":")[2] for line in listed] == ["3", "5"]


@pytest.mark.parametrize(("fail_on", "failing"), [("never", 0), ("error", 1), ("warning", 2)])
def test_junit_fails_as_the_command_does(fail_on: str, failing: int) -> None:
    """fail_on decides which severities fail; what does not fail is still told."""
    severities = ["error", "warning", "info"][:failing]
    text = reports.write("junit", FINDINGS, ROUTES, fail_on=fail_on)
    published.junit(text)
    document = ElementTree.fromstring(text)  # noqa: S314
    expected = FINDINGS.loc[FINDINGS["severity"].isin(severities), "rule"].nunique()
    assert len(document.findall(".//failure")) == expected
    told = sum(
        len(part.text.splitlines()) for part in document.iter() if part.text and part.text.strip()
    )
    assert told == len(FINDINGS)


def test_junit_has_a_suite_a_file() -> None:
    """Findings of several files stand in the suites of their files."""
    routes = vk.read_routes([SMALL, ROOT / "data" / "routes.csv"])
    findings = vk.audit_routes(routes)
    read = published.junit(reports.write("junit", findings, routes))
    assert [suite.name for suite in read] == list(routes["source"].cat.categories)


def test_markdown_renders_as_tables() -> None:
    """A renderer makes of it two tables whose cells are the texts, and no other element."""
    text = reports.write("markdown", FINDINGS, ROUTES, limit=None)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == 2
    rows = kinds.count("tr_open")
    assert rows == 2 + FINDINGS["rule"].nunique() + len(FINDINGS)
    assert "inline" in kinds
    assert "html_block" not in kinds


@pytest.mark.parametrize("kind", ["text", "markdown", "junit", "html"])
def test_one_is_no_plural(kind: str) -> None:
    """One route and one row are counted as one."""
    one = audited(vk.read_routes(f"{HEAD}\ncn-a,vco-a,x,vco-a,100,\n"))
    text = (
        re.sub(r"<[^>]*>", " ", reports.write(kind, *one))
        if kind == "html"
        else (reports.write(kind, *one))
    )
    assert not re.search(r"\b1\s+(routes|rows|findings)\b", text)
    assert re.search(r"\b1\s+(route|row)\b", text)


def test_text_is_never_folded() -> None:
    """A line a finding, however long its message is, and columns stand below one another."""
    routes = vk.read_routes(f"{HEAD}\ncn-hangzhou,vco-a,{'x' * 500},vco-a,100,\n")
    text = reports.write("text", *audited(routes))
    assert any("x" * 500 in line and "malformed-cidr" in line for line in text.splitlines())
    assert max(map(len, text.splitlines())) > 500


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.json", "json"), ("a.TXT", "text"), ("x.sarif.json", "sarif"), ("b.xml", "junit"),
     ("b.htm", "html"), ("c.csv.gz", "csv")],
)  # fmt: skip
def test_names_mean_formats(name: str, kind: str) -> None:
    """The end of a name says the format, packed or not."""
    assert reports.kind_of(name) == kind


def test_what_cannot_be_used_is_told() -> None:
    """Unknown formats, names, options and frames that do not fit each give one error, a remedy."""
    for call in (
        lambda: reports.write("pdf", FINDINGS, ROUTES),
        lambda: reports.kind_of("audit.pdf"),
        lambda: reports.kind_of("audit"),
        lambda: reports.write("json", FINDINGS, ROUTES, fail_on="sometimes"),
        lambda: reports.write("json", FINDINGS, ROUTES, limit=-1),
        lambda: reports.write("json", FINDINGS, ROUTES.head(3)),
        lambda: reports.write("json", FINDINGS.drop(columns="message"), ROUTES),
        lambda: reports.write("json", FINDINGS, ROUTES.drop(columns="route_dest")),
    ):
        with pytest.raises(errors.InputError) as caught:
            call()
        assert caught.value.remedy
