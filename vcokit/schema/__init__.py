"""The frames of vcokit: names, order and dtypes of their columns.

====================  =====================================================================
`ROUTES`              a row per route of an inventory; `conform_routes` converts any frame to it
`FINDINGS`            a row per finding of an audit
`LIVE_ROUTES`         a row per route in the cloud now, or per connection that cannot be listed
`LIVE_CONNECTIONS`    a row per IPsec connection in the cloud now
`LIVE_TUNNELS`        a row per tunnel of a connection, or per fault of a tunnel
`LIVE_ROUTER_ROUTES`  a row per route in a route table of a transit router
`STEPS`               a row per step of a plan or rollout
`CALLS`               a row per call of a rollout
`DIFFERENCES`         a row per route compared by `verify_routes`
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
