"""The frames of vcokit: names, order and dtypes of their columns.

====================  =====================================================================
`ROUTES`              a row a route of an inventory; `conform_routes` brings any frame to it
`FINDINGS`            a row a finding of an audit
`LIVE_ROUTES`         a row a route that the cloud holds now, or a connection that it does not list
`LIVE_CONNECTIONS`    a row an IPsec connection that the cloud holds now
`LIVE_TUNNELS`        a row a tunnel of a connection, and what is wrong with it
`LIVE_ROUTER_ROUTES`  a row a route in a route table of a transit router
`STEPS`               a row a step of a plan or rollout
`CALLS`               a row a call that a rollout made
`DIFFERENCES`         a row a route compared by `verify_routes`
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
