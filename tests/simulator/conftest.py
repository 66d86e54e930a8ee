"""What the simulator's tests share: a small cloud to call, and the vendor's own way to sign."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from alibabacloud_tea_openapi.utils import Utils

import vcokit
from tests.official import VERSIONS
from vcokit.simulator import Account, Connection, Credentials, Role, Simulator, Switches
from vcokit.simulator.auth import HttpRequest
from vcokit.simulator.backend import Answer, Cloud
from vcokit.simulator.server import HttpResponse, Service

REGION = "cn-hangzhou"
HERE = {"RegionId": REGION}
ONE = HERE | {"VpnConnectionId": "vco-1"}
FORM = "application/x-www-form-urlencoded"
#: 2026-01-02T03:04:05Z, the date of the signature vectors.
WALL = 1_767_323_045.0
CONTRACT = json.loads(Path(vcokit.__file__).with_name("contract.json").read_text("utf-8"))
#: All operations with their facts, those of other services too.
FACTS = {
    name: fact
    for service in (CONTRACT, *CONTRACT["services"].values())
    for name, fact in service["operations"].items()
}
WRITES = [name for name, of in FACTS.items() if of["writes"]]
READS = {
    "DescribeVcoRouteEntries": ONE,
    "DescribeVpnConnection": ONE,
    "DescribeVpnConnections": HERE,
    "DescribeVpnAttachments": HERE,
    "DescribeRegions": {},
    "DiagnoseVpnConnections": HERE | {"VpnConnectionIds.1": "vco-1", "TunnelIds.1": "tun-11"},
    "ListProductQuotas": {"ProductCode": "vpn"},
    "GetProductQuota": {"ProductCode": "vpn", "QuotaActionCode": "vpn_flow_CreateVcoRouteEntry"},
    "ListTransitRouterRouteTables": {},
    "ListTransitRouterRouteEntries": {"TransitRouterRouteTableId": "vtb-simulator"},
}
#: The account of everything, with a role that its own keys may assume.
ACCOUNT = Account(roles=[Role("vcokit", trusts=[Account().account_id])])
READS["AssumeRole"] = {
    "RoleArn": f"acs:ram::{ACCOUNT.account_id}:role/vcokit",
    "RoleSessionName": "a.b-c_d@e",
}
_NONCES = itertools.count()


def route(connection: str = "vco-1", dest: str = "10.1.0.0/16", **changes: str) -> dict[str, str]:
    """Return the parameters that name a route."""
    named = {"RouteDest": dest, "Weight": "100", "NextHop": connection}
    return HERE | {"VpnConnectionId": connection} | named | changes


class SmallCloud:
    """A cloud of three connections whose tasks take 4 s, and short words for calling it.

    Unless a test gives switches, a write may follow as soon as a task has ended.
    """

    def __init__(self, **options: Any) -> None:
        connections = options.pop("connections", [Connection(f"vco-{n}") for n in (1, 2, 3)])
        free = Switches(task_conflict_seconds=0.0)
        options = {"task_seconds": 4.0, "seed": 7, "switches": free} | options
        self.cloud = Cloud(connections, options.pop("routes", ()), **options)

    @property
    def history(self) -> list[Answer]:
        """All calls and what became of them."""
        return self.cloud.history

    def call(self, operation: str, parameters: dict[str, str], now: float = 0.0, **more) -> Answer:
        """Call any operation."""
        return self.cloud.call(operation, parameters, now=now, **more)

    def create(self, now: float = 0.0, *names: str, **changes: str) -> Answer:
        """Create a route; `names` are connection and destination."""
        return self.call("CreateVcoRouteEntry", route(*names, **changes), now)

    def delete(self, now: float = 0.0, *names: str, **changes: str) -> Answer:
        """Delete a route."""
        return self.call("DeleteVcoRouteEntry", route(*names, **changes), now)

    def modify(self, now: float = 0.0, *names: str, **changes: str) -> Answer:
        """Change a route's weight, by default from 100 to 0."""
        named = route(*names, **{"NewWeight": "0"} | changes)
        return self.call("ModifyVcoRouteEntryWeight", named, now)

    def list(self, now: float = 0.0, connection: str = "vco-1", **changes: str) -> Answer:
        """List the routes of a connection."""
        named = HERE | {"VpnConnectionId": connection, "PageSize": "50"} | changes
        return self.call("DescribeVcoRouteEntries", named, now)

    def listed(self, now: float = 0.0, connection: str = "vco-1") -> set[tuple[str, int]]:
        """Return destination and weight of the routes that a listing shows."""
        rows = self.list(now, connection).fields["VcoRouteEntries"]
        return {(row["RouteDest"], row["Weight"]) for row in rows}

    def describe(self, now: float = 0.0, connection: str = "vco-1") -> tuple[str, str]:
        """Return State and Status of a connection."""
        named = HERE | {"VpnConnectionId": connection}
        fields = self.call("DescribeVpnConnection", named, now).fields
        return fields["State"], fields["Status"]


#: What a request says of itself: the name of V1, and the header of V3.
SAID = {
    "Action": "x-acs-action",
    "Version": "x-acs-version",
    "SignatureNonce": "x-acs-signature-nonce",
    "Timestamp": "x-acs-date",
    "SecurityToken": "x-acs-security-token",
}


def signed(
    action: str,
    parameters: dict[str, str] | None = None,
    scheme: str = "V3",
    *,
    said: dict[str, str | None] | None = None,
    credentials: Credentials | None = None,
    method: str = "POST",
    host: str = "127.0.0.1:80",
    wall: float = WALL,
    headers: dict[str, str | None] | None = None,
    form: dict[str, str] | None = None,
    body: bytes = b"",
) -> HttpRequest:
    """Return a request signed by the vendor's library; whatever is set to None is left out.

    `said` is what the request says of itself, by the names of V1. A form goes into the body.
    """
    keys = credentials or Account().credentials
    says: dict[str, str | None] = {
        "Action": action,
        "Version": VERSIONS.get(action, "2016-04-28"),
        "SignatureNonce": f"nonce-{next(_NONCES)}",
        "Timestamp": datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SecurityToken": keys.security_token,
    }
    sent: dict[str, str | None] = {"host": host, "content-type": FORM if form else None}
    query: dict[str, str | None] = dict(parameters or {})
    body = urlencode(form).encode() if form else body
    if scheme == "V3":
        sent["x-acs-content-sha256"] = sha256(body).hexdigest()
        sent["x-acs-accesskey-id"] = keys.access_key_id if keys.security_token else None
        sent |= {SAID[name]: value for name, value in (says | (said or {})).items()}
        sent = _present(sent | (headers or {}))
        asked = SimpleNamespace(method=method, pathname="/", query=query, headers=sent)
        sent["authorization"] = Utils.get_authorization(
            asked, "ACS3-HMAC-SHA256", sha256(body).hexdigest(), *keys[:2]
        )
    else:
        says |= {"Format": "JSON", "AccessKeyId": keys.access_key_id}
        says |= {"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0"}
        query = _present(says | query | (said or {}))
        if "Signature" not in query:
            to_sign = query | (form or {})
            query["Signature"] = Utils.get_rpcsignature(to_sign, method, keys.access_key_secret)
        sent = _present(sent | (headers or {}))
    lines = tuple((name.encode(), str(value).encode()) for name, value in sent.items())
    return HttpRequest(method, query=urlencode(query).encode(), headers=lines, body=body)


def _present(values: dict[str, str | None]) -> dict[str, str | None]:
    return {name: value for name, value in values.items() if value is not None}


def meaning(request: HttpRequest) -> tuple[Any, ...]:
    """Return what a request says, by the standard library: the same is the same request.

    In V1 no header takes part, but that which says whether a body holds parameters.
    """
    query = parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        text = value.decode("utf-8", "replace").strip()
        headers.setdefault(name.decode("latin-1").lower(), []).append(text)
    if headers.get("authorization", [""])[0].startswith("ACS3-"):
        values = {name: sorted(several) for name, several in headers.items()}
        return request.method, request.path, sorted(query), values, request.body
    is_form = headers.get("content-type", [""])[0].startswith(FORM)
    form = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True) if is_form else []
    # A name with the same value in query and form counts once, twice in one of them is refused.
    doubled = any(len(dict(pairs)) < len(pairs) for pairs in (query, form))
    return request.method, request.path, sorted({*query, *form}), doubled


class SmallService:
    """A service before a small cloud, and what it answers."""

    def __init__(self, accounts: list[Account] | None = None, **options: Any) -> None:
        self.cloud = SmallCloud(**options).cloud
        self.service = Service(self.cloud, accounts or [ACCOUNT])

    def send(self, request: HttpRequest, wall: float = WALL, now: float = 0.0) -> HttpResponse:
        """Answer a request as it is."""
        return self.service.respond(request, wall=wall, now=now)

    def read(self, request: HttpRequest, wall: float = WALL) -> dict[str, Any]:
        """Return the body of the answer to a request."""
        return json.loads(self.send(request, wall).body)

    def code(self, request: HttpRequest, wall: float = WALL) -> str:
        """Return the error code that a request is answered with, empty for none."""
        return self.read(request, wall).get("Code", "")

    def call(self, action: str, parameters: dict[str, str] | None = None, **how) -> dict[str, Any]:
        """Sign, send and read."""
        return self.read(signed(action, parameters, **how))


class Caller:
    """A client of a running simulator that keeps its connection open."""

    def __init__(self, cloud: Simulator, timeout: float = 30.0) -> None:
        self.cloud = cloud
        self.http = httpx.Client(base_url=cloud.endpoint, timeout=timeout, trust_env=False)

    def sign(self, action: str, parameters: dict[str, str] | None = None, **how) -> HttpRequest:
        """Sign with the vendor's library, as the simulator's first account unless told."""
        host = self.cloud.endpoint.removeprefix("http://")
        mine = {"host": host, "wall": time.time(), "credentials": self.cloud.credentials}
        return signed(action, parameters, **mine | how)

    def send(
        self,
        action: str,
        parameters: dict[str, str] | None = None,
        more: dict[str, str] | None = None,
        **how: Any,
    ) -> httpx.Response:
        """Sign with the vendor's library and send over HTTP; `more` headers are not signed."""
        request = self.sign(action, parameters, **how)
        headers = [(name.decode(), value.decode()) for name, value in request.headers]
        headers += (more or {}).items()
        path = "/?" + request.query.decode()
        return self.http.request(request.method, path, headers=headers, content=request.body)


def dial(cloud: Simulator) -> socket.socket:
    """Return a connection to a running simulator."""
    host, port = cloud.endpoint.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=60)


def rest_of(client: socket.socket) -> bytes:
    """Return all that comes until the connection ends, in whatever way."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            received += chunk
    return received


def exchange(cloud: Simulator, data: bytes) -> bytes:
    """Send bytes, close the sending side, and read all that comes back."""
    with dial(cloud) as client:
        with contextlib.suppress(OSError):  # the server may end the connection at any time
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        return rest_of(client)


@pytest.fixture
def caller() -> Any:
    """Return what makes a client of a running simulator; all are closed at the end."""
    made: list[Caller] = []

    def make(cloud: Simulator, **options: Any) -> Caller:
        made.append(Caller(cloud, **options))
        return made[-1]

    yield make
    for client in made:
        client.http.close()


@pytest.fixture(params=["V3", "V1"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Return each of the two signature schemes."""
    return request.param


class Clock:
    """A clock whose hands the test moves."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now
