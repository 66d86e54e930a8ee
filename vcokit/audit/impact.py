"""Which addresses two sets of routes forward differently.

The longest prefix that contains an address decides, and of its routes those of the greatest
weight: the routes that win, as in `vcokit.audit.explain`. The answer can change only at an edge,
where a prefix begins or has just ended. So each side is cut into segments with one answer each, the
segments of both sides are compared, and the differences become the fewest possible blocks::

    before    ├───── vco-a ─────┤
    after     ├─ vco-a ─┤├ vco-b ┤├─ vco-b ─┤
    changes              ├ moved ┤├ gained ─┤
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from vcokit import schema
from vcokit.cidr.longest_match import segments
from vcokit.cidr.parse import I64, NONE, U32, U64, Mask, parse, to_text
from vcokit.cidr.relations import GROUP_BITS, is_new, pack
from vcokit.cidr.sets import fewest_prefixes
from vcokit.errors import InputError

#: Kinds of changes of a block, the worst first.
CHANGES: Final = pd.CategoricalDtype(
    ["lost", "standby only", "moved", "active again", "gained"], ordered=True
)
_COLUMNS: Final = ("block", "addresses", "change", "before", "after")
_READ: Final = ("vpn_connection_id", "route_dest", "weight")
_ADDRESS_BITS: Final = np.uint64(32)
#: Bits below the group of a packed prefix.
_GROUP_BITS: Final = np.uint64(GROUP_BITS)
_PREFIX: Final = np.uint64((1 << GROUP_BITS) - 1)
_ONE: Final = np.uint64(1)
#: One past the last address.
_END: Final = np.uint64(1 << 32)
_ACTIVE: Final = 100


class _Ranges(NamedTuple):
    """Ranges of addresses: scope, first and last, the answers before and after (-1: none)."""

    scope: I64
    first: U64
    last: U64
    was: I64
    will: I64


class _Winners(NamedTuple):
    """Routes that win, sorted by destination, then connection.

    All winning routes of a destination have the same weight. ``key`` packs scope, side and prefix.
    Connections are numbered in the order of their names.
    """

    key: U64
    connection: I64
    active: Mask


class _Side(NamedTuple):
    """The destinations of one side of one scope: packed prefixes, ascending, and their answers."""

    keys: U64
    answer: I64


def forwarding_changes(
    before: pd.DataFrame, after: pd.DataFrame, *, scope: str | Sequence[str] = "region_id"
) -> pd.DataFrame:
    """Return the blocks of addresses that two sets of routes forward differently.

    Parameters
    ----------
    before, after : DataFrame
        Inventories or live routes. A row is compared if it has a connection, an IPv4 prefix other
        than 0.0.0.0/0 (host bits are cleared) and the weight 0 or 100.
    scope : str or sequence of str, default "region_id"
        Columns of both frames; routes are compared only if they agree in all of these.

    Returns
    -------
    DataFrame
        One row per block, the worst change first, larger blocks before smaller ones:

        ==============  ==========  ============================================================
        the scope       str         a column for each name in `scope`
        ``block``       str         a prefix; the blocks contain each changed address once
        ``addresses``   int64       number of addresses in the block
        ``change``      category    ``lost``: no route is left; ``standby only``: no active route
                                    is left; ``moved``: other connections; ``active again``: only
                                    standby routes before; ``gained``: no route before
        ``before``      str         connections whose routes win, joined by ``+``, each followed
                                    by ``(standby)`` if its routes are standby; NA if none wins
        ``after``       str         the same, afterwards
        ==============  ==========  ============================================================

        It has no rows if all addresses are forwarded the same.

    Raises
    ------
    InputError
        If a frame lacks a column.

    Examples
    --------
    >>> before = pd.DataFrame({"region_id": "cn-hangzhou", "vpn_connection_id": ["vco-a", "vco-b"],
    ...     "route_dest": "10.0.0.0/8", "weight": [100, 0]})
    >>> after = before.assign(route_dest=["10.0.0.0/9", "10.0.0.0/8"])
    >>> forwarding_changes(before, after)[["block", "addresses", "change", "before", "after"]]
              block  addresses        change before            after
    0  10.128.0.0/9    8388608  standby only  vco-a  vco-b (standby)
    """
    names = [scope] if isinstance(scope, str) else list(dict.fromkeys(scope))
    sides = [
        _routes(routes, names, what) for routes, what in ((before, "before"), (after, "after"))
    ]
    both = pd.concat(sides, keys=[0, 1], names=["side", None]).reset_index("side")
    numbers = list(range(len(names)))  # the user's names could be those of our own columns
    both["scope"] = both.groupby(numbers, sort=True, dropna=False).ngroup()
    scopes = both.drop_duplicates("scope").sort_values("scope")[numbers].set_axis(names, axis=1)
    found, answers = _answers(both, len(scopes))
    return _frame(_changed(found), scopes, answers)


def _routes(routes: pd.DataFrame, names: list[str], what: str) -> pd.DataFrame:
    """Return scope, connection, prefix and weight of the rows that are compared."""
    if not isinstance(routes, pd.DataFrame):
        raise InputError(
            f"{what} is routes as a DataFrame, and got a {type(routes).__name__}",
            remedy="Pass an inventory (vk.read_routes) or live routes (vk.live_routes)",
        )
    schema.require_columns(routes, [*names, *_READ], what=f"{what} (routes)")
    prefixes = parse(schema.text_column(routes["route_dest"]))
    weight = pd.to_numeric(routes["weight"], errors="coerce").to_numpy("float64", na_value=np.nan)
    connection = schema.text_column(routes["vpn_connection_id"])
    forwards = (prefixes.length >= 1) & (prefixes.length <= 32) & connection.notna().to_numpy()
    forwards &= (weight == 0) | (weight == _ACTIVE)
    found = pd.DataFrame(
        {number: schema.text_column(routes[name]).array for number, name in enumerate(names)}
    )
    found = found.assign(connection=connection.array, weight=weight)
    found = found.assign(network=prefixes.network, length=prefixes.length)
    return found[forwards]


def _answers(both: pd.DataFrame, scopes: int) -> tuple[list[_Side], pd.DataFrame]:
    """Return both sides of each scope, one after the other, and a frame with one row per answer.

    An answer consists of the connections whose routes win, and whether these routes are active.
    """
    connection, names = pd.factorize(both["connection"], sort=True)
    key, connection, active = _winners(both, connection)
    starts = np.flatnonzero(is_new(key))
    size = np.diff(starts, append=len(key))
    number = _set_numbers(2 * connection + active, starts, size)
    one = np.flatnonzero(~pd.Series(number).duplicated().to_numpy())  # a destination per answer
    spelt = np.array([[f"{name} (standby)", str(name)] for name in names], dtype=np.object_)
    known = pd.DataFrame({"active": active.take(starts[one])})
    known["text"] = pd.Series(
        [
            " + ".join(spelt[connection[begin : begin + count], int(active[begin])])
            for begin, count in zip(starts[one].tolist(), size[one].tolist(), strict=True)
        ],
        dtype="str",
    )
    keys = key.take(starts)
    edges = np.searchsorted(keys, np.arange(2 * scopes + 1, dtype=np.uint64) << _GROUP_BITS)
    parts = (slice(begin, end) for begin, end in pairwise(edges))
    return [_Side(keys[part] & _PREFIX, number[part]) for part in parts], known


def _winners(both: pd.DataFrame, connection: I64) -> _Winners:
    """Return the routes that win at their destination, once per connection."""
    side = 2 * both["scope"].to_numpy(np.int64) + both["side"].to_numpy(np.int64)
    network, length = both["network"].to_numpy(np.uint32), both["length"].to_numpy(np.uint8)
    active = (both["weight"] == _ACTIVE).to_numpy()
    key = pack(network, length, side)
    order = np.lexsort((connection, ~active, key))
    key, connection, active = key.take(order), connection.take(order), active.take(order)
    starts = np.flatnonzero(is_new(key))
    # Active routes are first: if there is one, standby routes do not win.
    wins = active == np.repeat(active.take(starts), np.diff(starts, append=len(key)))
    wins &= is_new(key) | is_new(connection)
    return _Winners(key[wins], connection[wins], active[wins])


def _set_numbers(members: I64, starts: I64, size: I64) -> I64:
    """Number sets, each a run of sorted members, from 0 in the order of appearance.

    Sets are numbered member by member: two sets stay equal as long as their next members are equal.
    """
    number = members.take(starts)
    for place in range(1, int(size.max(initial=1))):
        longer = np.flatnonzero(size > place)
        pairs = number.take(longer) * (members.max() + 1) + members.take(starts[longer] + place)
        number[longer] = pd.factorize(pairs)[0] + number.max() + 1
    return np.asarray(pd.factorize(number)[0], dtype=np.int64)


def _changed(sides: list[_Side]) -> _Ranges:
    """Return the ranges of addresses whose answers differ between the two sides of a scope."""
    none = np.empty(0, np.int64)
    found = [_Ranges(none, none.astype(np.uint64), none.astype(np.uint64), none, none)]
    for scope, (before, after) in enumerate(zip(sides[::2], sides[1::2], strict=True)):
        (old_starts, old_answer), (new_starts, new_answer) = _cut(before), _cut(after)
        starts = np.sort(np.concatenate([old_starts, new_starts]))
        starts = starts[is_new(starts)]
        was = old_answer.take(np.searchsorted(old_starts, starts, side="right"))
        will = new_answer.take(np.searchsorted(new_starts, starts, side="right"))
        opens = is_new(was) | is_new(will)
        starts, was, will = starts[opens].astype(np.uint64), was[opens], will[opens]
        ends: U64 = np.append(starts[1:], _END)
        differs = was != will
        number = np.full(int(differs.sum()), scope, dtype=np.int64)
        found.append(
            _Ranges(number, starts[differs], ends[differs] - _ONE, was[differs], will[differs])
        )
    return _Ranges(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _cut(side: _Side) -> tuple[U32, I64]:
    """Return the starts of segments, and the answers: before the first start, then per segment."""
    starts, longest = segments(side.keys)
    return starts, np.append(NONE, np.append(side.answer, NONE).take(longest))


def _frame(changed: _Ranges, scopes: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """Return changed ranges as blocks, the worst first, then the largest."""
    scope, first, last, was, will = changed
    high = np.arange(len(first), dtype=np.uint64) << _ADDRESS_BITS
    network, length, place = fewest_prefixes(first | high, last | high)
    was, will, scope = was.take(place), will.take(place), scope.take(place)
    active = np.append(answers["active"].to_numpy(np.bool_), False)
    change = np.select(
        [will < 0, was < 0, active[was] & ~active[will], ~active[was] & active[will]],
        ["lost", "gained", "standby only", "active again"],
        "moved",
    )
    known = scopes.take(scope).reset_index(drop=True)
    label = {name: f"{name} (scope)" for name in scopes if name in _COLUMNS}
    found = known.rename(columns=label).assign(
        block=to_text(network, length).array,
        addresses=np.left_shift(np.int64(1), 32 - length.astype(np.int64)),
        change=pd.Categorical(change, dtype=CHANGES),
        before=answers["text"].reindex(was).array,
        after=answers["text"].reindex(will).array,
    )
    order = np.lexsort((network, scope, length, found["change"].cat.codes))
    return found.iloc[order].reset_index(drop=True)
