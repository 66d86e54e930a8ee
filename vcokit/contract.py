"""The facts about the vendor's API from ``contract.json``, for all modules but the simulator.

Names, types, numbers and texts are only in that file, each with its confidence; conclusions from
them are in code. The simulator tests the client, so it shares the file but no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

CONTRACT: Final[Mapping[str, Any]] = json.loads(
    resources.files("vcokit").joinpath("contract.json").read_text(encoding="utf-8")
)

_STATES: Final = CONTRACT["states"]
#: The state of a connection that accepts writes.
ATTACHED: Final[str] = _STATES["idle"]["CEN"]
#: The status of a tunnel that forwards.
TUNNEL_UP: Final[str] = _STATES["status"][-1]
#: States that change to attached automatically.
ARRIVING: Final = frozenset(
    {_STATES["busy"], *(one for one, end in _STATES["passing"].items() if end == ATTACHED)}
)


def limit(name: str) -> int:
    """Return a limit that the vendor sets, or an assumed one if none is published.

    Parameters
    ----------
    name : str
        Name in the ``limits`` of the contract.

    Examples
    --------
    >>> limit("policy_characters")
    6144
    """
    number: int = CONTRACT["limits"][name]["value"]
    return number
