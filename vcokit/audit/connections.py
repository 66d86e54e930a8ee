"""What the live connections say of the rows that name them: are they there, here, attached.

A connection is known by its id alone, for ids are the cloud's and stand in one region each.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit import schema
from vcokit.audit.codes import I64, NONE, Mask
from vcokit.audit.facts import Facts
from vcokit.audit.names import Names, flat
from vcokit.errors import InputError

#: States that end in being attached, where the connection is one of a transit router.
_ARRIVING: Final = ("attaching", "provisioning", "upgrading", "updating")


class Reach:
    """What the live connections say of every row: is its connection there, here, attached.

    Parameters
    ----------
    facts : Facts
        Of an audit to which connections were given.
    """

    def __init__(self, facts: Facts) -> None:
        if facts.connections is None:
            raise LookupError("no live connections were given")
        self._facts = facts
        self._frame = facts.connections
        self._code = _places(self._text("vpn_connection_id"), facts.ids.words)
        # One place more, False for ever: rows without a connection have the code -1.
        self._size = len(facts.ids) + 1

    def _text(self, name: str) -> Any:
        return flat(schema.text_column(self._frame[name]))

    def _rows_of(self, which: Mask) -> Mask:
        """Tell which rows name one of some connections, given as a mask over their frame."""
        among = np.zeros(self._size, dtype=np.bool_)
        among[self._code[which & (self._code >= 0)]] = True
        return np.asarray(among[self._facts.connection])

    @cached_property
    def known(self) -> Mask:
        """Rows whose connection is there, in whichever region."""
        return self._rows_of(np.ones(len(self._code), dtype=np.bool_))

    @cached_property
    def unknown(self) -> Mask:
        """Rows whose connection is not there."""
        return np.asarray((self._facts.connection >= 0) & ~self.known)

    @cached_property
    def elsewhere(self) -> Mask:
        """Rows with a region in which their connection, which is there, is not."""
        facts, words = self._facts, self._text("region_id")
        theirs = _places(words, facts.regions.words)
        count = len(facts.regions) + 1
        pairs = self._code * count + theirs
        mine = facts.connection.astype(np.int64) * count + facts.region
        here = np.isin(mine, pairs[(self._code >= 0) & (theirs >= 0)])
        # A connection whose region nobody told may be here.
        here |= self._rows_of(pc.is_null(words).to_numpy(zero_copy_only=False))
        return np.asarray(self.known & ~here & (facts.region >= 0))

    @cached_property
    def not_attached(self) -> Mask:
        """Rows whose connection is there, but not attached to a transit router."""
        return np.asarray(self.known & ~self._rows_of(_attached(self._frame)))

    @cached_property
    def arriving(self) -> Mask:
        """Rows whose connection is on its way to a transit router, where its state is told."""
        return self._rows_of(_arriving(self._frame))

    def region(self, rows: I64) -> pd.Series:
        """Return the region of some rows' connections, which are there; NA where nobody told."""
        words = self._text("region_id")
        place = np.full(self._size, len(words), dtype=np.int64)
        place[self._code[::-1]] = np.arange(len(words))[::-1]
        place[NONE] = len(words)
        regions = pd.Series(pa.concat_arrays([words, pa.nulls(1, words.type)]), dtype=schema.STR)
        return pd.Series(regions.array.take(place[self._facts.connection[rows]]))

    @cached_property
    def _names(self) -> Names:
        return Names(self._frame)

    def by_name(self, rows: I64, message: pd.Series) -> tuple[pd.Series, pd.Series | None]:
        """Add to messages whose name the cells of some rows are; suggest the only one's id."""
        if not self._names.any:
            return message, None
        facts = self._facts
        where = facts.text(rows, "region_id"), facts.text(rows, "vpn_connection_id")
        told = self._names.told(*where)
        return message.where(told.isna(), message + "; it is " + told), self._names.ids(*where)

    def unseen(self, rows: I64) -> pd.Series:
        """Say of which rows nobody asked for the region, where the frame tells; else nothing."""
        regions = self._frame.attrs.get("regions")
        if regions is None:
            return pd.Series("", index=range(len(rows)), dtype=schema.STR)
        asked = np.append(np.isin(self._facts.regions.words.to_pylist(), list(regions)), True)
        said = "; region " + self._facts.text(rows, "region_id") + " was not asked for"
        return said.mask(asked[self._facts.region[rows]], "")


def _attached(connections: pd.DataFrame) -> Mask:
    """Tell which live connections are attached to a transit router.

    The column ``attached`` says so, for it is whether the cloud lists the attachment. Where it is
    missing, a connection counts as attached if its type is CEN and it names a transit router, as
    far as the frame has these columns.
    """
    likely = np.ones(len(connections), dtype=np.bool_)
    for name, right in (("attach_type", "CEN"), ("transit_router_id", None)):
        if name in connections.columns:
            text = schema.text_column(connections[name])
            likely &= (text.notna() if right is None else text == right).to_numpy(dtype=np.bool_)
    if "attached" not in connections.columns:
        return likely
    try:
        said = pd.Series(connections["attached"].array).astype(schema.BOOL)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column 'attached' of connections cannot be read as true or false: {error}",
            remedy="Pass what vk.live_connections returned, or leave the column out",
        ) from None
    return np.where(said.isna(), likely, said.fillna(False).to_numpy(dtype=np.bool_))


def _arriving(connections: pd.DataFrame) -> Mask:
    """Tell which live connections will be attached by themselves, by state and type."""
    if "state" not in connections.columns:
        return np.zeros(len(connections), dtype=np.bool_)
    arriving = schema.text_column(connections["state"]).isin(_ARRIVING)
    if "attach_type" in connections.columns:
        arriving &= schema.text_column(connections["attach_type"]) == "CEN"
    return arriving.to_numpy(dtype=np.bool_)


def _places(words: Any, among: Any) -> I64:
    """Return the place of each word among some; -1 where it is not there.

    Parameters
    ----------
    words, among : pyarrow.Array of large_string
        No word twice in `among`, and no null.
    """
    found = pc.fill_null(pc.index_in(words, value_set=among), NONE)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)
