"""One audit in progress: the data that rules share, and the result of a rule."""

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
    """Result of one rule.

    Parameters
    ----------
    rows : ndarray of int64
        Positions of the rows, ascending.
    column : str or Arrow array of str
        Field at fault: one for all rows, or one per row.
    message : str or Arrow array of str
        One for all rows, or one per row; a dictionary array if many rows share a message.
    suggestion : Arrow array of str, optional
        A value for the cell, per row.
    related : ndarray of int64, optional
        Related row, per row; -1 if there is none.
    severity : str, optional
        Only if it differs from the rule's own severity.
    refused : ndarray of bool, optional
        Which of the rows the rule's check refuses; by default all.
    """

    rows: I64
    column: str | Text
    message: str | Text
    suggestion: Text | None = None
    related: I64 | None = None
    severity: str | None = None
    refused: Mask | None = None


class Audit:
    """One audit: the routes as columns, the quota, and cached results computed from them.

    The rules of single rows run first. They record here which rows have an error, and which check
    of the cloud refuses each row; the other rules use this.

    Parameters
    ----------
    routes, live, connections, scope
        See `vcokit.audit.columns.RouteColumns`.
    quota : int, optional
        Number of routes that a connection may have.

    Attributes
    ----------
    row_check : ndarray of int8
        The first `Check` that refuses each row, according to the rules of single rows.
    row_rule : ndarray of int8
        Number of the rule that reported that check; -1 if there is none.
    has_row_error : ndarray of bool
        Rows that a plan blocks for an error of their own, not for a conflict between rows.
    numbers : ndarray of int64 or None
        Row numbers to use in messages for rows without a line, if the audited rows are only a part
        of the inventory.
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
        """The routes for a user's own rules: conformed, with the file's other columns."""
        given = self.columns.given
        others = given.loc[:, [name not in schema.ROUTES for name in given.columns]]
        frame = pd.concat([schema.conform_routes(given), others.reset_index(drop=True)], axis=1)
        frame.attrs = {}
        return frame

    def refuse(self, rows: I64, check: Check, rule: int) -> None:
        """Record that a check refuses some rows; of several checks, the earliest decides."""
        earlier = self.row_check[rows]
        first = rows[(earlier == Check.ACCEPTED) | (check < earlier)]
        self.row_check[first] = check
        self.row_rule[first] = rule

    @cached_property
    def groups(self) -> Groups:
        """How the rows are related to one another."""
        return Groups(self.columns)

    def text(self, rows: I64, column: str) -> Text:
        """Return a column of some rows; null if the cell is empty."""
        return self.columns.text(rows, column)

    def network(self, rows: I64) -> Text:
        """Return the networks of some rows."""
        prefixes = self.columns.prefixes
        return as_text(to_text(prefixes.network[rows], prefixes.length[rows]))

    def at(self, rows: I64, beside: I64) -> Text:
        """Return the place of each row: ``line 17``, or ``row 15`` if its line is not known.

        If a row has another source than the row in `beside`, the source is included:
        ``b.csv, line 17``.
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
            # A line in an unknown source is of no use.
            lost = pc.or_(lost, pa.array(other & (source[rows] == NONE)))
        if not pc.any(lost).as_py():
            return place
        own = rows if self.numbers is None else self.numbers[rows]
        return pc.if_else(lost, say("row ", pa.array(own).cast(TEXT)), place)

    def alike(self, rows: I64, key: npt.NDArray[Any]) -> tuple[I64, I64]:
        """Number rows by key and source; also return the position of one row of each number.

        Rows with the same number share a message, if it depends only on the key and names places.
        """
        if self._source is not None:
            key = key.astype(np.int64) * (int(self._source.max()) + 2) + self._source[rows]
        which = dense(key)
        return which, first_row(which)

    @cached_property
    def _source(self) -> npt.NDArray[Any] | None:
        """Code of each row's source, -1 if it has none; None if all rows have the same source."""
        codes = self.columns.routes["source"].cat.codes.to_numpy()
        return codes if len(codes) and (codes != codes[0]).any() else None

    @cached_property
    def live(self) -> LiveMatch:
        """How the rows compare with the live routes."""
        return match_live(self.columns)

    @cached_property
    def region_row(self) -> I64:
        """For each row, the first row of its connection that has a region; -1 if there is none."""
        columns = self.columns
        with_region = np.where(columns.region >= 0, columns.connection, NONE)
        return np.append(first_row(with_region, columns.id_count), NONE)[columns.connection]

    @cached_property
    def status(self) -> ConnectionStatus | None:
        """The status of each row's connection; None if no live connections were given."""
        return None if self.columns.connections is None else ConnectionStatus(self.columns)

    def _predicted(self, quota: int | None) -> I8:
        contending = self.groups.contending
        return predict(self.columns, contending, self.live, self.row_check, quota)

    @cached_property
    def check(self) -> I8:
        """The check that decides each row; valid once the rules of single rows have run."""
        return self._predicted(self.quota)

    @cached_property
    def under_default_quota(self) -> I8:
        """The same as `check`, with the usual quota (setting ``quota_hint``)."""
        quota = config.get("quota_hint")
        columns = self.columns
        rows = np.bincount(columns.connection + 1, minlength=columns.code_count + 1)[1:]
        most = rows + live_count(columns)[: len(rows)]
        if self.quota is None and most.max(initial=0) <= quota:
            return self.check  # no connection can exceed it
        return self._predicted(quota)
