"""vcokit's own entries: columns in, columns out."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

import vcokit as vk
from benchmarks.contest import (
    Answer,
    Entry,
    Prepare,
    positions,
    prefixes,
    prefixes_of_file,
)
from benchmarks.given import Given, string_column
from vcokit.cidr import lookup, relations, sets
from vcokit.cidr.parse import Prefixes, parse, to_text


def _parse(given: Given) -> Entry:
    column = given.text
    return Entry(lambda: parse(column), _reads)


def _reads(found: Prefixes) -> Answer:
    packed = found.network.astype(np.int64) << 6 | found.length
    return {"reads": np.where(found.valid, packed, -1)}


def _duplicates(given: Given) -> Entry:
    network, length, pair = given.network, given.length, given.group // 2
    return Entry(lambda: relations.duplicates(network, length, pair), positions)


def _cover_groups(given: Given) -> Entry:
    network, length, group = given.network, given.length, given.group
    return Entry(lambda: relations.closest_cover(network, length, group), positions)


def _cover_global(given: Given) -> Entry:
    network, length = given.network, given.length
    return Entry(lambda: relations.closest_cover(network, length), positions)


def _table(given: Given) -> Entry:
    network, length, addresses = given.network, given.length, given.addresses
    return Entry(
        lambda: lookup.Table(network, length), lambda table: positions(table.find(addresses))
    )


def _lookup(given: Given) -> Entry:
    table, addresses = _filled(given), given.addresses
    return Entry(lambda: table.find(addresses), positions)


def _lookup_text(given: Given) -> Entry:
    table, texts = _filled(given), given.address_text
    return Entry(lambda: table.find(lookup.addresses(texts)[0]), positions)


def _filled(given: Given) -> lookup.Table:
    """Return a table that has been asked once: what it builds at first sight is built."""
    table = lookup.Table(given.network, given.length)
    table.find(given.addresses)
    return table


def _member(given: Given) -> Entry:
    column, texts = given.text, given.address_text

    def ask() -> Any:
        found = parse(column)
        return lookup.Table(found.network, found.length).find(lookup.addresses(texts)[0]) >= 0

    return Entry(ask, lambda found: {"is in": np.asarray(found)})


def _aggregate(given: Given) -> Entry:
    network, length = given.network, given.length
    return Entry(lambda: sets.aggregate(network, length), lambda found: prefixes(*found[:2]))


def _blocks(given: Given) -> Entry:
    source, target = given.list, given.folder / "blocks-vcokit.txt"
    head = pa.csv.ReadOptions(column_names=["route_dest"])
    as_text = pa.csv.ConvertOptions(column_types={"route_dest": pa.large_string()})
    plain = pa.csv.WriteOptions(include_header=False, quoting_style="none")

    def merge() -> Any:
        table = pa.csv.read_csv(source, read_options=head, convert_options=as_text)
        found = parse(string_column(table.column(0)))
        network, length = sets.aggregate(found.network, found.length)[:2]
        blocks = pa.table([pa.array(to_text(network, length))], names=["block"])
        pa.csv.write_csv(blocks, target, plain)

    return Entry(merge, lambda _: prefixes_of_file(target))


def _findings(given: Given) -> Entry:
    path = given.csv

    def look() -> tuple[Any, Any]:
        routes = vk.read_routes(path)
        return routes, vk.audit_routes(routes)

    return Entry(look, _findings_answer)


def _findings_answer(found: tuple[Any, Any]) -> Answer:
    routes, findings = found
    return {
        "rows": np.array(len(routes)),
        "letters of destinations": np.array(int(routes["route_dest"].str.len().sum())),
        "duplicates": np.array(int((findings["rule"] == "duplicate").sum())),
    }


ENTRIES: Final[dict[str, Prepare]] = {
    "parse": _parse,
    "parse-dirty": _parse,
    "duplicates": _duplicates,
    "cover-groups": _cover_groups,
    "cover-global": _cover_global,
    "table": _table,
    "lookup": _lookup,
    "lookup-text": _lookup_text,
    "member": _member,
    "aggregate": _aggregate,
    "blocks": _blocks,
    "findings": _findings,
}
