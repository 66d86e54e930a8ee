"""What a connection or a step is, is changed in one file only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import vcokit.rollout
from vcokit.rollout.connection import Connection, Record

ROOM = Path(vcokit.rollout.__file__).parent
STATE = {*Connection.__dataclass_fields__, *Record.__dataclass_fields__}
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "remove", "update"}


def changed_in(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Yield the attributes of other objects that code sets, deletes, or changes in place."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                found = node
            case ast.Subscript(value=ast.Attribute() as found, ctx=ast.Store() | ast.Del()):
                pass
            case ast.Call(func=ast.Attribute(value=ast.Attribute() as found, attr=name)) if (
                name in CHANGING
            ):
                pass
            case _:
                continue
        if not (isinstance(found.value, ast.Name) and found.value.id == "self"):
            yield found


def test_only_a_connection_changes_its_state() -> None:
    """No other file of the room sets an attribute of a connection or of a step's record."""
    found = [
        f"{path.name}:{attribute.lineno}: {ast.unparse(attribute)}"
        for path in sorted(ROOM.glob("*.py"))
        if path.name != "connection.py"
        for attribute in changed_in(ast.parse(path.read_text(encoding="utf-8")))
        if attribute.attr in STATE
    ]
    assert found == []
