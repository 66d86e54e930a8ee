"""What goes over the wire: lines that are kept, proxies, and answers that break off anywhere."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cloud.stub import Asked, Stub, reply
from tests.leaks import TEST_SECRET, TEST_TOKEN
from vcokit import errors
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.masking import Secret
from vcokit.cloud.transport import MOST_BYTES, proxy_for
from vcokit.simulator import CANARY_PSK

CONNECTION = {"RequestId": "R-1", "State": "attached", "IkeConfig": {"Psk": CANARY_PSK}}
WHOLE = reply(CONNECTION, x_acs_request_id="R-1")
HTML = "<html><body>Please sign in</body></html>"


def look(stub: Stub, **options) -> str:
    """Ask for a connection once; return its State."""
    with stub.client(read_attempts=1, **options) as client:
        return client.describe_vpn_connection(vpn_connection_id="vco-1")["State"]


# -- lines ----------------------------------------------------------------------------------------


def test_a_line_is_kept() -> None:
    """Calls one after another share one connection to the server."""
    with Stub([WHOLE]) as stub, stub.client() as client:
        for _ in range(5):
            client.describe_vpn_connection(vpn_connection_id="vco-1")
        assert (len(stub.asked), stub.connections) == (5, 1)


def test_a_line_for_each_call_in_flight() -> None:
    """Calls side by side have a line each, used again later; one that rests for long is closed."""
    together, now = threading.Barrier(8), [0.0]

    def wait(_: Asked) -> bytes:
        if not alone:
            together.wait(10)
        return WHOLE

    def ask(_: int = 0) -> None:
        client.describe_vpn_connection(vpn_connection_id="vco-1")

    with (
        Stub([wait]) as stub,
        stub.client(steady=lambda: now[0]) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        alone = False
        for _ in range(2):
            list(pool.map(ask, range(8)))
        assert (len(stub.asked), stub.connections) == (16, 8)
        now[0], alone = 31.0, True
        ask()
        assert stub.connections == 8
        alone = False
        list(pool.map(ask, range(8)))
        assert (len(stub.asked), stub.connections) == (25, 8 + 7)


def test_a_line_the_server_has_closed() -> None:
    """A kept line that the server closed meanwhile is opened anew, nobody notices."""
    closing = reply(CONNECTION, connection="close")
    with Stub([closing, WHOLE]) as stub, stub.client(read_attempts=1) as client:
        for _ in range(3):
            client.describe_vpn_connection(vpn_connection_id="vco-1")
        assert stub.connections == 2


# -- answers that are none ------------------------------------------------------------------------

STRANGE = {
    "cut off": (reply(CONNECTION, length=999, x_acs_request_id="R-1"), "cut off"),
    "cut off before a byte": (reply(b"", length=999, x_acs_request_id="R-1"), "cut off"),
    "empty": (reply(b"", x_acs_request_id="R-1"), "empty"),
    "html": (reply(HTML, x_acs_request_id="R-1", content_type="text/html"), "HTML"),
    "html with 502": (reply(HTML, "502 Bad Gateway", x_acs_request_id="R-1"), "HTML"),
    "half of json": (reply(json.dumps(CONNECTION)[:-9], x_acs_request_id="R-1"), "not JSON"),
    "a list": (reply(b"[]", x_acs_request_id="R-1"), "not JSON"),
    "wrong type": (
        reply({"RequestId": "R-1", "State": 5}, x_acs_request_id="R-1"),
        "State missing or of the wrong type",
    ),
    "no state": (
        reply({"RequestId": "R-1"}, x_acs_request_id="R-1"),
        "State missing or of the wrong type",
    ),
    "redirected": (
        reply(b"", "302 Found", x_acs_request_id="R-1", location="https://login.example/"),
        "redirection",
    ),
    "no code": (reply({"Message": "m"}, "400 Bad Request", x_acs_request_id="R-1"), "a code"),
    "bad gzip": (reply(b"\0\1", x_acs_request_id="R-1", content_encoding="gzip"), "cut off"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_answers_that_are_none(kind: str) -> None:
    """Each is one ProtocolError with status, request id and what came, keys taken out."""
    data, word = STRANGE[kind]
    with Stub([data]) as stub, pytest.raises(errors.ProtocolError, match=word) as caught:
        look(stub)
    error = caught.value
    assert error.request_id == "R-1"
    assert error.http_status == int(data.split()[1])
    assert error.operation == "DescribeVpnConnection"
    shown = f"{error} {error.received} {error!r} {error.__context__!r} {error.__cause__!r}"
    assert CANARY_PSK not in shown
    assert error.__cause__ is None


def test_garbage_is_a_protocol_error() -> None:
    """What is no HTTP at all is an error of the same class, and no other library's."""
    with Stub([b"220 smtp ready\r\n\r\n"]) as stub, pytest.raises(errors.ProtocolError):
        look(stub)


def test_nothing_at_all_is_no_answer() -> None:
    """A connection that is closed without a byte says nothing about what became of the call."""
    with Stub([b""]) as stub, pytest.raises(errors.NoAnswerError) as caught:
        look(stub)
    assert not isinstance(caught.value, errors.NotSentError)


def test_an_answer_without_end() -> None:
    """What is longer than any answer can be is given up."""
    with (
        Stub([reply(b"x" * (MOST_BYTES + 100_000))]) as stub,
        pytest.raises(errors.ProtocolError, match="does not end"),
    ):
        look(stub)


def test_a_stranger_that_repeats_the_request() -> None:
    """A page that shows our own headers does not show the token."""

    def echo(asked: Asked) -> bytes:
        said = "\n".join(f"{name}: {value}" for name, value in asked.headers.items())
        return reply(f"<html>{said} and so on: {TEST_TOKEN}</html>")

    keys = {"access_key_id": "LTAIexample", "access_key_secret": TEST_SECRET}
    with Stub([echo]) as stub, pytest.raises(errors.ProtocolError) as caught:
        look(stub, **keys, security_token=TEST_TOKEN)
    assert TEST_TOKEN not in f"{caught.value} {caught.value.received}"


# -- sending again --------------------------------------------------------------------------------


def test_each_try_is_signed_anew() -> None:
    """A read that is sent again has another nonce and signature; the call is the same."""
    busy = reply({"Code": "SystemBusy", "RequestId": "r"}, "400 Bad Request")
    used = reply({"Code": "SignatureNonceUsed", "RequestId": "r"}, "400 Bad Request")
    with Stub([busy, used, b"", WHOLE]) as stub, stub.client() as client:
        client.describe_vpn_connection(vpn_connection_id="vco-1")
        assert client.waits == [0.5, 1.0, 2.0]
        for header in ("x-acs-signature-nonce", "authorization"):
            assert len({asked.headers[header] for asked in stub.asked}) == 4
        assert len({asked.target for asked in stub.asked}) == 1


def test_calls_that_failed_together_do_not_come_back_together() -> None:
    """Up to half of a wait between two tries is left out by chance."""
    busy = reply({"Code": "SystemBusy", "RequestId": "r"}, "400 Bad Request")
    with Stub([busy, busy, busy, WHOLE]) as stub:
        waits: list[float] = []
        luck = iter([0.0, 0.5, 1.0])
        target = stub.client().target
        with Client(target, sleep=waits.append, luck=lambda: next(luck)) as client:
            client.describe_vpn_connection(vpn_connection_id="vco-1")
        assert waits == [0.5, 0.75, 1.0]


def test_refusals_that_stay_are_not_tried_again() -> None:
    """A read that can never succeed is sent once."""
    for code in ("SignatureDoesNotMatch", "InvalidParameter", "Vco.StatusNotSupport", "Odd.Code"):
        with Stub([reply({"Code": code, "RequestId": "r"}, "400 Bad Request")]) as stub:
            with stub.client() as client, pytest.raises(errors.ApiError):
                client.describe_vpn_connection(vpn_connection_id="vco-1")
            assert len(stub.asked) == 1


@pytest.mark.parametrize(
    "code", ["VpnConnection.Configuring", "Throttling.User", "InternalError", "SignatureNonceUsed"]
)
def test_a_write_is_sent_once_whatever_comes(code: str) -> None:
    """Who sends a write must learn its outcome; an unknown one says where to look."""
    with Stub([reply({"Code": code, "RequestId": "r"}, "400 Bad Request")]) as stub:
        with stub.client() as client, pytest.raises(errors.ApiError) as caught:
            client.delete_vco_route_entry(
                vpn_connection_id="vco-1", route_dest="10.0.0.0/8", weight=0
            )
        assert len(stub.asked) == 1
    assert (caught.value.code, caught.value.request_id) == (code, "r")
    unknown = code in ("InternalError", "SignatureNonceUsed")
    assert ("read the live routes" in str(caught.value)) is unknown


def test_waits_as_told_and_no_longer() -> None:
    """x-acs-retry-after is milliseconds, and is believed up to the cap."""
    body = {"Code": "Throttling.User", "RequestId": "r"}
    told = [reply(body, "400 Bad Request", x_acs_retry_after=ms) for ms in ("1500", "99999999")]
    with Stub([*told, WHOLE]) as stub, stub.client() as client:
        client.describe_vpn_connection(vpn_connection_id="vco-1")
        assert client.waits == [1.5, 30.0]


def test_time_out() -> None:
    """A server that says nothing in time is no answer: the outcome is unknown."""
    silence = threading.Event()

    def wait(_: Asked) -> bytes:
        silence.wait(10)
        return WHOLE

    with Stub([wait]) as stub:
        with pytest.raises(errors.NoAnswerError, match="ReadTimeout"):
            look(stub, read_timeout=0.05)
        silence.set()


# -- proxies --------------------------------------------------------------------------------------


def test_calls_go_through_the_proxy() -> None:
    """A call to the cloud asks the proxy for a tunnel to the region's host, and says nothing else.

    The key travels inside the tunnel only.
    """
    keys = {"access_key_id": "LTAIexample", "access_key_secret": TEST_SECRET}
    with Stub([reply(b"", "403 Forbidden")]) as stub:
        client = connect("eu-central-1", proxy=stub.endpoint, read_attempts=1, **keys)
        with client, pytest.raises(errors.NotSentError, match="403"):
            client.describe_regions()
        assert [(asked.method, asked.target) for asked in stub.asked] == [
            ("CONNECT", "vpc.eu-central-1.aliyuncs.com:443")
        ]
        assert "authorization" not in stub.asked[0].headers


def test_which_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit proxy wins over the environment's; NO_PROXY and this machine have none."""
    url, two = "https://vpc.aliyuncs.com", Secret("http://two.example:2")
    assert proxy_for(url, None) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://one.example:1")
    assert proxy_for(url, None) == Secret("http://one.example:1")
    assert proxy_for(url, two) == two
    assert proxy_for("https://127.0.0.1", two) is None
    monkeypatch.setenv("NO_PROXY", ".aliyuncs.com")
    assert proxy_for(url, None) is None
