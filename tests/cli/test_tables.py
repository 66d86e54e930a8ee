"""Tables can be read: on a narrow terminal nothing is cut, and nothing stands for its own sake."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.text import Text

import vcokit as vk
from tests.cli.stage import GOOD, HEAD, SMALL, on_terminal
from vcokit.cli.console import severity, state_counts
from vcokit.rollout.messages import Tally

SCENARIO = """speed = 600
[[faults]]
kind = "refuse"
operation = "CreateVcoRouteEntry"
code = "IllegalParam.RouteDest"
count = 3
"""


def plain(text: str) -> str:
    """Return what a terminal was sent, without colours."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "")


def test_differences_are_whole() -> None:
    """Each connection and destination stands in one piece; empty and repeating columns do not."""
    code, text = on_terminal("verify", SMALL, "--simulate", columns=80)
    shown = plain(text)
    assert code == 1
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    routes = vk.read_routes(SMALL)
    rows = re.findall(r"^missing.* (vco-\w+) +(\S+) .*?(\d+)\s*$", shown, re.M)
    assert len(rows) == 29
    for connection, destination, line in rows:
        row = routes[routes["line"] == int(line)].iloc[0]
        assert (row["vpn_connection_id"], row["route_dest"]) == (connection, destination)
    assert "next_hop" not in shown


def test_differences_of_several_files_name_theirs(shell, tmp_path: Path) -> None:
    """File and line in every format; CSV and JSON keep the row's position."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(HEAD + GOOD.replace("vco-a", f"vco-{name}"))
    given = ("verify", tmp_path / "a.csv", tmp_path / "b.csv", "--simulate")
    assert re.search(r"vco-b .* \S*b\.csv +2$", shell(*given)[1], re.M)
    told = json.loads(shell(*given, "--format", "json")[1])
    assert [(one["row"], one["line"], one["source"][-5:]) for one in told] == [
        (0, 2, "a.csv"),
        (1, 2, "b.csv"),
    ]
    (first, _) = csv.DictReader(io.StringIO(shell(*given, "--format", "csv")[1]))
    assert (first["row"], first["line"]) == ("0", "2")


def test_failed_steps_are_whole(tmp_path: Path) -> None:
    """Connection and destination in one piece; the code is there once, whole."""
    (tmp_path / "routes.csv").write_text(SMALL.read_text("utf-8"), encoding="utf-8")
    (tmp_path / "s.toml").write_text(SCENARIO)
    given = ("apply", tmp_path / "routes.csv", "--scenario", tmp_path / "s.toml")
    code, text = on_terminal(*given, columns=80)
    shown = plain(text)
    assert code == 6
    listed = shown[shown.index("Failed steps") :].split("Verified")[0]
    assert len(re.findall(r"vco-\w{21} +\d\S+/\d+ ", listed)) == 3
    assert listed.count("IllegalParam.RouteDest") == 3
    assert "…" not in listed


def test_where_there_is_no_room_cells_are_folded() -> None:
    """On a terminal too narrow for an id all its letters are there, in more lines."""
    code, text = on_terminal("verify", SMALL, "--simulate", "--limit", "1", columns=40)
    assert code == 1
    lines = plain(text)[plain(text).index("vco") :]
    assert "…" not in plain(text)
    connection = vk.read_routes(SMALL)["vpn_connection_id"][0]
    assert re.search(".*".join(connection), lines, re.DOTALL)


def test_csv_for_a_person_is_safe_in_any_locale(shell, tmp_path: Path) -> None:
    """Findings and aggregated routes have the same protection as `write_routes`."""
    path = tmp_path / "routes.csv"
    cells = '"cn-hangzhou","vco-a","10.0.0.0/8","vco-a",100'
    path.write_text(f'{HEAD}{cells},"x;=1+1"\n', "utf-8")
    assert '"x;=1+1"' in shell("aggregate", path)[1]
    path.write_text(path.read_text("utf-8").replace("10.0.0.0/8", "＝1+1"), "utf-8")
    assert ",'＝1+1," in shell("audit", path, "--format", "csv")[1]


def test_severities_differ_on_sixteen_colours() -> None:
    """A terminal of sixteen colours shows error, warning and info each in its own, and failed."""

    def codes(text: Text) -> str:
        file = io.StringIO()
        Console(file=file, force_terminal=True, color_system="standard").print(text, end="")
        return file.getvalue().partition("m")[0]

    words = [severity(name) for name in ("error", "warning", "info")]
    assert [word.plain for word in words] == ["error", "warning", "info"]
    assert len({codes(word) for word in words}) == 3
    tally = Tally(Counter(failed=1))
    assert "31" in codes(state_counts(tally))
