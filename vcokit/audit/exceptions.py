"""Agreed exceptions: findings that are known and accepted until a given day.

They are in a TOML file, one table each::

    [[exception]]
    rule = ["covered", "more-specific"]   # one name or several
    connection = "vco-bp1*"               # an id or a pattern; without it, any connection
    network = "10.20.0.0/16"              # and all networks in it; without it, any network
    reason = "migration of the Ningbo site, NET-2417"
    until = 2027-03-31                    # the last day on which it applies

Findings of rules that can break a tunnel (`Rule.breaks_tunnel`) cannot be excepted. An unknown key
is an error: with the typo ``conection``, an exception would apply to every connection.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from vcokit.audit.columns import Mask
from vcokit.audit.rules import Rule
from vcokit.cidr.parse import parse, to_text
from vcokit.errors import InputError

_KEYS: Final = ("rule", "connection", "network", "reason", "until")
_TABLE: Final = "exception"
_HEADER: Final = re.compile(rf"^[ \t]*\[\[[ \t]*{_TABLE}[ \t]*\]\]", re.MULTILINE)


@dataclass(frozen=True)
class AgreedException:
    """One exception of a file.

    Parameters
    ----------
    rules : tuple of str
    connection : str or None
        An id, or a pattern such as ``vco-bp1*``.
    network : str or None
        A prefix; the exception applies to networks within it.
    reason : str
    until : date
        The last day on which it applies.
    place : str
        Where it is defined.
    """

    rules: tuple[str, ...]
    connection: str | None
    network: str | None
    reason: str
    until: datetime.date
    place: str

    def __str__(self) -> str:
        return f"{self.place}: of {', '.join(self.rules)} until {self.until} ({self.reason})"

    def applies(self, findings: pd.DataFrame) -> Mask:
        """Return which findings match this exception; `until` is not checked."""
        met = findings["rule"].isin(self.rules).to_numpy(dtype=np.bool_, copy=True)
        if self.connection is not None:
            ids, pattern = findings["vpn_connection_id"], self.connection.casefold()
            named = {one: fnmatchcase(one.casefold(), pattern) for one in ids.dropna().unique()}
            met &= ids.isin([one for one, fits in named.items() if fits]).to_numpy()
        if self.network is not None:
            wide, prefixes = parse(pd.Series([self.network])), parse(findings["route_dest"])
            shift = np.uint64(32 - int(wide.length[0]))
            inside = prefixes.network.astype(np.uint64) >> shift
            met &= prefixes.valid & (prefixes.length >= wide.length[0])
            met &= inside == np.uint64(wide.network[0]) >> shift
        return np.asarray(met)


def read_exceptions(path: str | PathLike[str], rules: Mapping[str, Rule]) -> list[AgreedException]:
    """Return the exceptions of a file.

    Parameters
    ----------
    path : path
    rules : mapping of str to Rule
        All known rules, by name.

    Raises
    ------
    InputError
        If the file cannot be read, or an exception in it is not valid. The error names the file,
        and the line and number of the exception.
    """
    try:
        text = Path(path).read_text("utf-8")
        held = tomllib.loads(text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}",
            remedy="Name a TOML file with exceptions",
        ) from None
    except ValueError as error:  # of TOML, and of UTF-8
        raise InputError(
            f"{path} is not TOML: {error}", remedy=f"Write [[{_TABLE}]] and a key per line"
        ) from None
    tables = held.pop(_TABLE, [])
    if held or not (isinstance(tables, list) and all(isinstance(one, dict) for one in tables)):
        raise InputError(
            f"{path}: {', '.join(held) or _TABLE} is not a list of exceptions",
            remedy=f"Begin each exception with [[{_TABLE}]]",
        )
    found = [text.count("\n", 0, header.start()) + 1 for header in _HEADER.finditer(text)]
    lines: Sequence[int | None] = found if len(found) == len(tables) else [None] * len(tables)
    return [
        _exception(one, f"{path}{f', line {line}' if line else ''}, exception {number}", rules)
        for number, (one, line) in enumerate(zip(tables, lines, strict=True), start=1)
    ]


def _exception(table: Mapping[str, Any], place: str, rules: Mapping[str, Rule]) -> AgreedException:
    """Check each key of a table and return its exception."""

    def refuse(message: str, remedy: str) -> InputError:
        return InputError(f"{place}: {message}", remedy=remedy)

    if unknown := [key for key in table if key not in _KEYS]:
        raise refuse(f"unknown key {', '.join(unknown)}", f"Keys are {', '.join(_KEYS)}")
    for key in ("rule", "reason", "until"):
        if key not in table:
            raise refuse(f"no {key}", f"Add a line: {key} = …")
    named = table["rule"] if isinstance(table["rule"], list) else [table["rule"]]
    if not named or not all(isinstance(one, str) for one in named):
        raise refuse(f"rule = {table['rule']!r} names no rule", "Write the name of a rule, or some")
    for name in named:
        if name not in rules:
            raise refuse(f"unknown rule {name}", f"Rules are {', '.join(rules)}")
        if rules[name].breaks_tunnel:
            raise refuse(
                f"{name} may break a tunnel and cannot be excepted",
                "Take the rule out, and correct the routes",
            )
    for key in ("connection", "network", "reason"):
        if key in table and not (isinstance(table[key], str) and table[key].strip()):
            raise refuse(f"{key} = {table[key]!r} is no text", "Write a text in quotes")
    return AgreedException(
        tuple(named),
        table.get("connection"),
        _network(table["network"], refuse) if "network" in table else None,
        table["reason"].strip(),
        _day(table["until"], refuse),
        place,
    )


def _network(text: str, refuse: Any) -> str:
    prefix = parse(pd.Series([text]))
    if not prefix.valid[0]:
        raise refuse(f"network {text!r} is not a.b.c.d/len", "Write it like 10.20.0.0/16")
    written = str(to_text(prefix.network, prefix.length)[0])
    if written != text:
        raise refuse(f"network {text} has host bits set", f"Write {written}")
    return text


def _day(value: object, refuse: Any) -> datetime.date:
    if type(value) is datetime.date:  # not isinstance: a datetime is also a date
        return value
    try:
        return datetime.date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise refuse(f"until = {value} is not a date", "Write it like until = 2027-03-31") from None
