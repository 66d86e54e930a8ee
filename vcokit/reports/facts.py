"""Old name of `vcokit.reports.report`, for `vcokit.cli.audit`."""

from vcokit.reports.report import report_of as report_of
from vcokit.reports.report import worst as worst
