"""Every command that reads inventories takes the options that its own errors advise."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, as_environment
from vcokit.simulator import Connection, Simulator

MESSY = HEAD.replace("Weight", "Gewicht") + GOOD
READERS = {
    "audit": ("audit", "FILE"),
    "plan": ("plan", "FILE", "--simulate"),
    "apply": ("apply", "FILE", "--simulate", "--speed", "600"),
    "verify": ("verify", "FILE", "--simulate"),
    "diff": ("diff", "FILE", "FILE"),
    "explain": ("explain", "10.1.2.3", "FILE"),
    "aggregate": ("aggregate", "FILE"),
    "live": ("live", "FILE", "--simulate"),
    "demo": ("demo", "FILE", "--out", "OUT", "--speed", "600"),
}


@pytest.mark.parametrize("name", READERS)
def test_what_an_error_advises_can_be_done(shell, tmp_path: Path, name: str) -> None:
    """A head that is not found: the option named in the error is taken, and mends it."""
    book = openpyxl.Workbook()
    for line in MESSY.splitlines():
        book.active.append(line.split(","))
    path = tmp_path / "messy.xlsx"
    book.save(path)
    book.close()
    words = {"FILE": str(path), "OUT": str(tmp_path / "out")}
    command = [words.get(word, word) for word in READERS[name]]
    code, _, err = shell(*command)
    assert code == 2
    option = re.search(r'--column "weight=', err)
    assert option, err
    code, _, err = shell(*command, "--column", "weight=Gewicht")
    assert "Gewicht" not in err
    assert code in (0, 1), err


def test_audit_by_live_connections(shell, tmp_path: Path, monkeypatch) -> None:
    """``live --connections`` writes what ``audit --connections`` takes: the library's findings."""
    rows = [GOOD.replace("vco-a", name).replace("10.0", f"10.{n}") for n, name in
            enumerate(("vco-a", "vco-b", "vco-c", "vco-nowhere"))]  # fmt: skip
    path, known = tmp_path / "routes.csv", tmp_path / "connections.csv"
    path.write_text(HEAD + "".join(rows).replace(".0.0.0/8", ".0.0/16"))
    there = [
        Connection("vco-a", "cn-hangzhou", name="=1+1"),
        Connection("vco-b", "eu-central-1"),
        Connection("vco-c", "cn-hangzhou", attach_type="NO_ASSOCIATED"),
    ]
    with Simulator(there, speed=600.0) as cloud:
        as_environment(monkeypatch, cloud)
        regions = ("--region", "cn-hangzhou", "--region", "eu-central-1")
        assert shell("live", "--connections", *regions, "--output", known)[0] == 0
        with vk.connect(cloud) as client:
            connections = vk.live_connections(client, ["cn-hangzhou", "eu-central-1"])
    wanted = vk.audit_routes(vk.read_routes(path), connections=connections)
    assert {"unknown-connection", "wrong-region", "not-attached"} <= set(wanted["rule"])
    code, out, _ = shell("audit", path, "--connections", known, "--format", "csv")
    assert code == 1
    assert [line.split(",")[7] for line in out.splitlines()[1:]] == wanted["rule"].tolist()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b'"', b"x\n" * 3, None])
def test_connections_that_are_none(shell, tmp_path: Path, content: bytes | None) -> None:
    """One line that names the file and the command that writes it."""
    path, known = tmp_path / "routes.csv", tmp_path / "connections.csv"
    path.write_text(HEAD + GOOD)
    if content is not None:
        known.write_bytes(content)
    code, _, err = shell("audit", path, "--connections", known)
    assert code == 2
    assert err.count("\n") == 1
    assert str(known) in err
    assert "vcokit live --connections" in err
