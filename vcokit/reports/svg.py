"""A plot as an SVG element of a page: it uses the page's colours, loads nothing and runs nothing.

matplotlib writes styles as ``style="…"``, which the Content-Security-Policy of the page does not
allow. Here they become attributes. The colours of text, background and pending steps become those
of the page, so that the same picture fits a light page, a dark page and print. Letters are drawn as
outlines: no font is needed, and no text of an inventory becomes markup.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from vcokit._text import printable
from vcokit.palette import STATES
from vcokit.plots._style import rows_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH: Final = 6.4
#: Colours of a plot, and the page's colours that replace them; see `report.css`.
_INK: Final = "#1c2024"
_PAPER: Final = "#ffffff"
_OF_PAGE: Final = {
    _INK: "currentColor",
    _PAPER: "var(--paper)",
    STATES["pending"].lower(): "var(--pending)",
}
_LOOKS: Final[dict[str, Any]] = {
    "svg.fonttype": "path",
    "figure.facecolor": _PAPER,
    "axes.facecolor": _PAPER,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK
    ),
}


def picture(name: str, draw: Callable[[Axes], Axes], rows: int) -> Markup:
    """Return a plot as an ``<svg>`` element.

    Parameters
    ----------
    name : str
        Name of the plot, unique on the page: its ids begin with it.
    draw : callable
        Draws on the given axes.
    rows : int
        Number of rows of bars that must fit.

    Examples
    --------
    >>> from vcokit import plots, schema
    >>> str(picture("p", lambda ax: plots.rollout_progress(schema.frame(schema.STEPS), ax), 3))[:30]
    '<svg role="img" aria-label="0 '
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", {**_LOOKS, "svg.hashsalt": name}]):
        figure = Figure(figsize=(_WIDTH, rows_height(rows) + 0.7), layout="constrained")
        title = draw(figure.subplots()).get_title("left").replace("\n", " ")
        drawn = io.BytesIO()
        # Without a date and the software's name, the same plot gives the same text.
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(drawn.getvalue())  # noqa: S314 - matplotlib's own
    for unused in [each for each in root if _local(each.tag) == "metadata"]:
        root.remove(unused)
    for parent in root.iter():
        for sheet in [each for each in parent if _local(each.tag) == "style"]:
            parent.remove(sheet)
    for each in root.iter():
        _rewrite(each, name)
    box = root.attrib["viewBox"]
    root.attrib.clear()
    # As in the removed style sheet.
    root.attrib |= {
        "role": "img",
        "aria-label": printable(title),
        "viewBox": box,
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - escaped by the writer


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _rewrite(element: ET.Element, name: str) -> None:
    """Convert styles to attributes, and make ids unique among the pictures of the page."""
    element.tag = _local(element.tag)
    given = {_local(key): value for key, value in element.attrib.items()}
    for look in given.pop("style", "").split(";"):
        key, colon, value = look.partition(":")
        if colon:
            given[key.strip()] = value.strip()
    for key, value in given.items():
        if key in ("fill", "stroke"):
            given[key] = _OF_PAGE.get(value.lower(), value)
        elif key == "id":
            given[key] = f"{name}-{value}"
        elif key == "href":
            given[key] = f"#{name}-{value.removeprefix('#')}"
        elif value.startswith("url(#"):
            given[key] = value.replace("url(#", f"url(#{name}-")
        elif key == "d":
            given[key] = re.sub(r"\s+", " ", value).strip()
    element.attrib.clear()
    element.attrib.update(given)
    element.tail = element.text = None
