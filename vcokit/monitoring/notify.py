"""Messages to people at the few moments of a rollout that matter.

::

    begun      once
    wave       a wave is done and the next one begins
    failures   so many steps have failed: once
    stalled    no step has settled or ended for so long, though the rollout neither is paused nor
               waits for a window: once, and again only after something has moved
    ended      once, however it ended

A rollout tells its observers of far more. Each address has a queue of its own and at most one
message under way: one that hangs holds up no other.

Addresses are those of apprise. They hold tokens, in any part, so only what stands before ``://`` is
ever shown.
"""

from __future__ import annotations

import logging
import math
import platform
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from vcokit import config, schema
from vcokit._text import duration, pluralize, printable
from vcokit.cloud.masking import MASK, Secret, mask
from vcokit.errors import InputError, JournalError
from vcokit.monitoring.follower import CLOSED, Follower
from vcokit.rollout.engine import Clocks
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import (
    ENDED,
    Event,
    RolloutBegan,
    RolloutChanged,
    StepChanged,
    WaveDone,
)
from vcokit.rollout.snapshot import RolloutSnapshot
from vcokit.rollout.steps import FINAL, OPERATION, State

#: States of a rollout in which nothing is expected to move.
_HELD: Final = ("paused", "waiting")
#: What messages are about.
KINDS: Final = ("begun", "wave", "failures", "stalled", "ended")
#: Messages that one address may have waiting; the oldest makes way for the next.
_MOST_WAITING: Final = 20
#: Codes that a message about failures names.
_CODES: Final = 5
#: Of apprise, by how a rollout ended.
_TYPES: Final = {
    "stopped": "failure",
    "stale": "failure",
    "cancelled": "warning",
    "interrupted": "warning",
}


class Message(NamedTuple):
    """What people are told.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    title, body : str
    type : str
        One of apprise's: info, success, warning or failure.
    """

    kind: str
    title: str
    body: str
    type: str


class Notifier(Follower):
    """An observer that tells people when a rollout begins, stalls, fails, makes progress and ends.

    Use one for each rollout, and give it to the rollout before it is started. Nothing that happens
    to a message reaches the rollout; what could not be delivered is said once, at the end.

    Parameters
    ----------
    urls : str or sequence of str
        Addresses of apprise, such as ``dingtalk://TOKEN``, ``feishu://TOKEN``,
        ``wecombot://KEY``, ``slack://…``, ``msteams://…``, ``mailto://…``, ``json://HOST/PATH``.
        They are shown nowhere.
    stalled : float, optional
        Seconds without progress that are worth a message; setting ``notify_stalled``.
    failures : int, optional
        Failed steps of this run that are worth a message; setting ``notify_failures``.
    wait : float, optional
        Seconds that messages may still take when the rollout has ended; setting ``monitor_wait``.
    on_warning : callable, optional
        Called with a sentence for each address that did not get everything; by default it is
        logged.
    clocks : Clocks, optional
        By default those of the machine.

    Raises
    ------
    InputError
        If apprise is not installed, or an address is none that it knows.

    Examples
    --------
    >>> Notifier(["json://192.0.2.1/secret-path"])
    <Notifier json://***>
    """

    def __init__(
        self,
        urls: str | Secret | Iterable[str | Secret],
        *,
        stalled: float | None = None,
        failures: int | None = None,
        wait: float | None = None,
        on_warning: Callable[[str], object] | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        given = [urls] if isinstance(urls, str | Secret) else list(urls)
        self._addresses = _addresses([Secret.of(url) for url in given])
        self.stalled: float = config.get("notify_stalled", stalled)
        self.failures: int = config.get("notify_failures", failures)
        super().__init__(wait, on_warning, clocks)
        self._failed: Counter[str] = Counter()
        self._progress = math.inf  # when something moved; of the steady clock
        self._held = False
        self._journal: Path

    def __repr__(self) -> str:
        return f"<Notifier {', '.join(address.name for address in self._addresses)}>"

    # -- in the rollout's thread ------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        """Count what is only counted; put what may be worth a message into the mailbox."""
        if isinstance(event, StepChanged):
            if event.new == State.SETTLED or event.new in FINAL:
                self._progress = self._clocks.steady()
            if event.new == State.FAILED:
                self._failed[event.code or "no code"] += 1
                if self._failed.total() == self.failures:
                    self._threads.put(Counter(self._failed))
        elif isinstance(event, RolloutChanged) and event.state not in ENDED:
            self._held, self._progress = event.state in _HELD, self._clocks.steady()
        elif isinstance(event, RolloutBegan | WaveDone | RolloutChanged):
            self._progress = self._clocks.steady()
            self._threads.put(event)

    # -- in its own -------------------------------------------------------------------------------

    def _follow(self) -> None:
        begun: RolloutBegan = self._threads.get(None)
        self._journal = begun.journal
        found = self._look()
        self._tell(found, "begun", "begun", "info", *_planned(found))
        told = -math.inf  # of the time without progress that was told last: since when it was
        until = math.inf  # when to end in any case, once the rollout has
        while (now := self._clocks.steady()) < until and not (until < math.inf and self._idle):
            since = self._progress
            watched = not self._held and told != since
            # Progress does not wake this thread, so it looks up now and then.
            moment = min(until, (since if watched else now) + self.stalled)
            match self._threads.get(max(0.0, moment - now)):
                case None if watched and since == self._progress and until == math.inf:
                    if (quiet := self._clocks.steady() - since) >= self.stalled:
                        line = f"No step has settled or ended for {duration(quiet)}"
                        self._tell(self._look(), "stalled", "stalled", "warning", line)
                        told = since
                case _Sent() as sent:
                    self._was_sent(sent)
                case WaveDone(wave=wave, waves=waves):
                    self._tell(self._look(), "wave", f"wave {wave} of {waves} done", "info")
                case Counter() as codes:
                    what = f"{pluralize(codes.total(), 'step')} failed"
                    self._tell(self._look(), "failures", what, "warning", _by_code(codes))
                case RolloutChanged() as ended if until == math.inf:
                    until = now + self.wait
                    self._told_end(ended, ended.at - begun.at)
                case item if item is CLOSED and until == math.inf:
                    until = now + self.wait
        for address in self._addresses:
            if lost := address.undelivered():
                self._warn(f"not delivered to {address.name}: {lost}")

    @property
    def _idle(self) -> bool:
        return all(address.sending is None for address in self._addresses)

    def _look(self) -> RolloutSnapshot | None:
        """Return where the rollout stands; None where its journal cannot be read."""
        try:
            with Journal.read(self._journal) as journal:
                return journal.snapshot(failures=0)
        except JournalError:
            return None

    def _told_end(self, event: RolloutChanged, seconds: float) -> None:
        found = self._look()
        harmed = found is not None and found.states["failed"] + found.states["skipped"]
        of_type = _TYPES.get(event.state, "warning" if harmed else "success")
        lines = [*([event.message] if event.message else []), f"This run took {duration(seconds)}"]
        self._tell(found, "ended", event.state, of_type, *lines)

    def _tell(
        self, found: RolloutSnapshot | None, kind: str, what: str, of_type: str, *lines: str
    ) -> None:
        """Send a message to all addresses, in a moment."""
        rehearsal = found is not None and found.simulated
        title = f"{'Rehearsal' if rehearsal else 'Rollout'} {what}: {self._journal.name}"
        at = datetime.fromtimestamp(self._clocks.wall(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        standing = [] if found is None else [_steps(found.states)]
        # An error's text may come from anywhere.
        told = [mask(printable(line)) for line in (*lines, *standing)]
        body = "\n".join([*told, f"{platform.node()}, {at}"])
        self._post(Message(kind, printable(title), body, of_type))

    def _post(self, message: Message) -> None:
        for address in self._addresses:
            if len(address.waiting) == _MOST_WAITING:
                address.lost[address.waiting.popleft().kind] += 1
            address.waiting.append(message)
            self._send_next(address)

    def _send_next(self, address: _Address) -> None:
        if address.sending is None and address.waiting:
            address.sending = address.waiting.popleft()
            self._threads.submit(partial(self._send, address, address.sending))

    def _send(self, address: _Address, message: Message) -> None:
        """Send a message, in a thread that may hang."""
        _quiet.threads.add(threading.get_ident())
        try:
            delivered = address.send(message)
        except Exception:  # of whichever library: its text may hold the address
            delivered = False
        finally:
            _quiet.threads.discard(threading.get_ident())
        self._threads.put(_Sent(address, delivered))

    def _was_sent(self, sent: _Sent) -> None:
        address, message = sent.address, sent.address.sending
        if message is not None and not sent.delivered:
            address.lost[message.kind] += 1
        address.sending = None
        self._send_next(address)


# -- addresses -------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Address:
    """Where messages go, and those that are not there yet.

    `send` keeps the URL in a closure, where no repr and no traceback shows it.
    """

    name: str
    send: Callable[[Message], bool] = field(repr=False)
    sending: Message | None = None
    waiting: deque[Message] = field(default_factory=deque)
    lost: Counter[str] = field(default_factory=Counter)

    def undelivered(self) -> str:
        """Return what did not arrive, as far as is known."""
        left = [*([self.sending] if self.sending else []), *self.waiting]
        counts = self.lost + Counter(message.kind for message in left)
        times = {kind: counts[kind] for kind in KINDS if counts[kind]}
        return ", ".join(kind + (f" ({n} times)" if n > 1 else "") for kind, n in times.items())


class _Sent(NamedTuple):
    """A message was sent, or could not be."""

    address: _Address
    delivered: bool


def _addresses(urls: Sequence[Secret]) -> list[_Address]:
    names = [_masked(url) for url in urls]
    if len(names) > 1:
        names = [f"{name} (number {number})" for number, name in enumerate(names, start=1)]
    return [_Address(name, _sender(url, name)) for name, url in zip(names, urls, strict=True)]


def _masked(url: Secret) -> str:
    """Return an address as it may be shown: its scheme.

    Examples
    --------
    >>> _masked(Secret("slack://T1/A1/secret")), _masked(Secret("secret"))
    ('slack://***', '***')
    """
    scheme, sign, _ = url.reveal().partition("://")
    return f"{scheme}://{MASK}" if sign and scheme.isalnum() and len(scheme) < 16 else MASK


def _sender(url: Secret, name: str) -> Callable[[Message], bool]:
    """Return what sends messages to an address."""
    try:
        import apprise
    except ImportError:
        raise InputError(
            "notifications need apprise, which is not installed",
            remedy='Install it: pip install "vcokit[notify]"',
        ) from None
    asset = apprise.AppriseAsset(
        app_id="vcokit",
        app_desc="vcokit",
        app_url="",
        # In the thread that asks, however long that takes: for pools of threads a program waits.
        async_mode=False,
        service_timeout=0,
        storage_mode="memory",
        plugin_paths=[],
    )
    service = apprise.Apprise(asset=asset)
    for library in _LIBRARIES:
        logging.getLogger(library).addFilter(_quiet)
    _quiet.threads.add(threading.get_ident())
    try:
        known = service.add(url.reveal())
    finally:
        _quiet.threads.discard(threading.get_ident())
    if not known:
        raise InputError(
            f"{name}: not a valid notification address",
            remedy="Write an apprise URL, such as dingtalk://TOKEN or mailto://USER:PASSWORD@HOST",
        )

    def send(message: Message) -> bool:
        _, title, body, kind = message
        return bool(service.notify(body=body, title=title, notify_type=kind, body_format="text"))

    return send


class _Quiet(logging.Filter):
    """Keeps other libraries' log records about our addresses to themselves: they name hosts, paths.

    Those of other threads, and so of a user's own notifications, pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record passes."""
        return record.thread not in self.threads


_quiet: Final = _Quiet()
_LIBRARIES: Final = ("apprise", "urllib3.connectionpool", "requests_oauthlib.oauth2_session")


# -- words -----------------------------------------------------------------------------------------


def _planned(found: RolloutSnapshot | None) -> list[str]:
    if found is None:
        return []
    changes = {name: number for name, number in found.actions.items() if name in OPERATION}
    told = ", ".join(f"{name} {number:,}" for name, number in sorted(changes.items()))
    connections = sum(bool(name) for name in found.connections)
    where = f"on {pluralize(connections, 'connection')}"
    return [f"Plan {found.fingerprint[:12]}: {told or 'no changes'} {where}"]


def _by_code(codes: Counter[str]) -> str:
    told = [f"{code} ({number:,})" for code, number in codes.most_common(_CODES)]
    return ", ".join([*told, *(["…"] if len(codes) > _CODES else [])])


def _steps(states: Mapping[str, int]) -> str:
    order = schema.STATES.categories
    counts = ", ".join(f"{name} {states[name]:,}" for name in order if states.get(name))
    return f"Steps: {counts or 'none'}"
