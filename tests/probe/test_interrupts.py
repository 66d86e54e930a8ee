"""However a probe ends, its routes go; what a crash leaves, the next one takes back."""

from __future__ import annotations

import httpx
import pytest

from tests.probe.conftest import NAME
from vcokit.simulator import Route

#: Few calls in each probe, for there are as many probes as calls.
QUICK = {"limits": {"CreateVcoRouteEntry": (12, 60.0)}}
MINE = Route(NAME, "198.19.255.0/24", 0)


class Cut(httpx.BaseTransport):
    """Sends requests until one of them is cut off: before it leaves, or before its answer comes."""

    def __init__(self, at: int, *, answered: bool, for_good: bool = False) -> None:
        self.at, self.answered, self.for_good = at, answered, for_good
        self.calls = 0
        self._http = httpx.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, or be interrupted."""
        self.calls += 1
        cut = self.calls == self.at or (self.for_good and self.calls > self.at)
        if cut and not self.answered:
            raise KeyboardInterrupt
        response = self._http.handle_request(request)
        content = response.read()
        if cut:
            raise KeyboardInterrupt
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()


@pytest.fixture
def slow_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look seldom."""
    monkeypatch.setenv("VCOKIT_POLL_INTERVAL", "6")


def ends(on, cut: Cut) -> bool:
    """Probe by a transport; tell whether it was interrupted."""
    client = on.connect(cut)
    try:
        on.probe(sandbox=True, client=client)
    except KeyboardInterrupt:
        return True
    finally:
        client.close()
    return False


@pytest.mark.parametrize("answered", [False, True])
def test_interrupted_at_any_call(answered: bool, stage, slow_looks) -> None:
    """Ctrl-C at a call, its request lost or its answer: the probe ends, and nothing is left.

    Every fifth call is enough: each kind of call comes several times.
    """
    on = stage(routes=[MINE], **QUICK)
    at = 2 if answered else 1
    while ends(on, Cut(at, answered=answered)):
        assert on.cloud.routes()["route_dest"].tolist() == [MINE.route_dest], at
        assert not on.journal.exists(), at
        at += 5
    assert at > 50


def test_interrupted_in_each_sleep(stage, slow_looks) -> None:
    """Ctrl-C while it waits is no different."""
    on = stage(routes=[MINE], **QUICK)
    at, over = 1, False
    while not over:
        left = at

        def sleep(seconds: float) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            on.clock.sleep(seconds)

        try:
            on.probe(sandbox=True, sleep=sleep)
            over = True
        except KeyboardInterrupt:
            at += 1
        assert on.cloud.routes()["route_dest"].tolist() == [MINE.route_dest], at
        assert not on.journal.exists(), at
    assert at > 20


def test_killed_and_resumed(stage, slow_looks) -> None:
    """Where nothing more could be sent, the journal stands, and the next probe cleans up."""
    on = stage(routes=[MINE], **QUICK)
    left = 0
    for at in range(1, 70, 5):
        ends(on, Cut(at, answered=True, for_good=True))
        there = set(on.cloud.routes()["route_dest"]) - {MINE.route_dest}
        left += bool(there)
        assert on.journal.exists() or not there
        # The next one is cut off as well, as soon as it has cleaned up: so it does that first.
        if there:
            assert on.probe(sandbox=True).left == []
        assert on.cloud.routes()["route_dest"].tolist() == [MINE.route_dest]
        on.journal.unlink(missing_ok=True)
    assert left > 3
