"""One inventory put to both judges: the audit at once, the simulator's cloud row by row.

Time is virtual: when a row is sent, the task of the row before it is long over and its call has
left the window of the rate limit, so that there are no waiting troubles. A row that is refused
because its connection is on its way somewhere is sent once more when it has got there.

What a cell stands for in a request is written here once more, from the design page: an empty or
blank cell is no parameter, a whole number loses the ``.0`` of a spreadsheet, all else goes as it
stands. Where the audit is not told of connections it takes the rows' word for where they are; so
then all rows of a connection name one region, which is where the cloud has it, attached.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import product

import pandas as pd

import vcokit as vk
from tests.audit.oracle_cells import none_if_blank
from tests.inventories import Inventory, Row, as_read, at_rest, draw
from vcokit.simulator.backend import Cloud

#: Simulated seconds between two rows; a task takes one, and the window of the limit is a minute.
PACE = 10.0
PARAMETERS = {
    "region_id": "RegionId",
    "vpn_connection_id": "VpnConnectionId",
    "route_dest": "RouteDest",
    "weight": "Weight",
    "next_hop": "NextHop",
}
#: What the audit is told: live routes, live connections, the quota.
Told = tuple[bool, bool, bool]
TOLD: list[Told] = list(product((False, True), repeat=3))


@dataclass(frozen=True)
class Trial:
    """An inventory with its cloud, of which the audit is told a part; the rest is not there."""

    inventory: Inventory
    told: Told

    @classmethod
    def draw(cls, seed: int, told: Told) -> Trial:
        """Draw the trial of a seed."""
        inventory = draw(random.Random(seed), wild=told[1], carried=True)
        return cls(inventory if told[0] else replace(inventory, live=()), told)

    def told_frames(self) -> dict[str, object]:
        """Return what the audit is told, by the names of its arguments."""
        live, connections, quota = self.told
        given: dict[str, object] = {}
        if live:
            names = ["region_id", "vpn_connection_id", "route_dest", "next_hop", "weight"]
            given["live"] = pd.DataFrame(self.inventory.live_rows(), columns=names)
        if connections:
            names = ["vpn_connection_id", "region_id", "name", "attach_type", "transit_router_id"]
            rows = self.inventory.connection_rows()
            given["connections"] = pd.DataFrame(rows, columns=[*names, "state", "attached"])
        if quota:
            given["quota"] = self.inventory.quota
        return given


def predicted(trial: Trial) -> list[str]:
    """Return the code that the audit foretells for each row, empty for none.

    Raises
    ------
    AssertionError
        If it foretells two for one row.
    """
    findings = vk.audit_routes(trial.inventory.typed(), **trial.told_frames())
    said = findings.loc[findings["api_code"].notna(), ["row", "api_code"]]
    assert not said["row"].duplicated().any(), "more than one code for a row"
    codes = dict(zip(said["row"], said["api_code"], strict=True))
    return [codes.get(number, "") for number in range(len(trial.inventory.rows))]


def answered(trial: Trial) -> list[str]:
    """Return the code that the cloud answers to each row, empty where it accepts it."""
    inventory = trial.inventory
    quota = inventory.quota if trial.told[2] else 1_000
    cloud = Cloud(inventory.connections, inventory.live, quota=quota, task_seconds=1.0)
    codes = []
    for number, row in enumerate(inventory.rows):
        now = number * PACE
        code = cloud.call("CreateVcoRouteEntry", parameters(row), now=now).code
        if code == "VpnConnection.Configuring":
            _come_to_rest(cloud, str(row.vpn_connection_id), now)
            code = cloud.call("CreateVcoRouteEntry", parameters(row), now=now + PACE / 2).code
        codes.append(code)
    return codes


def _come_to_rest(cloud: Cloud, vpn_connection_id: str, now: float) -> None:
    """Let a connection get where it is going."""
    (one,) = (one for one in cloud.connections(now) if one.vpn_connection_id == vpn_connection_id)
    there = at_rest(one)
    cloud.change(vpn_connection_id, now, attach_type=there.attach_type, state="")


def parameters(row: Row) -> dict[str, str]:
    """Return the parameters that a row stands for."""
    read = as_read(row)
    read["weight"] = read["weight_text"] if read["weight"] is None else str(read["weight"])
    cells = {name: none_if_blank(read[field]) for field, name in PARAMETERS.items()}
    return {name: cell for name, cell in cells.items() if cell is not None}


def disagreements(trial: Trial) -> list[tuple[int, str, str]]:
    """Return the rows on which the two differ: row, what was foretold, what was answered."""
    sides = enumerate(zip(predicted(trial), answered(trial), strict=True))
    return [(row, foretold, answer) for row, (foretold, answer) in sides if foretold != answer]


def shrunk(trial: Trial) -> Trial:
    """Return a trial on which the two differ still, of which no row can be left out."""
    for number in reversed(range(len(trial.inventory.rows))):
        smaller = replace(trial, inventory=trial.inventory.without(number))
        if disagreements(smaller):
            trial = smaller
    return trial


def judge(seed: int, told: Told) -> str | None:
    """Return what the two differ on, as people read it; None where they agree."""
    trial = Trial.draw(seed, told)
    if not disagreements(trial):
        return None
    small = shrunk(trial)
    lines = [small.inventory.typed().to_csv(index=False).rstrip()]
    for name, frame in small.told_frames().items():
        shown = frame.to_csv(index=False).rstrip() if isinstance(frame, pd.DataFrame) else frame
        lines.append(f"{name}=\n{shown}")
    lines += [
        f"row {row}: the audit foretells {foretold or 'nothing'}, the simulator answers "
        f"{answer or 'nothing, it accepts'}"
        for row, foretold, answer in disagreements(small)
    ]
    told_text = "".join("01"[one] for one in told)
    lines.append(f"again: python -m tests.differential --seed {seed} --told {told_text}")
    return "\n".join(lines)
