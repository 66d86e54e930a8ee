"""The texts of a change record, for all its formats, and the record as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from vcokit._text import duration, pluralize
from vcokit.reports.escape import code_span, markdown_cell
from vcokit.rollout.fleet import MAX_MEMBERS
from vcokit.rollout.steps import OPERATION, UNKNOWN_WEIGHT, Action, State

#: Most steps, blocks of addresses and connections in Markdown.
_LISTED: Final = 200
#: Most AccessKeys in a summary.
_ACCOUNTS: Final = 10
NOT_KEPT: Final = "not kept"
NOT_GIVEN: Final = "not given"


def changes_of(facts: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of requested changes by state."""
    sends = [step["state"] for step in facts["steps"] if step["action"] in OPERATION]
    return {"asked": len(sends), **Counter(sends)}


def verdict(facts: Mapping[str, Any]) -> str:
    """Return the state of the change in one line."""
    changes = changes_of(facts)
    asked, left = changes["asked"], facts["left"]
    some = f"{left:,} of {pluralize(asked, 'change')} {'is' if left == 1 else 'are'} left"
    if left:
        return f"{_STANDS.get(facts['state'], str(facts['state']).capitalize())}: {some}"
    if not asked:
        return "Finished: nothing had to be changed"
    bad = [f"{changes[name]:,} {name}" for name in ("failed", "skipped") if changes.get(name)]
    done = f"{changes.get(State.DONE, 0):,} of {pluralize(asked, 'change')} done"
    return f"{str(facts['state']).capitalize()}: {', '.join([done, *bad])}"


#: Names for the state of a rollout with remaining changes.
_STANDS: Final = {
    "ready": "Not begun",
    "running": "Still running",
    "broken off": "Interrupted",
    "finished": "Ended",
    "stale": "Given up, because the live routes had changed",
}


def numbers(facts: Mapping[str, Any]) -> dict[str, int]:
    """Return the figures by label."""
    changes, states = changes_of(facts), facts["states"]
    found = {
        "routes read": facts["asked"]["routes"],
        "changes": changes["asked"],
        "done": changes.get("done", 0),
        "failed": states.get("failed", 0),
        "skipped": states.get("skipped", 0),
        "left": facts["left"],
        "kept": facts["asked"]["actions"]["keep"],
        "blocked": facts["asked"]["actions"]["blocked"],
    }
    return {name: number for name, number in found.items() if number is not None}


def summary(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return a summary of the record: a label and a text per line."""
    missing = NOT_KEPT if facts["runs"] is None else NOT_GIVEN
    runs, asked = facts["runs"] or (), facts["asked"]
    where = {True: "a simulator", False: "Alibaba Cloud", None: NOT_KEPT}[facts["simulated"]]
    endpoints = sorted({run["endpoint"] for run in runs if run["endpoint"]})
    people = dict.fromkeys(f"{run['user']} on {run['host']}" for run in runs)
    accounts = list(dict.fromkeys(run["account"] for run in runs if run["account"]))
    if len(accounts) > _ACCOUNTS:
        accounts[_ACCOUNTS:] = [f"and {len(accounts) - _ACCOUNTS:,} more"]
    lines = {
        "Ticket": facts["approval"]["ticket"] or missing,
        "Approved by": facts["approval"]["approved_by"] or missing,
        "Run by": "; ".join(people) or NOT_KEPT,
        "Where": ", ".join([where, *endpoints, *facts["regions"]]),
        "AccessKey": ", ".join(accounts) or NOT_KEPT,
        "When": when(facts),
        "Plan": ", ".join(f"{count:,} {name}" for name, count in asked["actions"].items() if count)
        or "no steps",
        "Fingerprint": asked["fingerprint"],
    }
    if asked["undoes"]:
        lines["Takes back"] = f"the rollout {asked['undoes']}"
    if facts["undone"]:
        lines["Taken back"] = f"by {facts['undone']['journal']} ({facts['undone']['state']})"
    return lines


def when(facts: Mapping[str, Any]) -> str:
    """Return the period in which something was sent or changed."""
    begun, ended = facts["first_call_at"], facts["last_event_at"]
    if begun is None:
        return f"made {moment(facts['created_at'])}; nothing was sent"
    seconds = (_time(ended) - _time(begun)).total_seconds()
    return f"{moment(begun)} to {moment(ended)} ({duration(seconds)})"


def moment(text: str | None) -> str:
    """Return a time for people, to the second.

    Examples
    --------
    >>> moment("2026-01-02T03:04:05.678901Z")
    '2026-01-02 03:04:05 UTC'
    """
    return "" if text is None else f"{_time(text):%Y-%m-%d %H:%M:%S} UTC"


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(str(text))


def options(facts: Mapping[str, Any]) -> list[str]:
    """Return the options of the rollout in words, without those that have their default."""
    fleet = facts["asked"].get("fleet") or {}
    given = {**(facts["asked"]["options"] or {}), **fleet}
    things = ("members", "failed members") if fleet else ("connections", "failed steps")
    sizes = given.get("waves") or ()
    waves = ", ".join("the rest" if size is None else str(size) for size in sizes)
    said = {
        "windows": "only in the windows " + "; ".join(given.get("windows", ())),
        "max_members": f"{given.get('max_members')} members at once",
        "waves": f"in waves of {waves} {things[0]}",
        "stop_after": f"stop after {given.get('stop_after')} {things[1]}",
        "deadline": f"nothing new after {duration(given.get('deadline') or 0)}",
        "rate_share": f"{given.get('rate_share', 1):g} of the rate limits",
        "allow_gap": "gaps allowed",
    }
    usual = {"rate_share": 1.0, "max_members": MAX_MEMBERS}
    found = [text for name, text in said.items() if given.get(name) != usual.get(name)]
    return [text for name, text in said.items() if text in found and given.get(name)]


def remains(facts: Mapping[str, Any]) -> str | None:
    """Return what remains to be done, and how; None if nothing remains."""
    if not facts["left"]:
        return None
    text = f"{pluralize(facts['left'], 'step')} {'is' if facts['left'] == 1 else 'are'} left."
    if facts["in_doubt"]:
        text += (
            f" Of {facts['in_doubt']:,} the cloud may have done the change already: no listing has "
            "shown it yet."
        )
    if facts["state"] == "running":
        return f"{text} The rollout still runs: this record is a snapshot."
    if facts["state"] == "stale":
        return f"{text} The live routes had changed, so the rest needs a new plan."
    return text


def routes(counts: Mapping[str, int] | None) -> str:
    """Return the number of routes by the meaning of their weight, as text.

    Examples
    --------
    >>> routes({"active": 3, "standby": 0}), routes({"active": 0, "standby": 0}), routes(None)
    ('3 active', 'no routes', 'not listed')
    """
    if counts is None:
        return "not listed"
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "no routes"


def weight(step: Mapping[str, Any], side: str) -> str:
    """Return the weight of a step's route before or after the step, or what else is known.

    Examples
    --------
    >>> weight({"before": None}, "before"), weight({"after": 0, "after_by": "listing"}, "after")
    ('no route', '0')
    >>> weight({"after": None, "after_by": "not seen"}, "after")
    'not seen'
    """
    if side == "after" and step["after_by"] != "listing":
        return str(step["after_by"])
    if step[side] is None:
        return "no route"
    return "not told" if step[side] == UNKNOWN_WEIGHT else str(step[side])


def why(step: Mapping[str, Any]) -> str:
    """Return the reason for a step's state: code and message, without repetition.

    Examples
    --------
    >>> why({"code": "X.Y", "message": "X.Y: no such thing"}), why({"code": "X", "message": None})
    ('X.Y: no such thing', 'X')
    """
    code, message = step["code"] or "", step["message"] or ""
    return (
        message
        if message.startswith(code) and message
        else ": ".join(filter(None, [code, message]))
    )


def not_done(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the failed and skipped steps, and those with an unknown outcome."""
    return [
        step
        for step in facts["steps"]
        if step["state"] in (State.FAILED, State.SKIPPED, State.UNKNOWN)
    ]


def listed_steps(facts: Mapping[str, Any], most: int) -> list[Mapping[str, Any]]:
    """Return the steps that a page lists, in their order, without those that keep a route.

    If there are too many, failed steps take precedence, then remaining, done, and blocked steps.
    """
    steps = [step for step in facts["steps"] if step["action"] != Action.KEEP]
    if len(steps) <= most:
        return steps
    order = {State.FAILED: 0, State.SKIPPED: 0, State.UNKNOWN: 0, State.DONE: 2, State.BLOCKED: 3}
    rank = [order.get(step["state"], 1) for step in steps]
    chosen = sorted(range(len(steps)), key=lambda place: (rank[place], place))[:most]
    return [steps[place] for place in sorted(chosen)]


# -- Markdown --------------------------------------------------------------------------------------


def markdown(facts: Mapping[str, Any]) -> str:
    """Return a record as Markdown."""
    return "\n".join(_markdown(facts)) + "\n"


def _markdown(facts: Mapping[str, Any]) -> Iterator[str]:
    asked = facts["asked"]
    names: tuple[str, ...]
    of_whom = ("member",) if "members" in facts else ()
    yield f"# Change record\n\n**{markdown_cell(facts['verdict'])}**\n"
    if left := remains(facts):
        go_on = f" Resume with: {code_span(facts['resume'])}" if facts["resume"] else ""
        yield f"> {left}{go_on}\n"
    yield from _table(("", ""), summary(facts).items())
    if of_whom:
        yield "\n## Members\n"
        members = facts["members"]
        yield from _table(tuple(members[0]), [_in_seconds(one) for one in members[:_LISTED]])
        yield from _more(len(members), _LISTED, "members")
    if failed := not_done(facts):
        yield "\n## What failed\n"
        names = (*of_whom, "step", "line", "action", "vpn_connection_id", "route_dest", "state")
        yield from _table(
            (*names, "why", "request_id"),
            [
                [*(step[name] for name in names), why(step), step["request_id"]]
                for step in failed[:_LISTED]
            ],
        )
        yield from _more(len(failed), _LISTED, "steps")
    yield "\n## What was requested\n"
    if asked["files"]:
        yield from _table(("file", "SHA-256"), asked["files"].items())
    else:
        yield "The files of the inventory: not kept."
    if wishes := options(facts):
        yield f"\nOptions: {markdown_cell('; '.join(wishes))}"
    yield "\n## Findings and impact\n"
    yield from _findings(facts)
    yield from _impact(facts)
    yield "\n## What happened\n"
    names = ("user", "host", "process", "version", "account", "began", "ended", "state")
    if facts["runs"]:
        runs = [
            [moment(run[name]) if name in ("began", "ended") else run[name] for name in names]
            for run in facts["runs"]
        ]
        yield from _table(names, runs)
    yield ""
    connections = facts["connections"]
    yield from _table(
        ("connection", "routes before", "changes", "states", "routes after"),
        [
            [
                one["vpn_connection_id"],
                routes(one["before"]),
                f"{one['changes']:,}",
                ", ".join(f"{count:,} {name}" for name, count in one["states"].items()),
                routes(one["after"]),
            ]
            for one in connections[:_LISTED]
        ],
    )
    yield from _more(len(connections), _LISTED, "connections")
    yield "\n## Steps\n"
    steps = listed_steps(facts, _LISTED)
    undone = ("undone",) if facts["undone"] else ()
    names = (*of_whom, "step", "line", "action", "vpn_connection_id", "route_dest")
    rest = ("request_id", *undone)
    yield from _table(
        (*names, "before", "after", "state", "sent", "ended", "why", *rest),
        [
            [
                *(step[name] for name in names),
                weight(step, "before"),
                weight(step, "after"),
                step["state"],
                moment(step["sent_at"]),
                moment(step["ended_at"]),
                why(step),
                *(step[name] for name in rest),
            ]
            for step in steps
        ],
    )
    total = sum(step["action"] != Action.KEEP for step in facts["steps"])
    yield from _more(total, len(steps), "steps")
    yield "\n## Calls\n"
    names = ("operation", "outcome", "calls", "median_seconds", "slowest_seconds")
    yield from _table(names, [[call[name] for name in names] for call in facts["calls"]])


def _in_seconds(member: Mapping[str, Any]) -> list[object]:
    """Return the cells of a member, with its times for people."""
    return [moment(text) if name.endswith("_at") else text for name, text in member.items()]


def _findings(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["findings"] is None:
        yield "Findings of the audit: not kept.\n"
    elif facts["findings"]:
        names: tuple[str, ...] = ("severity", "rule", "rows", "sentence")
        rows = [[one.get(name) for name in names] for one in facts["findings"]]
        yield from _table((*names[:-1], "meaning"), rows)
        yield ""
    else:
        yield "The audit found nothing that was not accepted.\n"
    if facts["accepted"]:
        names = ("severity", "rule", "rows", "held_by", "reason", "until")
        yield "Accepted findings:\n"
        yield from _table(names, [[one.get(name) for name in names] for one in facts["accepted"]])
        yield ""


def _impact(facts: Mapping[str, Any]) -> Iterator[str]:
    totals, blocks = facts["impact"]["totals"], facts["impact"]["blocks"]
    if not totals:
        yield "No address is forwarded differently."
        return
    said = (f"{one['addresses']:,} addresses {one['change']}" for one in totals)
    yield f"Once all changes are done: {', '.join(said)}.\n"
    rows = [
        one
        | {"addresses": f"{one['addresses']:,}"}
        | {side: one[side] or "no route" for side in ("before", "after")}
        for one in blocks[:_LISTED]
    ]
    yield from _table([*blocks[0]], [row.values() for row in rows])
    yield from _more(len(blocks), _LISTED, "blocks")


def _table(names: Sequence[str], rows: Any) -> Iterator[str]:
    """Yield a table; its cells may contain any text."""
    yield f"| {' | '.join(name.replace('_', ' ') or ' ' for name in names)} |"
    yield f"|{' --- |' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(markdown_cell(cell) for cell in row)} |"


def _more(total: int, shown: int, things: str) -> Iterator[str]:
    if total > shown:
        yield f"\n{total - shown:,} more {things} are in the record as JSON."
