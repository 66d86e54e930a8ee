"""HTML pages that need no network: an audit, and a change record.

Both use the same templates. The colours, also of pictures, follow the reader's light or dark theme;
print is light. A Content-Security-Policy contains the digests of the page's style sheet and script:
nothing else runs, nothing is loaded and nothing is sent, whatever a cell of the inventory contains.
The page of an audit contains its findings as JSON, which its own script shows as text: search,
sort, print. The page of a record has no script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import jinja2
import pandas as pd
from markupsafe import Markup

from vcokit._text import pluralize, printable
from vcokit.audit.columns import count_connections
from vcokit.palette import SEVERITIES, STATES, STATES_ON_DARK
from vcokit.reports import record_text
from vcokit.reports.escape import dump_json
from vcokit.reports.report import Report, to_records
from vcokit.reports.svg import picture
from vcokit.rollout.steps import Action

if TYPE_CHECKING:
    from vcokit.reports.record import ChangeRecord

#: Most rows in the picture of connections.
_CONNECTIONS: Final = 12
#: Most steps and connections on the page of a record, and most blocks of addresses. A browser would
#: need seconds to render a longer page, and nobody would read it.
_STEPS: Final = 2_000
_BLOCKS: Final = 100
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


def record_page(record: ChangeRecord) -> str:
    """Return the page of a change record."""
    facts, (plan_steps, calls) = record.facts, record.frames
    environment = _environment()
    environment.filters |= {
        "before": lambda step: record_text.weight(step, "before"),
        "after": lambda step: record_text.weight(step, "after"),
        "groups": _by_connection,
        "why": record_text.why,
        "ms": lambda seconds: "" if seconds is None else f"{seconds * 1000:,.0f}",
        "routes": record_text.routes,
    }
    ticket = facts["approval"]["ticket"]
    return environment.get_template("record.html").render(
        title=f"Change record: {ticket}" if ticket else "Change record",
        **_style(environment),
        script_hash="",
        facts=facts,
        look=_look(facts),
        summary=record_text.summary(facts),
        options=record_text.options(facts),
        remains=record_text.remains(facts),
        numbers=record_text.numbers(facts),
        members=facts.get("members", ()),
        states=_state_bar(facts["states"]),
        sent=facts["first_call_at"] is not None,
        pictures=list(_rollout_pictures(plan_steps, calls)),
        impact=facts["impact"]["blocks"][:_BLOCKS],
        failed=record_text.not_done(facts),
        blocks=_BLOCKS,
        connections=facts["connections"][:_STEPS],
        steps=record_text.listed_steps(facts, _STEPS),
        steps_total=sum(step["action"] != Action.KEEP for step in facts["steps"]),
    )


def _look(facts: Mapping[str, Any]) -> str:
    """Return the state that gives the colour of the whole record."""
    if facts["left"]:
        return "sent" if facts["state"] in ("running", "ready") else "skipped"
    return "failed" if {"failed", "skipped"} & facts["states"].keys() else "done"


def _by_connection(steps: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the steps of each connection, in the order of appearance."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for step in steps:
        place = (step["vpn_connection_id"] or "no connection", step["region_id"] or "")
        found.setdefault((step.get("member", ""), *place), []).append(step)
    for (member, name, region), group in found.items():
        yield {"member": member, "name": name, "region": region, "steps": group}


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
        colours={**STATES, **SEVERITIES},
        pending=STATES["pending"],
        pending_on_dark=STATES_ON_DARK["pending"],
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


def _state_bar(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return each state of the steps: its name, the number of steps, and its part of the bar."""
    states, left, total = [], 0.0, sum(counts.values())
    for name in STATES:
        if count := counts.get(name, 0):
            width = 100 * count / total
            states.append(
                {"name": name, "count": count, "left": f"{left:.3f}", "width": f"{width:.3f}"}
            )
            left += width
    return states


def _audit_pictures(report: Report) -> Iterator[Markup]:
    from vcokit import plots

    if len(report.findings):
        bars = len(report.by_rule)
        yield picture("rules", lambda ax: plots.findings_by_rule(report.findings, ax), bars)
    if len(report.routes):
        yield _weights(report.routes)


def _rollout_pictures(steps: pd.DataFrame, calls: pd.DataFrame) -> Iterator[Markup]:
    from vcokit import plots

    if steps["sent_at"].notna().any():
        yield picture("progress", lambda ax: plots.rollout_progress(steps, ax), _CONNECTIONS)
        lanes = min(count_connections(steps[steps["sent_at"].notna()]), _CONNECTIONS) + 1
        yield picture(
            "lanes",
            lambda ax: plots.lane_timeline(steps, ax, calls=calls, top=_CONNECTIONS),
            lanes,
        )
    yield _weights(steps[steps["action"] != "blocked"])


def _weights(routes: pd.DataFrame) -> Markup:
    from vcokit import plots

    bars = min(count_connections(routes), _CONNECTIONS) + 1
    return picture(
        "weights", lambda ax: plots.weight_distribution(routes, ax, top=_CONNECTIONS), bars
    )
