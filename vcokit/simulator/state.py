"""The cloud itself: connections, routes, tasks, tokens, limits. Pure: time comes as an argument.

A call goes through these, and the first that refuses answers it::

    faults ─▶ rate limit ─▶ read:  checks ─▶ rows
                         └▶ write: token ─▶ checks ─▶ quota ─▶ dry run ─▶ task

Calls that a fault holds back, or sends again, wait in a queue; whatever happens next at a later
second is preceded by theirs.

Nothing here does input or output, looks at a clock or starts a thread: `now` is the simulated
second, an argument of whatever depends on it, and must not run backwards. All chance comes from
the seed. So a rollout of hours can be played against it in a moment, and played again the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID

from vcokit.simulator import defaults, snapshot
from vcokit.simulator.answers import Answer, refuse
from vcokit.simulator.checks import CHECKS, Ask, check
from vcokit.simulator.codes import Refusal
from vcokit.simulator.durations import Duration, Written, read_duration
from vcokit.simulator.effects import EFFECTS
from vcokit.simulator.facts import OPERATIONS, Limit
from vcokit.simulator.faults import CLEAN, Fault, FaultPlan, Verdict
from vcokit.simulator.history import Call, record
from vcokit.simulator.limits import RateLimits, merged_limits
from vcokit.simulator.listings import LISTINGS
from vcokit.simulator.model import Connection, Route
from vcokit.simulator.prefixes import parse_destination
from vcokit.simulator.sites import RouteTable, Site
from vcokit.simulator.switches import Switches
from vcokit.simulator.tokens import TokenMemory, token_key


@dataclass(frozen=True, order=True)
class _Held:
    """A call that comes later, or once more; the number keeps those of one moment in order."""

    due: float
    number: int
    operation: str = field(compare=False)
    parameters: Mapping[str, str] = field(compare=False)
    account: str = field(compare=False)
    faults: str = field(compare=False)


class Cloud:
    """The state behind the API.

    Parameters
    ----------
    connections : iterable of Connection
        All there ever are.
    routes : iterable of Route
        Those that are there at the start.
    seed : int
        Of request ids, task times and faults.
    quota : int
        Routes a connection may have.
    router_quota : int, optional
        Routes that the connections of one transit router may have together.
    task_seconds : duration
        Time a task takes: fixed, or what it is drawn from (`durations.read_duration`).
    durations : mapping of str to duration, optional
        The same for single operations; that of a connection wins over both.
    limits : mapping of str to (int, float), optional
        Rate limits other than the vendor's.
    switches : Switches
        How it behaves where the vendor documents nothing.
    faults : sequence of Fault
        What goes wrong on purpose.
    epoch : float
        Epoch seconds of simulated second 0, for creation times.

    Raises
    ------
    ValueError
        If a connection is there twice, a route is none, or its connection is not there.

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
        seed: int = defaults.SEED,
        quota: int = defaults.QUOTA,
        router_quota: int | None = None,
        task_seconds: Written = defaults.TASK_SECONDS,
        durations: Mapping[str, Written] | None = None,
        limits: Mapping[str, Limit] | None = None,
        switches: Switches | None = None,
        faults: Sequence[Fault] = (),
        epoch: float = defaults.EPOCH,
    ) -> None:
        self.quota, self.router_quota = quota, router_quota
        self.switches = switches or Switches()
        self.faults = FaultPlan(faults, seed)
        self.limits = merged_limits(limits)
        self.history: list[Call] = []
        self._durations = _by_operation(task_seconds, durations or {})
        self._epoch = epoch
        # Two generators: how often a client reads must not move the times of tasks.
        self._random_ids = Random(f"{seed}/ids")  # noqa: S311
        self._random_tasks = Random(f"{seed}/tasks")  # noqa: S311
        self._effects = 0
        self._held: list[_Held] = []
        self._holds = 0
        self._rates = RateLimits(self.limits)
        self._tokens: TokenMemory[Answer] = TokenMemory(self.switches.token_lifetime)
        self._sites: dict[str, Site] = {}
        for connection in connections:
            self._add_connection(connection)
        for route in routes:
            self._add_route(route)

    def _add_connection(self, connection: Connection) -> None:
        if connection.vpn_connection_id in self._sites:
            raise ValueError(f"connection {connection.vpn_connection_id} is there twice")
        table = RouteTable(minds_shared_space=self.switches.shared_space_breaks_tunnel)
        self._sites[connection.vpn_connection_id] = Site(connection, table)

    def _add_route(self, route: Route) -> None:
        destination = parse_destination(route.route_dest)
        if destination is None or destination.length == 0:
            raise ValueError(f"route {route.route_dest!r} is no network. Write a.b.c.d/len")
        if route.vpn_connection_id not in self._sites:
            raise ValueError(f"route {route.route_dest}: no connection {route.vpn_connection_id}")
        route = replace(route, route_dest=destination.network)
        self._sites[route.vpn_connection_id].table.add(route)

    # -- calls ----------------------------------------------------------------------------------

    def call(
        self,
        operation: str,
        parameters: Mapping[str, str],
        *,
        now: float,
        account: str = defaults.ACCOUNT_ID,
    ) -> Answer:
        """Answer a call, and keep it in the history.

        Parameters
        ----------
        operation : str
            Its name; an unknown one is refused.
        parameters : mapping of str to str
            As on the wire.
        now : float
            Simulated second.
        account : str
            Id of the caller's account.

        Returns
        -------
        Answer
            A refusal is an answer too, nothing is raised.
        """
        self._deliver(now)
        if operation not in OPERATIONS:
            refusal = Refusal("InvalidAction.NotFound")
            return self.turn_away(refusal, operation, parameters, now=now, account=account)
        ask = self._read(operation, parameters, account, now)
        verdict = self.faults.decide(operation, ask.text("VpnConnectionId"))
        answer = self._strike(ask, verdict)
        self._keep(answer, operation, parameters, now=now, account=account)
        for seconds in verdict.copies:
            self._hold(ask, now + seconds, verdict.names)
        return answer

    def turn_away(
        self,
        refusal: Refusal,
        operation: str = "",
        parameters: Mapping[str, str] | None = None,
        *,
        now: float,
        account: str = "",
    ) -> Answer:
        """Answer a call that someone else refused (the gateway), and keep it in the history."""
        self._deliver(now)
        answer = self._refused(refusal, operation)
        self._keep(answer, operation, parameters or {}, now=now, account=account)
        return answer

    def _hold(self, ask: Ask, due: float, faults: str) -> None:
        self._holds += 1
        held = _Held(due, self._holds, ask.operation.name, ask.parameters, ask.account, faults)
        heapq.heappush(self._held, held)

    def _deliver(self, now: float) -> None:
        """Do what was held back until now; nobody waits for the answers."""
        while self._held and self._held[0].due <= now:
            held = heapq.heappop(self._held)
            ask = self._read(held.operation, held.parameters, held.account, held.due)
            done, named = self._do(ask), (held.operation, held.parameters)
            call = record(done, *named, now=held.due, account=held.account)
            self.history.append(replace(call, status=None, faults=held.faults))

    def _read(self, operation: str, parameters: Mapping[str, str], account: str, now: float) -> Ask:
        region = parameters.get("RegionId", "")

        def find(vpn_connection_id: str) -> Site | None:
            site = self._sites.get(vpn_connection_id)
            if site is None or not _is_of(site, account, region):
                return None
            site.settle(now)
            return site

        return Ask(
            OPERATIONS[operation],
            parameters,
            account,
            find,
            self.switches,
            self.quota,
            self.router_quota,
            now,
            lambda site: self._beside(site, now),
        )

    def _strike(self, ask: Ask, verdict: Verdict) -> Answer:
        """Do what the faults leave to be done, and answer what they leave to be answered."""
        done = Answer(200, self._new_request_id()) if verdict.prevents else self._do(ask)
        verdict = Verdict((*verdict.struck, *done.verdict.struck))
        if verdict.code:
            struck = Refusal(verdict.code, retry_after=verdict.retry_after)
            done = refuse(done, struck, ask.operation.name, self.switches)
        elif verdict.page:
            done = replace(done, status=200, code="", message="", fields={})
        return replace(done, verdict=verdict)

    def _do(self, ask: Ask) -> Answer:
        operation = ask.operation
        try:
            self._rates.admit(ask.account, ask.text("RegionId"), operation.name, ask.now)
            if operation.writes:
                return self._write(ask)
            fields = LISTINGS[operation.name](ask, self._sites_of(ask))
            return Answer(200, self._new_request_id(), fields=fields)
        except Refusal as refusal:
            return self._refused(refusal, operation.name)

    def _sites_of(self, ask: Ask) -> Iterator[Site]:
        """Yield the caller's sites in the region of the call, or in all if it has none."""
        for site in self._sites.values():
            if _is_of(site, ask.account, ask.text("RegionId") or site.connection.region_id):
                site.settle(ask.now)
                yield site

    def _beside(self, site: Site, now: float) -> Iterator[Site]:
        """Yield the other sites on the transit router of a site."""
        of = site.connection
        for other in self._sites.values():
            there = other.connection
            if other is site or (there.attach_type, there.account_id) != (
                of.attach_type,
                of.account_id,
            ):
                continue
            if there.transit_router_id == of.transit_router_id:
                other.settle(now)
                yield other

    # -- writes ---------------------------------------------------------------------------------

    def _write(self, ask: Ask) -> Answer:
        token = ask.text("ClientToken")
        key = token_key(ask, self.switches.token_scope)
        asked = {**ask.parameters, "": ask.operation.name}
        first = self._tokens.recall(key, asked, ask.now) if token else None
        if first is not None:
            return replace(first, replayed=True, changed=False, verdict=CLEAN)
        try:
            check(ask, CHECKS[ask.operation.name])
            answer = self._accept(ask)
        except Refusal as refusal:
            answer = self._refused(refusal, ask.operation.name)
        binds = answer.status == 200 or self.switches.refused_calls_bind_token
        if token and binds and not ask.is_dry_run:
            self._tokens.bind(key, asked, answer, ask.now)
        return answer

    def _accept(self, ask: Ask) -> Answer:
        if ask.is_dry_run:
            raise Refusal("DryRunOperation")
        operation, now = ask.operation.name, ask.now
        change, fields = EFFECTS[operation](ask, round((self._epoch + now) * 1000))
        failure = self.faults.fail_task(operation, ask.text("VpnConnectionId"))
        fails = bool(failure.struck)
        duration = ask.site.connection.duration or self._durations[operation]
        ends = now + duration.draw(self._random_tasks)
        at_once = self.switches.removed_at_acceptance
        ask.site.begin(change, now, ends=ends, fails=fails, removes_at_once=at_once)
        self._effects += 1
        return Answer(
            200,
            self._new_request_id(),
            fields=fields,
            effect=self._effects,
            changed=not fails,
            verdict=failure,
        )

    # -- answers and history --------------------------------------------------------------------

    def _new_request_id(self) -> str:
        return str(UUID(int=self._random_ids.getrandbits(128), version=4)).upper()

    def _refused(self, refusal: Refusal, operation: str) -> Answer:
        answer = Answer(refusal.status, self._new_request_id())
        return refuse(answer, refusal, operation, self.switches)

    def _keep(
        self,
        answer: Answer,
        operation: str,
        parameters: Mapping[str, str],
        *,
        now: float,
        account: str,
    ) -> None:
        self.history.append(record(answer, operation, parameters, now=now, account=account))

    # -- looking from outside -------------------------------------------------------------------

    def sites(self, now: float) -> list[Site]:
        """Return all connections with their routes at simulated second `now`."""
        self._deliver(now)
        for site in self._sites.values():
            site.settle(now)
        return list(self._sites.values())

    def change(self, vpn_connection_id: str, now: float, **fields: Any) -> None:
        """Change a connection behind the API's back: lock it, rename it, detach it.

        Raises
        ------
        ValueError
            If there is no such connection, or it cannot be so.
        """
        if vpn_connection_id not in self._sites:
            raise ValueError(f"no connection {vpn_connection_id}")
        self._deliver(now)
        site = self._sites[vpn_connection_id]
        site.settle(now)
        site.connection = replace(site.connection, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return connections, routes and quota as data that JSON can hold."""
        return snapshot.take(self._sites.values(), self.quota, self.router_quota)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], **options: Any) -> Cloud:
        """Return a cloud with what `to_dict` gave; `options` are those of `Cloud`.

        Raises
        ------
        ValueError
            If the data are no snapshot.
        """
        return cls(**{**snapshot.restore(data), **options})


def _by_operation(
    task_seconds: Written, durations: Mapping[str, Written]
) -> Mapping[str, Duration]:
    """Return the time that the tasks of each writing operation take."""
    writes = {name: task_seconds for name, operation in OPERATIONS.items() if operation.writes}
    unknown = sorted(durations.keys() - writes.keys())
    if unknown:
        raise ValueError(f"duration of {unknown[0]!r}. Name one of {', '.join(writes)}")
    return {name: read_duration(durations.get(name, every)) for name, every in writes.items()}


def _is_of(site: Site, account: str, region: str) -> bool:
    return site.connection.account_id == account and site.connection.region_id == region
