"""The simulated cloud: connections, tasks, tokens, rate limits, and the history of calls.

A call passes these stages, and the first one that refuses it determines the answer::

    faults ─▶ rate limit ─▶ read:  checks ─▶ fields
                         └▶ write: token ─▶ checks ─▶ dry run ─▶ task

Nothing here does input or output, reads a clock or starts a thread. The simulated second `now` is
an argument wherever it is needed, and must never decrease. All random numbers come from the seed,
in separate streams: the number of a client's reads changes neither the duration of tasks nor which
calls a fault hits. A rollout of hours can therefore be simulated in a moment, and repeated exactly.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from vcokit.simulator import quotas, roles, transit_routers  # noqa: F401 - they register operations
from vcokit.simulator.errors import ApiError, describe_error
from vcokit.simulator.faults import CALL, NO_FAULTS, TASK, ActiveFaults, Fault, FaultPlan
from vcokit.simulator.models import (
    ACCOUNT_ID,
    CONTRACT,
    EPOCH,
    QUOTA,
    TASK_SECONDS,
    Account,
    Change,
    Connection,
    Duration,
    Limit,
    Route,
    Switches,
    check_network,
    read_duration,
)
from vcokit.simulator.operations import OPERATIONS, Fields, RequestContext, run_checks

#: Times of the rate limits are integers: with floats the edge of a window would be unpredictable.
_MICROSECONDS: Final = 1_000_000
_TOKEN_LENGTH: Final[int] = CONTRACT["parameters"]["ClientToken"]["longest"]
_TOKEN_SECONDS: Final[float] = CONTRACT["limits"]["client_token_seconds"]["value"]


@dataclass(frozen=True)
class Answer:
    """One call and its result: returned to the caller, and kept in the history.

    Parameters
    ----------
    time : float
        Simulated second.
    operation, account_id : str
        Operation and account of the call, if known.
    parameters : mapping of str to str
        As received, without those of the protocol.
    request_id : str
        Upper-case UUID; that of the first answer if it is replayed.
    status : int
        HTTP status.
    code, message : str
        Those of an error; empty for a success.
    fields : mapping
        Fields of a success, except ``RequestId``; not kept in the history.
    detail : mapping
        ``AccessDeniedDetail`` of an error; usually empty.
    retry_after : float, optional
        Simulated seconds that the client should wait.
    replayed : bool
        Whether it repeats the first answer to the same ClientToken.
    effect : int, optional
        Number of the accepted write that the answer refers to, from 1.
    changed : bool
        Whether this call itself changed routes, or will change them when its task ends.
    faults : ActiveFaults
        Faults that hit the call.
    awaited : bool
        Whether a client waits for the answer; False if a fault delayed or repeated the call.
    """

    time: float
    operation: str
    account_id: str
    parameters: Mapping[str, str]
    request_id: str
    status: int = 200
    code: str = ""
    message: str = ""
    fields: Fields = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    replayed: bool = False
    effect: int | None = None
    changed: bool = False
    faults: ActiveFaults = NO_FAULTS
    awaited: bool = True

    @property
    def region_id(self) -> str:
        """Region in the call; empty if it has none."""
        return self.parameters.get("RegionId", "")

    @property
    def vpn_connection_id(self) -> str:
        """Connection in the call; empty if it has none."""
        return self.parameters.get("VpnConnectionId", "")

    @property
    def client_token(self) -> str:
        """ClientToken of the call; empty if it has none."""
        return self.parameters.get("ClientToken", "")

    def refused(self, error: ApiError) -> Answer:
        """Return the answer as an error."""
        status, text = describe_error(error.code, self.operation)
        return replace(
            self,
            status=status,
            code=error.code,
            message=text if error.message is None else error.message,
            fields={},
            detail=error.detail,
            retry_after=error.retry_after,
        )


@dataclass(frozen=True, order=True)
class _ScheduledCall:
    """A delayed or repeated call; the number keeps calls of the same moment in order."""

    due: float
    number: int
    request: RequestContext = field(compare=False)
    faults: ActiveFaults = field(compare=False)


@dataclass(frozen=True)
class _BoundToken:
    """The first call with a ClientToken: its parameters, its answer, and when the token ends."""

    expires: float
    asked: Mapping[str, str]
    answer: Answer


class Cloud:
    """The state behind the API.

    Parameters
    ----------
    connections : iterable of Connection
        All connections; none is added later. The cloud works on copies.
    routes : iterable of Route
        Routes at the start.
    seed : int
        Seed of request ids, task times and faults.
    quota : int
        Most routes of a connection.
    router_quota : int, optional
        Most routes of all connections of one transit router together.
    task_seconds : float or (float, float)
        Duration of a task: fixed, or between two values.
    limits : mapping of str to (int, float), optional
        Rate limits that differ from the vendor's.
    switches : Switches
        Its behaviour where the vendor documents nothing.
    faults : sequence of Fault
        Deliberate failures.
    epoch : float
        Epoch seconds of simulated second 0, for creation times.
    speed : float
        Simulated seconds per second of wall time, for creation times.

    Attributes
    ----------
    keys : dict of str to Account
        Accounts by AccessKey id; an assumed role is a key, too.
    random_keys : random.Random
        Where the keys of assumed roles come from.

    Raises
    ------
    ValueError
        If a connection occurs twice, a route is invalid, or its connection does not exist.

    Examples
    --------
    >>> cloud = Cloud([Connection("vco-1")])
    >>> answer = cloud.call("DescribeVpnConnection",
    ...     {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}, now=0.0)
    >>> answer.status, answer.fields["State"]
    (200, 'attached')
    """

    def __init__(
        self,
        connections: Iterable[Connection] = (),
        routes: Iterable[Route] = (),
        *,
        seed: int = 0,
        quota: int = QUOTA,
        router_quota: int | None = None,
        task_seconds: Duration = TASK_SECONDS,
        limits: Mapping[str, Limit] | None = None,
        switches: Switches | None = None,
        faults: Sequence[Fault] = (),
        epoch: float = EPOCH,
        speed: float = 1.0,
    ) -> None:
        self.quota, self.router_quota = quota, router_quota
        self.switches = switches or Switches()
        self.faults = FaultPlan(faults, seed)
        self.limits = merge_limits(limits)
        self.history: list[Answer] = []
        self.keys: dict[str, Account] = {}
        self.epoch, self.speed = epoch, speed
        self.random_keys = Random(f"{seed}/keys")  # noqa: S311
        self._task_seconds = read_duration(task_seconds)
        self._random_ids = Random(f"{seed}/ids")  # noqa: S311
        self._random_tasks = Random(f"{seed}/tasks")  # noqa: S311
        self._random_listings = Random(f"{seed}/listings")  # noqa: S311
        self._writes = 0
        self._scheduled: list[_ScheduledCall] = []
        self._schedules = 0
        self._passed: dict[tuple[str, str, str], deque[int]] = {}
        self._tokens: dict[tuple[str, str, str, str], _BoundToken] = {}
        self._connections: dict[str, Connection] = {}
        for connection in connections:
            if connection.vpn_connection_id in self._connections:
                raise ValueError(f"connection {connection.vpn_connection_id} is there twice")
            self._connections[connection.vpn_connection_id] = replace(connection)
        for route in routes:
            self._add_route(route)

    def _add_route(self, route: Route) -> None:
        if check_network(route.route_dest, "route").endswith("/0"):
            raise ValueError("route: the default route is not allowed as a destination")
        if route.vpn_connection_id not in self._connections:
            raise ValueError(f"route {route.route_dest}: no connection {route.vpn_connection_id}")
        self._connections[route.vpn_connection_id].table.add(route)

    # -- calls ------------------------------------------------------------------------------------

    def call(
        self,
        operation: str,
        parameters: Mapping[str, str],
        *,
        now: float,
        account: str = ACCOUNT_ID,
    ) -> Answer:
        """Answer a call and keep it in the history.

        Parameters
        ----------
        operation : str
            Its name; an unknown operation is refused.
        parameters : mapping of str to str
            As on the wire.
        now : float
            Simulated second.
        account : str
            Id of the caller's account.

        Returns
        -------
        Answer
            A refusal is also an answer; no exception is raised.
        """
        if operation not in OPERATIONS:
            error = ApiError("InvalidAction.NotFound")
            return self.record_error(error, operation, parameters, now=now, account=account)
        self._deliver_due(now)
        request = RequestContext(self, OPERATIONS[operation], dict(parameters), account, now)
        faults = self.faults.select(CALL, operation, request.text("VpnConnectionId"))
        answer = self._new_answer(request) if faults.skip_call else self._perform(request)
        answer = replace(answer, faults=faults + answer.faults) if faults else answer
        if faults.error:
            wait = faults.error.seconds if faults.error.kind == "throttle" else None
            answer = answer.refused(ApiError(faults.error.error, retry_after=wait))
        elif faults.body_override:
            answer = replace(answer, status=200, code="", message="", fields={})
        self._keep(answer)
        for seconds in faults.duplicate_delays:
            self._schedule(request, now + seconds, faults)
        return answer

    def record_error(
        self,
        error: ApiError,
        operation: str = "",
        parameters: Mapping[str, str] | None = None,
        *,
        now: float,
        account: str = "",
    ) -> Answer:
        """Answer a call that was not authenticated, and keep it in the history."""
        self._deliver_due(now)
        asked = Answer(now, operation, account, dict(parameters or {}), self._new_request_id())
        answer = asked.refused(error)
        self._keep(answer)
        return answer

    def _schedule(self, request: RequestContext, due: float, faults: ActiveFaults) -> None:
        self._schedules += 1
        later = replace(request, now=due)
        heapq.heappush(self._scheduled, _ScheduledCall(due, self._schedules, later, faults))

    def _deliver_due(self, now: float) -> None:
        """Execute the delayed and repeated calls that are due; nobody waits for their answers."""
        while self._scheduled and self._scheduled[0].due <= now:
            call = heapq.heappop(self._scheduled)
            self._keep(replace(self._perform(call.request), faults=call.faults, awaited=False))

    def _perform(self, request: RequestContext) -> Answer:
        """Execute a call; faults of the network are handled elsewhere."""
        answer = self._new_answer(request)
        try:
            self._check_rate(request)
            if request.operation.writes:
                return self._write(request, answer)
            run_checks(request)
            return replace(answer, fields=request.operation.perform(request))
        except ApiError as error:
            return answer.refused(error)

    def _new_answer(self, request: RequestContext) -> Answer:
        name, request_id = request.operation.name, self._new_request_id()
        return Answer(request.now, name, request.account_id, request.parameters, request_id)

    def _new_request_id(self) -> str:
        return str(UUID(int=self._random_ids.getrandbits(128), version=4)).upper()

    def _keep(self, answer: Answer) -> None:
        # Messages and fields may contain secrets, and take most of the memory of an answer.
        self.history.append(replace(answer, message="", fields={}, detail={}))

    def _check_rate(self, request: RequestContext) -> None:
        """Count a call in its sliding window, or refuse it.

        A call at time t passes if fewer than *calls* calls passed in (t − seconds, t]. A throttled
        call does not count, so the wait in the refusal is always long enough. Calls that are
        refused for other reasons count.
        """
        name = request.operation.name
        calls, seconds = self.limits[name]
        time, width = round(request.now * _MICROSECONDS), round(seconds * _MICROSECONDS)
        window = (request.account_id, request.text("RegionId"), name)
        passed = self._passed.setdefault(window, deque())
        while passed and passed[0] <= time - width:
            passed.popleft()
        if len(passed) >= calls:
            wait = (passed[0] + width - time) / _MICROSECONDS
            raise ApiError("Throttling.User", retry_after=wait)
        passed.append(time)

    # -- writes -----------------------------------------------------------------------------------

    def _write(self, request: RequestContext, answer: Answer) -> Answer:
        """Answer a write once per ClientToken; without a token the RequestId is used."""
        token = request.text("ClientToken") or answer.request_id
        key = (request.account_id, request.text("RegionId"), request.operation.name, token)
        asked = {name: of for name, of in request.parameters.items() if name != "ClientToken"}
        first = self._recall(key, asked, request.now)
        if first is not None:
            return replace(
                first,
                time=request.now,
                parameters=request.parameters,
                replayed=True,
                changed=False,
                faults=NO_FAULTS,
            )
        try:
            run_checks(request)
            if request.is_dry_run:
                raise ApiError("DryRunOperation")
            answer = self._accept(request, answer)
        except ApiError as error:
            answer = answer.refused(error)
        binds = answer.status == 200 or self.switches.refused_calls_bind_token
        if binds and not request.is_dry_run:
            # All tokens live equally long, so they expire in the order in which they were bound.
            self._tokens[key] = _BoundToken(request.now + _TOKEN_SECONDS, asked, answer)
        return answer

    def _recall(
        self, key: tuple[str, str, str, str], asked: Mapping[str, str], now: float
    ) -> Answer | None:
        """Return the first answer to this very call, None where the token is free."""
        while self._tokens:
            oldest = next(iter(self._tokens))
            if self._tokens[oldest].expires > now:
                break
            del self._tokens[oldest]
        token = key[-1]
        if len(token) > _TOKEN_LENGTH:
            raise ApiError("IllegalParam.ClientToken")
        if not token.isascii():
            raise ApiError("InvalidClientToken")
        bound = self._tokens.get(key)
        if bound is None:
            return None
        if bound.asked != asked:
            raise ApiError("IdempotentParameterMismatch")
        return bound.answer

    def _accept(self, request: RequestContext, answer: Answer) -> Answer:
        """Start the task of a write that passed its checks."""
        connection, now = request.connection, request.now
        change, fields = request.operation.perform(request)
        faults = self.faults.select(TASK, request.operation.name, connection.vpn_connection_id)
        removed = None if change.removes is None else connection.table[change.removes]
        # Exactly one random number per task, so that one duration does not change the others.
        shortest, longest = (
            self._task_seconds
            if connection.task_seconds is None
            else read_duration(connection.task_seconds)
        )
        ends = now + self._random_tasks.uniform(shortest, longest)
        if faults.task_fails:
            change = Change()
        immediately = self.switches.removed_at_acceptance
        connection.start_task(change, ends, removes_immediately=immediately)
        if faults.reappears and removed is not None and not faults.task_fails:
            gone = now if immediately else ends
            connection.reappearing.append((gone + faults.reappears, removed))
        self._writes += 1
        return replace(
            answer,
            fields=fields,
            effect=self._writes,
            changed=not faults.task_fails,
            faults=faults,
        )

    # -- what operations ask ----------------------------------------------------------------------

    def created_ms(self, now: float) -> int:
        """Return epoch milliseconds at a simulated second, by the wall clock."""
        return round((self.epoch + now / self.speed) * 1000)

    def find(
        self, vpn_connection_id: str, account_id: str, region_id: str, now: float
    ) -> Connection | None:
        """Return a connection of an account in a region, or None."""
        connection = self._connections.get(vpn_connection_id)
        if connection is None or (connection.account_id, connection.region_id) != (
            account_id,
            region_id,
        ):
            return None
        connection.advance(now)
        return connection

    def siblings_on_router(self, connection: Connection, now: float) -> Iterator[Connection]:
        """Yield the other connections of a connection's transit router."""
        for other in self._connections.values():
            if other is not connection and (
                (other.attach_type, other.account_id, other.transit_router_id)
                == (connection.attach_type, connection.account_id, connection.transit_router_id)
            ):
                other.advance(now)
                yield other

    def reappearing(self, connection: Connection, now: float) -> Iterator[Route]:
        """Yield deleted routes that this listing still shows because of a fault."""
        connection.reappearing = [one for one in connection.reappearing if now < one[0]]
        for _, route in connection.reappearing:
            if route.key not in connection.table and self._random_listings.random() < 0.5:
                yield route

    # -- looking from outside ---------------------------------------------------------------------

    def connections(self, now: float) -> list[Connection]:
        """Return all connections as they are at simulated second `now`."""
        for connection in self._connections.values():
            connection.advance(now)
        return list(self._connections.values())

    def advance(self, now: float) -> list[Connection]:
        """Execute everything that is due at `now`; return all connections."""
        self._deliver_due(now)
        return self.connections(now)

    def change(self, vpn_connection_id: str, now: float, **fields: Any) -> None:
        """Change a connection without the API: lock it, rename it, detach it.

        Raises
        ------
        ValueError
            If there is no such connection, or the change is invalid.
        """
        if vpn_connection_id not in self._connections:
            raise ValueError(f"no connection {vpn_connection_id}")
        self.advance(now)
        connection = self._connections[vpn_connection_id]
        replace(connection, **fields)  # refuses invalid values
        vars(connection).update(fields)


def merge_limits(changes: Mapping[str, Limit] | None) -> Mapping[str, Limit]:
    """Return the limit of every operation, by default the vendor's.

    Raises
    ------
    ValueError
        If an operation is unknown or a limit allows no call.
    """
    limits = {name: operation.limit for name, operation in OPERATIONS.items()}
    for name, (calls, seconds) in (changes or {}).items():
        if name not in limits:
            raise ValueError(f"limit of {name!r}. Name one of {', '.join(limits)}")
        if calls < 1 or not 0 < seconds < math.inf:
            raise ValueError(f"limit of {name}: at least 1 call in more than 0 seconds")
        limits[name] = (calls, seconds)
    return MappingProxyType(limits)
