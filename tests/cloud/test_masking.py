"""Secrets are found in text however it is written, and nothing else is taken out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.cloud.stub import Stub, reply
from vcokit import errors
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


#: As long and as mixed as a token is, shorter.
TOKEN = "CAISredTOKEN/abc+def/ghi=="

SPELLINGS = {
    "as it is": TOKEN,
    "upper case": TOKEN.upper(),
    "entities in hex": TOKEN.replace("/", "&#x2F;").replace("+", "&#x2b;"),
    "entities in decimal": TOKEN.replace("/", "&#047;").replace("=", "&#61;"),
    "entities by name": TOKEN.replace("/", "&sol;").replace("+", "&plus;"),
    "escaped slashes": TOKEN.replace("/", "\\/"),
    "escapes of JSON": TOKEN.replace("/", "\\u002f").replace("+", "\\u002B"),
    "escapes of Python": TOKEN.replace("/", "\\x2f"),
    "percent": quote(TOKEN, safe=""),
    "percent, small letters": quote(TOKEN, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "percent twice": quote(quote(TOKEN, safe=""), safe=""),
    "percent three times": quote(quote(quote(TOKEN, safe=""), safe=""), safe=""),
    "broken by a line": f"{TOKEN[:13]}\r\n  {TOKEN[13:]}",
    "its beginning": TOKEN[:14],
    "its end": TOKEN[-14:],
    "its middle": TOKEN[5:19],
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_a_secret_in_other_letters(kind: str) -> None:
    """A known secret, or a large part of one, goes in every common spelling; the rest stays."""
    assert mask(f"sent <{SPELLINGS[kind]}>, then", [Secret(TOKEN)]) in (
        f"sent <{MASK}>, then",
        f"sent <{MASK}==>, then",  # what fills the last letters of base64 says nothing
    )


@pytest.mark.parametrize("before", ["", "a", "ab"])
@pytest.mark.parametrize("coding", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_in_base64(before: str, coding: Callable[[bytes], bytes]) -> None:
    """In base64 of what stands around it no twelve letters in a row of a secret can be read."""
    shown = mask(coding(f"{before}x-token: {TOKEN}\r\nhost: h".encode()).decode(), [Secret(TOKEN)])
    readable = [
        base64.b64decode(("A" * n + part + "AAA")[: (n + len(part) + 3) // 4 * 4]).decode("latin-1")
        for part in shown.translate(str.maketrans("-_", "+/")).rstrip("=").split(MASK)
        for n in range(4)
    ]
    assert MASK in shown
    assert not any(TOKEN[n : n + 12] in text for text in readable for n in range(len(TOKEN) - 11))


def test_words_that_are_like_a_secret_stay() -> None:
    """A few letters in common are no secret."""
    text = "InvalidAccessKeyId.NotFound: testAccess to an AccessKey"
    assert mask(text, [Secret("testAccessKeySecret")]) == text


def test_a_token_as_request_id() -> None:
    """A stranger that sends our token back as an id does not get it into an error or an answer."""
    for header in ({}, {"x_acs_request_id": TOKEN}):
        refusal = {"RequestId": TOKEN, "Code": f"Odd.{TOKEN}", "Message": "m"}
        answers = [
            reply("<html>", "502 Bad Gateway", **header),
            reply(refusal, "400 Bad Request", **header),
            reply({"RequestId": TOKEN, "State": "attached"}, **header),
        ]
        with Stub(answers) as stub, stub.client(security_token=TOKEN, read_attempts=1) as client:
            for _ in range(2):
                with pytest.raises(errors.CloudError) as caught:
                    client.describe_vpn_connection(vpn_connection_id="vco-1")
                assert TOKEN not in f"{caught.value} {caught.value.request_id}"
            answer = client.describe_vpn_connection(vpn_connection_id="vco-1")
            assert answer.request_id == MASK
