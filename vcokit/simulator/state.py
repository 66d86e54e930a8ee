"""The cloud itself: connections, routes, tasks, tokens, limits. Pure: time comes as an argument.

A call goes through these, and the first that refuses answers it::

    faults ─▶ rate limit ─▶ read:  checks ─▶ rows
                         └▶ write: token ─▶ checks ─▶ quota ─▶ dry run ─▶ task

Nothing here does input or output, looks at a clock or starts a thread: `now` is the simulated
second, an argument of whatever depends on it, and must not run backwards. All chance comes from
the seed. So a rollout of hours can be played against it in a moment, and played again the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID

from vcokit.simulator import defaults, snapshot
from vcokit.simulator.checks import CHECKS, Ask, check
from vcokit.simulator.effects import EFFECTS
from vcokit.simulator.facts import OPERATIONS, Limit, Operation, Refusal
from vcokit.simulator.faults import CLEAN, Fault, FaultPlan, Verdict
from vcokit.simulator.history import Call
from vcokit.simulator.limits import RateLimits, merged_limits
from vcokit.simulator.listings import LISTINGS, Fields
from vcokit.simulator.model import Connection, Route, Switches
from vcokit.simulator.prefixes import parse_destination
from vcokit.simulator.sites import Site
from vcokit.simulator.tokens import TokenKey, TokenMemory


@dataclass(frozen=True)
class Answer:
    """What the cloud answers to a call.

    Parameters
    ----------
    status : int
        HTTP status.
    code, message : str
        Of an error; empty where there is none.
    fields : mapping
        Of a success, ``RequestId`` aside.
    request_id : str
        Upper-case UUID; that of the first answer where it is replayed.
    retry_after : float, optional
        Simulated seconds the client shall wait.
    replayed : bool
        Whether this is the first answer to the same token again.
    effect : int, optional
        Number of the accepted write.
    changed : bool
        Whether the call changed routes, or will when its task ends.
    verdict : Verdict
        Faults that struck, for whoever carries the answer.
    """

    status: int
    request_id: str
    code: str = ""
    message: str = ""
    fields: Fields = field(default_factory=dict)
    retry_after: float | None = None
    replayed: bool = False
    effect: int | None = None
    changed: bool = False
    verdict: Verdict = CLEAN


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
    task_seconds : float or (float, float)
        Time a task takes, or the shortest and longest, between which it is drawn.
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
        task_seconds: float | tuple[float, float] = defaults.TASK_SECONDS,
        limits: Mapping[str, Limit] | None = None,
        switches: Switches | None = None,
        faults: Sequence[Fault] = (),
        epoch: float = defaults.EPOCH,
    ) -> None:
        self.quota = quota
        self.switches = switches or Switches()
        self.faults = FaultPlan(faults, seed)
        self.limits = merged_limits(limits)
        self.history: list[Call] = []
        self._task_seconds = _range(task_seconds)
        self._epoch = epoch
        # Two generators: how often a client reads must not move the times of tasks.
        self._random_ids = Random(f"{seed}/ids")  # noqa: S311
        self._random_tasks = Random(f"{seed}/tasks")  # noqa: S311
        self._effects = 0
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
        self._sites[connection.vpn_connection_id] = Site(connection)

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
        if operation not in OPERATIONS:
            refusal = Refusal("InvalidAction.NotFound")
            return self.turn_away(refusal, operation, parameters, now=now, account=account)
        ask = self._read(OPERATIONS[operation], parameters, account, now)
        verdict = self.faults.decide(operation, ask.text("VpnConnectionId"))
        answer = self._strike(ask, verdict, now)
        self._keep(answer, operation, parameters, now=now, account=account)
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
        answer = self._refused(refusal)
        self._keep(answer, operation, parameters or {}, now=now, account=account)
        return answer

    def _read(
        self, operation: Operation, parameters: Mapping[str, str], account: str, now: float
    ) -> Ask:
        region = parameters.get("RegionId", "")

        def find(vpn_connection_id: str) -> Site | None:
            site = self._sites.get(vpn_connection_id)
            if site is None or not _is_of(site, account, region):
                return None
            site.settle(now)
            return site

        return Ask(operation, parameters, account, find, self.switches, self.quota)

    def _strike(self, ask: Ask, verdict: Verdict, now: float) -> Answer:
        """Do what the faults leave to be done, and answer what they leave to be answered."""
        done = Answer(200, self._new_request_id()) if verdict.prevents else self._do(ask, now)
        verdict = Verdict((*verdict.struck, *done.verdict.struck))
        if verdict.code:
            struck = Refusal(verdict.code, retry_after=verdict.retry_after)
            done = _refuse(done, struck)
        elif verdict.is_html:
            done = replace(done, status=200, code="", message="", fields={})
        return replace(done, verdict=verdict)

    def _do(self, ask: Ask, now: float) -> Answer:
        operation = ask.operation
        try:
            self._rates.admit(ask.account, ask.text("RegionId"), operation.name, now)
            if operation.writes:
                return self._write(ask, now)
            fields = LISTINGS[operation.name](ask, self._sites_of(ask, now))
            return Answer(200, self._new_request_id(), fields=fields)
        except Refusal as refusal:
            return self._refused(refusal)

    def _sites_of(self, ask: Ask, now: float) -> Iterator[Site]:
        """Yield the caller's sites in the region of the call, or in all if it has none."""
        for site in self._sites.values():
            if _is_of(site, ask.account, ask.text("RegionId") or site.connection.region_id):
                site.settle(now)
                yield site

    # -- writes ---------------------------------------------------------------------------------

    def _write(self, ask: Ask, now: float) -> Answer:
        token = ask.text("ClientToken")
        key = TokenKey(ask.account, ask.text("RegionId"), ask.operation.name, token)
        first = self._tokens.recall(key, ask.parameters, now) if token else None
        if first is not None:
            return replace(first, replayed=True, changed=False, verdict=CLEAN)
        try:
            check(ask, CHECKS[ask.operation.name])
            answer = self._accept(ask, now)
        except Refusal as refusal:
            answer = self._refused(refusal)
        binds = answer.status == 200 or self.switches.refused_calls_bind_token
        if token and binds and not ask.is_dry_run:
            self._tokens.bind(key, dict(ask.parameters), answer, now)
        return answer

    def _accept(self, ask: Ask, now: float) -> Answer:
        if ask.is_dry_run:
            raise Refusal("DryRunOperation")
        change, fields = EFFECTS[ask.operation.name](ask, round((self._epoch + now) * 1000))
        failure = self.faults.fail_task(ask.operation.name, ask.text("VpnConnectionId"))
        fails = bool(failure.struck)
        ends = now + self._random_tasks.uniform(*self._task_seconds)
        ask.site.begin(change, ends=ends, fails=fails)
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

    def _refused(self, refusal: Refusal) -> Answer:
        return _refuse(Answer(refusal.status, self._new_request_id()), refusal)

    def _keep(
        self,
        answer: Answer,
        operation: str,
        parameters: Mapping[str, str],
        *,
        now: float,
        account: str,
    ) -> None:
        self.history.append(
            Call(
                time=now,
                operation=operation,
                account_id=account,
                region_id=parameters.get("RegionId", ""),
                vpn_connection_id=parameters.get("VpnConnectionId", ""),
                parameters=dict(parameters),
                status=None if answer.verdict.drops else answer.status,
                code=answer.code,
                request_id=answer.request_id,
                client_token=parameters.get("ClientToken", ""),
                replayed=answer.replayed,
                effect=answer.effect,
                changed=answer.changed,
                faults=answer.verdict.names,
            )
        )

    # -- looking from outside -------------------------------------------------------------------

    def sites(self, now: float) -> list[Site]:
        """Return all connections with their routes at simulated second `now`."""
        for site in self._sites.values():
            site.settle(now)
        return list(self._sites.values())

    def to_dict(self) -> dict[str, Any]:
        """Return connections, routes and quota as data that JSON can hold."""
        return snapshot.take(self._sites.values(), self.quota)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], **options: Any) -> Cloud:
        """Return a cloud with what `to_dict` gave; `options` are those of `Cloud`.

        Raises
        ------
        ValueError
            If the data are no snapshot.
        """
        return cls(**{**snapshot.restore(data), **options})


def _refuse(answer: Answer, refusal: Refusal) -> Answer:
    return replace(
        answer,
        status=refusal.status,
        code=refusal.code,
        message=refusal.message,
        fields={},
        retry_after=refusal.retry_after,
    )


def _range(seconds: float | tuple[float, float]) -> tuple[float, float]:
    shortest, longest = seconds if isinstance(seconds, tuple) else (seconds, seconds)
    if not 0 <= shortest <= longest:
        raise ValueError(f"task_seconds {seconds!r}. Write a time, or the shortest and the longest")
    return float(shortest), float(longest)


def _is_of(site: Site, account: str, region: str) -> bool:
    return site.connection.account_id == account and site.connection.region_id == region
