"""The audit: what is wrong, or worth knowing, about an inventory.

==============  ==============================================================
`facts`         the rows as numbers, worked out once
`predict`       what the cloud would answer to each row
`codes`         words as numbers, and first rows of groups
`groups`        how rows meet: destinations, covers, crowds
`rules`         one function a rule
`findings`      `audit_routes`: the rules run, their findings in one frame
`standing`      which rows stand, and what blocks the others
`address`       one address: which route wins, and what if it is down
`report`        findings counted and shown
`corrections`   what the findings suggest, put into a new frame
==============  ==============================================================
"""

from vcokit.audit.address import Explanation, explain
from vcokit.audit.corrections import apply_suggestions
from vcokit.audit.findings import audit_routes

__all__ = ["Explanation", "apply_suggestions", "audit_routes", "explain"]
