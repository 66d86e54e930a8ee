"""The vendor's official SDKs: which of them has an operation, with its models and its client."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

import alibabacloud_cbn20170912.client
import alibabacloud_cbn20170912.models
import alibabacloud_quotas20200510.client
import alibabacloud_quotas20200510.models
import alibabacloud_sts20150401.client
import alibabacloud_sts20150401.models
import alibabacloud_vpc20160428.client
import alibabacloud_vpc20160428.models
from alibabacloud_tea_openapi.models import Config

from vcokit.contract import CONTRACT

#: SDKs by the version of their API.
_SDKS: Final[dict[str, ModuleType]] = {
    "2015-04-01": alibabacloud_sts20150401,
    "2016-04-28": alibabacloud_vpc20160428,
    "2017-09-12": alibabacloud_cbn20170912,
    "2020-05-10": alibabacloud_quotas20200510,
}
#: The version of the API that each operation is of.
VERSIONS: Final[dict[str, str]] = {
    name: service["version"]
    for service in (CONTRACT, *CONTRACT["services"].values())
    for name in service["operations"]
}


def model(name: str, ending: str) -> Any:
    """Return a model of an operation, such as that of its ``Request`` or ``ResponseBody``."""
    return getattr(_SDKS[VERSIONS[name]].models, f"{name}{ending}")


def models_of(name: str) -> ModuleType:
    """Return all models of the SDK that has an operation."""
    return _SDKS[VERSIONS[name]].models


def client(name: str, **config: Any) -> Any:
    """Return a client of the SDK that has an operation."""
    return _SDKS[VERSIONS[name]].client.Client(Config(**config))


def method(name: str) -> str:
    """Return the method of an operation, as the client and the SDK name it."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
