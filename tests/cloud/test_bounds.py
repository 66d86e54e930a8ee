"""What an answer may cost, whose it must be, and when a call ends, whatever the server does."""

from __future__ import annotations

import gzip
import itertools
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from tests.cloud.stub import Asked, Stub, reply
from vcokit import errors
from vcokit.cloud.client import Client
from vcokit.cloud.transport import MOST_BYTES

PAGE = {"RequestId": "r", "TotalCount": 1, "VcoRouteEntries": []}
ROW = {"RouteDest": "10.0.0.0/8", "NextHop": "vco-1", "Weight": 100, "RouteEntryType": "custom"}


def state(connection: str = "vco-1", **more: object) -> dict:
    """Return what the cloud says of a connection."""
    return {"RequestId": "r", "VpnConnectionId": connection, "State": "attached", **more}


def look(client: Client, connection: str = "vco-1") -> str:
    """Ask for a connection; return its state."""
    return client.describe_vpn_connection(vpn_connection_id=connection)["State"]


# -- what an answer may cost ----------------------------------------------------------------------


def packed(layers: int) -> bytes:
    """Return 100 MB of blanks, packed so many times."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(pack.compress(b" " * 1_000_000) for _ in range(100)) + pack.flush()
    for _ in range(layers - 1):
        data = gzip.compress(data)
    return reply(data, content_encoding=", ".join(["gzip"] * layers))


def filled(head: str, unit: str, tail: str) -> Callable[[], bytes]:
    """Return a maker of the longest answer that is read, made of one thing."""
    return lambda: reply(
        head + unit * ((MOST_BYTES - 200 - len(head)) // len(unit.encode())) + tail
    )


COSTLY = {
    "packed once": lambda: packed(1),
    "packed twice": lambda: packed(2),
    "packed three times": lambda: packed(3),
    "packed in a strange way": lambda: reply(b"x" * 99, content_encoding="br"),
    "objects": filled('{"RequestId":"r","State":"s","x":[', "{},", "0]}"),
    "lists": filled('{"RequestId":"r","State":"s","x":[', "[],", "0]}"),
    "deep lists": filled('{"RequestId":"r","State":"s","x":', "[", ""),
    "wide letters": filled('{"RequestId":"r","State":5,"x":"\U0001f600', "a", '"}'),
    "half pairs": filled('{"RequestId":"r","State":5,"x":"', "\\ud800", '"}'),
    "single bytes": lambda: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"1\r\n \r\n" * 20_000
        + b"0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_no_answer_fills_the_memory(kind: str) -> None:
    """Whatever an answer holds, reading it takes less than 64 MB and ends in one clear error."""
    data = COSTLY[kind]()
    with Stub([data]) as stub, stub.client(read_attempts=1) as client:
        tracemalloc.start()
        try:
            with pytest.raises(errors.ProtocolError):
                look(client)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 64 << 20


def test_one_layer_is_read() -> None:
    """What a proxy packs once, unasked, is read, in each of the three forms that there are."""
    body = json.dumps(state()).encode()
    bare = zlib.compressobj(wbits=-15)
    for coding, data in {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "Deflate": bare.compress(body) + bare.flush(),
        "identity": body,
    }.items():
        with Stub([reply(data, content_encoding=coding)]) as stub, stub.client() as client:
            assert look(client) == "attached"
            assert "accept-encoding" not in stub.asked[0].headers


@pytest.mark.parametrize("field", ["Message", "Code", "RequestId"])
def test_texts_of_an_answer_are_bounded(field: str) -> None:
    """A refusal keeps 2,000 characters of each text, and says that it cut it."""
    body = {"RequestId": "r", "Code": "Odd", "Message": "m", field: "x" * 1_000_000}
    with (
        Stub([reply(body, "400 Bad Request")]) as stub,
        stub.client() as client,
        pytest.raises(errors.ApiError, match="cut, 1,000,000 characters") as caught,
    ):
        look(client)
    assert len(str(caught.value)) < 2_500


def test_an_answer_that_is_accepted_is_bounded_too() -> None:
    """The request id of an answer goes into journals, and is as short there."""
    with Stub([reply(state(RequestId="x" * 1_000_000))]) as stub, stub.client() as client:
        assert len(client.describe_vpn_connection(vpn_connection_id="vco-1").request_id) < 2_100


@pytest.mark.parametrize("unit", [" ", "\t\n", "Psk=", 'Psk="', "Psk\\", "<a>", "&a"])
def test_no_pattern_hangs(unit: str) -> None:
    """Nothing that a stranger repeats a million times holds the program up."""
    text = unit * (1_000_000 // len(unit))
    body = {"RequestId": "r", "Code": "Odd", "Message": text}
    strange = [reply(body, "400 Bad Request"), reply(text, "500 Odd"), reply(f"<Error>{text}")]
    with Stub(strange) as stub, stub.client(read_attempts=1) as client:
        for _ in strange:
            with pytest.raises(errors.CloudError):
                look(client)


def test_a_list_without_end() -> None:
    """A list that claims a billion rows is one error, after one page."""
    rows = [{**ROW, "RouteDest": f"10.{n}.0.0/16"} for n in range(50)]
    body = {**PAGE, "TotalCount": 10**9, "VcoRouteEntries": rows}
    with Stub([reply(body)]) as stub, stub.client() as client:
        with pytest.raises(errors.ProtocolError, match="more than 100,000 rows"):
            client.describe_vco_route_entries(vpn_connection_id="vco-1")
        assert len(stub.asked) == 1


# -- whose answer it is ---------------------------------------------------------------------------


def of_the_asked(asked: Asked) -> bytes:
    """Answer as the cloud does: about the connection that is asked for."""
    return reply(state(asked.parameters["VpnConnectionId"]))


def twice(asked: Asked) -> bytes:
    """Answer twice, in one piece."""
    return of_the_asked(asked) + reply(state("vco-surplus"))


def test_a_surplus_answer_is_nobodys() -> None:
    """Data behind an answer is never taken for the next one: that line is closed."""
    with Stub([twice, of_the_asked]) as stub, stub.client(read_attempts=1) as client:
        for name in ("vco-1", "vco-2", "vco-3"):
            answer = client.describe_vpn_connection(vpn_connection_id=name)
            assert answer["VpnConnectionId"] == name
        assert stub.connections == 2


@pytest.mark.parametrize("surplus", [False, True])
def test_an_answer_of_no_known_length_ends_its_line(surplus: bool) -> None:
    """Where nobody says how long an answer is, what comes behind it is nobody's either."""

    def chunked(asked: Asked) -> bytes:
        body = json.dumps(state(asked.parameters["VpnConnectionId"])).encode()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
        answer = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return answer + reply(state("vco-surplus")) * surplus

    with Stub([chunked]) as stub, stub.client(read_attempts=1) as client:
        for name in ("vco-1", "vco-2"):
            answer = client.describe_vpn_connection(vpn_connection_id=name)
            assert answer["VpnConnectionId"] == name
        assert stub.connections == 2


def in_pieces(asked: Asked) -> bytes:
    """Answer as a server does that first says that it goes on."""
    heads = b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\nHTTP/1.1 103 Early Hints\r\n\n"
    return heads + of_the_asked(asked)


def test_heads_before_the_head() -> None:
    """Answers that only say that one is to come are passed over, and the line is kept."""
    with Stub([in_pieces]) as stub, stub.client(read_attempts=1) as client:
        for name in ("vco-1", "vco-2"):
            answer = client.describe_vpn_connection(vpn_connection_id=name)
            assert answer["VpnConnectionId"] == name
        assert stub.connections == 1


def named(client: Client, name: str) -> object:
    """Call the operation of a name for the connection ``vco-1``."""
    if name == "create_vco_route_entry":
        return client.create_vco_route_entry(
            vpn_connection_id="vco-1", route_dest="10.0.0.0/8", weight=100
        )
    return getattr(client, name)(vpn_connection_id="vco-1")


OTHERS = {
    "describe_vpn_connection": state("vco-other"),
    "create_vco_route_entry": {"RequestId": "r", "VpnConnectionId": "vco-other"},
    "describe_vco_route_entries": {
        **PAGE,
        "VcoRouteEntries": [{**ROW, "VpnConnectionId": "vco-other"}],
    },
    "describe_vpn_connections": {
        **PAGE,
        "VpnConnections": {"VpnConnection": [state("vco-other")]},
    },
    "describe_vpn_attachments": {**PAGE, "VpnAttachments": [{"InstanceId": "vco-other"}]},
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_answer_of_another_request(name: str) -> None:
    """An answer, or a row, about another connection is an error that names both."""
    with (
        Stub([reply(OTHERS[name])]) as stub,
        stub.client(read_attempts=1) as client,
        pytest.raises(errors.ProtocolError, match="about vco-other, not about vco-1"),
    ):
        named(client, name)


# -- when a call ends -----------------------------------------------------------------------------


def clock(step: float) -> Callable[[], float]:
    """Return a clock on which time passes with each look at it, and not otherwise."""
    ticks = itertools.count()
    return lambda: next(ticks) * step


class Drip(Stub):
    """Sends one byte after another of an answer without end, as fast as they are taken."""

    def __init__(self, head: bytes, more: bytes) -> None:
        super().__init__([lambda _: head])
        self._more = more
        self.sent = 0

    def _serve(self, peer) -> None:
        with peer, peer.makefile("rb") as lines:
            try:
                while lines.readline().strip():
                    pass
                peer.sendall(self._answers[0](None))
                while True:
                    peer.sendall(self._more)
                    self.sent += 1
            except OSError:
                return


DRIPS = {
    "in its body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{", b" "),
    "in its head": (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
    "before it": (b"", b"HTTP/1.1 100 Continue\r\nx: " + b"y" * 50_000 + b"\r\n\r\n"),
}


@pytest.mark.parametrize("where", DRIPS)
def test_a_drip_ends(where: str) -> None:
    """A call whose answer drips ends as one without an answer, by the client's own clock."""
    with Drip(*DRIPS[where]) as stub:
        made = stub.client(read_attempts=1, connect_timeout=5.0, read_timeout=10.0)
        assert made.target.longest_call == 35.0
        client = Client(made.target, now=clock(step=10.0))
        with pytest.raises(errors.NoAnswerError, match=r"took longer|too long") as caught:
            look(client)
        assert not isinstance(caught.value, errors.NotSentError)


def test_a_write_that_drips_is_unknown() -> None:
    """Nobody knows what became of such a write, and the error says where to look."""
    with Drip(*DRIPS["in its body"]) as stub:
        client = Client(stub.client().target, now=clock(step=10.0))
        with pytest.raises(errors.NoAnswerError, match="read the live routes"):
            named(client, "create_vco_route_entry")
