"""What tests of followers begin with: that of the rollout tests, and of the shell's."""

from __future__ import annotations

from tests.cli.conftest import inventory as inventory
from tests.rollout.conftest import path as path
from tests.rollout.conftest import plan as plan
