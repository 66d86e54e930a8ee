"""Names, order and dtypes of the columns of every frame, and a function that builds a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

Schema: TypeAlias = Mapping[str, Any]

STR: Final = "str"
INT: Final = "Int64"
FLOAT: Final = "Float64"
BOOL: Final = "boolean"
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
VERDICTS: Final = pd.CategoricalDtype(
    [
        "as planned",
        "missing",
        "different",
        "unexpected",
        "weight unknown",
        "tunnel down",
        "not in router",
    ]
)

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

#: Columns that a frame of routes must have; the others are filled with NA.
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
    "next_hop_tunnels": STR,  # ids of tunnels that are up, with commas; NA with a single tunnel
    "simulated": BOOL,  # whether it comes from a simulator; NA if unknown
}

#: `route_entry_type` of a row that is not a route but a connection that could not be listed, with
#: the reason in `state`. It is a row so that no operation on frames loses it.
UNLISTED: Final = "unlisted"

LIVE_CONNECTIONS: Final[Schema] = {
    "vpn_connection_id": STR,
    "name": STR,
    "region_id": STR,
    "state": STR,  # of its task: attached, updating …
    "status": STR,  # of IKE and IPsec, of the connection as a whole
    "tunnel_status": STR,  # of each tunnel, joined by commas; NA with a single tunnel
    "attach_type": STR,  # CEN (a transit router), VPNGW or NO_ASSOCIATED
    "transit_router_id": STR,
    "transit_router_name": STR,
    "zone": STR,  # of each tunnel, joined by commas; NA with a single tunnel unless requested
    "cross_account": BOOL,  # whether the transit router is another account's
    "attached": BOOL,  # whether it is in the list of attachments; NA if that was not read
}

LIVE_TUNNELS: Final[Schema] = {
    "region_id": STR,
    "vpn_connection_id": STR,
    "tunnel_id": STR,  # NA with a single tunnel
    "status": STR,  # of IKE and IPsec; NA if it could not be read
    "severity": STR,  # of the fault: Critical, Warn or Normal
    "code": STR,
    "reason": STR,
    "local_value": STR,  # of a parameter that differs, at the connection …
    "remote_value": STR,  # … and at the peer
    "failed_at": TIME,
    "note": STR,  # what could not be read, and why
}

LIVE_ROUTER_ROUTES: Final[Schema] = {
    "region_id": STR,
    "vpn_connection_id": STR,
    "transit_router_id": STR,
    "route_table_id": STR,
    "route_dest": STR,  # NA if the router has no route to the connection
    "status": STR,  # Active, Standby, Candidate, Rejected, Prohibited, Creating or Deleting
    "route_type": STR,  # Propagated (learned from the connection) or Static
    "note": STR,  # what could not be read, and why
}

STEPS: Final[Schema] = {
    "step": "int64",
    "action": ACTIONS,
    "state": STATES,
    "scope": STR,
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

MEMBERS: Final[Schema] = {
    "member": STR,
    "wave": INT,  # from 1; NA without waves
    "state": STR,  # of its rollout
    "steps": "int64",
    "done": "int64",
    "failed": "int64",
    "skipped": "int64",
    "blocked": "int64",
    "left": "int64",  # in no final state
    "started": TIME,  # when its first call was sent
    "latest": TIME,
    "seconds_left": FLOAT,
    "fingerprint": STR,  # of its plan
    "message": STR,  # why it did not finish, or which step failed first
}

MEMBER_STEPS: Final[Schema] = {"member": STR, **STEPS}
MEMBER_CALLS: Final[Schema] = {"member": STR, **CALLS}

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
    "tunnel": STR,  # up, degraded (some are down) or down; NA if not checked
    "router": STR,  # status in the route table, or absent; NA if not checked
}


def frame(
    schema: Schema, columns: Mapping[str, object] | None = None, *, copy: bool = True
) -> pd.DataFrame:
    """Build a frame with the columns, the order and the dtypes of a schema.

    Parameters
    ----------
    schema : mapping of str to dtype
        One of the schemas of this module.
    columns : mapping of str to array-like, optional
        Values by column, all of the same length. The values of omitted columns are missing.
    copy : bool
        Whether the frame gets its own copies. Without copies, no other code may modify the values.

    Returns
    -------
    DataFrame
        With a new ``RangeIndex``; empty but with all columns if no values are given.

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
        name: _typed(given[name], dtype, index) if name in given else missing(dtype, index)
        for name, dtype in schema.items()
    }
    return pd.DataFrame(data, index=index, copy=copy)


def _typed(values: object, dtype: Any, index: pd.Index) -> pd.Series:
    if isinstance(values, pd.Series):
        values = values.array
    column = pd.Series(values, index=index)
    return column if column.dtype == dtype else column.astype(dtype)


def missing(dtype: Any, index: pd.Index) -> pd.Series:
    """Return a column of a dtype with missing values; 0 if the dtype has no missing value."""
    if dtype == "int64":
        return pd.Series(0, index=index, dtype="int64")
    if dtype == STR:
        return pd.Series(pa.nulls(len(index), pa.large_string()), index=index, dtype=STR)
    if dtype == INT:
        none = pd.arrays.IntegerArray(np.zeros(len(index), "int64"), np.ones(len(index), "bool"))
        return pd.Series(none, index=index)
    return pd.Series([None] * len(index), index=index, dtype=dtype)
