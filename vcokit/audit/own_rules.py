"""Users' own rules: functions from a frame to a mask, turned into rules of the audit.

::

    @vk.rule ─────────────▶ Rule ─┐
    a Python file ─┐              ├─▶ audit_routes(routes, rules=[…])
    entry points ──┴─ load_rules ─┘   plan_routes(routes, live, rules=[…])

There is no global registry: a rule runs only where it is passed. It checks each row on its own. It
runs with the built-in rules about rows, before the rules about several rows. Its errors block a row
in a plan, like those of the built-in rules.

`load_rules` executes the given Python files. There is no setting for such a file, so that merely
working in a folder cannot run code from it.
"""

from __future__ import annotations

import os
import re
import runpy
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias, overload

import numpy as np
import pandas as pd
import pyarrow as pa

from vcokit import schema
from vcokit._text import printable
from vcokit.audit.audit import Audit, Matches
from vcokit.audit.columns import TEXT, Mask, Text, as_text
from vcokit.audit.rules import NOTHING, RULES, Rule
from vcokit.errors import InputError, RuleError

#: A function from a frame of routes to a mask, one element per row.
RowFunction: TypeAlias = Callable[[pd.DataFrame], Any]
#: One text for all rows, or a function from the frame of the found rows to one text per row.
Words: TypeAlias = str | Callable[[pd.DataFrame], Any]

#: Group of the entry points with which a package provides rules.
GROUP: Final = "vcokit.rules"

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MASK: Final = (
    'Return one True or False per row, for example routes["weight"] == 100'  # pandas' result
)


@overload
def rule(name: RowFunction, /) -> Rule: ...


@overload
def rule(
    name: str | None = None,
    /,
    *,
    severity: str = "warning",
    column: str | None = None,
    message: Words | None = None,
    suggestion: Words | None = None,
) -> Callable[[RowFunction], Rule]: ...


def rule(
    name: str | RowFunction | None = None,
    /,
    *,
    severity: str = "warning",
    column: str | None = None,
    message: Words | None = None,
    suggestion: Words | None = None,
) -> Rule | Callable[[RowFunction], Rule]:
    """Turn a function into a rule of the audit.

    The function gets the routes as a frame: the columns of `vcokit.schema.ROUTES`, then the other
    columns of the file, with a new index. It returns a mask: True for each row that the rule
    finds. Reports show the first line of its docstring.

    Parameters
    ----------
    name : str, optional
        In kebab-case, and different from the names of all built-in rules. By default the
        function's own name, with hyphens.
    severity : {"info", "warning", "error"}
        A plan blocks the rows that a rule of severity ``error`` finds.
    column : str, optional
        The field at fault.
    message : str or callable, optional
        One text, or a function from the frame of the found rows to one text per row. By default
        the first line of the docstring.
    suggestion : str or callable, optional
        A value for the cell, given in the same way; NA if there is none. It needs `column`.

    Returns
    -------
    Rule
        For ``rules=`` of `audit_routes` and `plan_routes`. With arguments, a decorator that
        returns the rule.

    Raises
    ------
    RuleError
        If the name, the severity or another argument is not valid, or there is no docstring.
        Later, during the audit, if the function raises an exception or does not return a mask.

    Examples
    --------
    >>> from vcokit.audit import audit_routes
    >>> @rule(column="route_dest", message=lambda found: found["route_dest"] + " is in the lab")
    ... def lab_network(routes):
    ...     '''The destination is a network of the lab.'''
    ...     return routes["route_dest"].str.startswith("10.99.")
    >>> routes = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": "vco-a",
    ...     "route_dest": ["10.99.0.0/16", "10.1.2.3/16"], "next_hop": "vco-a", "weight": 100})
    >>> audit_routes(routes, rules=[lab_network])[["row", "rule", "severity"]]
       row           rule severity
    0    0    lab-network  warning
    1    1  host-bits-set    error
    """
    if callable(name):
        return _made(name, None, "warning", None, None, None)
    return partial(
        _made,
        name=name,
        severity=severity,
        column=column,
        message=message,
        suggestion=suggestion,
    )


def _made(
    function: RowFunction,
    name: str | None,
    severity: str,
    column: str | None,
    message: Words | None,
    suggestion: Words | None,
) -> Rule:
    """Check the arguments and return the rule of a function."""
    own = getattr(function, "__name__", type(function).__name__).strip("_").replace("_", "-")
    name = own if name is None else name
    sentence = next(iter((getattr(function, "__doc__", None) or "").strip().splitlines()), "")
    sentence = printable(" ".join(sentence.split()))
    find = _Find(str(name), function, sentence, column, message, suggestion)
    taken = {known.name for known in RULES}
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise find.error("the name is not in kebab-case", 'Write @vk.rule("lab-network")')
    if name in taken:
        raise find.error("a built-in rule has this name", "Choose another name")
    if severity not in schema.SEVERITIES.categories:
        raise find.error(f"severity={severity!r}", "Write info, warning or error")
    if not sentence:
        raise find.error("there is no docstring", "Say in one sentence what the rule finds")
    for label, words in (("message", message), ("suggestion", suggestion)):
        if not (words is None or isinstance(words, str) or callable(words)):
            raise find.error(f"{label}={words!r}", "Give a text, or a function of the found rows")
    if suggestion is not None and column is None:
        raise find.error("a suggestion without a column", "Name the field: column='route_dest'")
    return Rule(name, severity, sentence, find, blocks=severity == "error")


@dataclass(frozen=True, eq=False)
class _Find:
    """Runs the function of a rule and checks its result."""

    name: str
    function: RowFunction
    sentence: str
    column: str | None
    message: Words | None
    suggestion: Words | None

    def __call__(self, audit: Audit) -> Matches:
        """Return the rows that the function finds."""
        table = audit.table
        if table.empty:
            return NOTHING
        if self.column is not None and self.column not in table.columns:
            raise self.error(f"there is no column {self.column!r}", "Name a column of the routes")
        rows = np.flatnonzero(self._mask(self._call(self.function, table), len(table)))
        found = table.iloc[rows]
        plain = self.sentence.rstrip(".")
        message = self._words("message", plain if self.message is None else self.message, found)
        suggestion = (
            None if self.suggestion is None else self._words("suggestion", self.suggestion, found)
        )
        column = pa.repeat(pa.scalar(self.column, TEXT), len(rows))
        return Matches(rows, column, message.fill_null(plain), suggestion)

    def _call(self, function: Callable[[pd.DataFrame], Any], table: pd.DataFrame) -> Any:
        try:
            return function(table.copy(deep=False))  # so that the function cannot change `table`
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            source, line = self._place()
            frames = traceback.extract_tb(error.__traceback__)
            line = next((one.lineno for one in reversed(frames) if one.filename == source), line)
            remedy = "Correct the rule, or leave it out"
            raise RuleError(
                said, rule=self.name, source=source, line=line, remedy=remedy
            ) from error

    def _mask(self, answer: Any, size: int) -> Mask:
        """Return a function's result as a mask; NA is False."""
        column = self._column("returned", answer, pd.RangeIndex(size), _MASK)
        if pd.api.types.infer_dtype(column, skipna=True) != "boolean" and not column.isna().all():
            raise self.error(f"returned {column.dtype} instead of a boolean mask", _MASK)
        return column.astype("boolean").fillna(False).to_numpy(dtype=np.bool_)

    def _words(self, label: str, words: Words, found: pd.DataFrame) -> Text:
        """Return the messages or suggestions of the found rows."""
        if isinstance(words, str):
            return pa.repeat(pa.scalar(words, TEXT), len(found))
        answer = self._call(words, found)
        remedy = f"Return one text per row of the frame that {label}= is given"
        return as_text(schema.text_column(self._column(label, answer, found.index, remedy)))

    def _column(self, label: str, answer: Any, index: pd.Index, remedy: str) -> pd.Series:
        """Return a function's result as a column with one element per row."""
        if isinstance(answer, pd.Series):
            if not answer.index.equals(index):
                raise self.error(f"{label} a Series with another index than the frame", remedy)
            return answer
        if not pd.api.types.is_list_like(answer) or isinstance(answer, dict | set | pd.DataFrame):
            raise self.error(f"{label} {type(answer).__name__} instead of a column", remedy)
        values = list(answer)
        if len(values) != len(index):
            raise self.error(f"{label} {len(values)} values for {len(index)} rows", remedy)
        return pd.Series(values, index=index)

    def _place(self) -> tuple[str | None, int | None]:
        """Return the file and line of the function, None if Python does not know them."""
        code = getattr(self.function, "__code__", None)
        return (None, None) if code is None else (code.co_filename, code.co_firstlineno)

    def error(self, message: str, remedy: str) -> RuleError:
        """Return an error that names the rule, its file and its line."""
        source, line = self._place()
        return RuleError(message, rule=self.name, source=source, line=line, remedy=remedy)


def load_rules(*files: str | PathLike[str]) -> list[Rule]:
    """Return the rules of Python files, or the rules that installed packages provide.

    Parameters
    ----------
    *files : path
        Python files, which are executed. Without any, the rules of all installed packages with an
        entry point in the group ``vcokit.rules`` are loaded. The entry point names a rule, a list
        of rules, or a module that contains rules.

    Returns
    -------
    list of Rule
        In the order in which the files define them.

    Raises
    ------
    RuleError
        If a file or a package cannot be loaded, or contains no rule.

    Examples
    --------
    >>> load_rules("lab_rules.py")
    Traceback (most recent call last):
        ...
    vcokit.errors.RuleError: lab_rules.py: cannot be read: No such file or directory. \
Name a Python file with rules
    """
    found: dict[Rule, None] = {}
    for file in files:
        found |= dict.fromkeys(_of_file(Path(file)))
    for point in () if files else metadata.entry_points(group=GROUP):
        found |= dict.fromkeys(_of_package(point))
    return list(found)


def _of_file(path: Path) -> list[Rule]:
    remedy = "Name a Python file with rules"
    try:
        names = runpy.run_path(os.path.abspath(path), run_name=f"rules_of_{path.stem}")
    except OSError as error:
        if error.filename != os.path.abspath(path):
            raise _broken(path, error) from error
        said = f"cannot be read: {error.strerror or error}"
        raise RuleError(said, source=path, remedy=remedy) from None
    except (Exception, SystemExit) as error:
        raise _broken(path, error) from error
    found = _rules_in(names.values())
    if not found:
        raise RuleError("there is no rule", source=path, remedy="Decorate a function with @vk.rule")
    return found


def _broken(path: Path, error: BaseException) -> RuleError:
    """Return the error for a file that failed, with the line at which it stopped."""
    if isinstance(error, RuleError):
        return error
    frames, file = traceback.extract_tb(error.__traceback__), os.path.abspath(path)
    line = next((one.lineno for one in reversed(frames) if one.filename == file), None)
    if isinstance(error, SyntaxError):
        line, said = error.lineno, error.msg
    else:
        said = str(error)
    said = f"{type(error).__name__}: {said}"
    return RuleError(said, source=path, line=line, remedy="Correct the file, or leave it out")


def _of_package(point: metadata.EntryPoint) -> list[Rule]:
    source = f"entry point {point.name} of {point.dist.name if point.dist else 'a package'}"
    try:
        held = point.load()
    except RuleError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        remedy = "Correct the package, or remove it"
        raise RuleError(said, source=source, remedy=remedy) from error
    if isinstance(held, Rule):
        return [held]
    found = _rules_in(held if isinstance(held, list | tuple) else vars(held).values())
    if not found:
        remedy = "Let it name a rule, a list of rules or a module that holds some"
        raise RuleError("there is no rule", source=source, remedy=remedy)
    return found


def _rules_in(values: Iterable[object]) -> list[Rule]:
    return [one for one in values if isinstance(one, Rule) and one not in RULES]


def own_rules(given: Rule | Iterable[object]) -> tuple[Rule, ...]:
    """Return the rules that are not built in, each once.

    Raises
    ------
    InputError
        If a value is not a rule, or two rules have the same name.
    """
    own: dict[str, Rule] = {}
    for one in [given] if isinstance(given, Rule) else given:
        if not isinstance(one, Rule):
            raise InputError(f"{one!r} is not a rule", remedy="Decorate the function with @vk.rule")
        if one not in RULES and own.setdefault(one.name, one) is not one:
            raise InputError(f"two rules are called {one.name}", remedy="Rename one of them")
    return tuple(own.values())
