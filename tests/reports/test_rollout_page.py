"""The page of a rollout: harmless whatever the frames hold, whole whatever is missing."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pandas as pd
import pytest

import vcokit as vk
from tests.reports.samples import HEAD, HOSTILE, SMALL, hostile
from vcokit import schema
from vcokit._text import printable
from vcokit.reports.html import RolloutReport, rollout_page, write_rollout

STAMP = pd.Timestamp("2026-01-01", tz="UTC")


def report(routes: pd.DataFrame, **given: object) -> RolloutReport:
    """Return the report of a rollout of which all was sent, and one step has failed."""
    plan = vk.plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    columns = {name: column for name, column in plan.frame().items() if name in schema.STEPS}
    sends = plan.frame()["action"] != "blocked"
    states = ["done" if sent else "blocked" for sent in sends]
    states[states.index("done")] = "failed"
    stamps = pd.Series(STAMP, index=sends.index).where(sends)
    times = dict.fromkeys(("sent_at", "ended_at"), stamps)
    steps = schema.frame(schema.STEPS, columns | times | {"state": states})
    facts = {
        "title": "A rollout",
        "routes": routes,
        "findings": vk.audit_routes(routes),
        "plan": plan,
        "steps": steps,
        "calls": schema.frame(schema.CALLS),
        "differences": pd.DataFrame({"verdict": []}),
        "numbers": {"routes read": f"{len(routes):,}"},
    }
    return RolloutReport(**(facts | given))


def test_it_has_the_figures_and_loads_nothing(tmp_path: Path) -> None:
    """States, failed steps, verdicts, rules and two pictures, each light and dark, stand in it."""
    routes = vk.read_routes(SMALL)
    differences = pd.DataFrame({"verdict": ["as planned"] * 3 + ["missing"]})
    facts = report(routes, differences=differences)
    written = write_rollout(facts, tmp_path)
    assert [path.name for path in written] == [
        "report.html",
        "rollout_progress.png",
        "weight_distribution.png",
    ]
    page = written[0].read_text("utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert "content=\"default-src 'none';" in page
    assert not re.search(r"(?:src|href)=\"(?!data:)| style=|<script| on\w+=", page)
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    for words in ("failed 1", "Failed steps", "3 as planned, 1 missing", *facts.findings["rule"]):
        assert words in text


def test_hostile_text_is_text() -> None:
    """Cells made to do harm stand in the page as text; no control character is in it."""
    facts = report(vk.read_routes(SMALL))
    cells = [HOSTILE[n % len(HOSTILE)] for n in range(len(facts.steps))]
    names = ("vpn_connection_id", "route_dest", "code", "message", "request_id")
    steps = facts.steps.assign(state="failed", **dict.fromkeys(names, cells))
    facts = report(
        facts.routes,
        steps=steps,
        findings=vk.audit_routes(hostile()),
        title=HOSTILE[15],
        numbers={HOSTILE[16]: "1"},
    )
    page = rollout_page(facts, {})
    assert not re.search("<script|<img src=x|<b>x", page)
    assert all(printable(line) == line for line in page.split("\n"))


def test_nothing_was_sent() -> None:
    """A rollout that sent nothing, verified nothing and made no calls has a page all the same."""
    routes = vk.read_routes(SMALL)
    facts = report(routes)
    never = pd.Series(pd.NaT, index=facts.steps.index, dtype=schema.TIME)
    idle = facts.steps.assign(sent_at=never, ended_at=never, state="pending")
    page = rollout_page(report(routes, steps=idle, findings=facts.findings.iloc[:0]))
    assert page.count("data:image/png;base64,") == 2  # the routes alone
    assert "Nothing had to be sent." in page
    assert "Nothing found." in page
    for heading in ("Verified", "Failed steps", "Calls"):
        assert f"<h2>{heading}" not in page


@pytest.mark.parametrize("count", [1, 4])
def test_the_bar_of_states_is_full(count: int) -> None:
    """The parts of the bar lie side by side and add up to the whole."""
    rows = (f"cn-a,vco-a,10.{n}.0.0/16,vco-a,100,\n" for n in range(count))
    routes = vk.read_routes(f"{HEAD}\n{''.join(rows)}")
    parts = re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', rollout_page(report(routes), {}))
    right = 0.0
    for left, width in parts:
        assert float(left) == pytest.approx(right, abs=0.01)
        right += float(width)
    assert right == pytest.approx(100, abs=0.01)
