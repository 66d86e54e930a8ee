"""A watch over everything a test run says and writes: no secret may stand in it.

Looked at, in every process of the run:

* what each test prints or logs, and the traceback of one that fails;
* what a test reads back from ``capsys`` or from a process that it started;
* every file below pytest's temporary directory, in bytes, at the end.

A leak fails the run as a whole and is named by place and kind of secret, never by its text.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from _pytest.capture import CaptureFixture

from vcokit.simulator import CANARY_AUTH_KEY, CANARY_PSK
from vcokit.simulator.models import ACCESS_KEY_SECRET

#: Keys that tests give the client.
TEST_SECRET = "canary-secret-c0ffee41d2"
TEST_TOKEN = "canary-token-77b1e5/+a9=="

#: The simulator says its own key on purpose, in this form, for whoever starts it in a shell.
_SAID_ON_PURPOSE = f"ALIBABA_CLOUD_ACCESS_KEY_SECRET={ACCESS_KEY_SECRET}"
#: Files that hold a key because that is what they are: configurations of the vendor's CLI.
_KEY_FILES = ".aliyun"
_LARGEST = 1 << 28


def watched() -> dict[str, str]:
    """Return the secrets by kind; ``VCOKIT_TEST_CANARY`` adds one, to test the watch itself."""
    known = {
        "pre-shared key of an answer": CANARY_PSK,
        "BGP key of an answer": CANARY_AUTH_KEY,
        "secret of the simulator's AccessKey": ACCESS_KEY_SECRET,
        "secret of an AccessKey": TEST_SECRET,
        "security token": TEST_TOKEN,
    }
    extra = os.environ.get("VCOKIT_TEST_CANARY")
    return known | ({"canary of the environment": extra} if extra else {})


class Leaks:
    """The watch, as a plugin; `install` registers it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.secrets = {kind: text.encode() for kind, text in watched().items()}
        self.found: set[str] = set()
        self.here = "the run"
        self._patch = pytest.MonkeyPatch()

    def look(self, where: str, said: object) -> None:
        """Note each secret that stands in what was said."""
        if said is None:
            return
        data = said if isinstance(said, bytes) else str(said).encode("utf-8", "replace")
        data = data.replace(_SAID_ON_PURPOSE.encode(), b"")
        for kind, secret in self.secrets.items():
            if secret in data or secret.decode().encode("utf-16-le") in data:
                self.found.add(f"{kind} in {where}")

    # -- what tests say -----------------------------------------------------------------------

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note which test runs."""
        self.here = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at what was captured, and at the traceback."""
        for name, text in report.sections:
            self.look(f"{report.nodeid} ({name})", text)
        self.look(f"{report.nodeid} (traceback)", report.longreprtext)

    def pytest_configure(self) -> None:
        """Look at what tests read back, too."""
        read, communicate = CaptureFixture.readouterr, subprocess.Popen.communicate

        def readouterr(fixture):
            result = read(fixture)
            for text in result:
                self.look(f"{self.here} (captured)", text)
            return result

        def communicated(process, *args, **options):
            result = communicate(process, *args, **options)
            for text in result:
                self.look(f"{self.here} (a process it started)", text)
            return result

        self._patch.setattr(CaptureFixture, "readouterr", readouterr)
        self._patch.setattr(subprocess.Popen, "communicate", communicated)

    def pytest_unconfigure(self) -> None:
        """Leave everything as it was."""
        self._patch.undo()

    # -- what tests write ---------------------------------------------------------------------

    def look_at_files(self, folder: Path) -> None:
        """Look at every file below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or _KEY_FILES in path.parts:
                continue
            if path.stat().st_size <= _LARGEST:
                self.look(f"file {path.relative_to(folder)}", path.read_bytes())

    # -- and what comes of it -------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a process of the run has found."""
        self.found.update(getattr(node, "workeroutput", {}).get("leaks", ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run, or hand over to the process that can."""
        # The factory of tmp_path; there is no public way to it from here.
        factory = session.config._tmp_path_factory
        if factory._basetemp is not None:
            self.look_at_files(factory._basetemp)
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["leaks"] = sorted(self.found)
        elif self.found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the leaks."""
        if self.found:
            terminalreporter.section("secrets leaked", red=True)
            for place in sorted(self.found):
                terminalreporter.line(place)


def install(config: pytest.Config) -> None:
    """Set the watch."""
    config.pluginmanager.register(Leaks(config), "leaks")
