"""Write `docs/rules.md`: every rule of the audit, with an example that is audited here.

::

    vcokit.audit.rules.RULES ─┐
    EXAMPLES, below ──────────┼─▶ audit_routes, plan_routes ─▶ page() ─▶ docs/rules.md
"""

# ruff: noqa: E501 - each paragraph is one line, as on the page

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

`python docs/rules.py` writes this page from the rules themselves: it audits each example below, and a test repeats that. `vk.audit_routes(routes)` and `vcokit audit FILE` run all rules; `rules=` selects some.

A finding has these columns:

| columns | content |
|---|---|
| `row`, `source`, `line`, `column` | where it is: the row and the field |
| `rule`, `severity` | which rule found it |
| `message` | what is wrong |
| `suggestion` | a value to write there instead |
| `related_row`, `related_line` | the other row, if there is one |
| `api_code` | the code that the cloud would answer if the rows were sent as they are, in order |

| severity | means | in a plan |
|---|---|---|
| error | the cloud refuses the row, or accepts it and it does harm | the row is blocked, with this reason. Of duplicate rows the plan keeps the first; of rows that contradict each other it keeps none |
| warning | somebody should check it | the row is sent |
| info | good to know | the row is sent |

A message says "may" if the vendor does not document the behaviour. The rules from `duplicate` down ignore rows without a value, and rows whose destination or weight cannot be read.

"""


@dataclass(frozen=True)
class Example:
    """Rows for which a rule has a finding.

    Parameters
    ----------
    rows : sequence of str
        Lines of a CSV under `HEAD`.
    why : str
        Why the rule exists, and what to do.
    given : mapping
        Arguments of `audit_routes`.
    said : str
        What the page says about those arguments.
    """

    rows: Sequence[str]
    why: str
    given: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    def routes(self) -> pd.DataFrame:
        """Return the rows as an inventory."""
        return vk.read_routes(io.StringIO("\n".join(self.lines()) + "\n"))

    def lines(self) -> list[str]:
        """Return the rows under their header, which has a description if the rows have one."""
        described = self.rows[0].count(",") > HEAD.count(",")
        return [HEAD + ",Description" * described, *self.rows]

    def findings(self, rule: str) -> pd.DataFrame:
        """Return the findings of the rule for the rows."""
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
        "The API requires all five fields. One finding names all empty fields of a row. `NA` or `null` in a cell is text, not a missing value. `read_routes(region=…)` fills in the region of rows that have none.",
    ),
    "invalid-weight": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,vco-a,50"],
        "The API accepts only 0 and 100. `100.0` from a spreadsheet is read as 100. vcokit does not guess the meaning of `0100`, `+100`, `1e2` or words; `read_routes(weights={'active': 100})` maps words.",
    ),
    "invalid-region": Example(
        ["cn_hangzhou,vco-a,10.1.0.0/16,vco-a,100"],
        "The region is one label of the host name that a request goes to, so it must have the form of a label (RFC 1035). For any other text, no request can be made.",
    ),
    "invalid-connection-id": Example(
        ["cn-hangzhou,Hangzhou-HQ,10.1.0.0/16,Hangzhou-HQ,100"],
        "If an inventory has names of connections instead of ids, `with_connection_ids(routes, connections)` replaces them. With `connections=`, the finding says which connection has that name.",
    ),
    "unknown-connection": Example(
        ["cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100"],
        "The id has the right form, but no live connection has it. Possible reasons: a typing error, another account, or a connection that was deleted.",
        {"connections": connections(("vco-a", "cn-hangzhou", True))},
        "when the only live connection is vco-a",
    ),
    "wrong-region": Example(
        ["cn-beijing,vco-a,10.1.0.0/16,vco-a,100"],
        "Each region has its own endpoint. A call to the wrong region does not find the connection.",
        {"connections": connections(("vco-a", "cn-hangzhou", True))},
        "when the live connection vco-a is in cn-hangzhou",
    ),
    "not-attached": Example(
        [_PLAIN],
        "This API has destination routes only for connections that are attached to a transit router. The vendor documents no error code for a write on another connection.",
        {"connections": connections(("vco-a", "cn-hangzhou", False))},
        "when the live connection vco-a is not attached",
    ),
    "region-mismatch": Example(
        [_PLAIN, "cn-beijing,vco-a,10.2.0.0/16,vco-a,100"],
        "A connection is in one region. If its rows name several, the audit takes the region of its first row; with `connections=` it takes the region from the cloud.",
    ),
    "malformed-cidr": Example(
        ["cn-hangzhou,vco-a,192.30.252.0/255.255.252.0,vco-a,100"],
        "A destination is `a.b.c.d/len`, in ASCII digits without leading zeros. For a bare address, a dotted mask, full-width digits and blanks inside, the finding suggests what was probably meant. For other texts there is no suggestion.",
    ),
    "ipv6-unsupported": Example(
        ["cn-hangzhou,vco-a,2400:3200::/32,vco-a,100"],
        "The vendor documents the parameter as an IPv4 block, but not whether IPv6 is refused.",
    ),
    "host-bits-set": Example(
        ["cn-hangzhou,vco-a,10.1.2.3/16,vco-a,100"],
        "The author meant either the network or the address; the suggestion is the network. The vendor does not document whether the cloud refuses the destination or clears the bits. If it clears them, the listing shows another destination than the inventory.",
    ),
    "default-route": Example(
        ["cn-hangzhou,vco-a,0.0.0.0/0,vco-a,100"],
        "The vendor's page says that 0.0.0.0/0 is refused as a destination.",
    ),
    "next-hop-mismatch": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,vco-b,100"],
        "In every documented call the next hop is the connection itself.",
    ),
    "shared-address-space": Example(
        ["cn-hangzhou,vco-a,100.64.0.0/16,vco-a,100"],
        "The vendor's page warns not to add routes to 100.64.0.0/10 or its subnets, because connections may stop working. The rule also finds a shorter prefix that contains this network. If the cloud accepts such a route, the only sign is a tunnel that goes down.",
    ),
    "special-purpose": Example(
        ["cn-hangzhou,vco-a,169.254.0.0/16,vco-a,100"],
        "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 and 240.0.0.0/4 are loopback, link-local, multicast and reserved networks. They are almost never behind a tunnel.",
    ),
    "description-too-long": Example(
        [f"{_PLAIN},{'杭州' * 400}"],
        "All parameters are in the URL of a request, percent-encoded, where a Chinese character takes nine bytes. RFC 9110 recommends that everybody supports URLs of 8,000 bytes; 6,000 bytes for the description leave room for the other parameters. The vendor does not document how many characters are allowed (for policy routes it is 100).",
    ),
    "duplicate": Example(
        [_PLAIN, _PLAIN],
        "The rows have the same connection, network, next hop and weight. A plan keeps the first row and blocks the others as repeats.",
    ),
    "weight-conflict": Example(
        [_PLAIN, "cn-hangzhou,vco-a,10.1.0.0/16,vco-a,0"],
        "Only you know which weight is right. A plan blocks both rows; their order does not matter.",
    ),
    "next-hop-conflict": Example(
        [_PLAIN, "cn-hangzhou,vco-a,10.1.0.0/16,vco-b,100"],
        "A plan blocks both rows, as for a weight conflict.",
    ),
    "already-live": Example(
        [_PLAIN],
        "The plan keeps the route and sends nothing.",
        {"live": live(100)},
        "when this route is live",
    ),
    "live-conflict": Example(
        [_PLAIN],
        "A plan changes a different weight in place (ModifyVcoRouteEntryWeight). A next hop cannot be changed in place, so that row is blocked.",
        {"live": live(0)},
        "when this route is live with weight 0",
    ),
    "quota-exceeded": Example(
        [_PLAIN, "cn-hangzhou,vco-a,10.2.0.0/16,vco-a,100"],
        "Live routes count first, then the rows that would be accepted, each route once. The real quota is not documented. Without `quota=` there is one warning per connection, on its first row past 50.",
        {"quota": 1},
        "with `quota=1`",
    ),
    "no-active-route": Example(
        ["cn-hangzhou,vco-a,10.1.0.0/16,vco-a,0"],
        "All routes of this destination are standby. Often the row with the active route has an error.",
    ),
    "equal-cost": Example(
        [_PLAIN, "cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100"],
        "Two connections are active for one destination. This is right if you want to spread traffic, and a mistake if one of them should be standby.",
    ),
    "covered": Example(
        ["cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100", _PLAIN],
        "You can drop the row without any change of forwarding: the closest shorter network has exactly the same connections, next hops and weights, and the plan contains all of them. If a row of the shorter network has an error, there is no finding until you fix the error. `vcokit aggregate` drops such rows in a whole inventory.",
    ),
    "more-specific": Example(
        ["cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100", "cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100"],
        "The longest prefix decides, so the addresses of this row no longer follow the shorter network. The message says where the traffic goes.",
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
    return "\n".join(("| rule | severity | description |", "|---|---|---|", *rows))


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
