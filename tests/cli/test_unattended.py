"""A rollout that nobody watches: logged, summed up, interrupted in order, gone on with."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import vcokit as vk
from tests.cli.stage import FAST, SMALL, read_all
from tests.conftest import environment_of
from vcokit import errors

CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f]")


def _hear() -> None:
    """Let a process hear Ctrl-C, also where the tests themselves run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def under_way(journal: Path, *arguments: object, **options) -> Iterator[subprocess.Popen]:
    """Start ``vcokit apply`` at a slow clock; yield it once a step has settled."""
    given = ["apply", *arguments, "--simulate", "--speed", "2", "--journal", journal]
    child = subprocess.Popen(
        [sys.executable, "-m", "vcokit", *map(str, given)],
        start_new_session=True,
        preexec_fn=_hear,
        **options,
    )
    try:
        while not _settled(journal):
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.05)  # a look takes time from what is looked at
            assert child.poll() is None
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait(30)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def _settled(journal: Path) -> bool:
    """Tell whether some step of a journal has settled already."""
    try:
        with vk.Journal.read(journal) as opened:
            return bool(opened.steps()["settled_at"].notna().any())
    except errors.JournalError:
        return False


PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def test_a_terminal_sees_progress_and_ctrl_c_stops_in_order(shell, tmp_path: Path) -> None:
    """A bar on a terminal; Ctrl-C leaves the journal whole and says how to go on; that goes on."""
    journal = tmp_path / "rollout.simulated.db"
    master, slave = pty.openpty()
    terminal = {"stdin": slave, "stdout": slave, "stderr": slave}
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
    with under_way(journal, SMALL, **terminal, env=env) as child:
        os.close(slave)
        os.kill(child.pid, signal.SIGINT)
        shown = read_all(master)
        child.wait(30)
    os.close(master)
    assert child.returncode == 130
    assert "\x1b[" in shown
    assert "accepted" in shown
    go_on = f"vcokit resume {journal} --simulate"
    assert go_on in shown.replace("\r\n", "")
    with vk.Journal.open(journal) as opened:
        assert opened.meta()["state"] == "interrupted"
        assert (opened.steps()["state"] == "pending").any()
    code, _, err = shell("resume", journal)
    assert (code, go_on in err) == (2, True)
    code, out, err = shell("resume", journal, *FAST)
    assert (code, err) == (0, "")
    assert "done 29" in out


def test_sigterm_ends_in_order(tmp_path: Path, inventory: Path) -> None:
    """As Ctrl-C does: exit code 130, the summary is written, nothing holds the journal."""
    journal, summary = tmp_path / "x.simulated.db", tmp_path / "s.json"
    with under_way(journal, inventory, "--summary", summary, **PIPES, text=True) as child:
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "")
    assert f"vcokit resume {journal} --simulate" in out
    facts = json.loads(summary.read_text())
    assert (facts["state"], facts["exit_code"]) == ("interrupted", 130)
    assert facts["states"]["pending"] > 0
    with vk.Journal.open(journal) as opened:
        assert opened.meta()["state"] == "interrupted"


def test_a_second_start_says_who_holds_the_journal(shell, tmp_path, inventory: Path) -> None:
    """Apply, resume and undo name the process; status tells how it stands, and disturbs nothing."""
    journal = tmp_path / "x.simulated.db"
    with under_way(journal, inventory, **PIPES) as child:
        for command in (
            ("apply", inventory, "--journal", journal),
            ("resume", journal),
            ("undo", journal),
        ):
            code, _, err = shell(*command, "--simulate")
            assert code == 2
            assert f"process {child.pid} on " in err
        facts = json.loads(shell("status", journal, "--json")[1])
        assert (facts["state"], facts["holder"]["process"]) == ("running", child.pid)
        assert 0 < facts["left"] <= 10
        child.kill()
        child.wait(30)
        facts = json.loads(shell("status", journal, "--json")[1])
        assert (facts["state"], facts["holder"]) == ("broken off", None)
        assert facts["resume"] == f"vcokit resume {journal} --simulate"
        assert shell("resume", journal, *FAST)[0] == 0


def test_one_line_a_step(shell, inventory: Path) -> None:
    """JSON lines on standard error: each step once, and how the rollout began and ended.

    A step has the request id that the cloud gave its call.
    """
    given = ("apply", inventory, *FAST, "--log-format")
    code, _, err = shell(*given, "json")
    with vk.Journal.read(inventory.with_name("routes.simulated.db")) as journal:
        ids = dict(journal.steps()[["step", "request_id"]].itertuples(index=False))
    lines = [json.loads(line) for line in err.splitlines()]
    assert code == 0
    steps = [line for line in lines if line["event"] == "step"]
    assert sorted(line["step"] for line in steps) == list(range(10))
    assert {line["state"] for line in steps} == {"done"}
    assert {line["step"]: line["request_id"] for line in steps} == ids
    assert len(set(ids.values())) == 10
    assert {line["route_dest"] for line in steps} == {f"10.{n}.0.0/16" for n in range(10)}
    rollout = [line["state"] for line in lines if line["event"] == "rollout"]
    assert (rollout[0], rollout[-1]) == ("looking", "finished")
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("end", 0)
    _, _, err = shell(*given, "text")
    assert len(re.findall(r"^\S+ step \d+ done create ", err, re.M)) == 10


def test_nobody_is_waited_for(inventory: Path) -> None:
    """Without a terminal nothing is asked, not even the cloud, though a pipe stays open."""
    read, write = os.pipe()
    with vk.Simulator.for_routes(vk.read_routes(inventory)) as cloud:
        env = {**os.environ, **environment_of(cloud)}
        command = [sys.executable, "-m", "vcokit", "apply", str(inventory)]
        done = subprocess.run(
            command, stdin=read, capture_output=True, text=True, env=env, timeout=60
        )
        assert cloud.calls().empty
    os.close(read)
    os.close(write)
    assert (done.returncode, "--yes" in done.stderr) == (2, True)


def test_help_is_light() -> None:
    """The overall help loads neither the executor, nor rich, nor the simulator."""
    code = "import sys, vcokit.cli as c; sys.argv = ['vcokit', '--help']\ntry: c.main()\nfinally: "
    code += "print(*({'httpx', 'rich.console', 'matplotlib', 'vcokit.simulator'}"
    code += " & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ""
