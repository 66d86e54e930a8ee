"""5,000 malformed requests: each gets an answer of the API, none does what it should not.

2,000 are signed in either scheme and then changed, 2,000 signed with rubbish in their parameters,
1,000 bytes on a socket.
"""

from __future__ import annotations

import json
import random
import string
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.simulator.conftest import READS, WRITES, SmallService, exchange, meaning, route, signed
from vcokit.simulator import Account, Connection, Route, Simulator
from vcokit.simulator.auth import HttpRequest
from vcokit.simulator.server import HttpResponse

LISTS = [name for name in READS if name != "DescribeRegions"]
RUBBISH = [
    "",
    " ",
    "\x00",
    "\ufffd",
    "💥",
    "ü" * 300,
    "A" * 5000,
    "%",
    "%zz",
    "&=;",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "-1",
    "1e309",
    "9" * 400,
    "nan",
    "null",
    "[]",
    "0x10",
    "10.0.0.0/8\n",
    "٣",
    "\u202e10.0.0.0/8",
    "\r\nX-Injected: 1",
]
#: Parameters that no route is named by.
OTHERS = ["PageSize", "PageNumber", "ClientToken", "OverlayMode", "MaxResults", "NextToken"]
OTHERS += ["VpnConnectionIds.1", "TunnelIds.1", "TransitRouterRouteTableId", "QuotaCategory"]
OTHERS += ["TransitRouterRouteEntryStatus", "TransitRouterRouteEntryNextHopResourceType"]
BYTES = string.printable.encode() + bytes(range(128, 256)) + b"\x00"


def mutated_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with some changed, inserted, taken out or doubled."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        piece = bytes(chance.choices(BYTES, k=chance.choice((0, 1, 1, 8))))
        data = data[:at] + piece + data[at + chance.choice((0, 1, 1, 5)) :]
    return data


def mutated(request: HttpRequest, chance: random.Random) -> HttpRequest:
    """Return a signed request with something changed after it was signed."""
    at = chance.randrange(len(request.headers))
    before, after = request.headers[:at], request.headers[at + 1 :]
    name, value = request.headers[at]
    other = mutated_bytes(value, chance)
    body = mutated_bytes(request.body or b"Weight=100&x", chance)
    changes: list[dict[str, Any]] = [
        {"method": chance.choice(("GET", "PUT", "HEAD", "É", ""))},
        {"path": chance.choice(("", "//", "/%00", "*", "/é"))},
        {"query": mutated_bytes(request.query, chance)},
        {"query": b"&" * chance.randint(0, 40_000)},
        {"headers": (*before, (name, other), *after)},
        {"headers": (*before, (mutated_bytes(name, chance).lower(), value), *after)},
        {"headers": (*before, *after)},
        {"headers": (*request.headers, (name, other))},
        {"body": body},
    ]
    return replace(request, **chance.choice(changes))


def made() -> SmallService:
    """Return a service whose limits are out of the way."""
    limits = dict.fromkeys((*WRITES, *LISTS), (10**9, 60.0))
    return SmallService(limits=limits, routes=[Route("vco-1", "10.9.0.0/16")], quota=10**6)


def state_of(service: SmallService, now: float = 0.0) -> list[Any]:
    """Return what the cloud holds, and what is on its way there."""
    connections = service.cloud.connections(now)
    return [(list(one.table), one.task and one.task.change) for one in connections]


def read(answer: HttpResponse) -> dict[str, Any]:
    """Read an answer, seen to be one of the API, no fault of the server, without a secret."""
    body = json.loads(answer.body)
    assert 200 <= answer.status < 500
    assert (answer.status == 200) == ("Code" not in body)
    assert body["RequestId"] == dict(answer.headers)[b"x-acs-request-id"].decode()
    assert Account().access_key_secret not in json.dumps(body)
    return body


@pytest.mark.parametrize("where", ["V3", "V1", "form"])
def test_what_was_changed_after_signing_is_refused(where):
    """2,000 signed writes, mutated: a 4xx each, and the state stays as it was."""
    chance, service = random.Random(where), made()
    untouched = state_of(service)
    named = route(NewWeight="0", Description="a b*ü")
    how = {"form": named, "scheme": "V1"} if where == "form" else {"scheme": where}
    refused = 0
    while refused < 2000 / 3:
        request = signed(chance.choice(WRITES), {} if where == "form" else named, **how)
        changed = mutated(request, chance)
        if meaning(changed) != meaning(request):
            assert read(service.send(changed))["Code"], changed
            refused += 1
    assert state_of(service) == untouched


def test_rubbish_in_parameters_is_refused(scheme):
    """2,000 calls with rubbish in parameters: the state changes only where 200 says so."""
    chance, service = random.Random(scheme), made()
    named = route(NewWeight="0")
    for number in range(1000):
        parameters = dict(named)
        for _ in range(chance.randint(1, 3)):
            name = chance.choice([*named, *OTHERS])
            parameters[name] = chance.choice(RUBBISH)
        if chance.random() < 0.2:
            parameters[chance.choice([*RUBBISH, "Tag.1.Key", "Format", "Tag.99.Value"])] = "x"
        operation, now = chance.choice([*WRITES, *LISTS]), number * 10.0
        untouched = state_of(service, now)
        asked = READS.get(operation, {}) | parameters
        answer = service.send(signed(operation, asked, scheme), now=now)
        read(answer)
        changed = state_of(service, now) != untouched
        # A token that happens to come again gives the first answer once more, and does nothing.
        again = service.cloud.history[-1].replayed
        assert changed == (operation in WRITES and answer.status == 200 and not again)


# What bodies and heads are refused for is in test_server.py; HOST stands for the simulator's own.
RAW = [
    b"",
    b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /?a=%ff%fe&b=%00 HTTP/1.0\r\n\r\n",
    b"GET http://other/ HTTP/1.1\r\nHost: other\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: HOST\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
    b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost: HOST\r\n\r\nRUBBISH BEHIND\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    bytes(range(256)) * 4,
]


def test_rubbish_on_the_socket_is_survived(caplog, capfd, caller):
    """1,000 requests that are none, or no longer one: no 5xx, no traceback, no hang, no change."""
    chance = random.Random(0)
    with Simulator([Connection("vco-1")], [Route("vco-1", "10.9.0.0/16")]) as cloud:
        host, before = cloud.endpoint.removeprefix("http://"), cloud.routes()
        whole = [on_the_wire(signed(name, wall=time.time(), host=host)) for name in LISTS]
        mutants = [mutated_bytes(chance.choice(whole), chance) for _ in range(1000 - len(RAW))]
        for data in [*(data.replace(b"HOST", host.encode()) for data in RAW), *mutants]:
            answer = exchange(cloud, data)
            status = int(answer.split(b" ")[1]) if answer else 400
            assert 100 <= status < 500 or status == 505, data[:80]  # 505: of HTTP/9.9
        assert caller(cloud).send("DescribeRegions").status_code == 200
        assert cloud.routes().equals(before)
        assert not cloud.calls()["effect"].notna().any()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
    said = caplog.text + "".join(capfd.readouterr())
    assert "Traceback" not in said, said[-3000:]
    assert Account().access_key_secret not in said


def on_the_wire(request: HttpRequest) -> bytes:
    """Return the bytes of a request."""
    head = b"%s /?%s HTTP/1.1\r\n" % (request.method.encode(), request.query)
    lines = b"".join(b"%s: %s\r\n" % header for header in request.headers)
    return head + lines + b"content-length: 0\r\n\r\n"
