"""What README and the pages of `docs/` say is so: snippets run, commands exit as they say."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import yaml

import vcokit as vk

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
READMES = [ROOT / name for name in ("README.md", "README.zh-CN.md")]
README = READMES[0].read_text("utf-8")
PAGES = [*DOCS.glob("*.md"), *READMES]
SMALL = ROOT / "data" / "routes-small.csv"
#: The port that pages name; tests take one that is free.
PORT = "8601"
#: Pages whose Python runs from top to bottom, in one namespace.
TOLD = (
    "executor.md",
    "fleet.md",
    "tutorial-notebook.md",
    "tutorial-audit.md",
    "own-rules.md",
    "verify.md",
    "faq.md",
    "recording.md",
)
#: Pages whose commands run from top to bottom, in one folder.
TYPED = (
    "docs/tutorial-audit.md",
    "docs/baseline.md",
    "docs/tutorial-bulk-import.md",
    "docs/verify.md",
    "docs/faq.md",
    "docs/recording.md",
    "README.md",
)
# What is run here is run elsewhere under a count of lines, which doubles the time.
pytestmark = pytest.mark.no_cover

SEVERITY = {"error": "error", "warning": "warning", "note": "info"}


def blocks(page: Path, language: str) -> list[str]:
    """Return the code of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)


def run(code: str, **names: object) -> dict[str, object]:
    """Run a snippet with some names; return all names that there are then."""
    exec(compile(code, "snippet", "exec"), names)  # noqa: S102
    return names


def section(heading: str) -> str:
    """Return the Python of a section of the page about the real cloud."""
    page = (DOCS / "real-cloud.md").read_text("utf-8")
    return re.search(rf"^## {heading}\n.*?```python\n(.*?)```", page, re.DOTALL | re.M)[1]


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


def test_an_audit_on_workers_runs(folder: Path) -> None:
    """The script about several workers runs as it stands, and finds what one process finds."""
    (folder / "sites").mkdir()
    sites = [folder / "sites" / f"{name}.parquet" for name in "ab"]
    for site in sites:
        vk.write_routes(vk.read_routes(SMALL), site)
    script = folder / "script.py"
    script.write_text(blocks(DOCS / "beyond-one-machine.md", "python")[0], "utf-8")
    child = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, check=False)
    assert child.returncode == 0, child.stderr
    found = pd.read_parquet(folder / "findings").sort_values(["row", "rule"])
    wanted = vk.audit_routes(vk.read_routes([f"sites/{site.name}" for site in sites]))
    assert found["message"].tolist() == wanted["message"].tolist()


@pytest.mark.parametrize("page", TYPED)
def test_commands_run(
    page: str, folder: Path, shell: Callable[..., tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of a page run as they stand, one after the other, and exit as it says."""
    for name, value in {"POLL_INTERVAL": "0.05", "TASK_SECONDS": "0.05", "SPEED": "600"}.items():
        monkeypatch.setenv(f"VCOKIT_{name}", value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    found = re.findall(r"^\$ (?!make |pip )(.*)", "".join(blocks(ROOT / page, "console")), re.M)
    assert found
    with ExitStack() as served:
        for line in found:
            command, _, said = line.replace(PORT, port).partition("   # ")
            program, *words = shlex.split(command)
            if program == "export":
                monkeypatch.setenv(*words[0].split("=", 1))
            elif words[-1] == "&":
                # As a user's shell does, with the program that was installed.
                start = [Path(sys.executable).with_name(program), *words[:-1]]
                silent = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                child = subprocess.Popen(start, stdout=subprocess.PIPE, text=True, **silent)
                served.callback(child.communicate)
                served.callback(child.terminate)
                assert child.stdout.readline().startswith("listening on ")
            else:
                assert program == "vcokit", line
                code, _, err = shell(*words)
                wanted = re.search(r"exit code (\d+)", said)
                assert code == int(wanted[1] if wanted else 0), (line, err)


def test_the_change_from_spreadsheet_to_record(
    folder: Path, shell: Callable[..., tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are written, its commands run in order, and each line it shows was printed."""
    for name, value in {"POLL_INTERVAL": "0.05", "TASK_SECONDS": "0.05", "SPEED": "600"}.items():
        monkeypatch.setenv(f"VCOKIT_{name}", value)
    text = (DOCS / "tutorial-change.md").read_text("utf-8")
    parts = re.findall(r"^(````?)(\w+)\n(.*?)^\1$", text, re.DOTALL | re.M)
    files = {"csv": folder / "offices.csv", "toml": folder / "agreed.toml"}
    commands = 0
    with ExitStack() as served:
        for _, language, content in parts:
            if language in files:
                files[language].write_text(content, "utf-8")
            elif language == "python":
                run(content)
            else:
                commands += type_in(content, shell, monkeypatch, served)
    assert commands == 12
    assert "<title>Change record: NET-2417" in (folder / "change.html").read_text("utf-8")


def type_in(
    session: str, shell: Callable[..., tuple], monkeypatch: pytest.MonkeyPatch, served: ExitStack
) -> int:
    """Run the commands of a block; return their number.

    What it shows below each stands in what was printed, in that order; ``…`` leaves lines out.
    """
    first, *pieces = re.split(r"^\$ ", session, flags=re.M)
    assert not first
    for piece in pieces:
        line, *shown = piece.splitlines()
        command, _, said = line.partition("   # ")
        program, *words = shlex.split(command)
        if program == "export":
            name, value = words[0].split("=", 1)
            if name != "VCOKIT_ENDPOINT":  # the simulator of a test takes a port that is free
                monkeypatch.setenv(name, value)
        elif words[-1] == "&":
            cloud = vk.Simulator.for_routes(vk.read_routes(words[1]), speed=600)
            monkeypatch.setenv("VCOKIT_ENDPOINT", served.enter_context(cloud).endpoint)
        else:
            code, out, err = shell(*words)
            wanted = re.search(r"exit code (\d+)", said)
            assert code == int(wanted[1] if wanted else 0), (line, err)
            printed = [each.rstrip() for each in (out + err).splitlines()]
            for each in shown:
                if each not in ("…", ""):
                    assert each.rstrip() in printed, (each, printed)
                    printed = printed[printed.index(each.rstrip()) + 1 :]
    return len(pieces)


def test_the_site_is_made_without_a_warning() -> None:
    """Every page and every public name is on the site, with its pictures."""
    made = subprocess.run(
        [sys.executable, DOCS / "make_site.py"], capture_output=True, text=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, ""), made.stderr
    site = ROOT / "out" / "site"
    pictures = {
        picture
        for page in site.glob("*.html")
        for picture in re.findall(r'(?:src|srcset)="([^":]+\.png)"', page.read_text("utf-8"))
    }
    assert len(pictures) > 20
    assert not [picture for picture in pictures if not (site / picture).is_file()]
    reference = (site / "python.html").read_text("utf-8")
    names = set(vk.__all__) - {"__version__"}
    assert {name for name in names if f'id="vcokit.{name}"' not in reference} == {"errors", "plots"}
    assert {f'id="module-vcokit.{name}"' in reference for name in ("errors", "plots")} == {True}


def test_the_hook_stops_wrong_rows(folder: Path, shell: Callable[..., tuple]) -> None:
    """What users' repositories run before a commit fails for wrong rows, and for no others."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    program, *words = shlex.split(hook["entry"])
    good = folder / "good.csv"
    head, first, *_ = SMALL.read_text("utf-8").splitlines()
    good.write_text(f"{head}\n{first}\n", encoding="utf-8")
    assert program == "vcokit"
    assert (shell(*words, SMALL)[0], shell(*words, good)[0]) == (1, 0)


def test_links_lead_somewhere() -> None:
    """Every relative link and picture of a page leads to a file, and its mark to a heading."""
    wrong = []
    for page in PAGES:
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
    for page in PAGES:
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


def test_the_rules_are_those_of_the_code(shell) -> None:
    """The page of rules names every rule, in order; each speaks on its own example."""
    code, out, _ = shell("audit", SMALL, "--format", "sarif")
    assert code in (0, 1)
    (made,) = json.loads(out)["runs"]
    rules = [
        (rule["id"], SEVERITY[rule["defaultConfiguration"]["level"]], rule["help"]["text"])
        for rule in made["tool"]["driver"]["rules"]
    ]
    maker = made_by("rules")
    page = maker.page()
    assert page == maker.PAGE.read_text("utf-8"), "run python docs/rules.py"
    listed = r"^\| \[`([a-z0-9-]+)`\]\(#\1\) \| (error|warning|info) \| (.*) \|$"
    assert re.findall(listed, page, re.M) == rules
    assert list(maker.EXAMPLES) == [name for name, _, _ in rules]
    for name, example in maker.EXAMPLES.items():
        assert set(example.findings(name)["rule"]) == {name}


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


# -- the READMEs --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_the_session_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first session runs as it stands, plans what it says, and ends with all as planned."""
    session = blocks(page, "python")[0]
    assert len([line for line in session.splitlines() if line.strip()]) <= 12
    monkeypatch.setenv("VCOKIT_IN_FLIGHT", "32")
    names = run(session)
    assert str(names["plan"]) in session
    assert set(names["check"]["verdict"]) == {"as planned"}
    assert set(names["rollout"].frame()["state"]) == {"done", "blocked"}


def test_keys_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each way to give a key works as it stands, and the client shows none of it."""
    profile = {"name": "network", "mode": "AK", "access_key_id": "LTAI1", "region_id": "r"}
    kept = {"profiles": [profile | {"access_key_secret": "kept"}], "current": "network"}
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(json.dumps(kept), "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI2")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "set")
    run(keys := section("Keys"), vk=vk, key_id="LTAI3", secret="given")
    assert capsys.readouterr().out.strip() in keys


def test_the_preflight_runs() -> None:
    """What is asked before anything is sent runs as it stands, and only reads."""
    routes = vk.read_routes(SMALL)
    with vk.Simulator.for_routes(routes) as cloud, vk.connect(cloud) as client:
        names = run(section("Before anything is sent"), vk=vk, routes=routes, client=client)
        assert cloud.calls()["operation"].str.startswith("Describe").all()
    rules = {"unknown-connection", "wrong-region", "not-attached"}
    assert not rules & set(names["findings"]["rule"])
    assert names["plan"].counts["create"] > 0


def test_two_commands_come_first() -> None:
    """The first screen has the two commands, the session and a picture, light and dark."""
    first_screen = "\n".join(README.splitlines()[:32])
    for part in ("make demo", "make test", "import vcokit as vk", "<picture>", "-dark.png"):
        assert part in first_screen


def test_the_readme_is_one_screen() -> None:
    """A reader is through in some minutes: at most 120 lines and 900 words."""
    assert len(README.splitlines()) <= 120
    assert len(README.split()) <= 900


def test_both_readmes_say_the_same() -> None:
    """The Chinese README has the same commands, pictures and links, in the same order."""
    parts = r"^\$ (?:(?!  #).)*|src=\S+|\]\((?!README)[^)]+\)|^#+ "
    english, chinese = (re.findall(parts, page.read_text("utf-8"), re.M) for page in READMES)
    assert [part.strip() for part in english] == [part.strip() for part in chinese]
    assert len(english) > 30


def test_the_plots_page_runs(folder: Path) -> None:
    """The snippets of the page about plots run on frames of the kind they name."""
    from matplotlib import pyplot as plt

    routes = vk.read_routes("data/routes-small.csv")
    with vk.Simulator.for_routes(routes, seed=1) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        names = {"vk": vk, "plt": plt, "routes": routes, "client": client, "plan": plan}
        names["findings"] = vk.audit_routes(routes)
        names["rollout"] = vk.apply_plan(plan, client, journal=folder / "plots.db")
        names["live"] = vk.live_routes(client, routes)
        for code in blocks(DOCS / "plots.md", "python"):
            run(code, **names)
    plt.close("all")
