"""The Quota Center of a simulated cloud: a separate service with the quotas of the account.

Codes and names that are not in the contract are invented. The numbers are the limits that the
simulator itself applies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vcokit.simulator.errors import ApiError
from vcokit.simulator.models import CONTRACT
from vcokit.simulator.operations import Fields, RequestContext, operation, read_tokened_page

_FACTS: Final = CONTRACT["services"]["quota_center"]
_CATEGORIES: Final = _FACTS["categories"]["value"]


@operation("ListProductQuotas")
def list_quotas(request: RequestContext) -> Fields:
    """Return a page of the quotas of a product."""
    category = request.text("QuotaCategory") or _CATEGORIES["quotas"]
    if category not in _FACTS["parameters"]["QuotaCategory"]["choices"]:
        raise ApiError("InvalidQuotaCategory")
    rows = [row for row in _quotas(request) if row["QuotaCategory"] == category]
    wanted = request.text("QuotaActionCode")
    rows = [row for row in rows if wanted in ("", row["QuotaActionCode"])]
    return read_tokened_page(request, rows, "InvalidNextToken")


@operation("GetProductQuota")
def get_quota(request: RequestContext) -> Fields:
    """Return one quota."""
    wanted = request.text("QuotaActionCode")
    found = next((row for row in _quotas(request) if row["QuotaActionCode"] == wanted), None)
    if found is None:
        raise ApiError("InvalidQuotaActionCode")
    return {"Quota": found}


def _quotas(request: RequestContext) -> Iterator[dict[str, Any]]:
    """Yield the quotas of a product; VPN quotas belong to the first product in the contract."""
    product = request.text("ProductCode")
    if product != _FACTS["products"]["value"][0]:
        return
    cloud = request.cloud
    counts = [len(one.table) for one in cloud.connections(request.now)]
    quotas = [
        (
            _FACTS["routes_per_connection"]["value"],
            "Destination-based routes of an IPsec-VPN connection",
            cloud.quota,
            max(counts, default=0),
        ),
        ("vpn_quota_pbr_routes", "Policy-based routes of an IPsec-VPN connection", 50, 0),
        ("vpn_quota_connections", "IPsec-VPN connections", 100, len(counts)),
    ]
    for code, name, total, used in quotas:
        yield {
            "ProductCode": product,
            "QuotaActionCode": code,
            "QuotaCategory": _CATEGORIES["quotas"],
            "QuotaName": name,
            "QuotaDescription": name,
            "QuotaUnit": "",
            "TotalQuota": float(total),
            "TotalUsage": float(used),
            "Adjustable": True,
        }
    for name in CONTRACT["operations"]:
        calls, seconds = cloud.limits[name]
        yield {
            "ProductCode": product,
            "QuotaActionCode": f"vpn_flow_{name}",
            "QuotaCategory": _CATEGORIES["limits"],
            "QuotaName": f"Calls of {name}",
            "QuotaDescription": f"API rate limit of {name}",
            "QuotaUnit": "",
            "TotalQuota": float(calls),
            "Adjustable": False,
            "Period": {"PeriodUnit": "second", "PeriodValue": round(seconds)},
        }
