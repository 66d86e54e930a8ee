"""Errors name the remedy, frames have their columns, settings say where they come from."""

from __future__ import annotations

import inspect
import pickle
import re
import traceback
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from vcokit import config, errors, schema
from vcokit.errors import ConfigError, InputError
from vcokit.plain import visible

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
assert len(CLASSES) > 20


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn(kind: type) -> None:
    """Each class stands in the tree of the module's docstring, below its parent."""
    tree = errors.__doc__ or ""
    lines = [line for line in tree.splitlines() if re.search(r"\b[A-Z]\w+(Error|Passed)\b", line)]
    depth = {
        re.search(r"\b([A-Z]\w+)\b", line)[1]: line.find(re.search(r"\b([A-Z]\w+)\b", line)[1])
        for line in lines
    }
    assert kind.__name__ in depth
    if kind is not errors.VcokitError:
        assert depth[kind.__name__] == depth[kind.__bases__[0].__name__] + 4
        assert issubclass(kind, errors.VcokitError)


def test_one_line_with_place_and_remedy() -> None:
    """The text says where, what, and what to do."""
    error = errors.InventoryError(
        "not a table", source="a.csv", line=3, column="Weight", remedy="Look at it"
    )
    assert str(error) == "a.csv, line 3, column 'Weight': not a table. Look at it"
    refusal = errors.BusyError(
        "busy", code="TaskConflict", operation="CreateVcoRouteEntry", request_id="R-1"
    )
    assert str(refusal) == "CreateVcoRouteEntry (request id R-1): TaskConflict: busy"
    assert str(errors.ConfigError("x", name="speed", origin="argument")).startswith(
        "setting speed (argument): x"
    )


@pytest.mark.parametrize(
    "error",
    [
        errors.InventoryError("x", source="a.csv", line=3, remedy="y"),
        errors.BusyError("x", code="TaskConflict", request_id="R", http_status=400),
        errors.StalePlanError("x", differences=("a", "b")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_pickled(error: errors.VcokitError) -> None:
    """An error survives being sent between processes, with its evidence."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


STRANGE = "a\x1b]0;b\x07\x1b[31m\u202e\n\x85c"


@pytest.mark.parametrize(
    "error",
    [
        errors.ApiError(STRANGE, code=STRANGE, request_id=STRANGE, operation=STRANGE),
        errors.ProtocolError(STRANGE, request_id=STRANGE),
        errors.InventoryError(STRANGE, source=STRANGE, column=STRANGE),
        errors.JournalError(STRANGE, path=STRANGE),
        errors.ConfigError(STRANGE, name=STRANGE, origin=STRANGE, remedy=STRANGE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_be_printed(error: errors.VcokitError) -> None:
    """Whoever chose its words, an error is one line without control characters, as a traceback too.

    What is spelt out stays as it is when it is spelt out again.
    """
    assert str(error).isprintable()
    assert "".join(traceback.format_exception_only(error)).rstrip("\n").isprintable()
    assert r"\x1b]0;b\x07\x1b[31m\u202e\n\x85c" in str(error)
    assert str(errors.InputError(str(error))) == visible(error) == str(error)


# -- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["ROUTES", "FINDINGS", "LIVE_ROUTES", "LIVE_CONNECTIONS", "STEPS", "CALLS", "DIFFERENCES"],
)
def test_empty_frames(name: str) -> None:
    """An empty frame has every column of its schema, in order, with its dtype."""
    wanted = getattr(schema, name)
    frame = schema.frame(wanted)
    assert list(frame.columns) == list(wanted)
    assert all(frame[column].dtype == dtype for column, dtype in wanted.items())
    assert name in schema.__doc__


def hand_made(**columns: object) -> pd.DataFrame:
    """Return routes as somebody types them in a notebook."""
    base = {
        "region_id": ["r"],
        "vpn_connection_id": ["vco-a"],
        "route_dest": ["10.0.0.0/8"],
        "next_hop": ["vco-a"],
        "weight": [100],
    }
    return pd.DataFrame({**base, **columns})


@pytest.mark.parametrize(
    ("cell", "weight", "text"),
    [
        (100, 100, None),
        (0.0, 0, None),
        ("100.0", 100, None),
        ("100.00", 100, None),
        ("-5", -5, None),
        ("abc", None, "abc"),
        ("0100", None, "0100"),
        ("+100", None, "+100"),
        ("1e2", None, "1e2"),
        ("１００", None, "１００"),
        ("-0", None, "-0"),
        ("100.5", None, "100.5"),
        (100.5, None, "100.5"),
        ("", None, None),
        (None, None, None),
        (np.nan, None, None),
        ("\u3000", None, None),
        ("9" * 18, int("9" * 18), None),
        ("9" * 19, None, "9" * 19),
        (1e16, 10**16, None),
        (float("inf"), None, "inf"),
    ],
)
def test_weights(cell: object, weight: int | None, text: str | None) -> None:
    """What counts as an integer weight, and what is kept of what does not."""
    found = schema.conform_routes(hand_made(weight=[cell]))
    got = found["weight"].iloc[0]
    kept = found["weight_text"].iloc[0]
    assert (None if pd.isna(got) else got) == weight
    assert (None if pd.isna(kept) else kept) == text


@given(some.integers(-(10**17), 10**17))
def test_every_integer_is_itself(number: int) -> None:
    """Any integer in its usual form is read as itself, with and without ``.0``."""
    for form in (str(number), f"{number}.0"):
        assert schema.split_weight(pd.Series([form, "abc"]))[0].tolist() == [number, pd.NA]


def test_conforming_keeps_what_conforms() -> None:
    """A frame of the schema comes back equal; another index, order or columns do no harm."""
    first = schema.conform_routes(hand_made(description=["x"], line=[7], source=["a.csv"]))
    pd.testing.assert_frame_equal(schema.conform_routes(first), first)
    odd = first.iloc[:, ::-1].assign(extra=1).set_axis(["index"])
    pd.testing.assert_frame_equal(schema.conform_routes(odd), first)


def test_a_weight_beyond_all_integers_is_text() -> None:
    """A number that no int64 holds is kept as what it is, in every dtype that holds it."""
    most, beyond = 2**63 - 1, 2**64 - 1
    for dtype in ("uint64", "UInt64", "object"):
        weight, text = schema.split_weight(pd.Series([beyond, 100], dtype=dtype))
        assert (weight.tolist(), text.tolist()[0]) == ([pd.NA, 100], str(beyond))
    assert schema.split_weight(pd.Series([most], dtype="uint64"))[0].tolist() == [most]


@pytest.mark.parametrize(
    ("what", "verb"),
    [
        ("routes", "read_routes"),
        ("routes (for scope=)", "read_routes"),
        ("live routes", r"live_routes\(client, routes\)"),
        ("connections", "live_connections"),
        ("findings", "audit_routes"),
        ("steps", r"rollout\.frame\(\)"),
        ("calls", r"rollout\.calls\(\)"),
    ],
)
def test_what_is_no_frame_is_told_how_to_get_one(what: str, verb: str) -> None:
    """The remedy names the verb that makes the frame that was wanted, not any other."""
    with pytest.raises(InputError, match=f"must be a DataFrame, not list.*{verb}"):
        schema.require_columns([], (), what=what)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"lacks the column x.*{verb}"):
        schema.require_columns(hand_made(), ("x",), what=what)


def test_live_routes_that_are_no_frame() -> None:
    """What is handed over in place of live routes is told, wherever it is first looked at."""
    with pytest.raises(InputError, match=r"live routes must be .* NoneType.*live_routes"):
        schema.destination_routes(None)  # type: ignore[arg-type]


def test_missing_columns_are_named_all_at_once() -> None:
    """A frame that lacks columns is refused, naming every one of them."""
    with pytest.raises(InputError, match=r"next_hop, weight"):
        schema.conform_routes(hand_made().drop(columns=["next_hop", "weight"]))
    with pytest.raises(InputError, match="not list"):
        schema.conform_routes([1])  # type: ignore[arg-type]
    twice = pd.concat([hand_made(), hand_made()[["weight"]]], axis=1)
    with pytest.raises(InputError, match="more than one column weight"):
        schema.conform_routes(twice)


def test_a_column_of_the_wrong_kind() -> None:
    """A line column that holds words is one clear error."""
    with pytest.raises(InputError, match="'line' cannot be read"):
        schema.conform_routes(hand_made(line=["first"]))


# -- settings -------------------------------------------------------------------------------------


def test_argument_environment_file_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument over environment over file over default, and each says where it is from."""
    monkeypatch.chdir(tmp_path)
    assert config.get("in_flight") == 32
    (tmp_path / "vcokit.toml").write_text("in_flight = 5\n")
    assert config.get("in_flight") == 5
    monkeypatch.setenv("VCOKIT_IN_FLIGHT", "6")
    assert config.get("in_flight") == 6
    assert config.get("in_flight", 7) == 7
    shown = config.in_force().set_index("name")
    assert shown.loc["in_flight", ["value", "origin"]].tolist() == ["6", "VCOKIT_IN_FLIGHT"]
    assert shown.loc["seed", "origin"] == "default"
    assert set(shown.index) == set(config.SETTINGS)


@pytest.mark.parametrize("value", ["many", "-1", "", "nan", True, [1]])
def test_values_that_cannot_be_used(value: object) -> None:
    """A wrong value names the setting and its default."""
    with pytest.raises(ConfigError, match=r"in_flight.*default is 32"):
        config.get("in_flight", value)


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
def test_a_wrong_value_of_the_file_names_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, written: str
) -> None:
    """No value overflows or is rounded: file, line, setting and default are told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vcokit.toml").write_text(f"# ours\nin_flight = 3\n{name} = {written}\n")
    with pytest.raises(ConfigError, match=rf"setting {name} \(vcokit.toml, line 3\).* default is"):
        config.get(name)
    assert config.get("in_flight") == 3


def test_whole_numbers_may_be_written_as_such(tmp_path: Path) -> None:
    """A number that is whole is taken for whole, and text for the number it spells."""
    assert config.get("in_flight", 3.0) == 3
    assert config.get("read_timeout", "1e3", {}) == 1000.0
    with pytest.raises(ConfigError, match="is not a whole number of at least 1"):
        config.get("read_attempts", None, {"VCOKIT_READ_ATTEMPTS": "2.9"})


def test_a_file_that_cannot_be_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that are there and cannot be read are never passed over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vcokit.toml").mkdir()
    with pytest.raises(ConfigError, match=r"vcokit\.toml: cannot be read: Is a directory"):
        config.get("in_flight")


def test_no_password_is_in_the_settings_in_force() -> None:
    """A URL is shown without user and password, whatever signs these are made of."""
    for url in ("http://me:s3@cr3t@host:80", "http://me:s3/cr3t@host:80", "me:s3cr3t@host:80"):
        shown = config.in_force({"VCOKIT_ENDPOINT": url}).set_index("name").at["endpoint", "value"]
        assert shown.endswith("***@host:80")
        assert "cr3t" not in shown
        assert config.get("endpoint", None, {"VCOKIT_ENDPOINT": url}) == url
    assert config.masked("https://vpc.example.com:443/a") == "https://vpc.example.com:443/a"


@pytest.mark.parametrize(
    ("text", "words"), [("in_flight = ", "not valid TOML"), ("inflight = 3", "unknown setting")]
)
def test_files_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    """A settings file with a mistake is named, with what is wrong in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vcokit.toml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        config.get("in_flight")
    assert "vcokit.toml" in str(caught.value)
