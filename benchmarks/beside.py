"""Ours beside each peer: answers compared, times interleaved, memory each in its own process."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import child
from benchmarks.agreement import compare, compare_with_truth
from benchmarks.contest import CASES, JUDGED, OURS, Case, Entry
from benchmarks.given import Given
from benchmarks.peers import BY_NAME, PEERS, VCOKIT, Peer
from benchmarks.timing import interleaved, ratio

Say = Callable[[str], None]


def run(
    givens: dict[bool, Given],
    cases: Iterable[str],
    rounds: int,
    *,
    say: Say,
    memory: bool = True,
) -> list[dict[str, Any]]:
    """Ask every case of all who are here.

    Parameters
    ----------
    givens : dict
        The inventory without mistakes (False) and with (True).
    cases : iterable of str
        Names of cases; their order is that of `CASES`.
    rounds : int
    say : callable
        Gets a line at every step.
    memory : bool
        Whether memory is measured too.

    Returns
    -------
    list of dict
        As `beside` returns, one a case.
    """
    wanted = set(cases)
    peers = [peer for peer in PEERS if not peer.missing]
    chosen = [case for case in CASES if case.name in wanted]
    return [
        beside(case, givens[case.dirty], peers, rounds, say=say, memory=memory) for case in chosen
    ]


def beside(
    case: Case, given: Given, peers: Iterable[Peer], rounds: int, *, say: Say, memory: bool
) -> dict[str, Any]:
    """Ask one case of ours and of the peers that can answer it.

    Returns
    -------
    dict
        ``case``, ``title``, ``shape``, ``entries`` (by program: seconds, median, before_mib,
        peak_mib), ``ratios`` (by peer: median, low, high, and the target,
        None below `JUDGED` rows), ``notes``.

    Raises
    ------
    DisagreementError
        If answers differ; nothing is timed then.
    """
    able = [peer for peer in peers if case.name in peer.entries]
    say(f"{case.name}: answers of {', '.join([OURS, *(peer.name for peer in able)])} compared")
    entries, notes = agreed(case, given, able)
    say(f"{case.name}: {rounds} rounds")
    calls = {name: entry.call for name, entry in entries.items()}
    seconds = interleaved(calls, rounds, case.room * given.shape.rows)
    calls.clear()
    entries.clear()
    found: dict[str, dict[str, Any]] = {
        name: {"seconds": times, "median": statistics.median(times)}
        for name, times in seconds.items()
    }
    for name in found if memory else ():
        if not BY_NAME[name].program:  # another program's memory is not this process's
            say(f"{case.name}: memory of {name}")
            apart = child.ask(given.folder, case.name, name)
            found[name] |= {key: apart[key] for key in ("before_mib", "peak_mib")}
    target = case.targets if given.shape.rows >= JUDGED else {}
    ratios = {
        peer.name: ratio(seconds[OURS], seconds[peer.name])._asdict()
        | {"target": target.get(peer.name)}
        for peer in able
    }
    return {
        "case": case.name,
        "title": case.title,
        "shape": str(given.shape),
        "entries": found,
        "ratios": ratios,
        "notes": notes,
    }


def agreed(case: Case, given: Given, peers: Iterable[Peer]) -> tuple[dict[str, Entry], list[str]]:
    """Return everyone's entry, each having answered once as ours did, and what was excused."""
    entries = {OURS: VCOKIT.entries[case.name](given)}
    ours = entries[OURS].answer(entries[OURS].call())
    compare_with_truth(case, given, ours)
    notes = []
    for peer in peers:
        entry = peer.entries[case.name](given)
        notes.append(compare(case, given, ours, entry.answer(entry.call()), peer.name))
        entries[peer.name] = entry
    if len(entries) == 1 and "reads" not in ours:
        notes.append("answers compared with nobody's: no peer that can give one is here")
    return entries, [note for note in notes if note]
