"""One planned change of one route, and its states.

::

    pending ─send→ sent ─200→ accepted ─attached again→ settled ─seen in a listing→ done
       ↑            │ time-out, reset, cut answer, crash                 │ not there
       │            └──────→ unknown ─listing→ pending or accepted       │
       └──────────── busy, throttled ─────────────────────────────────────┘
    pending ─cancel→ skipped          any of these ─definite refusal→ failed
    initial states other than pending: keep → done, blocked → blocked

*unknown* is never final. A background task that fails also leaves its connection attached, so no
step is done before a listing shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from vcokit.cloud.operations import TOKEN_LENGTH


class State(StrEnum):
    """The state of a step."""

    PENDING = "pending"
    SENT = "sent"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    BLOCKED = "blocked"


FINAL: Final = frozenset({State.DONE, State.FAILED, State.SKIPPED, State.BLOCKED})
#: States in which the cloud may already hold the change although no listing has shown it.
IN_DOUBT: Final = frozenset({State.SENT, State.UNKNOWN, State.ACCEPTED, State.SETTLED})


class Action(StrEnum):
    """What a step does to its route."""

    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"
    KEEP = "keep"
    BLOCKED = "blocked"


#: The API operation of each action that sends something.
OPERATION: Final[Mapping[str, str]] = {
    Action.CREATE: "CreateVcoRouteEntry",
    Action.MODIFY: "ModifyVcoRouteEntryWeight",
    Action.DELETE: "DeleteVcoRouteEntry",
}

#: What identifies a live route, with its connection and region.
LIVE_COLUMNS: Final = ("region_id", "vpn_connection_id", "route_dest", "next_hop", "weight")

#: Columns of a plan's steps: those of `vcokit.schema.STEPS` that are known before the rollout.
#: ``message`` says why a step is blocked.
PLAN_COLUMNS: Final = (
    "step",
    "action",
    "state",
    "scope",
    "region_id",
    "vpn_connection_id",
    "route_dest",
    "next_hop",
    "old_weight",
    "weight",
    "description",
    "message",
    "row",
    "source",
    "line",
)

#: Initial states other than pending.
BORN: Final[Mapping[str, State]] = {Action.KEEP: State.DONE, Action.BLOCKED: State.BLOCKED}


#: Weight of a live route if the cloud's listing does not report weights.
UNKNOWN_WEIGHT: Final = -1


class Route(NamedTuple):
    """What identifies a live route among the routes of its connection.

    Parameters
    ----------
    route_dest : str
        Network in strict form.
    next_hop : str
    weight : int
        `UNKNOWN_WEIGHT` if the listing does not report it.
    """

    route_dest: str
    next_hop: str
    weight: int

    def is_in(self, listed: frozenset[Route]) -> bool:
        """Return whether a listing shows the route; a weight that is not reported also matches."""
        return self in listed or self._replace(weight=UNKNOWN_WEIGHT) in listed


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one route.

    Parameters
    ----------
    number : int
        Position in the plan.
    action : Action
    region_id, vpn_connection_id : str
    route_dest, next_hop : str
    weight : int or None
        Weight after the step; for a delete, the weight of the deleted route.
    old_weight : int or None
        Weight before a modify.
    description : str or None
        Sent with a create; the cloud's listing never shows it.
    scope : str
        The part of the network in which forwarding is decided: the region, unless the plan was
        made with other scope columns.
    """

    #: Columns of a plan that give the fields after `number`, in their order.
    COLUMNS: ClassVar[tuple[str, ...]] = (
        "action",
        *LIVE_COLUMNS,
        "old_weight",
        "description",
        "scope",
    )

    number: int
    action: Action
    region_id: str
    vpn_connection_id: str
    route_dest: str
    next_hop: str
    weight: int
    old_weight: int | None = None
    description: str | None = None
    scope: str = ""

    @property
    def sends(self) -> bool:
        """Whether the step makes a call."""
        return self.action in OPERATION

    @property
    def after(self) -> Route | None:
        """The route that is live once the step is done; None after a delete."""
        if self.action == Action.DELETE:
            return None
        return Route(self.route_dest, self.next_hop, self.weight)

    @property
    def before(self) -> Route | None:
        """The route that is live until the step takes effect; None before a create."""
        if self.action == Action.CREATE:
            return None
        weight = self.weight if self.old_weight is None else self.old_weight
        return Route(self.route_dest, self.next_hop, weight)

    @property
    def adds_coverage(self) -> bool:
        """Whether it creates a route, or makes a standby route active."""
        raises = self.old_weight is not None and self.weight > self.old_weight
        return self.action == Action.CREATE or (self.action == Action.MODIFY and raises)

    @property
    def removes_coverage(self) -> bool:
        """Whether it deletes a route, or makes an active route standby."""
        lowers = self.old_weight is not None and self.weight < self.old_weight
        return self.action == Action.DELETE or (self.action == Action.MODIFY and lowers)

    def parameters(self, client_token: str) -> dict[str, object]:
        """Return the parameters of the step's call, under the API's names."""
        given: dict[str, object] = {
            "RegionId": self.region_id,
            "VpnConnectionId": self.vpn_connection_id,
            "RouteDest": self.route_dest,
            "NextHop": self.next_hop,
            "Weight": self.weight,
            "ClientToken": client_token,
        }
        if self.action == Action.MODIFY:
            given |= {"Weight": self.old_weight, "NewWeight": self.weight}
        if self.action == Action.CREATE and self.description:
            given["Description"] = self.description
        return given

    def shows(self, listed: frozenset[Route]) -> bool:
        """Return whether a listing of the connection shows the step's effect."""
        if self.after is not None and not self.after.is_in(listed):
            return False
        if self.action == Action.MODIFY:
            return self.before not in listed
        return self.action != Action.DELETE or self.before is None or not self.before.is_in(listed)

    def is_shown_by(self, listed: frozenset[Route]) -> bool:
        """Return whether a listing can show the step's effect.

        A listing that does not report weights cannot show a changed weight.
        """
        unknown = Route(self.route_dest, self.next_hop, UNKNOWN_WEIGHT)
        return self.action != Action.MODIFY or unknown not in listed

    def __str__(self) -> str:
        change = (
            f"{self.old_weight} -> {self.weight}" if self.action == Action.MODIFY else self.weight
        )
        return f"{self.action} {self.route_dest} on {self.vpn_connection_id}, weight {change}"


def client_token(rollout_id: str, step: int, attempt: int) -> str:
    """Return the token that makes the cloud carry out an attempt of a step only once.

    The attempt rises only after a definite refusal, so that a resend after an unknown outcome is
    the same request to the cloud.

    Examples
    --------
    >>> client_token("r", 1, 0) == client_token("r", 1, 0) != client_token("r", 1, 1)
    True
    """
    digest = hashlib.sha256(f"{rollout_id}/{step}/{attempt}".encode()).hexdigest()
    return f"vcokit-{digest}"[:TOKEN_LENGTH]
