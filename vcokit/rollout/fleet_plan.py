"""One inventory of many accounts: how to connect to each account, and the plans of all.

::

    fleet.toml ──read_fleet──▶ clients, by member ─┐
                                                   ├─plan_fleet─▶ FleetPlan ─▶ Fleet(plan, …)
    routes, with a column account ─────────────────┘

The file of members contains no keys. It names the profiles that have them. A key can also assume
a role in the account of the member; so one key is enough for many accounts::

    [defaults]                  # for every member whose table does not say otherwise
    profile = "operator"        # profile of the vendor's CLI; else the key of the environment

    [members.berlin]
    role_arn = "acs:ram::123456789012:role/vcokit"
    external_id = "vpn-2026"    # if the trust policy of the role asks for it
    session_name = "vcokit"     # shown in the log of the account
    region = "eu-central-1"     # default region of calls; without it, the region of the profile

    [members.madrid]
    profile = "madrid"          # a key of this account, without a role

Roles are assumed by `vcokit.cloud.roles`, and profiles are read by `vcokit.cloud.credentials`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit._text import pluralize, printable
from vcokit.audit import Review
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.roles import role_of
from vcokit.errors import ConfigError, FleetError, InputError, PlanError, VcokitError
from vcokit.live import live_routes, side_by_side
from vcokit.rollout import plan_io
from vcokit.rollout.fleet import Connect, connected, of_member
from vcokit.rollout.fleet_directory import fingerprint_of, refuse_names
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.plan_text import COMMENT, count_line

#: Column of the routes that names the member of each row.
ACCOUNT: Final = "account"
#: Number of members whose live routes are read at the same time.
_AT_ONCE: Final = 8
#: Keys that the table of a member may have. All but the first can have a default.
_KEYS: Final = ("role_arn", "external_id", "session_name", "profile", "region")
#: Keys whose defaults are for members with a role.
_OF_ROLE: Final = ("external_id", "session_name")
#: Number of items that an error message names at most.
_NAMED: Final = 3


def read_fleet(path: str | PathLike[str]) -> dict[str, Callable[[], Client]]:
    r"""Return functions that connect to the accounts of a file; connect to none yet.

    Parameters
    ----------
    path : path
        A TOML file: see the docstring of this module.

    Returns
    -------
    dict of str to callable
        A function per member, in the order of the file. Each returns a `Client`. The functions can
        be pickled and contain no key.

    Raises
    ------
    ConfigError
        If the file cannot be read, or has other content.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "fleet.toml"
    ...     _ = file.write_text('[members.berlin]\nprofile="berlin"\nregion="eu-central-1"')
    ...     read_fleet(file)["berlin"].keywords
    {'profile': 'berlin', 'region': 'eu-central-1'}
    """
    place = str(path)
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror or error}",
            origin=place,
            remedy="Name a TOML file with a table [members.NAME] for each account",
        ) from None
    except ValueError as error:
        raise ConfigError(f"not valid TOML: {error}", origin=place, remedy="Correct it") from None
    members, defaults = document.pop("members", None), document.pop("defaults", {})
    if document or not isinstance(members, dict) or not members:
        raise ConfigError(
            f"unknown: {', '.join(document)}" if document else "names no members",
            origin=place,
            remedy="Write a table [members.NAME] for each account, and at most [defaults]",
        )
    _require_texts("defaults", defaults, _KEYS[1:], place)
    try:
        refuse_names(members)
    except InputError as error:
        raise ConfigError(error.message, origin=place, remedy=error.remedy) from None
    return {name: _of_table(name, table, defaults, place) for name, table in members.items()}


def _require_texts(name: str, table: object, keys: Iterable[str], place: str) -> None:
    """Refuse a table that has other keys, or a value that is not a text."""
    given = table if isinstance(table, dict) else {"": None}
    texts = all(isinstance(value, str) and value for value in given.values())
    if not texts or not given.keys() <= set(keys):
        raise ConfigError(
            "has another key, or a value that is not a text",
            name=name,
            origin=place,
            remedy=f"Write only {', '.join(keys)}",
        )


def _of_table(
    name: str, table: dict[str, Any], defaults: dict[str, Any], place: str
) -> Callable[[], Client]:
    """Return a function that connects to the account of a table."""
    _require_texts(f"members.{name}", table, _KEYS, place)
    inherited = {
        key: value for key, value in defaults.items() if "role_arn" in table or key not in _OF_ROLE
    }
    given = {**inherited, **table}
    if not {"role_arn", "profile"} & table.keys():
        raise ConfigError(
            "write a role_arn, or a profile, or both",
            name=f"members.{name}",
            origin=place,
            remedy='profile = "berlin" names a profile of the vendor\'s CLI (aliyun configure)',
        )
    try:
        role_of(*map(given.get, _KEYS[:3]))
    except InputError as error:
        raise ConfigError(
            error.message, name=f"members.{name}", origin=place, remedy=error.remedy
        ) from None
    return partial(connect, **given)


@dataclass(frozen=True, eq=False)
class FleetPlan(Mapping[str, Plan]):
    """The plans of many accounts, by member; made by `plan_fleet`.

    It is a mapping, so it can be passed to ``vk.Fleet(plan, clients, directory=…)``. `save` writes
    it to a file that can be reviewed, and `load` reads it again.

    Parameters
    ----------
    plans : mapping of str to Plan
        The plan of each member, by its name.
    """

    plans: Mapping[str, Plan]

    def __getitem__(self, member: str) -> Plan:
        return self.plans[member]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plans)

    def __len__(self) -> int:
        return len(self.plans)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of steps by action, over all members."""
        actions = schema.ACTIONS.categories
        return {each: sum(plan.counts[each] for plan in self.plans.values()) for each in actions}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the names of the members and the fingerprints of their plans."""
        return fingerprint_of({name: plan.fingerprint for name, plan in self.plans.items()})

    def save(self, path: str | PathLike[str]) -> None:
        """Write the plans to one file of JSON lines: for each member a line with its name, then its
        plan as `Plan.save` writes it.

        An existing file of that name is replaced atomically: if that fails, it stays intact.

        Raises
        ------
        PlanError
            If the file cannot be written.
        """
        contents = {name: plan.to_contents() for name, plan in self.plans.items()}
        plan_io.write_fleet(path, self.fingerprint, contents)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> FleetPlan:
        """Return the plans that `save` wrote, with the members in the same order.

        Raises
        ------
        PlanError
            If the file cannot be read, is not the plan of a fleet, is damaged, or was changed
            without computing its digests anew; with file, line and remedy.
        """
        fingerprint, members = plan_io.read_fleet(path)
        found = {name: Plan.of_contents(one, f"{path}, {name}") for name, one in members.items()}
        plan = cls(found)
        if plan.fingerprint != fingerprint:
            raise PlanError(
                f"{path}, line 1: the plans do not match their fingerprint",
                remedy="Make the plan again",
            )
        return plan

    def frame(self) -> pd.DataFrame:
        """Return a row per step of every member; columns as in `vcokit.schema.MEMBER_STEPS`."""
        steps = pd.concat([plan.steps for plan in self.plans.values()], ignore_index=True)
        member = np.repeat(list(self.plans), [len(plan) for plan in self.plans.values()])
        return schema.frame(schema.MEMBER_STEPS, {"member": member, **steps})

    def impact(self) -> pd.DataFrame:
        """Return the address blocks that are forwarded differently in each account.

        The first column is ``member``. See `Plan.impact` for the others.
        """
        found = []
        for name, plan in self.plans.items():
            changes = plan.impact()
            changes.insert(0, "member", pd.Series(name, index=changes.index, dtype="str"))
            found.append(changes)
        return pd.concat(found, ignore_index=True)

    def text(self) -> str:
        """Return the changes of each member, a line per step, then the counts of all members."""
        parts = [
            f"# {printable(name)}\n{plan.text()}\n"
            for name, plan in self.plans.items()
            if _says_something(plan)
        ]
        return "\n".join([*parts, self._total()])

    def table(self) -> str:
        """Return all steps as aligned text, by member and connection."""
        return "\n".join(
            f"# {printable(name)}\n{plan.table()}\n" for name, plan in self.plans.items()
        )

    def diff(self) -> str:
        """Return a unified diff of the routes of each member's connections, before and after."""
        parts = ((name, plan.diff()) for name, plan in self.plans.items())
        return "\n".join(f"# {printable(name)}\n{diff}" for name, diff in parts if diff)

    def markdown(self) -> str:
        """Return the counts of each member and then the changes, as Markdown for a comment.

        For members whose changes do not fit into a comment of 64 KiB, only the counts are given.
        """
        head = f"**{self._total()}**\n\nFingerprint: `{self.fingerprint}`"
        actions = list(schema.ACTIONS.categories)
        lines = [f"| member | {' | '.join(actions)} |", "|---" * (len(actions) + 1) + "|"]
        for name, plan in self.plans.items():
            counts = " | ".join(str(plan.counts[each]) for each in actions)
            lines.append(f"| {printable(name)} | {counts} |")
        parts = [head, "\n".join(lines)]
        left = COMMENT - sum(len(part.encode()) for part in parts)
        for name, plan in self.plans.items():
            if not _says_something(plan):
                continue
            parts.append(f"### {printable(name)}\n\n{plan.markdown()}")
            left -= len(parts[-1].encode())
            if left < 0:
                parts[-1] = "The changes of the other members do not fit here: see the plan."
                break
        return "\n\n".join(parts)

    def _total(self) -> str:
        return f"{pluralize(len(self), 'member')}. {count_line(self.counts)}"

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {action}" for action, count in self.counts.items())
        return f"{pluralize(len(self), 'member')}: {counts}"

    def __repr__(self) -> str:
        return f"<FleetPlan {self.fingerprint[:12]}: {self}>"


def _says_something(plan: Plan) -> bool:
    return len(plan) > plan.counts["keep"]


def plan_fleet(
    routes: pd.DataFrame,
    clients: Mapping[str, Connect],
    *,
    findings: pd.DataFrame | Review | None = None,
    **options: Any,
) -> FleetPlan:
    """Compare an inventory of many accounts with their live routes, and plan the changes.

    Parameters
    ----------
    routes : DataFrame
        The inventory, with a column ``account`` that names the member of each row.
    clients : mapping of str to (Client or callable)
        The client of each member, as in `Fleet`; `read_fleet` returns such a mapping.
    findings : DataFrame or Review, optional
        The findings of the complete inventory. The plan of each member keeps those of its rows, for
        the change record. Audit with ``scope=["account", "region_id"]``, so that routes of two
        accounts are not compared.
    **options
        Options of `plan_routes`, for each member.

    Returns
    -------
    FleetPlan
        The plans of the members that occur in the inventory, in the order of `clients`. The column
        ``row`` of the steps refers to the rows of the complete inventory.

    Raises
    ------
    InputError
        If a row names no account, or an account that is not in `clients`.
    FleetError
        If for some members the live routes could not be read or no plan could be made. Its
        `members` are all of these members; the message gives the reasons.

    Examples
    --------
    >>> from vcokit.simulator import Account, Connection, Simulator
    >>> keys = {name: Account(name, f"key-{name}") for name in ("berlin", "madrid")}
    >>> cloud = Simulator([Connection(f"vco-{name}", account_id=name) for name in keys],
    ...                   accounts=list(keys.values()), speed=600)
    >>> routes = pd.DataFrame({"account": list(keys), "region_id": "cn-hangzhou",
    ...     "vpn_connection_id": ["vco-berlin", "vco-madrid"], "route_dest": "10.0.0.0/8",
    ...     "next_hop": ["vco-berlin", "vco-madrid"], "weight": 100})
    >>> with cloud:
    ...     print(plan_fleet(routes, {name: partial(connect, cloud, credentials=key.credentials)
    ...                               for name, key in keys.items()}))
    2 members: 2 create, 0 modify, 0 delete, 0 keep, 0 blocked
    """
    schema.require_columns(routes, (ACCOUNT,), what="routes of a fleet")
    refuse_names(clients)
    named = schema.text_column(routes[ACCOUNT])
    _refuse_strangers(routes, named, clients)
    members = [name for name in clients if (named == name).any()]
    if not members:
        raise InputError("no row names an account", remedy="Pass routes of at least one member")

    def of(member: str) -> Plan | VcokitError:
        positions = np.flatnonzero(named == member)
        mine = routes.iloc[positions]
        try:
            with of_member(member), connected(clients[member]) as client:
                live = live_routes(client, mine)
                plan = plan_routes(mine, live, findings=_of_rows(findings, positions), **options)
        except VcokitError as error:
            return error
        row = plan.steps["row"].map(dict(enumerate(positions.tolist())), na_action="ignore")
        return replace(plan, steps=plan.steps.assign(row=row.astype("Int64")))

    found = dict(zip(members, side_by_side(of, members, _AT_ONCE), strict=True))
    failed = {name: error for name, error in found.items() if isinstance(error, VcokitError)}
    if failed:
        some = "; ".join(map(str, list(failed.values())[:_NAMED]))
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise FleetError(
            f"{len(failed)} of {len(members)} members cannot be planned: {some}{more}",
            members=tuple(failed),
        )
    return FleetPlan({name: plan for name, plan in found.items() if isinstance(plan, Plan)})


def _of_rows(
    findings: pd.DataFrame | Review | None, rows: np.ndarray
) -> pd.DataFrame | Review | None:
    """Return the findings of some rows."""
    if findings is None:
        return None
    if isinstance(findings, Review):
        left, held = (
            each[each["row"].isin(rows)] for each in (findings.findings, findings.held_back)
        )
        return replace(findings, findings=left, held_back=held)
    return findings[findings["row"].isin(rows)]


def _refuse_strangers(routes: pd.DataFrame, named: pd.Series, clients: Iterable[str]) -> None:
    """Refuse rows that name no account, or an account without a client."""
    known = list(clients)
    strange = ~named.isin(known)
    if not strange.any():
        return
    first = int(strange.to_numpy().argmax())
    where, name = _place(routes.iloc[first], f"row {first}"), named.iloc[first]
    if pd.isna(name):
        said, remedy = "names no account", f"Name one in the column {ACCOUNT}"
    else:
        close = get_close_matches(str(name), known, 1)
        said = f"names the unknown account {str(name)!r}"
        remedy = f"Write {close[0]!r}" if close else f"Members are {', '.join(known[:_NAMED])} …"
    more = int(strange.sum()) - 1
    others = f" (and {more:,} more rows like it)" if more else ""
    raise InputError(f"{where} {said}{others}", remedy=remedy)


def _place(row: pd.Series, otherwise: str) -> str:
    """Return the file and the line of a row, as far as they are known."""
    if pd.isna(row.get("line")):
        return otherwise
    line = f"line {row['line']}"
    return line if pd.isna(row.get("source")) else f"{row['source']}, {line}"
