"""One audit has one count, whoever says it."""

from __future__ import annotations

import re
from pathlib import Path

import vcokit as vk
from tests.cli.stage import ROOT


def test_one_audit_has_one_count(shell, tmp_path: Path) -> None:
    """Shell, JSON, HTML report, view and plot count the rows with a finding of each severity."""
    path = ROOT / "data" / "routes.csv"
    routes = vk.read_routes(path)
    findings = vk.audit_routes(routes)
    rows = {
        name: len(set(findings.loc[findings["severity"] == name, "row"]))
        for name in ("error", "warning", "info")
    }
    errors, warnings, infos = rows.values()
    assert f"{errors} with errors, {warnings} with warnings, {infos} with info" in re.sub(
        "<[^>]*>", "", vk.AuditView(routes, findings)._repr_mimebundle_()["text/html"]
    )
    title = vk.plots.findings_by_rule(findings).get_title("left").replace("\n", " ")
    counted = re.findall(r"(\d+) with (?:errors|warnings|info)", title)
    assert list(map(int, counted)) == [errors, warnings, infos]
    assert (
        f"{errors} rows with error, {warnings} rows with warning, {infos} rows with info"
        in shell("audit", path)[1]
    )
    page = tmp_path / "audit.html"
    shell("audit", path, "--format", "html", "--output", page)
    for number, name in zip(rows.values(), rows, strict=True):
        assert re.search(rf"<b>{number}</b>[^<]*{name}", page.read_text("utf-8")), name


def test_one_inventory_has_one_number_of_connections(shell, tmp_path: Path) -> None:
    """Demo, views, plot and HTML report count the ids that have the form of one, each once."""
    path = tmp_path / "routes.csv"
    ids = ("vco-a", "vco-b", "vco-a", "vpn-c", "vco_d", "", "vco-e")
    rows = (f"cn-hangzhou,{one},10.{n}.0.0/16,{one},100\n" for n, one in enumerate(ids))
    path.write_text(
        "region_id,vpn_connection_id,route_dest,next_hop,weight\n" + "".join(rows), "utf-8"
    )
    routes = vk.read_routes(path)
    with vk.Simulator.for_routes(routes) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        rollout = vk.Rollout(plan, client, journal=tmp_path / "rollout.db")
        views = {"PlanView": vk.PlanView(plan), "RolloutView": vk.RolloutView(rollout)}
        said = {name: view._repr_mimebundle_()["text/html"] for name, view in views.items()}
    said["plot"] = vk.plots.weight_distribution(routes).get_title("left")
    said["plot of the plan"] = vk.plots.weight_distribution(plan.frame()).get_title("left")
    page = tmp_path / "audit.html"
    shell("audit", path, "--format", "html", "--output", page)
    said["report"] = page.read_text("utf-8")
    said["demo"] = shell("demo", path, "--out", tmp_path / "out", "--speed", "1000")[1]
    assert {name: _connections(words) for name, words in said.items()} == dict.fromkeys(said, 3)


def _connections(said: str) -> int:
    """Return the one number of connections that a text tells."""
    number = re.search(r"(\d+)\s+connections|Connections <[^>]*>(\d+), one cell each", said)
    return int(number[1] or number[2]) if number else -1
