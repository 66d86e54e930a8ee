"""The history of calls: one record each, whatever became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vcokit.simulator.answers import Answer


@dataclass(frozen=True)
class Call:
    """One call as the simulator saw it. Fields that are empty or None are missing in frames.

    Parameters
    ----------
    time : float
        Simulated seconds.
    operation, account_id, region_id, vpn_connection_id : str
        What was called, for whom, where; as far as it could be told.
    parameters : mapping of str to str
        As they came, without those of the protocol.
    status : int or None
        HTTP status of the answer; None where none was given, or nobody waited for it.
    code : str
        Error code of the answer.
    request_id : str
        Id in the answer; that of the first answer where it was replayed.
    client_token : str
        As it came.
    replayed : bool
        Whether the first answer to the same ClientToken was given again.
    effect : int or None
        Number of the accepted write that the answer speaks of, from 1.
    changed : bool
        Whether this very call changed routes, or will when its task ends.
    faults : str
        Kinds of the faults that struck, joined by commas.
    """

    time: float
    operation: str
    account_id: str
    region_id: str
    vpn_connection_id: str
    parameters: Mapping[str, str]
    status: int | None
    code: str
    request_id: str
    client_token: str
    replayed: bool
    effect: int | None
    changed: bool
    faults: str


def record(
    answer: Answer,
    operation: str,
    parameters: Mapping[str, str],
    *,
    now: float,
    account: str,
) -> Call:
    """Return the record of a call."""
    return Call(
        time=now,
        operation=operation,
        account_id=account,
        region_id=parameters.get("RegionId", ""),
        vpn_connection_id=parameters.get("VpnConnectionId", ""),
        parameters=dict(parameters),
        status=None if answer.verdict.drops else answer.status,
        code=answer.code,
        request_id=answer.request_id,
        client_token=parameters.get("ClientToken", ""),
        replayed=answer.replayed,
        effect=answer.effect,
        changed=answer.changed,
        faults=answer.verdict.names,
    )
