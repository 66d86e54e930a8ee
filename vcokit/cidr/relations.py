"""Which prefix holds which: relations between prefixes of a column, within groups.

Prefixes nest or are disjoint. Sorted by (group, start, shorter first), every prefix stands behind
those that hold it, so that relations are running maxima over one sorted order::

    10.0.0.0/8   ├──────────────────────────────┤   level 0
    10.1.0.0/16    ├────────┤                       level 1
    10.1.2.0/24       ├─┤                           level 2: peeled last
    10.9.0.0/16                   ├───────┤         level 1
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vcokit.cidr.parse import I64, MASKS, U8, U32, Mask

#: Bits of a packed key: group above 38, network above 6, length below.
_LENGTH_BITS: Final = 6
_NETWORK_BITS: Final = 32
#: Groups that fit a packed key.
MAX_GROUPS: Final = 1 << (64 - _NETWORK_BITS - _LENGTH_BITS)

NONE: Final = -1


def pack(network: U32, length: U8, group: I64 | None = None) -> npt.NDArray[np.uint64]:
    """Pack (group, network, length) into one sortable number a prefix.

    Parameters
    ----------
    network : ndarray of uint32
    length : ndarray of uint8
        0-32.
    group : ndarray of int64, optional
        From 0, below `MAX_GROUPS`.

    Returns
    -------
    ndarray of uint64

    Examples
    --------
    >>> a, b = pack(np.array([0, 0], np.uint32), np.array([0, 8], np.uint8))
    >>> bool(a < b)
    True
    """
    key = (network.astype(np.uint64) << np.uint64(_LENGTH_BITS)) | length
    if group is None:
        return np.asarray(key)
    shift = np.uint64(_NETWORK_BITS + _LENGTH_BITS)
    return np.asarray(key | (group.astype(np.uint64) << shift))


def touches(network: U32, length: U8, other: int, other_length: int) -> Mask:
    """Tell which prefixes share an address with one prefix: hold it, or lie in it.

    Examples
    --------
    >>> touches(np.array([0x0A000000, 0], np.uint32), np.array([8, 0], np.uint8), 0x0A010000, 16)
    array([ True,  True])
    """
    mask = MASKS[np.minimum(length, other_length)]
    return np.asarray(((network ^ np.uint32(other)) & mask) == 0)


def closest_cover(network: U32, length: U8, group: I64 | None = None) -> I64:
    """Return the position of the closest shorter prefix of the group that holds each prefix.

    Parameters
    ----------
    network : ndarray of uint32
        Host bits cleared.
    length : ndarray of uint8
        0-32.
    group : ndarray of int64, optional
        Only prefixes of one group are looked at together.

    Returns
    -------
    ndarray of int64
        Position of the first row that holds the covering prefix; -1 where none does.

    Notes
    -----
    Levels of nesting are peeled one by one. What no earlier prefix reaches is a root; each of the
    rest lies in the last root before it; then the rest is peeled in the same way, at most 33
    times. Nothing depends on how the prefixes are spread over the groups.

    Examples
    --------
    >>> nets = np.array([0x0A000000, 0x0A010000, 0x0A010200], np.uint32)
    >>> closest_cover(nets, np.array([8, 16, 24], np.uint8)).tolist()
    [-1, 0, 1]
    """
    result = np.full(len(network), NONE, dtype=np.int64)
    if len(network) == 0:
        return result
    key = pack(network, length, group)
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    is_first = np.concatenate([[True], sorted_key[1:] != sorted_key[:-1]])
    representative = order[is_first]
    covers = closest_cover_sorted(sorted_key[is_first])
    found = np.where(covers >= 0, representative[covers], NONE)
    result[order] = found[np.cumsum(is_first) - 1]
    return result


def closest_cover_sorted(key: npt.NDArray[np.uint64]) -> I64:
    """Return the closest cover of each of sorted, distinct packed keys; see `closest_cover`.

    Parameters
    ----------
    key : ndarray of uint64
        From `pack`, ascending, none twice.

    Returns
    -------
    ndarray of int64
        Position among the keys; -1 where none holds it.
    """
    bits = (key & np.uint64((1 << _LENGTH_BITS) - 1)).astype(np.uint8)
    start = key >> np.uint64(_LENGTH_BITS)
    end = start | (~MASKS[bits]).astype(np.uint64)
    cover = np.full(len(key), NONE, dtype=np.int64)
    rest = np.arange(len(key))
    parents = np.zeros(0, dtype=np.int64)
    while len(rest):
        reach = np.maximum.accumulate(end[rest])
        is_root = np.concatenate([[True], start[rest[1:]] > reach[:-1]])
        if len(parents):
            cover[rest] = parents[np.searchsorted(parents, rest) - 1]
        parents, rest = rest[is_root], rest[~is_root]
    return cover
