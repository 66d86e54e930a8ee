"""An error that ends a rollout loses nothing that was answered to the calls beside it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

import vcokit as vk
from tests.rollout.stage import Stage


class FailingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A way to the cloud that fails as nothing should, at one create of many."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.lines, self.async_lines = httpx.HTTPTransport(), httpx.AsyncHTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request to the cloud."""
        return self.lines.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request to the cloud, or fail."""
        if request.headers["x-acs-action"] == "CreateVcoRouteEntry":
            self.left -= 1
            if self.left == 0:
                raise RuntimeError("a fault of the transport")
        return await self.async_lines.handle_async_request(request)

    def close(self) -> None:
        """Close the lines of one call at a time."""
        self.lines.close()

    async def aclose(self) -> None:
        """Close the lines of many calls."""
        await self.async_lines.aclose()


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
