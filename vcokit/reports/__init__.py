"""Findings and changes as files, for people, pipelines, code hosts and spreadsheets.

::

    findings, routes ──report──▶ Report ──▶ a writer ──▶ parts of text
    the inventory's files ──csv_locations──▶ line and column of the faulty cells ┘ (SARIF)

================  ============================================================================
`tables`          text for a pipe or a log, Markdown for a merge request, CSV for spreadsheets,
                  JSON for programs (`findings.schema.json`)
`sarif`           SARIF 2.1.0, for code hosts that mark the lines of a change
`junit`           JUnit's XML, for pipelines that show tests: a test case per rule
`html`            pages that need no network: an audit (search, sort, print), a change record
`record`          the record of a change, from the journal of its rollout
`record_text`     the texts of a change record, and the record as Markdown
`svg`             a plot as a part of a page
`report`          the common input of all writers of findings
`csv_locations`   the position of a cell in its file, for `sarif`
`escape`          external text, escaped for each format
================  ============================================================================

Writers are pure: the same frames give the same bytes. The text contains no time of day and no path
of this machine that is not in the frames. It states how many findings are not listed
(`Report.limit`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from vcokit.errors import InputError
from vcokit.reports.report import Report, report_of

if TYPE_CHECKING:
    import os

__all__ = ["KINDS", "Kind", "Report", "kind_of", "parts", "write"]


@dataclass(frozen=True)
class Kind:
    """One format.

    Parameters
    ----------
    writer : str
        Module of this package and the function in it that yields the text.
    suffixes : tuple of str
        Suffixes of file names that select it.
    limit : int or None
        Default number of findings; None means all.
    """

    writer: str
    suffixes: tuple[str, ...]
    limit: int | None = None


#: The formats by name. Code hosts accept at most 25,000 results per run in SARIF.
KINDS: Final[Mapping[str, Kind]] = {
    "text": Kind("tables.text_lines", (".txt", ".log"), 50),
    "json": Kind("tables.json_lines", (".json",)),
    "csv": Kind("tables.csv_lines", (".csv",)),
    "markdown": Kind("tables.markdown_lines", (".md", ".markdown"), 200),
    "sarif": Kind("sarif.sarif_lines", (".sarif",), 25_000),
    "junit": Kind("junit.junit_lines", (".xml",), 5_000),
    "html": Kind("html.audit_page", (".html", ".htm"), 20_000),
}


def write(kind: str, findings: pd.DataFrame, routes: pd.DataFrame, **options: Any) -> str:
    r"""Return findings as the text of a file.

    Parameters
    ----------
    kind : str
        Name of a format in `KINDS`.
    findings : DataFrame
        From `vcokit.audit_routes`.
    routes : DataFrame
        The audited routes, from `vcokit.read_routes` or made by hand.
    **options
        See `vcokit.reports.report.report_of`: ``fail_on``, ``limit``, ``places``, ``root``.

    Returns
    -------
    str
        The complete file. Its only control characters are line feeds; encode it as UTF-8.

    Raises
    ------
    InputError
        If the format is unknown, a column is missing, or an option cannot be used.

    Examples
    --------
    >>> from vcokit.audit import audit_routes
    >>> from vcokit.inventory import read_routes
    >>> routes = read_routes("region,connection,cidr,weight\ncn-a,vco-a,10.1.2.3/16,100\n")
    >>> print(write("text", audit_routes(routes), routes))  # doctest: +ELLIPSIS
    <text>: 1 route
    note: <text>: next_hop set to the connection
    <BLANKLINE>
    Findings by rule
    severity  rule           rows  meaning
    error     host-bits-set     1  The destination has host bits set.
    ...
    """
    return "".join(parts(kind, findings, routes, **options))


def parts(kind: str, findings: pd.DataFrame, routes: pd.DataFrame, **options: Any) -> Iterator[str]:
    """Yield the text of `write` in parts, so that a million findings do not need much memory.

    Examples
    --------
    >>> import pandas as pd
    >>> parts("pdf", pd.DataFrame(), pd.DataFrame())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    vcokit.errors.InputError: there is no format 'pdf'. There is text, json, csv, ...
    """
    if kind not in KINDS:
        raise InputError(f"there is no format {kind!r}", remedy=f"There is {', '.join(KINDS)}")
    options.setdefault("limit", KINDS[kind].limit)
    report = report_of(findings, routes, **options)
    module, _, function = KINDS[kind].writer.partition(".")
    writer: Callable[[Report], Iterator[str]]
    writer = getattr(import_module(f"vcokit.reports.{module}"), function)
    return writer(report)


def kind_of(path: str | os.PathLike[str]) -> str:
    """Return the format for the suffix of a file name.

    Raises
    ------
    InputError
        If no format has this suffix.

    Examples
    --------
    >>> kind_of("out/audit.sarif"), kind_of("audit.MD"), kind_of("audit.json.gz")
    ('sarif', 'markdown', 'json')
    """
    suffixes = [suffix.lower() for suffix in PurePath(path).suffixes]
    suffixes = suffixes[:-1] if suffixes[-1:] in ([".gz"], [".zst"]) else suffixes
    if suffixes[-2:] == [".sarif", ".json"]:  # the standard allows it as well as .sarif
        return "sarif"
    for name, kind in KINDS.items():
        if suffixes[-1:] and suffixes[-1] in kind.suffixes:
            return name
    known = ", ".join(suffix for kind in KINDS.values() for suffix in kind.suffixes)
    raise InputError(
        f"the name {str(path)!r} means no format", remedy=f"Name a format, or end it in {known}"
    )
