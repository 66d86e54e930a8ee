"""What a command writes destroys nothing, is the same bytes everywhere, and outlives its reader."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vcokit as vk
from tests.cli.stage import FAST, GOOD, HEAD, TEN
from tests.conftest import environment_of
from vcokit.cli import ExitCode
from vcokit.simulator import Fault, Simulator

#: Commands that would write onto what they need, or onto what is not a summary or plan.
HARMFUL = [
    ("live", "routes.csv", "--simulate", "--output", "routes.csv"),
    ("live", "*.csv", "--simulate", "--output", "./routes.csv"),
    ("audit", "routes.csv", "--output", "routes.csv"),
    ("audit", "plan.jsonl", "--live", "routes.csv", "--output", "routes.csv"),
    ("audit", "plan.jsonl", "--connections", "routes.csv", "--output", "routes.csv"),
    ("audit", "routes.csv", "--output", "soft.csv"),
    ("audit", "routes.csv", "--output", "hard.csv"),
    ("aggregate", "routes.csv", "--drop-blocked", "--output", "routes.csv"),
    ("aggregate", "soft.csv", "--output", "hard.csv"),
    ("apply", "routes.csv", *FAST, "--summary", "routes.csv"),
    ("apply", "plan.jsonl", *FAST, "--summary", "plan.jsonl"),
    ("apply", "routes.csv", *FAST, "--journal", "j.simulated.db", "--summary", "j.simulated.db"),
    ("apply", "routes.csv", *FAST, "--summary", "routes.simulated-2.db"),
    ("apply", "routes.csv", *FAST, "--summary", "routes.simulated-2.db-wal"),
    ("apply", "routes.csv", *FAST, "--summary", "other.json"),
    ("plan", "routes.csv", "--simulate", "--save", "hard.csv"),
    ("plan", "routes.csv", "--simulate", "--save", "other.json"),
    ("resume", "routes.simulated.db", *FAST, "--summary", "routes.simulated.db"),
    ("undo", "routes.simulated.db", *FAST, "--summary", "routes.simulated.db"),
    ("undo", "routes.simulated.db", *FAST, "--summary", "x.json", "--save", "x.json"),
]


def test_nothing_that_is_needed_is_overwritten(shell, inventory: Path) -> None:
    """Exit code 2 before anything is done, whatever name an inventory, plan or journal bears."""
    assert shell("plan", inventory, "--simulate", "--save", "plan.jsonl")[0] == ExitCode.OK
    assert shell("apply", inventory, *FAST)[0] == ExitCode.OK
    Path("soft.csv").symlink_to(inventory)
    os.link(inventory, "hard.csv")
    Path("other.json").write_text('{"journal": "mine"}')
    before = {path.name: path.read_bytes() for path in inventory.parent.iterdir()}
    for command in HARMFUL:
        code, out, err = shell(*command)
        assert (code, out, err.count("\n")) == (ExitCode.INPUT, "", 1), command
        after = {path.name: path.read_bytes() for path in inventory.parent.iterdir()}
        assert after == before, command


def test_a_summary_takes_the_place_of_one(shell, inventory: Path) -> None:
    """--summary overwrites an earlier summary, also by a link to it, and makes a new file."""
    summary, link = Path("s.json"), Path("link.json")
    link.symlink_to(summary)
    for _ in range(2):
        assert shell("apply", inventory, *FAST, "--summary", link)[0] == ExitCode.OK
    assert link.is_symlink()
    assert json.loads(summary.read_text())["journal"].endswith("routes.simulated-2.db")


def test_a_fresh_demo_forgets_its_cloud_alone(shell, inventory: Path) -> None:
    """What else is in the folder stays, a real rollout's journal above all."""
    mine = {"rollout.db": b"mine", "cloud.txt": b"mine"}
    for name, content in mine.items():
        Path(name).write_bytes(content)
    assert shell("demo", inventory, "--out", ".", "--fresh", "--speed", "600")[0] == ExitCode.OK
    assert {name: Path(name).read_bytes() for name in mine} == mine
    assert inventory.read_text() == TEN


def summed(path: Path) -> dict:
    """Return a summary, and take it away."""
    facts = json.loads(path.read_text())
    path.unlink()
    return facts


def test_a_summary_of_every_end(shell, inventory: Path, cloud, monkeypatch) -> None:
    """Nothing to send, findings, no key, no cloud, nobody to ask, a journal in the way."""
    summary = Path("s.json")
    ends = []

    def end(*arguments: str) -> None:
        code, _, _ = shell("apply", inventory, "--summary", summary, *arguments)
        facts = summed(summary)
        assert facts["exit_code"] == code
        ends.append((code, facts["state"], facts["resume"]))

    end()
    end("--yes")
    end("--yes", "--journal", "routes.rollout.db")
    end("--yes")
    inventory.write_text(TEN + GOOD.replace("100", "7"))
    end("--yes", "--fail-on", "error")
    cloud.stop()
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "1")
    end("--yes")
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    end("--yes")
    assert [code for code, _, _ in ends] == [2, 0, 2, 0, 1, 5, 4]
    assert [state for _, state, _ in ends] == [None, "finished", *[None] * 5]
    assert {resume for _, _, resume in ends} == {None}


def test_an_interrupt_before_anything_is_sent_is_said(inventory: Path) -> None:
    """SIGTERM while the cloud is read: 130, one line, and a summary that says so."""
    summary = Path("s.json")
    routes = vk.read_routes(inventory)
    slow = Fault("delay", seconds=30.0)
    with Simulator.for_routes(routes, speed=1.0, faults=[slow]) as cloud:
        env = {**os.environ, **environment_of(cloud)}
        command = ["-m", "vcokit", "apply", inventory, "--yes", "--summary", summary]
        child = subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout.readline().endswith("10 routes\n")
        child.terminate()
        _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "interrupted, nothing was sent\n")
    facts = summed(summary)
    assert (facts["exit_code"], facts["state"], facts["resume"]) == (130, None, None)


def piped(command: str) -> subprocess.CompletedProcess[str]:
    """Run a pipeline whose first command is ours; its exit code is ours."""
    first, _, rest = command.partition(" | ")
    ours = f"{{ {sys.executable} -m vcokit {first}; echo $? >&3; }}"
    whole = f"{{ code=$({{ {ours} | {rest or 'cat'} >&4; }} 3>&1); }} 4>&1; exit $code"
    return subprocess.run(["sh", "-c", whole], capture_output=True, text=True)


def test_a_rollout_outlives_its_reader(inventory: Path) -> None:
    """``apply … | head -1`` goes on to its end, and its code and summary are those of the end."""
    done = piped(f"apply {inventory} --simulate --speed 30 --summary s.json | head -1")
    assert (done.returncode, done.stdout) == (0, f"{inventory}: 10 routes\n")
    facts = summed(Path("s.json"))
    assert (facts["state"], facts["exit_code"], facts["states"]) == ("finished", 0, {"done": 10})


@pytest.mark.parametrize(
    ("command", "code"),
    [("verify routes.csv --simulate --format csv", 1), ("plan routes.csv --simulate", 0)],
)
def test_a_reader_that_goes_changes_no_code(inventory: Path, command: str, code: int) -> None:
    """The exit code is that of the command's end, and nothing is said of the pipe."""
    done = piped(f"{command} 2>/dev/null | true")
    assert (done.returncode, done.stderr) == (code, "")


def test_a_plan_is_saved_before_it_is_shown(shell, inventory: Path) -> None:
    """``undo --save`` has written its plan when the first of its output is read."""
    assert shell("apply", inventory, *FAST)[0] == ExitCode.OK
    command = "undo routes.simulated.db --simulate --save u.plan --format json 2>/dev/null | true"
    assert piped(command).returncode == 0
    assert vk.Plan.load("u.plan").counts["delete"] == 10


@pytest.mark.parametrize(
    "command",
    [
        ("aggregate", "zh.csv", "--drop-blocked"),
        ("diff", "zh.csv", "routes.csv", "--format", "csv"),
        ("audit", "zh.csv", "--format", "csv", "--fail-on", "never"),
        ("live", "zh.csv", "--simulate"),
    ],
)
def test_a_file_on_standard_output_is_utf_8(
    shell, inventory: Path, monkeypatch: pytest.MonkeyPatch, command
) -> None:
    """Whatever the terminal's encoding, the bytes of a file are the same."""
    text = HEAD + GOOD.replace("fine", "北京")
    Path("zh.csv").write_text(text + GOOD.replace("cn-hangzhou", "北").replace("vco-a", "北"))
    usual = shell(*command)[1]
    for encoding in ("latin-1", "utf-16"):
        monkeypatch.setattr(sys, "stdout", stream := io.TextIOWrapper(io.BytesIO(), encoding))
        shell(*command)
        stream.flush()
        assert stream.buffer.getvalue().decode("utf-8") == usual != ""
    assert "\\u" not in usual


def test_a_name_that_means_no_format_is_refused(shell, inventory: Path) -> None:
    """No CSV is written under the name of something else."""
    for command in (("live", "--simulate"), ("aggregate",)):
        for name in ("l.json", "l.cvs", "l.json.gz", "l.xlsx"):
            code, _, err = shell(command[0], inventory, *command[1:], "--output", name)
            assert (code, ".csv" in err) == (ExitCode.INPUT, True)
            assert not Path(name).exists()
