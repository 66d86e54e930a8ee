"""Routes in Terraform: written in its language, read from ``terraform show -json``.

The resource is ``alicloud_vpn_gateway_vco_route`` of the provider aliyun/alicloud. It has no
argument for a description, so descriptions are not written. The provider's configuration decides
the region of a route. So each region has its own block, and if there are several regions, each
block names the provider's alias, ``alicloud.cn_hangzhou``::

    locals { vco_routes_cn_hangzhou = { "vco-a/10.0.0.0/8" = { … weight = 100 } } }
    resource "alicloud_vpn_gateway_vco_route" "cn_hangzhou" { for_each = … }
    import { for_each = … }              for live routes: imports them into Terraform

The key of a route is its connection and network, so a new weight replaces the route with the same
key. If a connection has two routes for a network, next hop and weight are appended to the key. The
id for import is ``<connection>:<network>:<next hop>:<weight>``, as in the provider's documentation.
A loop in an import block needs Terraform 1.7 or OpenTofu 1.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from vcokit.errors import InputError, InventoryError
from vcokit.schema import destination_routes, text_column

RESOURCE: Final = "alicloud_vpn_gateway_vco_route"
_FIELDS: Final = ("vpn_connection_id", "route_dest", "next_hop", "weight")
_HEADER: Final = f"""\
# Destination routes of IPsec-VPN connections, written by vcokit.
# One block of routes per region; the resource is {RESOURCE}.
"""
_OF_A_REGION: Final = """\

locals {{
  vco_routes_{label} = {{
{routes}  }}
}}

resource "{resource}" "{label}" {{
  for_each          = local.vco_routes_{label}
{provider}  vpn_connection_id = each.value.vpn_connection_id
  route_dest        = each.value.route_dest
  next_hop          = each.value.next_hop
  weight            = each.value.weight
}}
"""
_IMPORT: Final = """\

import {{
  for_each = local.vco_routes_{label}
  to       = {resource}.{label}[each.key]
  id       = join(":", [
    each.value.vpn_connection_id, each.value.route_dest, each.value.next_hop, each.value.weight
  ])
}}
"""


def terraform_blocks(routes: pd.DataFrame) -> Iterator[str]:
    r"""Yield the text of a Terraform file, region by region.

    Parameters
    ----------
    routes : DataFrame
        An inventory, or live routes, which also get import blocks.

    Raises
    ------
    InputError
        If a route lacks its region, connection, network, next hop or weight, or occurs twice.

    Examples
    --------
    >>> routes = pd.DataFrame({"region_id": ["cn-hangzhou"], "vpn_connection_id": ["vco-a"],
    ...     "route_dest": ["10.0.0.0/8"], "next_hop": ["vco-a"], "weight": [100]})
    >>> print("".join(terraform_blocks(routes)).partition("\nresource")[0])
    # Destination routes of IPsec-VPN connections, written by vcokit.
    # One block of routes per region; the resource is alicloud_vpn_gateway_vco_route.
    <BLANKLINE>
    locals {
      vco_routes_cn_hangzhou = {
        "vco-a/10.0.0.0/8" = {
          vpn_connection_id = "vco-a"
          route_dest        = "10.0.0.0/8"
          next_hop          = "vco-a"
          weight            = 100
        }
      }
    }
    <BLANKLINE>
    """
    are_live = "route_entry_type" in routes.columns
    rows = _checked(destination_routes(routes))
    groups = list(rows.groupby("region_id", sort=False))
    yield _HEADER
    for region, group in groups:
        label = re.sub(r"[^0-9A-Za-z_]", "_", str(region))
        provider = f"  provider          = alicloud.{label}\n" if len(groups) > 1 else ""
        blocks = _OF_A_REGION + _IMPORT * are_live
        yield blocks.format(
            label=label, resource=RESOURCE, provider=provider, routes="".join(_routes(group))
        )


def _checked(routes: pd.DataFrame) -> pd.DataFrame:
    """Return region and identity of each route, with the weight as a number; checked."""
    weight = pd.to_numeric(routes["weight"], errors="coerce").astype("Int64")
    rows = pd.DataFrame(
        {name: text_column(routes[name]).array for name in ("region_id", *_FIELDS[:3])}
    ).assign(weight=weight.array)
    for name in rows:
        missing = rows.index[rows[name].isna()]
        if len(missing):
            raise InputError(
                f"row {missing[0]} has no {name}, which Terraform requires",
                remedy="Audit the routes first, and leave out rows with errors",
            )
    repeated = rows.index[rows.duplicated()]
    if len(repeated):
        raise InputError(
            f"row {repeated[0]} repeats the route of an earlier row",
            remedy="Leave it out: routes.drop_duplicates()",
        )
    return rows


def _routes(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the map entry of each route."""
    repeated = rows.duplicated(["vpn_connection_id", "route_dest"], keep=False)
    columns = (rows[name].tolist() for name in _FIELDS)
    for *texts, weight, several in zip(*columns, repeated.tolist(), strict=True):
        connection, network, hop = map(str, texts)
        key = f"{connection}/{network}" + f"/{hop}/{weight}" * several
        yield (
            f"    {_quoted(key)} = {{\n"
            f"      vpn_connection_id = {_quoted(connection)}\n"
            f"      route_dest        = {_quoted(network)}\n"
            f"      next_hop          = {_quoted(hop)}\n"
            f"      weight            = {weight}\n"
            "    }\n"
        )


def _quoted(text: str) -> str:
    """Return text as a string of Terraform's language, with template markers escaped."""
    plain = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return plain.replace("${", "$${").replace("%{", "%%{")


def is_document(found: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is output of ``terraform show -json``."""
    return "format_version" in found and bool(
        {"values", "planned_values", "terraform_version"} & found.keys()
    )


def resources_of(source: str, line: int, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the routes of a document as objects whose keys are names of fields.

    For a state, these are its routes; for a plan, the routes after the plan is applied. The region
    is known only from a plan whose provider configuration has it as a constant.

    Raises
    ------
    InventoryError
        If the document has no resource of routes.
    """
    values = document.get("planned_values") or document.get("values")
    found = list(_resources(values.get("root_module") if isinstance(values, dict) else None))
    if not found:
        raise InventoryError(
            f"this Terraform document has no resource {RESOURCE}",
            source=source,
            line=line,
            remedy="Print the state or plan that has the routes: terraform show -json",
        )
    regions = _regions(document)
    return [
        {"region_id": regions.get(_block(one)), **{name: values.get(name) for name in _FIELDS}}
        for one in found
        if isinstance(values := one.get("values"), dict)
    ]


def _resources(module: object) -> Iterator[dict[str, Any]]:
    """Yield the routes among the resources of a module and its child modules."""
    if not isinstance(module, dict):
        return
    for one in module.get("resources") or ():
        if isinstance(one, dict) and (one.get("type"), one.get("mode")) == (RESOURCE, "managed"):
            yield one
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def _block(resource: Mapping[str, Any]) -> str:
    """Return the address of a resource's block, without the keys of ``for_each`` and ``count``."""
    return re.sub(r"\[(?:\"(?:[^\"\\]|\\.)*\"|[0-9]+)\]", "", str(resource.get("address", "")))


def _regions(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the region of each block whose region is a constant in the plan's configuration."""
    configuration = document.get("configuration")
    if not isinstance(configuration, dict):
        return {}
    providers = configuration.get("provider_config")
    regions = {}
    for key, one in providers.items() if isinstance(providers, dict) else ():
        expressions = one.get("expressions") if isinstance(one, dict) else None
        region = expressions.get("region") if isinstance(expressions, dict) else None
        if isinstance(region, dict) and isinstance(region.get("constant_value"), str):
            regions[key] = region["constant_value"]
    return dict(_configured(configuration.get("root_module"), "", regions))


def _configured(module: object, prefix: str, regions: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the address and region of each block in a module and the modules that it calls."""
    if not isinstance(module, dict):
        return
    for one in module.get("resources") or ():
        key = str(one.get("provider_config_key", "")) if isinstance(one, dict) else ""
        # In a child module, the key is prefixed with the module: "module.a:alicloud".
        key = key.rpartition(":")[2]
        if key in regions:
            yield f"{prefix}{one.get('address')}", regions[key]
    calls = module.get("module_calls")
    for name, call in calls.items() if isinstance(calls, dict) else ():
        inner = call.get("module") if isinstance(call, dict) else None
        yield from _configured(inner, f"{prefix}module.{name}.", regions)
