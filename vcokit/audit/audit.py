"""One audit under way: what several rules share, and the form in which a rule answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vcokit import config
from vcokit.audit.columns import I64, NONE, RouteColumns, first_row
from vcokit.audit.connections import ConnectionStatus
from vcokit.audit.groups import Groups
from vcokit.audit.prediction import I8, LiveMatch, check_alone, live_count, match_live, predict
from vcokit.cidr.parse import to_text
from vcokit.errors import InputError


@dataclass(frozen=True)
class Matches:
    """What one rule found.

    Parameters
    ----------
    rows : ndarray of int64
        Positions of the rows, ascending.
    column : str or Series of str
        Field at fault: one for all, or one a hit.
    message : str or Series of str
        One for all, or one a hit.
    suggestion : Series of str, optional
        A value for the cell, a hit.
    related : ndarray of int64, optional
        Related row, a hit; -1 where there is none.
    severity : str, optional
        Where it is not the rule's own.
    """

    rows: I64
    column: str | pd.Series
    message: str | pd.Series
    suggestion: pd.Series | None = None
    related: I64 | None = None
    severity: str | None = None


class Audit:
    """One audit: the columns, the quota, and what is worked out of them once.

    Parameters
    ----------
    routes, live, connections, scope
        See `vcokit.audit.columns.RouteColumns`.
    quota : int, optional
        Routes a connection may have.
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
        #: Rows in error by each rule that was run, see `vcokit.audit.rules`.
        self.wrong: dict[str, I64] = {}

    @cached_property
    def groups(self) -> Groups:
        """How the rows meet."""
        return Groups(self.columns)

    def text(self, rows: I64, column: str) -> pd.Series:
        """Return a column of some rows on a fresh index."""
        return self.columns.text(rows, column)

    def network(self, rows: I64) -> pd.Series:
        """Return the networks of some rows as text."""
        prefixes = self.columns.prefixes
        return to_text(prefixes.network[rows], prefixes.length[rows])

    def at(self, rows: I64, beside: I64) -> pd.Series:
        """Return where rows stand: ``line 17``, or ``row 15`` where no line is known.

        Parameters
        ----------
        rows : ndarray of int64
            What is told.
        beside : ndarray of int64
            The row to which each is told; one of another source is told with its own:
            ``sites/b.csv, line 17``.
        """
        line = self.text(rows, "line")
        known = "line " + line.astype("str")
        lost = line.isna()
        source = self._source
        if source is not None:
            in_other_region = source[rows] != source[beside]
            name = self.text(rows, "source").astype("str")
            known = known.mask(in_other_region, name + ", " + known)
            lost |= in_other_region & (source[rows] == NONE)  # a line, but of what?
        if not lost.any():
            return known
        return known.mask(lost, "row " + pd.Series(rows).astype("str")).astype("str")

    @cached_property
    def _source(self) -> npt.NDArray[Any] | None:
        """Number of each row's source, -1 where there is none; None where all have one source."""
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

    @cached_property
    def _alone(self) -> I8:
        gone, status = ~self.columns.id_ok, self.status
        if status is None:
            return check_alone(self.columns, gone)
        return check_alone(self.columns, gone | status.unknown | status.in_other_region)

    def _predicted(self, quota: int | None) -> I8:
        return predict(self.columns, self.groups.contending, self.live, self._alone, quota)

    @cached_property
    def check(self) -> I8:
        """Number of the check that decides each row."""
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

    def settle(self) -> None:
        """Decide every row, and let go of what only that and the rules needed."""
        _ = self.check, self.live
        for holder, names in (
            (self, ("groups", "region_row", "under_default_quota", "_alone")),
            (self.columns, ("scope", "weight", "is_active")),
        ):
            for name in names:  # cached, and worked out anew should anybody ask
                holder.__dict__.pop(name, None)
