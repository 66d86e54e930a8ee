"""The house stands: imports go down only, the simulator stands alone, importing is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vcokit"

# The floors of the design, the longest prefix decides. The simulator stands outside.
FLOORS = {
    "errors": 0,
    "plain": 0,
    "schema": 0,
    "contract": 0,
    "config": 0,
    "cidr": 1,
    "cloud": 1,
    "inventory": 2,
    "live": 2,
    "audit": 2,
    "rollout.steps": 3,
    "rollout.rehearsal": 3,
    "rollout.events": 3,
    "rollout.circles": 3,
    "rollout.compare": 3,
    "rollout.prune": 3,
    "rollout.planfile": 3,
    "rollout.planview": 3,
    "rollout.planhtml": 3,
    "rollout.selection": 3,
    "rollout.undo": 3,
    "rollout.order": 3,
    "rollout.plan": 3,
    "rollout.tables": 3,
    "rollout.lock": 3,
    "rollout.hold": 3,
    "rollout.rows": 3,
    "rollout.database": 3,
    "rollout.journal": 3,
    "rollout.alphabet": 4,
    "rollout.lanes": 4,
    "rollout.durations": 4,
    "rollout.drift": 4,
    "rollout.waits": 4,
    "rollout.waves": 4,
    "rollout.pace": 4,
    "rollout.polling": 4,
    "rollout.board": 4,
    "rollout.reads": 4,
    "rollout.writes": 4,
    "rollout.dispatch": 4,
    "rollout.ledger": 4,
    "rollout.options": 4,
    "rollout.scheduler": 4,
    "rollout.forecast": 4,
    "rollout.heard": 5,
    "rollout.engine": 5,
    "rollout.interrupt": 5,
    "rollout.resume": 5,
    "rollout.background": 5,
    "rollout.ends": 5,
    "rollout.steering": 5,
    "rollout.looks": 5,
    "rollout.executor": 5,
    "rollout.apply": 5,
    "colours": 6,
    "plots": 6,
    "formats": 6,
    "widgets": 6,
    "cli": 7,
    "__main__": 7,
    "": 7,
}
SIMULATOR = "simulator"
#: Rooms that know nothing of one another, though the floors would let them.
STRANGERS = {("cidr", "cloud"), ("cloud", "cidr"), ("cidr", "schema")}
#: Packages whose __init__ only names what lies below it.
HALLS = {"rollout"}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield (dotted name inside the package, file) of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports_of(name: str, path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module inside the package) for every import, function-level ones too."""
    known = {module for module, _ in modules()}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: write imports in full"
            base = node.module or ""
            inner = base.removeprefix("vcokit").lstrip(".")
            deeper = [f"{inner}.{alias.name}".lstrip(".") for alias in node.names]
            targets = [f"vcokit.{module}" if module in known else base for module in deeper]
        else:
            continue
        for target in targets:
            if target == "vcokit" or target.startswith("vcokit."):
                yield node.lineno, target.removeprefix("vcokit").lstrip(".")


def room_of(module: str) -> str:
    """Return the room, or hall, that a module belongs to."""
    while module not in FLOORS and module != SIMULATOR:
        if module in HALLS:
            return module
        module = module.rpartition(".")[0]
    return module


def is_typing_only(path: Path, line: int) -> bool:
    """Tell whether a line stands under ``if TYPE_CHECKING:``, which draws no arrow at run time."""
    blocks = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return any(node.lineno <= line <= (node.end_lineno or 0) for node in blocks)


def test_imports_go_down_only() -> None:
    """No room imports from a floor above it, nor the simulator anything but itself."""
    wrong = []
    for name, path in modules():
        here = room_of(name)
        for line, target in imports_of(name, path):
            there = room_of(target)
            if here == there or here in HALLS or is_typing_only(path, line):
                continue
            if here == SIMULATOR:
                wrong.append(f"{name}:{line} the simulator imports {target}")
            elif there == SIMULATOR:
                if FLOORS[here] < 7:
                    wrong.append(f"{name}:{line} imports the simulator")
            elif there in HALLS:
                wrong.append(f"{name}:{line} imports the hall {target}, name the room")
            elif FLOORS[there] > FLOORS[here]:
                wrong.append(f"{name}:{line} imports {target} from a floor above")
            elif (here, there) in STRANGERS:
                wrong.append(f"{name}:{line} imports {target}, a stranger")
    assert not wrong, "\n".join(wrong)


def test_rooms_have_names() -> None:
    """There is no cellar for odds and ends."""
    banned = {"utils", "util", "helpers", "helper", "core", "common", "misc"}
    found = [name for name, _ in modules() if banned & set(name.split("."))]
    assert not found


@pytest.mark.parametrize(
    "module",
    ["matplotlib", "ipywidgets", "IPython", "http.server", "typer", "rich", "netaddr"],
)
def test_import_is_cheap(module: str) -> None:
    """``import vcokit`` loads pandas, the dtype and the accessor, and none of the heavy rooms."""
    code = f"import sys, vcokit; print({module!r} in sys.modules, 'pandas' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "True"]


def test_import_registers_the_column_type() -> None:
    """``import vcokit`` alone makes the dtype ``cidr`` and ``Series.cidr`` known to pandas."""
    code = "import vcokit, pandas; print(pandas.Series(['::/0'], dtype='str').cidr.to_cidr().dtype)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["cidr"]
