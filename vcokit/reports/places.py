"""Old name of `vcokit.reports.csv_locations`, for `vcokit.cli.audit`."""

from vcokit.reports.csv_locations import locate_cells as locate

__all__ = ["locate"]
