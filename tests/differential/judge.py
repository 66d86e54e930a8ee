"""One inventory put to both judges: the audit at once, the simulator row by row.

The simulator is asked as a client asks it: each row is a signed request for CreateVcoRouteEntry,
answered by its service in this process. Time is virtual: when a row is sent, the task of the row
before it is long over and its call has left the window of the rate limit, so that there are no
waiting troubles. A row that is refused because its connection is on its way somewhere is sent once
more when it has got there.

What a cell stands for on the wire is written here once more, from the design page: an empty or
blank cell is no parameter, a whole number loses the ``.0`` of a spreadsheet, all else goes as it
stands.
"""

from __future__ import annotations

import itertools
import json
import re

import pandas as pd

from tests.differential.inventories import Row, Trial
from tests.simulator.conftest import WALL, vendor_signed
from vcokit.audit import audit_routes
from vcokit.simulator import Account, Connection, Route
from vcokit.simulator.backend import Cloud
from vcokit.simulator.server import Service

#: Simulated seconds between two rows; a task takes one, and the window of the limit is a minute.
PACE = 10.0
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
PARAMETERS = {
    "region_id": "RegionId",
    "vpn_connection_id": "VpnConnectionId",
    "route_dest": "RouteDest",
    "weight": "Weight",
    "next_hop": "NextHop",
}


def predicted(trial: Trial) -> list[str]:
    """Return the code that the audit foretells for each row, empty for none.

    Raises
    ------
    AssertionError
        If it foretells two for one row.
    """
    findings = audit_routes(trial.routes_frame(), **trial.told_frames())
    said = findings.loc[findings["api_code"].notna(), ["row", "api_code"]]
    assert not said["row"].duplicated().any(), "more than one code for a row"
    codes = dict(zip(said["row"], said["api_code"], strict=True))
    return [codes.get(number, "") for number in range(len(trial.rows))]


def answered(trial: Trial) -> list[str]:
    """Return the code that the simulator answers to each row, empty where it accepts it."""
    cloud = cloud_of(trial)
    service = Service(cloud, [Account()])
    codes = []
    for number, row in enumerate(trial.rows):
        now = number * PACE
        code = _sent(service, row, now)
        if code == "VpnConnection.Configuring":
            _come_to_rest(cloud, trial, row, now)
            code = _sent(service, row, now + PACE / 2)
        codes.append(code)
    return codes


def _come_to_rest(cloud: Cloud, trial: Trial, row: Row, now: float) -> None:
    """Let a row's connection get where it is going."""
    (there,) = (one for one in trial.connections if one.vpn_connection_id == row.vpn_connection_id)
    (moving,) = (
        one for one in cloud.connections(now) if one.vpn_connection_id == there.vpn_connection_id
    )
    moving.attach_type, moving.state = there.at_rest.attach_type, ""


def _sent(service: Service, row: Row, now: float) -> str:
    """Return the code that a service answers to a row, empty where it accepts it."""
    account, wall = Account(), WALL + now
    request = vendor_signed(
        "CreateVcoRouteEntry", on_the_wire(row), credentials=account.credentials, wall=wall
    )
    response = service.respond(request, wall=wall, now=now)
    body = json.loads(response.body)
    assert (response.status == 200) == ("Code" not in body)
    return str(body.get("Code", ""))


def cloud_of(trial: Trial) -> Cloud:
    """Return the cloud that a trial's rows are sent to."""
    connections = [
        Connection(
            one.vpn_connection_id, one.region_id, attach_type=one.attach_type, state=one.state
        )
        for one in trial.connections
    ]
    live = [
        Route(one.vpn_connection_id, one.route_dest, one.weight, one.next_hop) for one in trial.live
    ]
    quota = 1_000 if trial.quota is None else trial.quota
    return Cloud(connections, live, quota=quota, task_seconds=1.0)


def on_the_wire(row: Row) -> dict[str, str]:
    """Return the parameters that a row stands for."""
    cells = {PARAMETERS[name]: cell for name, cell in vars(row).items() if not is_blank(cell)}
    if re.fullmatch(r"(0|-?[1-9][0-9]*)\.0+", cells.get("Weight", "")):
        cells["Weight"] = cells["Weight"].partition(".")[0]
    return cells


def is_blank(cell: str | None) -> bool:
    """Tell whether nothing stands in a cell."""
    return all(sign.isspace() or sign in ZERO_WIDTH for sign in cell or "")


def disagreements(trial: Trial) -> list[tuple[int, str, str]]:
    """Return the rows on which the two differ: row, what was foretold, what was answered."""
    sides = zip(itertools.count(), predicted(trial), answered(trial), strict=False)
    return [one for one in sides if one[1] != one[2]]


def shrunk(trial: Trial) -> Trial:
    """Return a trial on which the two differ still, of which no row can be left out."""
    number = len(trial.rows) - 1
    while number >= 0:
        smaller = trial.without(number)
        if disagreements(smaller):
            trial = smaller
        number = min(number, len(trial.rows)) - 1
    return trial


def report(seed: int, trial: Trial) -> str:
    """Return a disagreement as people read it: the inventory, the rest, and the line to replay."""
    small = shrunk(trial)
    told = "".join("01"[one] for one in small.told)
    lines = [small.routes_frame().to_csv(index=False).rstrip()]
    for name, frame in small.told_frames().items():
        shown = frame.to_csv(index=False).rstrip() if isinstance(frame, pd.DataFrame) else frame
        lines.append(f"{name}=\n{shown}")
    lines += [
        f"row {row}: the audit foretells {foretold or 'nothing'}, the simulator answers "
        f"{answer or 'nothing, it accepts'}"
        for row, foretold, answer in disagreements(small)
    ]
    lines.append(f"again: python -m tests.differential --seed {seed} --told {told}")
    return "\n".join(lines)


def judge(seed: int, told: tuple[bool, bool, bool]) -> str | None:
    """Return a report of what the two differ on, None where they agree."""
    trial = Trial.draw(seed, told)
    return report(seed, trial) if disagreements(trial) else None
