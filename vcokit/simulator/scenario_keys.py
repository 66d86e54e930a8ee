"""The keys of scenarios: which there are, what each holds, and how a wrong one is told.

Keys are written as in ``connections[0].tags``; a value is never shown, for it may be a secret that
stands at the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from vcokit.simulator.facts import OPERATIONS
from vcokit.simulator.switches import Switches

Table: TypeAlias = Mapping[str, Any]

TEXT, WHOLE, NUMBER, TRUTH, LIST, TABLE = (
    "a text",
    "a whole number",
    "a number",
    "true or false",
    "a list",
    "a table",
)
ANY: Final = ""

#: For each kind of table: its keys, the argument each becomes, and what it holds.
KEYS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "": {
        "speed": ("speed", NUMBER),
        "seed": ("seed", WHOLE),
        "quota": ("quota", WHOLE),
        "router_quota": ("router_quota", WHOLE),
        "task_seconds": ("task_seconds", ANY),
        "accounts": ("accounts", LIST),
        "connections": ("connections", LIST),
        "routes": ("routes", LIST),
        "limits": ("limits", TABLE),
        "durations": ("durations", TABLE),
        "switches": ("switches", TABLE),
        "faults": ("faults", LIST),
    },
    "accounts": {
        "account_id": ("account_id", TEXT),
        "access_key_id": ("access_key_id", TEXT),
        "access_key_secret": ("access_key_secret", TEXT),
        "security_token": ("security_token", TEXT),
        "token_expires": ("token_expires", NUMBER),
        "active": ("active", TRUTH),
        "policy": ("policy", TABLE),
        "denial_code": ("denial_code", TEXT),
    },
    "connections": {
        "id": ("vpn_connection_id", TEXT),
        "region": ("region_id", TEXT),
        "account": ("account_id", TEXT),
        **{
            name: (name, TEXT)
            for name in (
                *("name", "attach_type", "zone", "state", "status", "internet_ip"),
                *("transit_router_id", "transit_router_name", "cen_id", "vpn_gateway_id"),
                *("customer_gateway_id", "resource_group_id"),
            )
        },
        "created_ms": ("created_ms", WHOLE),
        "task_seconds": ("task_seconds", ANY),
        "tunnels": ("tunnels", WHOLE),
        "tags": ("tags", TABLE),
        "ssl_client_pools": ("ssl_client_pools", LIST),
        "learned_routes": ("learned_routes", LIST),
    },
    "learned_routes": {
        name: (name, TEXT) for name in ("route_dest", "source", "as_path", "community")
    },
    "routes": {
        "connection": ("vpn_connection_id", TEXT),
        "route_dest": ("route_dest", TEXT),
        "weight": ("weight", WHOLE),
        "next_hop": ("next_hop", TEXT),
        "description": ("description", TEXT),
        "created_ms": ("created_ms", WHOLE),
    },
    "limits": {name: (name, TABLE) for name in OPERATIONS},
    "limit": {"calls": ("calls", WHOLE), "seconds": ("seconds", NUMBER)},
    "durations": {name: (name, ANY) for name, of in OPERATIONS.items() if of.writes},
    "switches": {
        field.name: (field.name, kind)
        for field in fields(Switches)
        for kind in [{"bool": TRUTH, "float": NUMBER, "str": TEXT}.get(str(field.type), TABLE)]
    },
    "faults": {
        "kind": ("kind", TEXT),
        "operation": ("operation", TEXT),
        "connection": ("vpn_connection_id", TEXT),
        "count": ("count", WHOLE),
        "probability": ("probability", NUMBER),
        "after": ("after", WHOLE),
        "burst": ("burst", WHOLE),
        "seconds": ("seconds", NUMBER),
        "applied": ("applied", TRUTH),
        "code": ("code", TEXT),
    },
}
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "accounts": ("access_key_id", "access_key_secret"),
    "connections": ("id", "region"),
    "learned_routes": ("route_dest",),
    "routes": ("connection", "route_dest"),
    "limit": ("calls", "seconds"),
    "faults": ("kind",),
}


class WrongError(Exception):
    """Something is wrong at a key."""

    def __init__(self, key: str, what: object) -> None:
        super().__init__(f"{key}: {what}")


def tables_of(document: Table, name: str, prefix: str = "") -> Iterable[tuple[Table, str]]:
    """Yield the tables of a list with the key of each."""
    for number, table in enumerate(document.get(name, ())):
        key = f"{prefix}{name}[{number}]"
        check_type(table, TABLE, key)
        yield table, key


def read_table(table: Table, kind: str, key: str) -> dict[str, Any]:
    """Return a table's values under the names of arguments, each seen to be of its type."""
    known, prefix = KEYS[kind], f"{key}." if key else ""
    for name, value in table.items():
        if name not in known:
            near = get_close_matches(name, known, 1)
            remedy = near[0] if near else f"one of {', '.join(known)}"
            raise WrongError(f"{prefix}{name}", f"no such key. Write {remedy}")
        check_type(value, known[name][1], f"{prefix}{name}")
    for name in NEEDED.get(kind, ()):
        if name not in table:
            raise WrongError(f"{prefix}{name}", "is missing. Write it down, it has no default")
    return {known[name][0]: value for name, value in table.items()}


def check_type(value: object, wanted: str, key: str) -> None:
    """See that a value is of a type."""
    # The value itself is not shown: it may be a secret at the wrong place.
    if wanted != ANY and wanted not in _types_of(value):
        raise WrongError(key, f"is {_types_of(value)[0]}. Write {wanted}")


def _types_of(value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (TRUTH,)
    for kinds, names in (
        (str, (TEXT,)),
        (int, (WHOLE, NUMBER)),
        (float, (NUMBER,)),
        (list, (LIST,)),
        (dict, (TABLE,)),
    ):
        if isinstance(value, kinds):
            return names
    return ("a date",)


def make(key: str, kind: Callable[..., Any], /, *values: Any, **arguments: Any) -> Any:
    """Return what `kind` makes of values; its ValueError is told with the key."""
    try:
        return kind(*values, **arguments)
    except (ValueError, TypeError) as error:
        raise WrongError(key, error) from None


def check_among(value: str, known: list[str], key: str, where: str) -> None:
    """See that a name is one of those that are written elsewhere in the scenario."""
    if value not in known:
        near = get_close_matches(value, known, 1)
        remedy = f"Write {near[0]}" if near else f"Add it to [[{where}]]"
        raise WrongError(key, f"{value!r} is not among the {where}. {remedy}")


def check_all_different(values: Iterable[object], table: str, key: str) -> None:
    """See that no two rows of a list are the same in a key."""
    seen: dict[object, int] = {}
    for number, value in enumerate(values):
        first = seen.setdefault(value, number)
        if first != number:
            what = f"is that of {table}[{first}] again. Take one of the two out"
            raise WrongError(f"{table}[{number}].{key}", what)
