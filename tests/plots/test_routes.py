"""Pictures of routes and findings show the figures of their frame."""

from __future__ import annotations

import ipaddress
import random

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from tests.plots.frames import A, B, C, findings, routes
from vcokit import plots
from vcokit.errors import InputError
from vcokit.palette import GROUPS, REST, SEVERITIES, STATES, WEIGHTS


@pytest.fixture
def ax():
    """Axes on a figure of their own, wide enough for a title in one line."""
    return Figure(figsize=(16, 6)).subplots()


def bars(ax, colour: str) -> dict[str, float]:
    """Return the length of each bar of a colour, by the name of its row."""
    names = {
        place: label.get_text()
        for place, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    }
    mine = [p for p in ax.patches if to_hex(p.get_facecolor()) == colour.lower()]
    return {names[round(p.get_y() + p.get_height() / 2)]: p.get_width() for p in mine}


def notes(ax) -> list[str]:
    """Return the texts beside the data."""
    return [text.get_text() for text in ax.texts]


# -- weight_distribution ------------------------------------------------------------------------

MIXED = (
    (A, "10.0.0.0/8", 100),
    (A, "11.0.0.0/8", 100),
    (A, "11.128.0.0/9", 100),
    (A, "12.0.0.0/8", 0),
    (B, "10.0.0.0/8", 0),
    (B, "13.0.0.0/8", 50),
)


def test_weight_distribution_counts_routes(ax) -> None:
    """A bar a connection: active to the right, standby to the left, most routes first."""
    plots.weight_distribution(routes(*MIXED), ax)
    assert bars(ax, WEIGHTS["active"]) == {A: 3, B: 0}
    assert bars(ax, WEIGHTS["standby"]) == {A: -1, B: -1}
    assert [label.get_text() for label in ax.get_yticklabels()] == [A, B]
    assert ax.get_xlabel() == "routes"
    assert ax.get_title("left") == (
        "3 active and 2 standby routes on 2 connections; 33 % of active destinations have a standby"
    )


def test_weight_distribution_columns(ax) -> None:
    """Beside the bars stand the active addresses, each once, and the share with a standby."""
    plots.weight_distribution(routes(*MIXED), ax)
    assert notes(ax) == ["33.6 M", "0", "active\naddresses", "33 %", "–", "with a\nstandby"]


def test_weight_distribution_of_addresses(ax) -> None:
    """Bars of addresses count what several routes of a connection hold once."""
    plots.weight_distribution(routes(*MIXED), ax, measure="addresses")
    assert bars(ax, WEIGHTS["active"]) == {A: 2 * 2**24, B: 0}
    assert bars(ax, WEIGHTS["standby"]) == {A: -(2**24), B: -(2**24)}
    assert "addresses" in ax.get_xlabel()
    with pytest.raises(InputError, match="no such measure"):
        plots.weight_distribution(routes(*MIXED), ax, measure="bytes")


def test_a_standby_backs_another_connection_of_its_region(ax) -> None:
    """A standby on the same connection, or in another region, does not back a destination."""
    frame = routes(
        (A, "10.0.0.0/8", 100, "x"),
        (A, "10.0.0.0/8", 0, "x"),
        (B, "10.0.0.0/8", 0, "y"),
        (A, "11.0.0.0/8", 100, "x"),
        (A, "11.0.0.0/8", 0, "x"),
        (C, "11.0.0.0/8", 0, "x"),
    )
    plots.weight_distribution(frame, ax)
    assert "; 50 % of active destinations" in ax.get_title("left")


def test_rows_without_a_valid_connection_stand_apart(ax) -> None:
    """Ids that are none of a connection, and missing ones, are counted in the title only."""
    frame = routes((A, "10.0.0.0/16", 100), ("vpn-1", "10.1.0.0/16", 100), (None, "10.2.0.0/16", 0))
    plots.weight_distribution(frame, ax)
    said = ax.get_title("left").replace("\n", " ")
    assert "1 active and 0 standby routes on 1 connection (2 rows without a valid one)" in said
    assert [label.get_text() for label in ax.get_yticklabels()] == [A]


def test_thousands_of_connections_stay_readable(ax) -> None:
    """Only the top connections have a bar; the others are summed up in words."""
    many = [(f"vco-{n:04}", f"10.{n % 256}.{n // 256}.0/24", 100) for n in range(2000)]
    extra = [("vco-0007", "9.0.0.0/8", 0), ("vco-0007", "8.0.0.0/8", 0)]
    plots.weight_distribution(routes(*many, *extra), ax, top=5)
    shown = bars(ax, WEIGHTS["standby"])
    assert len(shown) == 5
    assert shown["vco-0007"] == -2
    assert ax.get_yticklabels()[5].get_text() == "1,995 others, together"
    assert {"1,995 active", "0 standby"} <= set(notes(ax))


# -- prefix_lengths -----------------------------------------------------------------------------


def test_prefix_lengths(ax) -> None:
    """A bar a length, stacked by weight, its number above; addresses are counted once."""
    frame = routes(*MIXED, (A, "nowhere", 100), (A, "0.0.0.0/0", 100), (B, "10.0.0.5/8", 100))
    plots.prefix_lengths(frame, ax)
    by_colour = {}
    for patch in ax.patches:
        if patch.get_height():
            place = patch.get_x() + patch.get_width() / 2
            by_colour[to_hex(patch.get_facecolor()), round(place)] = (
                patch.get_y(),
                patch.get_height(),
            )
    active, standby, other = WEIGHTS["active"], WEIGHTS["standby"], STATES["blocked"]
    assert by_colour == {
        (active.lower(), 8): (0, 3),
        (active.lower(), 9): (0, 1),
        (standby.lower(), 8): (3, 2),
        (other.lower(), 8): (5, 1),
    }
    assert notes(ax) == ["6", "1"]
    assert ax.get_title("left") == (
        "7 routes to 67.1 M addresses: 86 % are /8, 100 % of the addresses are in a /8; "
        "2 rows left out"
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("prefix length, bits", "routes")


# -- address_map --------------------------------------------------------------------------------


def cell_of(address: str, zoom: str, side: int) -> tuple[int, int]:
    """Return row and column of an address on the map, by the textbook's walk."""
    from tests.plots.test_hilbert import textbook

    net = ipaddress.ip_network(zoom)
    step = int(ipaddress.ip_address(address)) - int(net.network_address)
    x, y = textbook(side.bit_length() - 1, step * side * side // net.num_addresses)
    return y, x


def colours_of(ax) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour and the opacity of each cell."""
    image = np.asarray(ax.images[0].get_array())
    return image[..., :3], image[..., 3]


def test_address_map_colours_who_wins(ax) -> None:
    """A cell has the colour of the connection that the longest prefix gives it to."""
    frame = routes((A, "10.0.0.0/9", 100), (B, "10.64.0.0/16", 100), (C, "10.64.3.0/24", 100))
    plots.address_map(frame, ax, zoom="10.0.0.0/8")
    colour, opacity = colours_of(ax)
    for address, expected in (
        ("10.1.2.3", GROUPS[0]),
        ("10.64.2.1", GROUPS[1]),
        ("10.64.3.1", GROUPS[2]),
    ):
        assert tuple(colour[cell_of(address, "10.0.0.0/8", 256)]) == to_rgb(expected)
    assert opacity[cell_of("10.200.0.0", "10.0.0.0/8", 256)] == 0
    assert opacity[cell_of("10.1.0.0", "10.0.0.0/8", 256)] == 1
    assert (opacity > 0).sum() == 256 * 256 // 2
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [
        "vco-a: 8.32 M",
        "vco-b: 65.3 k",
        "vco-c: 256",
        "nested: the longest prefix decides",
    ]


def test_address_map_equals_a_plain_reading(ax) -> None:
    """On random routes each cell has the winner of most of its addresses, one by one."""
    rng = random.Random(5)
    rows = []
    for _ in range(60):
        length = rng.randint(18, 30)
        network = (10 << 24 | rng.getrandbits(14)) & ~((1 << (32 - length)) - 1)
        name = rng.choice([A, B, C, "vco-d", "vco-e", "vco-f", "vco-g", "vco-h"])
        rows.append((name, f"{ipaddress.ip_address(network)}/{length}", rng.choice([0, 100])))
    rows.sort(key=lambda row: -row[2])
    zoom, size, cell = "10.0.0.0/20", 1 << 12, 1
    plots.address_map(routes(*rows), ax, zoom=zoom)
    colour, opacity = colours_of(ax)
    winners = []
    for offset in range(size):
        address = ipaddress.ip_address((10 << 24) + offset)
        holding = [row for row in rows if address in ipaddress.ip_network(row[1])]
        best = max(holding, key=lambda row: int(row[1].split("/")[1]), default=None)
        winners.append(None if best is None else best[0])
    held = pd.Series(winners).value_counts()
    ranked = sorted(held.index, key=lambda n: (-held[n], [r[0] for r in rows].index(n)))
    palette = {name: (*GROUPS, REST, REST)[place] for place, name in enumerate(ranked)}
    assert colour.shape == (64, 64, 3)
    for offset in range(0, size, cell):
        address = str(ipaddress.ip_address((10 << 24) + offset))
        place = cell_of(address, zoom, 64)
        assert (opacity[place] > 0) == (winners[offset] is not None)
        if winners[offset] is not None:
            assert tuple(colour[place]) == to_rgb(palette[winners[offset]]), address


def test_address_map_outlines_what_nests(ax) -> None:
    """Lines run around a route that lies in a shorter one of its region, and nowhere else."""
    nested = routes((A, "10.0.0.0/8", 100), (B, "10.64.0.0/10", 100))
    plots.address_map(nested, ax)
    lines = next(c for c in ax.collections if c.get_label() == "nested").get_segments()
    assert sum(abs(b - a).sum() for a, b in lines) == 4 * 128
    assert "; 25 % nest" in ax.get_title("left")
    other = Figure(figsize=(16, 6)).subplots()
    apart = nested.assign(region_id=["x", "y"])
    plots.address_map(apart, other)
    assert not next(c for c in other.collections if c.get_label() == "nested").get_segments()
    assert other.get_title("left").endswith("; none nest")


def test_address_map_of_active_before_standby(ax) -> None:
    """Of the routes of one destination the active one is shown, wherever it stands."""
    plots.address_map(routes((B, "10.0.0.0/8", 0), (A, "10.0.0.0/8", 100)), ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["vco-a: 16.8 M"]


@pytest.mark.parametrize(
    ("zoom", "side", "cell"),
    [
        ("10.0.0.0/8", 256, "/24, 256 addresses"),
        ("10.0.0.0/9", 128, "/23"),
        ("10.0.0.7/32", 1, "1 address;"),
    ],
)
def test_address_map_zooms(ax, zoom: str, side: int, cell: str) -> None:
    """Any prefix can be shown: the axis says how large a cell is."""
    plots.address_map(routes((A, "10.0.0.0/8", 100)), ax, zoom=zoom)
    shape = ax.images[0].get_array().shape
    assert shape[0] == shape[1]
    assert f"{zoom} are routed (100 %)" in ax.get_title("left")
    if zoom != "10.0.0.0/9":
        assert shape[0] == side
        assert cell in ax.get_xlabel()


def test_address_map_shows_all_by_default(ax) -> None:
    """Without zoom the longest prefix that holds all routes is shown, by any column."""
    frame = routes((A, "10.0.0.0/16", 100, "east"), (B, "10.1.0.0/16", 100, "west"))
    plots.address_map(frame, ax, by="region_id", top=1)
    assert "of 10.0.0.0/15 are routed" in ax.get_title("left")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["east: 65.5 k", "1 other: 65.5 k"]
    assert tuple(colours_of(ax)[0][-1, -1]) in {to_rgb(REST), to_rgb(GROUPS[0])}


# -- nesting_tree -------------------------------------------------------------------------------

NESTED = (
    (A, "10.0.0.0/8", 100),
    (B, "10.1.0.0/16", 100),
    (C, "10.1.0.0/16", 0),
    (B, "10.1.2.0/24", 0),
    (A, "10.1.2.128/25", 100),
    (A, "10.9.0.0/16", 100),
    (A, "11.0.0.0/8", 100),
)


def ties(ax) -> set[tuple]:
    """Return the level lines of a tree: (length above, length below, row)."""
    lines = ax.collections[0].get_segments()
    return {(a[0], b[0], a[1]) for a, b in lines if a[1] == b[1]}


def test_nesting_tree(ax) -> None:
    """A row a destination in or around the prefix, tied to the closest one that holds it."""
    plots.nesting_tree(routes(*NESTED), "10.1.0.0/16", ax)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25"]
    assert ties(ax) == {(8, 16, 1), (16, 24, 2), (24, 25, 3)}
    assert notes(ax) == [
        "vco-a active",
        "vco-b active, vco-c standby",
        "vco-b standby",
        "vco-a active",
    ]
    title = "10.1.0.0/16 is a destination; 1 holds it, 2 lie in it, 2 deep"
    assert ax.get_title("left") == title
    bold = [label.get_text() for label in ax.get_yticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["10.1.0.0/16"]


def test_nesting_tree_marks_by_weight(ax) -> None:
    """A mark has the colour of its weight, with a ring where a standby stands by."""
    plots.nesting_tree(routes(*NESTED), "10.1.0.0/16", ax)
    marks = {}
    for marked in ax.collections[1:]:
        for x, y in marked.get_offsets():
            look = to_hex(marked.get_facecolor()[0]), to_hex(marked.get_edgecolor()[0])
            marks[x, y] = look
    active, standby = WEIGHTS["active"].lower(), WEIGHTS["standby"].lower()
    assert marks == {
        (8, 0): (active, active),
        (16, 1): (active, standby),
        (24, 2): (standby, standby),
        (25, 3): (active, active),
    }


def test_nesting_tree_of_what_is_no_route(ax) -> None:
    """An address or prefix that is not a destination has its own row all the same."""
    plots.nesting_tree(routes(*NESTED), "10.1.2.200", ax)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "10.1.2.200/32"]
    assert ax.get_title("left").startswith("10.1.2.200/32 is not a destination itself; 4 hold it")
    with pytest.raises(ValueError, match="host bits"):
        plots.nesting_tree(routes(*NESTED), "10.1.2.3/8", ax)


def test_nesting_tree_counts_what_it_does_not_show(ax) -> None:
    """Outer destinations come first; what lies in them and has no row is counted."""
    inner = [(A, f"10.{n}.{m}.0/24", 100) for n in range(8) for m in range(20)]
    outer = [(A, f"10.{n}.0.0/16", 100) for n in range(8)]
    rows = [(B, "10.0.0.0/8", 100), *outer, *inner]
    plots.nesting_tree(routes(*rows), "10.0.0.0/8", ax, top=9)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["10.0.0.0/8", *(f"10.{n}.0.0/16" for n in range(8))]
    assert notes(ax)[:9] == ["", *["+ 20"] * 8]


def test_nesting_tree_names_one_of_many(ax) -> None:
    """Where a destination has more than two connections, one is named and the others counted."""
    rows = [(f"vco-{n:04}", "10.0.0.0/8", 100) for n in range(1500)]
    plots.nesting_tree(routes((C, "10.0.0.0/8", 0), *rows), "10.0.0.0/8", ax)
    assert notes(ax) == ["vco-0000 active, 1,500 more"]


# -- findings_by_rule ---------------------------------------------------------------------------


def test_findings_by_rule(ax) -> None:
    """A bar a rule, stacked by severity in its colour, the worst first, its number beside it."""
    frame = findings(
        (0, "covered", "info"),
        (1, "covered", "info"),
        (1, "duplicate", "error"),
        (2, "quota-exceeded", "error"),
        (3, "quota-exceeded", "error"),
        (4, "quota-exceeded", "warning"),
    )
    plots.findings_by_rule(frame, ax)
    assert bars(ax, SEVERITIES["error"]) == {"quota-exceeded": 2, "duplicate": 1, "covered": 0}
    assert bars(ax, SEVERITIES["warning"]) == {"quota-exceeded": 1, "duplicate": 0, "covered": 0}
    assert bars(ax, SEVERITIES["info"]) == {"quota-exceeded": 0, "duplicate": 0, "covered": 2}
    assert list(bars(ax, SEVERITIES["error"])) == ["quota-exceeded", "duplicate", "covered"]
    assert notes(ax) == ["3", "1", "2"]
    warning = next(
        p for p in ax.patches if to_hex(p.get_facecolor()) == SEVERITIES["warning"].lower()
    )
    assert (warning.get_x(), warning.get_width()) == (2, 1)
    assert ax.get_xlabel() == "rows"
    assert ax.get_title("left") == (
        "6 findings on 5 rows: 3 with errors (quota-exceeded first), 1 with warnings, 2 with info"
    )
