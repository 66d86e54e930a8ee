"""The audit: what is wrong, or worth knowing, about an inventory.

==============  =============================================================================
`columns`       the routes as numbers and masks, a row at a time
`groups`        how rows meet: destinations, covers, rows of one connection and network
`connections`   what the live connections say of the rows; connections by name
`prediction`    what the cloud would answer, row by row
`audit`         one audit under way: the above, each worked out once
`rules`         what a rule is, and all built-in rules, a function each
`own_rules`     rules of one's own: a function made a rule, a file or package of them
`findings`      runs the rules, puts what they find into one frame, and counts it
`review`        what is new: findings that a baseline or an exception holds back
`fingerprints`  the same finding in the next audit
`exceptions`    agreed exceptions, a TOML file
`distributed`   a Dask frame of routes audited by many workers
`plannable`     which rows a plan makes, what blocks the others; suggestions put into the cells
`explain`       one address: which route wins, which takes over
`explanation`   the answer to that, as frames, as text and in a notebook
`aggregate`     the fewest destinations that forward the same
`impact`        where traffic goes another way: two sets of routes, address by address
==============  =============================================================================
"""

from vcokit.audit.aggregate import aggregate_routes
from vcokit.audit.connections import with_connection_ids
from vcokit.audit.explain import explain
from vcokit.audit.explanation import Explanation
from vcokit.audit.findings import audit_routes
from vcokit.audit.impact import forwarding_changes
from vcokit.audit.own_rules import load_rules, rule
from vcokit.audit.plannable import apply_suggestions
from vcokit.audit.review import Review, review_findings

__all__ = [
    "Explanation",
    "Review",
    "aggregate_routes",
    "apply_suggestions",
    "audit_routes",
    "explain",
    "forwarding_changes",
    "load_rules",
    "review_findings",
    "rule",
    "with_connection_ids",
]
