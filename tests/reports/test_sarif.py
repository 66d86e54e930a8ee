"""SARIF: a log that code hosts take, which points at the very cell and can mend it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vcokit as vk
from tests.reports import published
from tests.reports.samples import HEAD, SMALL
from vcokit import reports
from vcokit.reports.csv_locations import _File, _pattern, _starts, locate_cells, unquoted


def log_of(inventory: Any, root: Path | None = None, rules: str | None = None) -> dict[str, Any]:
    """Audit a file, a text or routes, and return their log, checked against the schema."""
    routes = inventory if isinstance(inventory, pd.DataFrame) else vk.read_routes(inventory)
    findings = vk.audit_routes(routes, rules=rules)
    places = locate_cells(findings, routes)
    log = json.loads(reports.write("sarif", findings, routes, places=places, root=root))
    published.sarif().validate(log)
    return log["runs"][0]


def region(result: dict[str, Any]) -> dict[str, int]:
    """Return the region of a result's location."""
    return result["locations"][0]["physicalLocation"]["region"]


def cut(text: str, place: dict[str, int]) -> str:
    """Return what stands at a region of a text, by splitting it into lines anew."""
    lines = text.splitlines(keepends=True)[place["startLine"] - 1 : place["endLine"]]
    last = len("".join(lines[:-1])) + place["endColumn"] - 1
    return "".join(lines)[place["startColumn"] - 1 : last]


def test_each_rule_and_result() -> None:
    """Rules stand in the registry's order, results name theirs, levels follow severities."""
    run = log_of(SMALL)
    findings = vk.audit_routes(vk.read_routes(SMALL))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == list(findings["rule"].cat.categories)
    assert len(run["results"]) == len(findings)
    levels = {"error": "error", "warning": "warning", "info": "note"}
    for result, (_, finding) in zip(run["results"], findings.iterrows(), strict=True):
        assert rules[result["ruleIndex"]] == result["ruleId"] == finding["rule"]
        assert result["level"] == levels[finding["severity"]]
        assert region(result)["startLine"] == finding["line"]
        related = [one["physicalLocation"]["region"] for one in result.get("relatedLocations", [])]
        line = finding["related_line"]
        assert related == ([] if pd.isna(line) else [{"startLine": line}])


DIRTY = [
    ("plain", "{head}\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\n", "10.1.2.3/16"),
    ("quoted", '{head}\n"cn-a","vco-a","10.1.2.3/16",vco-a,100,\n', '"10.1.2.3/16"'),
    ("crlf", "{head}\r\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\r\n", "10.1.2.3/16"),
    ("cr", "{head}\rcn-a,vco-a,10.1.2.3/16,vco-a,100,\r", "10.1.2.3/16"),
    ("wide letters", "{head}\n主机𝔘,vco-a,10.1.2.3/16,vco-a,100,\n", "10.1.2.3/16"),
    ("comma in a cell", '{head}\n"cn,a",vco-a,10.1.2.3/16,vco-a,100,\n', "10.1.2.3/16"),
    ("line in a cell", '{head}\n"cn\na",vco-a,10.1.2.3/16,vco-a,100,\n', "10.1.2.3/16"),
    ("blanks", "{head}\ncn-a,vco-a, 10.1.2.3/16 ,vco-a,100,\n", " 10.1.2.3/16 "),
    ("titles above", "Routes\n\n{head}\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\n", "10.1.2.3/16"),
    ("end of file", "{head}\ncn-a,vco-a,10.1.2.3/16,vco-a,100", "10.1.2.3/16"),
    ("semicolons", "{semi}\ncn-a;vco-a;10.1.2.3/16;vco-a;100;\n", "10.1.2.3/16"),
]


@pytest.mark.parametrize(("name", "text", "cell"), DIRTY, ids=[name for name, _, _ in DIRTY])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_columns_are_those_of_the_cell(
    tmp_path: Path, name: str, text: str, cell: str, encoding: str
) -> None:
    """Between the columns stands the cell, quotes and all, however lines end."""
    written = text.format(head=HEAD, semi=HEAD.replace(",", ";"))
    path = tmp_path / "routes.csv"
    path.write_bytes(written.encode(encoding))
    results = [r for r in log_of(path)["results"] if r["ruleId"] == "host-bits-set"]
    assert [cut(written, region(result)) for result in results] == [cell]
    (fix,) = results[0]["fixes"]
    (replacement,) = fix["artifactChanges"][0]["replacements"]
    assert replacement["deletedRegion"] == region(results[0])
    assert replacement["insertedContent"]["text"] == "10.1.0.0/16"


def test_fixes_mend_the_file(tmp_path: Path) -> None:
    """With every fix carried out, what the fixes were of is found no more."""
    path = tmp_path / "routes.csv"
    path.write_bytes(SMALL.read_bytes())
    text = path.read_text("utf-8")
    changes = [
        (change["deletedRegion"], change["insertedContent"]["text"], result["ruleId"])
        for result in log_of(path)["results"]
        for fix in result.get("fixes", [])
        for change in fix["artifactChanges"][0]["replacements"]
    ]
    assert {rule for *_, rule in changes} >= {"malformed-cidr", "host-bits-set", "missing-value"}
    lines = text.splitlines(keepends=True)
    for place, new, _ in changes:
        line = lines[place["startLine"] - 1]
        lines[place["startLine"] - 1] = (
            line[: place["startColumn"] - 1] + new + line[place["endColumn"] - 1 :]
        )
    path.write_text("".join(lines), "utf-8")
    before, after = (vk.audit_routes(vk.read_routes(p)) for p in (SMALL, path))
    for rule in {rule for *_, rule in changes}:
        with_suggestion = (before["rule"] == rule) & before["suggestion"].notna()
        left = (before["rule"] == rule).sum() - with_suggestion.sum()
        assert (after["rule"] == rule).sum() == left


def test_a_changed_file_is_not_mended(tmp_path: Path) -> None:
    """A cell that is no longer what was audited has no fix; a file that has gone, no columns."""
    path = tmp_path / "routes.csv"
    path.write_text(f"{HEAD}\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\n")
    routes = vk.read_routes(path)
    findings = vk.audit_routes(routes)
    for changed in (
        "cn-a,vco-a,10.9.9.9/16,vco-a,100,",
        "cn-a,vco-a,,vco-a,100,",
        "cn-a,vco-a,10.1.2.3/1,vco-a,100,",
        "cn-a,vco-b,10.1.2.3/16,vco-a,100,",
        "cn-a,vco-a,10.1.2.3/16,vco-a,0,",
        "cn-a,vco-a",
        "",
    ):
        path.write_text(f"{HEAD}\n{changed}\n")
        places = locate_cells(findings, routes)
        assert places["line"].isna().all(), changed
        assert not places["exact"].any()
    path.write_text(f"{HEAD}\ncn-a, vco-a ,10.1.2.3/16,VCO-a,100.0,another description\n")
    assert locate_cells(findings, routes)["exact"].all()
    path.write_text("nothing of this kind\n")
    assert locate_cells(findings, routes)["line"].isna().all()
    path.unlink()
    assert locate_cells(findings, routes)["line"].isna().all()


READ_AS = [
    ("RegionId,VpnConnectionId,Network,Mask,Weight\ncn-a,vco-a,10.1.2.3,16,100\n", "10.1.2.3"),
    (
        f'{HEAD}\ncn-a,vco-a,"10.1.2.3/16;10.2.2.3/16",vco-a,100,\n',
        '"10.1.2.3/16;10.2.2.3/16"',
    ),
    (f"{HEAD}\ncn-a,vco-a,10.1.2.3/16,,100,\n", "10.1.2.3/16"),
    (f"{HEAD}\n,vco-a,10.1.2.3/16,vco-a,active,\n", "10.1.2.3/16"),
]


@pytest.mark.parametrize(("text", "cell"), READ_AS)
def test_cells_that_reading_changed_are_found_all_the_same(
    tmp_path: Path, text: str, cell: str
) -> None:
    """Masks, several networks in a cell, words for weights and filled cells are no changed line."""
    path = tmp_path / "routes.csv"
    path.write_text(text)
    routes = vk.read_routes(path, region="cn-a", weights={"active": 100})
    results = log_of(routes, rules="host-bits-set")["results"]
    assert len(results) == len(routes)
    assert {cut(text, region(result)) for result in results} == {cell}


QUOTES = [
    ('cn-a,"a,b"c,10.1.2.3/16,vco-a,100,', "a,bc"),
    ('cn-a,a"b,10.1.2.3/16,vco-a,100,', 'a"b'),
    ('cn-a,a"b,10.1.2.3/16,vco-a,100,"x\ny"', 'a"b'),
    ('cn-a,"a"b"c,10.1.2.3/16,vco-a,100,', 'ab"c'),
    ('cn-a, "a,10.1.2.3/16,"vco-a",100,', '"a'),
]


@pytest.mark.parametrize(("line", "connection"), QUOTES)
def test_quotes_are_read_as_the_reader_reads_them(
    tmp_path: Path, line: str, connection: str
) -> None:
    """Something behind a closing quote, or a quote within a cell, moves no column."""
    path = tmp_path / "routes.csv"
    text = f"{HEAD}\n{line}\ncn-a,vco-a,10.0.0.0/8,vco-a,100,\n"
    path.write_text(text)
    routes = vk.read_routes(path)
    assert routes["vpn_connection_id"].iloc[0] == connection
    (result,) = log_of(routes, rules="host-bits-set")["results"]
    assert result["fixes"]
    assert cut(text, region(result)) == "10.1.2.3/16"


@given(text=st.text(alphabet='ab",\r\n', max_size=24))
def test_records_are_those_of_the_csv_module(text: str) -> None:
    """Cell by cell, a record is what the standard library reads."""
    file = _File(text.encode(), _starts(text.encode()), _pattern(","), {})
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines)
    line = 0
    for record in reader:
        cells = [unquoted(cell) for cell, _, _ in file._record(line + 1)[1]]
        assert cells == (record or [""])
        line = reader.line_num


@pytest.mark.parametrize("packing", ["gz", "zst", "hidden"])
def test_packed_files_have_no_regions_and_no_fixes(tmp_path: Path, packing: str) -> None:
    """Nobody can mark or mend a line of a packed file: the line is told by name."""
    path = tmp_path / {"hidden": "routes.csv"}.get(packing, f"routes.csv.{packing}")
    data = (
        f"{HEAD}\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\ncn-a,vco-a,10.1.0.0/16,vco-a,100,\n".encode()
    )
    path.write_bytes(
        pa.compress(data, "zstd", asbytes=True) if packing == "zst" else gzip.compress(data)
    )
    results = log_of(path, root=tmp_path)["results"]
    assert [one["ruleId"] for one in results] == ["host-bits-set", "duplicate"]
    artifact = {"uri": path.name, "uriBaseId": "%SRCROOT%"}
    for result, line in zip(results, "23", strict=True):
        (location,) = result["locations"]
        assert location["physicalLocation"] == {"artifactLocation": artifact}
        assert location["logicalLocations"] == [{"name": line}]
        assert "fixes" not in result
    assert "region" not in results[1]["relatedLocations"][0]["physicalLocation"]


@pytest.mark.parametrize("kind", ["text", "buffer", "stdin"])
def test_what_was_read_out_of_no_file_names_none(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Text, a buffer and standard input are logical locations; no file is made up."""
    monkeypatch.chdir(tmp_path)
    text = f"{HEAD}\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\ncn-a,vco-a,10.1.0.0/16,vco-a,100,\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    results = log_of({"text": text, "buffer": io.BytesIO(text.encode()), "stdin": "-"}[kind])[
        "results"
    ]
    for result, line in zip(results, "23", strict=True):
        assert result["locations"] == [{"logicalLocations": [{"name": f"<{kind}>!{line}"}]}]
        assert "fixes" not in result
    (related,) = results[1]["relatedLocations"]
    assert "physicalLocation" not in related


def test_files_are_named_below_the_root(tmp_path: Path) -> None:
    """Paths are relative to the root and escaped; a file elsewhere has its whole address."""
    folder = tmp_path / "sites and more"
    folder.mkdir()
    path = folder / "主 #1.csv"
    path.write_text(f"{HEAD}\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\n")
    (result,) = log_of(path, root=tmp_path)["results"]
    where = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert unquote(where["uri"]) == "sites and more/主 #1.csv"
    assert where["uriBaseId"] == "%SRCROOT%"
    (result,) = log_of(path, root=tmp_path / "elsewhere")["results"]
    where = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert where == {"uri": path.as_uri()}


def test_fingerprints_hold_when_rows_move() -> None:
    """New lines above change no fingerprint; findings of one log have different ones."""
    rows = "cn-a,vco-a,10.1.2.3/16,vco-a,100,\ncn-a,vco-a,10.1.2.3/16,vco-a,100,\n"

    def prints(text: str) -> list[str]:
        results = log_of(text)["results"]
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results]

    before = prints(f"{HEAD}\n{rows}")
    after = prints(f"{HEAD}\ncn-a,vco-b,11.0.0.0/8,vco-b,100,\n{rows}")
    assert len(before) == len(set(before)) >= 3
    assert before == after


def test_a_row_of_another_file_is_named_with_it(tmp_path: Path) -> None:
    """Where two files hold one route, each format says which file's line the finding is about."""
    names = ["a.csv", "b.csv"]
    for name in names:
        (tmp_path / name).write_text(f"{HEAD}\ncn-a,vco-a,10.1.0.0/16,vco-a,100,\n")
    routes = vk.read_routes([tmp_path / name for name in names])
    findings = vk.audit_routes(routes)
    for kind in reports.KINDS:
        text = unquote(reports.write(kind, findings, routes)).replace("\\", "")
        assert "a.csv, line 2" in text, kind
    (result,) = log_of(routes, root=tmp_path)["results"]
    (related,) = result["relatedLocations"]
    assert related["message"]["text"] == f"{tmp_path / 'a.csv'}, line 2"
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "a.csv"


def test_a_workbook_has_sheets(tmp_path: Path) -> None:
    """A row of a workbook is a logical location, for its file has no lines."""
    book = openpyxl.Workbook()
    book.active.title = "North"
    for row in (HEAD.split(","), ["cn-a", "vco-a", "10.1.2.3/16", "vco-a", 100, ""]):
        book.active.append(row)
    path = tmp_path / "book.xlsx"
    book.save(path)
    (result,) = log_of(path, root=tmp_path)["results"]
    (location,) = result["locations"]
    artifact = location["physicalLocation"]["artifactLocation"]
    assert location["physicalLocation"] == {"artifactLocation": artifact}
    assert artifact["uri"] == "book.xlsx"
    assert location["logicalLocations"] == [{"name": "North!2"}]


def test_frames_made_by_hand() -> None:
    """Routes of no file have rows for places, and a log all the same."""
    routes = pd.DataFrame(
        {"region_id": "cn-a", "vpn_connection_id": "vco-a", "route_dest": ["10.1.2.3/16"],
         "next_hop": "vco-a", "weight": 100}
    )  # fmt: skip
    (result,) = log_of(routes)["results"]
    assert result["locations"] == [{"logicalLocations": [{"name": "row 0"}]}]
