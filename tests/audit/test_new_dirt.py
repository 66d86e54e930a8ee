"""A new kind of dirt in `data/` spoils its own rows, and moves nothing that is there."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "data" / "make_inventories.py"
FIRST = ("special-purpose", "dest", ("127.0.0.0/8", "169.254.{b}.0/24"))
SECOND = ("shared-address-space", "dest", ("100.64.{b}.0/24",))


@pytest.fixture
def maker() -> Iterator[ModuleType]:
    """Return the script that makes the inventories, as a module."""
    spec = importlib.util.spec_from_file_location("make_inventories", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_a_new_kind_moves_no_other(maker: ModuleType) -> None:
    """Each kind that comes later changes as many rows as it has values, all of them good ones."""
    before = [maker.large()]
    for later in ((FIRST,), (FIRST, SECOND)):
        maker.LATER = later
        rows = maker.large()
        assert len(rows) == len(before[-1])
        changed = [(old, new) for old, new in zip(before[-1], rows, strict=True) if old != new]
        rule, _, values = later[-1]
        assert len(changed) == len(values)
        assert {old.mistake for old, _ in changed} == {""}
        assert {new.mistake for _, new in changed} == {rule}
        before.append(rows)
