"""Parts of a plan are plans; what they lose is a gap; what they show is harmless and true."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tests.rollout.test_plan import A, B, actions, live, routes
from vcokit.errors import InputError
from vcokit.rollout.journal import Journal
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.steps import Route

C = "vco-c"


def moving() -> Plan:
    """Return a plan that moves one network from A to B, and does something else on C."""
    wanted = routes((A, "10.0.0.0/8", 100), (B, "172.16.0.0/12", 100), (C, "10.1.2.0/24", 0))
    there = live((A, "10.0.0.0/8", 0), (A, "172.16.0.0/12", 100), (B, "10.9.0.0/16", 0))
    return plan_routes(wanted, there, prune=True, quota=50)


def kept(plan: Plan) -> list[tuple[str, str]]:
    """Return connection and destination of the steps."""
    steps = plan.frame()
    return list(zip(steps["vpn_connection_id"], steps["route_dest"], strict=True))


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"connections": A}, [0, 3]),
        ({"connections": [A, C]}, [0, 2, 3]),
        ({"regions": "r"}, [0, 1, 2, 3, 4]),
        ({"actions": "delete"}, [3, 4]),
        ({"actions": ["create", "modify"], "connections": A}, [0]),
        ({"networks": "10.0.0.0/8"}, [0, 2, 4]),
        ({"networks": ["10.1.0.0/16", "172.16.0.0/12"]}, [1, 2, 3]),
        ({"networks": []}, []),
    ],
)
def test_what_is_kept(chosen: dict, rows: list[int]) -> None:
    """All that is asked for must hold; steps are numbered anew, in their order."""
    whole = moving()
    part = whole.only(**chosen)
    assert kept(part) == [kept(whole)[row] for row in rows]
    assert part.frame()["step"].tolist() == list(range(len(rows)))
    assert [step.number for step in part.each()] == list(range(len(rows)))
    assert part.quota == 50
    assert (part.fingerprint == whole.fingerprint) == (len(rows) == 5)
    assert set(part.live["vpn_connection_id"]) <= set(part.frame()["vpn_connection_id"])


def test_what_is_asked_for_must_be_something() -> None:
    """An action or a network that is none, or a name that no step has, is no empty plan."""
    with pytest.raises(InputError, match=r"connection 'vco-a '.*such as 'vco-"):
        moving().only(connections=["vco-a", "vco-a "])
    with pytest.raises(InputError, match="region 'x'"):
        moving().only(regions="x")
    with pytest.raises(InputError, match="remove"):
        moving().only(actions="remove")
    with pytest.raises(InputError, match=r"10\.0\.0\.1/8"):
        moving().only(networks=["10.0.0.0/8", "10.0.0.1/8"])


def test_a_delete_without_its_make_is_a_gap() -> None:
    """What the whole plan would have made first is named; the whole plan has no gap."""
    whole = moving()
    assert whole.order.gaps == ()
    part = whole.only(actions="delete")
    (gap,) = part.order.gaps
    assert gap.steps == (0,)
    assert "delete 172.16.0.0/12 on vco-a" in gap.reason
    assert "create 172.16.0.0/12 on vco-b" in gap.reason
    assert whole.only(connections=[A, B]).order.gaps == ()
    assert whole.only(connections=C).order.gaps == ()


def test_what_was_lost_stays_lost() -> None:
    """A part of a part has the gaps of the steps that are left in it, by their numbers there."""
    part = moving().only(actions=["modify", "delete"])
    assert [gap.steps for gap in part.order.gaps] == [(1,)]
    assert [gap.steps for gap in part.only(actions="delete").order.gaps] == [(0,)]
    assert part.only(actions="modify").order.gaps == ()
    assert Plan.of(part.steps, part.live, part.meta()).order == part.order


def test_a_journal_keeps_what_was_lost(tmp_path: Path) -> None:
    """A rollout that is resumed knows quota and gaps, and its plan has the same fingerprint."""
    part = moving().only(actions="delete")
    with Journal.create(tmp_path / "a.db", part, "id") as journal:
        again = journal.plan()
    assert (again.quota, again.order) == (50, part.order)
    assert again.fingerprint == part.fingerprint


def test_a_standby_route_lost_is_no_gap() -> None:
    """A standby route covers nothing, so that its delete may go alone."""
    plan = plan_routes(
        routes((A, "10.0.0.0/8", 100), (B, "10.1.0.0/16", 0)),
        live((A, "10.1.0.0/16", 0)),
        prune=True,
    )
    assert plan.only(actions="delete").order.gaps == ()
    plan = plan_routes(
        routes((A, "10.0.0.0/8", 0), (B, "10.0.0.0/8", 0)), live((A, "10.0.0.0/8", 100))
    )
    assert plan.order.waits
    assert plan.only(actions="modify").order.gaps == ()


# -- looks --------------------------------------------------------------------------------------


def patched(old: list[str], diff: list[str]) -> list[str]:
    """Apply one file's unified diff, as the format says, every line of it checked."""
    new, at = [], 0
    lines = iter(diff)
    for head in lines:
        ranges = re.findall(r"[-+](\d+)(?:,(\d+))?", head)  # a length of 1 is left out
        (first, size), (to, count) = ((int(start), int(length or 1)) for start, length in ranges)
        first -= size > 0
        new += old[at:first]
        at = first
        assert len(new) == to - (count > 0)
        end_old, end_new = at + size, len(new) + count
        while at < end_old or len(new) < end_new:
            line = next(lines)
            if line[0] in " -":
                assert old[at] == line[1:]
                at += 1
            if line[0] in " +":
                new.append(line[1:])
    return new + old[at:]


def listed(plan: Plan, lane: str, table: set[Route]) -> list[str]:
    """Return a connection's routes as the diff writes them: by network, columns aligned."""
    both = plan.live_by_connection()[lane] | {
        s.after for s in plan.each() if s.after and s.vpn_connection_id == lane
    }
    dest, weight = (max(len(str(route[n])) for route in both) for n in (0, 2))
    ordered = sorted(table, key=lambda route: [int(part) for part in re.findall(r"\d+", route[0])])
    return [f"{r.route_dest:<{dest}}  {r.weight:>{weight}}  {r.next_hop}" for r in ordered]


@pytest.mark.parametrize("seed", range(20))
def test_the_diff_leads_from_live_to_planned(seed: int) -> None:
    """Applied to what a connection holds, the diff gives what it will hold; others have none."""
    rng = random.Random(seed)
    networks = [f"10.{n}.0.0/16" for n in range(rng.randint(1, 40))]
    some = lambda: [  # noqa: E731
        (A, net, rng.choice([0, 100])) for net in networks if rng.random() < rng.choice([0.2, 0.9])
    ]
    plan = plan_routes(
        routes((A, "8.0.0.0/8", 0), *some()), live(*some()), prune=True, max_delete=99
    )
    old = set(plan.live_by_connection()[A])
    new = {s.after for s in plan.each() if s.after}
    lines = plan.diff().splitlines()
    assert lines[:2] == [f"--- {A} (live)", f"+++ {A} (planned)"]
    assert patched(listed(plan, A, old), lines[2:]) == listed(plan, A, new)


def test_a_change_stands_among_three_lines_on_each_side() -> None:
    """Unchanged routes around a change are shown, as in any diff; far ones are not."""
    same = [(A, f"10.{n}.0.0/16", 0) for n in range(20)]
    plan = plan_routes(routes(*same, (A, "10.9.0.0/24", 100)), live(*same))
    shown = [f" {f'10.{n}.0.0/16':<12}    0  {A}" for n in range(7, 13)]
    shown.insert(3, f"+10.9.0.0/24   100  {A}")
    assert plan.diff().splitlines()[2:] == ["@@ -8,6 +8,7 @@", *shown]


def test_nothing_to_do_is_no_diff() -> None:
    """Where live is as wanted, the diff is empty."""
    assert plan_routes(routes((A, "10.0.0.0/8", 0)), live((A, "10.0.0.0/8", 0))).diff() == ""


def test_the_text_has_a_line_a_change() -> None:
    """By connection, each with its sign; what is blocked says why; the counts come last."""
    assert moving().text().splitlines() == [
        "vco-a (r)",
        "~ 10.0.0.0/8     0 -> 100",
        "- 172.16.0.0/12  100",
        "",
        "vco-b (r)",
        "+ 172.16.0.0/12  100",
        "- 10.9.0.0/16    0",
        "",
        "vco-c (r)",
        "+ 10.1.2.0/24  0",
        "",
        "Plan: 2 to create, 1 to modify, 2 to delete, 0 to keep, 0 blocked.",
    ]
    wanted = routes((A, "10.0.0.0/8", 0), (B, "10.0.0.0/8", 0), (B, "11.0.0.1/8", 0, C))
    wanted = wanted.assign(router=["r", "t", "t"], source=["a", "a", "b"], line=[2, 3, 2])
    plan = plan_routes(wanted.assign(description="Hub"), live((A, "10.0.0.0/8", 0)), scope="router")
    title, made, blocked, _, counts = plan.text().splitlines()
    assert (title, made) == ("vco-b (r, scope t)", "+ 10.0.0.0/8  0  Hub")
    assert blocked.startswith("! 11.0.0.0/8  0  via vco-c  b, line 2: host-bits-set: ")
    assert counts == "Plan: 1 to create, 0 to modify, 0 to delete, 1 to keep, 1 blocked."


def test_nothing_that_a_cell_holds_reaches_the_terminal() -> None:
    """Every step is one line of each view, whatever its cells hold, and Markdown stays a block."""
    wanted = routes((A, "10.0.0.0/8\x1b[31m", 100), (B, "10.0.0.0/8", 0))
    plan = plan_routes(wanted.assign(description="\x1b]0;x\x07\n````\n# head"), live())
    for text, lines in ((plan.text(), 7), (plan.markdown(), 11), (plan.table(), 7)):
        assert {letter for letter in text if not letter.isprintable()} == {"\n"}
        assert len(text.splitlines()) == lines
    assert sum(f" {action} " in plan.table() for action in actions(plan)) == 2
    counts, _, fingerprint, _, fence, *shown, end = plan.markdown().splitlines()
    assert fingerprint == f"Fingerprint: `{plan.fingerprint}`"
    assert counts == f"**{plan.text().splitlines()[-1]}**"
    assert (fence, end) == ("`````diff", "`````")
    assert shown == plan.text().splitlines()[:-2]


def test_a_long_plan_fits_into_a_comment() -> None:
    """Code hosts refuse comments beyond 64 KiB: what does not fit is counted, lines stay whole."""
    wanted = routes(*((A, f"10.{n // 256}.{n % 256}.0/24", 100) for n in range(4_000)))
    plan = plan_routes(wanted.assign(description="深圳" * 9), live())
    text = plan.markdown()
    assert len(text.encode()) < 60_000
    shown = [line for line in text.splitlines() if line.startswith("+ ")]
    assert shown == plan.text().splitlines()[1 : len(shown) + 1]
    assert f"{4_000 - len(shown):,} more lines" in text
    assert "4,000 to create" in text


def test_html_is_escaped() -> None:
    """What a cell holds cannot reach the notebook."""
    wanted = routes((A, "<script>1</script>", 100)).assign(description="<img src=x>")
    shown = plan_routes(wanted, live())._repr_html_()
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown


def test_html_shows_what_blocks_and_no_column_that_says_nothing() -> None:
    """However long the plan, some steps of each action are there, and why the last is blocked."""
    wanted = routes(
        *((A, f"10.{place}.0.0/16", 100) for place in range(200)), (B, "10.1.2.3/16", 0)
    )
    shown = plan_routes(wanted, live())._repr_html_()
    heads = re.findall(r"<th[^>]*>(\w+)</th>", shown)
    assert heads == [
        "row",
        "action",
        "region_id",
        "vpn_connection_id",
        "route_dest",
        "weight",
        "message",
    ]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in shown.split("<tr>")[2:]]
    assert [row[1] for row in rows] == ["create"] * 5 + ["blocked"]
    assert rows[-1][-1].startswith("host-bits-set")
    assert "195 more" in shown
    # Where the scope is not the region, or there are several files, that is said.
    of_two = plan_routes(
        wanted.assign(router="tr-1", source=["a.csv"] * 200 + ["b.csv"]), live(), scope="router"
    )
    assert {"scope", "source"} < set(re.findall(r"<th[^>]*>(\w+)</th>", of_two._repr_html_()))
