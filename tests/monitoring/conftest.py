"""What tests of journals begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rollout.test_plan import A, live, routes
from vcokit.rollout.plan import Plan, plan_routes


@pytest.fixture
def plan() -> Plan:
    """A plan of three creates."""
    return plan_routes(routes(*((A, f"10.{n}.0.0/16", 100) for n in range(3))), live())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal goes."""
    return tmp_path / "rollout.db"
