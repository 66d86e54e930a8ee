"""What the simulator's tests share: a small cloud to call, and the vendor's own way to sign."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from alibabacloud_tea_openapi.utils import Utils

import vcokit
from vcokit.simulator import Account, Connection, Credentials, Simulator, Switches
from vcokit.simulator.auth import HttpRequest
from vcokit.simulator.backend import Answer, Cloud
from vcokit.simulator.server import HttpResponse, Service

REGION = "cn-hangzhou"
FORM = "application/x-www-form-urlencoded"
#: 2026-01-02T03:04:05Z, the date of the signature vectors.
WALL = 1_767_323_045.0
CONTRACT = json.loads(Path(vcokit.__file__).with_name("contract.json").read_text("utf-8"))
_NONCES = itertools.count()


def expected_error(operation: str, code: str) -> tuple[int, str]:
    """Return status and text that the contract gives an operation's error code."""
    facts = CONTRACT["errors"][code]
    own = CONTRACT["operations"][operation]["errors"].get("texts", {})
    return facts["status"], own.get(code, facts["text"])


def read_vectors(name: str) -> list[dict[str, Any]]:
    """Return requests signed by the vendor's own libraries."""
    return json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))["vectors"]


def route(connection: str = "vco-1", dest: str = "10.1.0.0/16", **changes: str) -> dict[str, str]:
    """Return the parameters that name a route."""
    named = {
        "RegionId": REGION,
        "VpnConnectionId": connection,
        "RouteDest": dest,
        "Weight": "100",
        "NextHop": connection,
    }
    return named | changes


class SmallCloud:
    """A cloud of three connections whose tasks take 4 s, and short words for calling it.

    Unless a test gives switches, a write may follow as soon as a task has ended.
    """

    def __init__(self, **options: Any) -> None:
        connections = options.pop("connections", [Connection(f"vco-{n}") for n in (1, 2, 3)])
        free = Switches(task_conflict_seconds=0.0)
        options = {"task_seconds": 4.0, "seed": 7, "switches": free} | options
        self.cloud = Cloud(connections, options.pop("routes", ()), **options)

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
        named = {"RegionId": REGION, "VpnConnectionId": connection, "PageSize": "50"} | changes
        return self.call("DescribeVcoRouteEntries", named, now)

    def listed(self, now: float = 0.0, connection: str = "vco-1") -> set[tuple[str, int]]:
        """Return destination and weight of the routes that a listing shows."""
        rows = self.list(now, connection).fields["VcoRouteEntries"]
        return {(row["RouteDest"], row["Weight"]) for row in rows}

    def describe(self, now: float = 0.0, connection: str = "vco-1") -> tuple[str, str]:
        """Return State and Status of a connection."""
        named = {"RegionId": REGION, "VpnConnectionId": connection}
        fields = self.call("DescribeVpnConnection", named, now).fields
        return fields["State"], fields["Status"]


def vendor_signed(
    action: str,
    parameters: dict[str, str] | None = None,
    *,
    credentials: Credentials | None = None,
    method: str = "POST",
    host: str = "127.0.0.1:80",
    wall: float = WALL,
    headers: dict[str, str | None] | None = None,
    form: dict[str, str] | None = None,
    body: bytes = b"",
) -> HttpRequest:
    """Return a request signed by the vendor's library; a header set to None is left out."""
    credentials = credentials or Account().credentials
    body = urlencode(form).encode() if form else body
    all_headers: dict[str, str | None] = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": "2016-04-28",
        "x-acs-date": datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": f"nonce-{next(_NONCES)}",
        "x-acs-content-sha256": sha256(body).hexdigest(),
    }
    if form:
        all_headers["content-type"] = FORM
    if credentials.security_token:
        all_headers["x-acs-accesskey-id"] = credentials.access_key_id
        all_headers["x-acs-security-token"] = credentials.security_token
    sent = {k: v for k, v in (all_headers | (headers or {})).items() if v is not None}
    named = SimpleNamespace(method=method, pathname="/", query=parameters or {}, headers=sent)
    payload = sha256(body).hexdigest()
    key, secret = credentials.access_key_id, credentials.access_key_secret
    sent["authorization"] = Utils.get_authorization(named, "ACS3-HMAC-SHA256", payload, key, secret)
    return HttpRequest(
        method=method,
        query=urlencode(parameters or {}).encode(),
        headers=tuple((name.encode(), value.encode()) for name, value in sent.items()),
        body=body,
    )


def vendor_signed_v1(
    action: str,
    parameters: dict[str, str] | None = None,
    *,
    credentials: Credentials | None = None,
    method: str = "POST",
    host: str = "127.0.0.1:80",
    wall: float = WALL,
    common: dict[str, str | None] | None = None,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> HttpRequest:
    """Return a request signed by the vendor's library in V1; a parameter set to None is left out.

    `form` goes into the body and is signed with the rest.
    """
    credentials = credentials or Account().credentials
    named: dict[str, str | None] = {
        "Action": action,
        "Version": "2016-04-28",
        "Format": "JSON",
        "AccessKeyId": credentials.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": f"nonce-{next(_NONCES)}",
        "Timestamp": datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SecurityToken": credentials.security_token,
    }
    query = {
        k: v for k, v in (named | (parameters or {}) | (common or {})).items() if v is not None
    }
    if "Signature" not in query:
        secret = credentials.access_key_secret
        query["Signature"] = Utils.get_rpcsignature(query | (form or {}), method, secret)
    sent = {"host": host} | (headers or {})
    sent |= {"content-type": FORM} if form else {}
    return HttpRequest(
        method=method,
        query=urlencode(query).encode(),
        headers=tuple((name.encode(), value.encode()) for name, value in sent.items()),
        body=urlencode(form or {}).encode(),
    )


SIGNERS: dict[str, Callable[..., HttpRequest]] = {"V3": vendor_signed, "V1": vendor_signed_v1}


class SmallService:
    """A service before a small cloud, and what it answers."""

    def __init__(self, accounts: list[Account] | None = None, **options: Any) -> None:
        self.small = SmallCloud(**options)
        self.cloud = self.small.cloud
        self.service = Service(self.cloud, accounts or [Account()])

    def send(self, request: HttpRequest, wall: float = WALL, now: float = 0.0) -> HttpResponse:
        """Answer a request as it is."""
        return self.service.respond(request, wall=wall, now=now)

    def code(self, request: HttpRequest, wall: float = WALL) -> str:
        """Return the error code that a request is answered with, empty for none."""
        return json.loads(self.send(request, wall).body).get("Code", "")

    def call(self, action: str, parameters: dict[str, str] | None = None, **how) -> dict[str, Any]:
        """Sign, send and read."""
        now = how.pop("now", 0.0)
        return json.loads(self.send(vendor_signed(action, parameters, **how), now=now).body)


class Caller:
    """A client of a running simulator that keeps its connection open."""

    def __init__(self, cloud: Simulator, timeout: float = 30.0) -> None:
        self.cloud = cloud
        self.host = cloud.endpoint.removeprefix("http://")
        self.http = httpx.Client(base_url=cloud.endpoint, timeout=timeout, trust_env=False)

    def sign(
        self,
        action: str,
        parameters: dict[str, str] | None = None,
        scheme: str = "V3",
        **how: Any,
    ) -> HttpRequest:
        """Sign with the vendor's library, as the simulator's first account unless told."""
        how = {"host": self.host, "wall": time.time(), "credentials": self.cloud.credentials} | how
        return SIGNERS[scheme](action, parameters, **how)

    def send(
        self,
        action: str,
        parameters: dict[str, str] | None = None,
        scheme: str = "V3",
        more: dict[str, str] | None = None,
        **how: Any,
    ) -> httpx.Response:
        """Sign with the vendor's library and send over HTTP; `more` headers are not signed."""
        signed = self.sign(action, parameters, scheme, **how)
        headers = [(name.decode(), value.decode()) for name, value in signed.headers]
        return self.http.request(
            signed.method,
            "/?" + signed.query.decode(),
            headers=[*headers, *(more or {}).items()],
            content=signed.body,
        )


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


@pytest.fixture
def sign(scheme: str) -> Callable[..., HttpRequest]:
    """Return what signs a request with the vendor's library, in each of the schemes."""
    return SIGNERS[scheme]


class Clock:
    """A clock whose hands the test moves."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now
