"""The operations, once: what each call is, without doing any I/O.

What a call is stands in generators: they yield a request or a wait and are sent what came of it.
`vcokit.cloud.client` only drives them, once with blocking calls and once with ``await``::

    create_vco_route_entry(…)  →  exchange(): yield request ⇄ response, yield seconds to wait
                                     │
                     Client ─────────┴───────── AsyncClient

Calls keep to the limits by themselves (`vcokit.cloud.pacing`). Reads are tried again on throttling,
server faults and lost answers, with a wait that doubles up to ``retry_cap``. Writes are never tried
again here: whoever sends a write must know its outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar, cast

import httpx
import pandas as pd

from vcokit.cloud import answers
from vcokit.cloud.answers import Answer, rows_of
from vcokit.cloud.error_codes import Kind, kind_of, may_try_again
from vcokit.cloud.listing import Exchange, Listing, Outcome, Page
from vcokit.cloud.operations import OPERATIONS, PAGE_SIZE, VERSION, Limit, Operation
from vcokit.cloud.pacing import Pacer
from vcokit.cloud.ratelimit import Limiter
from vcokit.cloud.signing import Acs3Auth, canonical_query
from vcokit.cloud.target import Target
from vcokit.cloud.transport import Reply
from vcokit.errors import CloudError, InputError, ProtocolError

_Answer = TypeVar("_Answer")
_Frame = TypeVar("_Frame")

_HEADERS: Final = {
    "x-acs-version": VERSION,
    "accept": "application/json",
    "user-agent": "vcokit",
}

#: Longest list that is read, of 2,000 pages: what is longer has no end.
MOST_ROWS: Final = 100_000

#: How much of a new round trip goes into their mean.
_LEAN: Final = 0.2


class Calls(Generic[_Answer, _Frame]):
    """The operations, named after the API; see `Client` and `AsyncClient`.

    Parameters
    ----------
    target : Target
        Endpoint, credentials, time-outs and limits; from `connect`.
    now : callable
        Seconds of the clock by which the client waits.
    luck : callable
        A number from 0 to 1: how much of half a wait between two tries is left out.
    limiter : Limiter, optional
        Of another form of the same client; by default one of its own.
    """

    def __init__(
        self,
        target: Target,
        now: Callable[[], float],
        luck: Callable[[], float],
        limiter: Limiter | None = None,
    ) -> None:
        self.target = target
        self._luck = luck
        self.limiter = limiter or Limiter(target.limits)
        self._pacer = Pacer(self.limiter, target.read_share, now)
        self._auth = Acs3Auth(target.credentials, clock=target.clock)
        self._round_trip: float | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.target!r})"

    @property
    def endpoint(self) -> str:
        """URL that all calls go to; empty where each goes to the endpoint of its own region."""
        return self.target.endpoint

    @property
    def endpoint_note(self) -> str:
        """One line to show before anything is sent: where calls go, and what set it.

        Empty where calls go to their region's own endpoint. Otherwise for example ``calls go to
        https://10.0.0.9 (endpoint set by vcokit.toml)``; the other origins are ``argument`` and
        ``VCOKIT_ENDPOINT``.
        """
        return self.target.endpoint_note

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Rate limit of each operation, per account and region, in wall seconds."""
        return self.target.limits

    @property
    def speed(self) -> float:
        """How many times faster than ours the cloud's clock runs; 1 but for a simulator."""
        return self.target.speed

    @property
    def round_trip(self) -> float | None:
        """Seconds from sending to answer, a mean that leans to the latest; None before any."""
        return self._round_trip

    # -- what a call is, without I/O ------------------------------------------------------------

    def request(self, operation: Operation, parameters: Mapping[str, object]) -> httpx.Request:
        """Return the unsigned request of a call: all parameters in the query, an empty body.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or can never be accepted.
        """
        given = dict(parameters)
        if "RegionId" in operation.required and given.get("RegionId") is None:
            given["RegionId"] = self.target.region
        query = canonical_query(operation.wire(given))
        url = self.target.url(str(given.get("RegionId") or self.target.region or ""))
        headers = {**_HEADERS, "x-acs-action": operation.name}
        try:
            return httpx.Request("POST", f"{url}/?{query}", headers=headers)
        except httpx.InvalidURL as error:
            raise InputError(f"{operation.name} cannot be asked: {error}") from None

    def exchange(
        self, operation: Operation, parameters: Mapping[str, object], attempts: int | None = None
    ) -> Exchange[Answer]:
        """Play one call: a request, its answer, and for reads the waits and tries between.

        Parameters
        ----------
        operation : Operation
        parameters : mapping of str to object
        attempts : int, optional
            Tries of a caller that keeps to the limits itself; by default as the target says, paced.
        """
        paced = attempts is None
        region = str(parameters.get("RegionId") or self.target.region or "")
        tries = 1 if operation.writes else attempts or self.target.read_attempts
        for attempt in range(1, tries + 1):
            call = self._once(operation, parameters)
            if paced:
                call = self._pacer.paced(region, operation.name, call)
            try:
                return (yield from call)
            except CloudError as error:
                if attempt == tries or not may_try_again(error):
                    raise
                pause = self._pause(attempt, error, operation)
                if paced and kind_of(error) is Kind.THROTTLED:
                    self._pacer.shut(region, operation.name, pause)
            yield pause
        raise AssertionError("unreachable")

    def _once(self, operation: Operation, parameters: Mapping[str, object]) -> Exchange[Answer]:
        outcome = yield self.request(operation, parameters)
        return self._read(operation, outcome, parameters.get("VpnConnectionId"))

    def _read(self, operation: Operation, outcome: Outcome, asked: object) -> Answer:
        secrets = self._auth.secrets
        if not isinstance(outcome, Reply):
            error = cast(httpx.RequestError, outcome)
            raise answers.transport_error(operation, error, secrets) from None
        before = self._round_trip or outcome.seconds
        self._round_trip = before + _LEAN * (outcome.seconds - before)
        now = self.target.clock()
        return answers.read(
            operation, outcome, self.target.retry_cap, asked=asked, secrets=secrets, now=now
        )

    def _pause(self, attempt: int, error: CloudError, operation: Operation) -> float:
        """Return the seconds before the next try; unless the cloud asks for some, longer each time.

        A limit is counted over a window, on an average half of which is over. Of other waits up to
        half is left out by chance, so that calls that failed together do not come back together.
        """
        wait = self.target.retry_base * 2.0 ** (attempt - 1) * (1 - self._luck() / 2)
        if kind_of(error) is Kind.THROTTLED:
            wait = max(wait, self.limits[operation.name].seconds / 2)
        return float(min(self.target.retry_cap, getattr(error, "retry_after", None) or wait))

    def page(
        self,
        operation: Operation,
        parameters: Mapping[str, object],
        number: int,
        attempts: int | None = None,
    ) -> Exchange[Page]:
        """Play one page of a listing."""
        paging = {"PageSize": PAGE_SIZE, "PageNumber": number} if operation.paged else {}
        answer = yield from self.exchange(operation, {**paging, **parameters}, attempts)
        rows = rows_of(operation, answer)
        total = answer.get("TotalCount", len(rows))
        if total > MOST_ROWS:
            raise ProtocolError(
                f"a list of more than {MOST_ROWS:,} rows, which is never read to its end",
                operation=operation.name,
                request_id=answer.request_id,
                remedy="If it is as long as that, ask the cloud for a part of it",
            )
        return Page(rows, total, answer.request_id)

    def _all_pages(
        self, operation: Operation, parameters: Mapping[str, object]
    ) -> Exchange[pd.DataFrame]:
        """Play a listing to its end; one that changes meanwhile is read again from the start."""
        tries = self.target.read_attempts
        for attempt in range(1, tries + 1):
            listing = self._listing(operation, parameters)
            try:
                while not listing.ended:
                    yield from listing.turn()
                return listing.frame(listing.rows)
            except ProtocolError as error:
                if attempt == tries or not listing.changed:
                    raise
                pause = self._pause(attempt, error, operation)
            yield pause
        raise AssertionError("unreachable")

    def _listing(self, operation: Operation, parameters: Mapping[str, object]) -> Listing:
        region = parameters.get("RegionId") or self.target.region
        return Listing(
            operation,
            lambda number: self.page(operation, parameters, number),
            None if region is None else str(region),
            cast(int, parameters.get("PageSize", PAGE_SIZE)),
        )

    def _listing_of(self, name: str, parameters: Mapping[str, object]) -> Listing:
        operation = OPERATIONS.get(name)
        if operation is None or not operation.rows:
            lists = ", ".join(one.name for one in OPERATIONS.values() if one.rows)
            raise InputError(f"{name} lists nothing", remedy=f"Name one of {lists}")
        given = {_api_name(key): value for key, value in parameters.items()}
        return self._listing(operation, given)

    # -- what the two forms make of it ----------------------------------------------------------

    def _answer(self, exchange: Exchange[Answer]) -> _Answer:
        raise NotImplementedError

    def _table(self, exchange: Exchange[pd.DataFrame]) -> _Frame:
        raise NotImplementedError

    def _call(self, name: str, **parameters: object) -> _Answer:
        return self._answer(self.exchange(OPERATIONS[name], parameters))

    def _list(self, name: str, **parameters: object) -> _Frame:
        return self._table(self._all_pages(OPERATIONS[name], parameters))

    # -- the operations -------------------------------------------------------------------------

    def create_vco_route_entry(
        self,
        *,
        vpn_connection_id: str,
        route_dest: str,
        weight: int,
        next_hop: str | None = None,
        region_id: str | None = None,
        description: str | None = None,
        client_token: str | None = None,
        dry_run: bool | None = None,
    ) -> _Answer:
        """Add one destination route to a connection (CreateVcoRouteEntry; asynchronous).

        Parameters
        ----------
        vpn_connection_id : str
        route_dest : str
            ``a.b.c.d/len``, host bits clear.
        weight : int
            100 active, 0 standby.
        next_hop : str, optional
            By default the connection, as in every documented call.
        region_id : str, optional
            By default the client's region.
        description : str, optional
        client_token : str, optional
            Up to 64 ASCII characters; the same token makes the same request happen once.
        dry_run : bool, optional
            Only check; a passed check is raised as `vcokit.errors.DryRunPassed`.

        Returns
        -------
        Answer
            The cloud has accepted the route; it is there when the connection is attached again
            and a listing shows it.
        """
        return self._call(
            "CreateVcoRouteEntry",
            **_route(region_id, vpn_connection_id, route_dest, weight, next_hop),
            Description=description,
            ClientToken=client_token,
            DryRun=dry_run,
        )

    def delete_vco_route_entry(
        self,
        *,
        vpn_connection_id: str,
        route_dest: str,
        weight: int,
        next_hop: str | None = None,
        region_id: str | None = None,
        client_token: str | None = None,
    ) -> _Answer:
        """Delete one destination route, named by all its parts (DeleteVcoRouteEntry)."""
        return self._call(
            "DeleteVcoRouteEntry",
            **_route(region_id, vpn_connection_id, route_dest, weight, next_hop),
            ClientToken=client_token,
        )

    def modify_vco_route_entry_weight(
        self,
        *,
        vpn_connection_id: str,
        route_dest: str,
        weight: int,
        new_weight: int,
        next_hop: str | None = None,
        region_id: str | None = None,
        client_token: str | None = None,
    ) -> _Answer:
        """Change the weight of one route, named by its present one (ModifyVcoRouteEntryWeight)."""
        return self._call(
            "ModifyVcoRouteEntryWeight",
            **_route(region_id, vpn_connection_id, route_dest, weight, next_hop),
            NewWeight=new_weight,
            ClientToken=client_token,
        )

    def describe_vco_route_entries(
        self,
        *,
        vpn_connection_id: str,
        region_id: str | None = None,
        route_entry_type: str | None = None,
    ) -> _Frame:
        """List the routes of a connection, all pages (DescribeVcoRouteEntries).

        Parameters
        ----------
        vpn_connection_id : str
        region_id : str, optional
        route_entry_type : str, optional
            ``custom`` (destination routes, the API's default) or ``bgp``.

        Returns
        -------
        DataFrame
            Of `vcokit.schema.LIVE_ROUTES`.
        """
        return self._list(
            "DescribeVcoRouteEntries",
            RegionId=region_id,
            VpnConnectionId=vpn_connection_id,
            RouteEntryType=route_entry_type,
        )

    def describe_vpn_connection(
        self, *, vpn_connection_id: str, region_id: str | None = None
    ) -> _Answer:
        """Read one connection; its ``State`` says whether a task runs (DescribeVpnConnection)."""
        return self._call(
            "DescribeVpnConnection", RegionId=region_id, VpnConnectionId=vpn_connection_id
        )

    def describe_vpn_connections(
        self,
        *,
        region_id: str | None = None,
        vpn_connection_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> _Frame:
        """List the connections of a region, all pages, as `vcokit.schema.LIVE_CONNECTIONS`."""
        return self._list(
            "DescribeVpnConnections",
            RegionId=region_id,
            VpnConnectionId=vpn_connection_id,
            Tag=tags,
        )

    def describe_vpn_attachments(
        self, *, region_id: str | None = None, vpn_connection_id: str | None = None
    ) -> _Frame:
        """List the connections attached to transit routers (DescribeVpnAttachments)."""
        return self._list(
            "DescribeVpnAttachments", RegionId=region_id, VpnConnectionId=vpn_connection_id
        )

    def describe_regions(self) -> _Frame:
        """List the regions and their endpoints (DescribeRegions)."""
        return self._list("DescribeRegions", AcceptLanguage="en-US")


def _route(
    region_id: str | None, connection: str, dest: str, weight: int, next_hop: str | None
) -> dict[str, object]:
    """Return the parameters that name a route; the next hop is the connection unless it is not."""
    return {
        "RegionId": region_id,
        "VpnConnectionId": connection,
        "RouteDest": dest,
        "Weight": weight,
        "NextHop": next_hop or connection,
    }


def _api_name(name: str) -> str:
    """Return the API's name of a parameter that is written as Python writes names."""
    return "".join(word.capitalize() for word in name.split("_"))
