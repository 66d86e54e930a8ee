"""Importing vcokit is cheap, and enough. What imports what is checked by `make lint`."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "IPython",
    "http.server",
    "httpx",
    "ipywidgets",
    "matplotlib",
    "netaddr",
    "rich",
    "typer",
    "vcokit.simulator",
}


def said(code: str) -> list[str]:
    """Return the words that some code prints in a process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_import_is_cheap() -> None:
    """``import vcokit`` loads pandas, the dtype and the accessor, and nothing that is heavy."""
    loaded = set(said("import sys, vcokit; print(*sys.modules)"))
    assert "pandas" in loaded
    assert not loaded & HEAVY


def test_import_registers_the_column_type() -> None:
    """``import vcokit`` alone makes the dtype ``cidr`` and ``Series.cidr`` known to pandas."""
    code = "import vcokit, pandas; print(pandas.Series(['::/0'], dtype='str').cidr.to_cidr().dtype)"
    assert said(code) == ["cidr"]
