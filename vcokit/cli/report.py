"""A rollout's report: see `vcokit.reports.html`."""

from vcokit.reports.html import RolloutReport as Facts
from vcokit.reports.html import write_rollout as write

__all__ = ["Facts", "write"]
