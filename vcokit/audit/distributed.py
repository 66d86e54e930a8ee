"""A distributed audit: a Dask frame of routes in, a Dask frame of findings out.

::

    routes ─▶ numbered ─▶ by connection ─▶ rules of rows and connections ─┬─▶ findings ─┐
                                                                          ▼             ├─▶ in the
                              rows that take part, by address ─▶ rules of destinations ─┘  order of
                                                                                           the rows

In the first pass, all rows of a connection are in the same partition. In the second pass, all
networks that nest are in the same partition. The partitions of the second pass are address ranges
with about the same number of routes each. A network that spans several ranges is copied to each of
them, and the findings on its own rows are taken from the first range. The first pass gives the
second one the rows that have an error.

Both passes use the same code as an audit on one machine (`vcokit.audit.findings.run`). The routes
are read twice: first to count them, then to audit them. `audit_routes` calls this module if it gets
a Dask frame; otherwise nothing of Dask is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dask
import dask.dataframe as dd
import numpy as np
import numpy.typing as npt
import pandas as pd
from dask.dataframe.utils import clear_known_categories

from vcokit import schema
from vcokit.audit.audit import Audit
from vcokit.audit.columns import I64, NONE
from vcokit.audit.findings import findings_schema, run, without_unlisted
from vcokit.audit.rules import RULES, Rule
from vcokit.cidr.parse import parse

#: About how many rows are audited at once, so that a worker's memory does not grow with its files.
_ROWS: Final = 250_000
#: Number of networks per partition from which the address ranges are chosen.
_SAMPLE: Final = 2_000
#: Columns added to rows in transit: their target partition, their number, whether a plan blocks
#: them, and whether they are the copy whose findings count.
_TO: Final = "_to"
_NUMBER: Final = "_number"
_BLOCKED: Final = "_blocked"
_OWN: Final = "_own"


@dataclass(frozen=True)
class _Task:
    """Settings of the audit that every partition gets."""

    chosen: tuple[Rule, ...]
    scope: tuple[str, ...]
    given: Mapping[str, Any]  # other arguments of Audit
    starts: I64  # number of the first row of each partition of the routes
    count: int  # partitions of the first pass; the second pass has at most as many
    bounds: npt.NDArray[np.uint32]  # first address of each address range except the first

    @property
    def kept(self) -> tuple[str, ...] | None:
        """Columns other than those of routes that rows keep; None means all of them."""
        return None if set(self.chosen) - set(RULES) else (*self.scope, "route_entry_type")

    @property
    def known(self) -> tuple[Rule, ...]:
        """All rules that findings may name."""
        return (*RULES, *(rule for rule in self.chosen if rule not in RULES))


def audit_partitions(
    routes: Any, chosen: Sequence[Rule], scope: tuple[str, ...], **given: Any
) -> Any:
    """Return the findings of a Dask frame of routes as a Dask frame; see `audit_routes`.

    The other arguments are the same as on one machine: live routes and connections are pandas
    frames. The result has as many partitions as the routes, each with the findings on its rows.
    """
    Audit(routes._meta, scope=scope, **given)  # raises errors about the arguments early
    parts = routes.to_delayed()
    surveys = dask.compute(*map(dask.delayed(_survey), parts))
    sizes, samples = zip(*surveys, strict=True)
    starts = np.cumsum([0, *sizes[:-1]])
    count = max(len(parts), -(-sum(sizes) // _ROWS))
    task = _Task(tuple(chosen), scope, given, starts, count, _bounds(samples, count))
    told = dask.delayed(task, traverse=False)
    numbered = [dask.delayed(_numbered)(part, told, n) for n, part in enumerate(parts)]
    empty = _numbered(routes._meta, task, 0)
    by_connection = _exchange(numbered, empty, count)
    first = [dask.delayed(_first_pass, nout=2)(part, told) for part in by_connection]
    empty_found, empty_rows = _first_pass(empty.set_index(_TO), task)
    by_address = _exchange([rows for _, rows in first], empty_rows, len(task.bounds) + 1)
    second = [dask.delayed(_second_pass)(part, told) for part in by_address]
    found = [one for one, _ in first] + second
    ordered = [
        dask.delayed(_ordered)(part, told) for part in _exchange(found, empty_found, len(parts))
    ]
    meta = clear_known_categories(_ordered(empty_found, task), cols=["source"])
    return dd.from_delayed(ordered, meta=meta, verify_meta=False)


def _exchange(parts: Sequence[Any], meta: pd.DataFrame, count: int) -> Sequence[Any]:
    """Return delayed partitions; partition n has all rows whose target is n."""
    frame = dd.from_delayed(parts, meta=meta, verify_meta=False)
    exchanged: Sequence[Any] = frame.set_index(_TO, divisions=(*range(count + 1),)).to_delayed()
    return exchanged


def _survey(part: pd.DataFrame) -> tuple[int, npt.NDArray[np.uint32]]:
    """Return the number of rows of a partition, and a sample of its networks."""
    sample = part["route_dest"].iloc[:: max(1, len(part) // _SAMPLE)]
    prefixes = parse(schema.text_column(sample))
    return len(part), prefixes.network[prefixes.valid]


def _bounds(samples: Sequence[npt.NDArray[np.uint32]], count: int) -> npt.NDArray[np.uint32]:
    """Return addresses that divide the networks into `count` ranges or fewer."""
    networks = np.sort(np.concatenate(samples))
    places = np.arange(1, count) * len(networks) // count
    return np.unique(networks[places] if len(networks) else networks)


def _numbered(part: pd.DataFrame, task: _Task, place: int) -> pd.DataFrame:
    """Return the rows of a partition with row number and target, which the connection decides."""
    rows = schema.conform_routes(part)
    for name in part.columns:
        if name not in schema.ROUTES and (task.kept is None or name in task.kept):
            rows[name] = part[name].array
    for name in rows.columns[rows.dtypes == "category"]:
        rows[name] = rows[name].astype(schema.STR)  # partitions may have different categories
    number = np.arange(len(rows)) + task.starts[place]
    ids = rows["vpn_connection_id"]
    home = np.where(ids.isna(), number, pd.util.hash_array(ids.to_numpy(dtype=object)) >> 1)
    return rows.assign(**{_NUMBER: number, _TO: home.astype(np.int64) % task.count})


def _first_pass(part: pd.DataFrame, task: _Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Audit the rows of some connections; return the findings, and the rows that take part."""
    rows = part.sort_values(_NUMBER, ignore_index=True)
    numbers = rows.pop(_NUMBER).to_numpy()
    audit = Audit(rows, scope=task.scope, **task.given)
    audit.numbers = numbers
    found = without_unlisted(run(audit, task.chosen, ("row", "connection")), rows)
    columns, contending = audit.columns, audit.groups.contending
    blocked = audit.has_row_error.copy()
    blocked[contending.rows[contending.disagrees]] = True
    taking = np.flatnonzero(columns.takes_part)
    start = columns.prefixes.network[taking]
    end = start | (np.uint64(0xFFFFFFFF) >> columns.prefixes.length[taking].astype(np.uint64))
    first = np.searchsorted(task.bounds, start, side="right")
    copies = np.searchsorted(task.bounds, end, side="right") - first + 1
    copy = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
    taken = np.repeat(taking, copies)
    kept = rows.drop(columns=[n for n in ("description", "weight_text") if n in rows])
    others = {
        _NUMBER: numbers[taken],
        _BLOCKED: blocked[taken],
        _OWN: copy == 0,
        _TO: np.repeat(first, copies) + copy,
    }
    return _sent(found, numbers, task), kept.iloc[taken].reset_index(drop=True).assign(**others)


def _second_pass(part: pd.DataFrame, task: _Task) -> pd.DataFrame:
    """Audit the destinations of an address range; return the findings on its own rows."""
    rows = part.sort_values(_NUMBER, ignore_index=True)
    numbers, blocked, own = (rows.pop(name).to_numpy() for name in (_NUMBER, _BLOCKED, _OWN))
    audit = Audit(rows, scope=task.scope)
    audit.numbers, audit.has_row_error = numbers, blocked
    found = run(audit, task.chosen, ("destination",))
    found = without_unlisted(found[own[found["row"]]].reset_index(drop=True), rows)
    return _sent(found, numbers, task)


def _sent(found: pd.DataFrame, numbers: I64, task: _Task) -> pd.DataFrame:
    """Return findings with the partition of their row as target."""
    row = numbers[found["row"]]
    related = found["related_row"].to_numpy(dtype=np.int64, na_value=NONE)
    of_related = np.where(related == NONE, NONE, np.append(numbers, NONE)[related])
    coded = {name: found[name].cat.codes.astype(np.int64) for name in ("rule", "severity")}
    others: dict[str, Any] = {
        "row": row,
        "related_row": pd.arrays.IntegerArray(of_related, of_related == NONE),
        "source": found["source"].astype(schema.STR),
        _TO: np.searchsorted(task.starts, row, side="right") - 1,
    }
    return found.assign(**coded, **others)


def _ordered(part: pd.DataFrame, task: _Task) -> pd.DataFrame:
    """Return findings in the same form as on one machine: sorted, with their own dtypes."""
    part = part.sort_values(["row", "rule"], ignore_index=True)
    dtypes = findings_schema(task.known)
    coded = {
        name: pd.Categorical.from_codes(part[name], dtype=dtypes[name])
        for name in ("rule", "severity")
    }
    return schema.frame(dtypes, {name: coded.get(name, part[name]) for name in dtypes})
