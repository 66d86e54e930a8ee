"""The frames of vcokit: names, order and dtypes of their columns.

`MEMBERS`             a row per member of a fleet
`MEMBER_STEPS`        a row per step of any member; `MEMBER_CALLS` likewise a row per call
====================  =====================================================================

Strings are pandas' ``str`` (Arrow-backed, missing is NA), whole numbers ``Int64``, times
``datetime64[us, UTC]``. A missing value is NA, never an empty string or a magic number.

`tables` defines the schemas, and `conform` converts frames to them.
"""

from vcokit.schema.conform import (
    BLANKS,
    conform_routes,
    destination_routes,
    is_unlisted,
    require_columns,
    split_weight,
    text_column,
    unlisted_connections,
)
from vcokit.schema.tables import (
    ACTIONS,
    BOOL,
    CALLS,
    DIFFERENCES,
    FINDINGS,
    FLOAT,
    INT,
    LIVE_CONNECTIONS,
    LIVE_ROUTER_ROUTES,
    LIVE_ROUTES,
    LIVE_TUNNELS,
    MEMBER_CALLS,
    MEMBER_STEPS,
    MEMBERS,
    ROUTES,
    ROUTES_REQUIRED,
    SEVERITIES,
    STATES,
    STEPS,
    STR,
    TIME,
    UNLISTED,
    Schema,
    frame,
)

__all__ = [
    "ACTIONS",
    "BLANKS",
    "BOOL",
    "CALLS",
    "DIFFERENCES",
    "FINDINGS",
    "FLOAT",
    "INT",
    "LIVE_CONNECTIONS",
    "LIVE_ROUTER_ROUTES",
    "LIVE_ROUTES",
    "LIVE_TUNNELS",
    "MEMBERS",
    "MEMBER_CALLS",
    "MEMBER_STEPS",
    "ROUTES",
    "ROUTES_REQUIRED",
    "SEVERITIES",
    "STATES",
    "STEPS",
    "STR",
    "TIME",
    "UNLISTED",
    "Schema",
    "conform_routes",
    "destination_routes",
    "frame",
    "is_unlisted",
    "require_columns",
    "split_weight",
    "text_column",
    "unlisted_connections",
]
