"""One line a step, for a machine to read: JSON lines, or plain text.

::

    {"at": "2026-01-02T03:04:05Z", "event": "step", "step": 7, "state": "done", "action": "create",
     "vpn_connection_id": "vco-a", "route_dest": "10.0.0.0/8", …}
    {"at": …, "event": "note", "message": "routes.csv: 2 blank lines skipped"}
    {"at": …, "event": "rollout", "state": "finished", "message": null}
    {"at": …, "event": "end", "state": "finished", "exit_code": 0}

A step has its line when it comes to its end: done, failed or skipped. A line is always one line:
whatever a file or the cloud said is spelt out where it could not be seen.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Any

from vcokit._text import printable
from vcokit.cli.outputs import silence
from vcokit.rollout.messages import Event, RolloutChanged, StepChanged
from vcokit.rollout.plan import Plan
from vcokit.rollout.steps import FINAL


class LogFormat(StrEnum):
    """How steps are logged on standard error."""

    json = "json"
    text = "text"


class StepLog:
    """An observer that writes a line a step.

    Parameters
    ----------
    plan : Plan
        Whose steps are meant.
    stream : file
        Open for text.
    kind : LogFormat
    """

    def __init__(self, plan: Plan, stream: IO[str], kind: LogFormat) -> None:
        self._steps = {step.number: step for step in plan.each()}
        self._stream = stream
        self._kind = kind
        self._request_ids: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Write a line, if the event is worth one."""
        if isinstance(event, StepChanged) and event.request_id:
            # It came with the answer; a step is done only once a listing has shown it.
            self._request_ids[event.step] = event.request_id
        if isinstance(event, StepChanged) and event.new in FINAL:
            self.write(event.at, "step", **self._facts(event))
        elif isinstance(event, RolloutChanged):
            self.write(event.at, "rollout", state=event.state, message=event.message)

    def _facts(self, event: StepChanged) -> dict[str, Any]:
        step = self._steps[event.step]
        return {
            "step": event.step,
            "state": event.new,
            "action": step.action,
            "region_id": step.region_id,
            "vpn_connection_id": step.lane,
            "route_dest": step.route_dest,
            "next_hop": step.next_hop,
            "weight": step.weight,
            "code": event.code,
            "message": event.message,
            "request_id": self._request_ids.pop(event.step, None),
        }

    def write(self, at: float, event: str, **facts: Any) -> None:
        """Write a line of one's own."""
        write_line(self._stream, self._kind, at, event, **facts)


def write_line(stream: IO[str], kind: LogFormat, at: float, event: str, **facts: Any) -> None:
    """Write a line of a log; ``at`` is seconds since 1970."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    if kind is LogFormat.json:
        line = one_line({"at": moment.replace("+00:00", "Z"), "event": event, **facts})
    else:
        line = " ".join([moment, event, *(printable(v) for v in facts.values() if v is not None)])
    try:
        stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        silence(stream)


def one_line(value: Any) -> str:
    r"""Return a value as JSON in one line of ASCII in which everything can be seen.

    Examples
    --------
    >>> print(one_line({"a": "\x1b[31m\x7f主"}))
    {"a": "\u001b[31m\u007f\u4e3b"}
    """
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


def records(frame: Any) -> list[dict[str, Any]]:
    """Return a frame's rows as plain values, None for what is missing."""
    objects = frame.astype("object")
    return list(objects.where(frame.notna(), None).to_dict("records"))
