"""A watch over everything a test run says and writes: no secret may stand in it.

Looked at, in every process of the run:

* what each test prints or logs, and the traceback of one that fails;
* what a test reads back from ``capsys`` and its like, or from a process that it started;
* every file below pytest's temporary directory, in bytes, at the end.

A leak fails the run as a whole and is named by place and kind of secret, never by its text.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from vcokit.simulator import (
    CANARY_AUTH_KEY,
    CANARY_PSK,
    CANARY_ROLE_SECRET,
    CANARY_ROLE_TOKEN,
)
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
        "secret of an assumed role": CANARY_ROLE_SECRET,
        "token of an assumed role": CANARY_ROLE_TOKEN,
        "secret of the simulator's AccessKey": ACCESS_KEY_SECRET,
        "secret of an AccessKey": TEST_SECRET,
        "security token": TEST_TOKEN,
    }
    extra = os.environ.get("VCOKIT_TEST_CANARY")
    return known | ({"canary of the environment": extra} if extra else {})


class Leaks:
    """What was found, and what tests say; `install` registers it as a plugin."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.secrets = {kind: text.encode() for kind, text in watched().items()}
        self.found: set[str] = set()
        self.here = "the run"

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

    # -- and what comes of it -------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a process of the run has found."""
        self.found.update(getattr(node, "workeroutput", {}).get("leaks", ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run, or hand over to the process that can."""
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


# -- what tests read back, and what they write -------------------------------------------------


class Captured:
    """A fixture of captured output, whose readings the watch sees."""

    def __init__(self, fixture: pytest.CaptureFixture[Any], config: pytest.Config) -> None:
        self._fixture, self._leaks = fixture, config.pluginmanager.get_plugin("leaks")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fixture, name)

    def readouterr(self) -> Any:
        """Read, and look at what was read."""
        result = self._fixture.readouterr()
        for text in result:
            self._leaks.look(f"{self._leaks.here} (captured)", text)
        return result


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config) -> Captured:
    """Give pytest's own fixture, watched."""
    return Captured(capsys, pytestconfig)


@pytest.fixture
def capfd(capfd: pytest.CaptureFixture[str], pytestconfig: pytest.Config) -> Captured:
    """Give pytest's own fixture, watched."""
    return Captured(capfd, pytestconfig)


@pytest.fixture
def capsysbinary(
    capsysbinary: pytest.CaptureFixture[bytes], pytestconfig: pytest.Config
) -> Captured:
    """Give pytest's own fixture, watched."""
    return Captured(capsysbinary, pytestconfig)


@pytest.fixture(scope="session", autouse=True)
def processes_and_files(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[None]:
    """Look at what processes say that tests start, and in the end at every file."""
    leaks = pytestconfig.pluginmanager.get_plugin("leaks")
    communicate = subprocess.Popen.communicate

    def communicated(process: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
        result = communicate(process, *args, **options)
        for text in result:
            leaks.look(f"{leaks.here} (a process it started)", text)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "communicate", communicated)
        yield
    folder = tmp_path_factory.getbasetemp()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or _KEY_FILES in path.parts:
            continue
        if path.stat().st_size <= _LARGEST:
            leaks.look(f"file {path.relative_to(folder)}", path.read_bytes())


def install(config: pytest.Config) -> None:
    """Set the watch."""
    config.pluginmanager.register(Leaks(config), "leaks")
    config.pluginmanager.register(sys.modules[__name__], "what leaks")
