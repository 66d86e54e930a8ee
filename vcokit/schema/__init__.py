"""The frames of vcokit: names, order and dtypes of their columns.

==================  =====================================================================
`ROUTES`            a row a route of an inventory; `conform_routes` brings any frame to it
`FINDINGS`          a row a finding of an audit
`LIVE_ROUTES`       a row a route that the cloud holds now, or a connection that it does not list
`LIVE_CONNECTIONS`  a row an IPsec connection that the cloud holds now
`STEPS`             a row a step of a plan or rollout
`CALLS`             a row a call that a rollout made
`DIFFERENCES`       a row a route compared by `verify_routes`
`MEMBERS`           a row a member of a fleet
`MEMBER_STEPS`      a row a step of any member; `MEMBER_CALLS` likewise a row a call
==================  =====================================================================

Strings are pandas' ``str`` (Arrow-backed, missing is NA), whole numbers ``Int64``, times
``datetime64[us, UTC]``. A missing value is NA, never an empty string or a magic number.

`tables` holds them, and `conform` brings any frame to its schema.
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
    LIVE_ROUTES,
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
    "LIVE_ROUTES",
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
