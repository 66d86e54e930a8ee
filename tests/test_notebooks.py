"""Every notebook runs from a clean kernel and shows what is committed."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

#: What may differ from run to run: ids of rollouts and widgets, and how far one has come.
VARYING = re.compile(r"<Rollout \w+ \w+: [^>]*>|in the real cloud about \d+ minutes")


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def said(cell: nbformat.NotebookNode) -> str:
    """Return a cell's text output, without what may differ."""
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]
    return VARYING.sub("…", "\n".join(texts))


def kinds(cell: nbformat.NotebookNode) -> list[set[str]]:
    """Return the kinds of output of a cell."""
    return [set(o.get("data", {"stream": 0})) for o in cell.outputs]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_as_it_ran(path: Path) -> None:
    """Cells are numbered 1..n, few and short, without an error; the first says the question."""
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert len(cells) <= 12
    assert all(len(cell.source.splitlines()) <= 10 for cell in cells)
    assert "question" in notebook.cells[0].source
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]


# The kernel's own libraries warn of themselves; what vcokit does in it is checked by its output.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_shows_the_same(path: Path) -> None:
    """Run from a clean kernel, each cell shows what is committed: text, tables, figures, views."""
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    client = NotebookClient(
        fresh, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    for before, after in zip(code_cells(committed), code_cells(fresh), strict=True):
        assert said(after) == said(before)
        assert kinds(after) == kinds(before)


def test_there_is_a_notebook() -> None:
    """The folder is not empty, so the tests above test something."""
    assert NOTEBOOKS
