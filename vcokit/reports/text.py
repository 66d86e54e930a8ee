"""Old name of a part of `vcokit.reports.tables`, for `vcokit.cli.audit`."""

from vcokit.reports.tables import finding_rows as listed
from vcokit.reports.tables import limit_note as more
from vcokit.reports.tables import severity_counts as counts

__all__ = ["counts", "listed", "more"]
