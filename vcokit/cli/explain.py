"""``vcokit explain``: which route wins for an address, and what if its connection is down."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from vcokit.audit import explain
from vcokit.cli.outputs import put
from vcokit.cli.reading import Files, Quota, Reading
from vcokit.cli.steplog import one_line, records


class ExplainFormat(StrEnum):
    """How an explanation is shown."""

    text = "text"
    json = "json"


def explain_command(
    address: Annotated[
        str, typer.Argument(help="10.1.2.3, or a prefix 10.1.0.0/16.", metavar="ADDRESS")
    ],
    files: Files,
    reading: Reading,
    format: Annotated[  # noqa: A002 - the option's name
        ExplainFormat, typer.Option(help="How it is shown.")
    ] = ExplainFormat.text,
    quota: Quota = None,
) -> None:
    """Say which route wins for an address, and what if it is down.

    Asks no cloud. Findings that touch the address are told as well.
    """
    found = explain(reading.read(files), address, quota=quota)
    if format is ExplainFormat.text:
        put(f"{found}\n", for_people=True)
        return
    frames = {name: getattr(found, name) for name in ("routes", "if_down", "findings")}
    facts = {name: records(frame) for name, frame in frames.items()}
    put(one_line({"address": found.address, **facts}) + "\n")
