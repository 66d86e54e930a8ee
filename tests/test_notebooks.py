"""Every notebook runs from a clean kernel, shows what is committed, and gives nothing away."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from matplotlib import pyplot

import vcokit as vk
from notebooks.run import FOLDER, LARGEST, executed
from tests.conftest import environment_of
from vcokit.simulator import CANARY_AUTH_KEY, CANARY_PSK, Account, Fault, Simulator

REAL = FOLDER / "05_real_cloud.ipynb"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
assert NOTEBOOKS
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

#: How far a rollout or a fleet has come when its copy is made; the plan before it stays the same.
HOW_FAR = re.compile(r"(?<=<Rollout \w{12} )[^>]*|(?<=<FleetView )[^>]*")
#: What is of one machine or one run: folders, ports, addresses in memory, ids of requests.
OF_ONE_RUN = re.compile(
    r"/(?:tmp|home|root|Users|var|private)/|[A-Z]:\\\\Users|127\.0\.0\.1:\d|localhost:\d"
    r"|\bat 0x[0-9a-f]{6}|\b[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-"
)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the cells that hold parameters."""
    return [cell for cell in cells if "parameters" in cell.metadata.get("tags", ())]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the outputs of all cells."""
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def said(cell: nbformat.NotebookNode) -> str:
    """Return a cell's text and tables, without what may differ.

    A cell with the tag ``varies`` counts what chance decides: there, no number is compared.
    """
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        found.append(output.get("text") or data.get("text/plain", ""))
        html = data.get("text/html", "")
        found.append("a copy" if "vco-copy" in html else html)
    text = HOW_FAR.sub("…", "\n".join(found))
    return re.sub(r"\d+", "#", text) if "varies" in cell.metadata.get("tags", ()) else text


def kinds(cell: nbformat.NotebookNode) -> list[set[str]]:
    """Return the kinds of output of a cell."""
    return [set(output.get("data", {output.get("name"): 0})) for output in cell.outputs]


def noise(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the outputs that are errors, or went to stderr."""
    every = outputs(notebook)
    return [one for one in every if one.output_type == "error" or one.get("name") == "stderr"]


@EVERY
def test_committed_as_it_ran(path: Path) -> None:
    """Cells are numbered 1..n, twelve beside parameters, six lines in the mean; no error."""
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    lines = [len(cell.source.splitlines()) for cell in cells]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert len(cells) - len(tagged(cells)) <= 12
    assert max(lines) <= 10
    assert sum(lines) <= 6 * len(cells)
    assert not noise(notebook)


@EVERY
def test_begins_with_the_question_and_ends_with_a_sentence(path: Path) -> None:
    """The first cell asks, the last is a single sentence of text, and figures stand between."""
    notebook = nbformat.read(path, as_version=4)
    first, last = notebook.cells[0], notebook.cells[-1]
    assert "**The question:**" in first.source
    assert "?" in first.source
    assert last.cell_type == "markdown"
    assert re.fullmatch(r"[A-Z][^\n]*[a-z]\.", last.source)
    assert ". " not in last.source
    assert any("image/png" in one.get("data", {}) for one in outputs(notebook))


@EVERY
def test_can_be_read_without_a_kernel(path: Path) -> None:
    """No output needs a kernel or a script, and live views show how what they watch has ended."""
    notebook = nbformat.read(path, as_version=4)
    shown = [one.data for one in outputs(notebook) if "data" in one]
    can_be_read = {"text/plain", "text/html", "image/png"}
    assert not [set(data) - can_be_read for data in shown if set(data) - can_be_read]
    assert not [data for data in shown if "<script" in data.get("text/html", "")]
    assert path.stat().st_size < LARGEST
    live = ("<Rollout ", "<FleetView ")
    views = [d["text/plain"] for d in shown if d["text/plain"].startswith(live)]
    ended = r" (finished|interrupted|stopped|broken off): "
    assert all(re.search(ended, view) for view in views)


@EVERY
def test_gives_nothing_away(path: Path) -> None:
    """No secret, folder, port or request id of whoever ran it stands in what is committed."""
    text = path.read_text("utf-8")
    secrets = (Account().credentials.access_key_secret, CANARY_PSK, CANARY_AUTH_KEY)
    assert not [secret for secret in secrets if secret in text]
    pictures_apart = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not OF_ONE_RUN.findall(pictures_apart)


# The kernel's own libraries warn of themselves; what vcokit does in it is checked by its output.
@pytest.mark.filterwarnings("default")
@EVERY
def test_runs_and_shows_the_same(path: Path) -> None:
    """Run from a clean kernel, each cell shows what is committed: text, tables, figures, views."""
    fresh = executed(path)
    assert not noise(fresh)
    committed = nbformat.read(path, as_version=4)
    for old, new in zip(code_cells(committed), code_cells(fresh), strict=True):
        assert said(new) == said(old)
        assert kinds(new) == kinds(old)


async def played(cells: list[nbformat.NotebookNode]) -> dict[str, Any]:
    """Run cells here, but for what is the shell's; return the names that there are then."""
    names: dict[str, Any] = {}
    for cell in cells:
        if not cell.source.startswith("!"):
            code = compile(cell.source, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waits = eval(code, names)  # noqa: S307 - our own notebook
            if waits is not None:
                await waits
    return names


def test_parameters_can_be_injected() -> None:
    """A cell of other values behind the parameters, as papermill adds it, is what the rest uses."""
    for path in NOTEBOOKS[:3]:
        assert len(tagged(code_cells(nbformat.read(path, as_version=4)))) == 1
    cells = code_cells(nbformat.read(NOTEBOOKS[0], as_version=4))
    other = FOLDER.parent / "data" / "routes-small.csv"
    cell = nbformat.v4.new_code_cell(f"inventory, speed = {str(other)!r}, 1000.0")
    cells.insert(cells.index(*tagged(cells)) + 1, cell)
    names = asyncio.run(played(cells))
    assert names["routes"].equals(vk.read_routes(other))
    assert names["cloud"].speed == 1000.0
    assert set(names["rollout"].frame()["state"]) == {"done", "blocked"}
    names["folder"].cleanup()
    pyplot.close("all")


# -- on the real cloud ---------------------------------------------------------------------------


class RealRegion:
    """The notebook about the real cloud, run here on a simulator that stands for a real region.

    Of its own accord a real region is slow: here the cloud and the looks at it are not.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, *faults: Fault) -> None:
        self.set = monkeypatch.setenv
        inventory = FOLDER.parent / "data" / "routes-small.csv"
        self.cloud = Simulator.for_routes(vk.read_routes(inventory), speed=600.0, faults=faults)
        self.set("VCOKIT_NOTEBOOK_REGION", "cn-hangzhou")
        self.set("VCOKIT_NOTEBOOK_FILE", str(inventory))
        monkeypatch.chdir(folder)

    def run(self) -> Exception:
        """Run the cells; return the error that ends them."""
        for name, value in environment_of(self.cloud).items():
            self.set(name, value)
        cells = code_cells(nbformat.read(REAL, as_version=4))
        with pytest.raises((AssertionError, vk.errors.RolloutError)) as error:
            asyncio.run(played(cells))
        return error.value

    def writes(self) -> pd.DataFrame:
        """Return the calls that changed something, or would have."""
        calls = self.cloud.calls()
        return calls[~calls["operation"].str.startswith("Describe")]


def agree(region: RealRegion) -> str:
    """Run it until it asks for the plan's fingerprint; nothing is sent. Agree, and return it."""
    found = re.search(r"set VCOKIT_NOTEBOOK_PLAN=([0-9a-f]{64})", str(region.run()))
    assert found
    asked = region.cloud.calls()["operation"]
    assert set(asked[asked.str.startswith("Describe")]) > {"DescribeVcoRouteEntries"}
    assert region.writes().empty
    region.set("VCOKIT_NOTEBOOK_PLAN", found[1])
    return found[1]


def test_nothing_is_sent_that_nobody_agreed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told of a region alone it plans; told of the plan it sends the canary, and asks for the rest.

    The canary's journal is in the working directory.
    """
    region = RealRegion(monkeypatch, tmp_path)
    with region.cloud:
        agreed = agree(region)
        assert re.search("run %env VCOKIT_NOTEBOOK_REST=[0-9a-f]{64}", str(region.run()))
        assert region.writes()["vpn_connection_id"].nunique() == 1
    with vk.Journal.read(tmp_path / f"canary-{agreed[:12]}.db") as journal:
        assert set(journal.steps()["state"]) == {"blocked", "done"}


def test_where_the_canary_fails_the_rest_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused step of the canary ends the notebook, whatever was agreed to."""
    refusal = Fault("refuse", "CreateVcoRouteEntry", count=1, code="InvalidNextHop.NotFound")
    region = RealRegion(monkeypatch, tmp_path, refusal)
    with region.cloud:
        agree(region)
        assert re.search("1 failed", str(region.run()))
        assert region.writes()["vpn_connection_id"].nunique() == 1
