"""pytricia, a Patricia trie in C: https://github.com/jsommers/pytricia.

Rows are inserted from last to first, so that the first of equal prefixes is what a trie keeps.
The forms below measured best: text keys to build and to ask for parents, integers to look up,
and tries frozen once they are full, where freezing is not part of what is timed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pytricia

from benchmarks.contest import Answer, Entry, Prepare, positions
from benchmarks.given import Given


def _keys(given: Given) -> list[str]:
    return given.list.read_text("ascii").splitlines()


def _trie(keys: list[str]) -> pytricia.PyTricia:
    trie = pytricia.PyTricia(32)
    for row in range(len(keys) - 1, -1, -1):
        trie[keys[row]] = row
    return trie


def _duplicates(given: Given) -> Entry:
    keys, groups = _keys(given), (given.group // 2).tolist()

    def ask() -> list[int]:
        tries: dict[int, pytricia.PyTricia] = {}
        found = []
        for row, (key, group) in enumerate(zip(keys, groups, strict=True)):
            if (trie := tries.get(group)) is None:
                trie = tries[group] = pytricia.PyTricia(32)
            if trie.has_key(key):  # `in` would tell of longest matches too
                found.append(trie[key])
            else:
                trie[key] = row
                found.append(-1)
        return found

    return Entry(ask, positions)


def _cover_groups(given: Given) -> Entry:
    keys, groups = _keys(given), given.group.tolist()

    def ask() -> list[int]:
        tries: dict[int, pytricia.PyTricia] = {}
        for row in range(len(keys) - 1, -1, -1):
            if (trie := tries.get(groups[row])) is None:
                trie = tries[groups[row]] = pytricia.PyTricia(32)
            trie[keys[row]] = row
        found = []
        for key, group in zip(keys, groups, strict=True):
            trie = tries[group]
            parent = trie.parent(key)
            found.append(-1 if parent is None else trie[parent])
        return found

    return Entry(ask, positions)


def _cover_global(given: Given) -> Entry:
    keys = _keys(given)

    def ask() -> list[int]:
        trie = _trie(keys)
        parents = map(trie.parent, keys)
        return [-1 if parent is None else trie[parent] for parent in parents]

    return Entry(ask, positions)


def _table(given: Given) -> Entry:
    keys, addresses = _keys(given), given.addresses.tolist()
    return Entry(lambda: _trie(keys), lambda trie: positions(_find(trie, addresses)))


def _find(trie: pytricia.PyTricia, addresses: list[int] | list[str]) -> list[int]:
    get = trie.get
    return [get(address, -1) for address in addresses]


def _lookup(given: Given) -> Entry:
    trie, addresses = _trie(_keys(given)), given.addresses.tolist()
    trie.freeze()
    return Entry(lambda: _find(trie, addresses), positions)


def _lookup_text(given: Given) -> Entry:
    trie, addresses = _trie(_keys(given)), given.address_text.tolist()
    trie.freeze()
    return Entry(lambda: _find(trie, addresses), positions)


def _member(given: Given) -> Entry:
    keys, addresses = _keys(given), given.address_text.tolist()

    def ask() -> list[bool]:
        trie = _trie(keys)
        return [address in trie for address in addresses]

    return Entry(ask, _is_in)


def _is_in(found: list[bool]) -> Answer:
    return {"is in": np.array(found)}


ENTRIES: Final[dict[str, Prepare]] = {
    "duplicates": _duplicates,
    "cover-groups": _cover_groups,
    "cover-global": _cover_global,
    "table": _table,
    "lookup": _lookup,
    "lookup-text": _lookup_text,
    "member": _member,
}
