"""Secrets are found in text however it is written, and nothing else is taken out."""

from __future__ import annotations

import json
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcokit.cloud.masking import MASK, Secret, mask

#: What a key may hold.
LETTERS = [chr(number) for number in range(0x21, 0x7F) if chr(number) != "\\"]
SECRET = "s3cr3t, a'b & more"


@pytest.mark.parametrize(
    "text",
    [
        '{"Psk":"%s","Name":"x"}',
        '{"Psk" : "%s',
        '{"authkey": "%s"}',
        r"{\"Psk\":\"%s\"}",
        "{'Psk': '%s'}",
        "<Psk>%s</Psk>",
        "<TunnelIkeConfig><psk>%s",
        "Psk=%s",
        "x-acs-security-token: %s\r\nhost: h",
        "Authorization: ACS3-HMAC-SHA256 Credential=id,SignedHeaders=a;b,Signature=%s",
        '{"AccessKeySecret":"%s"}',
    ],
)
def test_by_name(text: str) -> None:
    """Whatever stands under the name of a secret goes, to its end."""
    secret = SECRET.replace("'", "") if "'Psk'" in text or "<" in text else SECRET
    secret = secret.replace("&", "") if "=" in text else secret
    shown = mask(text % secret)
    assert MASK in shown
    assert not any(word in shown for word in ("s3cr3t", "more"))


def test_what_stands_around_stays() -> None:
    """The rest of the text is as it was."""
    text = '{"Name":"Psk and AuthKey","Psk":"x","State":"attached"}'
    assert mask(text) == '{"Name":"Psk and AuthKey","Psk":***,"State":"attached"}'
    assert mask("<Psk>x</Psk><Name>n</Name>") == "<Psk>***</Psk><Name>n</Name>"
    assert mask("A=1&Signature=x&B=2") == "A=1&Signature=***&B=2"
    assert mask("no secret here, 10.0.0.0/8") == "no secret here, 10.0.0.0/8"


@given(some.text(LETTERS, min_size=4, max_size=40), some.text(max_size=40), some.text(max_size=40))
def test_by_itself(secret: str, before: str, after: str) -> None:
    """A known secret goes from any text, also as a form or a query writes it."""
    for written in (secret, quote_plus(secret)):
        shown = mask(f"{before} {written} {after}", [Secret(secret)]).replace(MASK, "")
        assert written not in shown or written in f"{before} {after}"


@given(some.text(max_size=60), some.integers(0, 200))
def test_json_cut_anywhere(psk: str, length: int) -> None:
    """Of an answer that is cut off anywhere no part of a key is shown."""
    marked = f"SECRET{psk}SECRET"
    body = json.dumps({"Name": "n", "IkeConfig": {"Psk": marked, "State": "x"}})
    assert "SECRET" not in mask(body[:length])


def test_short_secrets_are_no_words() -> None:
    """A secret of a few letters is not looked for: it would be found everywhere."""
    assert mask("a cat", [Secret("a")]) == "a cat"
