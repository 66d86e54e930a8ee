"""One call and its answer. An error code is an answer too and raises no exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vcokit.cloud.client import Client
from vcokit.cloud.error_codes import Kind, classify, is_key
from vcokit.cloud.operations import OPERATIONS
from vcokit.contract import ARRIVING, ATTACHED, CONTRACT
from vcokit.errors import ApiError, CloudError

#: Used as the code of a call without a usable answer.
NO_ANSWER: Final = "no usable answer"
#: The code of a dry run whose call would be accepted.
PASSED: Final = "DryRunOperation"
BUSY_STATE: Final[str] = CONTRACT["states"]["busy"]
CREATE: Final = "CreateVcoRouteEntry"
DELETE: Final = "DeleteVcoRouteEntry"
MODIFY: Final = "ModifyVcoRouteEntryWeight"
LIST: Final = "DescribeVcoRouteEntries"
LOOK: Final = "DescribeVpnConnection"


@dataclass(frozen=True)
class Heard:
    """The answer to one call.

    Parameters
    ----------
    code : str
        Error code; empty for a success.
    data : mapping
        Fields of a success.
    request_id : str
    at : float
        When the call was sent, in seconds of the cloud's clock.
    wait : float, optional
        Seconds of the cloud's clock that the answer asks to wait.
    """

    code: str
    data: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    at: float = 0.0
    wait: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the call succeeded."""
        return not self.code

    @property
    def is_busy(self) -> bool:
        """Whether the same call may succeed later."""
        return bool(self.code) and classify(self.code, 400).kind is Kind.BUSY

    @property
    def is_throttled(self) -> bool:
        """Whether the call exceeded a rate limit."""
        return bool(self.code) and classify(self.code, 400).kind is Kind.THROTTLED


class Asker:
    """Makes calls about one connection; times and waits are those of the cloud's clock.

    Parameters
    ----------
    client : Client
    region, connection : str
        Region and connection of the calls; the connection is empty if none was named.
    sleep, now : callable
        Waits for seconds, and returns seconds.
    """

    def __init__(
        self,
        client: Client,
        region: str,
        connection: str,
        sleep: Callable[[float], None],
        now: Callable[[], float],
    ) -> None:
        self.client, self.region, self.connection = client, region, connection
        self._sleep, self._now = sleep, now
        #: Seconds between two reads.
        self.step = client.settings.get("poll_interval") / 2
        #: Seconds of the cloud's clock that were slept. Only these count for time-outs, because a
        #: simulator's clock may run so fast that a minute passes in one round trip.
        self.waited = 0.0
        #: The longest wait that is accepted from an answer.
        self.longest_wait = client.target.retry_cap * client.speed

    @property
    def now(self) -> float:
        """Seconds of the cloud's clock."""
        return self._now() * self.client.speed

    def sleep(self, seconds: float) -> None:
        """Wait for seconds of the cloud's clock."""
        self._sleep(seconds / self.client.speed)
        self.waited += seconds

    def ask(self, name: str, **parameters: object) -> Heard:
        """Make one call.

        Raises
        ------
        AuthError
            If the AccessKey is refused, so that no question can be answered.
        """
        operation, at = OPERATIONS[name], self.now
        # A write is sent once, without a wait: one that waits for the limit would block all others.
        attempts = 1 if operation.writes else None
        where = {"RegionId": self.region} if "RegionId" in operation.required else {}
        try:
            answer = self.client.call(operation, where | parameters, attempts)
        except ApiError as error:
            if is_key(error.code):
                raise
            wait = None if error.retry_after is None else error.retry_after * self.client.speed
            return Heard(error.code, {}, error.request_id or "", at, wait)
        except CloudError as error:
            return Heard(NO_ANSWER, {}, error.request_id or "", at)
        return Heard("", answer.data, answer.request_id, at)

    def write(self, name: str, network: str, weight: int, **more: object) -> Heard:
        """Make one call about a route of the connection."""
        named = {"RouteDest": network, "Weight": weight, "NextHop": self.connection}
        return self.ask(name, VpnConnectionId=self.connection, **{**named, **more})

    def look(self) -> tuple[Heard, str | None]:
        """Read the connection; its State is None if it cannot be read."""
        heard = self.ask(LOOK, VpnConnectionId=self.connection)
        return heard, str(heard.data.get("State") or "") if heard.accepted else None

    def state(self) -> str | None:
        """Return the State of the connection; None if it cannot be read."""
        return self.look()[1]

    def listing(self) -> tuple[Heard, list[Mapping[str, Any]]]:
        """List the destination routes of the connection, all pages."""
        rows: list[Mapping[str, Any]] = []
        for number in range(1, 41):
            heard = self.ask(LIST, VpnConnectionId=self.connection, PageNumber=number, PageSize=50)
            page = heard.data.get("VcoRouteEntries") or []
            rows += page
            if not heard.accepted or len(page) < 50 or len(rows) >= heard.data["TotalCount"]:
                break
        custom = [row for row in rows if row.get("RouteEntryType", "custom") == "custom"]
        return heard, custom

    def wait_until_idle(
        self, seconds: float, seen: float | None = None, step: float | None = None
    ) -> float | None:
        """Wait until no task runs on the connection; return when it ended, estimated from reads.

        That is midway between the last look that saw it and the first that did not, each by when
        it was sent: a round trip is no part of the time that a task takes. `seen` is when an
        earlier look saw it, and `step` the time between two looks. None where the end did not come
        in time.
        """
        end = self.waited + seconds
        while True:
            heard, state = self.look()
            if state == ATTACHED:
                return heard.at if seen is None else (seen + heard.at) / 2
            seen = heard.at
            if self.waited >= end or state not in (None, *ARRIVING):
                return None
            self.sleep(step or self.step)
