"""A cloud that replays a recording of another cloud.

A request is matched by its operation and its parameters. ``ClientToken`` and ``Description`` are
not compared: the token is new each time, and no answer of a cloud contains the description. Answers
are given in the order in which they were recorded. A repeated rollout may process the connections
in another order and read at other times. Therefore each connection has a *place*, which limits the
answers that its reads can get::

    the writes of one connection:   w1        w2             w3
    its reads in the recording:     │ r r r   │ r r          │ r …
                                      ▲
                                    place: after the latest write that was sent again

==========================  =================================================================
request                     answer
==========================  =================================================================
a write                     the next answer to the same write; a write that is sent more often
                            than recorded is refused
a read of a connection      the next answer at its place; if all are used, the last one that was
                            not lost is repeated; if there is none, the next one
the state of a connection   what any read saw at its place, of this connection or of a page of
                            many; ``updating`` is never repeated forever
another read                the next answer, or the last one again
anything else               ``NotRecorded``, and how it differs from the most similar recorded
                            request
==========================  =================================================================

Nothing is simulated: this cloud has no routes, and it does not apply the rate limits of the
recorded cloud or check signatures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeAlias

from vcokit.simulator.backend import Answer, Cloud
from vcokit.simulator.faults import ActiveFaults, Fault
from vcokit.simulator.models import ACCOUNT_ID, CONTRACT, OPERATION_FACTS, Limit
from vcokit.simulator.operations import Fields

FORMAT: Final = "vcokit recording"
VERSION: Final = 1
EXCHANGES: Final = "exchanges.jsonl"
NOT_RECORDED: Final = "NotRecorded"

#: Parameters that are not compared.
_FREE: Final = frozenset({"ClientToken", "Description"})
_LOOK, _PAGE = "DescribeVpnConnection", "DescribeVpnConnections"
_BUSY: Final[str] = CONTRACT["states"]["busy"]
#: The fault for each kind of recorded failure. Requests that were never sent are omitted.
_FAILURES: Final[Mapping[str, tuple[Fault, ...]]] = {
    "no answer": (Fault("drop_after"),),
    "garbled": (Fault("drop_after"),),
    "cut": (Fault("truncate"),),
    "empty": (Fault("empty"),),
    "page": (Fault("html"),),
    "not sent": (),
}

#: The key by which a request is found.
_Key: TypeAlias = tuple[str, frozenset[tuple[str, str]]]


class RecordingError(ValueError):
    """A recording cannot be replayed; the message names file, line and remedy."""


@dataclass(frozen=True)
class _Exchange:
    """One request and its answer.

    `place` is set for writes: the number of writes of the connection up to and including this one.
    """

    operation: str
    parameters: Mapping[str, str]
    status: int
    answer: Mapping[str, Any]
    failure: str
    retry_after: float | None
    place: int = 0

    @property
    def key(self) -> _Key:
        """The key by which a request is matched."""
        return _key(self.operation, self.parameters)

    @property
    def connection(self) -> str:
        """The connection of the exchange; empty if there is none or more than one."""
        return self.parameters.get("VpnConnectionId", "")


@dataclass
class _Told:
    """The recorded answers to one request, or the states of one connection, with their places."""

    places: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    next: int = 0

    def add(self, place: int, value: Any) -> None:
        """Add the next answer."""
        self.places.append(place)
        self.values.append(value)

    def take(self, place: int, may_repeat: Callable[[Any], bool]) -> Any:
        """Return the next answer at a place; if all are used, the latest that may be repeated.

        A rollout reads until it gets an answer, so a lost answer must not be repeated.
        """
        while self.next < len(self.values) and self.places[self.next] < place:
            self.next += 1
        is_left = self.next < len(self.values)
        if not is_left or self.places[self.next] != place:
            for number in reversed(range(self.next)):
                if is_left and self.places[number] != place:
                    break
                if may_repeat(self.values[number]):
                    return self.values[number]
            if not is_left:
                return self.values[-1]
        self.next += 1
        return self.values[self.next - 1]


class Recorded(Cloud):
    """A cloud that answers from a recording; see the docstring of this module.

    Parameters
    ----------
    folder : str or Path
        Folder written by ``connect(record=…)`` or ``--record``.
    speed : float
        Speed of its clock.

    Raises
    ------
    RecordingError
        If the recording cannot be read.
    """

    def __init__(self, folder: str | Path, *, speed: float) -> None:
        limits, exchanges = _read(Path(folder) / EXCHANGES)
        super().__init__(limits=limits, speed=speed)
        self._sent: dict[_Key, list[_Exchange]] = {}
        self._read: dict[_Key, _Told] = {}
        self._states: dict[str, _Told] = {}
        #: Place of each connection, and the number of requests for each write.
        self._places: dict[str, int] = {}
        self._asked: dict[_Key, int] = {}
        places: dict[str, int] = {}
        for one in exchanges:
            place = places.get(one.connection, 0)
            if OPERATION_FACTS[one.operation]["writes"]:
                places[one.connection] = place = place + 1
                self._sent.setdefault(one.key, []).append(replace(one, place=place))
            else:
                self._read.setdefault(one.key, _Told()).add(place, one)
            for connection, state in _states_in(one):
                told = self._states.setdefault(connection, _Told())
                told.add(places.get(connection, 0), state)

    def call(
        self,
        operation: str,
        parameters: Mapping[str, str],
        *,
        now: float,
        account: str = ACCOUNT_ID,
    ) -> Answer:
        """Answer a call from the recording, and keep it in the history."""
        asked = Answer(now, operation, account, dict(parameters), self._new_request_id())
        found = self._found(operation, parameters)
        if isinstance(found, str):
            answer = replace(asked, status=400, code=NOT_RECORDED, message=found)
        else:
            answer = _played(asked, found)
            answer = replace(answer, fields=self._in_place(operation, answer.fields))
        self._keep(answer)
        return answer

    def _found(self, operation: str, parameters: Mapping[str, str]) -> _Exchange | str:
        """Return the exchange that answers a request, or why there is none."""
        key = _key(operation, parameters)
        connection = parameters.get("VpnConnectionId", "")
        if key in self._sent:
            number = self._asked[key] = self._asked.get(key, 0) + 1
            if number > len(self._sent[key]):
                times = "once" if number == 2 else f"{number - 1} times"
                return f"{_said(operation, parameters)} was recorded only {times}"
            found = self._sent[key][number - 1]
            self._places[connection] = max(found.place, self._places.get(connection, 0))
            return found
        if key in self._read:
            exchange: _Exchange = self._read[key].take(
                self._places.get(connection, 0), _is_definite
            )
            return exchange
        if operation == _LOOK and connection in self._states:
            # The connection was only recorded on a page; `_in_place` fills in its state.
            about = {"VpnConnectionId": connection, "State": ""}
            return _Exchange(operation, parameters, 200, about, "", None)
        return self._lacking(operation, parameters)

    def _in_place(self, operation: str, fields: Fields) -> Fields:
        """Return an answer with the states of its connections at their current places."""
        if operation == _LOOK and "State" in fields:
            return {**fields, **self._state(fields.get("VpnConnectionId", ""), fields["State"])}
        if operation == _PAGE and fields:
            rows = [
                {**row, **self._state(row.get("VpnConnectionId", ""), row.get("State"))}
                for row in _rows(fields)
            ]
            return {**fields, "VpnConnections": {"VpnConnection": rows}}
        return fields

    def _state(self, connection: str, shown: Any) -> Mapping[str, Any]:
        told = self._states.get(connection)
        if told is None:
            return {} if shown is None else {"State": shown}
        return {"State": told.take(self._places.get(connection, 0), lambda state: state != _BUSY)}

    def _lacking(self, operation: str, parameters: Mapping[str, str]) -> str:
        """Return a message: how a request differs from the most similar one that was recorded."""
        asked = {name: value for name, value in parameters.items() if name not in _FREE}
        known = [dict(of) for name, of in (*self._sent, *self._read) if name == operation]
        said = f"{_said(operation, asked)} was not recorded"
        if not known:
            return f"{said}, and no other {operation} was"
        differing = min((_differences(asked, one) for one in known), key=len)
        return f"{said}. The most similar recorded request differs: {', '.join(differing)}"


def _is_definite(one: _Exchange) -> bool:
    """Return whether the exchange has an answer that is not a temporary error."""
    is_throttled = str(one.answer.get("Code", "")).startswith("Throttling")
    return not one.failure and one.status < 500 and not is_throttled


def _differences(asked: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    names = sorted(name for name in asked.keys() | known if asked.get(name) != known.get(name))
    none = "nothing"
    return [f"{one} is {asked.get(one, none)}, was {known.get(one, none)}" for one in names]


def _said(operation: str, parameters: Mapping[str, str]) -> str:
    about = [parameters[one] for one in ("VpnConnectionId", "RouteDest") if one in parameters]
    return " ".join((operation, *about))


def _key(operation: str, parameters: Mapping[str, str]) -> _Key:
    return operation, frozenset(pair for pair in parameters.items() if pair[0] not in _FREE)


def _rows(fields: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the connections on a page."""
    rows: Sequence[Mapping[str, Any]] = (fields.get("VpnConnections") or {}).get(
        "VpnConnection"
    ) or ()
    return rows


def _states_in(one: _Exchange) -> Iterator[tuple[str, str]]:
    """Yield each connection in an answer, with its state."""
    rows = {_LOOK: [one.answer], _PAGE: _rows(one.answer)}.get(one.operation, ())
    for row in rows:
        if "VpnConnectionId" in row and "State" in row:
            yield row["VpnConnectionId"], row["State"]


def _played(asked: Answer, one: _Exchange) -> Answer:
    """Return the recorded answer to a call."""
    if one.failure:
        return replace(asked, status=one.status, faults=ActiveFaults(_FAILURES[one.failure]))
    fields = dict(one.answer)
    request_id = str(fields.pop("RequestId", asked.request_id))
    code, message = "", ""
    if one.status >= 400:
        code, message = str(fields.pop("Code", "")), str(fields.pop("Message", ""))
        fields = {}
    return replace(
        asked,
        request_id=request_id,
        status=one.status,
        code=code,
        message=message,
        fields=fields,
        retry_after=one.retry_after,
    )


# -- the file -------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[dict[str, Limit], list[_Exchange]]:
    """Return the limits and the exchanges of a recording, in the order in which they were sent."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise RecordingError(
            f"{path}: cannot be read: {reason}. Name a folder that --record wrote"
        ) from None
    about = _parsed(path, 1, lines[0] if lines else "")
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        raise RecordingError(f"{path}: is not a recording of this version. Record it again")
    # A process that was killed may have written an incomplete last line.
    whole = lines[1:-1] if lines[-1:] and not lines[-1].endswith("}") else lines[1:]
    sent = []
    try:
        limits = {name: (int(of[0]), float(of[1])) for name, of in about["limits"].items()}
        for number, line in enumerate(whole, start=2):
            told = _parsed(path, number, line)
            sent.append((float(told["at"]), number, _exchange(told)))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, RecordingError):
            raise
        line = f", line {len(sent) + 2}" if "limits" in about else ""
        raise RecordingError(f"{path}{line}: is not a valid exchange. Record it again") from None
    known = {name: of for name, of in limits.items() if name in OPERATION_FACTS}
    return known, [one for _, _, one in sorted(sent, key=lambda of: of[:2]) if one is not None]


def _parsed(path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise RecordingError(f"{path}, line {number}: is not a JSON object. Record it again")
    return told


def _exchange(told: Mapping[str, Any]) -> _Exchange | None:
    """Return the exchange of a line; None if it was never sent or its operation is unknown."""
    failure = told.get("failure", "")
    if told["operation"] not in OPERATION_FACTS or failure == "not sent":
        return None
    if failure and failure not in _FAILURES:
        raise ValueError(failure)
    return _Exchange(
        operation=told["operation"],
        parameters={str(name): str(value) for name, value in told["parameters"].items()},
        status=HTTPStatus(told.get("status", 200)),
        answer=dict(told.get("answer", {})),
        failure=failure,
        retry_after=told.get("retry_after"),
    )
