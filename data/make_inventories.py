"""Make the inventories of this folder from published prefixes: always the same bytes.

``python data/make_inventories.py`` writes them beside itself, ``--check`` compares instead.

==================  =======================================================================
`routes.csv`        an engineer's inventory: some 2,400 routes, about 3 % of them mistaken
`routes-small.csv`  the same at a glance: 40 routes, each mistake named in its description
`routes-zh.csv`     the small one as a Chinese export: GB18030, semicolons, CRLF
==================  =======================================================================

A site has two connections, active and standby, or two that share the load; some have one. The
mistakes stand in `SPOILT` and `ADDED`, by the rule of the audit that speaks of them. These share
one stream of chance: one more of them would move them all. So a new kind goes to the end of
`LATER`, where each kind has a stream of its own, and every other row stays as it is.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(__file__).parent
SEED = 42271
FULL_WIDTH = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
WIDE_100 = "100".translate(FULL_WIDTH)
ID_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789"

HEADS = ("RegionId", "VpnConnectionId", "RouteDest", "NextHop", "Weight", "Description")
HEADS_ZH = ("地域ID", "IPsec连接ID", "目标网段", "下一跳", "权重", "描述")

# Region: how ids of its resources begin, its sites (see ROLES), their towns.
REGIONS = {
    "cn-hangzhou": (
        "bp1",
        "PPPSPPPPLSPPSP",
        "Hangzhou/杭州|Shanghai/上海|Ningbo/宁波|Nanjing/南京|Suzhou/苏州|Wenzhou/温州|Hefei/合肥|"
        "Xiamen/厦门|Fuzhou/福州|Wuxi/无锡|Jiaxing/嘉兴|Shaoxing/绍兴|Jinhua/金华|Taizhou/台州",
    ),
    "ap-southeast-1": (
        "t4n",
        "PPLPSPPPPFPSP",
        "Singapore|Jurong|Changi|Kuala Lumpur|Johor Bahru|Penang|Jakarta|Surabaya|Bangkok|Manila|"
        "Cebu|Hanoi|Da Nang",
    ),
    "eu-central-1": (
        "gw8",
        "PPPPSPLPPSP",
        "Frankfurt|Munich|Berlin|Hamburg|Stuttgart|Cologne|Zurich|Vienna|Prague|Warsaw|Milan",
    ),
}
# A site's connections, each with its role, in Chinese, and weight: a pair, two lines that share
# the load, a single one, and a single one that is full.
ROLES = {
    "P": (("primary", "主用", "100"), ("backup", "备用", "0")),
    "L": (("line 1", "线路1", "100"), ("line 2", "线路2", "100")),
    "S": (("", "", "100"),),
    "F": (("", "", "100"),),
}
FULL = 55  # routes of the full one: more than the quota of 50

# Who is reached: name, in Chinese, and how many sites out of 24 reach it first.
PROVIDERS = {
    "amazon": ("Amazon", "亚马逊", 7),
    "microsoft": ("Microsoft", "微软", 6),
    "google": ("Google", "谷歌", 4),
    "oracle": ("Oracle", "甲骨文", 3),
    "digitalocean": ("DigitalOcean", "DigitalOcean", 2),
    "vultr": ("Vultr", "Vultr", 1),
    "linode": ("Linode", "Linode", 1),
}
# What part of the published prefixes comes into question, by length: few are long.
SHARES = {12: 1.0, 18: 0.7, 24: 0.35, 25: 0.05, 29: 0.0}  # from this length on

# Rule, cells of a good route, what is put into all of them; {a} to {d} are its octets.
SPOILT = (
    ("missing-value", "region", ("",)),
    ("missing-value", "region weight", ("",)),
    ("missing-value", "connection", ("",)),
    ("missing-value", "connection next_hop", ("",)),
    ("missing-value", "dest", ("",)),
    ("missing-value", "next_hop", ("", "\u3000")),
    ("missing-value", "weight", ("", " ")),
    ("invalid-weight", "weight", ("50", "10", "abc", "0100", "+100", "1e2", WIDE_100)),
    ("invalid-connection-id", "connection next_hop", ("vpn-{tail}", "{tail}")),
    ("invalid-connection-id", "connection", ("vco_{tail}",)),
    ("region-mismatch", "region", ("{elsewhere}", "{elsewhere}", "{region}-b")),
    ("malformed-cidr", "dest", ("{address}", "{address}", "{wide}", "{wide}", "see NET-2381")),
    ("malformed-cidr", "dest", ("{address}/{network.netmask}", "{address}/{network.netmask}")),
    ("malformed-cidr", "dest", ("{address} /{length}", "{a}. {b}.{c}.{d}/{length}")),
    ("malformed-cidr", "dest", ("{a}.0.0.0/08", "{a}.256.0.0/16", "{address}/33")),
    ("malformed-cidr", "dest", ("{a:03}.{b:03}.{c:03}.{d:03}/{length}",)),
    ("malformed-cidr", "dest", ("{address}-{network.broadcast_address}",)),
    ("host-bits-set", "dest", ("{network[1]}/{length}", "{network[1]}/{length}")),
    ("host-bits-set", "dest", ("{network.broadcast_address}/{length}",)),
    ("next-hop-mismatch", "next_hop", ("169.254.10.1", "169.254.12.1", "vco-{tail:.20}")),
    ("no-active-route", "weight", ("0", "0", "0")),
    # What reading puts right, and descriptions that nobody should run, are no mistakes.
    ("", "dest", ("\u00a0{dest}", "{dest}\u3000", "\u200b{dest}")),
    ("", "connection", ("{connection}\u200b",)),
    ("", "connection next_hop", ("{upper}", "{upper}")),
    ("", "next_hop", ("{upper}",)),
    ("", "region", (" {region} ",)),
    ("", "weight", ("{weight}.0", "{weight}.0")),
    ("", "description", ("<script>alert(1)</script>", '=HYPERLINK("http://example.com")')),
    ("", "description", ("+49 69 0000 0000, call first", "-- until NET-2502", "@noc: keep")),
)

# Kinds of mistakes that came later, as in `SPOILT`; new ones at the end.
LATER: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

# Routes that came in later, at the end of their connection's; cells not named are of a good one.
ADDED = (
    ("duplicate", {}),
    ("duplicate", {}),
    ("duplicate", {"description": "added for NET-2417"}),
    ("duplicate", {"dest": "{network[1]}/{length}", "description": "added for NET-2417"}),
    ("weight-conflict", {"weight": "{other_weight}"}),
    ("weight-conflict", {"weight": "{other_weight}", "description": "failover test, NET-2466"}),
    ("weight-conflict", {"weight": "{other_weight}", "description": ""}),
    ("next-hop-conflict", {"next_hop": "169.254.10.1"}),
    ("next-hop-conflict", {"next_hop": "vco-{tail:.20}"}),
    ("ipv6-unsupported", {"dest": "2606:4700::/32", "description": "Cloudflare, IPv6"}),
    ("ipv6-unsupported", {"dest": "2400:cb00::/32", "description": "Cloudflare, IPv6"}),
    ("ipv6-unsupported", {"dest": "2001:4860::/32", "description": "Google, IPv6"}),
    ("default-route", {"dest": "0.0.0.0/0", "description": "everything else"}),
    ("default-route", {"dest": "0.0.0.0/0", "description": "internet breakout, to be agreed"}),
    ("shared-address-space", {"dest": "100.64.0.0/10", "description": "carrier NAT"}),
    ("shared-address-space", {"dest": "100.100.0.0/16", "description": "cloud services"}),
    ("special-purpose", {"dest": "169.254.0.0/16", "description": "tunnel inside addresses"}),
    ("special-purpose", {"dest": "224.0.0.0/4", "description": "multicast"}),
)

# Connection, destination, next hop, weight, description in English and Chinese; A to F are ids.
SMALL_REGIONS = dict.fromkeys("AB", "cn-hangzhou") | dict.fromkeys("CDEF", "eu-central-1")
SMALL = """
A | 8.8.8.0/24                 | A | 100 | Google DNS, primary        | 谷歌DNS 主用
A | 8.8.4.4                    | A | 100 | bare address               | 缺少掩码长度
A | 140.82.112.0/20            | A | 100 | GitHub, primary            | GitHub 主用
A | 192.30.252.0/255.255.252.0 | A | 100 | dotted mask                | 点分十进制掩码
A | 185.199.108.0/22           | A | 100 | GitHub Pages, primary      | GitHub Pages 主用
A | 104.16.0.0/13              | A | 100 | Cloudflare, primary        | Cloudflare 主用
A | 172.64.0.0/13              |   | 100 | next hop missing           | 缺少下一跳
A | 140.82.112.0/20            | A | 100 | typed twice                | 重复录入
B | 8.8.8.0/24                 | B | 0   | Google DNS, backup         | 谷歌DNS 备用
B | 8.8.4.0/24                 | B | 0   | Google DNS, backup         | 谷歌DNS 备用
B | 140.82.112.0/20            | B | 0   | GitHub, backup             | GitHub 备用
B | 192.30.252.0/22            | B | 0   | GitHub, backup             | GitHub 备用
B | 185.199.108.1/22           | B | 0   | host bits set              | 主机位不为零
B | 104.16.0.0/13              | B | 0   | Cloudflare, backup         | Cloudflare 备用
B | 172.64.0.0/13              | B | 0   | Cloudflare, backup         | Cloudflare 备用
C | 3.120.0.0/14               | C | 100 | Amazon, primary            | 亚马逊 主用
C | 18.192.0.0/15              | C | 100 | Amazon, primary            | 亚马逊 主用
C | 18.192.142.0/23            | C | 100 | inside 18.192.0.0/15       | 已含于18.192.0.0/15
C | 52.29.0.0/16               | C | 50  | weight is 100 or 0         | 权重只能是100或0
C | 35.246.128.0/17            | C | 100 | Google, primary            | 谷歌 主用
C | 51.116.0.0/16              | C | 100 | Microsoft, primary         | 微软 主用
C | 130.61.64.0/18             | C | 100 | Oracle, primary            | 甲骨文 主用
C | 0.0.0.0/0                  | C | 100 | default route              | 默认路由
D | 3.120.0.0/14               | D | 0   | Amazon, backup             | 亚马逊 备用
D | 18.192.0.0/15              | D | 0   | Amazon, backup             | 亚马逊 备用
D | 18.192.142.0/23            | D | 0   | inside 18.192.0.0/15       | 已含于18.192.0.0/15
D | 52.29.0.0/16               | D | 0   | Amazon, backup             | 亚马逊 备用
D | 35.246.128.0/17            | D | 0   | Google, backup             | 谷歌 备用
D | 51.116.0.0/16              | D | 0   | Microsoft, backup          | 微软 备用
D | 130.61.64.0/18             | D | 0   | Oracle, backup             | 甲骨文 备用
D | 35.246.128.0/17            | D | 100 | other weight than above    | 与上文权重不一致
E | 46.101.128.0/17            | E | 100 | DigitalOcean, line 1       | DigitalOcean 线路1
E | 95.179.128.0/20            | E | 100 | Vultr, line 1              | Vultr 线路1
E | 51.116.128.0/18            | E | 100 | part of Microsoft, line 1  | 微软部分网段 线路1
E | 130.61.128.0/17            | F | 100 | next hop is the other line | 下一跳是另一条线路
E | 100.64.0.0/10              | E | 100 | shared address space       | 共享地址段
F | 46.101.128.0/17            | F | 100 | DigitalOcean, line 2       | DigitalOcean 线路2
F | 95.179.128.0/20            | F | 100 | Vultr, line 2              | Vultr 线路2
F | 51.116.128.0/18            | F | 100 | part of Microsoft, line 2  | 微软部分网段 线路2
F | 130.61.128.0/17            | F | 100 | Oracle, line 2             | 甲骨文 线路2
"""


@dataclass(frozen=True)
class Row:
    """A row of an inventory, all text; `mistake` is the rule that speaks of it, or nothing."""

    region: str
    connection: str
    dest: str
    next_hop: str
    weight: str
    description: str
    mistake: str = ""


# Chance comes by Random.random alone, which stays the same from one Python to the next.


def pick(rng: Random, items: Sequence) -> Any:
    """Return one of the items."""
    return items[int(rng.random() * len(items))]


def shuffled(rng: Random, items: Iterable) -> list:
    """Return the items in another order."""
    return sorted(items, key=lambda _: rng.random())


def connection_id(rng: Random, region: str) -> str:
    """Return an id such as the cloud gives."""
    return f"vco-{REGIONS[region][0]}" + "".join(pick(rng, ID_SIGNS) for _ in range(18))


def published() -> dict[str, list[IPv4Network]]:
    """Return the networks that each provider publishes, each once, in order."""
    found: dict[str, set[IPv4Network]] = {}
    with gzip.open(FOLDER / "cloud-ipv4-prefixes.csv.gz", "rt", encoding="ascii") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["provider"], set()).add(IPv4Network(row["prefix"]))
    return {provider: sorted(networks) for provider, networks in found.items()}


def pool_of_region(rng: Random, networks_of: dict) -> dict[str, list[IPv4Network]]:
    """Return the networks that the sites of a region share out, each at one provider only."""
    pool: dict[str, list[IPv4Network]] = {}
    seen: set[IPv4Network] = set()
    for provider in PROVIDERS:
        pool[provider] = [
            network
            for network in networks_of[provider]
            if network not in seen and rng.random() < share(network.prefixlen)
        ]
        seen.update(pool[provider])
    return pool


def share(length: int) -> float:
    """Return what part of the networks of a length comes into question."""
    return next((SHARES[start] for start in reversed(SHARES) if length >= start), 0.0)


def take(rng: Random, pool: list[IPv4Network], count: int) -> list[IPv4Network]:
    """Take networks out of the pool, every other one of a stretch or so."""
    start = int(rng.random() * (len(pool) - 2 * count))
    taken = sorted(shuffled(rng, pool[start : start + 2 * count])[:count])
    gone = set(taken)
    pool[:] = [network for network in pool if network not in gone]
    return taken


def describe(rng: Random, text: str) -> str:
    """Return what an engineer notes beside a route: mostly the same, at times more or nothing."""
    ticket = f"{text}, NET-{2000 + int(rng.random() * 400)}"
    return pick(rng, [text] * 90 + [ticket] * 3 + [f'{text}, "fast path"'] + [""] * 6)


def site(rng: Random, region: str, towns: str, kind: str, pool: dict) -> list[list[Row]]:
    """Return the rows of each connection of a site, which reaches one or two providers."""
    many = [name for name, entry in PROVIDERS.items() for _ in range(entry[2])]
    first, second = list(dict.fromkeys(shuffled(rng, many)))[:2]
    size = FULL if kind == "F" else 24 + int(rng.random() * 23)
    much = size if rng.random() < 0.6 else int(size * 0.7)
    reached = [(first, network) for network in take(rng, pool[first], much)]
    reached += [(second, network) for network in take(rng, pool[second], size - much)]
    language = int("/" in towns and rng.random() < 0.2)  # 0 is English, 1 is Chinese
    blocks = []
    for role in ROLES[kind]:
        own = connection_id(rng, region)
        block = []
        for provider, network in reached:
            names = PROVIDERS[provider][language], towns.split("/")[language], role[language]
            text = ("{} via {}, {}", "{}经{} {}")[language].format(*names).strip(", ")
            block.append(Row(region, own, str(network), own, role[2], describe(rng, text)))
        blocks.append(block)
    return blocks


def good_blocks(rng: Random) -> list[list[Row]]:
    """Return the rows of every connection, without a mistake."""
    blocks, networks_of = [], published()
    for region, (_, kinds, towns) in REGIONS.items():
        pool = pool_of_region(rng, networks_of)
        for kind, town in zip(kinds, towns.split("|"), strict=True):
            blocks += site(rng, region, town, kind, pool)
    return blocks


def words(row: Row) -> dict[str, Any]:
    """Return what the tables of mistakes may name of a good row."""
    network, tail = IPv4Network(row.dest), row.connection.removeprefix("vco-")
    regions = list(REGIONS)
    return {
        **asdict(row),
        **dict(zip("abcd", network.network_address.packed, strict=True)),
        "address": network[0],
        "network": network,
        "length": network.prefixlen,
        "wide": row.dest.translate(FULL_WIDTH),
        "tail": tail,
        "upper": row.connection.upper(),
        "elsewhere": regions[regions.index(row.region) - 1],
        "other_weight": "0" if row.weight == "100" else "100",
    }


def change(row: Row, mistake: str, cells: dict[str, str]) -> Row:
    """Return a good row with other cells."""
    changed = {name: text.format(**words(row)) for name, text in cells.items()}
    return replace(row, mistake=mistake, **changed)


def add_mistakes(rng: Random, blocks: list[list[Row]]) -> set[Row]:
    """Put the late routes at the ends of blocks; return these and those they refer to."""
    touched = set()
    free = [block for block in blocks if len(block) != FULL]
    for number, (rule, cells) in enumerate(shuffled(rng, ADDED)):
        block = free[int((number + rng.random()) * len(free) / len(ADDED))]
        model = pick(rng, block[1:])
        block.append(change(model, rule, cells))
        touched.update((model, block[-1]))
    return touched


def spoil(rng: Random, blocks: list[list[Row]], touched: set[Row]) -> None:
    """Spoil rows all over the inventory, never the first of a connection."""
    places = [
        (block, place)
        for block in blocks
        for place in range(1, len(block))
        if len(block) != FULL and block[place] not in touched
    ]
    rows = [row for block in blocks for row in block]
    active = Counter((row.region, row.dest) for row in rows if row.weight == "100")
    all_spoilt = [(rule, cells.split(), v) for rule, cells, values in SPOILT for v in values]
    waiting = shuffled(rng, all_spoilt)
    stride = len(places) / len(waiting)
    for number in range(len(waiting)):
        block, place = places[int((number + rng.random()) * stride)]
        row = block[place]
        alone = row.weight == "100" and active[row.region, row.dest] == 1
        chosen = next(one for one in waiting if alone or one[0] != "no-active-route")
        waiting.remove(chosen)
        block[place] = change(row, chosen[0], dict.fromkeys(chosen[1], chosen[2]))
        touched.add(block[place])


def spoil_later(blocks: list[list[Row]], touched: set[Row]) -> None:
    """Spoil rows that are good still, each kind by chance of its own."""
    for rule, cells, values in LATER:
        rng = Random(f"{SEED}: {rule}, {cells}, {values}")
        for value in values:
            places = [
                (block, place)
                for block in blocks
                for place in range(1, len(block))
                if len(block) != FULL and block[place] not in touched
            ]
            block, place = pick(rng, places)
            block[place] = change(block[place], rule, dict.fromkeys(cells.split(), value))
            touched.add(block[place])


def large() -> list[Row]:
    """Return the rows of `routes.csv`."""
    blocks = good_blocks(rng := Random(SEED))
    touched = add_mistakes(rng, blocks)
    spoil(rng, blocks, touched)
    spoil_later(blocks, touched)
    return [row for block in blocks for row in block]


def small(language: int) -> list[Row]:
    """Return the rows of `routes-small.csv`, described in English (0) or Chinese (1)."""
    rng = Random(SEED)
    ids = {key: connection_id(rng, region) for key, region in SMALL_REGIONS.items()} | {"": ""}
    rows = []
    for line in SMALL.strip().splitlines():
        key, dest, next_hop, weight, *notes = (cell.strip() for cell in line.split("|"))
        rows.append(Row(SMALL_REGIONS[key], ids[key], dest, ids[next_hop], weight, notes[language]))
    return rows


def written(rows: list[Row], heads: tuple, delimiter: str = ",", end: str = "\n") -> str:
    """Return the text of a file; a description that could be a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(heads)
    for row in rows:
        *cells, description, _ = astuple(row)
        guard = "'" if description.startswith(("=", "+", "-", "@", "'", "\t")) else ""
        writer.writerow([*cells, guard + description])
    return text.getvalue()


def inventories() -> dict[str, bytes]:
    """Return the contents of every file that is made here."""
    return {
        "routes.csv": written(large(), HEADS).encode(),
        "routes-small.csv": written(small(0), HEADS).encode(),
        "routes-zh.csv": written(small(1), HEADS_ZH, ";", "\r\n").encode("gb18030"),
    }


def main(arguments: list[str]) -> str | None:
    """Write the files, or say which differ (`--check`)."""
    files = inventories()
    if arguments == ["--check"]:
        other = [name for name in files if (FOLDER / name).read_bytes() != files[name]]
        return f"differ from what make_inventories.py makes: {', '.join(other)}" if other else None
    if arguments:
        return "usage: python data/make_inventories.py [--check]"
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
