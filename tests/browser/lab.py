"""JupyterLab on loopback with all its folders in a temporary one, and Chromium to look at it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as TooLateError

from vcokit.simulator import Account

#: Names under which systems keep Chromium, or a browser of its family.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Longest that anything on a page is waited for, milliseconds. Most takes a hundredth of it.
PATIENCE = 120_000

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

_READY = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_IDLE = (
    "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
    "?.status === 'idle'"
)
_SAVED = "() => !window.jupyterapp.shell.currentWidget.context.model.dirty"


def chromium() -> str | None:
    """Return the path of a browser; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Lab:
    """A running JupyterLab.

    Parameters
    ----------
    home : Path
        Takes its settings, its runtime files and the notebooks.
    """

    def __init__(self, home: Path) -> None:
        self.root = home / "notebooks"
        self._home = home
        self._token = secrets.token_hex(16)
        self.root.mkdir(parents=True)

    def __enter__(self) -> Lab:
        self.theme(LIGHT)
        # Nothing is asked of the network: no news, no look for a newer version.
        self._set("notification", {"fetchNews": "false", "checkForUpdates": False})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *self._options()],
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._log: list[str] = []
        self.url = f"http://127.0.0.1:{self._port()}"
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._drain.join()
        self._process.stderr.close()

    def _options(self) -> list[str]:
        return [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",
            "--ServerApp.terminals_enabled=False",
            f"--ServerApp.root_dir={self.root}",
            f"--IdentityProvider.token={self._token}",
            "--LabApp.expose_app_in_browser=True",
            "--Application.log_level=INFO",
        ]

    def _environment(self) -> dict[str, str]:
        folders = {
            "HOME": "home",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
            "MPLCONFIGDIR": "matplotlib",
        }
        made = {name: str(self._home / folder) for name, folder in folders.items()}
        # The key of the simulator's account, where a notebook looks for one, and never in its text.
        key = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": Account().access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": Account().access_key_secret,
        }
        return {**os.environ, **made, **key, "PYTHONPATH": str(Path(__file__).parents[2])}

    def _port(self) -> int:
        for line in self._process.stderr:
            self._log.append(line)
            if found := _READY.search(line):
                return int(found[1])
        raise RuntimeError("JupyterLab did not start:\n" + "".join(self._log))

    def _read_on(self) -> None:
        self._log.extend(self._process.stderr)

    def _set(self, plugin: str, settings: dict[str, Any]) -> None:
        folder = self._home / "settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings))

    def theme(self, name: str) -> None:
        """Choose the theme of pages opened from now on."""
        self._set("themes", {"theme": name})

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells and return its name."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(notebook, self.root / name)
        return name

    def open(self, browser: Browser, name: str, *, height: int = 1000) -> Notebook:
        """Open a notebook in a page of its own."""
        context = browser.new_context(viewport={"width": 1280, "height": height})
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        notebook = Notebook(page, f"{self.url}/doc/tree/{name}?token={self._token}")
        notebook.load()
        return notebook


class Notebook:
    """A notebook in a page of the browser.

    Parameters
    ----------
    page : Page
    url : str
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = url
        self.alerts: list[str] = []
        page.on("dialog", self._on_dialog)

    def _on_dialog(self, dialog: Any) -> None:
        self.alerts.append(dialog.message)
        dialog.accept()

    def load(self) -> None:
        """Load the page, again if it is there, and wait for notebook and kernel."""
        self.page.goto(self._url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")

    def reload(self) -> None:
        """Load the page again, until JupyterLab has made its live views anew.

        On a busy machine it now and then gives up on the kernel and shows none: a person would load
        the page once more.
        """
        for _ in range(2):
            self.load()
            with contextlib.suppress(TooLateError):
                live = self.page.locator(".vco-live .stat").first
                live.wait_for(state="attached", timeout=PATIENCE / 2)
                return
        self.load()

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(_IDLE)

    def command(self, name: str) -> None:
        """Have JupyterLab do something, and do not wait for its end."""
        self.page.evaluate("(name) => { window.jupyterapp.commands.execute(name) }", name)

    def run_all(self) -> None:
        """Run all cells, in order."""
        self.wait_idle()
        self.command("notebook:run-all-cells")

    def save(self) -> None:
        """Save the notebook and wait until it is."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function(_SAVED)

    def shut_down_kernel(self) -> None:
        """End the kernel and wait until it has gone."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def button(self, words: str) -> Any:
        """Return a widget's button by how its words begin."""
        beginning = re.compile(f"^{re.escape(words)}")
        return self.page.locator("button.jupyter-button", has_text=beginning)

    def says(self, words: str | re.Pattern[str]) -> None:
        """Wait until some words are seen."""
        seen = self.page.get_by_text(words).locator("visible=true").first
        expect(seen).to_be_visible(timeout=PATIENCE)

    def close(self) -> None:
        """Close the page and what belongs to it."""
        self.page.context.close()


@contextmanager
def browsing(path: str) -> Iterator[Browser]:
    """Run a browser without a window."""
    # A container's root has no right to Chromium's sandbox; the pages are our own.
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()
