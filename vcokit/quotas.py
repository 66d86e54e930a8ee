"""The quotas of an account from the Quota Center: number of routes, number of calls.

The Quota Center is another service of the vendor, with its own endpoint and its own permission,
``quotas:ListProductQuotas``. Nothing depends on it: if it gives no answer, a note gives the reason
and the defaults apply.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from vcokit import schema
from vcokit._text import pluralize
from vcokit.cloud.client import Client
from vcokit.cloud.operations import KNOWN, OPERATIONS, Limit
from vcokit.cloud.responses import note_of
from vcokit.contract import CONTRACT, limit
from vcokit.errors import CloudError, InputError

#: Value of the column `about` for the quota of routes per connection.
ROUTES: Final = "routes of a connection"
#: The columns of `Quotas.frame`.
QUOTA_COLUMNS: Final[schema.Schema] = {
    "about": schema.STR,
    "code": schema.STR,
    "name": schema.STR,
    "value": "Int64",
    "used": "Int64",
    "unit": schema.STR,
    "seconds": "Float64",
    "adjustable": schema.BOOL,
    "source": schema.STR,
}

_CENTER: Final[Mapping[str, Any]] = CONTRACT["services"]["quota_center"]
_LIST: Final = KNOWN["ListProductQuotas"]
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}

#: Words in the quota for destination routes of a connection, and in similar quotas.
_CONNECTION: Final = re.compile(r"\bvco\b|ipsec|vpn.?connection|_vco_|_connection", re.IGNORECASE)
_ROUTE: Final = re.compile(r"route", re.IGNORECASE)
_OTHER: Final = re.compile(r"pbr|polic|bgp|ssl|route.?table|gateway.?num", re.IGNORECASE)


@dataclass(frozen=True)
class Quotas:
    """The quotas of an account; from `live_quota`.

    Parameters
    ----------
    routes : int or None
        Number of routes that a connection may have; None if unknown. It can always be passed as
        ``quota=``: with None the default applies.
    source : str
        Where the number comes from.
    limits : mapping of str to Limit
        Rate limits of operations, if known.
    notes : tuple of str
        What could not be read, and why.
    """

    routes: int | None
    source: str
    limits: Mapping[str, Limit] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    table: pd.DataFrame = field(
        default_factory=lambda: schema.frame(QUOTA_COLUMNS), repr=False, compare=False
    )

    def frame(self) -> pd.DataFrame:
        """Return one row per quota, the recognised quotas first.

        Returns
        -------
        DataFrame
            Columns about (``routes of a connection``, or an operation; missing if the quota is not
            recognised), code, name, value, used, unit, seconds (of a limit), adjustable, source.
        """
        return self.table.copy()

    def __str__(self) -> str:
        said = "not told" if self.routes is None else f"{self.routes:,}"
        lines = [f"{ROUTES}: {said} ({self.source})"]
        lines += [
            f"{name}: {pluralize(one.calls, 'call')} in {one.seconds:g} s"
            for name, one in self.limits.items()
        ]
        return "\n".join([*lines, *self.notes])


def live_quota(client: Client) -> Quotas:
    """Return the quotas of the account from the Quota Center.

    Parameters
    ----------
    client : Client
        From `connect`. Calls go to the Quota Center's own host, or to the client's endpoint if
        one is set.

    Returns
    -------
    Quotas
        ``routes`` is the number of routes that a connection may have; pass it as ``quota=`` to
        ``audit_routes`` and ``plan_routes``.

    Raises
    ------
    CredentialsError, AuthError
        If the AccessKey itself is refused. A missing permission is a note.

    Examples
    --------
    >>> from vcokit.cloud.connect import connect
    >>> from vcokit.simulator import Connection, Simulator
    >>> with Simulator([Connection("vco-a")], quota=70) as cloud, connect(cloud) as client:
    ...     quotas = live_quota(client)
    >>> quotas.routes, quotas.limits["CreateVcoRouteEntry"]
    (70, Limit(calls=60, seconds=60.0))
    """
    if not isinstance(client, Client):
        raise InputError(
            f"the first argument must be a Client, not {type(client).__name__}",
            remedy='Write live_quota(client), with client = connect(region="cn-hangzhou")',
        )
    default = f"default: {limit('routes_per_connection')}, assumed"
    try:
        quotas = list(_quotas(client, "quotas"))
        limits = list(_quotas(client, "limits"))
    except CloudError as error:
        return Quotas(None, default, notes=(note_of(error, "so the defaults apply"),))
    table = _table([*quotas, *limits])
    about = table[table["about"] == ROUTES]
    timed = table.dropna(subset=["about", "value", "seconds"])
    cells = zip(timed["about"], timed["value"], timed["seconds"], strict=True)
    told = {str(name): Limit(int(calls), float(seconds)) for name, calls, seconds in cells}
    if len(about) == 1 and pd.notna(number := about["value"].iloc[0]):
        return Quotas(int(number), str(about["source"].iloc[0]), told, table=table)
    what = ", ".join(about["code"].astype(str)) if len(about) else "none"
    note = (
        f"The Quota Center names no single quota of the routes of a connection ({what} may be it): "
        "look at frame(), and pass quota= yourself"
    )
    return Quotas(None, default, told, (note,), table)


def _quotas(client: Client, category: str) -> Iterator[Mapping[str, Any]]:
    """Yield the VPN quotas of one category, from the first product that has any."""
    for product in _CENTER["products"]["value"]:
        asked = {"ProductCode": product, "QuotaCategory": _CENTER["categories"]["value"][category]}
        pages = client.listing(_LIST, asked)
        rows = [row for page in pages for row in page.rows if _is_ours(row, category)]
        if rows:
            yield from rows
            return


def _is_ours(row: Mapping[str, Any], category: str) -> bool:
    if category == "quotas":
        return str(row.get("QuotaActionCode") or "").startswith(_CENTER["prefix"]["value"])
    return _operation_of(row) is not None


def _operation_of(row: Mapping[str, Any]) -> str | None:
    """Return the operation whose limit a quota is: the longest name that its texts contain."""
    text = _text(row)
    named = [name for name in OPERATIONS if re.search(rf"(?<![A-Za-z]){name}(?![A-Za-z])", text)]
    return max(named, key=len, default=None)


def _text(row: Mapping[str, Any]) -> str:
    names = ("QuotaActionCode", "QuotaName", "QuotaDescription")
    return " ".join(str(row.get(name) or "") for name in names)


def _is_of_routes(row: Mapping[str, Any]) -> bool:
    text = _text(row)
    return bool(_ROUTE.search(text) and _CONNECTION.search(text) and not _OTHER.search(text))


def _table(rows: list[Mapping[str, Any]]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {name: [] for name in QUOTA_COLUMNS}
    for row in rows:
        period = row.get("Period") or {}
        width = _SECONDS.get(str(period.get("PeriodUnit") or "").lower())
        operation = _operation_of(row)
        seconds = None if width is None else float(width * (period.get("PeriodValue") or 1))
        about = operation if operation and seconds else ROUTES if _is_of_routes(row) else None
        code = row.get("QuotaActionCode")
        cells = {
            "about": about,
            "code": code,
            "name": row.get("QuotaName") or row.get("QuotaDescription"),
            "value": _whole(row.get("TotalQuota")),
            "used": _whole(row.get("TotalUsage")),
            "unit": row.get("QuotaUnit"),
            "seconds": seconds,
            "adjustable": row.get("Adjustable"),
            "source": f"Quota Center, {code}",
        }
        for name, cell in cells.items():
            columns[name].append(cell)
    table = schema.frame(QUOTA_COLUMNS, columns)
    return table.sort_values("about", na_position="last", kind="stable", ignore_index=True)


def _whole(number: Any) -> int | None:
    """Return a quota as an integer; None if it is missing or unlimited."""
    return None if number is None or not 0 <= number < 2**62 else int(number)
