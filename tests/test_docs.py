"""What the pages of `docs/` say is so: their snippets run, their commands exit as they say."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcokit.simulator import Simulator

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
#: The port that pages name; tests take one that is free.
PORT = "8601"
#: Pages whose Python runs from top to bottom, in one namespace.
TOLD = ("executor.md", "tutorial-notebook.md", "tutorial-audit.md", "faq.md")
#: Pages whose commands run from top to bottom, in one folder.
TYPED = ("docs/tutorial-audit.md", "docs/tutorial-bulk-import.md", "docs/faq.md", "README.md")
_NO_COMMAND = ("make ",)


def blocks(page: Path, language: str) -> list[str]:
    """Return the code of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a new folder with the inventories beside it."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", TOLD)
def test_python_runs(name: str, folder: Path) -> None:
    """The Python of a page runs as it stands."""
    found = blocks(DOCS / name, "python")
    assert found
    names: dict[str, object] = {}
    for code in found:
        exec(compile(code, name, "exec"), names)  # noqa: S102


class Shell:
    """Runs the commands of a page; ends what it left running.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.left = folder, []
        here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if "ALIBABA" not in name}
        fast = {"VCOKIT_POLL_INTERVAL": "0.05", "VCOKIT_TASK_SECONDS": "0.05"}
        self.environ = {**kept, **fast, "PATH": here, "HOME": str(folder)}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])

    def do(self, line: str) -> None:
        """Do one line, and hold it to the exit code that its comment names."""
        command, _, said = line.replace(PORT, self.port).partition("   # ")
        words = shlex.split(command)
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self.environ[name] = value
        elif words[-1] == "&":
            self._serve(words[:-1])
        else:
            code = re.search(r"exit code (\d+)", said)
            ended = subprocess.run(words, **self._options(), stderr=subprocess.PIPE)
            assert ended.returncode == int(code[1] if code else 0), (line, ended.stderr)

    def _serve(self, words: list[str]) -> None:
        served = subprocess.Popen(words, **self._options(), stderr=subprocess.DEVNULL)
        self.left.append(served)
        assert served.stdout.readline().startswith("listening on ")

    def _options(self) -> dict:
        return {
            "cwd": self.folder,
            "env": self.environ,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "text": True,
        }

    def end(self) -> None:
        """End what still runs."""
        for served in self.left:
            served.terminate()
            served.communicate()


@pytest.fixture
def shell(folder: Path) -> Iterator[Shell]:
    """Give a shell in a new folder."""
    opened = Shell(folder)
    yield opened
    opened.end()


@pytest.mark.parametrize("page", TYPED)
def test_commands_run(page: str, shell: Shell) -> None:
    """The commands of a page run as they stand, one after the other, and exit as it says."""
    lines = "".join(blocks(ROOT / page, "console")).splitlines()
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    typed = [line for line in typed if not line.startswith(_NO_COMMAND)]
    assert typed
    for line in typed:
        shell.do(line)


def test_links_lead_somewhere() -> None:
    """Every relative link and picture of a page leads to a file, and its mark to a heading."""
    wrong = []
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "README.zh-CN.md"):
        text = page.read_text("utf-8")
        targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(
            r'(?:src|srcset)="([^"]+)"', text
        )
        for target in targets:
            path, _, mark = target.partition("#")
            if "://" in target:
                continue
            there = page.parent / path if path else page
            if not there.exists() or (mark and mark not in marks(there)):
                wrong.append(f"{page.name}: {target}")
    assert not wrong


def marks(page: Path) -> set[str]:
    """Return the marks of a page's headings, as a code host makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_pages_keep_to_themselves() -> None:
    """No page names a path of a machine, or a place that nobody else has."""
    for page in (*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "README.zh-CN.md"):
        said = re.findall(r"(?<![\w.])/(?:tmp|home|root|work|Users)\b", page.read_text("utf-8"))
        assert not said, page.name


def test_the_chinese_readme_has_the_same_commands() -> None:
    """Both READMEs begin with the same two commands, and the Chinese session runs too."""
    first = [blocks(ROOT / name, "console")[0] for name in ("README.md", "README.zh-CN.md")]
    commands = [re.findall(r"^\$ (make \w+)", text, re.M) for text in first]
    assert commands == [["make demo", "make test"]] * 2


def test_the_plots_page_runs(folder: Path) -> None:
    """The snippets of the page about plots run on frames of the kind they name."""
    import matplotlib.pyplot as plt

    import vcokit as vk

    routes = vk.read_routes("data/routes-small.csv")
    with Simulator.for_routes(routes, seed=1) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        names = {"vk": vk, "plt": plt, "routes": routes, "client": client, "plan": plan}
        names |= {"findings": vk.audit_routes(routes), "forecast": vk.forecast(plan)}
        names["rollout"] = vk.apply_plan(plan, client, journal=folder / "plots.db")
        names["live"] = vk.live_routes(client, routes)
        for code in blocks(DOCS / "plots.md", "python"):
            exec(compile(code, "plots.md", "exec"), names)  # noqa: S102
    plt.close("all")
