"""One colour a state, a severity and a weight: the same in plot, widget, report and shell.

From the palette of Okabe and Ito, which people with any colour vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STATES: Final[Mapping[str, str]] = {
    "done": "#009E73",
    "settled": "#7CCBB0",
    "accepted": "#0072B2",
    "sent": "#56B4E9",
    "unknown": "#CC79A7",
    "pending": "#C9CDD2",
    "failed": "#D55E00",
    "skipped": "#E69F00",
    "blocked": "#6B7077",
}

SEVERITIES: Final[Mapping[str, str]] = {
    "error": "#D55E00",
    "warning": "#E69F00",
    "info": "#56B4E9",
}

WEIGHTS: Final[Mapping[str, str]] = {"active": "#0072B2", "standby": "#8FC1E3"}
