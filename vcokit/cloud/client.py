"""The client of the API: operations, tries, pages and rate limits. All calls block.

::

    create_vco_route_entry(…) ─▶ call: up to `read_attempts` tries ─▶ Pacer ─▶ Transport ─▶ Answer
    describe_vco_route_entries(…) ─▶ page, page, … ─▶ frame

Calls keep to the rate limits automatically (`vcokit.cloud.ratelimit`). Reads are tried again after
throttling, server faults and lost answers, with a wait that doubles up to ``retry_cap``. Writes are
never tried again here, because the sender of a write must first know its outcome.
"""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from vcokit.cloud.credentials import Keyring
from vcokit.cloud.error_codes import Kind, is_key, kind_of, may_try_again
from vcokit.cloud.masking import Secret
from vcokit.cloud.operations import KNOWN, OPERATIONS, PAGE_SIZE, Limit, Operation
from vcokit.cloud.ratelimit import Limiter, Pacer, backoff
from vcokit.cloud.recording import Recorder
from vcokit.cloud.responses import Answer, frame_of, read, rows_in, skew_of
from vcokit.cloud.signing import Signer, canonical_query
from vcokit.cloud.simulated import is_simulator
from vcokit.cloud.transport import Request, Transport
from vcokit.config import Settings
from vcokit.errors import AuthError, CloudError, InputError, ProtocolError

if TYPE_CHECKING:
    from vcokit.cloud.connect import Target

_HEADERS: Final = {
    "accept": "application/json",
    "user-agent": "vcokit",
}

#: Length of the shortest key id of which some characters are shown.
_MASKED: Final = 16
#: Most rows of a list that are read (2,000 pages). A longer list is taken to be endless.
MOST_ROWS: Final = 100_000
_MOST_PAGES: Final = 2_000

#: Weight of a new round trip in the moving average.
_LEAN: Final = 0.2


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    Parameters
    ----------
    rows : list of dict
        With the API's field names.
    total : int
        Number of rows on all pages.
    request_id : str
    """

    rows: list[dict[str, Any]]
    total: int
    request_id: str


class _ListChangedError(ProtocolError):
    """A listing changed while it was read."""


class Client:
    """A client of the API. Safe to share between threads; ``with`` and `close` are optional.

    Parameters
    ----------
    target : Target
        Endpoint, credentials, time-outs and limits; from `connect`.
    sleep : callable
        Called with the seconds to wait before a read.
    now : callable
        Returns seconds of the clock that `sleep` follows; it also measures how long calls take.
    luck : callable
        Returns a number from 0 to 1, which shortens a wait between tries by up to half.

    Attributes
    ----------
    limiter : Limiter
        The rate limits, shared by all callers of this client.
    """

    def __init__(
        self,
        target: Target,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self.target = target
        self.limiter = Limiter(target.limits)
        self._sleep, self._luck = sleep, luck
        self._pacer = Pacer(self.limiter, target.read_share, now, sleep)
        self._signer = Signer(target.credentials, clock=target.clock)
        self._recorder = None
        if target.record is not None:
            self._recorder = Recorder(
                target.record, limits=target.limits, speed=target.speed, now=now, clock=target.clock
            )
        self._transport = Transport(
            self._signer,
            connect_timeout=target.connect_timeout,
            read_timeout=target.read_timeout,
            seconds=target.longest_call,
            proxy=Secret.of(target.proxy),
            now=now,
            instead=target.transport,
            note=None if self._recorder is None else self._recorder.note,
        )
        self._simulated = False
        self._round_trip: float | None = None
        self._skew: float | None = None
        # In a notebook nobody closes a client, so it closes itself when it is garbage collected.
        weakref.finalize(self, self._transport.close)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.target!r})"

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """URL of all calls; empty if each call goes to the endpoint of its own region."""
        return self.target.endpoint

    @property
    def endpoint_note(self) -> str:
        """One line to show before anything is sent: the endpoint, and where it was set.

        Empty if calls go to their region's own endpoint. Otherwise for example ``calls go to
        https://10.0.0.9 (endpoint set by vcokit.toml)``; the other origins are ``argument`` and
        ``VCOKIT_ENDPOINT``.
        """
        return self.target.endpoint_note

    @property
    def account(self) -> str:
        """Id of the AccessKey that signs, masked: its first and its last four characters."""
        key = self.target.credentials().access_key_id
        return f"{key[:4]}***{key[-4:]}" if len(key) >= _MASKED else "***"

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Rate limit of each operation, per account and region, in real seconds."""
        return self.target.limits

    @property
    def speed(self) -> float:
        """Speed of the cloud's clock relative to this machine's; 1 except for a simulator."""
        return self.target.speed

    @property
    def settings(self) -> Settings:
        """Settings at the time the client was made, for everything that uses this client."""
        return self.target.settings

    @property
    def round_trip(self) -> float | None:
        """Moving average of the seconds from request to answer; None before the first answer."""
        return self._round_trip

    @property
    def skew(self) -> float | None:
        """Seconds by which the cloud's clock was ahead of this machine's at the last answer.

        Whole seconds, because the date of an answer has no fraction; None before the first answer.
        """
        return self._skew

    @property
    def simulated(self) -> bool:
        """Whether a simulator answers, and not the cloud; see `vcokit.cloud.simulated`.

        An endpoint on this machine is asked until it has once confirmed that it is a simulator.
        Other endpoints are never asked.
        """
        if not self._simulated:
            self._simulated = is_simulator(self.target.endpoint, self.target.connect_timeout)
        return self._simulated

    def record_routes(self, routes: pd.DataFrame) -> None:
        """Write an inventory into the folder of the recording, in the same pseudonyms.

        The receiver of the recording can then repeat the work with these routes.

        Parameters
        ----------
        routes : DataFrame
            From `read_routes`.

        Raises
        ------
        InputError
            If the client does not record, or the frame does not contain routes.
        """
        if self._recorder is None:
            raise InputError("nothing is recorded", remedy='Pass connect(record="folder")')
        self._recorder.routes(routes)

    # -- calls ----------------------------------------------------------------------------------

    def call(
        self, operation: Operation, parameters: Mapping[str, object], attempts: int | None = None
    ) -> Answer:
        """Make one call; a read that fails is tried again after a wait.

        Parameters
        ----------
        operation : Operation
        parameters : mapping of str to object
            With the API's names.
        attempts : int, optional
            Number of tries, for a caller that keeps to the rate limits itself. By default the
            target's number, and this client keeps to the limits.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or can never be accepted.
        CloudError
            If no usable answer was received.
        """
        region = str(parameters.get("RegionId") or self.target.region or "")
        tries = 1 if operation.writes else attempts or self.target.read_attempts

        def once() -> Answer:
            return self._once(operation, parameters)

        attempt = 1
        while True:
            try:
                if attempts is not None:
                    return once()
                return self._pacer.paced(region, operation.name, once)
            except CloudError as error:
                if attempt == tries or not may_try_again(error):
                    raise
                pause = self._pause(attempt, error, operation)
                if attempts is None and kind_of(error) is Kind.THROTTLED:
                    self._pacer.shut(region, operation.name, pause)
            self._sleep(pause)
            attempt += 1

    def _once(self, operation: Operation, parameters: Mapping[str, object]) -> Answer:
        reply = self._transport.send(self._request(operation, parameters))
        before = self._round_trip or reply.seconds
        self._round_trip = before + _LEAN * (reply.seconds - before)
        self._skew = skew_of(reply.headers.get("date"), self.target.clock())
        try:
            return read(
                operation,
                reply,
                self.target.retry_cap,
                asked=parameters.get("VpnConnectionId"),
                secrets=self._signer.secrets,
                now=self.target.clock(),
            )
        except AuthError as error:
            if is_key(error.code) and isinstance(self.target.credentials, Keyring):
                self.target.credentials.forget()
            raise

    def _request(self, operation: Operation, parameters: Mapping[str, object]) -> Request:
        given = dict(parameters)
        if "RegionId" in operation.required and given.get("RegionId") is None:
            given["RegionId"] = self.target.region
        query = canonical_query(operation.wire(given))
        region = str(given.get("RegionId") or self.target.region or "")
        url = self.target.url(region, operation.service.host)
        action = {"x-acs-action": operation.name, "x-acs-version": operation.service.version}
        headers = {**_HEADERS, **action}
        return Request(operation.name, f"{url}/?{query}", headers)

    def _pause(self, attempt: int, error: CloudError, operation: Operation) -> float:
        """Return the seconds before the next try: as the cloud asks, else longer each time.

        After a throttled call the wait is at least half a window of its limit, because on average
        half of the window is over.
        """
        base, cap = self.target.retry_base, self.target.retry_cap
        wait = backoff(attempt, base=base, cap=cap, luck=self._luck())
        if kind_of(error) is Kind.THROTTLED:
            wait = max(wait, self.limits[operation.name].seconds / 2)
        return float(min(cap, getattr(error, "retry_after", None) or wait))

    # -- listings -------------------------------------------------------------------------------

    def page(
        self,
        operation: Operation,
        parameters: Mapping[str, object],
        number: int,
        attempts: int | None = None,
    ) -> Page:
        """Read one page of a listing; page numbers start at 1. Otherwise as `call`."""
        paging = {"PageSize": PAGE_SIZE, "PageNumber": number} if operation.paged else {}
        return self._page_of(operation, self.call(operation, {**paging, **parameters}, attempts))

    def _page_of(self, operation: Operation, answer: Answer) -> Page:
        rows = rows_in(operation, answer.data) or []
        if operation.name == "DescribeVcoRouteEntries" and self.target.listing_weight == "unknown":
            rows = [{name: cell for name, cell in row.items() if name != "Weight"} for row in rows]
        total = answer.get("TotalCount")
        total = len(rows) if total is None else total
        if total > MOST_ROWS:
            raise _endless(operation, answer.request_id)
        return Page(rows, total, answer.request_id)

    def pages(self, operation: str, **parameters: object) -> Iterator[pd.DataFrame]:
        """Yield a listing page by page, for lists that take too long to read at once.

        Parameters
        ----------
        operation : str
            A listing operation, for example ``DescribeVcoRouteEntries``.
        **parameters
            Those of the operation's own method, for example ``vpn_connection_id=``;
            ``page_size=`` is 50 unless given.

        Yields
        ------
        DataFrame
            With the operation's schema; at least one, even if the list is empty.

        Raises
        ------
        ProtocolError
            If the list changes while it is read.
        """
        found = KNOWN.get(operation)
        if found is None or not found.columns:
            lists = ", ".join(one.name for one in KNOWN.values() if one.columns)
            raise InputError(
                f"{operation} is not a listing operation", remedy=f"Name one of {lists}"
            )
        given = {_api_name(key): value for key, value in parameters.items()}
        for page in self._pages(found, given):
            yield self._frame(found, given, page.rows, page.request_id)

    def _pages(self, operation: Operation, parameters: Mapping[str, object]) -> Iterator[Page]:
        """Yield the pages of a listing.

        The cloud keeps no snapshot of a list between two pages: a route that is added or removed
        shifts all rows after it. If the total changes, or a row was already on an earlier page,
        then the list changed during the read. One change cannot be detected: a row is removed from
        a page that was already read while another row is added after it.
        """
        if operation.tokened:
            yield from self._tokened_pages(operation, parameters)
            return
        size = parameters.get("PageSize", PAGE_SIZE)
        total, rows, seen = None, 0, set[tuple[Any, ...]]()
        for number in count(1):
            page = self.page(operation, parameters, number)
            # One page is consistent in itself: a row that is on it twice is in the cloud twice.
            keys = {tuple(row.get(name) for name in operation.identity) for row in page.rows}
            twice = len(keys & seen)
            seen |= keys
            rows += len(page.rows)
            is_last = len(page.rows) < size or rows >= page.total  # type: ignore[operator]
            if total not in (None, page.total) or twice or (is_last and rows != page.total):
                told = f"{rows} rows of {page.total}" + f", {twice} of them twice" * bool(twice)
                raise _ListChangedError(
                    f"the list changed while it was read ({told})",
                    operation=operation.name,
                    request_id=page.request_id,
                    remedy="Read it again when nothing else writes",
                )
            total = page.total
            yield page
            if is_last:
                return

    def _tokened_pages(
        self, operation: Operation, parameters: Mapping[str, object]
    ) -> Iterator[Page]:
        """Yield the pages of a listing in which each page has a token for the next."""
        asked = {"MaxResults": operation.longest_page, **parameters}
        for _ in range(_MOST_PAGES):
            answer = self.call(operation, asked)
            yield self._page_of(operation, answer)
            asked["NextToken"] = answer.get("NextToken") or None
            if asked["NextToken"] is None:
                return
        raise _endless(operation, answer.request_id)

    def _frame(
        self,
        operation: Operation,
        parameters: Mapping[str, object],
        rows: list[dict[str, Any]],
        request_id: str,
    ) -> pd.DataFrame:
        mine = self.target.region if "RegionId" in operation.required else None
        region = parameters.get("RegionId") or mine
        return frame_of(operation, rows, None if region is None else str(region), request_id)

    def _call(self, name: str, **parameters: object) -> Answer:
        return self.call(OPERATIONS[name], parameters)

    def _list(self, name: str, **parameters: object) -> pd.DataFrame:
        pages = self.listing(KNOWN[name], parameters)
        rows = [row for page in pages for row in page.rows]
        return self._frame(KNOWN[name], parameters, rows, pages[-1].request_id)

    def listing(self, operation: Operation, parameters: Mapping[str, object]) -> list[Page]:
        """Read a whole listing; start again if the listing changes while it is read."""
        attempt = 1
        while True:
            try:
                return list(self._pages(operation, parameters))
            except _ListChangedError as error:
                if attempt == self.target.read_attempts:
                    raise
                pause = self._pause(attempt, error, operation)
            self._sleep(pause)
            attempt += 1

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
    ) -> Answer:
        """Add one destination route to a connection (CreateVcoRouteEntry; asynchronous).

        Parameters
        ----------
        vpn_connection_id : str
        route_dest : str
            ``a.b.c.d/len``, host bits clear.
        weight : int
            100 active, 0 standby.
        next_hop : str, optional
            By default the connection itself, as in every documented call.
        region_id : str, optional
            By default the client's region.
        description : str, optional
        client_token : str, optional
            Up to 64 ASCII characters; the cloud executes a repeated request with the same token
            only once.
        dry_run : bool, optional
            Only check; a passed check is raised as `vcokit.errors.DryRunPassed`.

        Returns
        -------
        Answer
            The cloud has accepted the route. The route exists once the connection is attached
            again and a listing shows it.
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
    ) -> Answer:
        """Delete one destination route, identified by all its parts (DeleteVcoRouteEntry)."""
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
    ) -> Answer:
        """Change the weight of one route (ModifyVcoRouteEntryWeight).

        The present weight is part of what identifies the route.
        """
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
    ) -> pd.DataFrame:
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
            With the schema `vcokit.schema.LIVE_ROUTES`.
        """
        return self._list(
            "DescribeVcoRouteEntries",
            RegionId=region_id,
            VpnConnectionId=vpn_connection_id,
            RouteEntryType=route_entry_type,
        )

    def describe_vpn_connection(
        self, *, vpn_connection_id: str, region_id: str | None = None
    ) -> Answer:
        """Read one connection (DescribeVpnConnection).

        The field ``State`` shows whether a task is running.
        """
        return self._call(
            "DescribeVpnConnection", RegionId=region_id, VpnConnectionId=vpn_connection_id
        )

    def describe_vpn_connections(
        self,
        *,
        region_id: str | None = None,
        vpn_connection_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """List the connections of a region, all pages, as `vcokit.schema.LIVE_CONNECTIONS`."""
        return self._list(
            "DescribeVpnConnections",
            RegionId=region_id,
            VpnConnectionId=vpn_connection_id,
            Tag=tags,
        )

    def describe_vpn_attachments(
        self, *, region_id: str | None = None, vpn_connection_id: str | None = None
    ) -> pd.DataFrame:
        """List the connections attached to transit routers (DescribeVpnAttachments)."""
        return self._list(
            "DescribeVpnAttachments", RegionId=region_id, VpnConnectionId=vpn_connection_id
        )

    def diagnose_vpn_connections(
        self,
        *,
        vpn_connection_ids: Sequence[str] | None = None,
        tunnel_ids: Sequence[str] | None = None,
        region_id: str | None = None,
    ) -> pd.DataFrame:
        """List what is wrong with tunnels, all pages (DiagnoseVpnConnections).

        Parameters
        ----------
        vpn_connection_ids : sequence of str, optional
            Connections with a single tunnel.
        tunnel_ids : sequence of str, optional
            Tunnels of connections with two tunnels.
        region_id : str, optional

        Returns
        -------
        DataFrame
            With the schema `vcokit.schema.LIVE_TUNNELS`, without a status.
        """
        return self._list(
            "DiagnoseVpnConnections",
            RegionId=region_id,
            VpnConnectionIds=vpn_connection_ids,
            TunnelIds=tunnel_ids,
        )

    def list_transit_router_route_tables(self, *, transit_router_id: str) -> pd.DataFrame:
        """List the route tables of a transit router (ListTransitRouterRouteTables)."""
        return self._list("ListTransitRouterRouteTables", TransitRouterId=transit_router_id)

    def list_transit_router_route_entries(self, *, route_table_id: str) -> pd.DataFrame:
        """List the routes to connections in a route table (ListTransitRouterRouteEntries).

        Routes of every status, with the schema `vcokit.schema.LIVE_ROUTER_ROUTES`.
        """
        return self._list(
            "ListTransitRouterRouteEntries",
            TransitRouterRouteTableId=route_table_id,
            TransitRouterRouteEntryStatus="All",
            TransitRouterRouteEntryNextHopResourceType="VPN",
        )

    def describe_regions(self) -> pd.DataFrame:
        """List the regions and their endpoints (DescribeRegions)."""
        return self._list("DescribeRegions", AcceptLanguage="en-US")


def _route(
    region_id: str | None, connection: str, dest: str, weight: int, next_hop: str | None
) -> dict[str, object]:
    """Return the parameters that identify a route; the connection is the default next hop."""
    return {
        "RegionId": region_id,
        "VpnConnectionId": connection,
        "RouteDest": dest,
        "Weight": weight,
        "NextHop": next_hop or connection,
    }


def _endless(operation: Operation, request_id: str) -> ProtocolError:
    return ProtocolError(
        f"a list of more than {MOST_ROWS:,} rows, more than is ever read",
        operation=operation.name,
        request_id=request_id,
        remedy="If the list is really that long, request a part of it",
    )


def _api_name(name: str) -> str:
    """Return the API's name of a parameter from its Python name."""
    return "".join(word.capitalize() for word in name.split("_"))
