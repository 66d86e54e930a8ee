"""The documentation as a site, in out/site: ``make site``.

This script first collects all pages in one folder, then Sphinx makes HTML of them. The pages of
`docs/` are used as they are. README is the first page. Each notebook is a page with its saved
outputs, each public name an entry of the reference, each frame a table of its columns. A link from
one file of the project to another becomes a link from page to page; a link to a file that is not a
page becomes its text. Any warning fails.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import nbformat
from nbconvert import MarkdownExporter
from sphinx.cmd.build import build_main

import vcokit
from vcokit.schema import tables

ROOT: Final = Path(__file__).parent.parent
SOURCE: Final = ROOT / "out" / "site-source"
SITE: Final = ROOT / "out" / "site"

#: The navigation: headings and their pages.
CONTENTS: Final = {
    "Tutorials": (
        "tutorial-notebook",
        "tutorial-change",
        "tutorial-bulk-import",
        "tutorial-audit",
        "transcript",
        "01_quickstart",
        "02_bulk_import",
        "03_audit",
        "04_failover",
        "05_real_cloud",
        "06_fleet",
    ),
    "How to": (
        "real-cloud",
        "verify",
        "probe",
        "recording",
        "unattended",
        "monitoring",
        "in-a-repository",
        "own-rules",
        "baseline",
        "terraform",
        "fleet",
        "beyond-one-machine",
        "faq",
    ),
    "Reference": (
        "python",
        "frames",
        "commands",
        "rules",
        "plots",
        "scenario",
        "simulator",
        "changelog",
    ),
    "Explanation": (
        "executor",
        "contract",
        "architecture",
        "threats",
        "benchmarks",
        "testing",
        "contributing",
    ),
    "中文": ("readme-zh",),
}
#: Files outside `docs/` that are pages, and their names on the site.
PAGES: Final = {
    "README.md": "index.md",
    "README.zh-CN.md": "readme-zh.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "vcokit/simulator/COVERAGE.md": "simulator.md",
} | {
    f"notebooks/{path.name}": f"{path.stem}.md"
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
#: The frames, with title and description.
FRAMES: Final = {
    "ROUTES": ("Routes", "What `read_routes` returns; every step takes it."),
    "FINDINGS": ("Findings", "What `audit_routes` returns."),
    "LIVE_ROUTES": ("Live routes", "What `live_routes` returns."),
    "LIVE_CONNECTIONS": ("Live connections", "What `live_connections` returns."),
    "LIVE_TUNNELS": ("Live tunnels", "What `live_tunnels` returns."),
    "LIVE_ROUTER_ROUTES": ("Routes of transit routers", "What `live_router_routes` returns."),
    "STEPS": ("Steps", "The steps of a plan (`plan.steps`) and of a rollout (`rollout.steps()`)."),
    "CALLS": ("Calls", "What `rollout.calls()` returns: one row for each call."),
    "MEMBERS": ("Members", "What `fleet.frame()` returns: one row for each account."),
    "DIFFERENCES": ("Differences", "What `verify_routes` and `rollout.differences()` return."),
}
_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")


def main() -> int:
    """Make the site."""
    for folder in (SOURCE, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE, ignore=shutil.ignore_patterns("*.py", "*.css"))
    for source, page in PAGES.items():
        path = ROOT / source
        text = _of_notebook(path) if path.suffix == ".ipynb" else path.read_text("utf-8")
        (SOURCE / page).write_text(text, encoding="utf-8")
    (SOURCE / "python.md").write_text("\n".join(_reference()), encoding="utf-8")
    (SOURCE / "frames.md").write_text("\n".join(_frames()), encoding="utf-8")
    origin = {page: source for source, page in PAGES.items()}
    for page in SOURCE.glob("*.md"):
        text = _linked(page.read_text("utf-8"), origin.get(page.name, f"docs/{page.name}"))
        page.write_text(text, encoding="utf-8")
    with (SOURCE / "index.md").open("a", encoding="utf-8") as index:
        index.write("\n".join(_contents()))
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-c", str(ROOT / "docs")]
    code = build_main([*options, str(SOURCE), str(SITE)])
    # Sphinx leaves pictures alone that a page has as HTML, for light and dark.
    shutil.copytree(SOURCE / "pictures", SITE / "pictures", dirs_exist_ok=True)
    if code == 0:
        print(f"the site is in {SITE.relative_to(ROOT)}: open index.html")
    return code


def _linked(text: str, source: str) -> str:
    """Return a page whose links lead to pages."""

    def moved(found: re.Match[str]) -> str:
        words, target, place = found[1], found[2], found[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        page = PAGES.get(path, path.removeprefix("docs/"))
        return f"[{words}]({page}{place})" if (SOURCE / page).is_file() else words

    text = re.sub(r'(src|srcset)="docs/', r'\1="', text)
    return _LINK.sub(moved, text)


def _of_notebook(path: Path) -> str:
    """Return a notebook as a page, and put the pictures of its outputs beside it."""
    given = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
    notebook = nbformat.read(path, as_version=4)
    text, resources = MarkdownExporter().from_notebook_node(notebook, given)
    for name, content in resources["outputs"].items():
        (SOURCE / name).parent.mkdir(exist_ok=True)
        (SOURCE / name).write_bytes(content)
    return str(text)


def _reference() -> Iterator[str]:
    """Yield the page of public names: verbs first, then classes, then modules."""
    yield "# Python\n"
    yield "All public names of `import vcokit as vk`, from their docstrings.\n"
    public = {name: getattr(vcokit, name) for name in vcokit.__all__ if name != "__version__"}
    for name, value in sorted(public.items(), key=lambda item: (_kind(item[1]), item[0])):
        yield f"## {name}\n\n```{{eval-rst}}\n.. auto{_kind(value)[1]}:: vcokit.{name}"
        yield "" if _kind(value)[1] == "function" else "   :members:"
        yield "```\n"


def _kind(value: object) -> tuple[int, str]:
    if isinstance(value, type):
        return 1, "class"
    return (0, "function") if callable(value) else (2, "module")


def _frames() -> Iterator[str]:
    """Yield the page of frames."""
    yield "# Frames, column by column\n"
    yield "Each DataFrame has these columns, in this order. NA means that a value is not known.\n"
    for name, (title, meaning) in FRAMES.items():
        yield f"## {title}\n\n{meaning}\n\n| column | dtype |\n| --- | --- |"
        for column, dtype in getattr(tables, name).items():
            values = getattr(dtype, "categories", None)
            said = f"`{dtype}`" if values is None else f"category: {', '.join(values)}"
            yield f"| `{column}` | {said} |"
        yield ""


def _contents() -> Iterator[str]:
    """Yield the tables of contents at the end of the first page."""
    for heading, pages in CONTENTS.items():
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n"
        yield from pages
        yield "```\n"


if __name__ == "__main__":
    sys.exit(main())
