"""Whether a story was right: every promise of a rollout, held against what really happened.

The judge reads the log of a story from beginning to end, and knows nothing of the package but the
words in it: steps are plain tuples, routes live in dictionaries. What it says begins with the
promise that was broken::

    plan       the plan is the one that the generator of the case knows
    intent     a write left that was not on disk before
    token      a token meant two requests, or was sent again after a definite answer
    unknown    a step was sent with another token while the outcome of the last was not known
    refused    a step was sent again after it was refused for good
    unplanned  the cloud changed something for us that nobody planned
    twice      one step had its effect twice
    attached   a write left for a connection that had not been seen attached since the last
    detached   a write left for a connection that was last seen, or refused, as not attached
    window     a write left while no window was open
    conflict   a step came to its end because a write came too soon after a task, or more writes
               came too soon than it takes to learn how long to wait
    throttled  the cloud saw more calls than it allows, although the limits were known
    quota      a create found its connection full, although there is an order that finds room
    done       a step was done that no listing had shown since it was sent
    proof      a delete or a lowered weight was done of fewer listings in a row than prove it
    final      a step left a final state, or was reported as what it was not
    stale      the rollout took its own doing, or nothing at all, for somebody else's
    gap        an address that is covered before and after was uncovered in between
    calls      a call that the cloud saw is not in the journal, or another is
    undo       something else was taken back than what was provably ours, or not all of it
    end        the rollout did not come to an end, or steps were left
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import ceil, inf
from typing import Any

from tests.simulation.cover import Cover
from tests.simulation.play import Part, Story
from tests.simulation.undoing import judge_undo
from vcokit.simulator.errors import codes_of

OPERATION = {
    "CreateVcoRouteEntry": "create",
    "ModifyVcoRouteEntryWeight": "modify",
    "DeleteVcoRouteEntry": "delete",
}
POLL, POLL_ALL = "DescribeVpnConnection", "DescribeVpnConnections"
LIST = "DescribeVcoRouteEntries"
#: Refusals that say nothing of the step: it may be sent again, as another attempt.
PASSING = (
    codes_of("busy")
    | codes_of("throttled")
    | {
        "InvalidAccessKeyId.Inactive",
        "InvalidSecurityToken.Expired",
        "InvalidTimeStamp.Expired",
    }
)
#: Refusals after which a look decides.
LOOKED_AT = {"VpnRouteEntry.AlreadyExists", "InvalidRouteEntry.NotFound"}
#: No answer, and the answers that say nothing: a nonce was used by another copy of the same call.
UNKNOWN = codes_of("server") | {"lost", "cut", "SignatureNonceUsed"}
FINAL = {"done", "failed", "skipped", "blocked"}
TOO_SOON, NOT_ATTACHED = "TaskConflict", "Vco.StatusNotSupport"
#: States that end in attached.
ARRIVING = {"updating", "attaching", "provisioning", "upgrading"}
#: Writes of a connection that may come too soon in a row; and in one process, besides one for each
#: second that there is to be learnt.
IN_A_ROW, IN_ALL = 3, 2
#: When the windows of a story are open, seconds; an answer of the clock may be a moment old.
OPEN = ((20.0, 80.1), (140.0, 200.1), (260.0, inf))
#: Listings in a row that prove a delete or a lowered weight, and seconds between two that count.
AGREEING, APART = 3, 1.0


def judge(story: Story) -> list[str]:
    """Return what was wrong with a story, in order; nothing where all was right."""
    wrong = list(story.wrong)
    for part in story.parts:
        wrong += _Judge(story, part).judge()
        if part.undoing is not None:
            wrong += judge_undo(part.undoing, part.case, story.scenario)
    return wrong


class _Judge:
    """Judges one rollout of a story: what concerns its connections."""

    def __init__(self, story: Story, part: Part) -> None:
        self.story, self.part, self.case = story, part, part.case
        self.wrong: list[str] = []
        self.steps = {step.number: step for step in self.case.steps}
        self.state = {n: {"keep": "done"}.get(s.action, "pending") for n, s in self.steps.items()}
        self.code: dict[int, str | None] = {}
        self.sent: dict[int, tuple] = {}  # call → operation, parameters, time
        self.answers: dict[int, Any] = {}
        self.meant: dict[str, tuple] = {}  # token → request
        self.settled_tokens: set[str] = set()
        self.refused: dict[int, str] = {}  # step → code
        self.of_token: dict[str, int] = {row[4]: row[1] for row in part.calls if row[4]}
        self.effects: dict[int, list[float]] = defaultdict(list)
        self.attached: set[str] = set()
        self.detached: set[str] = set()
        self.too_soon: Counter[str] = Counter()  # by connection, of this process
        self.in_a_row: Counter[str] = Counter()
        self.quiet: dict[str, float] = defaultdict(float)  # since when no write is under way
        self.pages: dict[str, dict[int, tuple[float, list]]] = defaultdict(dict)
        self.listed: dict[str, tuple[float, frozenset]] = {}
        self.looks: dict[str, list[tuple[float, float, frozenset]]] = defaultdict(list)
        self.last_sent: dict[int, float] = {}
        self.writers: dict[str, float] = {}  # connection → last change of somebody else
        self.touched: set[tuple[str, str]] = set()
        self.foreign = {given["RouteDest"] for *_, given in story.scenario.writers}
        self.routes: dict[str, frozenset] = {}
        self.shown: dict[int, float] = {}  # step → since when the cloud has been as it wants
        self.of_lane: dict[str, list[int]] = defaultdict(list)
        for step in self.case.steps:
            if step.action in OPERATION.values():
                self.of_lane[step.vpn_connection_id].append(step.number)
        ordered = not self.case.order.gaps
        self.cover = Cover(self.case.regions, self.case.live, self.case.expected, ordered=ordered)
        self.open: dict[int, str] = {}  # step → token whose outcome is not known
        self.untold: set[int] = set()  # steps of which no answer, and no listing, tells the outcome
        self.writes_in: Counter[int] = Counter()
        self.generation = 0
        self.unknown: list[int] = []
        self.killed = 0
        self.heard: list[tuple[str, int]] = []  # tokens and steps, of this process
        self.decided: dict[int, float] = {}  # step → when its lane was looked at before its end

    def say(self, promise: str, text: str) -> None:
        self.wrong.append(f"{promise}: {text}")

    def judge(self) -> list[str]:
        if self.case.planned != self.case.expected:
            missing = self.case.expected - self.case.planned
            self.say("plan", f"lacks {missing}, has {self.case.planned - self.case.expected}")
        for moment, kind, *what in self.story.log:
            if kind in ("send", "late", "writer", "routes") and not self._is_here(kind, what):
                continue
            if kind in ("cloud", "hear") and what[0] not in self.sent:
                continue
            if kind not in ("error", "command", "turn"):  # which break no promise by themselves
                getattr(self, f"_{kind}")(moment, *what)
        if not self.story.wrong:
            self._at_the_end()
            self._calls()
        return self.wrong

    def _is_here(self, kind: str, what: list[Any]) -> bool:
        """Tell whether something concerns a connection of this rollout, or none in particular."""
        if kind == "routes":
            return what[0] in self.case.regions
        if kind == "late":
            return what[0].vpn_connection_id in self.case.regions
        given = what[2] if kind == "send" else what[1]
        return given.get("VpnConnectionId", next(iter(self.case.regions))) in self.case.regions

    # -- what happened, one by one ----------------------------------------------------------------

    def _boot(self, _moment: float, generation: int, unknown: list[int]) -> None:
        self.generation, self.unknown = generation, unknown
        self.attached, self.pages, self.listed = set(), defaultdict(dict), {}
        self.looks = defaultdict(list)
        self.detached, self.too_soon, self.in_a_row = set(), Counter(), Counter()
        self.quiet = defaultdict(float)

    def _dead(self, _moment: float, _generation: int, _where: str, kept: frozenset[str]) -> None:
        """What was heard and not written down, the next process cannot know."""
        self.killed += 1
        for token, step in self.heard:
            if token not in kept:
                self.settled_tokens.discard(token)
                self.refused.pop(step, None)
        self.heard = []

    def _end(self, _moment: float, part: int, reason: str, differences: list[str]) -> None:
        if reason == "stale" and part == self.part.number:
            self._stale(differences)

    def _send(self, moment: float, call: int, operation: str, given: dict, intent: Any) -> None:
        self.sent[call] = (operation, given, moment)
        if operation not in OPERATION:
            return
        self.writes_in[self.generation] += 1
        token, name = given.get("ClientToken", ""), given["VpnConnectionId"]
        if not intent:
            self.say("intent", f"{operation} {given['RouteDest']} left at {moment:.3f} s")
        request = (operation, tuple(sorted(given.items())), self.of_token.get(token))
        if self.meant.setdefault(token, request) != request:
            self.say("token", f"{token[:14]} was for {self.meant[token][:2]}, now {request[:2]}")
        if token in self.settled_tokens:
            self.say("token", f"{token[:14]} was sent again after a definite answer")
        step = self.of_token.get(token, -1)
        before = self.open.get(step, token)
        if before != token and before not in self.settled_tokens:
            self.say("unknown", f"step {step} has a new token, the last one's outcome is not known")
        self.open[step] = token
        if step in self.refused:
            self.say("refused", f"step {step} was sent again after {self.refused[step]}")
        if not self._in_a_window(moment):
            self.say("window", f"{operation} on {name} at {moment:.3f} s")
        if name not in self.attached:
            self.say("attached", f"{operation} on {name} at {moment:.3f} s")
        if name in self.detached:
            self.say("detached", f"{operation} on {name} at {moment:.3f} s")
        self.attached.discard(name)
        self.quiet[name] = inf
        self.last_sent[step] = moment

    def _in_a_window(self, moment: float) -> bool:
        """Tell whether something new may be sent, by a clock that nobody has set."""
        story = self.story.scenario
        if "windows" not in story.rollout or story.jumps:
            return True
        return any(begin <= moment < end for begin, end in OPEN)

    def _cloud(self, moment: float, call: int, answer: Any) -> None:
        self.answers[call] = (moment, answer)
        operation, given, _ = self.sent[call]
        if operation in OPERATION:
            self._changed(moment, operation, given, answer)
        quiet = not self.story.scenario.faults and not self.story.scenario.writers
        if self.case.quota and quiet and answer.code.endswith("QuotaFull"):
            self.say("quota", f"{given['RouteDest']} found no room at {moment:.3f} s")
        if answer.code == "Throttling.User" and not answer.faults:
            self._throttled(moment, operation)

    def _late(self, moment: float, call: Any) -> None:
        if call.client_token.startswith("somebody"):
            self._writer(moment, call.operation, call.parameters, call.changed)
        elif call.operation in OPERATION:
            self._changed(moment, call.operation, call.parameters, call)

    def _changed(self, moment: float, operation: str, given: dict, answer: Any) -> None:
        """Note that a write of ours changed something in the cloud."""
        if not answer.changed:
            return
        before = int(given["Weight"]) if operation.startswith("Modify") else None
        weight = int(given.get("NewWeight", given["Weight"]))
        route = (given["VpnConnectionId"], given["RouteDest"], given["NextHop"])
        change = (OPERATION[operation], *route, before, weight)
        if not self.case.expected[change]:
            self.say("unplanned", f"{change} at {moment:.3f} s")
        self.effects[self.of_token.get(given.get("ClientToken", ""), -1)].append(moment)

    def _writer(self, moment: float, _operation: str, given: dict, changed: bool) -> None:
        if changed:
            self.writers[given["VpnConnectionId"]] = moment
            self.touched.add((given["VpnConnectionId"], given["RouteDest"]))

    def _routes(self, moment: float, name: str, routes: frozenset) -> None:
        self.routes[name] = routes
        for number in self.of_lane[name]:
            shown = self._shows(self.steps[number], routes)
            if shown != (number in self.shown):
                (self.shown.__setitem__(number, moment) if shown else self.shown.pop(number))
        gap = self.cover.gap(name, routes, self.foreign)
        if gap:
            self.say("gap", f"{gap} at {moment:.3f} s, when {name} had changed")

    def _hear(self, moment: float, call: int, outcome: str) -> None:
        operation, given, left = self.sent[call]
        arrived, answer = self.answers.get(call, (0.0, None))
        if operation in OPERATION:
            self.quiet[given["VpnConnectionId"]] = moment
            self._heard_write(given, outcome)
            self._heard_of_connection(moment, given["VpnConnectionId"], outcome)
        elif outcome == "ok" and operation in (POLL, POLL_ALL):
            rows = answer.fields.get("VpnConnections", {}).get("VpnConnection", [answer.fields])
            for row in rows:
                # A look that left before the last write ended may not have seen what it did.
                if left >= self.quiet[row["VpnConnectionId"]]:
                    self._seen(row["VpnConnectionId"], row["State"])
        elif outcome == "ok" and operation == LIST:
            self._heard_listing(moment, arrived, given, answer)

    def _heard_write(self, given: dict, outcome: str) -> None:
        token, step = given["ClientToken"], self.of_token.get(given["ClientToken"], -1)
        self.heard.append((token, step))
        if outcome == "ok":
            self.settled_tokens.add(token)
        elif outcome in UNKNOWN or outcome == "unsent":
            if outcome == "unsent":
                self.attached.add(given["VpnConnectionId"])
        else:
            self.settled_tokens.add(token)
            if outcome not in codes_of("busy"):
                self.attached.add(given["VpnConnectionId"])
            if outcome not in PASSING and outcome not in LOOKED_AT:
                self.refused[step] = outcome

    def _seen(self, name: str, state: str) -> None:
        """Note the state in which a connection was seen."""
        seen, other = self.attached, self.detached
        if state != "attached":
            seen, other = self.detached, self.attached
        other.discard(name)
        if state not in ARRIVING:
            seen.add(name)

    def _heard_of_connection(self, moment: float, name: str, outcome: str) -> None:
        """Note what the answer to a write says of its connection."""
        if outcome == NOT_ATTACHED:
            self._seen(name, outcome)
        if outcome != TOO_SOON:
            self.in_a_row[name] = 0
            return
        self.in_a_row[name] += 1
        self.too_soon[name] += 1
        unseen = {fault.kind for fault in self.story.scenario.faults} & {"late", "duplicate"}
        if unseen or self.story.scenario.writers:
            return  # tasks of writes that nobody knows of
        in_all = IN_ALL + ceil(self.story.scenario.switches.task_conflict_seconds)
        if self.in_a_row[name] > IN_A_ROW or self.too_soon[name] > in_all:
            said = f"{self.in_a_row[name]} in a row and {self.too_soon[name]} in all"
            self.say("conflict", f"{said} on {name} at {moment:.3f} s")

    def _heard_listing(self, moment: float, arrived: float, given: dict, answer: Any) -> None:
        name, page = given["VpnConnectionId"], int(given["PageNumber"])
        rows = [
            (r["RouteDest"], r["NextHop"], r.get("Weight"))
            for r in answer.fields["VcoRouteEntries"]
        ]
        pages = self.pages[name]
        if page == 1:
            pages.clear()
        pages[page] = (arrived, rows)
        routes = frozenset(route for _, rows in pages.values() for route in rows)
        self.listed[name] = (pages[1][0] if 1 in pages else arrived, routes)
        if page > 1 and self.looks[name]:
            self.looks[name].pop()
        self.looks[name].append((moment, *self.listed[name]))

    def _step(
        self, moment: float, part: int, step: int, _old: str, new: str, code: Any, _text: Any
    ) -> None:
        if part != self.part.number:
            return
        if self.state[step] in FINAL:
            self.say("final", f"step {step} went from {self.state[step]} to {new}")
        self.state[step], self.code[step] = new, code
        if new == "sent":
            self.untold.discard(step)
        elif code == "NoAnswer":
            self.untold.add(step)
        if new in FINAL and code == TOO_SOON:
            self.say("conflict", f"step {step} is {new} for it")
        if new in FINAL:
            self.decided[step] = self.listed.get(self.steps[step].vpn_connection_id, (-1.0,))[0]
        if new == "done":
            self._done(moment, step)

    def _done(self, moment: float, number: int) -> None:
        step = self.steps[number]
        looked, routes = self.listed.get(step.vpn_connection_id, (-1.0, frozenset()))
        if looked < self.last_sent.get(number, 0.0):
            self.say("done", f"step {number} at {moment:.3f} s, not looked at since it was sent")
        elif self._shows(step, routes) is False:
            self.say("done", f"step {number} at {moment:.3f} s, and the listing shows it is not")
        removes = step.action == "delete" or (step.old_weight or 0) > step.weight
        if removes and self._agreeing_looks(step, number) < AGREEING:
            self.say("proof", f"step {number} at {moment:.3f} s, of fewer than {AGREEING} listings")

    def _agreeing_looks(self, step: Any, number: int) -> int:
        """Count the latest listings in a row that show a step done, a poll interval apart."""
        agreeing, last = 0, inf
        for heard, looked, routes in reversed(self.looks[step.vpn_connection_id]):
            if looked < self.last_sent.get(number, 0.0) or not self._shows(step, routes):
                break
            if heard <= last - APART:
                agreeing, last = agreeing + 1, heard
        return agreeing

    @staticmethod
    def _shows(step: Any, routes: frozenset) -> bool:
        new = (step.route_dest, step.next_hop, step.weight)
        there = new in routes or (*new[:2], None) in routes  # a listing may leave weights out
        return there != (step.action == "delete")

    # -- promises over the whole -----------------------------------------------------------------

    def _throttled(self, moment: float, operation: str) -> None:
        story = self.story.scenario
        # Reads are written down now and then; those that a death took along nobody can count.
        if self.killed and operation not in OPERATION:
            return
        # By a clock on the wall that was set forward, windows of an earlier process have passed.
        if self.generation > 1 and any(far > 0 and when <= moment for when, far in story.jumps):
            return
        # Nor can a client count the calls of a rollout whose journal it has not opened.
        if story.keeps_limits and not self.unknown:
            self.say("throttled", f"{operation} at {moment:.3f} s, process {self.generation}")

    def _stale(self, differences: list[str]) -> None:
        # Who waited for a window looks again before anything more is sent.
        if self.writes_in[self.generation] and "windows" not in self.story.scenario.rollout:
            self.say("stale", f"found after {self.writes_in[self.generation]} writes")
        foreign = {name for name, _ in self.touched}
        for line in differences:
            if line.partition(":")[0] not in foreign:
                self.say("stale", f"nobody else did this: {line}")

    def _at_the_end(self) -> None:
        if not self.part.reason:
            self.say("end", "no process came to an end")
            return
        for number, step in self.steps.items():
            if step.action in OPERATION.values():
                self._judge_step(number, step, self.part.reason)

    def _judge_step(self, number: int, step: Any, reason: str) -> None:
        state, code = self.part.states[number]
        if reason in ("finished", "cancelled") and state not in FINAL:
            self.say("end", f"step {number} is {state} after the rollout {reason}")
        effects = self.effects[number]
        if (
            len(effects) > 1
            and not self.writers
            and self._shows(step, self.routes[step.vpn_connection_id])
        ):
            self.say("twice", f"step {number} changed the cloud at {effects}")
        if (step.vpn_connection_id, step.route_dest) in self.touched:
            return
        shown = self.shown.get(number)
        if state == "done" and shown is None:
            self.say("final", f"step {number} ({step}) is done, but not live")
        # What came into force after the last look nobody could know.
        looked = self.decided.get(number, self.listed.get(step.vpn_connection_id, (-1.0,))[0])
        known = shown is not None and shown < looked
        # Of a weight that no listing tells, a lost answer is all there was; cancelled or not.
        if self.story.scenario.switches.listing_weight == "missing" and step.action == "modify":
            known &= number not in self.untold
        if state in ("skipped", "failed", "pending") and effects and known:
            self.say("final", f"step {number} ({step}) is {state} ({code}), but live")

    def _calls(self) -> None:
        """Hold the journal's calls against those that left, one to one by their tokens."""
        left = Counter(
            (given["ClientToken"], operation)
            for operation, given, _ in self.sent.values()
            if operation in OPERATION
        )
        kept = Counter((row[4], row[3]) for row in self.part.calls if row[4])
        if left - kept:
            self.say("calls", f"not in the journal: {left - kept}")
        unsent = Counter((row[4], row[3]) for row in self.part.calls if row[4] and not row[5])
        if (kept - left) - unsent:
            self.say("calls", f"never left, but have an outcome: {kept - left - unsent}")
