"""What is known of the vendor's API: ``contract.json``, as everything but the simulator reads it.

Names, types, numbers and texts stand in that file alone, each with its confidence; what follows
from them stands in code. The simulator is the judge of the client: it shares the file and no code.
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
#: The state of a connection that takes writes.
ATTACHED: Final[str] = _STATES["idle"]["CEN"]
#: The status of a tunnel that forwards.
TUNNEL_UP: Final[str] = _STATES["status"][-1]
#: States that end in being attached, without anybody's doing.
ARRIVING: Final = frozenset(
    {_STATES["busy"], *(one for one, end in _STATES["passing"].items() if end == ATTACHED)}
)


def limit(name: str) -> int:
    """Return a number that the vendor sets, or that is assumed where none is published.

    Parameters
    ----------
    name : str
        As among the ``limits`` of the contract.

    Examples
    --------
    >>> limit("policy_characters")
    6144
    """
    number: int = CONTRACT["limits"][name]["value"]
    return number
