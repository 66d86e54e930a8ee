"""`docs/pictures.py --check` says which pictures are stale, on any machine and with any fonts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.figure import Figure

from vcokit import plots

ROOT = Path(__file__).parents[2]
THEMES = ("light", "dark")


@pytest.fixture
def script() -> ModuleType:
    """Return docs/pictures.py, newly loaded."""
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drawn(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of pictures, a small one in place of each plot, from a copy of the code."""
    for path in ("data/routes.csv", "docs/pictures.py", "vcokit/palette.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    (tmp_path / "vcokit" / "plots").mkdir()
    for path in (ROOT / "vcokit" / "plots").glob("*.py"):
        (tmp_path / "vcokit" / "plots" / path.name).write_bytes(path.read_bytes())
    names = [name for name in plots.__all__ if not name.endswith("_data")]
    small: Any = lambda: Figure(figsize=(1, 1)).subplots()  # noqa: E731
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "pictures", lambda _: dict.fromkeys(names, small))
    assert script.main([], tmp_path / "out") == 0
    return tmp_path


def stale(script: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return what --check calls stale; it writes nothing, and its exit code says the same."""
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    capsys.readouterr()
    code = script.main(["--check"], folder / "out")
    lines = capsys.readouterr().out.splitlines()
    found = {line.removeprefix("stale: ") for line in lines if line.startswith("stale: ")}
    assert code == bool(found)
    assert before == {path: path.read_bytes() for path in folder.rglob("*.png")}
    return found


def test_check_says_what_is_stale(
    script: ModuleType, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fresh ones are not named; those of other code, another inventory, and missing ones are."""
    assert not stale(script, drawn, capsys)
    (drawn / "out" / "call_latency-dark.png").unlink()
    assert stale(script, drawn, capsys) == {"call_latency-dark.png"}
    code = drawn / "vcokit" / "plots" / "nesting_tree.py"
    code.write_text(code.read_text("utf-8").replace("_NAMED: Final = 2", "_NAMED: Final = 3"))
    tree = {f"nesting_tree-{theme}.png" for theme in THEMES}
    assert stale(script, drawn, capsys) == tree | {"call_latency-dark.png"}
    with (drawn / "data" / "routes.csv").open("a") as file:
        file.write("\n")
    assert len(stale(script, drawn, capsys)) == 16


def test_words_make_no_picture_stale(
    script: ModuleType, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other comments and docstrings draw the same picture."""
    code = drawn / "vcokit" / "plots" / "nesting_tree.py"
    text = code.read_text("utf-8").replace('"""Show which routes', '"""Draw which\n\n    routes')
    code.write_text(f"{text}\n# the end\n", "utf-8")
    assert not stale(script, drawn, capsys)


def test_every_plot_is_checked(script: ModuleType) -> None:
    """No plot is left out."""
    assert set(script._MODULES) == {name for name in plots.__all__ if not name.endswith("_data")}
