"""Secrets stay where they belong: keys in nothing that the simulator shows, canaries in answers."""

from __future__ import annotations

import logging
import time

import httpx
import pytest

from vcokit.simulator import CANARY_AUTH_KEY, CANARY_PSK, Account, Connection, Fault, Simulator

HERE = {"RegionId": "cn-hangzhou"}
ONE = HERE | {"VpnConnectionId": "vco-1"}
SECRET, TOKEN = "canary-secret-2c9e", "canary-token-77b1/+="


@pytest.fixture
def session(caplog, caller, sign_v1, name_route):
    """Return a simulator that has seen good, bad and broken calls while everything was logged."""
    caplog.set_level(logging.DEBUG)
    account = Account("1", "STS.key", SECRET, security_token=TOKEN)
    faults = [Fault("delay", seconds=0.001), Fault("drop_after", operation="DescribeRegions")]
    cloud = Simulator(
        [Connection("vco-1", account_id="1", tunnels=2)], accounts=[account], faults=faults
    )
    with cloud:
        client = caller(cloud)
        for action, parameters in (
            ("DescribeVpnConnection", ONE),
            ("DescribeVpnConnections", HERE),
            ("CreateVcoRouteEntry", name_route()),
            ("CreateVcoRouteEntry", {"SecurityToken": TOKEN}),
        ):
            client.send(action, parameters)
        wrong = account.credentials._replace(access_key_secret="other")
        client.send("DescribeVpnConnection", ONE, credentials=wrong)
        signed = sign_v1(
            "DescribeVpnConnection",
            ONE,
            method="GET",
            credentials=account.credentials,
            wall=time.time(),
        )
        assert client.http.get("/?" + signed.query.decode()).status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            client.send("DescribeRegions")
        yield cloud


def test_nothing_that_it_shows_holds_a_key(session, caplog, capfd):
    """Frames, reprs, logs at their most talkative, standard output and error."""
    frames = [session.calls(), session.routes(), session.connections()]
    shown = " ".join(frame.to_csv() for frame in frames) + repr(session) + repr(vars(session))
    # The client that calls here is httpx, and logs what it asks; that is not the simulator's.
    shown += " ".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("http")
    )
    shown += "".join(capfd.readouterr())
    assert "STS.key" in shown
    for secret in (SECRET, TOKEN, "canary-secret", "canary-token"):
        assert secret not in shown


def test_nothing_that_it_keeps_holds_a_canary(session, tmp_path):
    """The secrets of answers are in answers alone: no frame, no history, no snapshot."""
    session.save(tmp_path / "cloud.json")
    shown = (tmp_path / "cloud.json").read_text(encoding="utf-8")
    shown += session.calls().to_csv() + session.connections().to_csv()
    assert "vco-1" in shown
    for secret in (CANARY_PSK, CANARY_AUTH_KEY, SECRET, TOKEN):
        assert secret not in shown


def test_answers_hold_the_canaries(gate, sign):
    """Else no test of a client that drops them would mean anything."""
    before = gate(connections=[Connection("vco-1", tunnels=2)])
    for more in ({}, {"Format": "XML"}):
        body = before.send(sign("DescribeVpnConnection", ONE | more)).body.decode()
        assert body.count(CANARY_PSK) == 3
        assert body.count(CANARY_AUTH_KEY) == 1
