"""A fleet over HTTP that is killed again and again: like `accident`, with several accounts.

Each account is accounted for by itself: what its cloud saw, what its journal says, what is live.
"""

from __future__ import annotations

import os
import random
import signal
from functools import partial
from pathlib import Path
from unittest.mock import patch

import vcokit as vk
from tests.crash import ledger
from tests.crash.accident import FORKS, LOSSY, PATIENCE, SETTINGS, Outcome, Trap, changes, run
from tests.rollout.accounts import Accounts, connect_to
from vcokit.simulator import Fault


def play(seed: int, kills: int, folder: Path) -> Outcome:
    """Play the case of a seed: kill its fleet so many times, then let it end."""
    chance = random.Random(f"fleet/{seed}")
    names = [f"m{number}" for number in range(chance.randint(3, 5))]
    kinds = chance.sample([*LOSSY, "throttle", "busy", "task_fails"], 3)
    faults = [Fault(kind, probability=chance.uniform(0.01, 0.08)) for kind in kinds]
    trap, size = Trap(), {"lanes": chance.randint(1, 3), "each": chance.randint(2, 6)}
    options = {
        "max_members": chance.randint(1, 3),
        "waves": chance.choice([None, [1, None], [1, 2, None]]),
    }
    accounts = Accounts(
        names, *faults, **size, speed=400.0, seed=seed, task_seconds=(0.5, 8.0), wall=trap
    )
    with accounts:
        with patch.dict(os.environ, SETTINGS):
            for name, plan in accounts.plans().items():
                plan.save(folder / f"{name}.jsonl")
        before, died, code = len(accounts.cloud.calls()), 0, None
        while died < kills or code is None:
            doomed = died < kills
            given = (accounts.cloud.endpoint, accounts.keys, folder, options)
            process = FORKS.Process(target=go_in_process, args=(folder / "said.txt", *given))
            process.start()
            if doomed and chance.random() < 0.6:
                trap.set(process.pid, chance.randint(1, 40))
            elif doomed:
                journal = folder / "fleet" / f"{chance.choice(names)}.db"
                if changes(journal, chance.randint(1, 12), process):
                    process.kill()
            process.join(PATIENCE)
            hangs = process.is_alive()
            if hangs:
                process.kill()
                process.join()
            trap.set(None, 0)
            if hangs or process.exitcode != -signal.SIGKILL:
                code = process.exitcode
                break
            died += 1
        found = [] if code == 0 and not hangs else [f"no end: {said(folder, hangs=hangs)}"]
        history, live = accounts.cloud.calls().iloc[before:], accounts.cloud.routes()
    seen = 0
    for name in names if (folder / "fleet").exists() else ():
        with vk.Journal.read(folder / "fleet" / f"{name}.db") as journal:
            steps, calls = journal.steps(), journal.calls()
            if journal.holder() is not None:
                found.append(f"{name}: held by {journal.holder()} after its end")
        mine = history[history["account_id"] == name]
        there = live[live["vpn_connection_id"].isin(steps["vpn_connection_id"])]
        wrong = ledger.violations(steps, calls, mine, ledger.live_of(there), set())
        found += [f"{name}: {one}" for one in wrong]
        seen += int(calls["outcome"].isna().sum())
    return Outcome(seed, died, len(history), seen, found)


def said(folder: Path, *, hangs: bool) -> str:
    """Return what went wrong in the last life."""
    told = folder / "said.txt"
    return "it hangs" if hangs else told.read_text("utf-8") if told.exists() else "it said nothing"


def go_in_process(told: Path, *given: object) -> None:
    """Live a life in a process of its own; what goes wrong is written into a file."""
    run(told, *given, go=go)


def go(
    endpoint: str, keys: dict[str, tuple[str, str]], folder: Path, options: dict[str, object]
) -> None:
    """Start the fleet, or resume it where there is one, and see it to its end."""
    clients = {name: partial(connect_to, endpoint, 400.0, key) for name, key in keys.items()}
    if (folder / "fleet").exists():
        fleet = vk.Fleet.open(folder / "fleet", clients)
    else:
        plans = {name: vk.Plan.load(folder / f"{name}.jsonl") for name in keys}
        fleet = vk.Fleet(plans, clients, directory=folder / "fleet", **options)
    fleet.start().wait().raise_on_error()
