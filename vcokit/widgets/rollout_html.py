"""A rollout's board as HTML: pure functions from what is known to what is shown.

==============  ==========================================================================
`head`          plan, state, stacked progress, time, rate against limit
`lanes`         one small cell a connection, filled as far as it is made
`events`        what happened last
`failures`      a table: code, message, what to do, request id
`static_page`   all of it, for a saved notebook without a kernel
==============  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from vcokit._text import duration
from vcokit.rollout.plan import Plan
from vcokit.rollout.steps import OPERATION
from vcokit.widgets.board import Board, Failure, Lane
from vcokit.widgets.pace import Rate, Remaining
from vcokit.widgets.style import fact, grey, page, sheet, stacked, table, text

#: The states from left to right: what is over, what is under way, what is to come.
ORDER: Final = (
    "done",
    "settled",
    "accepted",
    "sent",
    "unknown",
    "failed",
    "skipped",
    "pending",
    "blocked",
)
#: Colour of the rollout's own state.
_LAMP: Final = {
    "ready": "pending",
    "looking": "sent",
    "running": "accepted",
    "paused": "skipped",
    "cancelling": "skipped",
    "finished": "done",
    "cancelled": "skipped",
    "stale": "failed",
    "stopped": "failed",
    "interrupted": "failed",
    "broken off": "failed",
}
_MANY_LANES: Final = 600  # from which cells are smaller
_CELL, _SMALL_CELL = 14, 8  # pixels, as in the style sheet
_VERBS: Final = {operation: action for action, operation in OPERATION.items()}
_RATES_SHOWN: Final = 3
FAILURES_SHOWN: Final = 50
_FAILURE_HEADS: Final = (
    ("step", "52px"),
    ("route", "21%"),
    ("connection", "19%"),
    ("code", "17%"),
    ("what was said, what to do", "auto"),
    ("request id", "15%"),
)


@dataclass(frozen=True)
class Title:
    """What of a rollout does not change.

    Parameters
    ----------
    fingerprint : str
    summary : str
        Counts of the plan by action.
    journal : str
        Name of the file.
    """

    fingerprint: str
    summary: str
    journal: str

    @classmethod
    def of(cls, plan: Plan, journal: str) -> Title:
        """Return the title of a plan that is carried out."""
        planned = (f"{count:,} {action}" for action, count in plan.counts.items() if count)
        return cls(plan.fingerprint[:12], ", ".join(planned) or "nothing to do", journal)


@dataclass(frozen=True)
class Moment:
    """What a clock adds to a board.

    Parameters
    ----------
    elapsed : float or None
        Seconds since the start; None before.
    remaining : Remaining or None
    rates : sequence of Rate
    """

    elapsed: float | None = None
    remaining: Remaining | None = None
    rates: Sequence[Rate] = ()


def head(board: Board, title: Title, moment: Moment) -> str:
    """Return which rollout this is, how it stands and how fast it goes."""
    lamp = _LAMP.get(board.state, "pending")
    because = f" {grey(board.message)}" if board.message else ""
    top = (
        f'<span class="t">Rollout</span><span class="pill"><span class="key" style="margin:0">'
        f'<i class="s-{lamp}"></i>{text(board.state)}</span></span>'
        f"plan <code>{text(title.fingerprint)}</code> {grey(title.summary)}"
        f" {grey('· journal')} <code>{text(title.journal)}</code>{because}"
    )
    counts = board.states
    return page(
        f"<div>{top}</div>",
        stacked((f"s-{name}", name, counts[name]) for name in ORDER),
        f'<div class="row">{"".join(_facts(board, moment))}</div>',
    )


def _facts(board: Board, moment: Moment) -> list[str]:
    share = 1.0 if not board.sends else board.made / board.sends
    # Rounded down: 100 % is said of nothing but the end.
    found = [fact(f"{int(100 * share)} %", f"of {board.sends:,} changes made")]
    if moment.elapsed is None:
        return [*found, grey("not started")]
    found.append(fact(duration(round(moment.elapsed)), "in all" if board.ended else "so far"))
    if not board.ended:
        found.append(_left(board, moment.remaining))
        found += [_rate(rate) for rate in moment.rates[:_RATES_SHOWN]]
    words = f"calls, {board.refused:,} not ok"
    return [*found, fact(f"{sum(board.calls.values()):,}", words)]


def _left(board: Board, remaining: Remaining | None) -> str:
    if remaining is None:
        return grey("time left: too early to tell")
    stands = ", once it goes on" if board.state == "paused" else ""
    return fact(f"≈ {duration(round(remaining.seconds))}", f"left, by {remaining.by}{stands}")


def _rate(rate: Rate) -> str:
    verb = _VERBS.get(rate.operation, rate.operation)
    where = f"{verb} calls/s in {rate.region_id}"
    if rate.limit is None:
        return fact(f"{rate.a_second:.3g}", where)
    share = min(100.0, 100 * rate.a_second / rate.limit)
    meter = (
        f'<span class="meter" title="{share:.0f} % of the limit">'
        f'<i style="width:{share:.0f}%"></i></span>'
    )
    return fact(f"{rate.a_second:.3g} of {rate.limit:.3g}", where, meter)


def lanes(every: Sequence[Lane]) -> str:
    """Return one element with a small cell a connection, filled from below as changes are made."""
    many = len(every) > _MANY_LANES
    high = _SMALL_CELL if many else _CELL
    cells = "".join(_cell(lane, high) for lane in every)
    said = f"{len(every):,}, a cell each; green grows as changes are made"
    return page(
        f"<h4>Connections {grey(said)}</h4>",
        f'<div class="lanes{" many" if many else ""}">{cells}</div>',
    )


def _cell(lane: Lane, high: int) -> str:
    # Rounded down, so that one step of a thousand that is still to be made can be seen.
    plain = lane.state in ("done", "settled")
    filled = 0 if plain else high * lane.made // max(1, lane.total)
    # What is made of a lane whose rest is blocked was listed: it is done, and has that green.
    fill = f" f{filled}{' d' if lane.state == 'blocked' else ''}" if filled else ""
    name = text(lane.vpn_connection_id)
    return (
        f'<i class="s-{lane.state}{fill}" '
        f'title="{name}: {lane.state}, {lane.made} of {lane.total} made"></i>'
    )


def events(board: Board) -> str:
    """Return the latest events, the last first."""
    lines = "".join(
        f'<tr><td class="m">{_clock(at)}</td><td title="{text(words)}">{text(words)}</td></tr>'
        for at, words in reversed(board.events)
    )
    if not lines:
        return ""
    columns = '<colgroup><col style="width:82px"><col></colgroup>'
    return page("<h4>Latest events</h4>", f"<table>{columns}<tbody>{lines}</tbody></table>")


def _clock(at: float) -> str:
    # UTC, as in the journal: the kernel's own zone says nothing to whoever looks from elsewhere.
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}Z"


def failures(found: Sequence[Failure], total: int) -> str:
    """Return a table of the first failures that were found, of so many in all."""
    rows = [
        (
            failure.step,
            failure.what,
            failure.vpn_connection_id,
            failure.code,
            ". ".join(part for part in (failure.message, failure.remedy) if part),
            failure.request_id,
        )
        for failure in found[:FAILURES_SHOWN]
    ]
    said = f"{len(found):,} of {total:,}" if len(found) < total else f"{total:,}"
    cut = f", the first {FAILURES_SHOWN} shown" if len(found) > FAILURES_SHOWN else ""
    return page(
        f"<h4>Failed or in doubt {grey(said + cut)}</h4>", table(_FAILURE_HEADS, rows, wrap=True)
    )


def static_page(board: Board, title: Title, moment: Moment, rule: str = "") -> str:
    """Return the whole view as HTML that needs nothing else: no kernel, no widget, no script.

    Parameters
    ----------
    rule : str
        CSS that goes with it.
    """
    parts = [head(board, title, moment), lanes(board.lanes()), events(board)]
    if board.failures:
        found = board.failures_with()
        parts.append(failures(found, len(found)))
    return sheet(rule) + "".join(parts)
