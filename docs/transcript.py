"""Write `docs/transcript.md`: a new user's session, by running it in an empty folder.

::

    SESSION ─▶ a simulator, a folder, one shell ─▶ Block (command, its output) ─▶ page()

Some output differs from run to run: how far a rollout came before it was killed, rates, seconds. The
page shows it as it was. `steady` removes it, so that a test can compare another run with the page.
"""

# ruff: noqa: E501 - each paragraph is one line, as on the page

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = Path(__file__).parent / "transcript.md"
#: Changes that are under way or done when the rollout is killed.
_ENOUGH: Final = 8
_PATIENCE: Final = 120.0
_ACCEPTED: Final = "SELECT count(*) FROM step WHERE accepted_at IS NOT NULL"
_UNANSWERED: Final = "SELECT count(*) FROM call WHERE outcome IS NULL"
#: First words of the lines that say how far a rollout came.
_HOW_FAR: Final = ("states", "calls", "left", "done", "began")


@dataclass(frozen=True)
class Step:
    """One command of the session.

    Parameters
    ----------
    text : str
        The sentence before it.
    command : str
    code : int
        Its exit code.
    kill : bool
        Whether SIGKILL ends it before it has finished.
    """

    text: str
    command: str
    code: int = 0
    kill: bool = False


SESSION: Final = (
    Step(
        "Somebody sent forty routes. What is wrong with them? The audit makes no call. Exit code 1 means that there are errors.",
        "vcokit audit routes.csv --limit 4",
        1,
    ),
    Step(
        "What would be sent to one of the connections? The plan is saved for review. It would list rows with errors as blocked.",
        "vcokit plan routes.csv --save plan.jsonl --only-connection vco-gw82baoshi8ux17y9tgrk",
    ),
    Step(
        "Now all connections. During the rollout the process is killed with SIGKILL: no warning, no chance to clean up.",
        "vcokit apply routes.csv --journal rollout.db --yes",
        -9,
        kill=True,
    ),
    Step(
        "The journal knows how far the rollout came. `status` only reads it.",
        "vcokit status rollout.db",
    ),
    Step(
        "Resume the rollout. Steps that are done stay done. Steps that were under way are checked before anything is sent.",
        "vcokit resume rollout.db",
    ),
    Step("", "vcokit status rollout.db"),
    Step(
        "Is that true? `verify` reads the routes back from the cloud and compares them row by row.",
        "vcokit verify routes.csv",
    ),
    Step(
        "The plan that was saved first is stale now, because the live routes have changed. Exit code 3.",
        "vcokit apply plan.jsonl --journal again.db --yes",
        3,
    ),
    Step(
        "Where does the traffic to an address go?",
        "vcokit explain 18.192.142.9 routes.csv",
    ),
    Step(
        "It was all a mistake: revert what this rollout provably did. If the kill had cut off the answer to a write, nobody could prove who created that route. Undo would list it as blocked, and not touch it.",
        "vcokit undo rollout.db --yes --format diff",
    ),
    Step(
        "Compare the inventory with the live routes: everything is gone again. Exit code 1 means that they differ.",
        "vcokit diff routes.csv --limit 3",
        1,
    ),
)

OPENING: Final = """# A new user's session

`python docs/transcript.py` runs this session and writes this page. It uses an empty folder, an inventory, and a simulator instead of the cloud. Only the port of the simulator is changed on the page. Standard output and standard error are shown together, as on a terminal.

```console
$ cp data/routes-small.csv routes.csv
$ vcokit simulate routes.csv --port 8601 --speed 20 &
$ export VCOKIT_ENDPOINT=http://127.0.0.1:8601 VCOKIT_POLL_INTERVAL=0.1
$ export ALIBABA_CLOUD_ACCESS_KEY_ID=simulator-access-key-id
$ export ALIBABA_CLOUD_ACCESS_KEY_SECRET=simulator-access-key-secret
```

"""


@dataclass(frozen=True)
class Block:
    """A command of the session and its output.

    Parameters
    ----------
    step : Step
    said : str
    """

    step: Step
    said: str


def main() -> int:
    """Run the session and write the page."""
    PAGE.write_text(page(play()), encoding="utf-8")
    return 0


def page(blocks: list[Block]) -> str:
    """Return the session as Markdown."""
    parts = []
    for block in blocks:
        text = f"{block.step.text}\n\n" if block.step.text else ""
        killed = "[killed]\n" if block.step.kill else ""
        parts.append(f"{text}```text\n$ {block.step.command}\n{block.said}{killed}```\n")
    return OPENING + "\n".join(parts)


def steady(page: str) -> str:
    r"""Return a page without the parts that differ from run to run.

    Examples
    --------
    >>> steady("states  3 done, 1 sent\n  done 3  1.5/s\nForecast: 24 s\n")
    'states\nForecast: # s\n'
    """
    kept = []
    for line in page.splitlines():
        words = line.split()
        if re.match(r"  [a-z]+ \d+  ", line):
            continue
        kept.append(
            words[0] if words and words[0] in _HOW_FAR else re.sub(r"[\d,.]+ s\b", "# s", line)
        )
    return "\n".join(kept) + "\n"


def play() -> list[Block]:
    """Run the session in an empty folder.

    Raises
    ------
    RuntimeError
        If a command exits with another code than the session says.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        shutil.copy(ROOT / "data" / "routes-small.csv", here / "routes.csv")
        with _cloud(here) as environ:
            return [_done(step, here, environ) for step in SESSION]


@contextmanager
def _cloud(here: Path) -> Iterator[dict[str, str]]:
    """Serve a simulator; yield the environment that names it."""
    environ = {name: value for name, value in os.environ.items() if "ALIBABA" not in name}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    environ |= {"HOME": str(here), "COLUMNS": "120", "VCOKIT_POLL_INTERVAL": "0.1"}
    command = shlex.split("vcokit simulate routes.csv --speed 20")
    options = {"cwd": here, "env": environ, "text": True, "stdin": subprocess.DEVNULL}
    served = subprocess.Popen(  # noqa: S603 - our own command, in our own folder
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options
    )
    try:
        endpoint = served.stdout.readline().split()[-1]
        keys = {"ID": "simulator-access-key-id", "SECRET": "simulator-access-key-secret"}
        environ |= {f"ALIBABA_CLOUD_ACCESS_KEY_{name}": key for name, key in keys.items()}
        yield environ | {"VCOKIT_ENDPOINT": endpoint}
    finally:
        served.terminate()
        served.communicate()


def _done(step: Step, here: Path, environ: dict[str, str]) -> Block:
    running = subprocess.Popen(  # noqa: S603 - as above
        shlex.split(step.command),
        cwd=here,
        env=environ,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if step.kill:
        _wait_for(here / "rollout.db", running)
        running.send_signal(signal.SIGKILL)
    said = running.communicate()[0]
    if running.returncode != step.code:
        raise RuntimeError(f"{step.command}: exit code {running.returncode}\n{said}")
    lines = said.replace(environ["VCOKIT_ENDPOINT"], "http://127.0.0.1:8601").splitlines()
    return Block(step, "".join(f"{line.rstrip()}\n" for line in lines))


def _wait_for(journal: Path, running: subprocess.Popen[str]) -> None:
    """Stop the process when enough is under way or done, and no write is without its answer.

    Nobody can prove what a call with a lost answer did, and undo does not touch it. The rest of the
    session would then differ from run to run.
    """
    until = time.monotonic() + _PATIENCE
    while running.poll() is None and time.monotonic() < until:
        if _counted(journal, _ACCEPTED) >= _ENOUGH:
            running.send_signal(signal.SIGSTOP)
            if not _counted(journal, _UNANSWERED):
                return
            running.send_signal(signal.SIGCONT)
        time.sleep(0.02)


def _counted(journal: Path, query: str) -> int:
    """Return what a query counts in a journal; 0 while there is no journal."""
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as looked:
            return int(looked.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
