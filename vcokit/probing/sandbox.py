"""Questions that only writes answer, in 198.18.0.0/15, a range reserved for tests (RFC 2544).

Before a route is sent, it is recorded in a journal, a small JSON file. All routes in the journal
are always removed at the end. If even that was interrupted, the next probe of the same connection
removes them first. A network is used only if no route of the connection overlaps it, so that every
route in the journal belongs to the probe.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import math
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from vcokit._text import pluralize
from vcokit.contract import ATTACHED
from vcokit.errors import InputError
from vcokit.probing.asking import (
    BUSY_STATE,
    CREATE,
    DELETE,
    MODIFY,
    PASSED,
    Asker,
    Heard,
)
from vcokit.probing.looking import DryRunIgnoredError, dry_run, repeat_of
from vcokit.probing.questions import Probe, Seen

RANGE: Final = ipaddress.IPv4Network("198.18.0.0/15")

#: Longest wait for an event, and for the removal of all routes, in seconds of the cloud's clock.
_PATIENCE: Final = 120.0
_LONGEST: Final = 900.0
#: Consecutive listings without a route after which it counts as removed.
_QUIET: Final = 3
#: Number of listings in one check of a deleted route.
_IN_A_ROW: Final = 3
#: Seconds for which listings are checked for a deleted route.
_WATCH: Final = 20.0
#: Most creates that are sent to find their rate limit, and the assumed window of that limit.
_MOST_CREATES: Final = 130
_WINDOW: Final = 60.0
#: Weights of a route before each change whose only purpose is to measure the pause after a task;
#: after all of them the weight is as before.
_CHANGES: Final = (100, 0, 100, 0)
#: Factor of the pace of reads while the end of a task is measured.
_FINER: Final = 4
#: The code of a write that is refused because a task runs, and for no other reason.
_RUNNING: Final = "VpnConnection.Configuring"
#: Most routes that are written only to use up a quota.
_MOST_ROUTES: Final = 8


class Journal:
    """A file with the routes that a probe may have written and not yet removed."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.connection, self.region = "", ""
        self.networks: list[str] = []

    def read(self) -> bool:
        """Read the routes that an earlier probe left; return whether there are any.

        Raises
        ------
        InputError
            If the file is not a journal of a probe.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        except (OSError, UnicodeDecodeError) as error:
            raise self._strange(f"cannot be read: {error}") from None
        try:
            told = json.loads(text)
            connection, region = str(told["connection"]), str(told["region"])
            networks = [str(ipaddress.IPv4Network(one)) for one in told["networks"]]
        except (ValueError, KeyError, TypeError):
            raise self._strange("is not a journal of a probe") from None
        if not all(ipaddress.IPv4Network(one).subnet_of(RANGE) for one in networks):
            raise self._strange(f"names networks outside {RANGE}")
        self.connection, self.region, self.networks = connection, region, networks
        return True

    def _strange(self, what: str) -> InputError:
        return InputError(f"{self.path}: {what}", remedy="Name another file as the journal")

    def add(self, network: str) -> None:
        """Record a network before a route with it is sent."""
        self.networks.append(network)
        told = {
            "what": "routes of a vcokit probe; the next probe of this connection removes them",
            "region": self.region,
            "connection": self.connection,
            "networks": self.networks,
        }
        beside = self.path.with_name(f"{self.path.name}.new")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(told, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def forget(self) -> None:
        """Remove the file, because all its routes are removed."""
        self.networks = []
        self.path.unlink(missing_ok=True)


def is_in_range(destination: object) -> bool:
    """Return whether a destination is in the range.

    Examples
    --------
    >>> is_in_range("198.19.7.0/24"), is_in_range("198.0.0.0/8"), is_in_range("x")
    (True, False, False)
    """
    try:
        return ipaddress.IPv4Network(str(destination), strict=False).subnet_of(RANGE)
    except ValueError:
        return False


def free_networks(
    rows: list[Mapping[str, Any]], luck: Callable[[], float], count: int
) -> list[str]:
    """Return networks of the range that overlap no route."""
    taken = []
    for row in rows:
        with contextlib.suppress(ValueError):
            taken.append(ipaddress.IPv4Network(str(row.get("RouteDest")), strict=False))
    free = [one for one in RANGE.subnets(new_prefix=24) if not any(map(one.overlaps, taken))]
    if len(free) < count:
        raise InputError(
            f"{RANGE} is in use: {len(free)} networks of it are free, {count} are needed",
            remedy="Name a connection without routes there",
        )
    start = int(luck() * (len(free) - count + 1))
    return [str(one) for one in free[start : start + count]]


# -- taking back ----------------------------------------------------------------------------------


def take_back(asker: Asker, journal: Journal) -> list[str]:
    """Delete all routes in the journal; return those that could not be deleted in time."""
    end, quiet = asker.waited + _LONGEST, 0
    mine: list[Mapping[str, Any]] = []
    while journal.networks:
        idle = asker.state() == ATTACHED
        heard, rows = asker.listing()
        mine = [row for row in rows if _network(row) in journal.networks]
        quiet = quiet + 1 if idle and heard.accepted and not mine else 0
        if quiet == _QUIET:
            journal.forget()
            return []
        if asker.waited >= end:
            return sorted({_network(row) for row in mine} or journal.networks)
        if idle and mine:
            _delete(asker, mine[0])
        asker.sleep(asker.step)
    return []


def _delete(asker: Asker, row: Mapping[str, Any]) -> None:
    """Delete a route; try both weights if the listed weight is missing or unreliable."""
    for weight in dict.fromkeys((row.get("Weight"), 100, 0)):
        if weight in (0, 100):
            heard = asker.write(DELETE, _network(row), weight)
            if heard.is_throttled:
                asker.sleep(heard.wait or _WINDOW / 2)
            if heard.code != "InvalidRouteEntry.NotFound":
                return


def _network(row: Mapping[str, Any]) -> str:
    try:
        return str(ipaddress.IPv4Network(str(row.get("RouteDest")), strict=False))
    except ValueError:
        return ""


# -- the questions --------------------------------------------------------------------------------


class Sandbox:
    """Asks the questions that only writes answer.

    Parameters
    ----------
    asker : Asker
    probe : Probe
        Where answers are recorded.
    journal : Journal
    free : list of str
        Networks that may be used, in order.
    luck : callable
        Returns a number from 0 to 1, from which tokens are made.
    """

    def __init__(
        self,
        asker: Asker,
        probe: Probe,
        journal: Journal,
        free: list[str],
        luck: Callable[[], float],
    ) -> None:
        self.asker, self.probe, self.journal = asker, probe, journal
        self._free, self._luck = list(free), luck
        self._tasks: list[float] = []
        self._ended = 0.0
        self._busy: Heard | None = None
        self._busy_parts: tuple[str, str] = ("", "")

    def ask(self, quota: int | None) -> None:
        """Ask all questions; `quota` is the number of routes that the connection may have."""
        first = self._ask_about_tasks()
        if first is None:
            return
        second = self._ask_about_pauses()
        self._ask_about_tokens()
        self._ask_about_weights(first)
        if second is not None:
            self._ask_about_deletes(second)
        repeat_of(self.asker, self.probe, first, 0)
        self._ask_about_host_bits()
        self._ask_about_quota(quota)
        self._ask_about_limit()
        if self._tasks:
            longest, shortest = max(self._tasks), min(self._tasks)
            self.probe.note("task_seconds", [self._rounded(shortest), self._rounded(longest)])

    def _rounded(self, seconds: float) -> float:
        """Return a measured time without the digits that reads now and then cannot tell."""
        exact: float = self.asker.step / _FINER
        return round(math.floor(seconds / exact + 0.5) * exact, 3)

    def _token(self) -> str:
        return f"vcokit-probe-{int(self._luck() * 2**48):012x}{int(self._luck() * 2**48):012x}"

    def _next(self) -> str:
        return self._free.pop(0)

    def _create(self, network: str, token: str = "") -> Heard:
        """Record the network in the journal, then create a route."""
        token = token or self._token()
        return self.asker.write(CREATE, self._noted(network), 100, ClientToken=token)

    def _dry_run(self, network: str) -> Heard:
        return dry_run(self.asker, self._noted(network))

    def _noted(self, network: str) -> str:
        """Record a network in the journal and return it."""
        clear = str(ipaddress.IPv4Network(network, strict=False))
        if clear not in self.journal.networks:
            self.journal.add(clear)
        return network

    def _shows(self, network: str) -> tuple[Heard, Mapping[str, Any] | None]:
        """List the routes; return the answer and the row of a network, or None."""
        heard, rows = self.asker.listing()
        return heard, next((row for row in rows if _network(row) == network), None)

    def _watched(self, network: str) -> list[tuple[float, bool]]:
        """List several times, because one listing may be outdated; return times and results."""
        listings = [self._shows(network) for _ in range(_IN_A_ROW)]
        return [(heard.at, row is not None) for heard, row in listings if heard.accepted]

    def _settle(self, since: float) -> None:
        """Wait for the end of a task, and record how long it took."""
        ended = self.asker.wait_until_idle(_PATIENCE, step=self.asker.step / _FINER)
        self._ended = self.asker.now if ended is None else ended
        self._tasks.append(self._ended - since)

    def _calmly(self, write: Callable[[], Heard]) -> Heard:
        """Write when no task runs; repeat while the cloud answers busy or throttled."""
        end = self.asker.waited + _PATIENCE
        while True:
            self.asker.wait_until_idle(_PATIENCE)
            heard = write()
            if not (heard.is_busy or heard.is_throttled) or self.asker.waited >= end:
                return heard
            self.asker.sleep(max(self.asker.step, heard.wait or 0.0))

    def _ask_about_tasks(self) -> str | None:
        """Create a route, and try other calls while its task runs; return its network."""
        probe, network, token = self.probe, self._next(), ""

        def begin() -> Heard:
            nonlocal token
            token = self._token()
            return self._create(network, token)

        self.asker.sleep(_WINDOW)  # so that the rate limit of creates does not hide the answers
        first = self._calmly(begin)
        if not first.accepted:
            probe.notes.append(f"A create in the sandbox was answered {first.code}.")
            return None
        self._busy_parts = (self._next(), self._token())
        second = self._create(*self._busy_parts)
        again = self._create(network, token)
        same = again.accepted and again.data.get("RouteDest") == network
        other = self._create(self._next(), token)
        listed, row = self._shows(network)
        during = self.asker.state() == BUSY_STATE
        self._busy = second if second.is_busy else None
        if during or second.code == _RUNNING:  # this code alone proves that the task was running
            probe.note("second_write", second.code or "accepted", second.request_id)
        if during:
            probe.note("listing_needs_attached", not listed.accepted, listed.request_id)
            if listed.accepted:
                probe.note("listed_after_task", row is None, listed.request_id)
        for name in ("second_write", "listing_needs_attached", "listed_after_task"):
            probe.seen.setdefault(name, Seen(why="Not seen while the task ran."))
        ids = first.request_id, again.request_id
        probe.note("token_replay", "the first answer" if same else again.code, *ids)
        probe.note("token_mismatch", other.code or "accepted", other.request_id)
        self._settle(first.at)
        return network

    def _ask_about_pauses(self) -> str | None:
        """Write ever closer to the end of the pause after a task; return the created network."""
        network, ids = self._next(), ""
        low, high = 0.0, math.inf  # the pause is longer than `low`, and not longer than `high`
        for write in (
            partial(self._create, network),
            *(
                partial(self.asker.write, MODIFY, network, old, NewWeight=100 - old)
                for old in _CHANGES
            ),
        ):
            heard, low, high = self._write_in_between(write, low, high)
            if not heard.accepted:
                break
            ids = heard.request_id
            self._settle(heard.at)
            if not low:  # the write was accepted at once: there is no pause
                break
        if not ids:
            why = f"A create was answered {heard.code}."
            self.probe.seen["task_conflict_seconds"] = Seen(why=why)
            return None
        self.probe.note(
            "task_conflict_seconds", self._rounded((low + high) / 2) if low else 0.0, ids
        )
        return network

    def _write_in_between(
        self, write: Callable[[], Heard], low: float, high: float
    ) -> tuple[Heard, float, float]:
        """Write midway between two bounds of the pause; repeat until the write is accepted.

        Returns the last answer, and bounds that are closer to each other.
        """
        asker, end = self.asker, self.asker.waited + _PATIENCE
        wait = (low + high) / 2 if high < math.inf else 0.0
        while True:
            asker.sleep(max(0.0, self._ended + wait - asker.now))
            heard = write()
            waited = heard.at - self._ended
            if heard.accepted:
                return heard, low, max(low, min(waited, high))
            if asker.waited >= end or not (heard.is_busy or heard.is_throttled):
                return heard, low, high
            if heard.is_busy:
                low = max(low, min(waited, high))
            wait = waited + max(asker.step, heard.wait or 0.0)
            if heard.is_busy and waited < high < wait:
                wait = high

    def _ask_about_tokens(self) -> None:
        """Repeat the write that was refused as busy, when no task runs."""
        if self._busy is None:
            why = "No write was refused while a task ran."
            self.probe.seen["refused_calls_bind_token"] = Seen(why=why)
            return
        self.asker.sleep(self.asker.step + (self.probe.value("task_conflict_seconds") or _WINDOW))
        network, token = self._busy_parts
        heard = self._create(network, token)
        ids = self._busy.request_id, heard.request_id
        if heard.accepted or heard.code == self._busy.code:
            self.probe.note("refused_calls_bind_token", not heard.accepted, *ids)
        else:
            why = f"It was answered {heard.code}."
            self.probe.seen["refused_calls_bind_token"] = Seen(why=why)
        if heard.accepted:
            self._settle(heard.at)

    def _ask_about_weights(self, network: str) -> None:
        """Change the weight of a route, and of a route that does not exist."""
        probe = self.probe
        lowered = self._calmly(lambda: self.asker.write(MODIFY, network, 100, NewWeight=0))
        if lowered.accepted:
            self._settle(lowered.at)
            heard, row = self._shows(network)
            said = None if row is None else row.get("Weight")
            kinds = {None: "missing", 0: "shown"}
            if row is not None:
                ids = lowered.request_id, heard.request_id
                probe.note("listing_weight", kinds.get(said, "constant"), *ids)
        else:
            probe.notes.append(f"A lower weight was answered {lowered.code}.")
        missing = self._free[-1]
        heard = self._calmly(lambda: self.asker.write(MODIFY, missing, 100, NewWeight=0))
        probe.note("modify_missing", heard.code or "accepted", heard.request_id)
        if heard.accepted:
            self._settle(heard.at)

    def _ask_about_deletes(self, network: str) -> None:
        """Delete a route, and check whether it is listed again."""
        asker, probe = self.asker, self.probe
        deleted = self._calmly(lambda: asker.write(DELETE, network, 100))
        if not deleted.accepted:
            probe.notes.append(f"A delete was answered {deleted.code}.")
            return
        looks: list[tuple[float, bool]] = []  # time, and whether it was listed
        during, seen = True, None
        while during:
            some = self._watched(network)
            heard, state = asker.look()
            during = state == BUSY_STATE
            if during:
                looks, seen = looks + some, heard.at
                asker.sleep(asker.step)
        at_once = not all(there for _, there in looks)  # also if it is listed again
        if looks:
            probe.note("removed_at_acceptance", at_once, deleted.request_id)
        ended = asker.wait_until_idle(_PATIENCE, seen)
        ended, over = asker.now if ended is None else ended, asker.waited + _WATCH
        while asker.waited < over:
            looks += self._watched(network)
            asker.sleep(asker.step)
        gone = next((at for at, there in looks if not there), ended)
        again = [at for at, there in looks if there and at > gone]
        # The route may have been listed until the next listing.
        since = deleted.at if at_once else ended
        back = again[-1] + asker.step - since if again else 0.0
        probe.note("deleted_reappears", round(back, 3), deleted.request_id)
        if again:
            times = pluralize(len(again), "time")
            probe.notes.append(f"A deleted route was listed again {times}, once it was gone.")

    def _ask_about_host_bits(self) -> None:
        """Create a route with host bits, if a dry run of such a route passed."""
        if self.probe.value("host_bits") != PASSED:
            return
        network = self._next()
        written = network.replace(".0/24", ".1/24")
        heard = self._calmly(lambda: self._create(written))
        if heard.accepted:
            self._settle(heard.at)
            listed, rows = self.asker.listing()
            said = {str(row.get("RouteDest")) for row in rows}
            kind = "masked" if network in said else "kept"
            self.probe.notes.append(f"A destination with host bits is accepted, and {kind}.")
            self.probe.note("host_bits", PASSED, heard.request_id, listed.request_id)

    def _ask_about_quota(self, quota: int | None) -> None:
        """If little of the quota is left, use it up and make a dry run of one more route."""
        _, rows = self.asker.listing()
        if quota is None or not 0 < quota - len(rows) <= _MOST_ROUTES:
            return
        for _ in range(quota - len(rows)):
            network = self._next()
            heard = self._calmly(partial(self._create, network))
            if not heard.accepted:
                return
            self._settle(heard.at)
        beyond = self._calmly(partial(self._dry_run, self._next()))
        self.probe.note("beyond_quota", beyond.code, beyond.request_id)

    def _ask_about_limit(self) -> None:
        """Send dry runs until one is throttled."""
        asker, network = self.asker, self._noted(self._next())
        asker.sleep(_WINDOW)  # so that earlier calls do not count
        passed: list[Heard] = []
        while len(passed) < _MOST_CREATES:
            heard = asker.write(CREATE, network, 100, DryRun=True)
            if heard.accepted:
                raise DryRunIgnoredError(heard.request_id)
            if heard.is_throttled:
                seconds = _WINDOW
                if heard.wait is not None and heard.wait < asker.longest_wait:
                    seconds = heard.wait + heard.at - passed[0].at
                whole = max(1, round(seconds))
                self.probe.note("create_limit", [len(passed), whole], heard.request_id)
                return
            passed.append(heard)
        why = f"None of {len(passed)} was throttled."
        self.probe.seen["create_limit"] = Seen(why=why)
