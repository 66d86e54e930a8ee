"""One colour per state, severity and weight, the same in plots, widgets, reports and the shell.

The colours are from the palette of Okabe and Ito, which people with any colour vision can
distinguish. Colours without a meaning, for example to separate connections, are from another
palette made for the same purpose, "bright" of P. Tol, Colour Schemes, SRON/EPS/TN/09-002. No
connection therefore looks like a state.
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

#: For a dark background: pending steps must not be its brightest and largest area.
STATES_ON_DARK: Final[Mapping[str, str]] = {**STATES, "pending": "#4A4F57"}

SEVERITIES: Final[Mapping[str, str]] = {
    "error": "#D55E00",
    "warning": "#E69F00",
    "info": "#56B4E9",
}

WEIGHTS: Final[Mapping[str, str]] = {"active": "#0072B2", "standby": "#8FC1E3"}

#: Colours of groups, the first for the largest; and of all groups without a colour of their own.
GROUPS: Final = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
REST: Final = "#9A9A9A"
