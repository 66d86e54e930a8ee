"""What holds for every plot: it is drawn where it is told, leaves all else alone, and survives."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.plots import frames
from vcokit import plots, schema
from vcokit._text import printable
from vcokit.errors import InputError

A, B = frames.A, frames.B
ROUTES = frames.routes((A, "10.0.0.0/8", 100), (B, "10.0.0.0/8", 0), (B, "10.1.0.0/16", 100))

#: Each plot, with a frame that it can show.
DRAWN: dict[str, tuple[Callable[..., Any], pd.DataFrame]] = {
    "weight_distribution": (plots.weight_distribution, ROUTES),
    "prefix_lengths": (plots.prefix_lengths, ROUTES),
    "address_map": (plots.address_map, ROUTES),
    "nesting_tree": (
        lambda frame, **given: plots.nesting_tree(frame, "10.0.0.0/8", **given),
        ROUTES,
    ),
    "findings_by_rule": (plots.findings_by_rule, frames.findings((0, "covered", "info"))),
    "rollout_progress": (plots.rollout_progress, frames.STEPS),
    "lane_timeline": (plots.lane_timeline, frames.STEPS),
    "call_latency": (plots.call_latency, frames.calls(("Poll", 0.1, "ok"), ("Send", 1, "busy"))),
}
EVERY = pytest.mark.parametrize(("draw", "frame"), DRAWN.values(), ids=DRAWN)
CASES = {
    name: frames.routes(*((bad, f"10.{n}.0.0/16", 100) for n, bad in enumerate(frames.HOSTILE)))
    for name in ("weight_distribution", "prefix_lengths", "address_map", "nesting_tree")
}
CASES["findings_by_rule"] = frames.findings(*((0, bad, "error") for bad in frames.HOSTILE))
CASES["call_latency"] = frames.calls(*((bad, 0.1, bad) for bad in frames.HOSTILE))
for _name in ("rollout_progress", "lane_timeline"):
    CASES[_name] = frames.steps(
        *(("failed", n, None, None, n + 1, bad) for n, bad in enumerate(frames.HOSTILE))
    )


@pytest.fixture(autouse=True)
def _no_window():
    mpl.use("agg")
    yield
    pyplot.close("all")


def ink(ax: Any) -> set[tuple[float, ...]]:
    """Return the colours of all text, opacity aside."""
    return {to_rgba(t.get_color())[:3] for t in ax.findobj(Text) if t.get_text()}


def texts(ax: Any) -> list[str]:
    """Return all text that is shown."""
    return [t.get_text() for t in ax.figure.findobj(Text) if t.get_text() and t.get_visible()]


def test_every_plot_is_here() -> None:
    """No plot is left out of these tests."""
    assert set(DRAWN) == {name for name in plots.__all__ if not name.endswith("_data")}


@EVERY
def test_draws_on_the_axes_given(draw: Any, frame: pd.DataFrame) -> None:
    """With ax= the plot is drawn there, returned, titled and labelled; pyplot is not touched."""
    ax = Figure().subplots()
    assert draw(frame, ax=ax) is ax
    assert ax.get_title("left")
    assert ax.get_xlabel()
    assert not pyplot.get_fignums()


@EVERY
def test_changes_nothing_else(draw: Any, frame: pd.DataFrame, monkeypatch: Any) -> None:
    """Settings and frame stay as they are, nothing is shown, each call makes its own figure."""
    monkeypatch.setattr(pyplot, "show", lambda *_, **__: pytest.fail("shown"))
    settings, before = dict(mpl.rcParams), frame.copy()
    one, two = draw(frame), draw(frame)
    one.figure.canvas.draw()
    assert one.figure is not two.figure
    assert dict(mpl.rcParams) == settings
    pd.testing.assert_frame_equal(frame, before)


@EVERY
def test_an_empty_frame_says_so(draw: Any, frame: pd.DataFrame) -> None:
    """An empty frame, whatever its index, gives a picture with a sentence in it, not an error."""
    ax = Figure().subplots()
    draw(frame.iloc[:0], ax=ax)
    assert any(text.startswith(("no", "the audit found nothing")) for text in texts(ax))
    assert ax.get_title("left")


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("usetex", [False, True])
def test_hostile_text_is_text(name: str, usetex: bool) -> None:
    """Mathematics, markup and control signs are shown as they stand, and cannot raise or warn."""
    with mpl.rc_context({"text.usetex": usetex}):
        ax = Figure(figsize=(9, 6), layout="constrained").subplots()
        DRAWN[name][0](CASES[name], ax=ax)
        bad = [t for t in ax.figure.findobj(Text) if any(s in t.get_text() for s in "$\\<")]
        assert not any(t.get_parse_math() or t.get_usetex() for t in bad)
        if not usetex:
            ax.figure.canvas.draw()
    shown = "".join(texts(ax)).replace("\n", "")
    assert shown == printable(shown)
    assert max(map(len, texts(ax))) < 250


@pytest.mark.parametrize("name", ["weight_distribution", "lane_timeline", "call_latency"])
def test_hostile_names_are_shown(name: str) -> None:
    """Every name is there in plain letters, short ones whole, legend secrets too."""
    ax = Figure().subplots()
    DRAWN[name][0](CASES[name], ax=ax)
    labels = {label.get_text() for label in ax.get_yticklabels()}
    assert {r"$\frac{1}{", "$x_{$", "<script>alert(1)</script>", "_hidden"} <= labels
    assert r"a\x1b[31m\x00\n\u202eb" in labels


def test_a_map_names_hostile_connections() -> None:
    """A legend drops names with an underscore unless told; here they stand."""
    ax = plots.address_map(CASES["address_map"].iloc[3:6], Figure().subplots())
    named = " ".join(text.get_text() for text in ax.get_legend().get_texts())
    assert "_hidden: 65.5 k" in named


@EVERY
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_light_and_dark(draw: Any, frame: pd.DataFrame, style: str) -> None:
    """All text is of the colour that the axes were made with, also when drawn on later."""
    with pyplot.style.context(style):
        ax = Figure().subplots()
    draw(frame, ax=ax)
    assert ink(ax) == {(1.0, 1.0, 1.0) if style == "dark_background" else (0.0, 0.0, 0.0)}


@EVERY
def test_nothing_is_clipped(draw: Any, frame: pd.DataFrame) -> None:
    """On a figure of the plot's own no text reaches beyond the edges, and no row names collide."""
    ax = draw(frame)
    ax.figure.canvas.draw()
    inside = ax.figure.bbox.padded(1.5)
    low, high = sorted(ax.get_ylim())
    # A locator's ticks outside of the axes have labels that are never drawn.
    beyond = [t for t in ax.get_yticklabels() if not low <= t.get_position()[1] <= high]
    beyond += ax.xaxis.get_ticklabels(which="both")
    for text in ax.figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            if box.width and text not in beyond:
                assert inside.x0 <= box.x0, text
                assert box.x1 <= inside.x1, text
                assert inside.y0 <= box.y0, text
                assert box.y1 <= inside.y1, text
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


@EVERY
def test_a_title_of_ones_own(draw: Any, frame: pd.DataFrame) -> None:
    """title= stands in place of the sentence, as text from outside; "" leaves none."""
    for given, shown in (("Routes of $1 {", "Routes of $1 {"), ("", "")):
        ax = draw(frame, ax=Figure().subplots(), title=given)
        assert ax.get_title("left") == shown
        ax.figure.draw_without_rendering()


@EVERY
def test_letters_can_be_read(draw: Any, frame: pd.DataFrame) -> None:
    """No text is smaller than 8.5 points."""
    ax = draw(frame)
    assert min(text.get_fontsize() for text in ax.findobj(Text) if text.get_text()) >= 8.5


@pytest.mark.parametrize("name", ["rollout_progress", "lane_timeline"])
def test_what_waits_does_not_glare_on_dark(name: str) -> None:
    """On a dark background the steps that wait are darker than all other states."""
    with pyplot.style.context("dark_background"):
        ax = Figure().subplots()
    DRAWN[name][0](frames.STEPS, ax=ax)
    areas = {c.get_label(): sum(c.get_facecolor()[0][:3]) for c in ax.collections}
    waits = areas.pop("queue" if name == "lane_timeline" else "pending")
    assert areas
    assert waits < min(areas.values())


@EVERY
def test_the_figures_are_a_frame(
    request: pytest.FixtureRequest, draw: Any, frame: pd.DataFrame
) -> None:
    """Each plot has its figures as a frame, an empty one with the same columns and dtypes."""
    name = request.node.callspec.id
    asked = ("10.0.0.0/8",) if name == "nesting_tree" else ()
    figures = getattr(plots, f"{name}_data")
    table, empty = figures(frame, *asked), figures(frame.iloc[:0], *asked)
    assert len(table)
    assert list(table.index) == list(range(len(table)))
    assert list(empty.columns) == list(table.columns)
    assert [d.kind for d in empty.dtypes] == [d.kind for d in table.dtypes]
    with pytest.raises(InputError, match="lacks the columns"):
        figures(pd.DataFrame({"x": [1]}), *asked)


def test_matplotlib_is_loaded_by_the_first_picture() -> None:
    """Naming the plots loads no matplotlib, nor do their frames; drawing on axes no pyplot."""
    code = (
        "import sys, vcokit as vk; from vcokit import schema;"
        "vk.plots.weight_distribution_data(schema.frame(schema.ROUTES), names={'vco-a': '主'});"
        "print('matplotlib' in sys.modules);"
        "from matplotlib.figure import Figure;"
        "vk.plots.prefix_lengths(schema.frame(schema.ROUTES), Figure().subplots());"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


def test_frames_as_they_come() -> None:
    """Columns of objects, of cidr and of floats, on any index, are read as the same routes."""
    plain = pd.DataFrame(
        {
            "vpn_connection_id": pd.Series([A, None, B], dtype="object"),
            "route_dest": ["10.0.0.0/8", "nowhere", None],
            "weight": ["100", "abc", 0.0],
        },
        index=[7, 7, 9],
    )
    ax = plots.prefix_lengths(plain, Figure().subplots())
    assert "1 route to 16.8 M addresses" in ax.get_title("left").replace("\n", " ")
    assert "2 rows left out" in ax.get_title("left").replace("\n", " ")
    typed = ROUTES.assign(route_dest=ROUTES["route_dest"].cidr.to_cidr())
    one, two = (plots.address_map(f, Figure().subplots()) for f in (ROUTES, typed))
    assert (one.images[0].get_array() == two.images[0].get_array()).all()
    assert schema.frame(schema.ROUTES).empty


def test_every_plot_stands_in_the_docs() -> None:
    """Each plot has its line of code and both its pictures in docs/plots.md, none too large."""
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "plots.md").read_text(encoding="utf-8")
    for name in DRAWN:
        assert f"vk.plots.{name}(" in page
        for theme in ("light", "dark"):
            picture = f"pictures/{name}-{theme}.png"
            assert f'"{picture}"' in page
            assert (docs / picture).stat().st_size <= 120_000


@pytest.mark.parametrize("layout", ["constrained", None])
def test_pictures_side_by_side(layout: str | None) -> None:
    """In a grid, with a layout or without, titles and legends keep to their own column."""
    figure = Figure(figsize=(11, 7.5), layout=layout)
    axes = figure.subplots(2, 2)
    many = [(f"vco-{n:04}", f"10.{n % 256}.{n // 256}.0/24", 100 * (n % 2)) for n in range(500)]
    plots.weight_distribution(frames.routes(*many), axes[0, 0], top=5)
    plots.rollout_progress(frames.STEPS, axes[0, 1])
    plots.call_latency(frames.calls(("Poll", 0.1, "ok"), ("Send", 1, "busy")), axes[1, 0])
    plots.prefix_lengths(frames.routes(*many), axes[1, 1])
    figure.savefig(io.BytesIO(), format="png")
    assert all(box_of(artist).x0 >= 0 for ax in axes[:, 0] for artist in lettered(ax))
    for left, right in axes:
        ends = [box_of(artist).x1 for artist in lettered(left)]
        begins = [box_of(artist).x0 for artist in lettered(right)]
        assert max(ends) <= min(begins) + 3
        assert max(box_of(artist).x1 for artist in lettered(right)) <= figure.bbox.x1 + 3


def lettered(ax: Any) -> list[Any]:
    """Return the title, the legend and the names beside the data."""
    texts = [title_of(ax), *ax.texts, *ax.get_yticklabels()]
    return [ax.get_legend(), *(text for text in texts if text.get_text())]


def title_of(ax: Any) -> Text:
    """Return the title at the left, which matplotlib gives as words only."""
    words = ax.get_title("left")
    (title,) = ax.findobj(lambda one: isinstance(one, Text) and one.get_text() == words)
    return title


def box_of(artist: Any) -> Any:
    """Return where an artist stands on the figure."""
    return artist.get_window_extent()


def drawn(axis: Any) -> list[str]:
    """Return the labels of an axis that are in sight."""
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label.get_text() for place, label in ticks if low <= place <= high]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30])
def test_axes_that_count_are_of_whole_numbers(count: int) -> None:
    """However little there is to count, no number stands at two places of an axis."""
    frame = frames.routes(*((A, f"10.{n}.0.0/16", 100) for n in range(count)))
    found = frames.findings(*((n, "covered", "info") for n in range(count)))
    for ax, name in (
        (plots.weight_distribution(frame), "xaxis"),
        (plots.prefix_lengths(frame), "yaxis"),
        (plots.findings_by_rule(found), "xaxis"),
        (plots.rollout_progress(frames.steps(*[("done", 0, 1, 2, 3)] * count)), "yaxis"),
    ):
        ax.figure.canvas.draw()
        labels = drawn(getattr(ax, name))
        assert len(labels) > 1
        assert len(set(labels)) == len(labels), labels


# -- what cannot be drawn -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("rollout_progress", r"rollout\.frame\(\).*vk\.Journal\.read"),
        ("lane_timeline", r"rollout\.frame\(\).*vk\.Journal\.read"),
        ("call_latency", r"rollout\.calls\(\).*vk\.Journal\.read"),
        ("findings_by_rule", r"vk\.audit_routes"),
        *((name, r"vk\.read_routes") for name in ("weight_distribution", "prefix_lengths")),
        ("address_map", r"vk\.read_routes"),
    ],
)
def test_what_is_no_frame_says_where_to_get_one(name: str, remedy: str) -> None:
    """The name of a file, or a frame of something else, is one error with the right remedy."""
    for wrong, said in (("rollout.db", "not str"), (pd.DataFrame({"x": [1]}), "lacks the columns")):
        with pytest.raises(InputError, match=f"{said}.*{remedy}"):
            getattr(plots, name)(wrong, ax=Figure().subplots())


@pytest.mark.parametrize("top", [-1, 0, 2.5, True, "3"])
@pytest.mark.parametrize("name", ["weight_distribution", "address_map", "nesting_tree"])
def test_so_many_cannot_be_shown(name: str, top: object) -> None:
    """A number of rows that is none is refused, by every plot that takes one."""
    asked = ("10.0.0.0/8",) if name == "nesting_tree" else ()
    with pytest.raises(InputError, match="top="):
        getattr(plots, name)(ROUTES, *asked, ax=Figure().subplots(), top=top)
    with pytest.raises(InputError, match="top="):
        plots.lane_timeline(frames.STEPS, Figure().subplots(), top=top)


@pytest.mark.parametrize("size", [8, 10.5])
def test_a_title_does_not_run_into_the_head_of_a_column(size: float) -> None:
    """Above a tree that hides some of its rows, title, legend and head stand apart."""
    names = [f"vco-{letter * 21}" for letter in "abc"]
    many = [(names[n % 3], f"{n % 200 + 1}.{n // 200}.0.0/16", 100 * (n % 2)) for n in range(600)]
    holders = [(name, f"{n}.0.0.0/8", 100) for n in range(1, 101) for name in names[:2]]
    ax = Figure(figsize=(size, 5), layout="constrained").subplots()
    plots.nesting_tree(frames.routes(*many, *holders), "0.0.0.0/0", ax, top=20)
    ax.figure.draw_without_rendering()
    (head,) = (text for text in ax.texts if text.get_text().startswith("not shown"))
    for other in (title_of(ax), ax.get_legend()):
        assert not box_of(head).overlaps(box_of(other)), other
