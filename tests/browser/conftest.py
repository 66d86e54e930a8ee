"""A browser and a JupyterLab for the tests of a module, and a cloud for each test.

Not for all tests of a process: while playwright runs, its event loop does, and no other may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, browsing, chromium

PICTURES = Path(__file__).parents[2] / "out" / "browser"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window; skipped, or failed in CI, where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium on the PATH: apt-get install chromium")
    with browsing(path) as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Lab]:
    """A JupyterLab on loopback."""
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def picture() -> Callable[..., None]:
    """Keep a picture of a page under ``out/browser``."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def keep(page: object, name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}.png")

    return keep
