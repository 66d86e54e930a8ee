"""Rules of one's own run beside the built-in ones, in every output, and fail in one clear error."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import vcokit as vk
from tests.audit.oracle import RULES
from tests.inventories import draw
from tests.strict_cidr import network_of
from vcokit import reports, schema

#: RFC 5737: networks that stand in documents.
DOCUMENTS = [ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]

FILE = '''import vcokit as vk


@vk.rule(severity="error", column="Site", message=lambda found: found["Site"] + " is closed")
def closed_site(routes):
    """The site is closed.

    Only this first line is shown.
    """
    return routes["Site"] == "Bonn"


@vk.rule("odd-weight", suggestion="100", column="weight")
def _(routes):
    """The weight should be 100."""
    return routes["weight"] != 100
'''

CSV = """RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Site
cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100,Berlin
cn-hangzhou,vco-a,10.2.0.0/16,vco-a,100,Bonn
cn-hangzhou,vco-b,10.1.0.0/16,vco-b,0,Berlin
cn-hangzhou,vco-b,10.3.0.0/16,vco-b,0,Berlin
"""


@vk.rule
def in_documents(routes: pd.DataFrame) -> pd.Series:
    """The destination is in a network for documents."""
    return routes["route_dest"].cidr.overlaps(DOCUMENTS)


def rule_of(function: Callable, name: str, **words: object) -> Any:
    """Return a rule made of a function that needs no docstring."""
    function.__doc__ = function.__doc__ or "A sentence."
    return vk.rule(name, **words)(function)


def active(routes: pd.DataFrame) -> pd.Series:
    """The route is active."""
    return routes["weight"] == 100


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return an inventory, and a file of rules that know one of its own columns."""
    inventory, rules = tmp_path / "routes.csv", tmp_path / "site_rules.py"
    inventory.write_text(CSV)
    rules.write_text(FILE)
    return inventory, rules


def test_own_rules_stand_behind_the_built_in_ones(files: tuple[Path, Path]) -> None:
    """Own rules add findings and change none; their names come last, in their order."""
    routes, own = vk.read_routes(files[0]), vk.load_rules(files[1])
    found = vk.audit_routes(routes, rules=own)
    mine = found["rule"].isin(["closed-site", "odd-weight"])
    assert found["rule"].cat.categories.tolist() == [*RULES, "closed-site", "odd-weight"]
    assert found["rule"].cat.ordered
    columns = ["row", "line", "rule", "severity", "column", "message", "suggestion"]
    said = found[mine][columns].astype("object").where(found[mine][columns].notna(), None)
    assert said.to_numpy().tolist() == [
        [1, 3, "closed-site", "error", "Site", "Bonn is closed", None],
        [2, 4, "odd-weight", "warning", "weight", "The weight should be 100", "100"],
        [3, 5, "odd-weight", "warning", "weight", "The weight should be 100", "100"],
    ]
    alone = vk.audit_routes(routes)
    rest = found[~mine].reset_index(drop=True).astype({"rule": alone["rule"].dtype})
    pd.testing.assert_frame_equal(rest, alone)


def test_an_own_rule_sees_every_row_of_any_inventory() -> None:
    """On random inventories a rule finds the rows that the standard library finds."""
    met = 0
    for seed in range(5):
        chance = random.Random(seed)
        rows = draw(chance, 60, dirt=0.3).read()
        for row in chance.sample(rows, 9):
            row["route_dest"] = chance.choice(["192.0.2.0/25", "203.0.0.0/16", "198.51.100.7/32"])
        networks = [network_of(row["route_dest"]) for row in rows]
        wanted = [
            row
            for row, network in enumerate(networks)
            if network is not None and any(network.overlaps(one) for one in DOCUMENTS)
        ]
        found = vk.audit_routes(pd.DataFrame(rows), rules=["in-documents", in_documents])
        assert found["row"].tolist() == wanted
        assert set(found["rule"]) <= {"in-documents"}
        met += len(wanted)
    assert met > 40


def test_names_pick_and_rules_add(files: tuple[Path, Path]) -> None:
    """Names say which built-in rules run, all where none is named; own rules always run.

    A bare function, two rules of one name, an unknown name: each is one error.
    """
    routes, own = vk.read_routes(files[0]), vk.load_rules(files[1])
    everything = set(vk.audit_routes(routes)["rule"])
    assert everything
    for given, wanted in [
        ([], everything),
        (own[0], everything | {"closed-site"}),
        (["duplicate", *own], {"closed-site", "odd-weight"}),
        (["closed-site", own[0]], {"closed-site"}),
    ]:
        assert set(vk.audit_routes(routes, rules=given)["rule"]) == wanted
    for wrong, says in [
        ([broken], "is not a rule"),
        ([own[0], vk.load_rules(files[1])[0]], "two rules are called closed-site"),
        (["closed"], "unknown rule closed"),
    ]:
        with pytest.raises(vk.errors.InputError, match=says):
            vk.audit_routes(routes, rules=wrong)
    with pytest.raises(vk.errors.InputError, match="'covered' is not a rule"):
        vk.plan_routes(routes, schema.frame(schema.LIVE_ROUTES), rules=["covered"])


def test_a_rule_keeps_what_it_writes_to_itself() -> None:
    """A rule that writes into its frame changes neither the routes nor what other rules see."""

    @vk.rule
    def vandal(routes: pd.DataFrame) -> pd.Series:
        """Nothing is left."""
        routes["weight"] = 7
        routes.loc[:, "route_dest"] = "x"
        return routes["weight"] == 7

    witness = rule_of(lambda routes: routes["weight"] == 100, "witness")
    routes = vk.read_routes(CSV)
    before = routes.copy()
    found = vk.audit_routes(routes, rules=["covered", vandal, witness])
    assert found["rule"].value_counts()[["vandal", "witness"]].tolist() == [4, 2]
    pd.testing.assert_frame_equal(routes, before)


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        (lambda _: [True, False, True, False], [0, 2]),
        (lambda routes: routes["weight"].to_numpy() == 0, [2, 3]),
        (lambda _: pd.Series([None, True, False, False], dtype="boolean"), [1]),
        (lambda _: pd.Series([None, True, False, False], dtype="object"), [1]),
        (lambda _: [None] * 4, []),
    ],
)
def test_any_column_of_booleans_is_a_mask(answer: Callable, rows: list[int]) -> None:
    """A list, an array and a Series of booleans are masks; what is missing is False."""
    rules = ["here", rule_of(answer, "here")]
    assert vk.audit_routes(vk.read_routes(CSV), rules=rules)["row"].tolist() == rows


def broken(routes: pd.DataFrame) -> object:
    """Something is wrong with this one."""
    return routes["Town"]


@pytest.mark.parametrize(
    ("function", "words", "says"),
    [
        (broken, {}, "KeyError: 'Town'"),
        (lambda routes: routes["weight"], {}, "returned Int64 instead of a boolean mask"),
        (lambda _: True, {}, "returned bool instead of a column"),
        (lambda routes: routes, {}, "returned DataFrame instead of a column"),
        (lambda _: [True], {}, "returned 1 values for 4 rows"),
        (lambda routes: active(routes)[1:], {}, "another index"),
        (lambda routes: active(routes)[::-1], {}, "another index"),
        (active, {"message": lambda found: found["Town"]}, "KeyError"),
        (active, {"message": lambda _: ["a", "b", "c", "d"]}, "message 4 values for 2 rows"),
        (active, {"message": lambda _: "one for all"}, "message str instead of a column"),
        (active, {"suggestion": lambda _: None, "column": "weight"}, "suggestion NoneType"),
        (active, {"column": "Town"}, "no column 'Town'"),
    ],
    ids=range(12),
)
def test_a_rule_that_fails_is_one_error(function: Callable, words: dict, says: str) -> None:
    """A rule that raises, returns no mask or no words, is one error: rule, file, line, remedy."""
    rule = rule_of(function, "my-own", **words)
    with pytest.raises(vk.errors.RuleError, match=says) as caught:
        vk.audit_routes(vk.read_routes(CSV), rules=[rule])
    error = caught.value
    assert (error.rule, error.source) == ("my-own", __file__)
    if not words:
        inside = 2 if function is broken else 0
        assert error.line == function.__code__.co_firstlineno + inside
    assert error.remedy
    assert str(error).startswith(f"{__file__}, line {error.line}, rule my-own: ")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "covered"}, "a built-in rule has this name"),
        *(({"name": name}, "kebab-case") for name in ("My_Rule", "-x", 7)),
        ({"severity": "fatal"}, "severity='fatal'"),
        ({"message": 7}, "message=7"),
        ({"suggestion": "100"}, "a suggestion without a column"),
        ({"doc": ""}, "there is no docstring"),
    ],
    ids=range(8),
)
def test_a_rule_that_cannot_be_made_is_refused(given: dict, says: str) -> None:
    """A name, a severity or words that cannot be used are refused where the rule is written."""
    function = lambda routes: routes["weight"] == 0  # noqa: E731
    options = {"name": "x", "doc": "A sentence."} | given
    function.__doc__ = options.pop("doc")
    with pytest.raises(vk.errors.RuleError, match=says) as caught:
        vk.rule(options.pop("name"), **options)(function)
    assert caught.value.line == function.__code__.co_firstlineno


def test_an_own_error_blocks_its_row_in_a_plan(files: tuple[Path, Path]) -> None:
    """What a user calls an error is not sent, and not missed; what is a warning is sent."""
    routes, own = vk.read_routes(files[0]), vk.load_rules(files[1])
    plan = vk.plan_routes(routes, schema.frame(schema.LIVE_ROUTES), rules=own)
    steps = plan.frame()
    assert steps["action"].tolist() == ["create", "blocked", "create", "create"]
    assert steps["message"][1] == "closed-site: Bonn is closed"
    live = routes.iloc[[0, 2, 3]]
    assert set(vk.verify_routes(routes, live, rules=own)["verdict"]) == {"as planned"}
    assert set(vk.verify_routes(routes, live)["verdict"]) == {"as planned", "missing"}


def test_a_cover_that_an_own_rule_blocks_covers_nothing() -> None:
    """`covered` counts on no route that an own error keeps out of the plan."""
    wide = CSV.replace("10.2.0.0/16", "10.0.0.0/8")
    routes = vk.read_routes(wide).iloc[:2]
    too_wide = rule_of(
        lambda rows: rows["route_dest"] == "10.0.0.0/8", "too-wide", severity="error"
    )
    assert set(vk.audit_routes(routes)["rule"]) == {"covered"}
    assert set(vk.audit_routes(routes, rules=[too_wide])["rule"]) == {"too-wide"}


@pytest.mark.parametrize("kind", reports.KINDS)
def test_own_rules_are_in_every_output(kind: str, files: tuple[Path, Path], shell) -> None:
    """Each format has the finding of an own rule, and what the rule says where it has rules."""
    inventory, rules = files
    code, said, _ = shell("audit", inventory, "--rules-file", rules, "--format", kind)
    assert code == 1
    assert "closed-site" in said
    assert "Bonn is closed" in said
    assert kind == "csv" or "The site is closed." in said
    assert "Only this first line" not in said
    if kind == "sarif":
        (run,) = json.loads(said)["runs"]
        named = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert named == [*RULES, "closed-site", "odd-weight"]
        mine = next(one for one in run["results"] if one["ruleId"] == "closed-site")
        assert mine["partialFingerprints"]["primaryLocationLineHash"]


def test_the_view_knows_own_rules(files: tuple[Path, Path]) -> None:
    """The view of an audit shows an own rule's sentence, and takes its suggestions."""
    routes, own = vk.read_routes(files[0]), vk.load_rules(files[1])
    view = vk.AuditView(routes, vk.audit_routes(routes, rules=own))
    view.choose(rule="odd-weight")
    assert "The weight should be 100." in str(
        [one.value for one in view.children if "value" in one.keys]
    )
    view.accept_all()
    assert view.corrected["weight"].tolist() == [100] * 4


def test_the_shell_lists_rules_and_picks_among_them(files: tuple[Path, Path], shell) -> None:
    """`--list-rules` shows all rules with severity and sentence; `--rules` picks own ones too."""
    inventory, rules = files
    code, said, _ = shell("audit", "--list-rules", "--rules-file", rules)
    lines = [line.split() for line in said.splitlines()[2:]]
    assert code == 0
    assert [line[0] for line in lines] == [*RULES, "closed-site", "odd-weight"]
    assert lines[-2][1:] == ["error", "own", "The", "site", "is", "closed."]
    assert lines[0][1:3] == ["error", "built-in"]
    given = ("audit", inventory, "--rules-file", rules, "--format", "json", "--rules")
    for names, found in [
        ("odd-weight", {"odd-weight"}),
        ("duplicate,closed-site", {"closed-site"}),
    ]:
        _, said, _ = shell(*given, names)
        assert {one["rule"] for one in json.loads(said)["findings"]} == found
    code, _, said = shell("audit")
    assert (code, said.count("\n")) == (2, 1)


def test_the_shell_plans_and_applies_by_own_rules(files: tuple[Path, Path], shell) -> None:
    """Plan, apply and verify leave out the rows that an own rule calls an error."""
    inventory, rules = files
    given = (inventory, "--rules-file", rules, "--simulate")
    code, said, _ = shell("plan", *given, "--fail-on", "error")
    assert code == 1
    assert "closed-site: Bonn is closed" in said
    code, said, _ = shell("apply", *given, "--journal", inventory.with_suffix(".db"))
    assert code == 0
    assert "3 create, 0 modify, 0 delete, 0 keep, 1 blocked" in said
    assert "Verified live: 3 as planned" in said
    code, _, said = shell("verify", *given)
    assert "3 missing" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import vcokit as vk\n", "site_rules.py: there is no rule"),
        ("x = 1\ny = (\n", "site_rules.py, line 2: SyntaxError"),
        ("\n\nimport nowhere_at_all\n", "site_rules.py, line 3: ModuleNotFoundError"),
        ("raise SystemExit(0)\n", "site_rules.py, line 1: SystemExit"),
        (FILE.replace('"odd-weight"', '"covered"'), "rule covered: a built-in rule has this name"),
        (FILE.replace('["Site"] ==', '["Town"] =='), "site_rules.py, line 10, rule closed-site"),
        (None, "site_rules.py: cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error(
    text: str | None, says: str, files: tuple[Path, Path], shell
) -> None:
    """A file that is none, breaks, or holds no rule: one line, exit code 2, no findings shown."""
    inventory, rules = files
    rules.unlink() if text is None else rules.write_text(text)
    code, said, error = shell("audit", inventory, "--rules-file", rules)
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert says in error


def test_packages_bring_rules(
    files: tuple[Path, Path], shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The shell asks installed packages for rules; Python asks where somebody says so."""
    inventory, rules = files
    package = tmp_path / "packages"
    info = package / "site_rules-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "site_rules_of_a_package.py").write_text(rules.read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site-rules\nVersion: 1.0\n")
    points = info / "entry_points.txt"
    points.write_text("[vcokit.rules]\nall = site_rules_of_a_package\n")
    monkeypatch.syspath_prepend(package)
    assert [one.name for one in vk.load_rules()] == ["closed-site", "odd-weight"]
    assert "closed-site" not in set(vk.audit_routes(vk.read_routes(inventory))["rule"])
    code, said, _ = shell("audit", inventory)
    assert code == 1
    assert "closed-site" in said
    for target, says in [("nowhere_at_all", "ModuleNotFoundError"), ("json", "there is no rule")]:
        points.write_text(f"[vcokit.rules]\nall = {target}\n")
        code, _, said = shell("audit", inventory)
        assert code == 2
        assert "entry point all of site-rules" in said
        assert says in said
