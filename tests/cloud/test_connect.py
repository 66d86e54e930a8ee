"""Calls go where they should, signed by whom they should, and secrets are nowhere shown."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.cloud.test_client import SPEED, A, simulator
from vcokit import errors
from vcokit.cloud.connect import connect
from vcokit.cloud.endpoints import endpoint_host
from vcokit.cloud.operations import Limit
from vcokit.simulator import Simulator


@pytest.fixture
def cloud():
    """A running cloud in which nothing goes wrong."""
    with simulator() as running:
        yield running


def keys() -> dict[str, str]:
    """Return a made-up AccessKey."""
    return {"access_key_id": "LTAIexample", "access_key_secret": "s3cret-value"}


def test_endpoints_by_region() -> None:
    """Without an endpoint each call goes to the host of its own region, over https."""
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={"RequestId": "r", "State": "attached"})

    client = connect(**keys(), transport=httpx.MockTransport(answer))
    for region in ("eu-central-1", "cn-hangzhou"):
        client.describe_vpn_connection(region_id=region, vpn_connection_id=A)
        assert (asked[-1].scheme, asked[-1].host) == ("https", endpoint_host(region))


@pytest.mark.parametrize("region", ["evil.example/", "a@evil.example", "x#", "", " ", "A", "x..y"])
def test_a_cell_never_chooses_a_host(region: str) -> None:
    """A region that is none is refused before anything is sent."""
    client = connect(**keys())
    with pytest.raises(errors.InputError):
        client.describe_vpn_connections(region_id=region)


@pytest.mark.parametrize("endpoint", ["http://vpc.example.com", "ftp://x", "https://x/path", "//"])
def test_endpoints_that_are_refused(endpoint: str) -> None:
    """A key never travels over plain http to another machine, nor to what is no endpoint."""
    with pytest.raises(errors.ConfigError):
        connect(endpoint=endpoint, **keys())


def test_loopback_may_be_plain() -> None:
    """Plain http is allowed to this machine."""
    assert connect(endpoint="http://127.0.0.1:8080", **keys()).target.endpoint.startswith("http://")


def test_simulator_speed_is_adopted(cloud: Simulator) -> None:
    """A client of a fast cloud divides the limits' windows, and keeps its own time-outs."""
    client = connect(cloud)
    assert client.speed == SPEED
    assert client.limits["CreateVcoRouteEntry"] == Limit(60, 60 / SPEED)
    assert client.target.read_timeout == 10.0


def test_strangers_are_refused() -> None:
    """Connecting to something that is no cloud says what to pass instead."""
    with pytest.raises(errors.InputError, match="no endpoint, credentials and speed"):
        connect(42)


def test_missing_parameters_are_named() -> None:
    """A call that lacks what it must have is refused here, naming all of it."""
    client = connect(**keys())
    with pytest.raises(errors.InputError, match="RegionId"):
        client.describe_vpn_connections()


# -- credentials ----------------------------------------------------------------------------------


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without explicit keys those of the environment sign; explicit ones win."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "x")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "y")
    found = connect().target.credentials()
    assert (found.access_key_id, found.security_token) == ("from-environment", "y")
    explicit = connect(**keys()).target.credentials()
    assert (explicit.access_key_id, explicit.security_token) == ("LTAIexample", None)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"access_key_id": "a"},
        {"access_key_secret": "b"},
        {"access_key_id": "a b", "access_key_secret": "c"},
    ],
)
def test_no_whole_key(given: dict[str, str]) -> None:
    """No key, half a key or a garbled one is an error that says what to do."""
    with pytest.raises(errors.CredentialsError) as caught:
        connect(**given)
    assert caught.value.remedy


# -- what a shell can say before it sends ---------------------------------------------------------


@pytest.mark.parametrize("origin", ["argument", "VCOKIT_ENDPOINT", "vcokit.toml"])
def test_an_endpoint_of_somebody_is_said(
    origin: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A client says where its calls go, and what set that, if it is not the region's own host."""
    monkeypatch.chdir(tmp_path)
    place = "https://api.example.com"
    if origin == "vcokit.toml":
        (tmp_path / origin).write_text(f'endpoint = "{place}"\n')
    elif origin != "argument":
        monkeypatch.setenv(origin, place)
    client = connect("eu-central-1", endpoint=place if origin == "argument" else None, **keys())
    assert client.endpoint == place
    assert client.endpoint_note == f"calls go to {place} (endpoint set by {origin})"


@pytest.mark.parametrize("endpoint", [None, "vpc.eu-central-1.aliyuncs.com"])
def test_the_own_endpoint_needs_no_word(endpoint: str | None) -> None:
    """Where calls go to the region's own host there is nothing to say."""
    assert connect("eu-central-1", endpoint=endpoint, **keys()).endpoint_note == ""
