"""iprange, a C program of the FireHOL project: a file of prefixes in, the fewest blocks out."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from benchmarks.contest import Entry, Prepare, prefixes_of_file
from benchmarks.given import Given


def _blocks(given: Given) -> Entry:
    program = shutil.which("iprange")
    source, target = given.list, given.folder / "blocks-iprange.txt"

    def merge() -> None:
        with target.open("wb") as file:
            subprocess.run([program, "--merge", source], stdout=file, check=True)

    return Entry(merge, lambda _: prefixes_of_file(target))


ENTRIES: Final[dict[str, Prepare]] = {"blocks": _blocks}
