"""The audit: what is wrong, or worth knowing, about an inventory.

=============  ==============================================================================
`facts`        each row as numbers and masks; `codes` numbers the words
`groups`       how rows meet: destinations, covers, rows of one connection and network
`connections`  what the live connections say of the rows; `names` finds them by name
`predict`      what the cloud would answer, row by row
`case`         one audit under way: the above, worked out once
`registry`     what a rule is; `rules` has them all, a function each
`findings`     runs the rules and puts what they find into one frame
`standing`     which rows a plan makes, and what blocks the others
`address`      one address: who wins, who takes over
`corrections`  suggestions, put into the cells
`fewest`       the fewest destinations that forward the same
`report`       findings counted, for people
=============  ==============================================================================
"""

from vcokit.audit.address import Explanation, explain
from vcokit.audit.corrections import apply_suggestions
from vcokit.audit.findings import audit_routes
from vcokit.audit.names import with_connection_ids

__all__ = ["Explanation", "apply_suggestions", "audit_routes", "explain", "with_connection_ids"]
