"""The signer makes the signatures of the vendor's vectors, whatever stands in them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from vcokit.cloud.credentials import Credentials
from vcokit.cloud.signing import EMPTY_HASH, Signer, sign

VECTORS = json.loads(
    (Path(__file__).parent.parent / "simulator" / "v3_vectors.json").read_text("utf-8")
)["vectors"]
NOW = 1_767_323_045.0  # 2026-01-02T03:04:05Z


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vectors(vector: dict) -> None:
    """Canonical request, string to sign and authorization are those of the official libraries."""
    made = sign(
        vector["method"],
        list(vector["query"].items()),
        vector["headers"],
        Credentials(vector["access_key_id"], vector["access_key_secret"]),
        vector["headers"]["x-acs-content-sha256"],
    )
    assert made.canonical_request == vector["canonical_request"]
    assert made.string_to_sign == vector["string_to_sign"]
    assert made.authorization == vector["authorization"]


def signed(url: str, keys: Credentials) -> httpx.Request:
    """Return a request as it leaves."""
    signer = Signer(lambda: keys, clock=lambda: NOW, nonce=lambda: "n1")
    headers = {"x-acs-action": "DescribeRegions", "x-acs-version": "2016-04-28"}
    request = httpx.Request("POST", url, headers=headers)
    signer.sign(request.method, request.url.query, request.headers)
    return request


def test_request_as_it_leaves() -> None:
    """A request carries time, nonce and hash, signs host with its port, and nothing else."""
    request = signed("http://127.0.0.1:8080/?A=b%20c&D=", Credentials("id", "secret"))
    assert request.headers["x-acs-date"] == "2026-01-02T03:04:05Z"
    assert request.headers["x-acs-signature-nonce"] == "n1"
    assert request.headers["x-acs-content-sha256"] == EMPTY_HASH
    names = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
    assert f"SignedHeaders={names}," in request.headers["authorization"]
    expected = sign(
        "POST",
        [("A", "b c"), ("D", "")],
        {name: request.headers[name] for name in names.split(";")},
        Credentials("id", "secret"),
    )
    assert request.headers["host"] == "127.0.0.1:8080"
    assert request.headers["authorization"] == expected.authorization
