"""The audit: what is wrong, or worth knowing, about an inventory.

============  ==============================================================
`facts`       the rows as numbers, worked out once
`predict`     what the cloud would answer to each row
`rules`       one function a rule
`findings`    `audit_routes`: the rules run, their findings in one frame
`standing`    which rows stand, and what blocks the others
`report`      findings counted and shown
============  ==============================================================
"""

from vcokit.audit.findings import audit_routes

__all__ = ["audit_routes"]
