"""What `make` installs is pinned, to the last dependency and the build backend."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
HASHED = ("build", "test")


def pins(path: str) -> dict[str, str]:
    """Return the versions of a file of pins that hold for this Python, by name."""
    text = (ROOT / path).read_text("utf-8")
    lines = re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==[^\\\n]+", text, re.MULTILINE)
    found = [one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def backend() -> list[str]:
    """Return what the Makefile installs to build with."""
    text = (ROOT / "Makefile").read_text("utf-8")
    return re.search(r"^BACKEND := (.+)$", text, re.MULTILINE)[1].split()


def needed(*wanted: str) -> dict[str, str | None]:
    """Return all that requirements bring along here, by name; None where it is not installed."""
    found: dict[str, str | None] = {}
    asked: set[tuple[str, str]] = set()
    left = [Requirement(text) for text in wanted]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        for extra in requirement.extras or {""}:
            if (name, extra) in asked:
                continue
            asked.add((name, extra))
            try:
                installed = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                found[name] = None
                continue
            found[name] = installed.version
            left += [
                one
                for one in map(Requirement, installed.requires or ())
                if one.marker is None
                or any(one.marker.evaluate({"extra": given}) for given in {"", extra})
            ]
    return found


def of(*extras: str) -> list[str]:
    """Return the requirements of the project with some extras."""
    project = PROJECT["project"]
    more = [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *more]


def test_all_that_is_installed_is_pinned() -> None:
    """Each dependency of each extra, of the backend and theirs has a pin, and is that version."""
    everything = of(*PROJECT["project"]["optional-dependencies"])
    found = needed(*everything, *backend(), *PROJECT["build-system"]["requires"])
    known = pins("constraints.txt")
    assert len(found) > 100
    assert not found.keys() - known.keys()
    here = {name: version for name, version in found.items() if version is not None}
    assert {name: known[name] for name in here} == here


def test_the_build_backend_is_one_version() -> None:
    """Whoever builds the package, by `make` or not, builds it with the backend that is pinned."""
    known = pins("constraints.txt")
    assert PROJECT["build-system"]["requires"] == [f"hatchling=={known['hatchling']}"]
    assert "hatchling" in backend()


@pytest.mark.parametrize("name", HASHED)
def test_pins_with_hashes_are_the_same_pins(name: str) -> None:
    """A file of hashes has the versions of constraints.txt, and a hash for each of them."""
    text = (ROOT / "pins" / f"{name}.txt").read_text("utf-8")
    known, hashed = pins("constraints.txt"), pins(f"pins/{name}.txt")
    assert hashed.items() <= known.items()
    wanted = backend() if name == "build" else of("test")
    assert not needed(*wanted).keys() - hashed.keys()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) >= len(hashed)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry) for entry in entries)


@pytest.mark.parametrize("path", ["constraints.txt", *(f"pins/{name}.txt" for name in HASHED)])
def test_pins_name_no_index(path: str) -> None:
    """Where the packages come from is for whoever installs them to say."""
    text = (ROOT / path).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^--?(?!hash)", text, re.MULTILINE)
