"""The HTML of all views: one style sheet and a few elements; external text is always escaped.

Text and background use JupyterLab's colour variables, so light and dark themes work. Without them
they use those of VS Code, then those of the page (for example, of a saved notebook). Colours with a
meaning come from `vcokit.palette`.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

from vcokit._text import printable
from vcokit.palette import SEVERITIES, STATES
from vcokit.schema import ACTIONS

_TEXT: Final = "var(--jp-ui-font-color1,var(--vscode-editor-foreground,inherit))"
_MUTED: Final = "var(--jp-ui-font-color2,var(--vscode-descriptionForeground,#6e7781))"
_LINE: Final = "var(--jp-border-color2,var(--vscode-widget-border,#8885))"
_RAISED: Final = "var(--jp-layout-color2,var(--vscode-editorWidget-background,#8881))"

#: Columns of numbers, which are aligned to the right.
NUMBERS: Final = frozenset({"line", "rows", "step", "steps", *ACTIONS.categories})

#: The style sheet. Class ``s-done`` is the colour of the state done, ``v-error`` of the severity.
# A class is repeated if a front end has its own rules for the element, so that these rules win.
CSS: Final = (
    f".vco{{color:{_TEXT};font-size:13px;line-height:1.5;max-width:1100px;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif)}"
    ".vco.vco code,.vco .m{font-family:var(--jp-code-font-family,monospace);font-size:12px;"
    "background:none;color:inherit;padding:0}"
    f".vco .g{{color:{_MUTED}}}"
    ".vco .t{font-size:15px;font-weight:600;margin-right:8px}"
    f".vco .pill{{display:inline-block;padding:0 9px;border-radius:10px;border:1px solid {_LINE};"
    f"background:{_RAISED};font-weight:600;margin-right:8px}}"
    ".vco .bar{display:flex;height:16px;border-radius:4px;overflow:hidden;margin:7px 0 3px}"
    ".vco .bar>*{min-width:1px}"
    ".vco .key{display:inline-block;margin-right:14px;white-space:nowrap}"
    ".vco .key>i{display:inline-block;width:10px;height:10px;border-radius:2px;"
    "margin-right:5px;vertical-align:-1px}"
    ".vco .row{display:flex;flex-wrap:wrap;gap:4px 28px;margin-top:6px}"
    f".vco .stat>b{{font-size:15px}}.vco .stat>span{{color:{_MUTED};margin-left:6px}}"
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
    f".vco.vco th{{text-align:left;font-weight:600;color:{_MUTED};padding:3px 8px;height:20px;"
    f"border:none;border-bottom:1px solid {_LINE};background:none;white-space:nowrap}}"
    ".vco.vco td{text-align:left;padding:3px 8px;height:20px;border:none;"
    "overflow:hidden;text-overflow:ellipsis;white-space:nowrap}"
    ".vco.vco tbody tr:nth-child(even){background:#80808018}"
    ".vco.vco table.wrap td{white-space:normal;overflow-wrap:anywhere;vertical-align:top}"
    ".vco.vco table.bare thead{position:absolute;width:1px;height:1px;overflow:hidden;"
    "clip-path:inset(50%)}"
    f".vco-header{{border-bottom:1px solid {_LINE};box-sizing:border-box}}"
    f".vco-header.vco-header .jupyter-button{{background:none;box-shadow:none;color:{_MUTED};"
    "height:26px;line-height:26px;padding:0 8px;font-size:12px;font-weight:600;overflow:hidden}"
    ".vco-header.vco-header .jupyter-button:disabled{opacity:1}"
    f".vco-header.vco-header .jupyter-button:enabled:hover{{color:{_TEXT}}}"
    ".vco-header .vco-left{text-align:left}.vco-header .vco-right{text-align:right}"
    f".vco.vco tr.on td{{background:{STATES['sent']}40}}"
    f".vco.vco td.diff{{color:{SEVERITIES['error']};font-weight:600}}"
    ".vco.vco .n{text-align:right}"
    # The cells of members are elements of a saved notebook, or buttons whose words are `--s`.
    ".vco-members.vco-members{height:auto;max-width:1100px;margin:6px 2px;overflow:visible}"
    ".vco-members>div,.vco .members{display:grid;gap:6px;padding:3px;max-height:460px;"
    "grid-template-columns:repeat(auto-fill,minmax(150px,1fr));overflow-y:auto;flex:1 1 0;"
    "reading-flow:grid-order}"
    ".vco-members.vco-members .jupyter-button,.vco .member{display:block;box-sizing:border-box;"
    "width:auto;min-width:0;height:48px;margin:0;padding:4px 6px 9px;text-align:left;"
    f"line-height:17px;font-size:12px;font-weight:600;color:{_TEXT};box-shadow:none;"
    "overflow:hidden;text-overflow:ellipsis;white-space:nowrap;border-radius:3px;"
    f"border:1px solid {_LINE};border-left:4px solid var(--c);"
    f"background:linear-gradient(to right,{STATES['done']} var(--d,0%),"
    f"{STATES['failed']} 0 var(--f,0%),{STATES['skipped']} 0 var(--k,0%),{_LINE} 0)"
    f" 0 100%/100% 4px no-repeat {_RAISED}}}"
    ".vco-members.vco-members .jupyter-button:after{content:var(--s)}"
    ".vco-members.vco-members .jupyter-button:after,.vco .member>i{display:block;"
    f"font-style:normal;font-weight:400;color:{_MUTED}}}"
    ".vco-members.vco-members .mod-active{outline:2px solid currentcolor}"
    ".vco .long{max-height:330px;overflow-y:auto}"
    ".vco.vco h4{margin:10px 0 2px;font-size:13px;font-weight:600}"
    + "".join(
        f".vco .lanes>.f{pixels}{{border-bottom-width:{pixels}px}}" for pixels in range(1, 15)
    )
    + "".join(f".vco .s-{name}{{background:{colour}}}" for name, colour in STATES.items())
    + "".join(f".vco .v-{name}{{background:{colour}}}" for name, colour in SEVERITIES.items())
)


def escape(value: object) -> str:
    r"""Return a value as HTML text without any effect of its markup.

    Control characters are escaped. A missing value becomes an empty text.

    Examples
    --------
    >>> print(escape("<script>alert(1)</script>\x1b[31m"), escape(None))
    &lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m
    """
    return html.escape(printable(value), quote=True)


def wrap(*parts: str) -> str:
    """Return HTML wrapped in the element that the style sheet applies to."""
    return f'<div class="vco">{"".join(parts)}</div>'


def style_tag(more: str = "") -> str:
    """Return the style sheet as an element. Each view has one."""
    return f"<style>{CSS}{more}</style>"


def muted(words: str) -> str:
    """Return plain text in a muted colour."""
    return f'<span class="g">{escape(words)}</span>'


def stacked_bar(parts: Iterable[tuple[str, str, int]]) -> str:
    """Return a bar whose parts have widths in proportion to their numbers, with its legend.

    Parameters
    ----------
    parts : iterable of (str, str, int)
        CSS class of the colour, name, number. Parts with the number 0 are omitted.

    Examples
    --------
    >>> "flex-grow:3" in stacked_bar([("s-done", "done", 3), ("s-failed", "failed", 0)])
    True
    """
    bar = legend = ""
    for colour, name, number in parts:
        if number > 0:
            label = escape(name)
            bar += (
                f'<div class="{colour}" style="flex-grow:{number}" title="{label}: {number:,}">'
                "</div>"
            )
            legend += f'<span class="key"><i class="{colour}"></i>{label} <b>{number:,}</b></span>'
    return f'<div class="bar">{bar}</div><div>{legend}</div>'


def scroll_box(html: str) -> str:
    """Return HTML in a box that scrolls, so that a long table does not move the rest down."""
    return f'<div class="long">{html}</div>'


def stat(number: str, label: str, after: str = "") -> str:
    """Return a large number with its label, and HTML after it."""
    return f'<span class="stat"><b>{escape(number)}</b><span>{escape(label)}</span>{after}</span>'


def table(
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[object]],
    *,
    marked: int | None = None,
    multiline: bool = False,
    header: bool = True,
) -> str:
    """Return a table. Every cell is escaped and has its full text as a tooltip.

    Parameters
    ----------
    columns : sequence of (str, str)
        Name and width (CSS) of each column.
    rows : iterable of sequence
        Cells, of any type.
    marked : int, optional
        Position of a highlighted row.
    multiline : bool
        Whether long cells take several lines. If not, all rows have the same height.
    header : bool
        Whether the header is visible. Screen readers read it in any case.

    Examples
    --------
    >>> '<td title="&lt;b&gt;">&lt;b&gt;</td>' in table([("a", "9em")], [["<b>"]])
    True
    >>> '<td class="n" title="7">7</td>' in table([("line", "9em")], [[7]])
    True
    """
    widths = "".join(f'<col style="width:{width}">' for _, width in columns)
    kinds = [' class="n"' if name in NUMBERS else "" for name, _ in columns]
    names = "".join(
        f"<th{kind}>{escape(name)}</th>" for kind, (name, _) in zip(kinds, columns, strict=True)
    )
    body = "".join(
        f"<tr{' class=on' if place == marked else ''}>{''.join(map(_cell, kinds, cells))}</tr>"
        for place, cells in enumerate(rows)
    )
    names_of_classes = " ".join(["wrap"] * multiline + ["bare"] * (not header))
    return (
        f'<table class="{names_of_classes}"><colgroup>{widths}</colgroup>'
        f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(kind: str, value: object) -> str:
    shown = escape(value)
    return f'<td{kind} title="{shown}">{shown}</td>'
