"""Questions that reads and dry runs answer; nothing here changes anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, Final

from vcokit.cloud.operations import OPERATIONS, TYPES
from vcokit.contract import ATTACHED, CONTRACT
from vcokit.probing.asking import BUSY_STATE, CREATE, LIST, LOOK, PASSED, Asker, Heard
from vcokit.probing.questions import Probe, Seen
from vcokit.quotas import live_quota

_STATES: Final = CONTRACT["states"]
#: Fields with a fixed set of values, and these values.
_VALUES: Final[Mapping[str, frozenset[Any]]] = {
    "State": frozenset(
        {
            *_STATES["idle"].values(),
            *_STATES["passing"],
            _STATES["busy"],
            _STATES["locked"],
            "published",
            "Active",
        }
    ),
    "Status": frozenset(_STATES["status"]),
    "Weight": frozenset({0, 100}),
    "AttachType": frozenset(_STATES["idle"]),
    "RouteEntryType": frozenset({"custom", "bgp"}),
    "Source": frozenset({"CLOUD", "VPN_BGP"}),
}
#: Objects in which fields of these names mean something else: health checks, BGP.
_OTHERS: Final = re.compile(r"VcoHealthCheck|Bgp|Ike|Ipsec")
#: Number of reads of a listing to check whether it is stable.
_LISTINGS: Final = 3
#: Number of times a dry run is repeated while a task is running.
_DRY_RUNS: Final = 20


# -- reads ----------------------------------------------------------------------------------------


def look(asker: Asker, probe: Probe) -> list[Mapping[str, Any]]:
    """Answer all questions for reads; return the routes of the connection."""
    answers = dict(_answers(asker))
    took = []
    for _ in range(_LISTINGS):
        began = asker.now
        asker.ask("DescribeRegions")
        took.append((asker.now - began) / asker.client.speed)
    ids = [one.request_id for one in answers.values()]
    probe.note("endpoint", "a simulator" if asker.client.simulated else "the cloud", *ids[:1])
    skew = asker.client.skew
    # An answer's date has whole seconds: a difference below two seconds is not significant.
    probe.note("clock_skew", 0 if skew is None or abs(skew) < 2 else round(skew), *ids[:1])
    probe.note("round_trip", round(median(took) * 1000, 1), *ids[:1])
    _note_fields(answers, probe)
    return _note_listings(asker, probe)


def _answers(asker: Asker) -> Iterator[tuple[str, Heard]]:
    """Yield the answer of each reading operation."""
    yield "DescribeRegions", asker.ask("DescribeRegions", AcceptLanguage="en-US")
    for name in ("DescribeVpnConnections", "DescribeVpnAttachments"):
        yield name, asker.ask(name, PageSize=50)
    if asker.connection:
        for name in (LOOK, LIST):
            yield name, asker.ask(name, VpnConnectionId=asker.connection)


def _note_fields(answers: Mapping[str, Heard], probe: Probe) -> None:
    wrong, unknown, values, absent = [], set(), set(), []
    for name, heard in answers.items():
        if not heard.accepted:
            wrong.append(f"{name}: {heard.code}")
            continue
        known = OPERATIONS[name].answers
        there = set()
        for path, value in _paths(heard.data):
            there.add(path)
            if path not in known:
                unknown.add(f"{name}: {path}")
                continue
            last = path.rpartition(".")[2]
            allowed = _VALUES.get(last)
            if allowed and value not in ("", None, *allowed) and not _OTHERS.search(path):
                values.add(f"{name}: {last} {value!s:.40}")
            if value is not None and not isinstance(value, TYPES[known[path]]):
                wrong.append(f"{name}: {path}")
        rows = OPERATIONS[name].rows
        if rows and heard.data.get("TotalCount", 1):
            columns = {f"{'.'.join(rows)}[].{path}" for path in OPERATIONS[name].columns}
            absent += [f"{name}: {path}" for path in sorted(columns - there)]
    ids = [heard.request_id for heard in answers.values()]
    probe.note("unknown_fields", sorted(unknown), *ids)
    probe.note("wrong_answers", sorted(wrong), *ids)
    probe.note("unknown_values", sorted(values), *ids)
    probe.note("absent_fields", absent, *ids)


def _paths(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path, in the notation of the contract, and the value of each field."""
    for name, inner in value.items():
        path = before + name
        yield path, inner
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, dict):
                yield from _paths(one, f"{path}{'[]' * isinstance(inner, list)}.")
            elif isinstance(inner, list):
                yield f"{path}[]", one


def _note_listings(asker: Asker, probe: Probe) -> list[Mapping[str, Any]]:
    if not asker.connection:
        return []
    rows: list[Mapping[str, Any]] = []
    orders, ids = [], []
    for number in range(_LISTINGS):
        if number:
            asker.sleep(asker.step)
        heard, rows = asker.listing()
        ids.append(heard.request_id)
        if not heard.accepted:
            probe.seen["listing_order"] = Seen(why=f"The listing was answered {heard.code}.")
            return []
        orders.append([(row.get("RouteDest"), row.get("NextHop")) for row in rows])
    stable = all(order == orders[0] for order in orders)
    probe.note("listing_order", "stable" if stable else "changing", *ids)
    weights = {row.get("Weight") for row in rows}
    if weights == {None}:
        probe.note("listing_weight", "missing", *ids)
    elif 0 in weights:
        probe.note("listing_weight", "shown", *ids)
    else:
        why = "No route is listed with weight 0; writes in the sandbox tell."
        probe.seen["listing_weight"] = Seen(why=why)
    return rows


def ask_quota(asker: Asker, probe: Probe) -> int | None:
    """Read the Quota Center; return how many routes the connection may have."""
    quotas = live_quota(asker.client)
    probe.notes += quotas.notes
    if quotas.routes is None:
        probe.seen["quota"] = Seen(why="The Quota Center does not report it.")
    else:
        probe.note("quota", quotas.routes)
    return quotas.routes


# -- dry runs -------------------------------------------------------------------------------------


class DryRunIgnoredError(Exception):
    """The cloud executed a dry run as a create: no more dry runs may be sent."""


def dry_run(asker: Asker, network: str, weight: int = 100, **more: object) -> Heard:
    """Make a dry run of a create; repeat it while a task runs.

    Raises
    ------
    DryRunIgnoredError
        If the cloud executed it instead.
    """
    for _ in range(_DRY_RUNS):
        heard = asker.write(CREATE, network, weight, DryRun=True, **more)
        if heard.accepted:
            raise DryRunIgnoredError(heard.request_id)
        if not (heard.is_busy or heard.is_throttled):
            break
        asker.sleep(max(asker.step, heard.wait or 0.0))
    return heard


def ask_dry_runs(
    asker: Asker,
    probe: Probe,
    free: str,
    rows: list[Mapping[str, Any]],
    quota: int | None,
) -> None:
    """Make dry runs of a valid create in a free network, and of each kind of doubtful create."""
    good = dry_run(asker, free)
    writable = asker.state() in (None, ATTACHED, BUSY_STATE)
    name = "dry_run" if writable else "not_attached"
    if name == "not_attached":
        probe.seen["dry_run"] = Seen(why="The connection is not attached.")
    probe.note(name, good.code, good.request_id)
    full = quota is not None and len(rows) >= quota
    if full:
        probe.note("beyond_quota", good.code, good.request_id)
    elif quota is not None:
        probe.seen["beyond_quota"] = Seen(why=f"{len(rows)} of {quota} routes are there.")
    if name == "not_attached" or not (good.code == PASSED or full):
        return  # every other answer would be the same
    start = free.rpartition(".")[0]
    doubtful: dict[str, dict[str, Any]] = {
        "host_bits": {"network": f"{start}.1/24"},
        "ipv6": {"network": "2001:db8::/32"},
        "default_route": {"network": "0.0.0.0/0"},
        "other_next_hop": {"network": free, "NextHop": _another(asker)},
        "shared_space": {"network": "100.64.0.0/24"},
    }
    for question, parts in doubtful.items():
        heard = dry_run(asker, **parts)
        probe.note(question, heard.code, heard.request_id)
    ask_repeats(asker, probe, rows)


def ask_repeats(asker: Asker, probe: Probe, rows: list[Mapping[str, Any]]) -> None:
    """Make dry runs of an existing route, and of the same route with the other weight."""
    known = [row for row in rows if row.get("RouteDest") and row.get("Weight") in (0, 100)]
    # If all listed weights are 100, that may be a constant, and no weight is known.
    if known and probe.value("listing_weight") == "shown":
        repeat_of(asker, probe, str(known[0]["RouteDest"]), int(known[0]["Weight"]))
        return
    why = "No route is listed whose weight is known for sure; writes in the sandbox tell."
    for question in ("repeat", "other_weight"):
        probe.seen[question] = Seen(why=why)


def repeat_of(asker: Asker, probe: Probe, network: str, weight: int) -> None:
    """Make both dry runs for a route whose weight is known."""
    for question, other in (("repeat", weight), ("other_weight", 100 - weight)):
        heard = dry_run(asker, network, other)
        probe.note(question, heard.code, heard.request_id)


def _another(asker: Asker) -> str:
    """Return a different connection id that most probably does not exist."""
    last = "0" if asker.connection[-1] != "0" else "1"
    return asker.connection[:-1] + last


def note_ignored(probe: Probe, network: str, request_id: str) -> None:
    """Record that a dry run created a route."""
    probe.note("dry_run", "accepted as a create", request_id)
    probe.notes.append(f"A dry run was answered as a create: look whether {network} is there now.")
