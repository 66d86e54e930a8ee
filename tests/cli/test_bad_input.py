"""Bad input gives one message and exit code 2, or findings; never a traceback, and no file."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

import pytest

from tests.cli import bad_input
from tests.cli.stage import run
from vcokit import cli

#: Cases of each of the nine kinds; `make badinput N=…` plays as many as one likes.
N = int(os.environ.get("BADINPUT", "30"))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> bad_input.Originals:
    """Whole files of every kind."""
    return bad_input.Originals(tmp_path_factory.mktemp("originals"))


def in_process(arguments: list[str]) -> tuple[int, str, str]:
    """Run the command here; an error that nobody caught is a traceback, as it would be there."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["vcokit", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), out.getvalue(), err.getvalue()
        except BaseException as error:
            return 1, out.getvalue(), f"Traceback {type(error).__name__}: {error}"
    return 0, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("kind", bad_input.KINDS)
def test_bad_input(kind: str, originals, tmp_path: Path, monkeypatch) -> None:
    """One message with its remedy, or findings; nothing is written."""
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("VCOKIT_SPEED", "600")
    codes = set()

    def go(arguments: list[str]) -> tuple[int, str, str]:
        # Settings are those of the working folder.
        with contextlib.chdir(tmp_path / str(seed)):
            answer = in_process(arguments)
        codes.add(answer[0])
        return answer

    wrong = []
    for seed in range(N):
        found = bad_input.play(kind, seed, tmp_path / str(seed), originals, go)
        wrong += [] if found is None else [found]
    assert not wrong, f"{len(wrong)} of {N}\n" + "\n".join(wrong[:20])
    assert 2 in codes


def test_bad_input_as_real_commands(originals, tmp_path: Path) -> None:
    """One of a text and one of a database, as a user runs it."""

    def go(arguments: list[str]) -> tuple[int, str, str]:
        done = run(*arguments)
        return done.returncode, done.stdout, done.stderr

    kinds = ("csv", "journal")
    found = [bad_input.play(kind, 10_000, tmp_path / kind, originals, go) for kind in kinds]
    assert not [one for one in found if one is not None]
