"""Findings as one HTML page that needs no network: search, sort, pictures, fit to be printed.

The page holds its data as JSON, which its own script shows as text. A Content-Security-Policy
names the digests of that script and of the style sheet: nothing else runs, nothing is loaded, and
nothing is sent, whatever a cell of the inventory holds. Light and dark follow the reader.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import jinja2
from markupsafe import Markup

from vcokit._text import pluralize, printable
from vcokit.audit.columns import count_connections
from vcokit.palette import SEVERITIES
from vcokit.reports.escape import dump_json
from vcokit.reports.report import Report, to_records

_DPI: Final = 144
#: Size of a picture, inches; wide enough that its letters are readable beside another.
_WIDTH: Final = 6.4
#: Has no column of its own: it stands below the message.
_BELOW: Final = "api_code"
#: Column of findings, head, classes of the cells.
_HEADS: Final = (
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
    """Yield the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vcokit.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "pluralize": pluralize}
    yield from environment.get_template("audit.html").generate(**_facts(environment, report))
    yield "\n"


def _facts(environment: jinja2.Environment, report: Report) -> dict[str, Any]:
    style = "".join(
        environment.get_template(name).render(colours=SEVERITIES)
        for name in ("page.css", "audit.css")
    )
    script = environment.get_template("audit.js").render()
    return {
        "style": Markup(style),  # noqa: S704 - our own files
        "script": Markup(script),  # noqa: S704
        "style_hash": _digest(style),
        "script_hash": _digest(script),
        "data": Markup(_data(report)),  # noqa: S704 - see there
        "routes": len(report.routes),
        "sources": report.sources,
        "notes": report.notes,
        "rows": report.rows,
        "rules": report.by_rule,
        "total": len(report.findings),
        "listed": len(report.listed),
        "left_out": report.left_out,
        "held_back": report.held_back,
        "pictures": list(_pictures(report)),
    }


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(report: Report) -> str:
    """Return the findings as JSON in which no tag and no comment can begin or end."""
    heads = [head for head in _HEADS if head[0] != "source" or len(report.sources) > 1]
    rows = [[_cell(record[name]) for name, _, _ in heads] for record in to_records(report.listed)]
    data = {"heads": [{"name": n, "says": s, "look": k} for n, s, k in heads], "rows": rows}
    text = dump_json(data)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _cell(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _pictures(report: Report) -> Iterator[dict[str, Any]]:
    from vcokit import plots

    if len(report.findings):
        yield _picture(lambda ax: plots.findings_by_rule(report.findings, ax), len(report.by_rule))
    if len(report.routes):
        connections = min(count_connections(report.routes) + 1, 13)
        yield _picture(lambda ax: plots.weight_distribution(report.routes, ax, top=12), connections)


def _picture(draw: Callable[[Any], Any], bars: int) -> dict[str, Any]:
    """Return a picture, light and dark, and what it says."""
    from matplotlib import style

    from vcokit.plots._style import rows_height

    height = rows_height(bars) + 0.7
    with style.context("default"):
        light, says = _png(draw, height)
    with style.context("dark_background"):
        dark, _ = _png(draw, height)
    size = {"width": round(_WIDTH * 96), "height": round(height * 96)}
    return {"light": light, "dark": dark, "says": printable(says), **size}


def _png(draw: Callable[[Any], Any], height: float) -> tuple[str, str]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    says = draw(figure.subplots()).get_title("left").replace("\n", " ")
    buffer = io.BytesIO()
    # Without the software's name and version the same plot is the same file.
    figure.savefig(buffer, format="png", dpi=_DPI, transparent=True, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode(), says
