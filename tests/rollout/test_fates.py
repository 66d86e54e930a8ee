"""What an answer with a wait asked for says of the write that it answers, over HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.rollout.stage import Stage
from vcokit.cloud.connect import connect
from vcokit.simulator import Fault


class Asking(httpx.HTTPTransport):
    """A front-end that asks for a wait whenever the cloud answers with a fault."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Hand a request on."""
        came = super().handle_request(request)
        if came.status_code >= 500:
            came.headers["x-acs-retry-after"] = "200"
        return came


@pytest.mark.parametrize("kind", ["status_500", "status_503"])
def test_a_fault_that_asks_for_a_wait_is_looked_at(kind: str, tmp_path: Path) -> None:
    """A create that happened and was answered by a fault is found there, and sent once."""
    fault = Fault(kind, operation="CreateVcoRouteEntry", count=1, applied=True)
    with Stage(tmp_path, fault, lanes=1, each=1) as stage:
        stage.client = connect(stage.cloud, transport=Asking())
        rollout = stage.rollout()
        rollout.start().wait()
        assert rollout.frame()["state"].tolist() == ["done"]
        calls = rollout.calls()
        sent = calls["operation"] == "CreateVcoRouteEntry"
        assert calls.loc[sent, "outcome"].tolist() == ["server"]
        assert "DescribeVcoRouteEntries" in calls["operation"][sent.idxmax() + 1 :].tolist()
        assert set(stage.creations().values()) == {1}
        assert int((stage.cloud.calls()["operation"] == "CreateVcoRouteEntry").sum()) == 1
