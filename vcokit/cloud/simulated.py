"""Whether an endpoint is a simulator; a remote server can never claim to be one.

==============================================  ============
endpoint                                        treated as
==============================================  ============
a region's own, or any other https              the cloud
this machine by plain http, confirms it         a simulator
this machine by plain http, any other answer    the cloud
==============================================  ============

Only this machine is asked, so that no server outside can claim to be a simulator. A tunnel or a
proxy on this machine that leads to the cloud forwards the question, and the cloud does not know it.
"""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import urlsplit

from vcokit.cloud.endpoints import is_loopback

#: The question to a simulator, and its answer; `vcokit.simulator.server` has the same two.
QUESTION: Final = "/.vcokit-simulator"
ANSWER: Final = b"a simulator of vcokit\n"


def may_be_simulator(endpoint: str) -> bool:
    """Return whether an endpoint may be a simulator: this machine, by plain http.

    Examples
    --------
    >>> may_be_simulator("http://127.0.0.1:8080"), may_be_simulator("https://127.0.0.1")
    (True, False)
    """
    try:
        url = urlsplit(endpoint)
        return url.scheme == "http" and is_loopback(url.hostname or "")
    except ValueError:
        return False


def is_simulator(endpoint: str, seconds: float) -> bool:
    """Ask an endpoint on this machine whether it is a simulator.

    Other endpoints are not asked; for them the result is False.

    Parameters
    ----------
    endpoint : str
        URL without path.
    seconds : float
        How long to wait for an answer. Without an answer the result is False.
    """
    if not may_be_simulator(endpoint):
        return False
    url = urlsplit(endpoint)
    # Without proxy and httpx: it is one question to this machine, without a key.
    line = http.client.HTTPConnection(url.hostname or "", url.port, timeout=seconds)
    try:
        line.request("GET", QUESTION)
        reply = line.getresponse()
        return reply.status == 200 and reply.read(2 * len(ANSWER)) == ANSWER
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()
