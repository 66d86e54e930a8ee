"""The change record: every figure is the journal's, whatever became of the rollout."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from markdown_it import MarkdownIt

import vcokit as vk
from tests.reports.samples import HOSTILE, SMALL
from vcokit import schema
from vcokit._text import printable
from vcokit.errors import InputError, JournalError
from vcokit.rollout.messages import StepChanged
from vcokit.simulator import Fault, Route

EXCEPTIONS = """[[exception]]
rule = ["covered", "more-specific"]
reason = "migration of Frankfurt, NET-2417"
until = 2099-12-31
"""
HANGZHOU, FRANKFURT = "vco-bp1kmn7yd857hza1u0r0d", "vco-gw8kjf83yut9a5p4fyswl"
#: What is live before: a weight that changes, a route that stays, and one that is deleted.
BEFORE = [
    Route(HANGZHOU, "8.8.8.0/24", 0, HANGZHOU),
    Route(HANGZHOU, "104.16.0.0/13", 100, HANGZHOU),
    Route(FRANKFURT, "10.99.0.0/16", 100, FRANKFURT),
]
REFUSED = Fault("refuse", operation="CreateVcoRouteEntry", code="IllegalParam.RouteDest", count=2)
KEY = ("vpn_connection_id", "route_dest", "next_hop")
#: A format 3 journal has none of what a record asks for.
OLD = Path(__file__).parents[1] / "rollout" / "data" / "journal-3.sql"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    """A rollout with two refused steps; its journal, what was live before, and after."""
    folder = tmp_path_factory.mktemp("record")
    (folder / "exceptions.toml").write_text(EXCEPTIONS)
    routes = vk.read_routes(SMALL)
    found = vk.audit_routes(routes)
    review = vk.review_findings(found, routes, exceptions=folder / "exceptions.toml")
    given = {"speed": 600, "routes": BEFORE, "faults": [REFUSED]}
    with vk.Simulator.for_routes(routes, **given) as cloud, vk.connect(cloud) as client:
        before = vk.live_routes(client, routes)
        plan = vk.plan_routes(routes, before, prune=True, findings=review)
        vk.apply_plan(
            plan,
            client,
            journal=folder / "change.db",
            allow_gap=True,
            approved_by="Chen Jing",
            ticket="NET-2417",
        )
        after = vk.live_routes(client, routes)
    return folder / "change.db", before, after


def table(path: Path, sql: str) -> list[sqlite3.Row]:
    """Return rows of a journal, read by SQLite alone."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()


def same(text: str | None, seconds: float | None) -> bool:
    """Tell whether a time of a record is that of the journal, to the microsecond."""
    if seconds is None or not text:
        return seconds is None and not text
    return abs(datetime.fromisoformat(text).timestamp() - seconds) < 2e-6


class Tables(HTMLParser):
    """The tables of a page: rows of cells, a cell its text or the time that it holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[tuple[str, list[str]]] = []
        self._look, self._cell = "", None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a table, a row or a cell."""
        given = dict(attrs)
        if tag == "table":
            self._look = given.get("class") or ""
        elif tag == "tr":
            self.rows.append((self._look, []))
        elif tag in ("td", "th"):
            self._cell = ""
        elif tag == "time" and self._cell is not None:
            self._cell = given["datetime"]

    def handle_data(self, data: str) -> None:
        """Add to a cell, unless it has a time."""
        if self._cell is not None and not self._cell.endswith("Z"):
            self._cell += data

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1][1].append(" ".join(self._cell.split()))
            self._cell = None


# -- every figure is the journal's ----------------------------------------------------------------


def test_every_figure_of_the_json_is_the_journals(finished) -> None:
    """Steps, attempts, calls and counts, as SQLite alone reads and counts them."""
    path, *_ = finished
    facts = json.loads(vk.change_record(path).json())
    rows = table(path, "SELECT * FROM step ORDER BY step")
    assert len(facts["steps"]) == len(rows) == 41
    times = ("sent_at", "accepted_at", "settled_at", "ended_at")
    texts = ("step", "action", "state", *KEY, "weight", "description", "source", "line")
    for step, row in zip(facts["steps"], rows, strict=True):
        for name in (*texts, "attempts", "code", "message", "request_id"):
            assert step[name] == row[name], (name, step)
        assert all(same(step[name], row[name]) for name in times)
    counted = Counter(row["state"] for row in rows)
    assert facts["states"] == counted
    assert counted["failed"] == 2
    writes = table(path, "SELECT * FROM call WHERE step IS NOT NULL ORDER BY call")
    assert len(writes) > 27
    for call, row in zip(facts["writes"], writes, strict=True):
        assert same(call["sent_at"], row["sent_at"])
        assert {name: call[name] for name in call if name != "sent_at"} == {
            name: row[name] for name in call if name != "sent_at"
        }
    calls = table(path, "SELECT operation, outcome, count(*) AS n FROM call GROUP BY 1, 2")
    assert {(one["operation"], one["outcome"]): one["calls"] for one in facts["calls"]} == {
        (row["operation"], row["outcome"]): row["n"] for row in calls
    }
    first = table(path, "SELECT min(sent_at) AS at FROM call")[0]["at"]
    assert same(facts["first_call_at"], first)


def test_every_step_of_the_page_is_the_journals(finished) -> None:
    """The table of steps, parsed out of the HTML; times to the microsecond."""
    path, *_ = finished
    tables = Tables(vk.change_record(path).html())
    rows = table(path, "SELECT * FROM step WHERE action != 'keep' ORDER BY step")
    shown = {
        int(cells[0]): cells
        for look, cells in tables.rows
        if look == "steps" and cells[0].isdecimal()
    }
    assert len(shown) == len(rows)
    for row in rows:
        cells = shown[row["step"]]
        assert cells[1:3] == [str(row["line"] or ""), row["action"]]
        assert cells[3].startswith(row["route_dest"])
        assert cells[6] == row["state"]
        times = ("sent_at", "accepted_at", "settled_at", "ended_at")
        assert all(same(cells[7 + n], row[name]) for n, name in enumerate(times))
        assert cells[11:13] == [str(row["attempts"] or ""), row["request_id"] or ""]
    calls = table(path, "SELECT operation, outcome, count(*) AS n FROM call GROUP BY 1, 2")
    told = [cells[:3] for _, cells in tables.rows]
    for row in calls:
        assert [row["operation"], row["outcome"], str(row["n"])] in told


def test_every_step_of_the_csv_is_the_journals(finished) -> None:
    """All steps, kept ones too, with times and request ids."""
    path, *_ = finished
    found = list(csv.DictReader(io.StringIO(vk.change_record(path).csv())))
    rows = table(path, "SELECT * FROM step ORDER BY step")
    assert [one["route_dest"] for one in found] == [row["route_dest"] for row in rows]
    assert [one["request_id"] for one in found] == [row["request_id"] or "" for row in rows]
    assert all(same(one["ended_at"], row["ended_at"]) for one, row in zip(found, rows, strict=True))


def test_before_and_after_are_what_the_cloud_held(finished) -> None:
    """Of each step and of each connection, by the cloud's own listings around the rollout."""
    path, before, after = finished
    facts = vk.change_record(path).facts
    was, will = (
        dict(zip(live[list(KEY)].itertuples(index=False, name=None), live["weight"], strict=True))
        for live in (before, after)
    )
    for step in facts["steps"]:
        route = tuple(step[name] for name in KEY)
        if step["action"] != "blocked":
            assert step["before"] == was.get(route)
        if step["state"] == "done":
            assert (step["after"], step["after_by"]) == (will.get(route), "listing")
        else:
            assert step["after"] is None
    for one in facts["connections"]:
        for side, live in (("before", before), ("after", after)):
            weights = live.loc[live["vpn_connection_id"] == one["vpn_connection_id"], "weight"]
            counts = {"active": (weights == 100).sum(), "standby": (weights == 0).sum()}
            assert one[side] == counts


def test_what_was_asked_and_who_did_it(finished) -> None:
    """The inventory's digest, the plan, accepted findings, approval, person and place."""
    path, *_ = finished
    record = vk.change_record(path)
    facts, routes = record.facts, vk.read_routes(SMALL)
    assert facts["asked"]["files"] == {str(SMALL): hashlib.sha256(SMALL.read_bytes()).hexdigest()}
    assert facts["asked"]["routes"] == len(routes)
    assert facts["approval"] == {"approved_by": "Chen Jing", "ticket": "NET-2417"}
    found = vk.audit_routes(routes)["rule"].value_counts()
    accepted = {one["rule"]: (one["rows"], one["reason"]) for one in facts["accepted"]}
    reason = "migration of Frankfurt, NET-2417"
    assert accepted == {rule: (found[rule], reason) for rule in ("covered", "more-specific")}
    assert {one["until"] for one in facts["accepted"]} == {"2099-12-31"}
    left = {one["rule"]: one["rows"] for one in facts["findings"]}
    assert left == {rule: n for rule, n in found.items() if n and rule not in accepted}
    (run,) = facts["runs"]
    assert run["account"] == "simu***y-id"
    assert (run["state"], run["endpoint"]) == ("finished", "")
    assert run["began"] < facts["first_call_at"] <= facts["last_event_at"] < run["ended"]
    blocks = vk.Journal.read(path).plan().impact()
    assert [one["block"] for one in facts["impact"]["blocks"]] == blocks["block"].tolist()
    lost = {one["change"]: one["addresses"] for one in facts["impact"]["totals"]}["lost"]
    assert lost == 1 << 16  # the route that is deleted
    for page in (record.html(), record.markdown()):
        text = html.unescape(re.sub(r"<[^>]+>", " ", page))
        for words in ("NET-2417", "Chen Jing", reason, "27 of 29 changes done, 2 failed"):
            assert words in text, words
        assert "IllegalParam.RouteDest" in text


def test_the_page_loads_nothing_and_is_the_same_twice(finished) -> None:
    """One file without links, scripts and looks of its own; plots follow the page's colours."""
    path, *_ = finished
    page = vk.change_record(path).html()
    assert page == vk.change_record(path).html()
    assert "content=\"default-src 'none';" in page
    assert not re.search(r"(?:src|href)=\"(?!#)| style=|<script| on\w+=|@import|url\((?!#)", page)
    assert page.count("<svg role=") == 3
    assert "#ffffff" not in page.split("</style>")[1]
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert all(f' id="{target}"' in page for target in re.findall(r'href="#([^"]+)"', page))


# -- a rollout that did not end, one of an earlier version, one that was taken back ---------------


def begun(path: Path, routes: pd.DataFrame, changes: list[StepChanged], **meta: str) -> None:
    """Leave the journal of a rollout that was killed after some changes."""
    plan = vk.plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    with vk.Journal.create(path, plan, "some id", meta={"simulated": "no", **meta}) as journal:
        journal.write(steps=changes, meta={"state": "running"})


def many(count: int) -> pd.DataFrame:
    """Return a clean inventory."""
    names = [f"vco-{n % 7}" for n in range(count)]
    return pd.DataFrame(
        {
            "region_id": "cn-hangzhou",
            "vpn_connection_id": names,
            "route_dest": [f"10.{n >> 8}.{n & 255}.0/24" for n in range(count)],
            "next_hop": names,
            "weight": 100,
        }
    )


def test_an_interrupted_rollout_says_so_and_what_remains(tmp_path: Path) -> None:
    """Every page says that it was interrupted, what is left, and the command that goes on."""
    done = [StepChanged(9.0, 0, "pending", "sent"), StepChanged(10.0, 0, "sent", "done")]
    begun(tmp_path / "a b.db", many(4), [*done, StepChanged(11.0, 1, "pending", "sent")])
    record = vk.change_record(tmp_path / "a b.db")
    facts = record.facts
    assert (facts["state"], facts["ended"]) == ("broken off", False)
    assert (facts["left"], facts["in_doubt"]) == (3, 1)
    assert facts["steps"][1]["after_by"] == "not seen"
    assert facts["steps"][2]["after_by"] == "not sent"
    for page in (html.unescape(record.html()), record.markdown()):
        assert "Interrupted: 3 of 4 changes are left" in page
        assert "3 steps are left. Of 1 the cloud may have done the change already" in page
        assert "vcokit resume 'a b.db'" in page


def test_a_journal_of_an_earlier_version_has_a_record(tmp_path: Path) -> None:
    """What it did not keep is missing, and the pages say so."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text("utf-8"))
    record = vk.change_record(path)
    facts = record.facts
    assert [facts["runs"], facts["findings"], facts["asked"]["files"]] == [None, None, None]
    assert facts["approval"] == {"approved_by": None, "ticket": None}
    assert len(facts["steps"]) == len(table(path, "SELECT * FROM step"))
    for page in (record.html(), record.markdown()):
        assert page.lower().count("not kept") >= 4


def test_what_was_taken_back_is_told_step_by_step(tmp_path: Path) -> None:
    """With the journal of its undo; that of any other rollout is refused."""
    routes = many(3)
    with vk.Simulator.for_routes(routes, speed=600) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        rollout = vk.apply_plan(plan, client, journal=tmp_path / "r.db")
        back = rollout.undo().only(networks="10.0.0.0/23")  # two of the three
        vk.apply_plan(back, client, journal=tmp_path / "u.db", allow_gap=True)
    record = vk.change_record(tmp_path / "r.db", undo=tmp_path / "u.db")
    assert [step["undone"] for step in record.facts["steps"]] == ["undone", "undone", None]
    assert "u.db" in record.html()
    undo = vk.change_record(tmp_path / "u.db").facts
    assert undo["asked"]["undoes"] == record.facts["rollout_id"]
    with pytest.raises(InputError, match="is not the undo of"):
        vk.change_record(tmp_path / "u.db", undo=tmp_path / "r.db")


def test_each_start_is_told(tmp_path: Path) -> None:
    """A rollout that was stopped and resumed has two runs, with the wishes of each."""
    routes = many(6)
    with vk.Simulator.for_routes(routes, speed=600) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        vk.apply_plan(plan, client, journal=tmp_path / "r.db", deadline=1e-9)
        vk.Rollout.open(tmp_path / "r.db", client, deadline=None).start().wait()
    first, second = vk.change_record(tmp_path / "r.db").facts["runs"]
    assert [first["state"], second["state"]] == ["stopped", "finished"]
    assert [first["options"]["deadline"], second["options"]["deadline"]] == [1e-9, None]
    assert first["ended"] <= second["began"]


# -- harm, size, damage ---------------------------------------------------------------------------


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """Names, tickets, descriptions and answers made to do harm are text in every form."""
    routes = many(len(HOSTILE)).assign(description=list(HOSTILE))
    script = HOSTILE[15] + HOSTILE[16] + HOSTILE[19] + HOSTILE[0]
    changes = [
        change
        for n, cell in enumerate(HOSTILE)
        for change in (
            StepChanged(9.0, n, "pending", "sent"),
            StepChanged(9.5, n, "sent", "failed", code=cell, message=cell, request_id=cell),
        )
    ]
    begun(tmp_path / "r.db", routes, changes, ticket=script, approved_by=script)
    record = vk.change_record(tmp_path / "r.db")
    page = record.html()
    assert not re.search("<script|<img|<b>x", page)
    assert html.escape(HOSTILE[16]) in page
    assert all(printable(line) == line for line in page.split("\n"))
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(record.markdown())
    assert not re.search(
        "<(?!/?(?:h1|h2|p|table|thead|tbody|tr|th|td|strong|code|blockquote))", shown
    )
    parts = Tables(shown).rows
    assert {len(cells) for _, cells in parts} <= {2, 5, 6, 8, 12}, "a cell became two"
    cells = [cell for row in csv.reader(io.StringIO(record.csv())) for cell in row if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]
    told = json.loads(record.json())
    assert told["approval"]["ticket"] == script
    assert [step["message"] for step in told["steps"]] == list(HOSTILE)


def test_a_large_rollout_is_cut_and_says_so(tmp_path: Path) -> None:
    """The page lists 2,000 steps, what failed among them; CSV and JSON have all."""
    failed = [
        StepChanged(9.0, 2_900, "pending", "sent"),
        StepChanged(9.5, 2_900, "sent", "failed", code="X.Y"),
    ]
    begun(tmp_path / "r.db", many(3_000), failed)
    record = vk.change_record(tmp_path / "r.db")
    shown = [cells for look, cells in Tables(record.html()).rows if look == "steps"]
    numbers = [int(cells[0]) for cells in shown if cells[0].isdecimal()]
    assert len(numbers) == 2_000
    assert 2_900 in numbers
    text = html.unescape(re.sub(r"<[^>]+>", "", record.html()))
    assert "This plan has 3,000 steps" in text
    assert "vcokit report r.db --output change.csv" in text
    assert len(record.csv().splitlines()) == 3_001
    assert "2,800 more steps" in record.markdown()


def test_an_approval_that_was_changed_by_hand_is_found(tmp_path: Path) -> None:
    """Approval and origin are sealed with the rest of what never changes."""
    begun(tmp_path / "r.db", many(1), [], approved_by="Chen Jing")
    assert vk.change_record(tmp_path / "r.db").facts["approval"]["approved_by"] == "Chen Jing"
    with closing(sqlite3.connect(tmp_path / "r.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = 'me' WHERE name = 'approved_by'")
    with pytest.raises(JournalError, match="seal"):
        vk.change_record(tmp_path / "r.db")


@pytest.mark.parametrize("name", ["origin", "runs", "listed", "created_at"])
@pytest.mark.parametrize(
    "text", ["", "7", "[7]", "{", '[{"began": "x"}]', '{"files": 7}', "[" * 999]
)
def test_a_damaged_journal_is_one_error(tmp_path: Path, name: str, text: str) -> None:
    """What nobody ever wrote is an error of the journal, and no traceback."""
    begun(tmp_path / "r.db", many(1), [], **({name: text} if name == "origin" else {}))
    with closing(sqlite3.connect(tmp_path / "r.db")) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, text))
    with pytest.raises(JournalError):
        vk.change_record(tmp_path / "r.db")


def test_a_plan_keeps_its_origin_through_a_file(tmp_path: Path) -> None:
    """The files and findings of a saved plan reach the record; the fingerprint knows neither."""
    routes = vk.read_routes(SMALL)
    none = schema.frame(schema.LIVE_ROUTES)
    plan = vk.plan_routes(routes, none, findings=vk.audit_routes(routes))
    assert plan.fingerprint == vk.plan_routes(routes, none).fingerprint
    plan.save(tmp_path / "p.jsonl")
    loaded = vk.Plan.load(tmp_path / "p.jsonl").only(connections=HANGZHOU)
    vk.Journal.create(tmp_path / "r.db", loaded, "id").close()
    facts: dict[str, Any] = dict(vk.change_record(tmp_path / "r.db").facts)
    assert list(facts["asked"]["files"]) == [str(SMALL)]
    assert facts["findings"] == plan.origin.findings


@pytest.mark.parametrize("given", [{"ticket": " "}, {"approved_by": 7}])
def test_what_is_no_approval_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    """Before anything is made."""
    routes = many(1)
    with vk.Simulator.for_routes(routes) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        with pytest.raises(InputError, match=next(iter(given))):
            vk.Rollout(plan, client, journal=tmp_path / "r.db", **given)
    assert not (tmp_path / "r.db").exists()


def test_the_name_of_the_file_tells_the_form(tmp_path: Path) -> None:
    """Each ending writes its own; another is refused, and names those that there are."""
    begun(tmp_path / "r.db", many(1), [])
    record = vk.change_record(tmp_path / "r.db")
    for ending, begins in {"html": "<", "MD": "# Change", "json": "{", "csv": "step,"}.items():
        record.write(tmp_path / f"change.{ending}")
        text = (tmp_path / f"change.{ending}").read_text("utf-8")
        assert text.strip().startswith(begins)
    with pytest.raises(InputError, match=r"\.html"):
        record.write(tmp_path / "change.pdf")
