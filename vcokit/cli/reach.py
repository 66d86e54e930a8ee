"""Which cloud is meant: the real one of a profile, or a simulated one."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcokit import config
from vcokit.cli.reading import say_note
from vcokit.cloud.simulated import may_be_simulator
from vcokit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from vcokit.cloud.client import Client


@dataclass(frozen=True)
class Reach:
    """Which cloud a command talks to."""

    profile: Annotated[
        str | None, typer.Option(help="Profile of the vendor's CLI whose AccessKey is used.")
    ] = None
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Against a simulator made for these routes.")
    ] = False
    scenario: Annotated[
        Path | None, typer.Option(help="TOML file that says what the simulator holds.")
    ] = None
    speed: Annotated[
        float | None, typer.Option(help="How many times faster the simulator's clock runs.")
    ] = None

    @property
    def simulated(self) -> bool:
        """Whether the cloud is a simulated one."""
        return self.simulate or self.scenario is not None

    @property
    def may_be_simulated(self) -> bool:
        """Whether it may be: of an endpoint on this machine, only what answers there knows."""
        return self.simulated or may_be_simulator(config.get("endpoint"))

    @property
    def again(self) -> str:
        """The options by which another command reaches the same cloud.

        Examples
        --------
        >>> Reach(scenario=Path("my cloud.toml")).again, Reach().again
        (" --scenario 'my cloud.toml'", '')
        """
        if self.scenario is not None:
            return f" --scenario {shlex.quote(str(self.scenario))}"
        if self.simulate:
            return " --simulate"
        return f" --profile {shlex.quote(self.profile)}" if self.profile else ""

    def check(self) -> None:
        """Refuse options that contradict one another.

        Raises
        ------
        InputError
        """
        if self.simulated:
            self._refuse(
                profile="--profile is the real cloud's: leave it out, or leave out --simulate"
            )
        else:
            self._refuse(speed="--speed is the simulator's: add --simulate, or leave it out")

    @contextmanager
    def connected(
        self,
        routes: pd.DataFrame,
        live: pd.DataFrame | None = None,
        *,
        say: Callable[[str], None] = say_note,
    ) -> Iterator[Client]:
        """Yield a client of the cloud that is meant; say where calls go, if somebody set that.

        Parameters
        ----------
        routes : DataFrame
            Rows whose connections a simulator has.
        live : DataFrame, optional
            Routes that a simulator holds at the start.
        say : callable
            Called with the line that says it.

        Raises
        ------
        InputError
            If options contradict one another, or the scenario cannot be used.
        CredentialsError
            If there is no AccessKey.
        """
        from vcokit.cloud.connect import connect

        self.check()
        if not self.simulated:
            with connect(profile=self.profile) as client:
                if client.endpoint_note:
                    kind = ", which is a simulator" if client.simulated else ""
                    say(f"{client.endpoint_note}{kind}")
                yield client
            return
        with self._cloud(routes, live) as cloud, connect(cloud) as client:
            yield client

    def _refuse(self, **remedies: str) -> None:
        for name, remedy in remedies.items():
            if getattr(self, name) is not None:
                fault, _, remedy = remedy.partition(": ")
                raise InputError(fault, remedy=remedy.capitalize())

    def _cloud(self, routes: pd.DataFrame, live: pd.DataFrame | None) -> Any:
        from vcokit.simulator import Simulator
        from vcokit.simulator.scenario import connections_for, quota_for, read_scenario

        try:
            options = {} if self.scenario is None else read_scenario(self.scenario)
            if self.speed is not None or "speed" not in options:
                options["speed"] = config.get("speed", self.speed)
            if live is not None:
                options["routes"] = _held(live)
            if "connections" not in options:
                owner = [account.account_id for account in options.get("accounts", ())[:1]]
                options["connections"] = connections_for(routes, options.get("seed", 0), *owner)
                options.setdefault("quota", quota_for(routes) + _most(live))
            return Simulator(**options)
        except ValueError as error:
            raise InputError(str(error)) from None


def _held(live: pd.DataFrame) -> list[Any]:
    from vcokit.simulator import Route

    columns = ["vpn_connection_id", "route_dest", "weight", "next_hop"]
    return [Route(*row) for row in live[columns].itertuples(index=False)]


def _most(live: pd.DataFrame | None) -> int:
    """Return how many live routes a connection has at most."""
    if live is None or not len(live):
        return 0
    return int(live["vpn_connection_id"].value_counts().max())
