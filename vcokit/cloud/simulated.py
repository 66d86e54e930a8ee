"""Whether a simulator answers at an endpoint, which no cloud and no stranger can pretend.

==============================================  ===========
endpoint                                        is taken for
==============================================  ===========
a region's own, or any other https              the cloud
this machine by plain http, says it is one      a simulator
this machine by plain http, says anything else  the cloud
==============================================  ===========

Nobody else is asked, so that nothing from outside can call itself a simulator. A tunnel or a proxy
on this machine that leads to the cloud hands the question on, and the cloud does not know it.
"""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import urlsplit

from vcokit.cloud.endpoints import is_loopback

#: What a simulator is asked, and what it answers; `vcokit.simulator.server` has the same two.
QUESTION: Final = "/.vcokit-simulator"
ANSWER: Final = b"a simulator of vcokit\n"


def may_be_simulator(endpoint: str) -> bool:
    """Tell whether an endpoint is one that a simulator can have: this machine, by plain http.

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
    """Ask an endpoint of this machine whether it is a simulator; any other is none, unasked.

    Parameters
    ----------
    endpoint : str
        URL without path.
    seconds : float
        How long to wait for an answer. Where none comes, there is no simulator.
    """
    if not may_be_simulator(endpoint):
        return False
    url = urlsplit(endpoint)
    # By no proxy and no client of httpx: it is one question to this machine, without a key.
    line = http.client.HTTPConnection(url.hostname or "", url.port, timeout=seconds)
    try:
        line.request("GET", QUESTION)
        reply = line.getresponse()
        return reply.status == 200 and reply.read(2 * len(ANSWER)) == ANSWER
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()
