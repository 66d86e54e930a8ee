"""Pictures of what was measured, drawn on plain figures: no window, no global state.

``bench.png`` has a dot for every ratio, on a logarithmic axis; ``bench-growth.png`` time and memory
over the rows. A program has the same colour everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.contest import OURS
from benchmarks.peers import PEERS
from benchmarks.report import Document, seconds, times

#: Okabe and Ito's palette, which people with any colour vision can tell apart.
COLOURS: Final = dict(
    zip(
        (peer.name for peer in PEERS),
        ("#E69F00", "#F5D08A", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#6B7077"),
        strict=True,
    )
)
_LINES: Final = ("#0072B2", "#56B4E9", "#009E73", "#8A9A00", "#E69F00", "#CC79A7", "#D55E00")
_GREY: Final = "#6B7077"
_PALE: Final = "#E4E6E9"
_GIB: Final = 1024


def draw(document: Document, folder: Path) -> list[Path]:
    """Draw the sections that a document has; return the files written."""
    drawn = []
    if document.get("beside", {}).get("cases"):
        drawn.append(_saved(ratios(document["beside"]), folder / "bench.png"))
    if document.get("growth", {}).get("cases"):
        drawn.append(_saved(growth(document["growth"]), folder / "bench-growth.png"))
    return drawn


def _saved(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def ratios(section: Mapping[str, Any]) -> Figure:
    """Draw how many times as fast ours is: a row a case, a dot a peer, a tick its target."""
    cases = section["cases"]
    figure = Figure(figsize=(11, 1.9 + 0.52 * len(cases)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    for place, case in enumerate(cases):
        axes.axhline(place, color=_PALE, linewidth=0.8, zorder=0)
        _draw_case(axes, place, case["ratios"])
    names = [f"{case['title']}\n{_own(case)}" for case in cases]
    axes.set_yticks(range(len(cases)), names, fontsize=8)
    axes.set_ylim(len(cases) - 0.3, -0.6)
    axes.margins(x=0.08)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
    axes.set_xlabel(f"times as fast as the peer (median of {section['rounds']} interleaved rounds)")
    _shade_slower(axes)
    _legend(axes, cases)
    axes.set_title(
        f"{OURS} beside its peers on {section['rows']:,} rows", loc="left", fontsize=12, pad=26
    )
    _tidy(axes)
    return figure


def _own(case: Mapping[str, Any]) -> str:
    return f"{OURS} {seconds(case['entries'][OURS]['median'])}"


def _draw_case(axes: Axes, place: int, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw one row: the spread of the rounds, the median with its figure, the target."""
    for peer, ratio in found.items():
        colour = COLOURS[peer]
        axes.plot([ratio["low"], ratio["high"]], [place, place], color=colour, linewidth=2.5)
        axes.plot(ratio["median"], place, "o", color=colour, markersize=7, markeredgecolor="white")
        if ratio["target"] is not None:
            axes.plot(ratio["target"], place, "|", color=colour, markersize=17, markeredgewidth=2)
    for (_, ratio), lift in zip(_by_median(found), _lifts(found), strict=True):
        axes.annotate(
            times(ratio["median"]).replace(" ", ""),
            (ratio["median"], place),
            xytext=(0, lift),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=6.5,
            color="#333333",
        )


def _by_median(
    found: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(found.items(), key=lambda item: item[1]["median"])


def _lifts(found: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """Return where figures go, above or below their dots: near ones in turn."""
    lifts: list[int] = []
    before = 0.0
    for _, ratio in _by_median(found):
        near = before and ratio["median"] < before * 1.6
        lifts.append(-lifts[-1] if near else 10)
        before = ratio["median"]
    return lifts


def _shade_slower(axes: Axes) -> None:
    low, high = axes.get_xlim()
    low = min(low, 0.5)
    axes.axvspan(low, 1, color="#FBEFE6", zorder=-1)
    axes.set_xlim(low, high)
    bottom = axes.get_ylim()[0]
    for place, side, word in ((0.97, "right", "slower"), (1.04, "left", "faster")):
        style = {"ha": side, "va": "bottom", "fontsize": 7.5, "color": _GREY, "style": "italic"}
        axes.text(place, bottom, f"{OURS} is {word}", **style)


def _legend(axes: Axes, cases: Sequence[Mapping[str, Any]]) -> None:
    """Name the peers that there are, and what a tick means."""
    present = {peer for case in cases for peer in case["ratios"]}
    marks = [
        axes.plot([], [], "o", color=colour, label=peer)[0]
        for peer, colour in COLOURS.items()
        if peer in present
    ]
    tick = axes.plot([], [], "|", color=_GREY, markersize=12, markeredgewidth=2, label="target")
    axes.legend(
        handles=[*marks, *tick],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=len(marks) + 1,
        frameon=False,
        fontsize=8,
        handletextpad=0.1,
        columnspacing=1.2,
        borderaxespad=0,
    )


def growth(section: Mapping[str, Any]) -> Figure:
    """Draw time and peak memory over the rows, all axes logarithmic, a line a case."""
    figure = Figure(figsize=(11, 5.8), layout="constrained")
    time, memory = figure.subplots(1, 2)
    for colour, case in zip(_LINES, section["cases"], strict=False):
        points = case["points"]
        rows = [point["rows"] for point in points]
        label = f"{case['title']}: exponent {case['exponent']:.2f}"
        style = {"color": colour, "marker": "o", "markersize": 4, "label": label}
        time.plot(rows, [point["median"] for point in points], **style)
        memory.plot(rows, [point["peak_mib"] for point in points], **style)
    time.set_yscale("log")
    time.yaxis.set_major_formatter(_duration)
    memory.set_yscale("log", base=2)
    memory.yaxis.set_major_formatter(_size)
    _slope_of_one(time, section)
    for axes, title in ((time, "Time of a call"), (memory, "Peak memory of the process")):
        axes.set_xscale("log")
        axes.set_xlabel("rows")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(title, loc="left", fontsize=11)
        axes.grid(color=_PALE, linewidth=0.6)
        _tidy(axes)
    handles, labels = time.get_legend_handles_labels()
    place = {"loc": "outside lower left", "ncols": 3, "frameon": False, "fontsize": 8}
    figure.legend(handles, labels, **place)
    figure.suptitle(f"{OURS} by size: {section['shape']}", x=0.01, ha="left", fontsize=12)
    return figure


def _duration(value: float, _: object) -> str:
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"


def _size(mib: float, _: object) -> str:
    return f"{mib / _GIB:g} GiB" if mib >= _GIB else f"{mib:g} MiB"


def _slope_of_one(axes: Axes, section: Mapping[str, Any]) -> None:
    """Draw what twice the time for twice the rows looks like."""
    points = section["cases"][-1]["points"]
    first, last = points[0], points[-1]
    ends = [last["median"] * first["rows"] / last["rows"], last["median"]]
    rows = [first["rows"], last["rows"]]
    axes.plot(rows, ends, "--", color=_GREY, linewidth=0.9, label="in step with the rows", zorder=0)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=3, labelsize=8)
