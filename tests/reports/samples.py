"""Inventories for the formats: every rule, and cells made to do harm."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import vcokit as vk

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "data" / "routes-small.csv"
HEAD = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight,Description"

#: Cells made to do harm in a terminal, a log, XML, HTML, Markdown, a spreadsheet or a plot.
HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "[bold red]x[/]",
    "line\nfeed\r\nand\rreturn",
    "\ufffe\uffff\x00\x0b\x85\u2028",
    "a\u202eb\u200bc\U000e0041",
    '=HYPERLINK("http://x","y")',
    "+1",
    "-1+1",
    "@SUM(A1)",
    "'=1",
    "\t=1",
    "\r=1",
    "\n=1",
    "]]>",
    "--><!--",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "$\\frac{1}{0}$ $x",
    "{{ 7*7 }} {% raw %} {0}",
    "[click](http://x) ![i](http://x)",
    "a|b\\|c\\",
    "`code` ``two``` ",
    "@everyone #1 www.example.com :tada: 0123456789abcdef",
    "主机 𝔘 é",
    "&lt;b&gt; &#60;",
    '"quoted", "twice""',
    "   ",
)


def audited(routes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return findings and routes, as the writers take them."""
    return vk.audit_routes(routes), routes


def hostile(cells: tuple[str, ...] = HOSTILE) -> pd.DataFrame:
    """Return routes whose text cells are hostile, a row a cell, from hostile files."""
    size = len(cells)
    return pd.DataFrame(
        {
            "region_id": list(cells),
            "vpn_connection_id": list(reversed(cells)),
            "route_dest": list(cells),
            "next_hop": "vco-a",
            "weight": pd.array([None] * size, dtype="Int64"),
            "weight_text": list(cells),
            "description": list(cells),
            "source": pd.Categorical([f"dir/{cell}.csv" for cell in cells]),
            "line": pd.array(range(2, size + 2), dtype="Int64"),
        }
    )
