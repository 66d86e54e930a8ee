"""How every view looks, and how text from outside gets into its HTML: escaped, always.

Colours of text and ground are JupyterLab's own variables, so that light and dark both work; where
there are none (other front ends, a saved page) VS Code's are taken, then those of the page itself.
Colours that mean something are those of `vcokit.palette`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

from vcokit._text import printable
from vcokit.palette import SEVERITIES, STATES
from vcokit.schema import ACTIONS

_TEXT: Final = "var(--jp-ui-font-color1,var(--vscode-editor-foreground,inherit))"
_GREY: Final = "var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#6e7781))"
_LINE: Final = "var(--jp-border-color2,var(--vscode-widget-border,#8885))"
_RAISED: Final = "var(--jp-layout-color2,var(--vscode-editorWidget-background,#8881))"

#: Columns of tables that hold numbers: they stand at the right, their ones in a line.
_NUMBERS: Final = frozenset({"line", "rows", "step", "steps", *ACTIONS.categories})

#: What the classes of this room's HTML mean; a class ``s-done`` is the state done, and so on.
# The class is named twice where a front end has rules of its own for the element: ours shall win.
CSS: Final = (
    f".vco{{color:{_TEXT};font-size:13px;line-height:1.5;max-width:1100px;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif)}"
    ".vco.vco code,.vco .m{font-family:var(--jp-code-font-family,monospace);font-size:12px;"
    "background:none;color:inherit;padding:0}"
    f".vco .g{{color:{_GREY}}}"
    ".vco .t{font-size:15px;font-weight:600;margin-right:8px}"
    f".vco .pill{{display:inline-block;padding:0 9px;border-radius:10px;border:1px solid {_LINE};"
    f"background:{_RAISED};font-weight:600;margin-right:8px}}"
    ".vco .bar{display:flex;height:16px;border-radius:4px;overflow:hidden;margin:7px 0 3px}"
    ".vco .bar>*{min-width:1px}"
    ".vco .key{display:inline-block;margin-right:14px;white-space:nowrap}"
    ".vco .key>i{display:inline-block;width:10px;height:10px;border-radius:2px;"
    "margin-right:5px;vertical-align:-1px}"
    ".vco .row{display:flex;flex-wrap:wrap;gap:4px 28px;margin-top:6px}"
    f".vco .fact>b{{font-size:15px}}.vco .fact>span{{color:{_GREY};margin-left:6px}}"
    ".vco .meter{display:inline-block;width:90px;height:6px;border-radius:3px;margin-left:8px;"
    f"vertical-align:2px;overflow:hidden;background:{_LINE}}}"
    f".vco .meter>i{{display:block;height:100%;background:{STATES['accepted']}}}"
    ".vco .lanes{display:flex;flex-wrap:wrap;gap:2px;margin:4px 0}"
    ".vco .lanes>i{width:14px;height:14px;border-radius:2px;"
    f"border-bottom:0 solid {STATES['settled']};box-sizing:border-box}}"
    f".vco .lanes>.d{{border-bottom-color:{STATES['done']}}}"
    ".vco .many>i{width:8px;height:8px;border-radius:1px}"
    ".vco.vco table{border-collapse:collapse;font-size:12px;margin:0;width:100%;"
    "table-layout:fixed;border:none}"
    f".vco.vco th{{text-align:left;font-weight:600;color:{_GREY};padding:3px 8px;height:20px;"
    f"border:none;border-bottom:1px solid {_LINE};background:none;white-space:nowrap}}"
    ".vco.vco td{text-align:left;padding:3px 8px;height:20px;border:none;"
    "overflow:hidden;text-overflow:ellipsis;white-space:nowrap}"
    ".vco.vco tbody tr:nth-child(even){background:#80808018}"
    ".vco.vco table.wrap td{white-space:normal;overflow-wrap:anywhere;vertical-align:top}"
    f".vco.vco tr.on td{{background:{STATES['sent']}40}}"
    f".vco.vco td.diff{{color:{SEVERITIES['error']};font-weight:600}}"
    ".vco.vco .n{text-align:right}"
    ".vco .long{max-height:330px;overflow-y:auto}"
    ".vco h4{margin:10px 0 2px;font-size:13px;font-weight:600}"
    + "".join(
        f".vco .lanes>.f{pixels}{{border-bottom-width:{pixels}px}}" for pixels in range(1, 15)
    )
    + "".join(f".vco .s-{name}{{background:{colour}}}" for name, colour in STATES.items())
    + "".join(f".vco .v-{name}{{background:{colour}}}" for name, colour in SEVERITIES.items())
)


def text(value: object) -> str:
    r"""Return a value as HTML that shows it and does nothing else.

    Control characters are spelt out, a missing value is empty.

    Examples
    --------
    >>> print(text("<script>alert(1)</script>\x1b[31m"), text(None))
    &lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m
    """
    return html.escape(printable(value), quote=True)


def page(*parts: str) -> str:
    """Return parts of HTML inside the element that the style sheet speaks of."""
    return f'<div class="vco">{"".join(parts)}</div>'


def sheet(more: str = "") -> str:
    """Return the style sheet as an element; a view holds it once."""
    return f"<style>{CSS}{more}</style>"


def grey(words: str) -> str:
    """Return plain words, less loud."""
    return f'<span class="g">{text(words)}</span>'


def stacked(parts: Iterable[tuple[str, str, int]]) -> str:
    """Return a bar of parts side by side, as wide as their numbers, with its legend.

    Parameters
    ----------
    parts : iterable of (str, str, int)
        Class of the colour, name, number; a part of none is left out.

    Examples
    --------
    >>> "flex-grow:3" in stacked([("s-done", "done", 3), ("s-failed", "failed", 0)])
    True
    """
    there = [(colour, name, number) for colour, name, number in parts if number > 0]
    bar = "".join(
        f'<div class="{colour}" style="flex-grow:{number}" title="{text(name)}: {number:,}"></div>'
        for colour, name, number in there
    )
    return f'<div class="bar">{bar}</div><div>{"".join(legend(*part) for part in there)}</div>'


def scrolled(html: str) -> str:
    """Return HTML in a box of its own, so that what is long does not push the rest away."""
    return f'<div class="long">{html}</div>'


def legend(colour: str, name: str, number: int) -> str:
    """Return one entry of a legend: a square, a name and a number."""
    return f'<span class="key"><i class="{colour}"></i>{text(name)} <b>{number:,}</b></span>'


def fact(number: str, words: str, after: str = "") -> str:
    """Return a number that stands out, what it is a number of, and HTML behind it."""
    return f'<span class="fact"><b>{text(number)}</b><span>{text(words)}</span>{after}</span>'


def table(
    heads: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[object]],
    *,
    marked: int | None = None,
    wrap: bool = False,
) -> str:
    """Return a table; every cell is escaped and says its whole text when pointed at.

    Parameters
    ----------
    heads : sequence of (str, str)
        Name and width (CSS) of each column.
    rows : iterable of sequence
        Cells, of anything.
    marked : int, optional
        Position of a row that stands out.
    wrap : bool
        Whether long cells take several lines; else all rows are of one height.

    Examples
    --------
    >>> '<td title="&lt;b&gt;">&lt;b&gt;</td>' in table([("a", "9em")], [["<b>"]])
    True
    >>> '<td class="n" title="7">7</td>' in table([("line", "9em")], [[7]])
    True
    """
    columns = "".join(f'<col style="width:{width}">' for _, width in heads)
    kinds = [' class="n"' if name in _NUMBERS else "" for name, _ in heads]
    head = "".join(
        f"<th{kind}>{text(name)}</th>" for kind, (name, _) in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f"<tr{' class=on' if place == marked else ''}>{''.join(map(_cell, kinds, cells))}</tr>"
        for place, cells in enumerate(rows)
    )
    wraps = ' class="wrap"' if wrap else ""
    return (
        f"<table{wraps}><colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _cell(kind: str, value: object) -> str:
    shown = text(value)
    return f'<td{kind} title="{shown}">{shown}</td>'
