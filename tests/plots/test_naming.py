"""What pictures call connections: names that can be told apart, in letters that there are."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fontTools.ttLib import TTFont
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager

from tests.plots import frames
from vcokit import plots
from vcokit._text import printable
from vcokit.plots import _style

A, B, C = frames.A, frames.B, frames.C
LONG = ("杭州" * 10 + "一号" + "仓库" * 10, "杭州" * 10 + "二号" + "仓库" * 10)


@pytest.fixture
def fonts_forgotten():
    """Let matplotlib's list of fonts, as it was written, know none with Chinese letters."""
    before = list(fontManager.ttflist)
    fontManager.ttflist = [font for font in before if font.name not in _style._CHINESE]
    forget = (_style._chinese, _style._fonts, _style._say_what_to_install)
    for found in forget:
        found.cache_clear()
    yield
    fontManager.ttflist = before
    for found in forget:
        found.cache_clear()


@pytest.fixture
def simhei(tmp_path: Path) -> str:
    """Return the path of a font that has the Chinese letters of these tests, and looks odd."""
    font = TTFont(findfont("DejaVu Sans"))
    for table in (table for table in font["cmap"].tables if table.isUnicode()):
        table.cmap.update(dict.fromkeys(map(ord, "".join(LONG)), "A"))
    for name in (1, 4, 16):
        font["name"].setName("SimHei", name, 3, 1, 0x409)
    font.save(tmp_path / "new.ttf")
    return str(tmp_path / "new.ttf")


@pytest.fixture(params=["with a font", "without one"])
def chinese(
    request: pytest.FixtureRequest,
    fonts_forgotten: None,
    simhei: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let the machine have a font with Chinese letters, or none, whatever is installed here."""
    there = [simhei] if request.param == "with a font" else []
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: there)


def labelled(frame: pd.DataFrame, **given: Any) -> dict[str, list[str]]:
    """Return what each plot that names connections calls them."""
    rows = lambda ax: [label.get_text() for label in ax.get_yticklabels()]  # noqa: E731
    stamps = frames.steps(
        *(("done", 0, 1, 2, 3 + n, name) for n, name in enumerate(frame["vpn_connection_id"]))
    )
    tree = plots.nesting_tree(frame, "10.0.0.0/8", Figure().subplots(), **given)
    area = plots.address_map(frame, Figure().subplots(), **given)
    return {
        "weight_distribution": rows(plots.weight_distribution(frame, Figure().subplots(), **given)),
        "lane_timeline": rows(plots.lane_timeline(stamps, Figure().subplots(), **given)),
        "nesting_tree": [t.get_text().removesuffix(" active") for t in tree.texts],
        "address_map": [t.get_text().split(": ")[0] for t in area.get_legend().get_texts()],
    }


def test_long_names_can_be_told_apart(chinese: None) -> None:
    """Names that differ in their middle only keep what differs; no label is longer than usual."""
    frame = frames.routes((LONG[0], "10.0.0.0/16", 100), (LONG[1], "10.1.0.0/16", 100))
    for name, labels in labelled(frame).items():
        told = [label for label in labels if label.startswith(("杭", r"\u676d"))]
        assert len(told) == len(set(told)) == 2, (name, labels)
        assert {"一" in label or r"\u4e00" in label for label in told} == {True, False}, (
            name,
            told,
        )
        assert max(map(len, told)) <= 28


def test_labels_are_told_apart_whatever_they_are() -> None:
    """Of texts that differ no two labels do not, and each is as short as it has to be."""
    rng = random.Random(3)
    for _ in range(300):
        size, letters = rng.randrange(2, 12), rng.choice(["ab", "a\x1b", "中a"])
        texts = {"".join(rng.choices(letters, k=rng.choice([3, 30, 60]))) for _ in range(size)}
        texts |= {f"{'x' * 30}{text}{'y' * 30}" for text in texts}
        labels = _style.unique_labels(texts, 20)
        assert len(set(labels)) == len(texts)
        assert max(map(len, labels)) <= 20
        assert all(label == printable(label) for label in labels)


@pytest.mark.parametrize("kind", ["mapping", "series", "frame"])
def test_connections_have_names(kind: str) -> None:
    """Given names stand for ids, however they are given; without one the id stays."""
    frame = frames.routes((A, "10.0.0.0/16", 100), (B, "10.1.0.0/16", 100), (C, "10.2.0.0/16", 0))
    named = {A: "shop-1", B: "shop-2", "vco-elsewhere": "office"}
    given: dict[str, Any] = {
        "mapping": named,
        "series": pd.Series(named),
        "frame": pd.DataFrame({"vpn_connection_id": named.keys(), "name": named.values()}),
    }
    for name, labels in labelled(frame, names=given[kind]).items():
        assert {label.removesuffix(" standby") for label in labels} >= {"shop-1", "shop-2", C}, name
        assert A not in labels


def test_names_in_the_frame_itself_are_used() -> None:
    """A column vpn_connection_name names connections, in plots and their frames; names= wins."""
    frame = frames.routes((A, "10.0.0.0/16", 100), (B, "10.1.0.0/16", 100))
    frame["vpn_connection_name"] = ["shop-1", None]
    for name in ("weight_distribution", "address_map", "nesting_tree"):
        assert {"shop-1", B} <= set(labelled(frame)[name]), name
    assert plots.weight_distribution_data(frame)["name"].tolist() == ["shop-1", B]
    assert plots.address_map_data(frame)["name"].unique().tolist() == ["shop-1", B]
    assert plots.weight_distribution_data(frame, names={})["name"].tolist() == [A, B]


def test_without_a_font_ids_stand_for_names(
    fonts_forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection whose name no font can draw has its id, which can be read; frames keep it."""
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", list)
    frame = frames.routes((A, "10.0.0.0/16", 100), (B, "10.1.0.0/16", 100))
    named = {A: "杭州一号仓库", B: "office"}
    for name, labels in labelled(frame, names=named).items():
        assert {A, "office"} <= set(labels), name
    table = plots.weight_distribution_data(frame, names=named)
    assert set(table["name"]) == {"杭州一号仓库", "office"}


def test_a_name_of_two_connections_tells_them_apart() -> None:
    """Where several connections have a name, their ids stand beside it; they stay two rows."""
    frame = frames.routes((A, "10.0.0.0/16", 100), (B, "10.1.0.0/16", 100))
    for name, labels in labelled(frame, names=dict.fromkeys((A, B), "shop")).items():
        assert {f"shop {A}", f"shop {B}"} <= set(labels), name


def test_a_font_installed_since_is_found(
    fonts_forgotten: None, simhei: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Chinese font newer than matplotlib's list of fonts is used; a file that is none is not."""
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    there = [str(tmp_path / "broken.ttf"), simhei]
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: there)
    assert _style.shorten("杭a") == "杭a"


def test_a_missing_font_is_told_once(
    chinese: None, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a font with Chinese letters one line says which to install, however many pictures."""
    frame = frames.routes((LONG[0], "10.0.0.0/16", 100), ("vco-\ue000", "10.1.0.0/16", 100))
    for _ in range(2):
        labelled(frame)
    told = [record.getMessage() for record in caplog.records if record.name == "vcokit.plots"]
    missing = "without one" in request.node.name
    assert len(told) == missing
    assert all("Install one, such as Noto Sans CJK SC" in line for line in told)


def test_without_a_font_letters_are_spelt_out_whole(
    fonts_forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too long is shortened between letters, never within one that is spelt out."""
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", list)
    said = _style.shorten("杭州" * 20)
    assert re.fullmatch(r"(\\u[0-9a-f]{4})+…(\\u[0-9a-f]{4})+", said)
    one, two = _style.unique_labels(LONG)
    assert r"\u4e00" in one
    assert r"\u4e8c" in two
    assert max(len(one), len(two)) <= 28


def test_wide_letters_have_the_room_they_need(chinese: None) -> None:
    """A legend of long Chinese names keeps to the figure, with a font for them or without."""
    names = [f"{'杭州' * 8}{n}{'仓库' * 8}" for n in range(8)]
    rows = [(name, f"10.{n}.0.0/16", 100) for n, name in enumerate(names)]
    ax = plots.address_map(frames.routes(*rows))
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1
