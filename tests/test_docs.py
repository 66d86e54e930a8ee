"""What the pages of `docs/` say is so: their snippets run, their commands exit as they say."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import vcokit as vk
from vcokit import schema
from vcokit.audit.rules import RULES
from vcokit.cli.exits import MEANING
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
    """The Python of a page runs as it stands, and prints what is text of several lines."""
    found = blocks(DOCS / name, "python")
    assert found
    names: dict[str, object] = {}
    for code in found:
        tree = ast.parse(code)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), names)  # noqa: S102
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
            assert not (isinstance(shown, str) and "\n" in shown), ast.unparse(last)


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


def made_by(name: str) -> ModuleType:
    """Load a script of the docs."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["rules", "tables", "transcript"])
def test_what_makes_the_pages_does_as_it_says(name: str) -> None:
    """The examples in the scripts of the docs run."""
    assert doctest.testmod(made_by(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_the_page_of_rules_is_that_of_the_code() -> None:
    """The page of rules is what the audit says today; each rule speaks on its own example."""
    maker = made_by("rules")
    assert list(maker.EXAMPLES) == [rule.name for rule in RULES]
    for name, example in maker.EXAMPLES.items():
        assert set(example.findings(name)["rule"]) == {name}
    assert maker.page() == maker.PAGE.read_text("utf-8"), "run python docs/rules.py"


def test_tables_are_those_of_the_code() -> None:
    """The tables between marks are what the code holds today; all that can be made are used."""
    maker, used = made_by("tables"), set()
    for page in maker.PAGES:
        text = (ROOT / page).read_text("utf-8")
        used |= set(re.findall("<!-- made: (.+?) -->", text))
        assert maker.filled(text) == text, f"{page}: run python docs/tables.py"
    assert used == set(maker.TABLES)


def test_the_session_of_a_new_user_is_so() -> None:
    """The session is run once more, kill and all, and says what its page says."""
    maker = made_by("transcript")
    committed = maker.PAGE.read_text("utf-8")
    assert maker.steady(maker.page(maker.play())) == maker.steady(committed)


def test_the_plan_of_the_readme_is_so() -> None:
    """The plan that the README shows is one that vcokit prints."""
    routes = vk.read_routes(ROOT / "data" / "routes-small.csv")
    plan = vk.plan_routes(routes, schema.frame(schema.LIVE_ROUTES))
    (shown,) = blocks(ROOT / "README.md", "diff")
    assert shown in plan.diff()


def test_the_chinese_session_runs(folder: Path) -> None:
    """The session of the Chinese README runs as it stands, and plans what it says."""
    (session,) = blocks(ROOT / "README.zh-CN.md", "python")
    names: dict[str, object] = {}
    exec(compile(session, "README.zh-CN.md", "exec"), names)  # noqa: S102
    assert str(names["plan"]) in session
    assert set(names["check"]["verdict"]) == {"as planned"}


def test_the_chinese_exit_codes_are_those_of_the_code() -> None:
    """The Chinese README names the same exit codes, in the same order."""
    text = (ROOT / "README.zh-CN.md").read_text("utf-8")
    named = [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)]
    assert named == [int(code) for code in MEANING]


def test_the_chinese_readme_has_the_same_commands() -> None:
    """Both READMEs begin with the same two commands."""
    first = [blocks(ROOT / name, "console")[0] for name in ("README.md", "README.zh-CN.md")]
    commands = [re.findall(r"^\$ (make \w+)", text, re.M) for text in first]
    assert commands == [["make demo", "make test"]] * 2


def test_the_plots_page_runs(folder: Path) -> None:
    """The snippets of the page about plots run on frames of the kind they name."""
    from matplotlib import pyplot as plt

    routes = vk.read_routes("data/routes-small.csv")
    with Simulator.for_routes(routes, seed=1) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        names = {"vk": vk, "plt": plt, "routes": routes, "client": client, "plan": plan}
        names["findings"] = vk.audit_routes(routes)
        names["rollout"] = vk.apply_plan(plan, client, journal=folder / "plots.db")
        names["live"] = vk.live_routes(client, routes)
        for code in blocks(DOCS / "plots.md", "python"):
            exec(compile(code, "plots.md", "exec"), names)  # noqa: S102
    plt.close("all")
