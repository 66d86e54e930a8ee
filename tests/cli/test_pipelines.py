"""The pipelines of the page about repositories do what it says, run by a shell against a cloud.

Each command of a pipeline runs as it stands, but for what installs vcokit. What a code host alone
has is played here: its values in ``${{ … }}``, and its command ``gh``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import vcokit as vk
from tests.cli.stage import HEAD, ROOT
from tests.conftest import environment_of
from tests.reports import published
from vcokit.simulator import Simulator

PAGE = (ROOT / "docs" / "in-a-repository.md").read_text("utf-8")
FIRST = "cn-hangzhou,vco-a,10.0.0.0/8,vco-a,100,head office\n"
MORE = "cn-hangzhou,vco-b,10.1.0.0/16,vco-b,100,branch\n"
#: What a comment of GitHub can hold, in bytes.
LONGEST = 65_536


def blocks(language: str) -> list[str]:
    """Return the code of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.M)


HOOK, GITHUB, GITLAB = map(yaml.safe_load, blocks("yaml"))
REVIEW, APPLY = blocks("sh")


@dataclass(frozen=True)
class Pipeline:
    """The scripts of a pipeline, each with its own variables."""

    review: list[tuple[str, dict[str, str]]]
    apply: list[tuple[str, dict[str, str]]]


def of_github(job: str) -> list[tuple[str, dict[str, str]]]:
    """Return the commands of a job of the workflow."""
    steps = GITHUB["jobs"][job]["steps"]
    return [(step["run"], step.get("env", {})) for step in steps if "run" in step]


PIPELINES = {
    "shell": Pipeline([(REVIEW, {})], [(f"set -- $FINGERPRINT\n{APPLY}", {})]),
    "github": Pipeline(of_github("review"), of_github("apply")),
    "gitlab": Pipeline(
        [("set -e\n" + "\n".join(GITLAB["review"]["script"]), {})],
        [("set -e\n" + "\n".join(GITLAB["apply"]["script"]), {})],
    ),
}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Return the cloud of an inventory that stands in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("routes.csv").write_text(HEAD + FIRST + MORE)
    with Simulator.for_routes(vk.read_routes("routes.csv"), speed=1000.0) as made:
        yield made


@pytest.fixture
def job(cloud: Simulator, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run commands of a job; those after one that fails are not run."""
    programs = tmp_path / "programs"
    programs.mkdir()
    # Says what it was asked, and fails where the file of the comment is not there.
    (programs / "gh").write_text(
        '#!/bin/sh\nfor last; do :; done\ncat "$last" >/dev/null && echo "gh $*"\n'
    )
    (programs / "pip").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    here = Path(sys.executable).parent
    known = {
        **{name: value for name, value in os.environ.items() if name not in environment_of(cloud)},
        **environment_of(cloud),
        "PATH": os.pathsep.join([str(programs), str(here), os.environ["PATH"]]),
    }

    def run(
        commands: list[tuple[str, dict[str, str]]], **values: str
    ) -> subprocess.CompletedProcess[str]:
        out = err = ""
        code = 0
        for command, given in commands:
            env = {
                name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], value)
                for name, value in given.items()
            }
            fingerprint = {"FINGERPRINT": values.get("inputs.fingerprint", "")}
            done = subprocess.run(
                ["sh", "-e", "-c", command],
                env=known | fingerprint | env,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            out, err, code = out + done.stdout, err + done.stderr, done.returncode
            if code:
                break
        return subprocess.CompletedProcess(commands, code, out, err)

    return run


HOST = {"github.token": "its own", "github.event.pull_request.number": "7"}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_change_is_reviewed_and_applied(name: str, cloud: Simulator, job: Callable) -> None:
    """The review shows the plan and sends nothing; what was approved is sent, and nothing else."""
    pipeline = PIPELINES[name]
    done = job(pipeline.review, **HOST)
    assert done.returncode == 0, done.stderr
    assert cloud.calls()["operation"].str.startswith("Describe").all()
    comment = Path("comment.md").read_text("utf-8")
    assert len(comment.encode()) < LONGEST
    assert "10.1.0.0/16" in comment
    (fingerprint,) = set(re.findall(r"\b[0-9a-f]{64}\b", comment))
    if name == "github":
        assert "gh pr comment 7 --edit-last --create-if-none --body-file comment.md" in done.stdout
    # Somebody changes a weight after the approval.
    Path("routes.csv").write_text(HEAD + FIRST + MORE.replace(",100,", ",0,"))
    done = job(pipeline.apply, **{"inputs.fingerprint": fingerprint})
    assert done.returncode == 3
    assert cloud.calls()["operation"].str.startswith("Describe").all()
    Path("routes.csv").write_text(HEAD + FIRST + MORE)
    done = job(pipeline.apply, **{"inputs.fingerprint": fingerprint})
    assert done.returncode == 0, done.stderr
    assert cloud.calls()["operation"].eq("CreateVcoRouteEntry").sum() == 2
    assert {"routes.rollout.db", "summary.json", "report.html"} <= {
        p.name for p in Path().iterdir()
    }


@pytest.mark.parametrize("name", PIPELINES)
def test_wrong_rows_fail_the_review(name: str, job: Callable) -> None:
    """The job fails for a wrong row, and the findings and the comment are there all the same."""
    Path("routes.csv").write_text(HEAD + FIRST + MORE.replace("10.1.0.0/16", "10.1.0.0/33"))
    done = job(PIPELINES[name].review, **HOST)
    assert done.returncode == 1
    assert "blocked" in Path("comment.md").read_text("utf-8")
    if name == "gitlab":
        assert published.junit(Path("findings.xml").read_text("utf-8")).failures == 1
        return
    assert "10.1.0.0/33" in done.stdout
    findings = Path("findings.sarif").read_text("utf-8")
    assert not list(published.sarif().iter_errors(yaml.safe_load(findings)))
    assert '"startLine": 3' in findings or '"startLine":3' in findings


def test_what_is_kept_is_what_is_written() -> None:
    """The files that jobs keep are those that their commands write; keys come from secrets only."""
    kept = GITHUB["jobs"]["apply"]["steps"][-1]["with"]["path"].split()
    assert (
        kept
        == GITLAB["apply"]["artifacts"]["paths"]
        == ["*.rollout*.db", "summary.json", "report.html"]
    )
    assert GITLAB["review"]["artifacts"]["paths"] == ["comment.md"]
    for job in GITHUB["jobs"].values():
        assert {value[:12] for value in job["env"].values()} == {"${{ secrets."}
        # A value of an event never stands in a command: somebody could write commands into it.
        assert not [step["run"] for step in job["steps"] if "${{" in step.get("run", "")]


def test_the_hook_is_one_that_there_is() -> None:
    """The hook of the page is defined, and takes the inventory of the page."""
    (hook,) = HOOK["repos"][0]["hooks"]
    defined = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["id"] in {one["id"] for one in defined}
    assert re.match(hook["files"], "routes.csv")
