"""A simulated cloud from a file, or for an inventory.

A scenario is a TOML file (or JSON, which `Simulator.save` writes) whose keys are the arguments of
`Simulator` and the fields of their dataclasses; ``docs/scenario.md`` lists them::

    speed = 60            # simulated seconds per second
    task_seconds = [2, 5] # or 3

    [[accounts]]          # who may call; default: one account with the public test keys
    access_key_id = "testAccessKeyId"
    access_key_secret = "testAccessKeySecret"

    [[connections]]
    vpn_connection_id = "vco-p0w2jpkhi2eeop6q6test"
    region_id = "ap-southeast-2"

    [[routes]]            # routes at the start
    vpn_connection_id = "vco-p0w2jpkhi2eeop6q6test"
    route_dest = "10.0.0.0/8"
    weight = 0

    [limits]              # calls, seconds
    CreateVcoRouteEntry = [60, 60]

    [switches]
    listed_after_task = false

    [[faults]]
    kind = "busy"
    probability = 0.01
    burst = 20

A misspelt key is an error. Errors name file and key but show no value, because it may be a secret
in the wrong place.
"""

from __future__ import annotations

import collections.abc
import json
import math
import string
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from vcokit.simulator.faults import Fault
from vcokit.simulator.models import (
    ACCOUNT_ID,
    CONNECTION_ID,
    OPERATION_FACTS,
    QUOTA,
    REGION,
    TASK_SECONDS,
    Account,
    Connection,
    Duration,
    Limit,
    Route,
    Switches,
    check_network,
    read_duration,
)

if TYPE_CHECKING:
    import pandas as pd

    from vcokit.simulator.backend import Cloud

_NAMES: Final = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class ScenarioError(ValueError):
    """A scenario cannot be used; the message names file, key and remedy."""


class ScenarioKeyError(Exception):
    """The value of a key is invalid."""

    def __init__(self, key: str, what: object) -> None:
        super().__init__(f"{key}: {what}" if key else str(what))


@dataclass(frozen=True)
class Scenario:
    """The possible content of a file: arguments of `Simulator`.

    Parameters
    ----------
    speed : float
        Simulated seconds per second.
    seed : int
        Seed of all random numbers.
    quota : int
        Most routes of a connection.
    router_quota : int, optional
        Most routes of all connections of one transit router together.
    task_seconds : float or (float, float)
        Duration of a task: fixed, or between two values.
    accounts, connections, routes, switches, faults
        As in their own tables.
    limits : mapping of str to (int, float)
        Calls and seconds of operations whose rate limit differs from the vendor's.
    """

    speed: float = 1.0
    seed: int = 0
    quota: int = QUOTA
    router_quota: int | None = None
    task_seconds: Duration = TASK_SECONDS
    accounts: Sequence[Account] = ()
    connections: Sequence[Connection] = ()
    routes: Sequence[Route] = ()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)
    faults: Sequence[Fault] = ()


def read_scenario(path: str | Path) -> dict[str, Any]:
    """Return the arguments of the simulator that a scenario describes.

    Parameters
    ----------
    path : str or Path
        A TOML or JSON file.

    Returns
    -------
    dict
        Keyword arguments of `Simulator`; only those that are in the file.

    Raises
    ------
    ScenarioError
        If the file cannot be used.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ScenarioError(f"{path}: cannot be read: {reason}. Name a TOML file") from None
    return parse_scenario(text, name=str(path))


def parse_scenario(text: str, name: str = "scenario") -> dict[str, Any]:
    """Return the arguments of the simulator that a text describes; errors contain `name`.

    Examples
    --------
    >>> parse_scenario("sped = 60", "a.toml")
    Traceback (most recent call last):
        ...
    vcokit.simulator.scenario.ScenarioError: a.toml: sped: no such key. Write speed
    """
    kind, load = ("JSON", json.loads) if text.startswith("{") else ("TOML", tomllib.loads)
    try:
        document = load(text)
    except (ValueError, RecursionError) as error:  # also for excessive numbers and nesting
        raise ScenarioError(f"{name}: is not {kind}: {error}. Correct that line") from None
    try:
        arguments = _read_fields(Scenario, document, "")
        _check_ranges(arguments)
        _check_names(arguments)
    except ScenarioKeyError as error:
        raise ScenarioError(f"{name}: {error}") from None
    return arguments


# -- values of the dataclasses --------------------------------------------------------------------


def fields_of(kind: type) -> list[Field[Any]]:
    """Return the fields of a dataclass that a scenario may contain."""
    return [one for one in fields(kind) if one.init]


def _read_fields(kind: type, table: Any, key: str) -> dict[str, Any]:
    """Return the fields of a dataclass in a table, after checking their types."""
    if not isinstance(table, dict):
        raise ScenarioKeyError(key, "write a table")
    known = {one.name: one for one in fields_of(kind)}
    hints = get_type_hints(kind)
    prefix = f"{key}." if key else ""
    for name in table.keys() - known.keys():
        raise ScenarioKeyError(f"{prefix}{name}", f"no such key. Write {_nearest(name, known)}")
    for name, one in known.items():
        if one.default is MISSING and one.default_factory is MISSING and name not in table:
            raise ScenarioKeyError(f"{prefix}{name}", "is missing. It has no default")
    return {name: _read(hints[name], value, f"{prefix}{name}") for name, value in table.items()}


def _read(hint: Any, value: Any, key: str) -> Any:
    """Return a value converted to its type hint."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        given = _read_fields(hint, value, key)
        if hint is Connection and "task_seconds" in given:
            _make(f"{key}.task_seconds", read_duration, given["task_seconds"])
        return _make(key, hint, **given)
    if origin in (Union, UnionType):
        return _read_one_of([one for one in arguments if one is not NoneType], value, key)
    if origin is collections.abc.Mapping:
        if not isinstance(value, dict):
            raise ScenarioKeyError(key, f"write {_name(hint)}")
        return {name: _read(arguments[1], one, f"{key}.{name}") for name, one in value.items()}
    if origin in (collections.abc.Sequence, tuple):
        fixed = origin is tuple
        if not isinstance(value, list) or (fixed and len(value) != len(arguments)):
            raise ScenarioKeyError(key, f"write {_name(hint)}")
        kinds = arguments if fixed else arguments * len(value)
        pairs = enumerate(zip(kinds, value, strict=True))
        return tuple(_read(one, inner, f"{key}[{number}]") for number, (one, inner) in pairs)
    if hint is not Any and type(value) not in ((int, float) if hint is float else (hint,)):
        raise ScenarioKeyError(key, f"write {_name(hint)}")
    return value


def _read_one_of(hints: Sequence[Any], value: Any, key: str) -> Any:
    for hint in hints:
        try:
            return _read(hint, value, key)
        except ScenarioKeyError:
            if len(hints) == 1:
                raise
    raise ScenarioKeyError(key, f"write {' or '.join(map(_name, hints))}")


def _name(hint: Any) -> str:
    """Return the name of a type in an error."""
    if get_origin(hint) is tuple:
        return f"a list of {' and '.join(map(_name, get_args(hint)))}"
    if get_origin(hint) is collections.abc.Sequence:
        return "a list"
    return _NAMES.get(hint, "a table")


def _make(key: str, kind: Any, /, *values: Any, **arguments: Any) -> Any:
    try:
        return kind(*values, **arguments)
    except ValueError as error:
        raise ScenarioKeyError(key, error) from None


# -- checks across several tables -----------------------------------------------------------------


def _check_ranges(scenario: Mapping[str, Any]) -> None:
    for name in ("speed", "quota", "router_quota"):
        if name in scenario and not 0 < scenario[name] < math.inf:
            raise ScenarioKeyError(name, "is out of range. Write a number above 0")
    if "task_seconds" in scenario:
        _make("task_seconds", read_duration, scenario["task_seconds"])
    for name, (calls, seconds) in scenario.get("limits", {}).items():
        if name not in OPERATION_FACTS:
            near = _nearest(name, OPERATION_FACTS)
            raise ScenarioKeyError(f"limits.{name}", f"no such operation. Write {near}")
        if calls < 1 or not 0 < seconds < math.inf:
            raise ScenarioKeyError(f"limits.{name}", "write calls from 1, seconds above 0")


def _check_names(scenario: dict[str, Any]) -> None:
    """Check that all names exist and are unique; set the first account as the default owner."""
    accounts = scenario.get("accounts", (Account(),))
    if not accounts:
        raise ScenarioKeyError("accounts", "name at least one, or leave it out")
    connections = scenario.get("connections", ())
    for connection in connections:
        if connection.account_id == ACCOUNT_ID:
            connection.account_id = accounts[0].account_id
    names = {
        "accounts": ("access_key_id", [one.access_key_id for one in accounts]),
        "connections": ("vpn_connection_id", [one.vpn_connection_id for one in connections]),
        "routes": (
            "route_dest",
            [(one.vpn_connection_id, one.key) for one in scenario.get("routes", ())],
        ),
    }
    for table, (name, values) in names.items():
        for number, value in enumerate(values):
            first = values.index(value)
            if first != number:
                what = f"is that of {table}[{first}] again. Take one of the two out"
                raise ScenarioKeyError(f"{table}[{number}].{name}", what)
    owners = [one.account_id for one in accounts]
    _check_among("connections", "account_id", connections, owners, "accounts")
    ids = names["connections"][1]
    _check_among("routes", "vpn_connection_id", scenario.get("routes", ()), ids, "connections")
    if ids:  # with an inventory, a scenario has no connections to check
        faults = scenario.get("faults", ())
        _check_among("faults", "vpn_connection_id", faults, [*ids, None], "connections")
    for number, route in enumerate(scenario.get("routes", ())):
        key = f"routes[{number}].route_dest"
        if route.route_dest.endswith("/0"):
            raise ScenarioKeyError(key, "the default route is not allowed as a destination")
        _make(key, check_network, route.route_dest, "route")


def _check_among(
    table: str, name: str, rows: Iterable[Any], known: Sequence[Any], where: str
) -> None:
    for number, row in enumerate(rows):
        if getattr(row, name) not in known:
            raise ScenarioKeyError(
                f"{table}[{number}].{name}", f"is not among the {where}. Add it to [[{where}]]"
            )


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1)
    return near[0] if near else f"one of {', '.join(known)}"


# -- a cloud as a file ----------------------------------------------------------------------------


def write_scenario(cloud: Cloud, now: float) -> str:
    """Return connections, routes and quotas of a cloud as a scenario in JSON.

    Running tasks count as ended.
    """
    connections = cloud.advance(now)
    routes = [route for connection in connections for route in connection.routes_in_the_end()]
    document = {
        "quota": cloud.quota,
        **({} if cloud.router_quota is None else {"router_quota": cloud.router_quota}),
        "connections": list(map(_plain, connections)),
        "routes": list(map(_plain, routes)),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _plain(value: Any) -> Any:
    """Return a dataclass object as a table of the fields that have a value."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if not is_dataclass(value):
        return value
    named = {one.name: getattr(value, one.name) for one in fields_of(type(value))}
    return {name: _plain(one) for name, one in named.items() if one is not None}


# -- a cloud for an inventory ---------------------------------------------------------------------

_IDENTITY: Final = ("vpn_connection_id", "route_dest", "next_hop", "weight")
_PLACES: Final = ("branch", "depot", "factory", "office", "plant", "shop", "warehouse")


def connections_for(
    routes: pd.DataFrame, seed: int, account_id: str = ACCOUNT_ID
) -> list[Connection]:
    """Return the connections of an inventory, in order of appearance.

    Each well-formed connection id becomes one connection attached to a transit router, in the
    region of its first row with a region; everything else about it is invented. There is one
    transit router per region, so that routes to one destination on several connections compete.
    Malformed ids are ignored, so that the cloud does not find them.

    Parameters
    ----------
    routes : DataFrame
        With columns region_id and vpn_connection_id.
    seed : int
        Seed of the invented values.
    account_id : str
        Owner of all of them.

    Raises
    ------
    ValueError
        If it is not a frame, or a column is missing.
    """
    _require(routes, ("region_id", "vpn_connection_id"))
    regions = _regions(routes)
    chance = Random(f"{seed}/connections")  # noqa: S311 - names, no secrets
    routers = {
        region: (_invent(chance, "tr-", 20), _invent(chance, "cen-", 18))
        for region in dict.fromkeys(regions.values())
    }
    found = []
    for number, (vpn_connection_id, region) in enumerate(regions.items(), start=1):
        # Zones in China are named like cn-hangzhou-h, elsewhere like ap-southeast-5a.
        dash = "-" if region.startswith("cn-") else ""
        found.append(
            Connection(
                vpn_connection_id,
                region,
                account_id=account_id,
                zone=f"{region}{dash}{chance.choice('abc')}",
                name=f"{chance.choice(_PLACES)}-{number:03d}",
                transit_router_id=routers[region][0],
                transit_router_name=f"transit-{region}",
                cen_id=routers[region][1],
                customer_gateway_id=_invent(chance, "cgw-", 20),
                # From the addresses reserved for examples (RFC 5737).
                internet_ip=f"203.0.113.{chance.randrange(1, 255)}",
            )
        )
    return found


def quota_for(routes: pd.DataFrame) -> int:
    """Return a quota that is enough for an inventory: the vendor's, or its largest connection.

    Repeated rows count once.
    """
    _require(routes, _IDENTITY)
    rows = routes.loc[:, list(_IDENTITY)].astype("str").drop_duplicates()
    ids = rows["vpn_connection_id"]
    sizes = ids[ids.str.fullmatch(CONNECTION_ID.pattern, na=False)].value_counts()
    return max(QUOTA, int(sizes.max()) if len(sizes) else 0)


def _require(routes: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if not hasattr(routes, "columns"):
        raise ValueError(
            f"routes must be a DataFrame, not {type(routes).__name__}. Read a file with "
            "vk.read_routes(path)"
        )
    missing = [name for name in columns if name not in routes.columns]
    if missing:
        raise ValueError(
            f"routes lacks the column {', '.join(missing)}. Read a file with vk.read_routes(path)"
        )


def _regions(routes: pd.DataFrame) -> dict[str, str]:
    """Return the region of each well-formed connection id; the default if no row has one."""
    pairs = routes.loc[:, ["vpn_connection_id", "region_id"]]
    pairs = pairs[pairs["vpn_connection_id"].notna()].drop_duplicates()
    regions: dict[str, str] = {}
    for vpn_connection_id, region in pairs.itertuples(index=False, name=None):
        if CONNECTION_ID.fullmatch(str(vpn_connection_id)):
            named = region if isinstance(region, str) else ""
            regions[vpn_connection_id] = regions.get(vpn_connection_id) or named
    return {name: region or REGION for name, region in regions.items()}


def _invent(chance: Random, beginning: str, length: int) -> str:
    letters = string.ascii_lowercase + string.digits
    return beginning + "".join(chance.choices(letters, k=length))
