"""The audit: what is wrong, or worth knowing, about an inventory.

=============  ==============================================================
`facts`        the rows as numbers, worked out once
`predict`      what the cloud would answer to each row
`connections`  what the live connections say of the rows that name them
`names`        connections by name: `with_connection_ids`
`codes`        words as numbers, and first rows of groups
`groups`       how rows meet: destinations, covers, crowds
`rules`        one function a rule
`findings`     `audit_routes`: the rules run, their findings in one frame
`standing`     which rows stand, and what blocks the others
`address`      one address: which route wins, and what if it is down
`report`       findings counted and shown
=============  ==============================================================
"""

from vcokit.audit.address import Explanation, explain
from vcokit.audit.findings import audit_routes
from vcokit.audit.names import with_connection_ids

__all__ = ["Explanation", "audit_routes", "explain", "with_connection_ids"]
