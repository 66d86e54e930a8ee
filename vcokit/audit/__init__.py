"""The audit: what is wrong, or worth knowing, about an inventory.

==============  =============================================================================
`columns`       the routes as numbers and masks, one element per row
`groups`        how rows are related: destinations, covers, rows of one connection and network
`connections`   the rows compared with the live connections; connections by name
`prediction`    what the cloud would answer, row by row
`audit`         one audit in progress: all of the above, each computed once
`rules`         the `Rule` class, and all built-in rules, one function each
`own_rules`     users' own rules: a decorator, and loading from a file or a package
`findings`      runs the rules, puts the findings into one frame, and counts them
`review`        holds back the findings that a baseline or an exception covers
`fingerprints`  recognize the same finding in the next audit
`exceptions`    agreed exceptions, a TOML file
`distributed`   the audit of a Dask frame of routes by many workers
`plannable`     which rows a plan includes, what blocks the others; applying suggestions
`explain`       for one address: which route wins, which takes over
`explanation`   the result of `explain`, as frames, as text and in a notebook
`aggregate`     the fewest destinations that forward the same
`impact`        which addresses two sets of routes forward differently
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
