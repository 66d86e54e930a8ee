"""Answers are compared before anything is timed: a fast wrong answer is worth nothing.

Answers must be equal, element by element. One thing is excused: a peer that reads a cell which
the strict form refuses, in an inventory with mistakes in it. That is counted and told, by kind of
mistake. What such a cell says is known from how it was made, and ours must equal that.
"""

from __future__ import annotations

import numpy as np

from benchmarks.contest import OURS, Answer, Case
from benchmarks.given import Given


class DisagreementError(Exception):
    """Two programs answer a case differently, so that their times cannot be compared."""


def compare(case: Case, given: Given, ours: Answer, theirs: Answer, peer: str) -> str:
    """Compare two answers; return what was excused, in words, or nothing.

    Parameters
    ----------
    case : Case
    given : Given
        What both were asked about.
    ours, theirs : mapping of str to ndarray
        Those parts that both have are compared.
    peer : str

    Raises
    ------
    DisagreementError
        If they differ, or have nothing in common; it names the first rows that differ.

    Examples
    --------
    >>> from pathlib import Path
    >>> from benchmarks.contest import BY_NAME
    >>> case, given = BY_NAME["table"], Given(Path("nowhere"))
    >>> compare(case, given, {"position": np.array([0, -1])}, {"position": np.array([0, -1])}, "x")
    ''
    >>> compare(case, given, {"position": np.array([0, 7])}, {"position": np.array([0, -1])}, "x")
    Traceback (most recent call last):
    ...
    benchmarks.agreement.DisagreementError: table: vcokit and x differ in 1 of 2, row 1: 7, -1
    """
    common = ours.keys() & theirs.keys()
    if not common:
        raise DisagreementError(f"{case.name}: nothing of {peer}'s answer can be compared")
    notes = [_part(case, given, name, ours[name], theirs[name], peer) for name in sorted(common)]
    return "; ".join(filter(None, notes))


def _part(
    case: Case, given: Given, name: str, ours: np.ndarray, theirs: np.ndarray, peer: str
) -> str:
    """Compare one part of two answers."""
    if ours.shape != theirs.shape:
        raise DisagreementError(
            f"{case.name}: {OURS} has {ours.size:,}, {peer} {theirs.size:,} of {name}"
        )
    different = np.atleast_1d(ours != theirs)
    excused = np.zeros(different.shape, np.bool_)
    if case.dirty and name == "reads":
        excused = different & (given.reads < 0)
    wrong = np.flatnonzero(different & ~excused)
    if len(wrong):
        row = int(wrong[0])
        pair = f"{np.atleast_1d(ours)[row]}, {np.atleast_1d(theirs)[row]}"
        raise DisagreementError(
            f"{case.name}: {OURS} and {peer} differ in {len(wrong):,} of {different.size:,}, "
            f"row {row}: {pair}"
        )
    if not excused.any():
        return ""
    kinds = ", ".join(np.unique(given.kinds[excused]).tolist())
    return f"{peer} reads {int(excused.sum()):,} cells that the strict form refuses: {kinds}"


def compare_with_truth(case: Case, given: Given, ours: Answer) -> None:
    """Compare what was read of each cell with what was written into it.

    Raises
    ------
    DisagreementError
        If a cell was misread.
    """
    if "reads" in ours:
        strict = Case(case.name, case.title)
        compare(strict, given, ours, {"reads": given.reads}, "the inventory itself")
