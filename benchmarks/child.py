"""One entry alone in a process of its own: what it needs of memory, and its times.

Memory is the high-water mark of the process (``VmHWM``), set back before the first call, so that
what was loaded counts and what making it took does not. ``ru_maxrss`` would not do: Linux hands it
down from a parent that was larger, through vfork and exec. It stands in where there is no /proc,
and is then an upper bound.

    python -m benchmarks.child ask FOLDER CASE PEER ROUNDS    prints one line of JSON
    python -m benchmarks.child make FOLDER SHAPE ADDRESSES    writes an inventory
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from benchmarks.given import Given
from benchmarks.inventories import Shape
from benchmarks.peers import BY_NAME
from benchmarks.timing import clocked, settle

_ROOT: Final = Path(__file__).parent.parent
_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_SET_BACK: Final = "5"  # proc(5): the high-water mark becomes what is resident now


def ask(folder: Path, case: str, peer: str, rounds: int = 1) -> dict[str, Any]:
    """Run one entry in a process of its own.

    Returns
    -------
    dict
        ``seconds``, a list; ``before_mib``, what the process held before the first call;
        ``peak_mib``, the most it held during that call.
    """
    output = _python("ask", folder, case, peer, rounds)
    return dict(json.loads(output))


def make(shape: Shape, folder: Path, addresses: int) -> Given:
    """Generate an inventory in a process of its own, so that this one stays small."""
    _python("make", folder, json.dumps(asdict(shape)), addresses)
    return Given(folder)


def _python(*arguments: object) -> str:
    command = [sys.executable, "-m", "benchmarks.child", *map(str, arguments)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stderr.strip()}")
    return done.stdout


def _ask(given: Given, case: str, peer: str, rounds: int) -> dict[str, Any]:
    """Run one entry in this process."""
    entry = BY_NAME[peer].entries[case](given)
    pa.default_memory_pool().release_unused()
    settle()  # a call that took freed memory again would seem to need none
    _set_back()
    before = mib("VmRSS")
    seconds = []
    peak = 0.0
    for turn in range(rounds):
        gc.collect()
        taken, result = clocked(entry.call)
        seconds.append(taken)
        peak = peak if turn else mib("VmHWM")
        del result
    return {"seconds": seconds, "before_mib": before, "peak_mib": peak}


def _set_back() -> None:
    if _CLEAR.exists():
        _CLEAR.write_text(_SET_BACK)


def mib(field: str) -> float:
    """Return a field of the process's status, in MiB."""
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    match arguments:
        case ["ask", folder, case, peer, rounds]:
            print(json.dumps(_ask(Given(Path(folder)), case, peer, int(rounds))))
        case ["make", folder, shape, addresses]:
            Given.make(Shape(**json.loads(shape)), Path(folder), addresses=int(addresses))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
