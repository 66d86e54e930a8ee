"""Bad inputs by the thousand: mutated files of every kind, and arguments, each from its seed.

A case is a kind and a seed; it writes a file, or makes arguments, into a folder of its own and
says which command gets it. Bytes are flipped, cut, doubled and exchanged; words are replaced by
ones that are known to hurt.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl

import vcokit as vk
from tests.cli.stage import GOOD, HEAD
from vcokit.cli import COMMANDS

ROWS = HEAD + "".join(GOOD.replace("10.0.0.0/8", f"10.{n}.0.0/16") for n in range(6))
WORDS = [
    "", " ", "\x00", "\x1b[31m", "[red]", "=1+1", "\ufeff", "\u202e", "\ud7ff", "ä" * 300, "'",
    '"', ",", ";", "\n", "\r", "\t", "0", "-1", "1e309", "nan", "NULL", "9" * 40, "0x1",
    "10.0.0.0/33", "::/0", "::ffff:10.0.0.0/104", "1.2.3", "a.b.c.d/8", "१०.०.०.०/८", "../../etc",
    "-", "--", "--yes", "%s%n", "{}", "[]", "null", "vco-", "cn-hangzhou", "10.0.0.0", "１", "主",
]  # fmt: skip
SCENARIO = """speed = 60
task_seconds = [1, 2]

[[connections]]
vpn_connection_id = "vco-a"
region_id = "cn-hangzhou"

[[routes]]
vpn_connection_id = "vco-a"
route_dest = "10.0.0.0/8"
weight = 0

[[faults]]
kind = "busy"
probability = 0.1
"""


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with one to four things done to them."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        other = chance.randrange(len(data) + 1)
        first, last = min(at, other), max(at, other)
        match chance.randrange(7):
            case 0:
                data = data[:first]
            case 1:
                data = data[:first] + data[last:]
            case 2:
                data = data[:at] + bytes(chance.randrange(256) for _ in range(4)) + data[at + 4 :]
            case 3:
                data = data[:at] + chance.choice(WORDS).encode("utf-8", "replace") + data[at:]
            case 4:
                data = data[:last] + data[first:last][:2000] + data[last:]
            case 5:
                lines = data.split(b"\n")
                chance.shuffle(lines)
                data = b"\n".join(lines)
            case 6:
                old = chance.choice([b",", b"\n", b"=", b'"', b"10.", b"100", b"vco-a", b"0"])
                data = data.replace(old, chance.choice(WORDS).encode("utf-8", "replace"), 2)
    return data


class Originals:
    """Whole files of every kind, made once.

    Parameters
    ----------
    folder : Path
        Where those are made that a library writes to a name only.
    """

    def __init__(self, folder: Path) -> None:
        routes = vk.read_routes(ROWS)
        self.of: dict[str, bytes] = {"csv": ROWS.encode(), "toml": SCENARIO.encode()}
        self.of["settings"] = b'in_flight = 8\nregion = "cn-hangzhou"\nread_share = 0.5\n'
        for kind in ("jsonl", "parquet"):
            file = io.BytesIO()
            vk.write_routes(routes, file, format=kind)
            self.of[kind] = file.getvalue()
        book = openpyxl.Workbook()
        for line in ROWS.splitlines():
            book.active.append(line.split(","))
        book.save(file := io.BytesIO())
        self.of["xlsx"] = file.getvalue()
        with vk.Simulator.for_routes(routes, speed=600.0) as cloud, vk.connect(cloud) as client:
            plan = vk.plan_routes(routes, vk.live_routes(client, routes))
            plan.save(folder / "plan.jsonl")
            vk.apply_plan(plan, client, journal=folder / "x.db")
        self.of["plan"] = (folder / "plan.jsonl").read_bytes()
        self.of["journal"] = (folder / "x.db").read_bytes()


#: Name of the file of each kind, and the commands that it is given to.
GIVEN: dict[str, tuple[str, list[list[str]]]] = {
    "csv": ("routes.csv", [["audit", "F"], ["plan", "F", "--simulate"], ["diff", "F", "F"]]),
    "jsonl": ("routes.jsonl", [["audit", "F"], ["explain", "10.1.2.3", "F"]]),
    "parquet": ("routes.parquet", [["audit", "F"], ["aggregate", "F", "--drop-blocked"]]),
    "xlsx": ("routes.xlsx", [["audit", "F"], ["plan", "F", "--simulate"]]),
    "toml": ("s.toml", [["plan", "G", "--scenario", "F"], ["live", "G", "--scenario", "F"]]),
    "settings": ("vcokit.toml", [["config"], ["plan", "G", "--simulate"]]),
    "plan": ("plan.jsonl", [["apply", "F", "--simulate", "--yes"]]),
    "journal": ("x.db", [["status", "F"], ["status", "F", "--json"], ["undo", "F", "--simulate"]]),
}
KINDS = [*GIVEN, "arguments"]


def make(kind: str, seed: int, folder: Path, originals: Originals) -> list[str]:
    """Write the file of a case into its folder; return the arguments of its command."""
    chance = random.Random(f"{kind}/{seed}")
    (folder / "good.csv").write_text(ROWS)
    if kind == "arguments":
        return _arguments(chance, folder)
    name, commands = GIVEN[kind]
    (folder / name).write_bytes(damaged(originals.of[kind], chance))
    places = {"F": str(folder / name), "G": str(folder / "good.csv")}
    return [places.get(word, word) for word in chance.choice(commands)]


#: Commands that end by themselves and ask no real cloud whatever is asked of them.
_HARMLESS = [
    name for name in COMMANDS if name.split()[-1] not in ("simulate", "demo", "apply", "live")
]


def _arguments(chance: random.Random, folder: Path) -> list[str]:
    words = [*WORDS, "--simulate", "--limit", "--format", "json", "--region", "--only-action"]
    words += [
        "--waves",
        "1,rest",
        "--max-hours",
        "--quota",
        "--speed",
        "--scenario",
        "--weight-word",
    ]
    words += [str(folder / "good.csv"), str(folder), "/dev/null", str(folder / "none" / "x.csv")]
    found = [chance.choice(words).replace("\x00", "") for _ in range(chance.randint(0, 5))]
    # Help that is asked for is no error, and a saved plan is a file that was asked for.
    first = chance.choice([*_HARMLESS, chance.choice(WORDS).replace("\x00", "")])
    return [*(first.split() if first in COMMANDS else [first]), *found]


def verdict(code: int, out: str, err: str, arguments: list[str]) -> str | None:
    """Return what is wrong with the answer to a bad input, None if nothing is."""
    if code not in (0, 1, 2, 3, 4):
        return f"exit code {code}"
    if "Traceback" in err + out:
        return "a traceback"
    messages = [line for line in err.splitlines() if line.startswith("error: ")]
    if code >= 2 and len(messages) != 1 and arguments:
        return f"{len(messages)} messages"
    if any(not sign.isprintable() and sign != "\n" for sign in err):
        return "control characters in the message"
    return None


Run = Callable[[list[str]], tuple[int, str, str]]


def play(kind: str, seed: int, folder: Path, originals: Originals, go: Run) -> str | None:
    """Play a case; return what is wrong, None if nothing is."""
    folder.mkdir()
    arguments = make(kind, seed, folder, originals)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, err = go(arguments)
    wrong = verdict(code, out, err, arguments)
    after: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    if kind in ("plan", "journal") and code == 0:
        after = {name: after.get(name) for name in before}  # it was not harmed after all
    if wrong is None and after != before:
        names = {name for name in after if after[name] != before.get(name)}
        wrong = f"wrote {sorted(names)}"
    return (
        None if wrong is None else f"{kind} {seed} {json.dumps(arguments)}: {wrong}\n{err[-600:]}"
    )
