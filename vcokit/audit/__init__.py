"""The audit: what is wrong, or worth knowing, about an inventory.

==============  =======================================================
"""

from vcokit.audit.address import Explanation, explain
from vcokit.audit.corrections import apply_suggestions
from vcokit.audit.findings import audit_routes
from vcokit.audit.names import with_connection_ids

__all__ = ["Explanation", "apply_suggestions", "audit_routes", "explain", "with_connection_ids"]
