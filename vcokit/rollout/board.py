"""All that the decisions of a rollout look at, and the small moves that go with every event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vcokit.cloud.error_codes import WRONG_CLOCK, is_key
from vcokit.cloud.ratelimit import Limiter
from vcokit.rollout import steps as st
from vcokit.rollout.alphabet import Finished
from vcokit.rollout.dispatch import Dispatch
from vcokit.rollout.lanes import Lane, Record
from vcokit.rollout.ledger import Ledger
from vcokit.rollout.options import Options
from vcokit.rollout.order import Order
from vcokit.rollout.pace import Pace
from vcokit.rollout.steps import Route, Step
from vcokit.rollout.waits import Waits
from vcokit.rollout.waves import Waves, waves_of

#: A refresh of the pace looks at all lanes; it comes after as many events, so that it costs little.
_LEAST_EVENTS = 16


class Board:
    """Where everything stands.

    Parameters
    ----------
    steps, live, limiter, options, records, order
        As of `vcokit.rollout.scheduler.Scheduler`.

    Attributes
    ----------
    ending : Finished or None
        Set when the rollout ends as soon as no call is under way.
    draining : Finished or None
        Set when nothing new is sent, and the rollout ends once all that was sent was seen.
    unseen : int
        Lanes that were not listed yet.
    going, in_doubt : set of str
        Lanes that have not ended; those of which something is not seen yet.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        live: Mapping[str, frozenset[Route]],
        limiter: Limiter,
        options: Options,
        records: Mapping[int, Record],
        order: Order,
    ) -> None:
        self.options = options
        self.ledger = Ledger(steps, options, records)
        self.steps, self.records = self.ledger.steps, self.ledger.records
        of_step = waves_of(self.steps, options.waves, order) if options.waves else {}
        self.waves = Waves(of_step)
        self.waits = Waits(order, self.steps, of_step)
        self.lanes = self.ledger.make_lanes(live, self.waits.over)
        self.pace = Pace(options)
        self.dispatch = Dispatch(self.lanes, limiter, options, self.pace, self._next_write)
        self.paused = self.cancelled = self.verified = False
        self.ending: Finished | None = None
        self.draining: Finished | None = None
        self.differences: list[str] = []
        self.unseen = len(self.lanes)
        self.going = set(self.lanes)
        self.in_doubt: set[str] = set()
        # Those of earlier runs are handed over once more below, and do not count.
        self._failures = -sum(state == st.FAILED for _, state in self.ledger.finals)
        self._silent_since: float | None = None
        self._heard_at = 0.0
        self._events = 0
        self.follow(0.0)
        for lane in self.lanes.values():
            self.requeue(lane, 0.0)

    # -- lanes ----------------------------------------------------------------------------------

    @property
    def sending(self) -> bool:
        """Whether anything new is sent."""
        return not self.paused and self.draining is None

    def requeue(self, lane: Lane, now: float) -> None:
        """Put a lane where it belongs after something has changed."""
        (self.going.discard if lane.ended else self.going.add)(lane.name)
        doubted = lane.in_doubt and not lane.ended  # one that is held may have ended in doubt
        (self.in_doubt.add if doubted else self.in_doubt.discard)(lane.name)
        self.dispatch.queue_up(lane, now, sending=self.sending)

    def requeue_all(self, now: float) -> None:
        """Put all lanes where they belong."""
        for lane in self.lanes.values():
            self.requeue(lane, now)

    def write_of(self, number: int) -> str:
        """Return the operation of a step."""
        return st.OPERATION[self.steps[number].action]

    def _next_write(self, lane: Lane) -> str:
        return self.write_of(lane.ready[0])

    def refresh(self, now: float) -> None:
        """Decide anew which lanes are in a hurry, now and then."""
        self._events += 1
        if self._events < max(_LEAST_EVENTS, len(self.going) // 2):
            return
        self._events = 0
        windows = {key: (self.dispatch.share(*key), left) for key, left in self.ledger.left.items()}
        changed = self.pace.refresh(
            [self.lanes[name] for name in sorted(self.going)],
            windows,
            self._through,
            self.dispatch.look_seconds,
        )
        for lane in changed:
            self.dispatch.queue_up(lane, now, sending=self.sending)

    def _through(self, lane: Lane) -> tuple[str, str]:
        number = lane.ready[0] if lane.ready else lane.numbers[-1]
        return lane.region_id, st.OPERATION.get(self.steps[number].action, "")

    # -- steps ----------------------------------------------------------------------------------

    def skip(self, lane: Lane, numbers: Iterable[int], code: str | None, message: str) -> None:
        """Take steps out of a lane for good."""
        self.ledger.skip(lane, numbers, code, message)

    def follow(self, now: float) -> None:
        """Let go, or take along, what waited for steps that have come to their end."""
        touched: dict[str, Lane] = {}
        finals = self.ledger.finals
        while True:
            while finals:
                number, state = finals.popleft()
                self.waves.final(number, state)
                if state == st.DONE:
                    self._free(self.waits.done(number), touched)
                else:
                    self._failures += state == st.FAILED
                    self._take_along(number, state, touched)
            wave = self.waves.next_wave()
            if wave is None:
                break
            freed = self.waits.open_wave(wave)
            for number in freed:
                # Hours may have passed since its connection was seen.
                self.lanes[self.steps[number].lane].attached = False
            self._free(freed, touched)
        for lane in touched.values():
            self.requeue(lane, now)
        self._enough(now)

    def _free(self, numbers: Iterable[int], touched: dict[str, Lane]) -> None:
        for number in numbers:
            lane = self.lanes[self.steps[number].lane]
            if number in lane.waiting:
                lane.waiting.discard(number)
                lane.put(number)
                touched[lane.name] = lane

    def _take_along(self, number: int, state: str, touched: dict[str, Lane]) -> None:
        message = f"waits for {self.steps[number]}, which "
        message += "failed" if state == st.FAILED else "was skipped"
        for other in self.waits.lost(number):
            lane = self.lanes[self.steps[other].lane]
            if other in lane.waiting:
                self.skip(lane, [other], None, message)
                touched[lane.name] = lane

    def _enough(self, now: float) -> None:
        """End the rollout in order when too much has failed."""
        if self.cancelled or self.draining is not None:
            return
        most = self.options.stop_after
        if most is not None and self._failures >= most:
            said = f"{self._failures} steps failed, as many as were allowed in one run"
            self.drain(said, "failures", now)
        elif self.waves.spoilt is not None:
            wave = self.waves.spoilt + 1
            self.drain(
                f"not every step of wave {wave} was done, so the next wave does not begin: look "
                "why, then go on with other waves",
                "wave",
                now,
            )

    def let_loose(self, now: float) -> bool:
        """Skip what waits for something that will never come, so that every rollout ends.

        Returns
        -------
        bool
            Whether there was any.
        """
        stuck = [self.lanes[name] for name in sorted(self.going) if self.lanes[name].waiting]
        for lane in stuck:
            self.skip(lane, sorted(lane.waiting), None, "what it waits for can never be done")
            self.requeue(lane, now)
        self.follow(now)
        return bool(stuck)

    # -- ends -----------------------------------------------------------------------------------

    def end(self, reason: str, message: str, cause: str | None = None) -> None:
        """End as soon as no call is under way."""
        if self.ending is None:
            self.ending = Finished(reason, message, cause, tuple(self.differences))

    def drain(self, message: str, cause: str, now: float) -> None:
        """Send nothing new; end once all that was sent was seen."""
        self.draining = Finished("stopped", message, cause)
        self.requeue_all(now)

    def held_up(self) -> Finished | None:
        """Return the end of a rollout of which some lanes could not be brought to theirs."""
        held = [lane for lane in self.lanes.values() if lane.held is not None and lane.undone]
        if not held:
            return None
        more = f", and {len(held) - 1} more connections" if len(held) > 1 else ""
        return Finished("stopped", f"{held[0].name}: {held[0].held}{more}", "refused")

    # -- answers, and their absence -------------------------------------------------------------

    def heard(self, lane: Lane | None, now: float) -> None:
        """Note that the cloud has answered."""
        if lane is not None:
            lane.failures = 0
        self._silent_since, self._heard_at = None, now

    def shut(self, region: str, operation: str, retry_after: float | None, now: float) -> None:
        """Close the window of an operation for as long as the cloud asked for."""
        until = now + (retry_after or self.options.backoff)
        self.dispatch.share(region, operation).shut(until)

    def silent(self, sent: float, now: float) -> None:
        """Note a call without an answer; when it has been silent for long, all stops."""
        if self._silent_since is None:
            self._silent_since = max(sent, self._heard_at)
        if now - self._silent_since >= self.options.lost_after:
            self.end("stopped", f"no answer for {self.options.lost_after:g} s", "silence")

    def unanswered(self, lane: Lane, now: float, asked: float | None = None) -> None:
        """Let a lane wait after a call without an answer, longer each time, or as it was asked."""
        lane.failures += 1
        wait = min(self.options.backoff_cap, self.options.backoff * 2.0 ** (lane.failures - 1))
        lane.not_before = now + max(wait, asked or 0.0)
        self.silent(lane.called_at, now)
        self.requeue(lane, now)

    def refused_key(self, code: str | None) -> bool:
        """End the rollout if a code says that the AccessKey is refused, or the clock is wrong."""
        if code == WRONG_CLOCK:
            self.end("stopped", f"this machine's clock is wrong: {code}", "clock")
        elif is_key(code):
            self.end("stopped", f"the AccessKey was refused: {code}", "key")
        return is_key(code)
