"""Settings say where they come from; a wrong one is named, with what to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import vcokit as vk
from tests.inventories import as_csv, clean_rows
from vcokit.errors import ConfigError

FEW = as_csv(clean_rows(1, 1))
KEYS = {"access_key_id": "LTAIexample", "access_key_secret": "any-secret"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder of its own; return the path of its settings file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "vcokit.toml"


@pytest.fixture
def in_force(settings: Path, shell):
    """Return what is said of a setting: value and origin."""

    def said(name: str) -> tuple[str, str]:
        code, out, err = shell("config", "--json")
        assert (code, err) == (0, "")
        (found,) = [one for one in json.loads(out)["settings"] if one["name"] == name]
        return found["value"], found["origin"]

    return said


def test_argument_environment_file_default(
    settings: Path, in_force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argument over environment over file over default, and each says where it is from."""
    assert in_force("read_attempts") == ("5", "default")
    settings.write_text("read_attempts = 6\n")
    assert in_force("read_attempts") == ("6", "vcokit.toml")
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "7")
    assert in_force("read_attempts") == ("7", "VCOKIT_READ_ATTEMPTS")
    monkeypatch.setenv("VCOKIT_READ_ATTEMPTS", "wrong")
    vk.connect("r", **KEYS, read_attempts=8).close()
    with pytest.raises(ConfigError, match="VCOKIT_READ_ATTEMPTS"):
        vk.connect("r", **KEYS)


def test_settings_do_not_change_within_a_run(settings: Path, tmp_path_factory, monkeypatch) -> None:
    """A change of folder or environment changes no setting of a client that is there."""
    settings.write_text("in_flight = 3\nlost_attempts = 4\n")
    with vk.Simulator.for_routes(routes := vk.read_routes(FEW)) as cloud:
        client = vk.connect(cloud)
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        monkeypatch.setenv("VCOKIT_LOST_ATTEMPTS", "9")
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        rollout = vk.Rollout(plan, client, journal=settings.with_name("rollout.db"))
        rollout.close()
        again = vk.Rollout.open(rollout.journal, client)
        again.close()
        other = vk.connect(cloud)
        latest = vk.Rollout.open(rollout.journal, other)
        latest.close()
    said = [(one.options.in_flight, one.options.lost_attempts) for one in (rollout, again, latest)]
    assert said == [(3, 4), (3, 4), (32, 9)]


@pytest.mark.parametrize("value", ["many", "-1", "", "nan", "2.9", True, [1]])
def test_values_that_cannot_be_used(value: object) -> None:
    """A wrong value names the setting and its default; no number is rounded."""
    with pytest.raises(ConfigError, match=r"read_attempts \(argument\).*default is 5"):
        vk.connect("r", **KEYS, read_attempts=value)  # type: ignore[arg-type]


def test_numbers_may_be_written_in_more_than_one_way() -> None:
    """A number that is whole is taken for whole, and text for the number it spells."""
    vk.connect("r", **KEYS, read_attempts=3.0, read_timeout="1e3").close()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("read_attempts", "inf"),
        ("read_attempts", "1e400"),
        ("read_attempts", "2.9"),
        ("read_attempts", "nan"),
        ("read_attempts", "[1]"),
        ("read_timeout", "inf"),
        ("read_timeout", "9" * 400),
        ("region", "5"),
        ("region", '["cn-a"]'),
    ],
)
def test_a_wrong_value_of_the_file_names_its_line(settings: Path, name: str, written: str) -> None:
    """No value overflows or is rounded: file, line, setting and default are told."""
    settings.write_text(f"# ours\nin_flight = 3\n{name} = {written}\n")
    with pytest.raises(ConfigError, match=rf"setting {name} \(vcokit.toml, line 3\).* default is"):
        vk.connect(**KEYS)


@pytest.mark.parametrize(
    ("text", "words"),
    [("in_flight = ", "not valid TOML"), ("inflight = 3", "unknown setting"), (None, "directory")],
)
def test_files_that_cannot_be_used(settings: Path, text: str | None, words: str) -> None:
    """A settings file that cannot be read, or has a mistake, is named, never passed over."""
    if text is None:
        settings.mkdir()
    else:
        settings.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        vk.connect("r", **KEYS)
    assert "vcokit.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("http://me:s3@cr3t@host:80", "***@host:80"),
        ("http://me:s3/cr3t@host:80", "***@host:80"),
        ("me:s3cr3t@host:80", "***@host:80"),
        ("https://vpc.example.com:443/a", "https://vpc.example.com:443/a"),
    ],
)
def test_no_password_is_in_the_settings_in_force(
    in_force, monkeypatch: pytest.MonkeyPatch, url: str, end: str
) -> None:
    """A URL is shown without user and password, whatever signs these are made of; else whole."""
    monkeypatch.setenv("VCOKIT_ENDPOINT", url)
    shown, origin = in_force("endpoint")
    assert shown.endswith(end)
    assert "cr3t" not in shown
    assert origin == "VCOKIT_ENDPOINT"
