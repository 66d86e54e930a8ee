"""``vk.probe``: find out undocumented behaviour of the cloud from an account."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vcokit.audit.columns import CONNECTION_ID
from vcokit.cloud.client import Client
from vcokit.contract import ATTACHED
from vcokit.errors import InputError, StateError
from vcokit.probing.asking import Asker
from vcokit.probing.looking import (
    DryRunIgnoredError,
    ask_dry_runs,
    ask_quota,
    look,
    note_ignored,
)
from vcokit.probing.questions import QUESTIONS, Probe, Seen
from vcokit.probing.sandbox import RANGE, Journal, Sandbox, free_networks, is_in_range, take_back

#: Most networks that the questions of the sandbox use.
_NETWORKS: Final = 24


def probe(
    client: Client,
    connection: str | None = None,
    *,
    region: str | None = None,
    sandbox: bool = False,
    among_others: bool = False,
    journal: str | Path = "probe-journal.json",
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    luck: Callable[[], float] = random.random,
) -> Probe:
    """Find out undocumented behaviour of an account, and compare it with what vcokit assumes.

    Without ``sandbox=True`` it only reads and makes dry runs, and changes nothing. Dry runs need
    ``connection=``.

    Parameters
    ----------
    client : Client
        From `connect`.
    connection : str, optional
        The connection to examine. No other connection is ever changed.
    region : str, optional
        Its region, by default the client's.
    sandbox : bool
        Whether to also write routes in 198.18.0.0/15 on the connection. They are always removed
        at the end. It takes some minutes.
    among_others : bool
        Whether to do so on a connection that has other routes. The connection is busy during that
        time, so its other changes have to wait.
    journal : str or Path
        File that contains the written routes while they exist. After an interrupted probe, the next
        probe of the same connection removes them.
    sleep, now, wall, luck : callable
        Waits, two clocks (monotonic seconds, seconds since the epoch), and a random number.

    Returns
    -------
    Probe
        ``print`` it, read its ``frame()``, and keep its ``to_json("probe.json")``:
        ``Simulator(facts="probe.json")`` then behaves like this account.

    Raises
    ------
    InputError
        If the sandbox is refused, or an argument is invalid.
    StateError
        If the connection is not attached to a transit router, or a task runs on it for long.
    CloudError
        If the cloud cannot be reached, or the AccessKey is refused.
    """
    asker = _asker(client, connection, region, sleep, now)
    told = Probe(
        region=asker.region,
        when=datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        simulated=client.simulated,
        sandbox=sandbox,
    )
    if sandbox and connection is None:
        raise InputError(
            "a sandbox needs a connection", remedy="Name an unused connection: connection=vco-…"
        )
    book = Journal(journal)
    left = book.read()
    if left and (not sandbox or (book.connection, book.region) != (connection, asker.region)):
        if sandbox:
            raise InputError(
                f"{book.path}: an earlier probe left routes on {book.connection}",
                remedy=f"Probe {book.connection} with sandbox first, or name another journal",
            )
        told.notes.append(f"An earlier probe left routes, see {book.path}: probe with sandbox.")
    if sandbox and left:
        _finish(asker, book, told)
    rows = look(asker, told)
    quota = ask_quota(asker, told)
    if connection is None:
        for name in QUESTIONS:
            told.seen.setdefault(name, Seen(why="No connection was named."))
        return told
    free = free_networks(rows, luck, _NETWORKS)
    if sandbox:
        _check(asker, rows, among_others)
        book.connection, book.region = connection, asker.region
    try:
        if sandbox:
            book.add(free[0])  # the route that is created if dry runs are ignored
        ask_dry_runs(asker, told, free[0], rows, quota)
        if sandbox:
            Sandbox(asker, told, book, free[1:], luck).ask(quota)
    except DryRunIgnoredError as error:
        note_ignored(told, free[0], str(error))
    finally:
        if sandbox:
            _finish(asker, book, told)
    for name in QUESTIONS:
        why = "Not seen." if sandbox else "Only writes tell: probe with sandbox."
        told.seen.setdefault(name, Seen(why=why))
    return told


def _asker(
    client: object,
    connection: str | None,
    region: str | None,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> Asker:
    if not isinstance(client, Client):
        raise InputError(
            f"the first argument must be a Client, not {type(client).__name__}",
            remedy='Write probe(client), with client = connect(region="cn-hangzhou")',
        )
    if connection is not None and not re.fullmatch(CONNECTION_ID, connection):
        raise InputError(f"{connection!r} is not a connection", remedy="Write it like vco-p0w2jp")
    where = region or client.target.region
    if not where:
        raise InputError("no region is known", remedy="Pass region=, or connect(region=…)")
    return Asker(client, where, connection or "", sleep, now)


def _check(asker: Asker, rows: list[Mapping[str, Any]], among_others: bool) -> None:
    """Refuse a connection that is in use, or that accepts no writes."""
    others = [row for row in rows if not is_in_range(row.get("RouteDest"))]
    if others and not among_others:
        raise InputError(
            f"{asker.connection} has {len(others)} routes outside {RANGE}",
            remedy="Name an unused connection, or pass among_others=True",
        )
    if asker.wait_until_idle(60.0) is None:
        raise StateError(
            f"{asker.connection} is not {ATTACHED}, so no route can be written",
            code=asker.state() or "no answer",
            remedy="Wait until its task is over, or attach it to a transit router",
        )


def _finish(asker: Asker, book: Journal, told: Probe) -> None:
    """Remove all written routes; a single interrupt does not stop that."""
    try:
        told.left = take_back(asker, book)
    except BaseException:
        told.left = take_back(asker, book)
        raise
