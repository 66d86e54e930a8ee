"""An error that ends a rollout loses nothing that was answered to the calls beside it."""

from __future__ import annotations

import contextlib
import threading
import time
from itertools import count
from pathlib import Path

import httpx
import pytest

import vcokit as vk
from tests.rollout.stage import Stage
from vcokit.rollout.background import Threads
from vcokit.rollout.engine import Clocks


class FailingTransport(httpx.HTTPTransport):
    """A way to the cloud that fails as nothing should, at one create of many."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._creates, self._at = count(1), at

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request to the cloud, or fail."""
        creates = request.headers["x-acs-action"] == "CreateVcoRouteEntry"
        if creates and next(self._creates) == self._at:
            raise RuntimeError("a fault of the transport")
        return super().handle_request(request)


def test_answers_beside_an_error_are_kept(tmp_path: Path) -> None:
    """What the cloud accepted beside a call that fails is in the journal; undo takes it back."""
    with Stage(tmp_path, lanes=30, each=1) as stage:
        client = vk.connect(stage.cloud, transport=FailingTransport(at=12))
        plan = vk.plan_routes(stage.routes, vk.live_routes(client, stage.routes))
        rollout = vk.Rollout(plan, client, journal=tmp_path / "rollout.db")
        with pytest.raises(RuntimeError, match="a fault of the transport"):
            rollout.start().wait()
        taken = {connection for connection, _ in stage.creations()}
        assert 0 < len(taken) < 30
        calls = rollout.calls().query("operation == 'CreateVcoRouteEntry' and outcome == 'ok'")
        assert set(calls["vpn_connection_id"]) == taken
        undo = rollout.undo().frame()
        assert set(undo["vpn_connection_id"]) >= taken  # the call that failed is in doubt
        client.close()


class Watched(Threads):
    """Threads of calls that know whose they are, and whether they were closed."""

    made: list[Watched]

    def __init__(self) -> None:
        super().__init__()
        self.owner, self.is_closed = threading.current_thread(), False
        self.made.append(self)

    def close(self) -> None:
        """Let them end."""
        self.is_closed = True
        super().close()


def test_a_clock_that_fails_leaves_no_thread_behind(tmp_path: Path) -> None:
    """From whichever look of its own on it fails, a rollout ends and closes its threads."""
    Watched.made = []
    failed = 0
    with Stage(tmp_path, lanes=1, each=1) as stage:
        plan = vk.plan_routes(stage.routes, vk.live_routes(stage.client, stage.routes))
        for at in range(1, 31):
            looks = count(1)

            def steady(looks: count = looks, at: int = at, before: int = at - 1) -> float:
                its_own = [one.owner for one in Watched.made[before:]] == [
                    threading.current_thread()
                ]
                if its_own and next(looks) >= at:
                    raise RuntimeError("no clock")
                return time.monotonic()

            clocks = Clocks(time.time, steady, Watched)
            rollout = vk.Rollout(plan, stage.client, journal=tmp_path / f"{at}.db", clocks=clocks)
            rollout.start()
            with contextlib.suppress(RuntimeError, vk.errors.StalePlanError):  # once it was done
                rollout.wait()
            failed += rollout.state == "stopped"
    assert failed >= 10
    assert [threads.is_closed for threads in Watched.made] == [True] * 30
