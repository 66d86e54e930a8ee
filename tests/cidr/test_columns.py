"""The algebra and the rules work on columns: a test reads their source for loops and objects.

It looks for three things in `vcokit/cidr/` and `vcokit/audit/rules.py`: loops of any kind, calls
that loop over rows in disguise, and the dtype object. What may stay is listed here, function by
function, with what it goes over; the list is exact, so that nothing stays on it that has gone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "vcokit"
SOURCES = [*sorted((PACKAGE / "cidr").glob("*.py")), PACKAGE / "audit" / "rules.py"]

LOOPS = (ast.For, ast.While, ast.AsyncFor, ast.comprehension)
#: Methods and functions that call Python, or make a Python object, once a row.
ROW_BY_ROW = {
    "apply",
    "applymap",
    "apply_along_axis",
    "fromiter",
    "frompyfunc",
    "iteritems",
    "iterrows",
    "itertuples",
    "map",
    "nditer",
    "to_list",
    "to_pylist",
    "tolist",
    "vectorize",
}
OBJECTS = {"object_", "object0"}

#: (module, function, what): what it goes over.
ALLOWED: dict[tuple[str, str, str], str] = {
    # Objects, where pandas' interface or the caller has nothing else.
    ("array", "CidrArray.__iter__", "map"): "pandas asks for cells as objects",
    ("array", "CidrArray.__iter__", "tolist"): "pandas asks for cells as objects",
    ("array", "CidrArray.to_numpy", "list"): "pandas asks for an array of objects",
    ("array", "CidrArray.to_numpy", "object"): "pandas asks for an array of objects",
    ("array", "CidrArray._from_scalars", "loop"): "objects that a function gave, asked their type",
    ("coerce", "_ask_each", "loop"): "objects that a caller gave; text does not come here",
    ("coerce", "strict_column", "list"): "objects that a caller gave; text does not come here",
    ("lookup", "_from_integers", "object"): "objects that a caller gave, as numbers of any size",
    ("lookup", "asked", "object"): "addresses that a caller wrote by hand",
    ("scalar", "from_key", "object"): "object.__new__ of one prefix, no dtype",
    # Parts of a column that are few, whatever its length.
    ("array", "CidrArray._concat_same_type", "loop"): "arrays",
    ("parse", "parse", "loop"): "chunks",
    ("parse", "_pieces", "loop"): "chunks",
    ("segments", "Segments.at", "loop"): "chunks",
    # Bits, levels, octets, fields.
    ("arrow", "to_arrow", "list"): "two fields",
    ("read", "_taken", "loop"): "three fields",
    ("parse", "_ipv6_pattern", "loop"): "forms of an IPv6 address",
    ("parse", "to_text", "loop"): "four octets",
    ("parse", "_parse_piece", "loop"): "runs of rows",
    ("parse", "_spans", "loop"): "runs of rows",
    ("parse", "_word_table", "loop"): "numbers of a field",
    ("parse", "_widths", "loop"): "numbers of a field",
    ("parse", "_words", "loop"): "fields",
    ("scan", "_shape_table", "loop"): "shapes of a row",
    ("scan", "_shape_table", "list"): "shapes of a row",
    ("scan", "_field_ends", "loop"): "fields",
    ("scan", "_field_table", "loop"): "keys of a field",
    ("segments", "_Turns.__init__", "loop"): "bits",
    ("segments", "_Turns._search", "loop"): "bits",
    ("relations", "closest_cover_sorted", "loop"): "levels of nesting, at most 33",
    ("sets", "_combine", "loop"): "two sides",
    ("sets", "_lay", "loop"): "bits",
    # Bad cells, each different one once; there netaddr explains one at a time.
    ("explain", "_suggest_distinct", "loop"): "two ways to look again",
    ("explain", "_one_by_one", "loop"): "different bad cells of no usual form",
    ("explain", "_one_by_one", "to_pylist"): "different bad cells of no usual form",
    ("explain", "_in_ascii", "loop"): "characters of one bad cell",
    # Rules.
    ("rules", "_description_too_long", "map"): "descriptions that are too long",
    ("rules", "_missing_value", "loop"): "five fields",
    ("rules", "_special_purpose", "list"): "five networks",
    ("rules", "_special_purpose", "loop"): "five networks",
}


def owners(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield (function or class.function, node) of all code but annotations."""

    def walk(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.AST]]:
        yield owner, node
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    is_scope = isinstance(child, (ast.FunctionDef, ast.ClassDef))
                    inner = f"{owner}.{child.name}".lstrip(".") if is_scope else owner
                    yield from walk(child, inner)

    return walk(tree, "")


def what_is_wrong(node: ast.AST) -> str | None:
    """Name what a node does row by row, or by objects; None where it does neither."""
    if isinstance(node, LOOPS):
        return "loop"
    if isinstance(node, ast.Attribute) and node.attr in ROW_BY_ROW:
        return node.attr
    if isinstance(node, ast.Attribute) and node.attr in OBJECTS:
        return "object"
    if isinstance(node, ast.Name) and node.id in {"filter", "list", "map", "object"}:
        return node.id
    if isinstance(node, ast.keyword | ast.Call):
        return _object_by_name(node)
    return None


def _object_by_name(node: ast.keyword | ast.Call) -> str | None:
    """Find ``dtype="object"`` and ``astype("O")``."""
    if isinstance(node, ast.keyword):
        values = [node.value] if node.arg in {"dtype", "type"} else []
    else:
        values = node.args if getattr(node.func, "attr", "") in {"astype", "dtype"} else []
    names = {value.value for value in values if isinstance(value, ast.Constant)}
    return "object" if names & {"object", "O", "|O"} else None


def found_in(module: str, source: str) -> set[tuple[str, str, str]]:
    """Return what is wrong as (module, function, what); a table made at import has no rows."""
    return {
        (module, owner, wrong)
        for owner, node in owners(ast.parse(source))
        if owner and (wrong := what_is_wrong(node))
    }


def test_no_loops_over_rows_and_no_objects() -> None:
    """Every loop and every object in the source stands in the list, with what it goes over."""
    found = set().union(*(found_in(path.stem, path.read_text("utf-8")) for path in SOURCES))
    unlisted, gone = sorted(found - set(ALLOWED)), sorted(set(ALLOWED) - found)
    assert not unlisted, "goes over rows or makes objects; if not, list what it goes over"
    assert not gone, "is not there any more: strike it off the list"


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("for row in rows: pass", "loop"),
        ("while rows: pass", "loop"),
        ("[f(row) for row in rows]", "loop"),
        ("{row: 1 for row in rows}", "loop"),
        ("sum(row for row in rows)", "loop"),
        ("frame.apply(f)", "apply"),
        ("text.map(f)", "map"),
        ("map(f, rows)", "map"),
        ("frame.iterrows()", "iterrows"),
        ("text.tolist()", "tolist"),
        ("list(rows)", "list"),
        ("np.vectorize(f)(rows)", "vectorize"),
        ("np.frompyfunc(f, 1, 1)", "frompyfunc"),
        ("np.empty(3, dtype=object)", "object"),
        ("np.empty(3, object)", "object"),
        ("pd.Series(x, dtype='object')", "object"),
        ("text.astype('O')", "object"),
        ("np.asarray(x, dtype=np.object_)", "object"),
    ],
)
def test_it_sees(code: str, wrong: str) -> None:
    """What it is for is found."""
    assert found_in("here", f"def f():\n    {code}") == {("here", "f", wrong)}


def test_it_passes_over() -> None:
    """Annotations are no code, and words are no calls."""
    fine = 'def f(x: object, *y: "object") -> object:\n    "for an object, map"\n    return x.at[0]'
    assert not found_in("here", fine)
