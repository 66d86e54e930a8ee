"""From a request to a response, purely: let in, called, written down.

::

    request ─▶ clock skew ─▶ Gateway.admit ─▶ Cloud.call ─▶ envelope ─▶ response
                                 └── refused ─▶ Cloud.turn_away ──┘

Two clocks come as arguments: `wall` in epoch seconds, by which signatures are dated, and `now` in
simulated seconds, by which the cloud lives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from math import ceil
from typing import Final

from vcokit.simulator.accounts import Account
from vcokit.simulator.answers import Answer
from vcokit.simulator.claims import named_operation
from vcokit.simulator.codes import Refusal
from vcokit.simulator.envelope import CONTENT_TYPES, JSON, wanted_format, write_answer
from vcokit.simulator.gateway import Gateway, uncommon
from vcokit.simulator.requests import HttpRequest
from vcokit.simulator.state import Cloud

_HTML: Final = "text/html;charset=utf-8"
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Please sign in to the network</h1></body></html>\n"


@dataclass(frozen=True)
class HttpResponse:
    """A response, and what shall happen to it on its way.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : tuple of (bytes, bytes)
        Those of the API; those of the protocol (Content-Length) are the carrier's.
    body : bytes
        The whole body.
    delay : float
        Seconds of wall time to wait before sending.
    drops : bool
        Close the socket, send nothing.
    truncates : bool
        Send half of the body, then close the socket.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    delay: float = 0.0
    drops: bool = False
    truncates: bool = False


class Service:
    """The API over a cloud.

    Parameters
    ----------
    cloud : Cloud
        What is asked.
    accounts : iterable of Account
        Who may ask.
    speed : float
        Simulated seconds in a second of wall time, for the header ``x-acs-retry-after``.
    """

    def __init__(self, cloud: Cloud, accounts: Iterable[Account], *, speed: float = 1.0) -> None:
        self.cloud = cloud
        self.speed = speed
        self.gateway = Gateway(accounts)

    def respond(self, request: HttpRequest, *, wall: float, now: float) -> HttpResponse:
        """Answer a request.

        Parameters
        ----------
        request : HttpRequest
            Whatever came; nothing is too malformed for an answer.
        wall : float
            Epoch seconds.
        now : float
            Simulated seconds.
        """
        operation = named_operation(request)
        connection = request.parameters.get("VpnConnectionId", "")
        # The server's clock may be made wrong, and then its Date says so as a real one's would.
        wall += self.cloud.faults.greet(operation, connection).skew
        try:
            caller = self.gateway.admit(request, wall)
        except Refusal as refusal:
            said = uncommon(request.parameters)
            answer = self.cloud.turn_away(refusal, operation, said, now=now)
        else:
            answer = self.cloud.call(
                caller.operation, caller.parameters, account=caller.account_id, now=now
            )
        return self._render(answer, operation, request, wall)

    def _render(
        self, answer: Answer, operation: str, request: HttpRequest, wall: float
    ) -> HttpResponse:
        verdict, form = answer.verdict, wanted_format(request) or JSON
        page = "" if verdict.code else verdict.page
        headers = self._headers(answer, form)
        if page == "html":
            headers = {"content-type": _HTML}
        elif verdict.mislabels:
            headers["content-type"] = _HTML
        headers["date"] = _http_date(int(wall))
        return HttpResponse(
            status=answer.status,
            headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
            body=self._page(page) if page else self._body(answer, operation, request, form),
            delay=verdict.delay,
            drops=verdict.drops,
            truncates=verdict.truncates,
        )

    @staticmethod
    def _page(page: str) -> bytes:
        return _PAGE if page == "html" else b""

    def _body(self, answer: Answer, operation: str, request: HttpRequest, form: str) -> bytes:
        host = request.header_values.get("host", "")
        empty_lists = self.cloud.switches.xml_empty_lists
        return write_answer(answer, operation, form, host=host, empty_lists=empty_lists)

    def _headers(self, answer: Answer, form: str) -> dict[str, str]:
        headers = {"content-type": CONTENT_TYPES[form], "x-acs-request-id": answer.request_id}
        if answer.retry_after is not None:
            # Rounded up, so that a client which waits as long as it is told has waited enough.
            milliseconds = ceil(answer.retry_after * 1000 / self.speed)
            headers["x-acs-retry-after"] = str(max(1, milliseconds))
        return headers


@lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
