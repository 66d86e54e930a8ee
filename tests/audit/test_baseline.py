"""What is known or agreed on is held back, counted in every output, and nothing else is."""

from __future__ import annotations

import datetime
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.inventories import draw
from vcokit import reports

SMALL = Path(__file__).parents[2] / "data" / "routes-small.csv"
TODAY = datetime.date(2027, 1, 31)
EXCEPTION = """
[[exception]]
rule = ["covered", "more-specific"]
network = "18.192.0.0/15"
reason = "migration"
until = 2027-01-31
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a file of exceptions."""

    def written(text: str) -> Path:
        path = tmp_path / "exceptions.toml"
        path.write_text(text, "utf-8")
        return path

    return written


def audited(path: Path = SMALL) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return routes and findings of a file."""
    routes = vk.read_routes(path)
    return routes, vk.audit_routes(routes)


@pytest.mark.parametrize("name", ["findings.json", "findings.json.gz", "findings.sarif"])
def test_what_was_there_is_held_back(name: str, tmp_path: Path, shell) -> None:
    """An audit held against its own file shows nothing and succeeds, wherever the rows stand."""
    kind = reports.kind_of(name)
    baseline, moved = tmp_path / name, tmp_path / "moved.csv"
    code, text, _ = shell("audit", SMALL, "--format", kind)
    assert code == 1
    baseline.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    routes = vk.read_routes(SMALL)
    vk.write_routes(routes.iloc[::-1], moved)
    total = len(vk.audit_routes(routes))
    for file in (SMALL, moved):
        code, said, _ = shell("audit", file, "--baseline", baseline, "--rules", "malformed-cidr")
        assert (code, "2 held back: 2 by the baseline" in said) == (0, True)
    code, said, _ = shell("audit", SMALL, "--baseline", baseline)
    assert code == 0
    assert f"Nothing found.\n{total} held back: {total} by the baseline\n" in said


def test_only_what_is_new_is_left(tmp_path: Path, shell) -> None:
    """Rows added since the baseline are found, also where they repeat what is known."""
    baseline, later = tmp_path / "findings.json", tmp_path / "later.csv"
    shell("audit", SMALL, "--output", baseline)
    lines = SMALL.read_text().splitlines()
    bare = next(line for line in lines if "8.8.4.4," in line)
    later.write_text("\n".join([*lines, bare, bare.replace("8.8.4.4,", "8.8.4.5,")]) + "\n")
    given = ("audit", later, "--baseline", baseline, "--rules", "malformed-cidr")
    code, said, _ = shell(*given, "--format", "json")
    found = json.loads(said)
    last = len(lines) + 1
    assert code == 1
    assert [one["line"] for one in found["findings"]] == [last, last + 1]
    assert found["counts"]["held_back"] == {"baseline": 2, "expired_exceptions": 0}
    again = tmp_path / "again.json"
    again.write_text(said)
    code, said, _ = shell(*given[:-4], "--baseline", again, *given[-2:])
    assert "2 held back: 2 by the baseline" in said, "a file of new findings is a baseline of those"


def test_fingerprints_part_findings_and_join_audits() -> None:
    """On random inventories no two findings have one fingerprint, and shuffling changes none."""
    rules = ["missing-value", "invalid-weight", "malformed-cidr", "equal-cost"]
    for seed in range(5):
        chance = random.Random(seed)
        rows = draw(chance, 60, dirt=0.3).read()
        prints = []
        for _ in range(2):
            routes = pd.DataFrame(rows)
            told = reports.write("json", vk.audit_routes(routes, rules=rules), routes)
            prints.append(sorted(one["fingerprint"] for one in json.loads(told)["findings"]))
            chance.shuffle(rows)
        assert len(set(prints[0])) == len(prints[0]) > 9
        assert prints[0] == prints[1]


@pytest.mark.parametrize("kind", reports.KINDS)
def test_every_output_counts_what_is_held_back(kind: str, write, tmp_path: Path, shell) -> None:
    """The count stands in each format, or beside it, and follows a file into a line."""
    baseline = tmp_path / "findings.json"
    shell("audit", SMALL, "--rules", "malformed-cidr", "--output", baseline)
    exceptions, output = write(EXCEPTION), tmp_path / "new"
    given = ("--baseline", baseline, "--exceptions", exceptions, "--today", TODAY, "--format", kind)
    code, said, aside = shell("audit", SMALL, *given)
    assert code == 1
    held = "4 held back: 2 by the baseline, 2 by exceptions"
    if kind == "json":
        counts = {"baseline": 2, "exceptions": 2, "expired_exceptions": 0}
        assert json.loads(said)["counts"]["held_back"] == counts
    else:
        assert held in (aside if kind == "csv" else said)
    code, said, _ = shell("audit", SMALL, *given, "--output", output)
    assert (code, held in said) == (1, True)


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        ('rule = "covered"', [19, 27]),
        ('rule = ["covered", "no-active-route"]\nconnection = "*"', [11, 13, 16, 19, 27, 28]),
        ('rule = "covered"\nnetwork = "18.192.142.0/24"', []),
        ('rule = "covered"\nnetwork = "18.192.142.0/23"', [19, 27]),
        ('rule = "covered"\nconnection = "VCO-*"', [19, 27]),
        ('rule = "covered"\nconnection = "vco-x*"', []),
        ('rule = "duplicate"\nnetwork = "0.0.0.0/0"', [9]),
        ('rule = "malformed-cidr"\nnetwork = "0.0.0.0/0"', []),
    ],
)
def test_an_exception_holds_what_it_names(entry: str, lines: list[int], write) -> None:
    """Rule, connection and network narrow an exception; what is within the network is meant.

    The view of a review shows what is left, and says what is not.
    """
    routes, findings = audited()
    path = write(f'[[exception]]\n{entry}\nreason = "r"\nuntil = "2027-01-31"\n')
    review = vk.review_findings(findings, routes, exceptions=path, today=TODAY)
    held = review.held_back
    assert held["line"].tolist() == lines
    assert len(held) + len(review.findings) == len(findings)
    assert set(held["held_by"]) <= {"exception"}
    assert set(held["reason"]) <= {"r"}
    view = vk.AuditView(routes, review)
    assert len(view.findings) == len(review.findings)
    assert f"{len(lines)} held back: {len(lines)} by exceptions" in view.children[0].value


def test_what_is_over_is_said_once(write, shell) -> None:
    """The day after its last an exception holds nothing back, and one line says so."""
    path = write(EXCEPTION)
    left = {}
    for day in (31, 32):
        date = TODAY + datetime.timedelta(days=day - 31)
        given = ("--exceptions", path, "--today", date, "--rules", "covered,more-specific")
        _, said, aside = shell("audit", SMALL, *given)
        left[day] = said
        assert aside.count("has expired and is not applied") == day - 31
    assert "2 held back: 2 by exceptions\n" in left[31]
    assert "0 held back: 0 by exceptions; 1 exception expired\n" in left[32]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"covered"', '"coverd"'), "unknown rule coverd"),
        (('"covered"', '"shared-address-space"'), "shared-address-space may break a tunnel"),
        (('"covered"', '"default-route"'), "default-route may break a tunnel"),
        (('["covered", "more-specific"]', "[]"), "rule = [] names no rule"),
        (('["covered", "more-specific"]', "7"), "rule = 7 names no rule"),
        (("rule =", "rules ="), "unknown key rules"),
        (('rule = ["covered", "more-specific"]\n', ""), "no rule"),
        (('reason = "migration"\n', ""), "no reason"),
        (('"migration"', '" "'), "reason = ' ' is no text"),
        (("until = 2027-01-31\n", ""), "no until"),
        (("2027-01-31", '"31.1.2027"'), "until = 31.1.2027 is not a date"),
        (("2027-01-31", "2027-01-31T00:00:00"), "is not a date"),
        (("2027-01-31", "20270131"), "until = 20270131 is not a date"),
        (("18.192.0.0/15", "18.192.0.1/15"), "host bits set. Write 18.192.0.0/15"),
        (("18.192.0.0/15", "18.192/15"), "network '18.192/15' is not a.b.c.d/len"),
        (('"18.192.0.0/15"', "7"), "network = 7 is no text"),
    ],
    ids=range(16),
)
def test_an_exception_that_cannot_be_used_is_one_error(change, says: str, write) -> None:
    """The second of two exceptions is wrong: file, line, number and remedy are said.

    What stands for a broken tunnel is never excepted, also among other rules.
    """
    routes, findings = audited()
    path = write(EXCEPTION + EXCEPTION.replace(*change))
    with pytest.raises(vk.errors.InputError) as caught:
        vk.review_findings(findings, routes, exceptions=path, today=TODAY)
    assert str(caught.value).startswith(f"{path}, line 8, exception 2: ")
    assert says in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("exceptions", "rule = ", "is not TOML"),
        ("exceptions", "[[exceptions]]", "exceptions is not a list"),
        ("exceptions", "[exception]", "exception is not a list"),
        ("exceptions", None, "cannot be read"),
        ("baseline", "{", "is not JSON"),
        ("baseline", "[]", "contains no vcokit findings"),
        ("baseline", '{"format": "vcokit-journal"}', "contains no vcokit findings"),
        (
            "baseline",
            '{"runs": [{"tool": {"driver": {"name": "other"}}}]}',
            "contains no vcokit findings",
        ),
        (
            "baseline",
            '{"format": "vcokit-findings", "counts": {"listed": 1, "findings": 1},'
            ' "findings": [{"row": 1}]}',
            "an earlier vcokit wrote it",
        ),
        ("baseline", None, "cannot be read"),
    ],
    ids=range(10),
)
def test_a_file_that_holds_nothing_back_is_one_error(option, text, says, tmp_path: Path) -> None:
    """One that is no list, or has no fingerprints, or is not there, with what to do."""
    routes, findings = audited()
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    with pytest.raises(vk.errors.InputError, match=says) as caught:
        vk.review_findings(findings, routes, **{option: path}, today=TODAY)
    assert caught.value.remedy


@pytest.mark.parametrize("kind", ["json", "sarif"])
def test_a_baseline_that_leaves_findings_out_is_refused(kind: str, tmp_path: Path, shell) -> None:
    """A file written with --limit would call old findings new; a baseline is never overwritten."""
    path = tmp_path / "findings"
    shell("audit", SMALL, "--format", kind, "--limit", 3, "--output", path)
    code, _, error = shell("audit", SMALL, "--baseline", path)
    assert (code, "does not contain all findings" in error) == (2, True)
    before = path.read_bytes()
    code, _, error = shell("audit", SMALL, "--baseline", path, "--output", path, "--format", kind)
    assert (code, "would overwrite" in error) == (2, True)
    assert path.read_bytes() == before


def test_findings_of_other_routes_are_refused() -> None:
    """Fingerprints are of the routes that were audited, or of nothing."""
    routes, findings = audited()
    with pytest.raises(vk.errors.InputError, match="routes that were audited"):
        vk.review_findings(findings, routes.head(3))
