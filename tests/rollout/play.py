"""A scheduler by itself, told one thing after another."""

from __future__ import annotations

from vcokit.cloud.operations import OPERATIONS
from vcokit.rollout.messages import (
    Answered,
    List,
    Listed,
    Poll,
    PollAll,
    Polled,
    PolledAll,
    Send,
    WaitUntil,
)
from vcokit.rollout.options import Options
from vcokit.rollout.ordering import Order
from vcokit.rollout.scheduler import Scheduler
from vcokit.rollout.steps import Action, Step

LIMITS = {name: operation.limit for name, operation in OPERATIONS.items()}


class Play:
    """A scheduler, told one thing after another; what it asked for and what changed is kept."""

    def __init__(
        self,
        *lanes: int,
        limits: dict | None = None,
        order: Order | None = None,
        records: dict | None = None,
        action: str = Action.CREATE,
        **options: object,
    ) -> None:
        steps = [
            Step(number, action, "r", f"vco-{lane}", f"10.{lane}.{number}.0/24", "h", 100)
            for number, lane in enumerate(n for n, size in enumerate(lanes) for _ in range(size))
        ]
        self.steps = steps
        given = {**Options.in_force().__dict__, **options}
        table = {**LIMITS, **(limits or {})}
        live = {
            step.vpn_connection_id: frozenset({step.before} - {None}) for step in steps
        }  # of one step each
        self.scheduler = Scheduler(steps, live, table, Options(**given), records, order)
        self.now = 0.0
        self.pages: list[int] = []
        self.states: dict[int, str] = {}
        self.codes: dict[int, str | None] = {}
        self.messages: dict[int, str | None] = {}
        self.asked = self.tell()
        #: When it was first asked; a deadline counts from there.
        self.begun = self.now

    def tell(self, *inputs, after: float = 0.1) -> list:
        """Tell something a moment later; return the calls and the end it asks for."""
        self.now += after
        answered = [event.page for event in inputs if isinstance(event, PolledAll)]
        result = self.scheduler.advance(inputs, self.now)
        for change in result.changes:
            self.states[change.step] = change.new
            self.codes[change.step] = change.code
            self.messages[change.step] = change.message
        self.wake = next((d.time for d in result.decisions if isinstance(d, WaitUntil)), None)
        self.pages = [page for page in self.pages if page not in answered]
        self.pages += [d.page for d in result.decisions if isinstance(d, PollAll)]
        self.asked = [d for d in result.decisions if not isinstance(d, WaitUntil)]
        return self.asked

    def listed(self, lane: str, *steps: int, total: int | None = None) -> Listed:
        """Return a listing that shows some steps."""
        routes = tuple(self.steps[n].after or self.steps[n].before for n in steps)
        return Listed(lane, 1, routes, len(routes) if total is None else total)

    def shown(self, *, there: bool) -> Listed:
        """Return a listing that shows the route of the first step, or nothing."""
        return self.listed("vco-0", *([0] if there else []))

    def sending(self) -> Play:
        """Go on to where the first lane's first step is on its way."""
        for lane in list(self.scheduler.connections):
            self.tell(self.listed(lane), after=0.0)
        assert self.tell(Polled("vco-0", "attached"))[0] == Send(0, 0)
        return self

    def until_asked(self) -> list:
        """Let time pass until it asks for something."""
        while self.wake is not None:
            if asked := self.tell(after=self.wake - self.now + 1e-6):
                return asked
        return []

    def look(self) -> list:
        """Answer the listings of all lanes, empty; return what it asks for then."""
        for lane in list(self.scheduler.connections):
            self.tell(self.listed(lane), after=0.0)
        return self.asked

    def attach(self, *lanes: int) -> list:
        """Say that lanes are attached, to a look by page if there was one; return what it asks."""
        names = [f"vco-{lane}" for lane in lanes]
        if self.pages:
            states = dict.fromkeys(names, "attached")
            return self.tell(PolledAll("r", self.pages[0], states, len(names)))
        asked = []
        for name in names:
            asked += self.tell(Polled(name, "attached"), after=0.0)
        return asked

    def do(self, step: int, *seen: int) -> list:
        """Carry a step that was sent to its end: answered, settled, seen in a listing."""
        lane = self.steps[step].vpn_connection_id
        asked = self.tell(Answered(step, "ok"))
        for _ in range(20):
            if List(lane, 1) in asked:
                return self.tell(self.listed(lane, *seen, step))
            if Poll(lane) in asked:
                asked = self.tell(Polled(lane, "attached"))
            elif self.pages:
                asked = self.tell(PolledAll("r", self.pages[0], {lane: "attached"}, 1))
            else:
                asked = self.until_asked()
        raise AssertionError(f"{lane} is not listed")
