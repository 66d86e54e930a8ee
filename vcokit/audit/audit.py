"""One audit under way: what several rules share, and the form in which a rule answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import config, schema
from vcokit.audit.columns import (
    I64,
    NONE,
    TEXT,
    Mask,
    RouteColumns,
    Text,
    as_text,
    dense,
    first_row,
    say,
)
from vcokit.audit.connections import ConnectionStatus
from vcokit.audit.groups import Groups
from vcokit.audit.prediction import I8, Check, LiveMatch, live_count, match_live, predict
from vcokit.cidr.parse import to_text
from vcokit.errors import InputError


@dataclass(frozen=True)
class Matches:
    """What one rule found.

    Parameters
    ----------
    rows : ndarray of int64
        Positions of the rows, ascending.
    column : str or Arrow array of str
        Field at fault: one for all rows, or one per row.
    message : str or Arrow array of str
        One for all rows, or one per row; a dictionary array, where many rows have the same.
    suggestion : Arrow array of str, optional
        A value for the cell, per row.
    related : ndarray of int64, optional
        Related row, per row; -1 where there is none.
    severity : str, optional
        Where it is not the rule's own.
    refused : ndarray of bool, optional
        Which of the rows the rule's check refuses, where not all.
    """

    rows: I64
    column: str | Text
    message: str | Text
    suggestion: Text | None = None
    related: I64 | None = None
    severity: str | None = None
    refused: Mask | None = None


class Audit:
    """One audit: the routes as columns, the quota, and what is worked out of them once.

    The rules of single rows come first. They leave here which rows have an error and which check
    of the cloud refuses each; the other rules build on that.

    Parameters
    ----------
    routes, live, connections, scope
        See `vcokit.audit.columns.RouteColumns`.
    quota : int, optional
        Routes a connection may have.

    Attributes
    ----------
    row_check : ndarray of int8
        The first `Check` by which a rule of single rows found each row.
    row_rule : ndarray of int8
        Number of that rule; -1 where there is none.
    has_row_error : ndarray of bool
        Rows that a plan blocks for what they are, not for what they meet.
    numbers : ndarray of int64 or None
        How messages number rows without a line, where these are some of more rows.
    """

    def __init__(
        self,
        routes: pd.DataFrame,
        *,
        live: pd.DataFrame | None = None,
        connections: pd.DataFrame | None = None,
        quota: int | None = None,
        scope: Sequence[str] = ("region_id",),
    ) -> None:
        whole = isinstance(quota, (int, np.integer)) and not isinstance(quota, bool)
        if quota is not None and not (whole and quota >= 0):
            raise InputError(
                f"quota={quota!r} is not a number of routes", remedy="Give 0 or a greater integer"
            )
        self.columns = RouteColumns(routes, live=live, connections=connections, scope=scope)
        self.quota = quota
        size = self.columns.size
        self.row_check: I8 = np.zeros(size, dtype=np.int8)
        self.row_rule: I8 = np.full(size, NONE, dtype=np.int8)
        self.has_row_error = np.zeros(size, dtype=np.bool_)
        self.numbers: I64 | None = None

    @cached_property
    def table(self) -> pd.DataFrame:
        """The routes as a user's own rules see them: conformed, with the file's other columns."""
        given = self.columns.given
        others = given.loc[:, [name not in schema.ROUTES for name in given.columns]]
        frame = pd.concat([schema.conform_routes(given), others.reset_index(drop=True)], axis=1)
        frame.attrs = {}
        return frame

    def refuse(self, rows: I64, check: Check, rule: int) -> None:
        """Note that a check refuses some rows; of several checks the first in order decides."""
        earlier = self.row_check[rows]
        first = rows[(earlier == Check.ACCEPTED) | (check < earlier)]
        self.row_check[first] = check
        self.row_rule[first] = rule

    @cached_property
    def groups(self) -> Groups:
        """How the rows meet."""
        return Groups(self.columns)

    def text(self, rows: I64, column: str) -> Text:
        """Return a column of some rows; null where the cell is empty."""
        return self.columns.text(rows, column)

    def network(self, rows: I64) -> Text:
        """Return the networks of some rows."""
        prefixes = self.columns.prefixes
        return as_text(to_text(prefixes.network[rows], prefixes.length[rows]))

    def at(self, rows: I64, beside: I64) -> Text:
        """Return where rows are: ``line 17``, or ``row 15`` where no line is known.

        A row of another source than the one beside it is named with its own: ``b.csv, line 17``.
        """
        number = pa.array(self.columns.routes["line"].array.take(rows))
        place = say("line ", number.cast(TEXT))
        lost = pc.is_null(number)
        source = self._source
        if source is not None:
            other = source[rows] != source[beside]
            elsewhere = pa.array(other)
            names = self.columns.routes["source"].array.take(rows)
            place = pc.if_else(
                elsewhere, say(as_text(pd.Series(names).astype("str")), ", ", place), place
            )
            lost = pc.or_(lost, pa.array(other & (source[rows] == NONE)))  # a line, but of what?
        if not pc.any(lost).as_py():
            return place
        own = rows if self.numbers is None else self.numbers[rows]
        return pc.if_else(lost, say("row ", pa.array(own).cast(TEXT)), place)

    def alike(self, rows: I64, key: npt.NDArray[Any]) -> tuple[I64, I64]:
        """Number rows by their key and their source; return also the position of one of each.

        Rows of one number have one message, where that follows from the key and names places.
        """
        if self._source is not None:
            key = key.astype(np.int64) * (int(self._source.max()) + 2) + self._source[rows]
        which = dense(key)
        return which, first_row(which)

    @cached_property
    def _source(self) -> npt.NDArray[Any] | None:
        """Code of each row's source, -1 where there is none; None where all have one source."""
        codes = self.columns.routes["source"].cat.codes.to_numpy()
        return codes if len(codes) and (codes != codes[0]).any() else None

    @cached_property
    def live(self) -> LiveMatch:
        """How the live routes meet the rows."""
        return match_live(self.columns)

    @cached_property
    def region_row(self) -> I64:
        """First row with a region of each row's connection; -1 where there is none."""
        columns = self.columns
        with_region = np.where(columns.region >= 0, columns.connection, NONE)
        return np.append(first_row(with_region, columns.id_count), NONE)[columns.connection]

    @cached_property
    def status(self) -> ConnectionStatus | None:
        """What the live connections say of the rows; None unless they were given."""
        return None if self.columns.connections is None else ConnectionStatus(self.columns)

    def _predicted(self, quota: int | None) -> I8:
        contending = self.groups.contending
        return predict(self.columns, contending, self.live, self.row_check, quota)

    @cached_property
    def check(self) -> I8:
        """The check that decides each row, once the rules of single rows were run."""
        return self._predicted(self.quota)

    @cached_property
    def under_default_quota(self) -> I8:
        """The same under the quota that is thought usual."""
        quota = config.get("quota_hint")
        columns = self.columns
        rows = np.bincount(columns.connection + 1, minlength=columns.code_count + 1)[1:]
        most = rows + live_count(columns)[: len(rows)]
        if self.quota is None and most.max(initial=0) <= quota:
            return self.check  # no connection can go past it
        return self._predicted(quota)
