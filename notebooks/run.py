"""Run the notebooks from a clean kernel and write them in place: ``make notebooks``.

What is written is what ran, but for three things: the widgets themselves are left out, as without
their kernel they are dead and every view has a copy in HTML beside it; what is drawn anew each time
is replaced: the names of these copies are counted, folders and request ids go; and of the metadata
only what a reader needs is kept. Text and tables are the same each time; pictures of a rollout are
those of this run.

``python notebooks/run.py 03`` runs those whose name begins so.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient

FOLDER: Final = Path(__file__).parent
#: Seconds that a notebook may take.
LONGEST: Final = 60.0
#: Seconds after which a cell hangs, however busy the machine is.
_HANGS: Final = 600
#: Largest notebook that is kept, bytes.
LARGEST: Final = 600_000

#: What would steer a notebook from outside: settings, and the keys of a real account.
_STEERING: Final = ("VCOKIT_", "ALIBABA_CLOUD_")
_REQUEST: Final = re.compile(r"\b[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\b")
_COPY: Final = re.compile(r"(?<=vco-copy-)[0-9a-f]{12}|(?<=vco-live-)[0-9a-f]{12}")
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},
}


def main(arguments: list[str]) -> int:
    """Run and write notebooks; return 1 if one is too slow or too large."""
    bad = 0
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not path.name.startswith(tuple(arguments or [""])):
            continue
        began = time.monotonic()
        notebook = executed(path)
        took = time.monotonic() - began
        nbformat.write(notebook, path)
        size = path.stat().st_size
        bad += took > LONGEST or size > LARGEST
        print(f"{path.name}  {took:.0f} s  {size / 1000:.0f} kB")
    return 1 if bad else 0


def executed(path: Path, steering: Mapping[str, str] | None = None) -> nbformat.NotebookNode:
    """Return a notebook as it is after a run of all its cells in a kernel of its own.

    Parameters
    ----------
    path : Path
    steering : mapping of str to str, optional
        Variables of the kernel's environment. Settings and keys that are set outside do not reach
        it, so that no real account is ever touched by accident.

    Raises
    ------
    CellExecutionError
        If a cell raises.
    CellTimeoutError
        If a cell hangs.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_HANGS,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of TCP on loopback
        resources={"metadata": {"path": str(path.parent)}},
    )
    with tempfile.TemporaryDirectory() as home:
        client.execute(env={**dict(_environment(os.environ, home)), **(steering or {})})
    return _tidied(notebook, home)


def _environment(outside: Mapping[str, str], home: str) -> Iterator[tuple[str, str]]:
    """Yield the environment of a kernel that no setting and no start-up file of its user steers.

    Its temporary files go with its home: the journals of notebooks that nobody will go on with.
    """
    yield from ((k, v) for k, v in outside.items() if not k.startswith(_STEERING))
    yield from (("IPYTHONDIR", home), ("TMPDIR", home))


def _tidied(notebook: nbformat.NotebookNode, home: str) -> nbformat.NotebookNode:
    notebook.metadata = nbformat.from_dict(_METADATA)
    copies = count(1)
    known: dict[str, str] = {}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs = [one for one in cell.outputs if _WIDGET not in one.get("data", {})]
        for data in (one.data for one in cell.outputs if "text/html" in one.get("data", {})):
            html = data["text/html"].replace(home, "(a folder)")
            data["text/html"] = _counted(html, known, copies)
    return notebook


def _counted(html: str, known: dict[str, str], copies: Iterator[int]) -> str:
    """Return HTML in which the names of copies are counted; those of one view stay alike.

    Request ids are those of one run, and go.
    """

    def name(found: re.Match[str]) -> Any:
        return known.setdefault(found[0], f"{next(copies):012x}")

    return _REQUEST.sub("(the request id)", _COPY.sub(name, html))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
