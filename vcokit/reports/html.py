"""HTML pages that need no network: an audit, and a rollout.

Both use the same templates. The colours, also of pictures, follow the reader's light or dark theme;
print is light. A Content-Security-Policy contains the digests of the page's style sheet and script:
nothing else runs, nothing is loaded and nothing is sent, whatever a cell of the inventory contains.
The page of an audit contains its findings as JSON, which its own script shows as text: search,
sort, print.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
import pandas as pd
from markupsafe import Markup

from vcokit._text import pluralize, printable
from vcokit.audit.columns import count_connections
from vcokit.audit.findings import by_rule
from vcokit.palette import SEVERITIES, STATES, STATES_ON_DARK
from vcokit.reports.escape import dump_json
from vcokit.reports.report import Report, to_list, to_records, worst
from vcokit.rollout.plan import Plan

_DPI: Final = 144
#: Width of a picture in inches; its text is readable when two pictures are side by side.
_WIDTH: Final = 6.4
#: Most connections in the picture of weights.
_CONNECTIONS: Final = 12
#: Most findings on the page of a rollout, the worst first.
_LISTED: Final = 1000
#: A field without its own column: it is shown below the message.
_BELOW: Final = "api_code"
#: Column of findings, its header, and the CSS classes of its cells.
_HEADERS: Final = (
    ("source", "File", "c f"),
    ("line", "Line", "n"),
    ("severity", "Severity", "s"),
    ("rule", "Rule", "c s"),
    ("column", "Field", "c s"),
    ("vpn_connection_id", "Connection", "c w"),
    ("route_dest", "Destination", "c d"),
    ("message", "Message", "m"),
    ("suggestion", "Suggestion", "c d"),
    (_BELOW, "", ""),
)


@dataclass(frozen=True)
class RolloutReport:
    """The content of the page of a rollout.

    Parameters
    ----------
    title : str
    routes, findings : DataFrame
        The inventory and its audit.
    plan : Plan
    steps, calls : DataFrame
        From `Rollout.frame` and `Rollout.calls`.
    differences : DataFrame
        From `verify_routes`, after the rollout; an empty frame if nothing was verified.
    numbers : mapping of str to str
        The figures at the top, by label.
    """

    title: str
    routes: pd.DataFrame
    findings: pd.DataFrame
    plan: Plan
    steps: pd.DataFrame
    calls: pd.DataFrame
    differences: pd.DataFrame
    numbers: Mapping[str, str]


@dataclass(frozen=True)
class _Picture:
    """A plot as PNG, for a light and for a dark page, and its title."""

    png: bytes
    png_on_dark: bytes
    says: str
    width: int
    height: int

    @property
    def light(self) -> str:
        return base64.b64encode(self.png).decode()

    @property
    def dark(self) -> str:
        return base64.b64encode(self.png_on_dark).decode()


def audit_page(report: Report) -> Iterator[str]:
    """Yield the page of an audit in parts."""
    environment = _environment()
    script = environment.get_template("audit.js").render()
    yield from environment.get_template("audit.html").generate(
        title="Audit of routes",
        **_style(environment),
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=_digest(script),
        data=Markup(_data(report)),  # noqa: S704 - see there
        routes=len(report.routes),
        sources=report.sources,
        notes=report.notes,
        rows=report.rows,
        rules=report.by_rule,
        total=len(report.findings),
        listed=len(report.listed),
        left_out=report.left_out,
        held_back=report.held_back,
        pictures=list(_audit_pictures(report)),
    )
    yield "\n"


def write_rollout(report: RolloutReport, folder: Path) -> list[Path]:
    """Write the page of a rollout, ``report.html``, and its pictures into a folder.

    Returns
    -------
    list of Path
        The written files, the page first. Pictures of an earlier rollout are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("weight_distribution", "rollout_progress"):
        (folder / f"{name}.png").unlink(missing_ok=True)
    pictures = _rollout_pictures(report)
    page = folder / "report.html"
    page.write_text(rollout_page(report, pictures), encoding="utf-8")
    written = [page]
    for name, picture in pictures.items():
        written.append(folder / f"{name}.png")
        written[-1].write_bytes(picture.png)
    return written


def rollout_page(report: RolloutReport, pictures: Mapping[str, Any] | None = None) -> str:
    """Return the page of a rollout, by default with its pictures."""
    environment = _environment()
    findings = report.findings.sort_values("severity", ascending=False, kind="stable")
    return environment.get_template("rollout.html").render(
        title=report.title,
        **_style(environment),
        script_hash="",
        numbers=report.numbers,
        fingerprint=report.plan.fingerprint,
        plan=str(report.plan),
        rules=by_rule(report.findings).to_dict("records"),
        findings=list(to_records(worst(findings, _LISTED))),
        findings_total=len(findings),
        failed=_rows(report.steps[report.steps["state"] == "failed"]),
        states=_state_bar(report.steps),
        sent=report.steps["sent_at"].notna().any(),
        calls=_calls(report.calls),
        verdicts=report.differences["verdict"].value_counts().to_dict()
        if len(report.differences)
        else {},
        pictures=list((_rollout_pictures(report) if pictures is None else pictures).values()),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vcokit.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "pluralize": pluralize, "commas": "{:,}".format}
    return environment


def _style(environment: jinja2.Environment) -> dict[str, str]:
    style = environment.get_template("report.css").render(
        colours={**STATES, **SEVERITIES}, pending_on_dark=STATES_ON_DARK["pending"]
    )
    return {"style": Markup(style), "style_hash": _digest(style)}  # noqa: S704 - our own file


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(report: Report) -> str:
    """Return the findings as JSON in which no tag and no comment can start or end."""
    headers = [one for one in _HEADERS if one[0] != "source" or len(report.sources) > 1]
    rows = [
        [
            printable(cell) if isinstance(cell, str) else cell
            for cell in (record[name] for name, _, _ in headers)
        ]
        for record in to_records(report.listed)
    ]
    data = {"heads": [{"name": n, "says": s, "look": k} for n, s, k in headers], "rows": rows}
    text = dump_json(data)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): to_list(frame[name]) for name in frame}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _state_bar(steps: pd.DataFrame) -> list[dict[str, Any]]:
    """Return each state of the steps: its name, the number of steps, and its part of the bar."""
    counts = steps["state"].value_counts()
    states, left = [], 0.0
    for name in STATES:
        if count := int(counts.get(name, 0)):
            width = 100 * count / len(steps)
            states.append(
                {"name": name, "count": count, "left": f"{left:.3f}", "width": f"{width:.3f}"}
            )
            left += width
    return states


def _calls(calls: pd.DataFrame) -> list[dict[str, Any]]:
    """Return per operation the number of calls, the number of failed calls, and their duration."""
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


def _audit_pictures(report: Report) -> Iterator[_Picture]:
    from vcokit import plots

    if len(report.findings):
        bars = len(report.by_rule)
        yield _picture(lambda ax: plots.findings_by_rule(report.findings, ax), bars)
    if len(report.routes):
        yield _weights(report.routes)


def _rollout_pictures(report: RolloutReport) -> dict[str, _Picture]:
    from vcokit import plots

    found = {}
    if report.steps["sent_at"].notna().any():
        found["rollout_progress"] = _picture(
            lambda ax: plots.rollout_progress(report.steps, ax), _CONNECTIONS
        )
    found["weight_distribution"] = _weights(report.steps[report.steps["action"] != "blocked"])
    return found


def _weights(routes: pd.DataFrame) -> _Picture:
    from vcokit import plots

    bars = min(count_connections(routes), _CONNECTIONS) + 1
    return _picture(lambda ax: plots.weight_distribution(routes, ax, top=_CONNECTIONS), bars)


def _picture(draw: Callable[[Any], Any], bars: int) -> _Picture:
    """Return a picture with room for a number of bars; for a dark page it is transparent."""
    from matplotlib import style
    from matplotlib.figure import Figure

    from vcokit.plots._style import rows_height

    height = rows_height(bars) + 0.7
    found = []
    for name in ("default", "dark_background"):
        with style.context(name):
            figure = Figure(figsize=(_WIDTH, height), layout="constrained")
            says = draw(figure.subplots()).get_title("left").replace("\n", " ")
            buffer = io.BytesIO()
            # Without the software's name and version, the same plot gives the same file.
            figure.savefig(
                buffer,
                format="png",
                dpi=_DPI,
                transparent=name != "default",
                metadata={"Software": None},
            )
        found.append(buffer.getvalue())
    light, dark = found
    return _Picture(light, dark, printable(says), round(_WIDTH * 96), round(height * 96))
