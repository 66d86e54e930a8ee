"""Errors name place and remedy, survive a journey, and can be printed, whoever worded them."""

from __future__ import annotations

import inspect
import pickle
import re
import traceback

import pytest

from vcokit import errors

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.VcokitError)
]
STRANGE = "a\x1b]0;b\x07\x1b[31m\u202e\n\x85c"


def test_every_error_is_drawn() -> None:
    """The module's docstring draws the tree: each class stands below its parent."""
    drawn, above = {}, {}
    for line in errors.__doc__.splitlines():
        if found := re.match(r"([ │├└─]*)([A-Z]\w+(?:Error|Passed))\b", line):
            depth = len(found[1])
            drawn[found[2]] = next((above[d] for d in sorted(above, reverse=True) if d < depth), "")
            above = {d: name for d, name in above.items() if d < depth} | {depth: found[2]}
    parents = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}
    assert drawn == parents | {"VcokitError": ""}


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
    """An error is one line without control characters, as a traceback too.

    What is spelt out stays as it is when it is spelt out again.
    """
    assert str(error).isprintable()
    assert "".join(traceback.format_exception_only(error)).rstrip("\n").isprintable()
    assert r"\x1b]0;b\x07\x1b[31m\u202e\n\x85c" in str(error)
    assert str(errors.InputError(str(error))) == str(error)
