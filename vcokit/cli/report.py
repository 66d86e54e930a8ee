"""A rollout's report: one HTML file that needs no network, and the same plots as PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from vcokit import plots
from vcokit._text import printable
from vcokit.audit.findings import by_rule
from vcokit.palette import SEVERITIES, STATES
from vcokit.rollout.plan import Plan

#: Findings that the report lists; the worst come first.
_LISTED: Final = 1000
_DPI: Final = 120
_PICTURES: Final = ("weight_distribution", "rollout_progress")


@dataclass(frozen=True)
class Facts:
    """What a report is made of.

    Parameters
    ----------
    title : str
    routes, findings : DataFrame
        The inventory and its audit.
    plan : Plan
    steps, calls : DataFrame
        Of the rollout.
    differences : DataFrame
        From `verify_routes`, after the rollout.
    numbers : mapping of str to str
        The figures at the head, by what they say.
    """

    title: str
    routes: pd.DataFrame
    findings: pd.DataFrame
    plan: Plan
    steps: pd.DataFrame
    calls: pd.DataFrame
    differences: pd.DataFrame
    numbers: Mapping[str, str]


def write(facts: Facts, folder: Path) -> list[Path]:
    """Write report and plots into a folder.

    Returns
    -------
    list of Path
        What was written, the report first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PICTURES:
        (folder / f"{name}.png").unlink(missing_ok=True)
    standing = facts.steps[facts.steps["action"] != "blocked"]
    pictures = {
        "weight_distribution": _png(lambda ax: plots.weight_distribution(standing, ax), 6.2),
    }
    if facts.steps["sent_at"].notna().any():
        pictures["rollout_progress"] = _png(lambda ax: plots.rollout_progress(facts.steps, ax), 3.6)
    written = []
    for name, png in pictures.items():
        path = folder / f"{name}.png"
        path.write_bytes(png)
        written.append(path)
    page = folder / "report.html"
    page.write_text(render(facts, pictures), encoding="utf-8")
    return [page, *written]


def _png(draw: Callable[[Any], object], height: float) -> bytes:
    figure = Figure(figsize=(9.0, height), layout="constrained")
    draw(figure.subplots())
    buffer = io.BytesIO()
    # Without the software's name and version the same plot is the same file.
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def render(facts: Facts, pictures: Mapping[str, bytes]) -> str:
    """Return the report as HTML; whatever comes from outside is escaped."""
    environment = jinja2.Environment(
        # The look of pages stands with the formats: one for rollouts and for audits.
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("vcokit.cli"), jinja2.PackageLoader("vcokit.reports")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    findings = facts.findings.sort_values("severity", ascending=False, kind="stable")
    failed = facts.steps[facts.steps["state"] == "failed"]
    states = facts.steps["state"].value_counts()
    return environment.get_template("report.html").render(
        title=facts.title,
        numbers=facts.numbers,
        fingerprint=facts.plan.fingerprint,
        plan=str(facts.plan),
        rules=by_rule(facts.findings).to_dict("records"),
        findings=_records(findings.head(_LISTED)),
        findings_total=len(findings),
        failed=_records(failed),
        states=[(name, int(states.get(name, 0)), STATES[name]) for name in STATES],
        calls=_calls(facts.calls),
        verdicts=facts.differences["verdict"].value_counts().to_dict(),
        pictures={name: base64.b64encode(png).decode() for name, png in pictures.items()},
        colours=SEVERITIES,
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    objects = frame.astype("object")
    return [
        {str(name): value for name, value in row.items()}
        for row in objects.where(frame.notna(), None).to_dict("records")
    ]


def _calls(calls: pd.DataFrame) -> list[dict[str, Any]]:
    """Sum up calls by operation: how many, how many not answered well, how long they took."""
    rows = []
    for operation, part in calls.groupby("operation"):
        seconds = part["seconds"].dropna()
        rows.append(
            {
                "operation": operation,
                "calls": len(part),
                "not_ok": int((part["outcome"] != "ok").sum()),
                "median": f"{seconds.median() * 1000:.0f}" if len(seconds) else "",
                "slowest": f"{seconds.max() * 1000:.0f}" if len(seconds) else "",
            }
        )
    return rows
