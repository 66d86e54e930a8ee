"""Render every plot, light and dark, for `docs/plots.md`: ``make pictures``.

The inventory is the demo's, the rollout is carried out by the simulator from a seed. Bars, map and
tree are the same each time; times of calls are those of this run. Therefore a picture is not
compared with a new one. It holds a digest of what it was drawn from: the inventory, the palette,
and the code that draws it, without comments and docstrings. ``--check`` writes nothing and says
which pictures have another digest now, or none, on any machine and with any fonts; it does not see
what a change of audit, simulator or matplotlib would change. Exit code 1 if there are any.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import sys
import tempfile
import tokenize
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot
from PIL import Image, PngImagePlugin

import vcokit as vk
from vcokit import plots

ROOT: Final = Path(__file__).parent.parent
OUT: Final = ROOT / "docs" / "pictures"
#: Largest picture that is kept, bytes.
LARGEST: Final = 120_000
#: Sharp on a screen of high resolution; with so many colours a picture is half as large.
DPI: Final = 200
COLOURS: Final = 255

_DARK: Final = "#0d1117"
#: What each theme is: a style, as a reader of the docs would write it.
THEMES: Final[Mapping[str, list[Any]]] = {
    "light": ["default"],
    "dark": [
        "dark_background",
        dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), _DARK),
    ],
}
_SPEED: Final = 20.0
#: What all pictures are drawn from, and where each plot stands.
_COMMON: Final = (
    "data/routes.csv",
    "docs/pictures.py",
    "vcokit/palette.py",
    "vcokit/plots/_arrays.py",
    "vcokit/plots/_style.py",
)
_MODULES: Final = {
    "weight_distribution": "routes",
    "prefix_lengths": "routes",
    "address_map": "address_map",
    "nesting_tree": "nesting_tree",
    "findings_by_rule": "routes",
    "rollout_progress": "rollout",
    "lane_timeline": "rollout",
    "call_latency": "rollout",
}
_DIGEST: Final = "vcokit-drawn-from"


def main(arguments: Sequence[str] | None = None, out: Path = OUT) -> int:
    """Write all pictures, or check them; return 1 if one is stale or too large to keep."""
    parser = argparse.ArgumentParser(description="Render the pictures of docs/plots.md.")
    parser.add_argument("--check", action="store_true", help="say what is stale, write nothing")
    if parser.parse_args(arguments).check:
        old = stale(out)
        print("\n".join(f"stale: {name}" for name in old) or "all pictures are fresh")
        return 1 if old else 0
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        drawn = pictures(Path(folder) / "rollout.db")
    too_large = 0
    for name, draw in drawn.items():
        for theme, style in THEMES.items():
            png = render(draw, style, digest(name))
            (out / f"{name}-{theme}.png").write_bytes(png)
            too_large += len(png) > LARGEST
            print(f"{name}-{theme}.png  {len(png) / 1000:.0f} kB")
    return 1 if too_large else 0


def stale(out: Path = OUT) -> list[str]:
    """Return the names of pictures that are not there, or were drawn from something else."""
    found = []
    for name in _MODULES:
        for theme in THEMES:
            path = out / f"{name}-{theme}.png"
            kept = None
            if path.is_file():
                with Image.open(path) as picture:
                    kept = picture.info.get(_DIGEST)
            if kept != digest(name):
                found.append(path.name)
    return found


def digest(name: str) -> str:
    """Return a digest of what a picture is drawn from."""
    total = hashlib.sha256()
    for path in (*_COMMON, f"vcokit/plots/{_MODULES[name]}.py"):
        text = (ROOT / path).read_text("utf-8")
        total.update((code_of(text) if path.endswith(".py") else text).encode())
    return total.hexdigest()[:16]


def code_of(text: str) -> str:
    """Return a program without its comments, docstrings and blank lines."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for row in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def pictures(journal: Path) -> dict[str, Callable[[], Any]]:
    """Carry out the demo's inventory, and return what draws each plot of it."""
    routes = vk.read_routes(ROOT / "data" / "routes.csv")
    findings = vk.audit_routes(routes)
    options = {"speed": _SPEED, "seed": 7, "task_seconds": (2.0, 5.0)}
    with vk.Simulator.for_routes(routes, **options) as cloud, vk.connect(cloud) as client:
        plan = vk.plan_routes(routes, vk.live_routes(client, routes))
        forecast = vk.forecast(plan, client, task_seconds=3.5)
        rollout = vk.apply_plan(plan, client, journal=journal)
        live = vk.live_routes(client, routes)
        names = vk.live_connections(client, routes)
        limits = client.limits
    steps, calls = rollout.frame(), rollout.calls()
    return {
        "weight_distribution": lambda: plots.weight_distribution(live, top=20, names=names),
        "prefix_lengths": lambda: plots.prefix_lengths(live),
        "address_map": lambda: plots.address_map(live, zoom="52.0.0.0/8", names=names),
        "nesting_tree": lambda: plots.nesting_tree(live, "51.54.0.0/15", names=names),
        "findings_by_rule": lambda: plots.findings_by_rule(findings),
        "rollout_progress": lambda: plots.rollout_progress(steps, forecast=forecast, limits=limits),
        "lane_timeline": lambda: plots.lane_timeline(steps, calls=calls, top=18, names=names),
        "call_latency": lambda: plots.call_latency(calls),
    }


def render(draw: Callable[[], Any], style: list[Any], drawn_from: str) -> bytes:
    """Return a plot as PNG, with a digest of what it was drawn from."""
    with pyplot.style.context(style):
        figure = draw().figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI)
        pyplot.close(figure)
    information = PngImagePlugin.PngInfo()
    information.add_text(_DIGEST, drawn_from)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    picture.save(smaller, format="png", optimize=True, pnginfo=information)
    return smaller.getvalue()


if __name__ == "__main__":
    sys.exit(main())
