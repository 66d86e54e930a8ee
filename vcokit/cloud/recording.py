"""A recording of all calls with pseudonyms: a folder that can be sent to others.

======================  ==========================================================================
file                    content
======================  ==========================================================================
``exchanges.jsonl``     a line that describes the format, then a line per exchange, in the order in
                        which the exchanges ended
``routes.csv``          the inventory of the command, with the same pseudonyms
======================  ==========================================================================

The recording is one file with a line per exchange, not a file per exchange: a rollout has thousands
of exchanges, their order is part of the information, a line is either complete or missing if the
process is killed, and shell tools can search and extract lines.

An exchange is a request and its answer. It has ``at`` (when it was sent, from the beginning of the
recording) and ``seconds`` (its duration), both by the cloud's clock, ``operation``, ``parameters``,
``status`` and ``answer``, and ``retry_after`` if the answer gave one. Without a valid answer it has
``failure`` instead::

    not sent · no answer · garbled · cut · empty · page (HTML, or anything else that is not JSON)

`vcokit.cloud.masking.Pseudonyms` defines what is replaced, and how. Its key is random and never
written. AccessKeys and signatures are never recorded, because they are headers, and headers are not
recorded. The body of an invalid answer is not recorded either. ``Simulator.replay`` replays a
recording.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

from vcokit import schema
from vcokit.cloud.masking import Pseudonyms
from vcokit.cloud.operations import Limit
from vcokit.cloud.responses import parse, wait_of
from vcokit.cloud.transport import Reply, Request
from vcokit.errors import CloudError, InputError, NotSentError, ProtocolError

FORMAT: Final = "vcokit recording"
VERSION: Final = 1
EXCHANGES: Final = "exchanges.jsonl"
ROUTES: Final = "routes.csv"

_ABOUT: Final = (
    "Calls and answers with pseudonyms, whose key was discarded. Simulator.replay replays them."
)
_log: Final = logging.getLogger("vcokit.cloud")


class Recorder:
    """A recorder that writes exchanges to a folder. It can be shared between threads.

    Parameters
    ----------
    folder : str or Path
        A new or empty folder, because each recording has its own pseudonyms.
    limits : mapping of str to Limit
        The rate limits, in seconds of `now`.
    speed : float
        Speed of the cloud's clock relative to `now`.
    now, clock : callable
        Monotonic seconds, and seconds since the epoch.
    key : bytes, optional
        Key of the pseudonyms; by default a random one.

    Raises
    ------
    InputError
        If the folder cannot be used.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        limits: Mapping[str, Limit],
        speed: float,
        now: Callable[[], float],
        clock: Callable[[], float],
        key: bytes | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._pseudonyms = Pseudonyms(key or secrets.token_bytes(32), clock())
        self._now, self._begin, self._speed = now, now(), speed
        self._lock = threading.Lock()
        self._ended = False
        _make(self.folder)
        told = {name: [one.calls, one.seconds * speed] for name, one in limits.items()}
        self._write({"format": FORMAT, "version": VERSION, "about": _ABOUT, "limits": told})

    def note(self, request: Request, came: Reply | CloudError, sent: float) -> None:
        """Record an exchange.

        Parameters
        ----------
        request : Request
        came : Reply or CloudError
            The answer, or the error if there is no answer.
        sent : float
            When the request was sent, by the clock `now`.
        """
        query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
        self._write(
            {
                "at": round((sent - self._begin) * self._speed, 6),
                "seconds": round((self._now() - sent) * self._speed, 6),
                "operation": request.operation,
                "parameters": self._pseudonyms.fields(dict(query)),
                **self._came(came),
            }
        )

    def _came(self, came: Reply | CloudError) -> dict[str, Any]:
        if isinstance(came, NotSentError):
            return {"failure": "not sent"}
        if isinstance(came, CloudError):
            return {"failure": "garbled" if isinstance(came, ProtocolError) else "no answer"}
        if came.cut:
            return {"status": came.status_code, "failure": "cut"}
        if not came.content.strip():
            return {"status": came.status_code, "failure": "empty"}
        fields = parse(came.content)
        if fields is None:
            return {"status": came.status_code, "failure": "page"}
        told: dict[str, Any] = {"status": came.status_code}
        if wait := wait_of(came):
            told["retry_after"] = round(wait * self._speed, 6)
        return {**told, "answer": self._pseudonyms.fields(fields)}

    def _write(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            if self._ended:
                return
            try:
                with open(self.folder / EXCHANGES, "a", encoding="utf-8") as file:
                    file.write(f"{text}\n")
            except OSError as error:
                # A rollout must not fail because its recording fails.
                self._ended = True
                _log.warning("the recording ends: %s: %s", self.folder, error.strerror or error)

    def routes(self, routes: pd.DataFrame) -> None:
        """Write an inventory next to the exchanges, with the same pseudonyms.

        Raises
        ------
        InputError
            If `routes` is not a frame of routes.
        """
        rows = schema.conform_routes(routes)
        text = self._pseudonyms.text
        weight = rows["weight"].astype("str")
        weight = weight.where(weight.notna(), _each(rows["weight_text"], text))
        table = pd.DataFrame(
            {
                "RegionId": _each(rows["region_id"], self._pseudonyms.region),
                "VpnConnectionId": _each(rows["vpn_connection_id"], text),
                "RouteDest": _each(rows["route_dest"], text),
                "NextHop": _each(rows["next_hop"], text),
                "Weight": weight,
                "Description": _each(rows["description"], text),
            }
        )
        table.to_csv(self.folder / ROUTES, index=False)


def _each(cells: pd.Series, replace: Callable[[str], str]) -> pd.Series:
    return cells.astype("str").map(replace, na_action="ignore").astype("str")


def _make(folder: Path) -> None:
    """Create the folder of a recording and an empty file of exchanges."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(
                f"{folder}: is not empty", remedy="Name a folder that is new for each recording"
            )
        (folder / EXCHANGES).touch()
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error})",
            remedy="Name another folder for the recording",
        ) from None
