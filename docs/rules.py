"""Write `docs/rules.md`: every rule of the audit with an example that is really audited.

::

    vcokit.audit.rules.RULES ─┐
    EXAMPLES, below ──────────┼─▶ audit_routes, plan_routes ─▶ page() ─▶ docs/rules.md
"""

# ruff: noqa: E501 - prose is a line a paragraph, as on the page

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

import vcokit as vk
from vcokit import schema
from vcokit.audit.rules import RULES, Rule

PAGE: Final = Path(__file__).parent / "rules.md"
HEAD: Final = "RegionId,VpnConnectionId,RouteDest,NextHop,Weight"
_WIDE: Final = 120  # characters of a line that the page shows

OPENING: Final = """# The rules of an audit

Made by `python docs/rules.py` from the rules themselves: each example below was audited to write this page, and a test does it again. `vk.audit_routes(routes)` and `vcokit audit FILE` run them all; `rules=` picks some.

A finding names the row (`row`, `source`, `line`, `column`), the rule and its severity, says what is wrong (`message`) and what could stand there instead (`suggestion`), points to the other row where there is one (`related_row`, `related_line`), and gives the code that the cloud would answer if the rows were sent as they stand, in order (`api_code`).

| severity | means | in a plan |
|---|---|---|
| error | the cloud refuses the row, or takes it and harm follows | the row is blocked, with this reason; of repeats the first stands, of rows that contradict each other none |
| warning | somebody should look | the row is sent |
| info | worth knowing | the row is sent |

What the vendor does not document says "may". Rows that lack a value, or whose destination or weight cannot be read, take no part in the rules from `duplicate` down.

"""


@dataclass(frozen=True)
class Example:
    """Rows on which a rule says something.

    Parameters
    ----------
    rows : sequence of str
        Lines of a CSV under `HEAD`.
    why : str
        Why the rule is there, and what to do.
    given : mapping
        Arguments of `audit_routes`; frames are given as functions that make them.
    said : str
        How those arguments are written on the page.
    """

    rows: Sequence[str]
    why: str
    given: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    def routes(self) -> pd.DataFrame:
        """Return the rows as an inventory."""
        return vk.read_routes(io.StringIO("\n".join(self.lines()) + "\n"))

    def lines(self) -> list[str]:
        """Return the rows under their head, which names a description where there is one."""
        described = self.rows[0].count(",") > HEAD.count(",")
        return [HEAD + ",Description" * described, *self.rows]

    def findings(self, rule: str) -> pd.DataFrame:
        """Return what the rule says of the rows."""
        return vk.audit_routes(self.routes(), rules=[rule], **self.given)

    def plan(self) -> vk.Plan:
        """Return the plan of these rows."""
        known = {name: value for name, value in self.given.items() if name != "live"}
        live = self.given.get("live", schema.frame(schema.LIVE_ROUTES))
        return vk.plan_routes(self.routes(), live, **known)


def connections(*rows: tuple[str, str, bool]) -> pd.DataFrame:
    """Return live connections: id, region, whether attached."""
    frame = schema.frame(schema.LIVE_CONNECTIONS).reindex(range(len(rows)))
    ids, regions, attached = zip(*rows, strict=True)
    given = {"vpn_connection_id": ids, "region_id": regions, "attached": attached}
    frame = frame.assign(**{name: list(values) for name, values in given.items()})
    return frame.astype(schema.LIVE_CONNECTIONS)


def live(weight: int) -> pd.DataFrame:
    """Return one live route."""
    row = {"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a", "route_dest": "10.1.0.0/16"}
    row |= {"next_hop": "vco-a", "weight": weight, "route_entry_type": "custom"}
    frame = pd.DataFrame([row]).reindex(columns=list(schema.LIVE_ROUTES))
    return frame.astype(schema.LIVE_ROUTES)


_PLAIN: Final = "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,100"

EXAMPLES: Final[Mapping[str, Example]] = {
    "missing-value": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,,100"],
        "All five fields are required by the API. One finding names every empty one. `NA` or `null` in a cell is text, not absence. `read_routes(region=…)` fills the region of rows that name none.",
    ),
    "invalid-weight": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,vco-a,50"],
        "The API takes 0 and 100 and nothing between. `100.0` from a spreadsheet is read as 100; `0100`, `+100`, `1e2` and words are not guessed at. `read_routes(weights={'active': 100})` maps words.",
    ),
    "invalid-region": Example(
        ["cn_hangzhou,vco-a,10.1.0.0/16,vco-a,100"],
        "The region is part of the host name that a request goes to, so it has the form of one label of it (RFC 1035): a request for any other text cannot even be made.",
    ),
    "invalid-connection-id": Example(
        ["cn-hangzhou,Hangzhou-HQ,10.1.0.0/16,Hangzhou-HQ,100"],
        "An inventory that names connections by name is put right by `with_connection_ids(routes, connections)`; with `connections=` the finding says whose name it is.",
    ),
    "unknown-connection": Example(
        ["cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100"],
        "The id has the right form, and no live connection bears it: a typing error, another account, or a connection that is gone.",
        {"connections": connections(("vco-a", "cn-hangzhou", True))},
        "with live connections among which there is only vco-a",
    ),
    "wrong-region": Example(
        ["cn-beijing,vco-a,10.1.0.0/16,vco-a,100"],
        "Each region has its own endpoint: a call to the wrong one does not find the connection.",
        {"connections": connections(("vco-a", "cn-hangzhou", True))},
        "with a live connection vco-a in cn-hangzhou",
    ),
    "not-attached": Example(
        [_PLAIN],
        "Destination routes of this API belong to connections that are attached to a transit router. No code is documented for a write on another one.",
        {"connections": connections(("vco-a", "cn-hangzhou", False))},
        "with a live connection vco-a that is not attached",
    ),
    "region-mismatch": Example(
        [_PLAIN, "cn-beijing,vco-a,10.2.0.0/16,vco-a,100"],
        "A connection is in one region. Which of two is right, its first row decides; with `connections=` the cloud does.",
    ),
    "malformed-cidr": Example(
        ["cn-hangzhou,vco-a,192.30.252.0/255.255.252.0,vco-a,100"],
        "A destination is `a.b.c.d/len` in ASCII digits without leading zeros. A bare address, a dotted mask, full-width digits and blanks inside are told with what was probably meant; anything else without.",
    ),
    "ipv6-unsupported": Example(
        ["cn-hangzhou,vco-a,2400:3200::/32,vco-a,100"],
        "The parameter is documented as an IPv4 block. Whether IPv6 is refused is not documented.",
    ),
    "host-bits-set": Example(
        ["cn-hangzhou,vco-a,10.1.2.3/16,vco-a,100"],
        "Somebody meant either the network or the address: the suggestion is the network. Whether the cloud refuses it or clears the bits is not documented; were they cleared, the listing would show another destination than was asked for.",
    ),
    "default-route": Example(
        ["cn-hangzhou,vco-a,0.0.0.0/0,vco-a,100"],
        "The vendor's page refuses 0.0.0.0/0 as a destination.",
    ),
    "next-hop-mismatch": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,vco-b,100"],
        "In every documented call the next hop repeats the connection.",
    ),
    "shared-address-space": Example(
        ["cn-hangzhou,vco-a,100.64.0.0/16,vco-a,100"],
        "The vendor's page warns not to add routes to 100.64.0.0/10 or its subnets: connections may stop working. A shorter prefix that contains it is found as well. Were it accepted, nothing would tell you but the tunnel that falls.",
    ),
    "special-purpose": Example(
        ["cn-hangzhou,vco-a,169.254.0.0/16,vco-a,100"],
        "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 and 240.0.0.0/4 are loopback, link-local, multicast and reserved: hardly ever what lies behind a tunnel.",
    ),
    "description-too-long": Example(
        [f"{_PLAIN},{'杭州' * 400}"],
        "All parameters stand in the address of a request, percent-encoded: a Chinese letter takes nine bytes there. 6,000 bytes of description leave room for the others in an address of 8,000, which RFC 9110 asks everybody to support. How many characters the vendor allows is not documented (for policy routes it is 100).",
    ),
    "duplicate": Example(
        [_PLAIN, _PLAIN],
        "Same connection, network, next hop and weight. In a plan the first stands and the rest are blocked as repeats.",
    ),
    "weight-conflict": Example(
        [_PLAIN, "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,0"],
        "Which weight is right only you know: a plan blocks both rows, none wins by position.",
    ),
    "next-hop-conflict": Example(
        [_PLAIN, "cn-hangzhou,vco-a,10.1.0.0/16,vco-b,100"],
        "As with weights: a plan blocks both rows.",
    ),
    "already-live": Example(
        [_PLAIN],
        "The plan keeps it, and sends nothing.",
        {"live": live(100)},
        "with this very route among the live ones",
    ),
    "live-conflict": Example(
        [_PLAIN],
        "Another weight is changed in place (ModifyVcoRouteEntryWeight). Another next hop cannot be: that row is blocked.",
        {"live": live(0)},
        "with this route live at weight 0",
    ),
    "quota-exceeded": Example(
        [_PLAIN, "cn-hangzhou,vco-a,10.2.0.0/16,vco-a,100"],
        "Live routes count first, then rows that would be accepted, each route once. Without `quota=` there is one warning on the first row of a connection past 50, for the real number is not documented.",
        {"quota": 1},
        "with `quota=1`",
    ),
    "no-active-route": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,vco-a,0"],
        "A destination whose routes all stand by: often the active twin is a row with an error.",
    ),
    "equal-cost": Example(
        [_PLAIN, "cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100"],
        "Two connections are active for one destination: intended where traffic is to be spread, a mistake where one should stand by.",
    ),
    "covered": Example(
        ["cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100", _PLAIN],
        "Dropping the row changes no forwarding: the closest shorter network has exactly the same connections, next hops and weights, and a plan makes all of them. Where a row of the shorter network has an error, nothing is said until that is mended. `vcokit aggregate` does it for a whole inventory.",
    ),
    "more-specific": Example(
        ["cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100", "cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100"],
        "The longest prefix decides: this row takes its addresses away from a shorter one. The message says where traffic goes.",
    ),
}

_SHOWN: Final = ("line", "column", "message", "suggestion", "related_line", "api_code")


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """Return the page as Markdown."""
    sections = "\n".join(_section(rule, EXAMPLES[rule.name]) for rule in RULES)
    return f"{OPENING}{_overview()}\n\n{sections}"


def _overview() -> str:
    rows = (f"| [`{one.name}`](#{one.name}) | {one.severity} | {one.summary} |" for one in RULES)
    return "\n".join(("| rule | severity | says |", "|---|---|---|", *rows))


def _section(rule: Rule, example: Example) -> str:
    found = example.findings(rule.name)
    severities = sorted(set(found["severity"].astype(str)))
    named = ", ".join(severities)
    under = f", {example.said}" if example.said else ""
    rows = "\n".join(line if len(line) <= _WIDE else line[:_WIDE] + "…" for line in example.lines())
    return (
        f"## {rule.name}\n\n**{named}**: {rule.summary}\n\n{example.why}\n\n"
        f"```csv\n{rows}\n```\n\nFound{under}:\n\n{_table(found)}\n\nIn a plan: {example.plan()}.\n"
    )


def _table(found: pd.DataFrame) -> str:
    used = [name for name in _SHOWN if found[name].notna().any()]
    lines = ["| " + " | ".join(used) + " |", "|" + "---|" * len(used)]
    for row in found[used].itertuples(index=False):
        cells = ("" if pd.isna(cell) else str(cell) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
