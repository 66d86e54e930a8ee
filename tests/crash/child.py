"""The process that is killed: starts a rollout against a simulator, or goes on with one."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

import vcokit as vk
from vcokit import schema
from vcokit.rollout.plan import PLAN_COLUMNS

#: Waits of this machine, not of the cloud; short ones, so that much happens in little time.
SETTINGS = {
    "VCOKIT_RETRY_BASE": "0.02",
    "VCOKIT_RETRY_CAP": "0.3",
    "VCOKIT_READ_ATTEMPTS": "12",
    "VCOKIT_STEP_ATTEMPTS": "12",
    "VCOKIT_LOST_ATTEMPTS": "50",
}
COLUMNS = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]


class Keys(NamedTuple):
    """What signs."""

    access_key_id: str
    access_key_secret: str


@dataclass
class Cloud:
    """The simulator of another process, as `connect` takes it."""

    endpoint: str
    credentials: Keys
    speed: float


def deleting(plan: vk.Plan, live: pd.DataFrame, doomed: set[str]) -> vk.Plan:
    """Return a plan that deletes live routes besides."""
    gone = live[live["route_dest"].isin(doomed)].reset_index(drop=True)
    extra = {name: gone[name] for name in COLUMNS}
    extra |= {"action": pd.Series("delete", gone.index), "state": pd.Series("pending", gone.index)}
    extra["scope"] = gone["region_id"]
    extra["step"] = pd.Series(gone.index + len(plan.steps))
    columns = {name: schema.STEPS[name] for name in PLAN_COLUMNS}
    steps = pd.concat([plan.steps, schema.frame(columns, extra)], ignore_index=True)
    return replace(plan, steps=steps.astype(columns))


def planned(client: Any, routes: pd.DataFrame, doomed: set[str]) -> vk.Plan:
    """Return what there is to do."""
    live = vk.live_routes(client, routes)
    return deleting(vk.plan_routes(routes, live), live, doomed)


def go(
    verb: str,
    endpoint: str,
    keys: tuple[str, str],
    speed: float,
    journal: str,
    routes: pd.DataFrame,
    doomed: set[str],
) -> None:
    """Start or resume, and see it to its end."""
    with vk.connect(Cloud(endpoint, Keys(*keys), speed)) as client:
        if verb == "resume":
            rollout = vk.Rollout.open(journal, client)
        else:
            rollout = vk.Rollout(planned(client, routes, doomed), client, journal=journal)
        rollout.start().wait().raise_on_error()
        if rollout.state != "finished":
            raise RuntimeError(f"ended {rollout.state}: {rollout.tally().message}")


def run(said: str, settings: Mapping[str, str], *given: Any) -> None:
    """Run `go` in a process of its own; what goes wrong is written into a file."""
    os.environ.update(settings)
    try:
        go(*given)
    except BaseException:
        Path(said).write_text(traceback.format_exc(), encoding="utf-8")
        sys.exit(1)
