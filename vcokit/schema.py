"""The frames of vcokit: names, order and dtypes of their columns, and the heads files use for them.

==================  =====================================================================
`ROUTES`            a row a route of an inventory; `conform_routes` brings any frame to it
`FINDINGS`          a row a finding of an audit
`LIVE_ROUTES`       a row a route that the cloud holds now
`LIVE_CONNECTIONS`  a row an IPsec connection that the cloud holds now
`STEPS`             a row a step of a plan or rollout
`CALLS`             a row a call that a rollout made
`DIFFERENCES`       a row a route compared by `verify_routes`
==================  =====================================================================

Strings are pandas' ``str`` (Arrow-backed, missing is NA), whole numbers ``Int64``, times
``datetime64[us, UTC]``. A missing value is NA, never an empty string or a magic number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from vcokit.errors import InputError

Schema: TypeAlias = Mapping[str, Any]

STR: Final = "str"
INT: Final = "Int64"
FLOAT: Final = "Float64"
TIME: Final = "datetime64[us, UTC]"
CATEGORY: Final = "category"

SEVERITIES: Final = pd.CategoricalDtype(["info", "warning", "error"], ordered=True)
ACTIONS: Final = pd.CategoricalDtype(["create", "modify", "delete", "keep", "blocked"])
STATES: Final = pd.CategoricalDtype(
    [
        "pending",
        "sent",
        "unknown",
        "accepted",
        "settled",
        "done",
        "failed",
        "skipped",
        "blocked",
    ]
)
VERDICTS: Final = pd.CategoricalDtype(["as planned", "missing", "different", "unexpected"])

ROUTES: Final[Schema] = {
    "region_id": STR,
    "vpn_connection_id": STR,
    "route_dest": STR,
    "next_hop": STR,
    "weight": INT,
    "description": STR,
    "weight_text": STR,
    "source": CATEGORY,
    "line": INT,
}

#: Columns a frame must have to be taken as routes; the others are filled with NA.
ROUTES_REQUIRED: Final = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight")

FINDINGS: Final[Schema] = {
    "row": "int64",
    "source": CATEGORY,
    "line": INT,
    "column": STR,
    "region_id": STR,
    "vpn_connection_id": STR,
    "route_dest": STR,
    "rule": CATEGORY,  # the audit puts its ordered list of rules here
    "severity": SEVERITIES,
    "message": STR,
    "suggestion": STR,
    "related_row": INT,
    "related_line": INT,
    "api_code": STR,
}

LIVE_ROUTES: Final[Schema] = {
    "region_id": STR,
    "vpn_connection_id": STR,
    "route_dest": STR,
    "next_hop": STR,
    "weight": INT,
    "state": STR,
    "route_entry_type": STR,
    "create_time": TIME,
    "as_path": STR,
    "community": STR,
    "origin": STR,
}

LIVE_CONNECTIONS: Final[Schema] = {
    "vpn_connection_id": STR,
    "name": STR,
    "region_id": STR,
    "state": STR,
    "status": STR,
    "attach_type": STR,
    "transit_router_id": STR,
    "transit_router_name": STR,
    "zone": STR,
}

STEPS: Final[Schema] = {
    "step": "int64",
    "action": ACTIONS,
    "state": STATES,
    "region_id": STR,
    "vpn_connection_id": STR,
    "route_dest": STR,
    "next_hop": STR,
    "old_weight": INT,
    "weight": INT,
    "description": STR,
    "code": STR,
    "message": STR,
    "request_id": STR,
    "attempts": "int64",
    "sent_at": TIME,
    "accepted_at": TIME,
    "settled_at": TIME,
    "ended_at": TIME,
    "row": INT,
    "source": STR,
    "line": INT,
}

CALLS: Final[Schema] = {
    "call": "int64",
    "step": INT,
    "operation": STR,
    "region_id": STR,
    "vpn_connection_id": STR,
    "attempt": INT,
    "client_token": STR,
    "sent_at": TIME,
    "seconds": FLOAT,
    "outcome": STR,
    "code": STR,
    "http_status": INT,
    "request_id": STR,
}

DIFFERENCES: Final[Schema] = {
    "verdict": VERDICTS,
    "region_id": STR,
    "vpn_connection_id": STR,
    "route_dest": STR,
    "next_hop": STR,
    "weight": INT,
    "live_next_hop": STR,
    "live_weight": INT,
    "row": INT,
}

#: Heads by which files name the columns of routes, as `header_key` writes them: the names of the
#: API, its console and its orchestration templates, and the common words of spreadsheets.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "region_id": ("regionid", "region", "地域", "地域id", "区域", "区域id", "地区"),
    "vpn_connection_id": (
        "vpnconnectionid",
        "vpnconnection",
        "connectionid",
        "connection",
        "vco",
        "vcoid",
        "ipsecconnectionid",
        "ipsecconnection",
        "ipsecid",
        "ipsec连接id",
        "ipsec连接",
        "ipsec连接实例id",
        "vpn连接id",
        "vpn连接",
        "连接id",
    ),
    "route_dest": (
        "routedest",
        "routedestination",
        "destination",
        "destinationcidr",
        "destinationcidrblock",
        "destinationnetwork",
        "dest",
        "destcidr",
        "dst",
        "dstcidr",
        "cidr",
        "cidrblock",
        "prefix",
        "route",
        "network",
        "目标网段",
        "目的网段",
        "目标地址",
        "目的地址",
        "目标cidr",
        "目的cidr",
        "路由目标网段",
    ),
    "next_hop": ("nexthop", "nexthopid", "nh", "下一跳", "下一跳id", "下一跳实例", "下一跳实例id"),
    "weight": ("weight", "routeweight", "权重", "路由权重"),
    "description": (
        "description",
        "desc",
        "comment",
        "comments",
        "remark",
        "remarks",
        "note",
        "notes",
        "描述",
        "备注",
        "说明",
    ),
}

#: Blanks of any script and characters without a width: a cell of nothing else is empty.
BLANKS: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    "\u200b\u200c\u200d\u2060\ufeff"
)

#: What counts as an integer weight: no sign on zero, no leading zero, and the ``.0`` that
#: spreadsheets add. ASCII digits alone; 18 digits fit an int64.
_WEIGHT: Final = r"(?:0|-?[1-9][0-9]{0,17})(?:\.0+)?"


def header_key(head: str) -> str:
    """Return a head as it is compared: NFKC, lower case, letters and digits only.

    Examples
    --------
    >>> header_key("  Vpn_Connection-Id ")
    'vpnconnectionid'
    >>> header_key("ＩＰｓｅｃ连接 ID")
    'ipsec连接id'
    """
    text = unicodedata.normalize("NFKC", head).casefold()
    return "".join(letter for letter in text if letter.isalnum())


def field_of(head: str) -> str | None:
    """Return the column of routes that a head names, or None.

    Examples
    --------
    >>> field_of("RouteDest"), field_of("目标网段"), field_of("Site")
    ('route_dest', 'route_dest', None)
    """
    return _FIELD_OF.get(header_key(head))


_FIELD_OF: Final = {alias: field for field, aliases in ALIASES.items() for alias in aliases}


def frame(schema: Schema, columns: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Build a frame of a schema: its columns, in its order, with its dtypes.

    Parameters
    ----------
    schema : mapping of str to dtype
        One of the schemas of this module.
    columns : mapping of str to array-like, optional
        Values by column, all of one length. Columns left out are missing throughout.

    Returns
    -------
    DataFrame
        With a fresh ``RangeIndex``; empty, with all its columns, where nothing is given.

    Examples
    --------
    >>> list(frame(LIVE_CONNECTIONS).columns)[:3]
    ['vpn_connection_id', 'name', 'region_id']
    >>> frame(LIVE_CONNECTIONS, {"name": ["a", None]})["name"].isna().tolist()
    [False, True]
    """
    given = dict(columns or {})
    unknown = [name for name in given if name not in schema]
    if unknown:
        raise KeyError(f"not in the schema: {', '.join(unknown)}")
    length = max((len(values) for values in given.values()), default=0)  # type: ignore[arg-type]
    index = pd.RangeIndex(length)
    data = {
        name: _typed(given[name], dtype, index) if name in given else _missing(dtype, index)
        for name, dtype in schema.items()
    }
    return pd.DataFrame(data, index=index)


def _typed(values: object, dtype: Any, index: pd.Index) -> pd.Series:
    if isinstance(values, pd.Series):
        values = values.array
    column = pd.Series(values, index=index)
    return column if column.dtype == dtype else column.astype(dtype)


def _missing(dtype: Any, index: pd.Index) -> pd.Series:
    if dtype == "int64":
        return pd.Series(0, index=index, dtype="int64")
    return pd.Series([None] * len(index), index=index, dtype=dtype)


def conform_routes(routes: pd.DataFrame) -> pd.DataFrame:
    """Return any frame of routes in the shape of `ROUTES`, with a fresh ``RangeIndex``.

    What `read_routes` returns comes back unchanged in its columns. In a frame made by hand,
    strings may be objects, weights integers, floats or text, and the optional columns
    (``description``, ``weight_text``, ``source``, ``line``) may be absent; blank strings
    count as missing. Other columns are left out.

    Parameters
    ----------
    routes : DataFrame
        With at least the columns `ROUTES_REQUIRED`.

    Returns
    -------
    DataFrame
        Of `ROUTES`; row *i* is row *i* of the given frame.

    Raises
    ------
    InputError
        If required columns are missing (all are named) or a column cannot be brought to its dtype.

    Examples
    --------
    >>> hand = pd.DataFrame({"region_id": ["r"], "vpn_connection_id": ["vco-1"],
    ...     "route_dest": ["10.0.0.0/8"], "next_hop": ["vco-1"], "weight": ["100.0"]})
    >>> conform_routes(hand)["weight"].tolist()
    [100]
    """
    require_columns(routes, ROUTES_REQUIRED, what="routes")
    columns: dict[str, object] = {}
    for name, dtype in ROUTES.items():
        if name not in routes.columns or name in ("weight", "weight_text"):
            continue
        column = routes[name]
        columns[name] = text_column(column) if dtype == STR else _cast(column, dtype)
    weight, weight_text = split_weight(routes["weight"])
    if "weight_text" in routes.columns:
        weight_text = weight_text.fillna(text_column(routes["weight_text"]).where(weight.isna()))
    return frame(ROUTES, {**columns, "weight": weight, "weight_text": weight_text})


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, what: str) -> None:
    """Raise `InputError` naming all required columns that a frame lacks, or has twice.

    Parameters
    ----------
    frame : DataFrame
        Any frame.
    names : iterable of str
        Columns it must have.
    what : str
        What the frame should be, for the message.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"{what} must be a DataFrame, not {type(frame).__name__}",
            remedy="Read a file with vk.read_routes(path)",
        )
    names = list(names)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(
            f"{what} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            remedy="Rename the columns, or read the file with vk.read_routes(path, columns={...})",
        )
    twice = [name for name in names if isinstance(frame[name], pd.DataFrame)]
    if twice:
        raise InputError(f"{what} has more than one column {', '.join(twice)}", remedy="Drop one")


def text_column(column: pd.Series) -> pd.Series:
    """Return a column as ``str`` on a fresh index, blank strings as missing.

    Parameters
    ----------
    column : Series
        Strings, objects or anything with a text form.

    Returns
    -------
    Series of str
        Of the same length.
    """
    text = pd.Series(column.array).astype(STR) if column.dtype != STR else column
    text = text.reset_index(drop=True)
    blank = (text.str.strip(BLANKS) == "").to_numpy(dtype=bool)
    return text.mask(blank) if blank.any() else text


def destination_routes(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live ones; routes learnt by BGP are none.

    Parameters
    ----------
    live : DataFrame
        With or without a column ``route_entry_type``.
    """
    if "route_entry_type" not in live.columns:
        return live
    custom = live["route_entry_type"].fillna("custom") == "custom"
    return live[custom.to_numpy(dtype=bool)]


def split_weight(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Split a column of weights into whole numbers and the text of what is none.

    Text counts as an integer in the form a person or a spreadsheet writes it: ASCII digits
    without leading zeros, a minus but no plus, ``.0`` behind it. ``0100``, ``+100``, ``1e2``
    and full-width digits are text.

    Parameters
    ----------
    column : Series
        Integers, floats, strings or objects.

    Returns
    -------
    weight : Series of Int64
        NA where the cell is empty or no integer.
    weight_text : Series of str
        What stood in the cell where it is no integer, else NA.

    Examples
    --------
    >>> weight, text = split_weight(pd.Series(["100", "0.0", "1e2", ""]))
    >>> weight.tolist(), text.tolist()
    ([100, 0, <NA>, <NA>], [nan, nan, '1e2', nan])
    """
    if pd.api.types.is_integer_dtype(column.dtype):
        weight = pd.Series(column.array).astype(INT)
        return weight, _missing(STR, weight.index)
    text = text_column(_plain_floats(column))
    whole = text.str.fullmatch(_WEIGHT).fillna(False).astype(bool)
    digits = text.where(whole).str.replace(r"\.0+$", "", regex=True)
    weight = pd.Series(pd.array([pd.NA] * len(text), dtype=INT), index=text.index)
    # As an array: a Series would be aligned by way of floats, which cannot hold 2**53 + 1.
    weight[whole] = digits[whole].astype("int64").array
    return weight, text.where(~whole)


def _plain_floats(column: pd.Series) -> pd.Series:
    """Write whole floats without an exponent, so that 1e18 is read as the integer it is."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return column
    values = pd.Series(column.array).astype("float64")
    whole = np.isfinite(values) & (values == np.floor(values)) & (values.abs() < 1e18)
    text = values.astype(STR)
    text[whole] = values[whole].astype("int64").astype(STR)
    return text.where(values.notna())


def _cast(column: pd.Series, dtype: Any) -> pd.Series:
    try:
        return pd.Series(column.array).astype(dtype)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column {column.name!r} cannot be read as {dtype}: {error}",
            remedy="Leave the column out, or mend its values",
        ) from None


def match_heads(heads: Iterable[Hashable]) -> dict[str, list[Hashable]]:
    """Return, for each column of routes, the heads of a file that name it, in the file's order.

    Examples
    --------
    >>> match_heads(["Region", "cidr", "Prefix", "Site"])
    {'region_id': ['Region'], 'route_dest': ['cidr', 'Prefix']}
    """
    found: dict[str, list[Hashable]] = {}
    for head in heads:
        field = field_of(str(head))
        if field is not None:
            found.setdefault(field, []).append(head)
    return found
