"""What every test shares: a clean environment, a shell, a cloud; and that CI leaves nothing out."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import vcokit as vk
from tests import leaks

#: Nobody's own keys take part in tests, and nobody asks the metadata service of a machine for some.
#: The official package looks at these when it is imported, so they are set before.
NO_KEYS = {
    "ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true",
    "ALIBABA_CLOUD_CREDENTIALS_FILE": os.devnull,
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
}
os.environ.update(NO_KEYS)

# A home of the run's own, also in the processes that tests start: whoever runs them may have one
# that cannot be written, or one whose settings would steer matplotlib, IPython or Jupyter.
if "PYTEST_XDIST_WORKER" not in os.environ:
    HOME = tempfile.mkdtemp(prefix="vcokit-home-")
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    for name in list(os.environ):
        if name.startswith(("XDG_", "MPL", "JUPYTER_", "IPYTHON")):
            del os.environ[name]
    os.environ["HOME"] = os.environ["USERPROFILE"] = HOME

#: Whether what is left out fails, as in CI; while a test runs, the environment does not say.
NO_SKIPS = bool(os.environ.get("VCOKIT_NO_SKIPS"))

# Machines are shared and noisy: how long an example takes says nothing here. `make test` draws the
# same examples each time, so that it is never red by chance; `make explore` draws new ones.
settings.register_profile(
    "explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("same", settings.get_profile("explore"), derandomize=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own settings, credentials and proxies out of every test."""
    for name in list(os.environ):
        if name.startswith(("VCOKIT_", "ALIBABA_CLOUD_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in NO_KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command inside this process; return exit code, standard output, errors."""
    from vcokit import cli

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vcokit", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        said = capsysbinary.readouterr()
        return int(caught.value.code or 0), said.out.decode("utf-8"), said.err.decode("utf-8")

    return run


@pytest.fixture
def simulate() -> Iterator[Callable[..., tuple[vk.Simulator, vk.Client]]]:
    """Start a simulator of the arguments; return it and a client. Both end with the test."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> tuple[vk.Simulator, vk.Client]:
            cloud = stack.enter_context(vk.Simulator(*arguments, **options))
            return cloud, stack.enter_context(vk.connect(cloud))

        yield start


def environment_of(cloud: vk.Simulator) -> dict[str, str]:
    """Return what names a simulator to a client, as a user's environment names the cloud."""
    return {
        "VCOKIT_ENDPOINT": cloud.endpoint,
        "VCOKIT_POLL_INTERVAL": "0.01",
        "VCOKIT_TASK_SECONDS": "0.01",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": cloud.credentials.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": cloud.credentials.access_key_secret,
    }


def pytest_configure(config: pytest.Config) -> None:
    """Watch over what the run says and writes; let matplotlib look for fonts once for all."""
    leaks.install(config)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Whichever process did so later would say it, in the middle of a test.
        importlib.import_module("matplotlib.font_manager")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Turn a skip into a failure where nothing may be left out (``VCOKIT_NO_SKIPS``, set by CI)."""
    report = yield
    # pandas' own suite leaves out what does not apply to a type, and it knows best.
    module = getattr(getattr(item, "function", None), "__module__", "")
    of_pandas = module.startswith("pandas.tests.")
    expected = hasattr(report, "wasxfail")
    if NO_SKIPS and report.skipped and not (expected or of_pandas):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be left out: {report.longreprtext}"
    return report
