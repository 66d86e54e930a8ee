"""Scenarios: a simulated cloud written down in TOML.

::

    speed = 60            # simulated seconds in a second
    seed = 7
    quota = 50            # routes of a connection
    router_quota = 200    # routes of a transit router's connections together
    task_seconds = [2, 5] # or 3, or {median = 3, sigma = 0.5, longest = 60}

    [[accounts]]          # who may call; without any there is one with keys that are shown
    access_key_id = "testAccessKeyId"
    access_key_secret = "testAccessKeySecret"

    [[connections]]
    id = "vco-p0w2jpkhi2eeop6q6test"
    region = "ap-southeast-2"
    task_seconds = 2

    [[connections.learned_routes]]
    route_dest = "172.16.0.0/12"

    [[routes]]            # what is there at the start
    connection = "vco-p0w2jpkhi2eeop6q6test"
    route_dest = "10.0.0.0/8"
    weight = 0

    [limits]
    CreateVcoRouteEntry = {calls = 60, seconds = 60}

    [durations]
    DeleteVcoRouteEntry = 1

    [switches]            # `Switches` names them
    listed_after_task = false

    [[faults]]            # `faults` names the kinds
    kind = "busy"
    connection = "vco-p0w2jpkhi2eeop6q6test"
    probability = 0.01
    burst = 20

Every key is known by name and type, so that a misspelt one is an error and not a default. Of
several errors the first is told.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from vcokit.simulator.accounts import Account
from vcokit.simulator.durations import read_duration
from vcokit.simulator.faults import Fault
from vcokit.simulator.model import Connection, LearnedRoute, Route
from vcokit.simulator.prefixes import parse_destination
from vcokit.simulator.scenario_keys import (
    TEXT,
    WHOLE,
    Table,
    WrongError,
    check_all_different,
    check_among,
    check_type,
    make,
    read_table,
    tables_of,
)
from vcokit.simulator.switches import Switches

#: Arguments that are written as they are.
_PLAIN: Final = ("speed", "seed", "quota", "router_quota")


class ScenarioError(ValueError):
    """A scenario cannot be used; the message names file, key and remedy."""


def read_scenario(path: str | Path) -> dict[str, Any]:
    """Return the arguments of the simulator that a scenario describes.

    Parameters
    ----------
    path : str or Path
        A TOML file.

    Returns
    -------
    dict
        Keyword arguments of `Simulator`; those that the file does not name are absent.

    Raises
    ------
    ScenarioError
        If the file cannot be used.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise ScenarioError(f"{path}: cannot be read: {reason}. Name a TOML file") from None
    return parse_scenario(text, name=str(path))


def parse_scenario(text: str, name: str = "scenario") -> dict[str, Any]:
    """Return the arguments of the simulator that a text describes; `name` stands in errors.

    Examples
    --------
    >>> parse_scenario("sped = 60", "a.toml")
    Traceback (most recent call last):
        ...
    vcokit.simulator.scenario.ScenarioError: a.toml: sped: no such key. Write speed
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers and nests without end, too
        raise ScenarioError(f"{name}: is no TOML: {error}. Put that line right") from None
    try:
        return _simulator(document)
    except WrongError as wrong:
        raise ScenarioError(f"{name}: {wrong}") from None


def _simulator(document: Table) -> dict[str, Any]:
    written = read_table(document, "", "")
    made: dict[str, Any] = {name: written[name] for name in _PLAIN if name in written}
    for name in ("speed", "quota", "router_quota"):
        if name in made and not 0 < made[name] < math.inf:
            raise WrongError(name, "is out of range. Write a number above 0")
    accounts = _several(document, "accounts", Account)
    check_all_different((a.access_key_id for a in accounts), "accounts", "access_key_id")
    owner = accounts[0].account_id if accounts else Account().account_id
    connections = [
        _connection(table, key, owner) for table, key in tables_of(document, "connections")
    ]
    check_all_different((c.vpn_connection_id for c in connections), "connections", "id")
    _check_owners(connections, accounts)
    made |= {"connections": connections} if connections else {}
    made |= {"accounts": accounts} if accounts else {}
    made |= {"routes": _routes(document, connections)} if "routes" in document else {}
    made |= {"faults": _faults(document, connections)} if "faults" in document else {}
    readers = {"limits": _limits, "durations": _durations, "switches": _switches}
    made |= {name: read(document[name]) for name, read in readers.items() if name in document}
    if "task_seconds" in document:
        made["task_seconds"] = make("task_seconds", read_duration, document["task_seconds"])
    return made


def _connection(table: Table, key: str, owner: str) -> Connection:
    """Return a connection; the first account owns those that name none."""
    arguments = {"account_id": owner, **read_table(table, "connections", key)}
    for number, text in enumerate(arguments.get("ssl_client_pools", ())):
        check_type(text, TEXT, f"{key}.ssl_client_pools[{number}]")
    for tag, value in arguments.get("tags", {}).items():
        check_type(value, TEXT, f"{key}.tags.{tag}")
    if "learned_routes" in arguments:
        learned = [
            make(inner, LearnedRoute, **read_table(one, "learned_routes", inner))
            for one, inner in tables_of(table, "learned_routes", f"{key}.")
        ]
        arguments["learned_routes"] = tuple(learned)
    if "task_seconds" in arguments:
        written = arguments["task_seconds"]
        arguments["task_seconds"] = make(f"{key}.task_seconds", read_duration, written)
    made: Connection = make(key, Connection, **arguments)
    return made


def _routes(document: Table, connections: list[Connection]) -> list[Route]:
    known = [connection.vpn_connection_id for connection in connections]
    routes = []
    for table, key in tables_of(document, "routes"):
        arguments = read_table(table, "routes", key)
        check_among(arguments["vpn_connection_id"], known, f"{key}.connection", "connections")
        found = parse_destination(arguments["route_dest"])
        if found is None or found.has_host_bits or found.length == 0:
            raise WrongError(f"{key}.route_dest", "no network. Write a.b.c.d/len")
        routes.append(make(key, Route, **arguments))
    check_all_different(((r.vpn_connection_id, r.key) for r in routes), "routes", "connection")
    return routes


def _faults(document: Table, connections: list[Connection]) -> list[Fault]:
    known = [connection.vpn_connection_id for connection in connections]
    faults = _several(document, "faults", Fault)
    for number, fault in enumerate(faults):
        # Beside an inventory a scenario names no connections: there nothing can be checked.
        if fault.vpn_connection_id is not None and known:
            key = f"faults[{number}].connection"
            check_among(fault.vpn_connection_id, known, key, "connections")
    return faults


def _limits(table: Table) -> dict[str, tuple[int, float]]:
    limits = {}
    for name, limit in read_table(table, "limits", "limits").items():
        key = f"limits.{name}"
        arguments = read_table(limit, "limit", key)
        if arguments["calls"] < 1 or not 0 < arguments["seconds"] < math.inf:
            raise WrongError(key, "lets nothing pass. Write calls from 1, seconds above 0")
        limits[name] = (arguments["calls"], float(arguments["seconds"]))
    return limits


def _durations(table: Table) -> dict[str, Any]:
    named = read_table(table, "durations", "durations")
    return {name: make(f"durations.{name}", read_duration, of) for name, of in named.items()}


def _switches(table: Table) -> Switches:
    named = read_table(table, "switches", "switches")
    for name, kind in (("codes", TEXT), ("statuses", WHOLE)):
        for code, value in named.get(name, {}).items():
            check_type(value, kind, f"switches.{name}.{code}")
    made: Switches = make("switches", Switches, **named)
    return made


def _check_owners(connections: Iterable[Connection], accounts: Iterable[Account]) -> None:
    owners = [account.account_id for account in accounts] or [Account().account_id]
    for number, connection in enumerate(connections):
        check_among(connection.account_id, owners, f"connections[{number}].account", "accounts")


def _several(document: Table, name: str, kind: Callable[..., Any]) -> list[Any]:
    return [
        make(key, kind, **read_table(table, name, key)) for table, key in tables_of(document, name)
    ]
