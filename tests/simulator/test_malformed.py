"""20,000 malformed requests: each gets an answer of the API, none does what it should not.

8,000 are signed in either scheme and then changed, 6,000 signed with rubbish in their parameters,
6,000 bytes on a socket.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import string
import time
from dataclasses import replace
from typing import Any

import pytest

from vcokit.simulator import Connection, Route, Simulator, defaults
from vcokit.simulator.claims import is_v1
from vcokit.simulator.requests import HttpRequest
from vcokit.simulator.service import HttpResponse

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


def essence(request: HttpRequest) -> tuple[Any, ...]:
    """Return what a request says: where two agree in it they are the same to the simulator.

    Of V1 no header takes part, but that which says whether a body holds parameters.
    """
    values = request.header_values
    if is_v1(request):
        # A name with the same value in query and form counts once.
        return request.method, request.path, sorted(set(request.pairs)), is_unusable(request)
    names = {name.decode("latin-1") for name, _ in request.headers}
    headers = {name: values.get(name) for name in names}
    return request.method, request.path, sorted(request.query_pairs), headers, request.body


def is_unusable(request: HttpRequest) -> bool:
    """Tell whether a name stands twice in one place, which is refused by itself."""
    places = (request.query_pairs, request.form_pairs)
    return any(len(dict(pairs)) < len(pairs) for pairs in places)


def reasonable(answer: HttpResponse) -> dict[str, Any]:
    """Check that an answer is one of the API, no fault of the server, and read it."""
    body = json.loads(answer.body)
    assert 200 <= answer.status < 500
    assert (answer.status == 200) == ("Code" not in body)
    assert body["RequestId"] == dict(answer.headers)[b"x-acs-request-id"].decode()
    return body


def make(gate):
    """Return a service whose limits are out of the way."""
    limits = dict.fromkeys((*WRITES, *READS), (10**9, 60.0))
    return gate(limits=limits, routes=[Route("vco-1", "10.9.0.0/16")], quota=10**6)


@pytest.mark.parametrize("scheme", ["sign", "sign_v1", "form"])
@pytest.mark.parametrize("seed", range(9))
def test_what_was_changed_after_signing_is_refused(gate, request, name_route, scheme, seed):
    """8,000 signed writes, mutated: a 4xx each, and the state stays as it was."""
    chance, before = random.Random(f"{scheme}{seed}"), make(gate)
    untouched = before.world.cloud.to_dict()
    refused = 0
    while refused < 8000 / 27:
        signed = signed_write(request, chance, name_route, scheme)
        changed = mutated(signed, chance)
        if essence(changed) == essence(signed):
            continue
        answer = reasonable(before.send(changed))
        assert answer["Code"]
        assert_no_secret(answer)
        refused += 1
    assert before.world.cloud.to_dict() == untouched


def signed_write(request, chance: random.Random, name_route, scheme: str) -> HttpRequest:
    """Return a write that would be accepted, or refused for what it asks."""
    named = name_route(NewWeight="0", Description="a b*ü")
    operation = chance.choice(WRITES)
    if scheme == "form":
        return request.getfixturevalue("sign_v1")(operation, form=named)
    return request.getfixturevalue(scheme)(operation, named)


def assert_no_secret(answer: dict[str, Any]) -> None:
    """See that an answer shows no key, whatever it tells of what was signed."""
    assert defaults.ACCESS_KEY_SECRET not in json.dumps(answer)


@pytest.mark.parametrize("scheme", ["sign", "sign_v1"])
@pytest.mark.parametrize("seed", range(10))
def test_rubbish_in_parameters_is_refused(gate, request, name_route, scheme, seed):
    """6,000 calls with rubbish in parameters: the state changes only where 200 says so."""
    chance, before = random.Random(f"{scheme}{seed}"), make(gate)
    sign, named = request.getfixturevalue(scheme), name_route(NewWeight="0")
    for number in range(300):
        parameters = dict(named)
        for _ in range(chance.randint(1, 3)):
            name = chance.choice([*named, "PageSize", "PageNumber", "ClientToken", "OverlayMode"])
            parameters[name] = chance.choice(RUBBISH)
        if chance.random() < 0.2:
            parameters[chance.choice([*RUBBISH, "Tag.1.Key", "Format", "Tag.99.Value"])] = "x"
        operation = chance.choice(WRITES + READS)
        untouched = before.world.cloud.to_dict()
        answer = before.send(sign(operation, parameters), now=number * 10.0)
        assert_no_secret(reasonable(answer))
        changed = before.world.cloud.to_dict() != untouched
        # A token that happens to come again gives the first answer once more, and does nothing.
        again = before.world.cloud.history[-1].replayed
        assert changed == (operation in WRITES and answer.status == 200 and not again)


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes to a server, close the sending side, and read all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while chunk := client.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
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
def test_rubbish_on_the_socket_is_survived(caplog, capfd, caller, sign, seed):
    """6,000 requests that are none, or no longer one: no 5xx, no traceback, no hang, no change."""
    chance = random.Random(seed)
    with Simulator([Connection("vco-1")], [Route("vco-1", "10.9.0.0/16")]) as cloud:
        port, before = int(cloud.endpoint.rsplit(":", 1)[1]), cloud.routes()
        wholes = [on_the_wire(sign(name, wall=time.time())) for name in READS]
        mutants = [mutated_bytes(chance.choice(wholes), chance) for _ in range(1500 - len(RAW))]
        for data in [*RAW, *mutants]:
            answer = exchange(port, data)
            assert answer == b"" or 100 <= int(answer.split(b" ")[1]) < 500, data[:80]
        assert caller(cloud).send("DescribeRegions").status_code == 200
        assert cloud.routes().equals(before)
        assert not cloud.calls()["effect"].notna().any()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
    said = caplog.text + "".join(capfd.readouterr())
    assert "Traceback" not in said
    assert defaults.ACCESS_KEY_SECRET not in said


def on_the_wire(request: HttpRequest) -> bytes:
    """Return the bytes of a request."""
    head = b"%s /?%s HTTP/1.1\r\n" % (request.method.encode(), request.query)
    lines = b"".join(b"%s: %s\r\n" % header for header in request.headers)
    return head + lines + b"content-length: 0\r\n\r\n"


def test_a_body_that_is_too_long_is_not_read():
    """No operation needs a body; one beyond all measure is refused before it is whole."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
    with Simulator() as cloud:
        port = int(cloud.endpoint.rsplit(":", 1)[1])
        assert exchange(port, head + b"x" * 100_000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    """A client that promises a body and sends none is answered in time."""
    monkeypatch.setattr(defaults, "BODY_SECONDS", 0.02)
    with Simulator() as cloud:
        address = ("127.0.0.1", int(cloud.endpoint.rsplit(":", 1)[1]))
        with socket.create_connection(address, timeout=5) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_rubbish_behind_an_answer_ends_the_connection(caplog):
    """Bytes that break HTTP when the answer has gone out already cut the line, without a trace."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Simulator() as cloud:
        address = ("127.0.0.1", int(cloud.endpoint.rsplit(":", 1)[1]))
        with socket.create_connection(address, timeout=5) as client:
            client.sendall(head + b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
            client.sendall(b"zz\r\nzz\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(65536) == b""
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
