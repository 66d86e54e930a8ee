"""Which steps wait for which others, so that no address is uncovered in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Gap:
    """Steps that cannot be ordered without a gap.

    Parameters
    ----------
    steps : tuple of int
    reason : str
        Names networks and connections.
    """

    steps: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Order:
    """Which steps wait for which others.

    Parameters
    ----------
    makes : mapping of int to int
        From a step that creates or raises to the mark it helps to make.
    breaks : mapping of int to int
        From a step that deletes or lowers to the gate it stands behind.
    needs : tuple of tuple of int
        By gate, the marks that must be complete before it opens: every step of a mark done.
    before : mapping of int to tuple of int
        Other waits: from a step to steps that must be done first.
    gaps : tuple of Gap
        What cannot be ordered.
    """

    makes: Mapping[int, int] = field(default_factory=dict)
    breaks: Mapping[int, int] = field(default_factory=dict)
    needs: tuple[tuple[int, ...], ...] = ()
    before: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
