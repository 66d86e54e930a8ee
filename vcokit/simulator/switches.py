"""Switches: how the simulator behaves where the vendor documents nothing.

The defaults are the design's. `simulator/COVERAGE.md` says of each what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vcokit.simulator import defaults
from vcokit.simulator.codes import ERRORS

#: How far a ClientToken reaches, from narrow to wide.
TOKEN_SCOPES: Final = ("operation", "region", "account")
#: Who finds a parameter wrong, and so how the code is made.
PARAMETER_CODES: Final = ("gateway", "product")


@dataclass(frozen=True)
class Switches:
    """How the simulator behaves where the vendor documents nothing.

    Parameters
    ----------
    host_bits_refused : bool
        10.1.2.3/8 is refused; else it is taken for 10.0.0.0/8.
    ipv6_refused : bool
        An IPv6 destination is refused; else it is a destination like any other.
    foreign_next_hop_refused : bool
        A next hop other than the connection is refused; else only one that does not exist.
    shared_space_refused : bool
        A destination that touches 100.64.0.0/10 is refused; else accepted.
    shared_space_breaks_tunnel : bool
        Once accepted, it brings the tunnel down; else it does no harm.
    description_checked : bool
        A description is 1 to 100 characters and no URL, as for policy routes; else anything goes.
    other_weight_refused : bool
        A route there with the other weight refuses the new one; else the two live side by side.
    other_next_hop_refused : bool
        A route there with the same weight and another next hop refuses the new one.
    learned_route_refused : bool
        A BGP route there refuses a new route of its network.
    same_weight_on_router_refused : bool
        A route of the same network and weight on another connection of the transit router
        refuses the new one; else connections know nothing of one another.
    weight_change_in_pair_refused : bool
        A route whose network is on another connection of the transit router too keeps its weight
        until the other is deleted, as for routes of VPN gateways.
    missing_route_code : str
        Answer to a Modify of a route that is not there; its page lists none.
    not_attached_code : str
        Answer to a write on a connection that is not attached; their pages list none. Empty: the
        write is accepted.
    task_conflict_seconds : float
        A write so soon (simulated) after the last accepted one is answered ``TaskConflict``
        instead of ``VpnConnection.Configuring``.
    listed_after_task : bool
        A new route is listed when its task ends; else at once (it forwards after its task anyway).
    removed_at_acceptance : bool
        A delete or a lowered weight is in force at acceptance; else when its task ends.
    listing_needs_attached : bool
        Routes cannot be listed while a task runs; else they can.
    refused_calls_bind_token : bool
        A refused write binds its ClientToken, and is refused again; else the token stays free.
    token_lifetime : float
        Simulated seconds that a ClientToken is remembered.
    token_scope : str
        A token is one within ``operation`` (of a region), ``region`` or ``account``.
    parameter_codes : str
        ``gateway`` (``MissingWeight``, ``InvalidWeight``) or ``product`` (``MissingParameter``,
        ``InvalidParameter``).
    codes : mapping of str to str
        Other codes to answer in place of some, where vendor tables differ.
    statuses : mapping of str to int
        Other HTTP statuses of codes, where vendor tables differ.
    xml_empty_lists : bool
        An empty plain list is an empty element in XML; else it has none.

    Raises
    ------
    ValueError
        If a value is none of those it may have.

    Examples
    --------
    >>> Switches(statuses={"SignatureDoesNotMatch": 403}).statuses["SignatureDoesNotMatch"]
    403
    """

    host_bits_refused: bool = True
    ipv6_refused: bool = True
    foreign_next_hop_refused: bool = True
    shared_space_refused: bool = False
    shared_space_breaks_tunnel: bool = True
    description_checked: bool = False
    other_weight_refused: bool = True
    other_next_hop_refused: bool = True
    learned_route_refused: bool = True
    same_weight_on_router_refused: bool = False
    weight_change_in_pair_refused: bool = False
    missing_route_code: str = "InvalidRouteEntry.NotFound"
    not_attached_code: str = ""
    task_conflict_seconds: float = 0.0
    listed_after_task: bool = True
    removed_at_acceptance: bool = True
    listing_needs_attached: bool = False
    refused_calls_bind_token: bool = False
    token_lifetime: float = defaults.TOKEN_LIFETIME
    token_scope: str = TOKEN_SCOPES[0]
    parameter_codes: str = PARAMETER_CODES[0]
    codes: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    xml_empty_lists: bool = False

    def __post_init__(self) -> None:
        _one_of("token_scope", self.token_scope, TOKEN_SCOPES)
        _one_of("parameter_codes", self.parameter_codes, PARAMETER_CODES)
        answers = (self.missing_route_code, *self.codes.values())
        if self.not_attached_code:
            answers += (self.not_attached_code,)
        for code in (*answers, *self.codes, *self.statuses):
            _one_of("error code", code, tuple(ERRORS))
        for name in ("task_conflict_seconds", "token_lifetime"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} {getattr(self, name)!r}. Write seconds, 0 or more")
        for code, status in self.statuses.items():
            if not 400 <= status < 600:
                raise ValueError(f"status {status!r} of {code}. Write a number from 400 to 599")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{what} {value!r} is unknown. Write one of {', '.join(known)}")
