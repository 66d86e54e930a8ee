"""The Security Token Service of a simulated cloud: temporary keys for roles of other accounts.

A key that assumes a role gets another key, which belongs to the account of the role: it has the
policy of the role, ends at its expiration by wall time, and uses the limits of that account.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from vcokit.simulator.errors import ApiError
from vcokit.simulator.models import (
    CANARY_ROLE_SECRET,
    CANARY_ROLE_TOKEN,
    CONTRACT,
    ROLE_ARN,
    Account,
    Role,
)
from vcokit.simulator.operations import Fields, RequestContext, operation

_FACTS: Final = CONTRACT["services"]["security_token"]
_PARAMETERS: Final = _FACTS["parameters"]
_SECONDS: Final = _PARAMETERS["DurationSeconds"]


def check_form(request: RequestContext) -> str | None:
    """A parameter is not of the form that the API describes."""
    for name in ("RoleArn", "RoleSessionName", "ExternalId"):
        if (text := request.text(name)) and not re.fullmatch(_PARAMETERS[name]["pattern"], text):
            return f"InvalidParameter.{name}"
    text = request.text("DurationSeconds") or str(_SECONDS["default"])
    # The longest time is that of a role whose maximum nobody has changed.
    fits = (
        re.fullmatch("[0-9]{3,5}", text) and _SECONDS["least"] <= int(text) <= _SECONDS["default"]
    )
    return None if fits else "InvalidParameter.DurationSeconds"


@operation("AssumeRole", check_form)
def assume_role(request: RequestContext) -> Fields:
    """Return a temporary key for a role."""
    owner, role = _find(request)
    if request.account_id not in role.trusts:
        raise ApiError(_FACTS["ram"]["denial"])
    if role.external_id not in (None, request.text("ExternalId")):
        raise ApiError(_FACTS["ram"]["denial"])
    cloud = request.cloud
    seconds = int(request.text("DurationSeconds") or _SECONDS["default"])
    expires = cloud.created_ms(request.now) // 1000 + seconds
    number, secret, token = (f"{cloud.random_keys.getrandbits(128):032x}" for _ in range(3))
    key = replace(
        owner,
        access_key_id=f"STS.{number}",
        access_key_secret=f"{CANARY_ROLE_SECRET}-{secret}",
        security_token=f"{CANARY_ROLE_TOKEN}-{token}",
        token_expires=expires,
        active=True,
        policy=role.policy,
        roles=(),
    )
    cloud.keys[key.access_key_id] = key
    session = request.text("RoleSessionName")
    return {
        "Credentials": {
            "AccessKeyId": key.access_key_id,
            "AccessKeySecret": key.access_key_secret,
            "SecurityToken": key.security_token,
            "Expiration": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "AssumedRoleUser": {
            "Arn": f"{request.text('RoleArn')}/{session}",
            "AssumedRoleId": f"{int(number[:14], 16)}:{session}",
        },
    }


def _find(request: RequestContext) -> tuple[Account, Role]:
    """Return the role that is to be assumed, and the account that it belongs to."""
    named: Any = ROLE_ARN.fullmatch(request.text("RoleArn"))
    for account in request.cloud.keys.values():
        if account.account_id == named["account"]:
            for role in account.roles:
                if role.name == named["role"]:
                    return account, role
    raise ApiError("EntityNotExist.Role")
