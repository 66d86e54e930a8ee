"""The simulator: a cloud, a service and a server under one name, and two clocks.

::

                    wall time (signatures, nonces)
                      │
    client ─HTTP─▶ Wire ─▶ Service ─▶ Cloud        one lock around service and cloud
                      │
                    simulated time = seconds since the start × speed

While it is stopped simulated time stands still; what was there is there at the next start.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcokit.simulator import defaults, frames, scenario, seeding, snapshot
from vcokit.simulator.accounts import Account, Credentials
from vcokit.simulator.clock import Clock
from vcokit.simulator.durations import Written
from vcokit.simulator.facts import Limit
from vcokit.simulator.faults import Fault
from vcokit.simulator.model import Connection, Route
from vcokit.simulator.requests import HttpRequest
from vcokit.simulator.service import HttpResponse, Service
from vcokit.simulator.state import Cloud
from vcokit.simulator.switches import Switches
from vcokit.simulator.wire import Wire

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd


class Simulator:
    """A local server that answers as the cloud does.

    Parameters
    ----------
    connections : iterable of Connection
        The IPsec connections of the cloud.
    routes : iterable of Route
        Routes that are there at the start.
    accounts : sequence of Account
        Who may call; the credentials of the first are `credentials`.
    speed : float
        Simulated seconds in a second: divides task times, limit windows and the waits that
        throttled clients are told. Signatures and nonces go by the wall.
    seed : int
        Of all chance: task times, faults, request ids.
    quota : int
        Routes a connection may have.
    router_quota : int, optional
        Routes that the connections of one transit router may have together.
    task_seconds : duration
        Simulated time a task takes: a number, a range, or a distribution (`durations`).
    durations : mapping of str to duration, optional
        The same for single operations; that of a connection wins over both.
    limits : mapping of str to (int, float), optional
        Calls and simulated seconds of operations whose rate limit is not to be the vendor's.
    switches : Switches, optional
        How the cloud behaves where the vendor documents nothing.
    faults : sequence of Fault
        What goes wrong on purpose.
    host, port : str, int
        Where to listen; port 0 takes any that is free, and a restart takes the same again.
    allow_remote : bool
        Whether the host may be other than a loopback address.
    monotonic, wall : callable
        The clocks, in seconds.

    Raises
    ------
    ValueError
        If an argument makes no sense; the message says what would.

    Examples
    --------
    >>> with Simulator([Connection("vco-1")], [Route("vco-1", "10.0.0.0/8")]) as cloud:
    ...     cloud.routes()["route_dest"].tolist()
    ['10.0.0.0/8']
    """

    def __init__(
        self,
        connections: Iterable[Connection] = (),
        routes: Iterable[Route] = (),
        accounts: Sequence[Account] = (Account(),),
        *,
        speed: float = defaults.SPEED,
        seed: int = defaults.SEED,
        quota: int = defaults.QUOTA,
        router_quota: int | None = None,
        task_seconds: Written = defaults.TASK_SECONDS,
        durations: Mapping[str, Written] | None = None,
        limits: Mapping[str, Limit] | None = None,
        switches: Switches | None = None,
        faults: Sequence[Fault] = (),
        host: str = defaults.HOST,
        port: int = defaults.PORT,
        allow_remote: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        _refuse_nonsense(speed, accounts, None if allow_remote else host)
        self.speed = speed
        self.credentials: Credentials = accounts[0].credentials
        self._host, self._port = host, port
        self._wall = wall
        self._clock = Clock(monotonic, speed)
        self._cloud = Cloud(
            connections,
            routes,
            seed=seed,
            quota=quota,
            router_quota=router_quota,
            task_seconds=task_seconds,
            durations=durations,
            limits=limits,
            switches=switches,
            faults=faults,
            epoch=wall(),
        )
        self._service = Service(self._cloud, accounts, speed=speed)
        self._state_lock = threading.Lock()
        self._life_lock = threading.RLock()
        self._wire: Wire | None = None
        self._depth = 0

    @classmethod
    def for_routes(
        cls,
        routes: pd.DataFrame,
        /,
        *,
        speed: float = defaults.INVENTORY_SPEED,
        seed: int = defaults.SEED,
        quota: int | None = None,
        task_seconds: Written = defaults.TASK_SECONDS,
        faults: Sequence[Fault] = (),
        **options: Any,
    ) -> Simulator:
        """Return a simulator of the cloud that an inventory is for, by itself without routes.

        Parameters
        ----------
        routes : DataFrame
            With columns region_id, vpn_connection_id, route_dest, next_hop and weight. Each
            well-formed connection id becomes a connection attached to a transit router, in the
            region of its first row that names one; all else about it is invented.
        quota : int, optional
            By default the vendor's, or the number of different rows of the largest connection,
            whichever is more: an account's quota can be raised.
        speed : float
            By default a minute passes in a second.
        seed, task_seconds, faults, **options
            As for `Simulator`; ``routes=`` are those that are there at the start.

        Raises
        ------
        ValueError
            If a column is not there.
        """
        accounts = options.get("accounts") or (Account(),)
        return cls(
            seeding.connections_for(routes, seed, accounts[0].account_id),
            speed=speed,
            seed=seed,
            quota=seeding.quota_for(routes) if quota is None else quota,
            task_seconds=task_seconds,
            faults=faults,
            **options,
        )

    @classmethod
    def from_scenario(cls, path: str | Path, **options: Any) -> Simulator:
        """Return a simulator of what a TOML file describes (`scenario` tells its language).

        Parameters
        ----------
        path : str or Path
            The file.
        **options
            As for `Simulator`; they win over the file.

        Raises
        ------
        ScenarioError
            If the file cannot be used; the message names file, key and remedy.
        """
        return cls(**{**scenario.read_scenario(path), **options})

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Simulator:
        """Return a simulator with the connections, routes and quota that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.
        **options
            As for `Simulator`; they win over the file.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        try:
            restored = snapshot.restore(json.loads(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(
                f"{path} is no snapshot of a simulator: {error}. Make one with Simulator.save(path)"
            ) from None
        return cls(**{**restored, **options})

    def save(self, path: str | Path) -> None:
        """Write connections, routes and quota to a file; running tasks count as ended."""
        with self._state_lock:
            data = self._cloud.to_dict()
        text = json.dumps(data, ensure_ascii=False, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")

    # -- life -----------------------------------------------------------------------------------

    def start(self) -> Simulator:
        """Start serving, if it does not yet; return itself."""
        with self._life_lock:
            if self._wire is None:
                wire = Wire(self._respond, self._host, self._port)
                with self._state_lock:
                    self._clock.start()
                wire.start()
                self._wire, self._port = wire, wire.port
        return self

    def stop(self) -> None:
        """Stop serving, if it does; open connections are cut."""
        with self._life_lock:
            if self._wire is not None:
                wire, self._wire = self._wire, None
                wire.stop()
                with self._state_lock:
                    self._clock.stop()

    def __enter__(self) -> Simulator:
        with self._life_lock:
            self.start()
            self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._life_lock:
            self._depth -= 1
            if self._depth == 0:
                self.stop()

    def _respond(self, request: HttpRequest) -> HttpResponse:
        with self._state_lock:
            return self._service.respond(request, wall=self._wall(), now=self._clock.now())

    def change(self, vpn_connection_id: str, **fields: Any) -> None:
        """Change a connection as somebody at the vendor's console would: it is there at once.

        Parameters
        ----------
        vpn_connection_id : str
            Which one.
        **fields
            Fields of `Connection`, such as ``state="financialLocked"``.

        Raises
        ------
        ValueError
            If there is no such connection, or it cannot be so.
        """
        with self._state_lock:
            self._cloud.change(vpn_connection_id, self._clock.now(), **fields)

    # -- looking at it --------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """Where it listens, as ``http://127.0.0.1:PORT``.

        Raises
        ------
        RuntimeError
            If it is not started.
        """
        if self._wire is None:
            raise RuntimeError(
                "the simulator is not started, so it has no endpoint. "
                "Write `with simulator as cloud:`, or call start()"
            )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def now(self) -> float:
        """Simulated seconds it has been running."""
        with self._state_lock:
            return self._clock.now()

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Calls and simulated seconds of each operation, not divided by `speed`."""
        return self._cloud.limits

    @property
    def quota(self) -> int:
        """Routes a connection may have."""
        return self._cloud.quota

    def calls(self) -> pd.DataFrame:
        """Return the history: a row for every call, in order (columns: `frames.CALLS`)."""
        with self._state_lock:
            calls = list(self._cloud.history)
        return frames.frame(frames.CALLS, frames.call_rows(calls))

    def routes(self) -> pd.DataFrame:
        """Return the routes of this moment, those on their way too (columns: `frames.ROUTES`)."""
        with self._state_lock:
            sites = self._cloud.sites(self._clock.now())
            after = self._cloud.switches.listed_after_task
            rows = list(frames.route_rows(sites, listed_after_task=after))
        return frames.frame(frames.ROUTES, rows)

    def connections(self) -> pd.DataFrame:
        """Return the connections of this moment (columns: `frames.CONNECTIONS`)."""
        with self._state_lock:
            rows = list(frames.connection_rows(self._cloud.sites(self._clock.now())))
        return frames.frame(frames.CONNECTIONS, rows)

    def __repr__(self) -> str:
        place = "stopped" if self._wire is None else self.endpoint
        return f"<Simulator {place}, speed {self.speed:g}, {self.credentials!r}>"


def _refuse_nonsense(speed: float, accounts: Sequence[Account], host: str | None) -> None:
    if not 0 < speed < float("inf"):
        raise ValueError(f"speed {speed!r}. Write a number above 0")
    if not accounts:
        raise ValueError("no account. Leave accounts out, or name at least one")
    if host is not None and not is_loopback(host):
        raise ValueError(
            f"host {host!r} is no loopback address. Write 127.0.0.1, "
            "or allow_remote=True (--allow-remote) if others shall reach it"
        )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
