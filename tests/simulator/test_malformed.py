"""20,000 malformed requests: each gets an answer of the API, none does what it should not.

8,000 are signed in either scheme and then changed, 6,000 signed with rubbish in their parameters,
6,000 bytes on a socket.
"""

from __future__ import annotations

import json
import random
import socket
import string
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.simulator.conftest import FORM, SIGNERS, SmallService, route, vendor_signed
from vcokit.simulator import Account, Connection, Route, Simulator
from vcokit.simulator.auth import HttpRequest
from vcokit.simulator.server import HttpResponse

WRITES = ("CreateVcoRouteEntry", "DeleteVcoRouteEntry", "ModifyVcoRouteEntryWeight")
READS = ("DescribeVcoRouteEntries", "DescribeVpnConnection", "DescribeVpnConnections")
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
    "'; drop table routes--",
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
    headers = list(request.headers)
    at = chance.randrange(len(headers))
    name, value = headers[at]
    kinds = {
        "method": lambda: replace(request, method=chance.choice(("GET", "PUT", "HEAD", "É", ""))),
        "path": lambda: replace(request, path=chance.choice(("", "//", "/%00", "*", "/é"))),
        "query": lambda: replace(request, query=mutated_bytes(request.query, chance)),
        "no query": lambda: replace(request, query=b"&" * chance.randint(0, 40_000)),
        "value": lambda: put(request, at, name, mutated_bytes(value, chance)),
        "name": lambda: put(request, at, mutated_bytes(name, chance).lower(), value),
        "loss": lambda: replace(request, headers=(*headers[:at], *headers[at + 1 :])),
        "double": lambda: replace(
            request, headers=(*headers, (name, mutated_bytes(value, chance)))
        ),
        "body": lambda: replace(
            request, body=mutated_bytes(request.body or b"Weight=100&x", chance)
        ),
    }
    return kinds[chance.choice(list(kinds))]()


def put(request: HttpRequest, at: int, name: bytes, value: bytes) -> HttpRequest:
    """Return a request with another header in one place."""
    headers = list(request.headers)
    headers[at] = (name, value)
    return replace(request, headers=tuple(headers))


def meaning(request: HttpRequest) -> tuple[Any, ...]:
    """Return what a request says, by the standard library: where two agree they are the same.

    Of V1 no header takes part, but that which says whether a body holds parameters.
    """
    query = parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)
    body = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        text = value.decode("utf-8", "replace").strip()
        headers.setdefault(name.decode("latin-1").lower(), []).append(text)
    if headers.get("authorization", [""])[0].startswith("ACS3-"):
        values = {name: sorted(several) for name, several in headers.items()}
        return request.method, request.path, sorted(query), values, request.body
    is_form = headers.get("content-type", [""])[0].startswith(FORM)
    form = body if is_form else []
    # A name with the same value in query and form counts once, twice in one of them is refused.
    doubled = any(len(dict(pairs)) < len(pairs) for pairs in (query, form))
    return request.method, request.path, sorted({*query, *form}), doubled


def reasonable(answer: HttpResponse) -> dict[str, Any]:
    """Check that an answer is one of the API, no fault of the server, and read it."""
    body = json.loads(answer.body)
    assert 200 <= answer.status < 500
    assert (answer.status == 200) == ("Code" not in body)
    assert body["RequestId"] == dict(answer.headers)[b"x-acs-request-id"].decode()
    return body


def make() -> SmallService:
    """Return a service whose limits are out of the way."""
    limits = dict.fromkeys((*WRITES, *READS), (10**9, 60.0))
    return SmallService(limits=limits, routes=[Route("vco-1", "10.9.0.0/16")], quota=10**6)


def state_of(service: SmallService, now: float = 0.0) -> list[Any]:
    """Return what the cloud holds, and what is on its way there."""
    connections = service.cloud.connections(now)
    return [(list(one.table), one.task and one.task.change) for one in connections]


def assert_no_secret(answer: dict[str, Any]) -> None:
    """See that an answer shows no key, whatever it tells of what was signed."""
    assert Account().access_key_secret not in json.dumps(answer)


@pytest.mark.parametrize("where", ["V3", "V1", "form"])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_changed_after_signing_is_refused(where, seed):
    """8,000 signed writes, mutated: a 4xx each, and the state stays as it was."""
    chance, service = random.Random(f"{where}{seed}"), make()
    untouched = state_of(service)
    named = route(NewWeight="0", Description="a b*ü")
    refused = 0
    while refused < 8000 / 12:
        operation = chance.choice(WRITES)
        if where == "form":
            signed = SIGNERS["V1"](operation, form=named)
        else:
            signed = SIGNERS[where](operation, named)
        changed = mutated(signed, chance)
        if meaning(changed) == meaning(signed):
            continue
        answer = reasonable(service.send(changed))
        assert answer["Code"], changed
        assert_no_secret(answer)
        refused += 1
    assert state_of(service) == untouched


@pytest.mark.parametrize("seed", range(6))
def test_rubbish_in_parameters_is_refused(sign, seed):
    """6,000 calls with rubbish in parameters: the state changes only where 200 says so."""
    chance, service = random.Random(f"{sign.__name__}{seed}"), make()
    named = route(NewWeight="0")
    for number in range(500):
        parameters = dict(named)
        for _ in range(chance.randint(1, 3)):
            name = chance.choice([*named, "PageSize", "PageNumber", "ClientToken", "OverlayMode"])
            parameters[name] = chance.choice(RUBBISH)
        if chance.random() < 0.2:
            parameters[chance.choice([*RUBBISH, "Tag.1.Key", "Format", "Tag.99.Value"])] = "x"
        operation, now = chance.choice(WRITES + READS), number * 10.0
        untouched = state_of(service, now)
        answer = service.send(sign(operation, parameters), now=now)
        assert_no_secret(reasonable(answer))
        changed = state_of(service, now) != untouched
        # A token that happens to come again gives the first answer once more, and does nothing.
        again = service.cloud.history[-1].replayed
        assert changed == (operation in WRITES and answer.status == 200 and not again)


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes to a server, close the sending side, and read all that comes back."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65536):
                received += chunk
        except OSError:
            pass  # the server has ended the connection
    return received


RAW = [
    b"",
    b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /?a=%ff%fe&b=%00 HTTP/1.0\r\n\r\n",
    b"GET http://other/ HTTP/1.1\r\nHost: other\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\nRUBBISH BEHIND\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    bytes(range(256)) * 4,
]


@pytest.mark.parametrize("seed", range(4))
def test_rubbish_on_the_socket_is_survived(caplog, capfd, caller, seed):
    """6,000 requests that are none, or no longer one: no 5xx, no traceback, no hang, no change."""
    chance = random.Random(seed)
    with Simulator([Connection("vco-1")], [Route("vco-1", "10.9.0.0/16")]) as cloud:
        port, before = int(cloud.endpoint.rsplit(":", 1)[1]), cloud.routes()
        host = f"127.0.0.1:{port}"
        wholes = [on_the_wire(vendor_signed(name, wall=time.time(), host=host)) for name in READS]
        mutants = [mutated_bytes(chance.choice(wholes), chance) for _ in range(1500 - len(RAW))]
        raw = [data.replace(b"Host: a\r", b"Host: %s\r" % host.encode()) for data in RAW]
        for data in [*raw, *mutants]:
            answer = exchange(port, data)
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
