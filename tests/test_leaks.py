"""The watch over secrets sees a leak wherever it happens, and stays silent where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CANARY = "canary-of-this-test-5b0c"
CONFTEST = "from tests import leaks\n\ndef pytest_configure(config):\n    leaks.install(config)\n"

#: The canary, spelt so that no source line holds it; the run has it in its environment.
SAID = "os.environ['VCOKIT_TEST_CANARY']"
LEAKS = f"""
import logging, os, subprocess, sys

def test_print():
    print({SAID})

def test_log():
    logging.getLogger("x").warning({SAID})

def test_traceback():
    raise ValueError({SAID})

def test_read_back(capsys):
    print({SAID})
    capsys.readouterr()

def test_process():
    code = "import os; print({SAID})"
    subprocess.run([sys.executable, "-c", code], capture_output=True)

def test_file(tmp_path):
    (tmp_path / "a.db").write_bytes(b"x" + {SAID}.encode())

def test_wide_file(tmp_path):
    (tmp_path / "b.txt").write_text({SAID}, encoding="utf-16")
"""
PLACES = [
    "test_one.py::test_print (Captured stdout call)",
    "test_one.py::test_log (Captured log call)",
    "test_one.py::test_traceback (traceback)",
    "test_one.py::test_read_back (captured)",
    "test_one.py::test_process (a process it started)",
    "/a.db",
    "/b.txt",
]
CLEAN = f"""
import os

def test_print():
    print("all is well")

def test_key_file(tmp_path):
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text({SAID})
"""


def run(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of its own, under the watch."""
    (folder / "test_one.py").write_text(tests)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    root = str(Path(__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        env={
            **os.environ,
            "PYTHONPATH": root,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading them takes longer than the tests
            "VCOKIT_TEST_CANARY": CANARY,
        },
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_every_way_to_leak_is_seen(tmp_path: Path) -> None:
    """A run that leaks fails, and names each place and kind, not the secret.

    It is divided: what the processes of the tests find, the one that ends the run has to tell.
    """
    result = run(tmp_path, LEAKS, "-p", "xdist.plugin", "-n", "2")
    assert result.returncode == 1
    summary = result.stdout.partition("secrets leaked")[2]
    for place in PLACES:
        assert f"{place}\n" in summary, summary
    assert CANARY not in summary.partition("short test summary")[0]


def test_a_clean_run_passes(tmp_path: Path) -> None:
    """Without a leak nothing is said; the CLI's own file of keys may hold keys."""
    result = run(tmp_path, CLEAN)
    assert result.returncode == 0, result.stdout
    assert "leaked" not in result.stdout
