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
