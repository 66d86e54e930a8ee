"""How answers are written: XML says what JSON says, in the shapes of the contract."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import urlencode

import pytest

from vcokit.simulator import Account, Connection, LearnedRoute, Route, Switches

REGION = "cn-hangzhou"
HERE = {"RegionId": REGION}
ONE = HERE | {"VpnConnectionId": "vco-1"}
READS = {
    "DescribeVcoRouteEntries": ONE,
    "DescribeVpnConnection": ONE,
    "DescribeVpnConnections": HERE,
    "DescribeVpnAttachments": HERE,
    "DescribeRegions": {},
}
LEARNED = LearnedRoute("172.16.0.0/12", source="CLOUD", as_path="[12000]", community="65535:65510")
RICH = [
    Connection("vco-1", name="<a & b>", tags={"env": "prod"}, tunnels=2, learned_routes=[LEARNED]),
    Connection("vco-2"),
]
ROUTES = [Route("vco-1", "10.1.0.0/16"), Route("vco-1", "10.2.0.0/16", weight=0)]


def as_json_has_it(element: ET.Element, shape: Any) -> Any:
    """Read XML back by the shape of a JSON answer: the rule for lists the other way round."""
    if isinstance(shape, dict):
        found: dict[str, Any] = {}
        for name, inner in shape.items():
            children = element.findall(name)
            if isinstance(inner, list):
                assert len(children) == len(inner), name
                found[name] = [as_json_has_it(*pair) for pair in zip(children, inner, strict=True)]
            else:
                (child,) = children
                found[name] = as_json_has_it(child, inner)
        assert {child.tag for child in element} <= shape.keys()
        return found
    text = element.text or ""
    if isinstance(shape, bool):
        return {"true": True, "false": False}[text]
    return int(text) if isinstance(shape, int) else text


def parsed(body: bytes) -> ET.Element:
    """Read XML."""
    return ET.fromstring(body)  # noqa: S314 - what a simulator of ours wrote


def both(gate, sign, action, parameters, **options):
    """Return an answer as JSON has it and as XML has it."""
    written = gate(**options).send(sign(action, parameters))
    as_xml = gate(**options).send(sign(action, parameters | {"Format": "xml"}))
    return json.loads(written.body), as_xml


@pytest.mark.parametrize("action", READS)
def test_xml_says_what_json_says(gate, sign, action):
    """Each reading operation: lists plain and wrapped, tags, tunnels, both kinds of route."""
    options = {"connections": RICH, "routes": ROUTES}
    for more in ({}, {"RouteEntryType": "bgp"}):
        data, answer = both(gate, sign, action, READS[action] | more, **options)
        root = parsed(answer.body)
        assert root.tag == f"{action}Response"
        assert as_json_has_it(root, data) == data


@pytest.mark.parametrize("write", ["CreateVcoRouteEntry", "DeleteVcoRouteEntry"])
def test_writes_answer_in_xml_too(gate, sign, name_route, write):
    """Fields of a create, the bare request id of a delete."""
    routes = [] if write.startswith("Create") else [Route("vco-1", "10.1.0.0/16")]
    data, answer = both(gate, sign, write, name_route(Description="<é>\r\n"), routes=routes)
    assert as_json_has_it(parsed(answer.body), data) == data


def test_xml_has_its_declaration_and_content_type(gate, sign):
    """Exactly the value by which the vendor's SDK knows XML."""
    answer = gate().send(sign("DescribeRegions", {"Format": "XML"}))
    assert answer.body.startswith(
        b"<?xml version='1.0' encoding='UTF-8'?><DescribeRegionsResponse>"
    )
    assert dict(answer.headers)[b"content-type"] == b"text/xml;charset=utf-8"


def test_an_error_in_xml_has_the_vendor_s_envelope(gate, sign):
    """<Error> with RequestId, HostId, Code, Message and Recommend."""
    data, answer = both(gate, sign, "DescribeVpnConnection", ONE | {"VpnConnectionId": "vco-9"})
    root = parsed(answer.body)
    assert (answer.status, root.tag) == (404, "Error")
    assert as_json_has_it(root, data) == data
    assert [child.tag for child in root] == ["RequestId", "HostId", "Code", "Message", "Recommend"]


def test_a_wrapped_list_stands_in_one_element(gate, sign):
    """Regions holds many Region; a plain list is its element again and again."""
    regions = parsed(gate().send(sign("DescribeRegions", {"Format": "XML"})).body)
    assert len(regions.findall("Regions")) == 1
    assert len(regions.findall("Regions/Region")) > 30
    before = gate(routes=ROUTES)
    routes = before.send(sign("DescribeVcoRouteEntries", ONE | {"Format": "XML"}))
    assert len(parsed(routes.body).findall("VcoRouteEntries")) == 2


@pytest.mark.parametrize(("switch", "elements"), [(False, 0), (True, 1)])
def test_an_empty_list_in_xml_is_a_switch(gate, sign, switch, elements):
    """No element or an empty one: which, nobody has documented."""
    before = gate(switches=Switches(xml_empty_lists=switch))
    answer = before.send(sign("DescribeVcoRouteEntries", ONE | {"Format": "XML"}))
    found = parsed(answer.body).findall("VcoRouteEntries")
    assert len(found) == elements
    assert all(element.text is None for element in found)


@pytest.mark.parametrize("form", ["JSON", "json", "Json", "", None])
def test_json_is_the_default(gate, sign_v1, form):
    """In any letters, empty or absent."""
    answer = gate().send(sign_v1("DescribeRegions", common={"Format": form}))
    assert json.loads(answer.body)["Regions"]


def test_accept_asks_where_format_does_not(gate, sign):
    """application/xml alone asks for XML; the parameter wins, and */* asks for nothing."""
    before = gate()
    for accept, more, xml in (
        ("application/xml", {}, True),
        ("text/xml", {}, True),
        ("application/xml", {"Format": "JSON"}, False),
        ("*/*", {}, False),
        ("application/json, application/xml", {}, False),
    ):
        answer = before.send(sign("DescribeRegions", more, headers={"accept": accept}))
        assert answer.body.startswith(b"<?xml") is xml, accept


@pytest.mark.parametrize("form", ["YAML", "jsonx", "<xml>"])
def test_other_formats_are_refused_in_json(gate, sign, form):
    """There are two formats; who asks for a third is told so in the default."""
    answer = gate().send(sign("DescribeRegions", {"Format": form}))
    assert json.loads(answer.body)["Code"] == "InvalidParameter.Format"


def test_text_that_xml_cannot_hold_is_replaced(gate, sign, name_route):
    """Control characters are none of XML's; everything else survives, markup too."""
    text = "a\x00b\x1b[31mc\ufffe <script>&amp;]]> \t\n\r 😀"
    parameters = name_route(Description=text) | {"Format": "XML"}
    answer = gate().send(sign("CreateVcoRouteEntry", parameters))
    told = parsed(answer.body).findtext("Description")
    assert told == re.sub("[\x00\x1b\ufffe]", "\ufffd", text)


def test_a_refused_request_is_answered_in_its_format(gate, sign):
    """Even one that was not let in."""
    nobody = Account("1", "nobody", "x").credentials
    answer = gate().send(sign("DescribeRegions", {"Format": "XML"}, credentials=nobody))
    assert parsed(answer.body).findtext("Code") == "InvalidAccessKeyId.NotFound"


def test_a_permission_s_detail_is_written_in_both(gate, sign):
    """AccessDeniedDetail nests in XML as in JSON."""
    account = Account(policy={"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    data, answer = both(gate, sign, "DescribeRegions", {}, accounts=[account])
    assert data["AccessDeniedDetail"]["AuthAction"] == "vpc:DescribeRegions"
    assert as_json_has_it(parsed(answer.body), data) == data


def test_a_form_body_can_ask_for_xml(gate, sign):
    """Format may stand wherever parameters may."""
    body = urlencode({"Format": "XML"}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = gate().send(sign("DescribeRegions", body=body, headers=headers))
    assert answer.body.startswith(b"<?xml")
