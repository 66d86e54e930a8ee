"""How far reading has come, in bytes of all files, said to whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

#: Hears bytes done and bytes in all; see `Meter`.
Hook: TypeAlias = Callable[[int, int], object]

_log: Final = logging.getLogger("vcokit.inventory")


class Meter:
    """The bytes of several sources, as they are read one after the other.

    The hook hears numbers that never fall, first ``(0, total)`` and at last ``(total, total)``.
    The total grows where the size of a source (standard input, say) is known only once it is
    read. A hook that raises is logged once and not called again; Ctrl-C passes.

    Examples
    --------
    >>> meter = Meter(lambda done, total: print(done, total), [10, 30])
    0 40
    >>> meter.begin(10)
    >>> meter(0.5)
    5 40
    >>> meter.end()
    10 40
    """

    def __init__(self, hook: Hook | None, sizes: list[int]) -> None:
        self._hook = hook
        self._sizes = sizes
        self._total = sum(sizes)
        self._before = self._size = 0
        self._say(0)

    def begin(self, size: int) -> None:
        """Take in the next source, of which so many bytes were read."""
        known = self._sizes.pop(0)
        self._size = known or size
        self._total += self._size - known

    def __call__(self, part: float) -> None:
        """Say that a part of the source is done, from 0 to 1."""
        self._say(self._before + int(self._size * part))

    def end(self) -> None:
        """Say that the source is done."""
        self(1.0)
        self._before += self._size

    def _say(self, done: int) -> None:
        if self._hook is None:
            return
        try:
            self._hook(done, self._total)
        except Exception:
            _log.exception("the progress hook failed and is called no more")
            self._hook = None
