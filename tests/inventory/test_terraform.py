"""Terraform's files are what its own grammar reads, and what Terraform shows of them reads back."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vcokit as vk
from vcokit.errors import InputError, InventoryError

ROOT = Path(__file__).parent.parent.parent
RESOURCE = "alicloud_vpn_gateway_vco_route"
IDENTITY = ["vpn_connection_id", "route_dest", "next_hop", "weight"]
FIELDS = ["region_id", *IDENTITY]


def inventory() -> pd.DataFrame:
    """Return the routes of data/routes.csv that can be live, of several regions."""
    routes = vk.read_routes(ROOT / "data" / "routes.csv")
    findings = vk.audit_routes(routes)
    wrong = findings.loc[findings["severity"] == "error", "row"].unique()
    return routes.drop(wrong).reset_index(drop=True)


def written(routes: pd.DataFrame) -> dict[str, Any]:
    """Return what an independent reader of the language makes of a written file."""
    file = io.StringIO()
    vk.write_routes(routes, file, format="terraform")
    return hcl2.loads(file.getvalue())


def plain(value: object) -> object:
    """Return a value of the language as Python's: a string without its quotes and escapes."""
    if not isinstance(value, str):
        return value
    text = re.sub(r"\$\$(?=\{)", "$", re.sub(r"%%(?=\{)", "%", value))
    return json.loads(text)


def state_of(document: dict[str, Any], regions: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what ``terraform show -json`` prints of a written file, in its documented form.

    With regions it is that of a plan, whose configuration names the provider's region.
    """
    maps = {name: value for block in document["locals"] for name, value in block.items()}
    resources, configured = [], []
    for block in document["resource"]:
        for label, body in block[f'"{RESOURCE}"'].items():
            address = f"{RESOURCE}.{label[1:-1]}"
            routes = maps[body["for_each"].removeprefix("${local.").removesuffix("}")]
            for key, fields in routes.items():
                names = [name for name in fields if name in IDENTITY]
                assert {body[name] for name in names} == {f"${{each.value.{n}}}" for n in names}
                values = {name: plain(fields[name]) for name in names}
                index = plain(key)
                resources.append(
                    {
                        "address": f"{address}[{json.dumps(index)}]",
                        "mode": "managed",
                        "type": RESOURCE,
                        "name": label[1:-1],
                        "index": index,
                        "values": {**values, "id": ":".join(map(str, values.values()))},
                    }
                )
            provider = body.get("provider", "${alicloud}")[2:-1]
            configured.append({"address": address, "provider_config_key": provider})
    root = {"resources": resources, "child_modules": [{"address": "module.empty"}]}
    head = {"format_version": "1.0", "terraform_version": "1.9.0"}
    if regions is None:
        return {**head, "values": {"root_module": root}}
    providers = {
        key: {"name": "alicloud", "expressions": {"region": {"constant_value": region}}}
        for key, region in regions.items()
    }
    configuration = {"provider_config": providers, "root_module": {"resources": configured}}
    return {**head, "planned_values": {"root_module": root}, "configuration": configuration}


def test_routes_go_to_terraform_and_back() -> None:
    """The whole inventory, through the file and a plan that Terraform shows, is the same routes."""
    routes = inventory()
    assert routes["region_id"].nunique() > 1
    document = written(routes)
    regions = {f"alicloud.{one.replace('-', '_')}": one for one in routes["region_id"].unique()}
    found = vk.read_routes(io.StringIO(json.dumps(state_of(document, regions), indent=2)))
    pd.testing.assert_frame_equal(
        found[FIELDS].sort_values(FIELDS, ignore_index=True),
        routes[FIELDS].sort_values(FIELDS, ignore_index=True),
    )
    assert "import" not in document


def test_live_routes_are_imported_by_their_ids() -> None:
    """Live routes have import blocks; their ids are those of the provider's documentation."""
    routes = inventory().query("region_id == 'cn-hangzhou'").reset_index(drop=True)
    with (
        vk.Simulator.for_routes(
            routes,
            routes=[
                vk.simulator.Route(*row)
                for row in routes[["vpn_connection_id", "route_dest", "weight"]].itertuples(
                    index=False
                )
            ],
        ) as cloud,
        vk.connect(cloud) as client,
    ):
        live = vk.live_routes(client, routes)
    document = written(live)
    (block,) = document["import"]
    assert block["to"] == f"${{{RESOURCE}.cn_hangzhou[each.key]}}"
    assert block["for_each"] == "${local.vco_routes_cn_hangzhou}"
    parts = re.findall(r"each\.value\.(\w+)", block["id"])
    assert block["id"].startswith('${join(":", [')
    ids = {
        ":".join(str(plain(fields[name])) for name in parts)
        for fields in document["locals"][0]["vco_routes_cn_hangzhou"].values()
    }
    assert ids == {
        f"{one.vpn_connection_id}:{one.route_dest}:{one.next_hop}:{one.weight}"
        for one in live.itertuples()
    }
    found = vk.read_routes(io.StringIO(json.dumps(state_of(document))), region="cn-hangzhou")
    assert len(found) == len(live)
    assert vk.verify_routes(found, live)["verdict"].eq("as planned").all()


def test_keys_stay_where_weights_change() -> None:
    """A key is connection and network; what shares them has its next hop and weight behind it."""
    rows = [("vco-a", "10.0.0.0/8", "vco-a", 100), ("vco-b", "10.0.0.0/8", "vco-b", 0)]
    rows += [("vco-c", "10.0.0.0/8", "vco-c", 0), ("vco-c", "10.0.0.0/8", "vco-x", 100)]
    routes = pd.DataFrame([("r", *row) for row in rows], columns=FIELDS)
    keys = [plain(key) for key in written(routes)["locals"][0]["vco_routes_r"] if key[0] == '"']
    assert keys[:2] == ["vco-a/10.0.0.0/8", "vco-b/10.0.0.0/8"]
    assert keys[2:] == ["vco-c/10.0.0.0/8/vco-c/0", "vco-c/10.0.0.0/8/vco-x/100"]


@given(st.lists(st.text(max_size=6) | st.sampled_from(["${a}", "%{b}", '"', "\\", "$${", "\n"])))
def test_no_cell_is_a_template(pieces: list[str]) -> None:
    """Whatever a cell holds is a string, and the very string, to a reader of the language."""
    hop = "h" + "".join(pieces).encode("utf-8", "ignore").decode().replace("\0", "")
    routes = pd.DataFrame([("r", "vco-a", "10.0.0.0/8", hop, 100)], columns=FIELDS)
    file = io.StringIO()
    vk.write_routes(routes, file, format="terraform")
    (text,) = re.findall(r"^ +next_hop += (\".*\")$", file.getvalue(), re.MULTILINE)
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", text)
    assert plain(text) == hop


def test_a_plan_of_modules() -> None:
    """Routes of modules are read; a region is that of the provider where it is a constant."""
    values = {"vpn_connection_id": "vco-a", "route_dest": "10.0.0.0/8", "next_hop": "vco-a"}
    resource = {"address": f"module.x.{RESOURCE}.y", "mode": "managed", "type": RESOURCE}
    other = {"address": "alicloud_vpc.z", "mode": "managed", "type": "alicloud_vpc", "values": {}}
    child = {"address": "module.x", "resources": [{**resource, "values": {**values, "weight": 0}}]}
    key = {"address": f"{RESOURCE}.y", "provider_config_key": "module.x:alicloud"}
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": [other], "child_modules": [child]}},
        "configuration": {
            "provider_config": {"alicloud": {"expressions": {"region": {"constant_value": "r"}}}},
            "root_module": {"module_calls": {"x": {"module": {"resources": [key]}}}},
        },
    }
    found = vk.read_routes(io.StringIO(json.dumps(document)))
    assert found[FIELDS].values.tolist() == [["r", "vco-a", "10.0.0.0/8", "vco-a", 0]]


def test_what_cannot_be_written_or_read_is_one_error(tmp_path: Path) -> None:
    """A route without a part of its identity, one twice, a file of the language: each says why."""
    good = pd.DataFrame([("r", "vco-a", "10.0.0.0/8", "vco-a", 100)], columns=FIELDS)
    for routes, why in (
        (good.assign(weight=None), "row 0 has no weight"),
        (good.assign(next_hop=None), "row 0 has no next_hop"),
        (pd.concat([good, good]), "row 1 repeats the route of an earlier row"),
    ):
        with pytest.raises(InputError, match=why):
            vk.write_routes(routes, tmp_path / "routes.tf")
    assert not list(tmp_path.iterdir())
    vk.write_routes(good, tmp_path / "routes.tf")
    with pytest.raises(InventoryError, match="terraform show -json"):
        vk.read_routes(tmp_path / "routes.tf")
    empty = {"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {}}}
    for document in (empty, {**empty, "values": None}, {**empty, "values": {"root_module": 7}}):
        with pytest.raises(InventoryError, match=f"no resource {RESOURCE}"):
            vk.read_routes(io.StringIO(json.dumps(document)))
