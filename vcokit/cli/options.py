"""Options that several commands share.

A command takes a group of options as one parameter, and each field is an option in the shell::

    @dataclass(frozen=True)
    class RolloutOptions:                          --stop-after 3
        stop_after: Annotated[int | None, …]  ───▶
                                                   def apply_command(…, pace: RolloutOptions): …

So an option is described once, and the methods of its group implement it. The help shows options in
panels: first the common options, then a panel per group.
"""

from __future__ import annotations

import copy
import inspect
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, get_args, get_type_hints

import typer

from vcokit import config, schema
from vcokit._text import pluralize, printable
from vcokit.cli.console import print_note
from vcokit.cloud.masking import Secret
from vcokit.cloud.simulated import may_be_simulator
from vcokit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from vcokit.audit import Review
    from vcokit.audit.rules import Rule
    from vcokit.cloud.client import Client
    from vcokit.monitoring.follower import Follower
    from vcokit.rollout.fleet import Connect
    from vcokit.rollout.plan import Plan

#: Panels of the help, in addition to typer's own panels for arguments and for all other options.
READING: Final = "Reading files"
AUDIT: Final = "Audit"
PLAN: Final = "Plan"
PACE: Final = "Pace"
CLOUD: Final = "Cloud and simulator"
LOG: Final = "Log and reports"

#: A function that is called with a note, such as what was skipped in a file.
OnNote = Callable[[str], object]

# -- single options --------------------------------------------------------------------------------

FILES: Final = (
    "Inventories: CSV, workbook, JSON lines or Parquet. Patterns such as *.csv work; - is standard "
    "input."
)
Files = Annotated[list[str], typer.Argument(help=FILES, metavar="FILE")]
JournalPath = Annotated[Path, typer.Argument(help="Journal of a rollout.", metavar="JOURNAL")]
OutputPath = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="File to write. Default: standard output, as CSV."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")]
AllowGap = Annotated[
    bool,
    typer.Option(
        "--allow-gap",
        help="Send even if some addresses briefly have no route.",
        rich_help_panel=PLAN,
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="Take the journal from a rollout on another host that is certainly dead. If it is "
        "alive after all, it ends with an error and sends nothing more.",
    ),
]
Summary = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="FILE",
        help="Write a summary as JSON when the command ends, however it ends.",
        rich_help_panel=LOG,
    ),
]
RateShare = Annotated[
    float | None,
    typer.Option(
        metavar="0..1",
        help="Part of the account's rate limits that may be used.",
        rich_help_panel=PACE,
    ),
]
Windows = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WINDOW",
        help='Send only at such times, such as "22:00-05:00 Asia/Shanghai" or "Sat,Sun '
        '00:00-24:00 UTC". Repeatable.',
        rich_help_panel=PACE,
    ),
]
Simulate = Annotated[
    bool,
    typer.Option(
        "--simulate", help="Use a simulator made for these routes.", rich_help_panel="Options"
    ),
]
Speed = Annotated[
    float | None, typer.Option(metavar="N", help="The simulator's clock runs N times faster.")
]
Limit = Annotated[int, typer.Option(min=0, metavar="N", help="List at most N differences.")]
_QUOTA_HELP: Final = "Routes that a connection may have"
Quota = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help=f"{_QUOTA_HELP}.", rich_help_panel=AUDIT),
]
#: Value of `LiveQuota` that means: read the quota of the account.
LIVE: Final = "live"


def _check_quota(text: str | None) -> str | None:
    if text is None or text == LIVE or (text.isascii() and text.isdigit() and len(text) < 10):
        return text
    raise typer.BadParameter(f"{text!r} is neither a number of routes nor {LIVE}.")


LiveQuota = Annotated[
    str | None,
    typer.Option(
        "--quota",
        metavar=f"N|{LIVE}",
        callback=_check_quota,
        help=f"{_QUOTA_HELP}; {LIVE} asks the account.",
        rich_help_panel=AUDIT,
    ),
]
Exceptions = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file of agreed exceptions.", rich_help_panel=AUDIT),
]
Names = Annotated[
    bool,
    typer.Option(
        "--names",
        help="The inventory has connection names: look up their ids.",
        rich_help_panel=READING,
    ),
]
RulesFile = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Python file with rules of your own. Repeatable.",
        rich_help_panel=AUDIT,
    ),
]


class FailOn(StrEnum):
    """Lowest severity of findings with which the command fails."""

    error = "error"
    warning = "warning"
    info = "info"
    never = "never"

    def fails(self, findings: pd.DataFrame) -> bool:
        """Return whether there are findings of this severity or a higher one."""
        from vcokit.audit.findings import by_severity

        if self is FailOn.never:
            return False
        order = list(schema.SEVERITIES.categories)
        counted = by_severity(findings)
        return any(counted[name] for name in order[order.index(self.value) :])


FailOnPlan = Annotated[
    FailOn,
    typer.Option(
        metavar="SEVERITY",
        help=f"Exit with 1 if there are such findings, or worse: {', '.join(FailOn)}.",
    ),
]
FailOnApply = Annotated[
    FailOn,
    typer.Option(
        metavar="SEVERITY",
        help="Send nothing and exit with 1 if there are such findings, or worse: "
        f"{', '.join(FailOn)}.",
    ),
]
Impact = Annotated[
    bool,
    typer.Option(
        "--impact",
        help="Show which addresses are forwarded differently, among the connections of the "
        "inventory.",
    ),
]
Expect = Annotated[
    str | None,
    typer.Option(
        metavar="FINGERPRINT",
        help="Send this plan or nothing: at least 12 digits of the fingerprint that was shown with "
        "the plan. Another plan ends with exit code 3.",
    ),
]


def load_own_rules(files: Sequence[Path] | None) -> list[Rule]:
    """Return the rules of installed packages and of the given files.

    Raises
    ------
    RuleError
        If a package or a file cannot be loaded, or contains no rule.
    """
    from vcokit.audit import load_rules

    return [*load_rules(), *(load_rules(*files) if files else ())]


# -- files -> routes -------------------------------------------------------------------------------

#: Size of files in bytes from which a progress bar is shown while they are read.
_LARGE: Final = 4_000_000


@dataclass(frozen=True)
class FileOptions:
    """How to read inventories whose format cannot be detected."""

    PANEL: ClassVar = READING

    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NAME", help="The column NAME of the file holds FIELD. Repeatable."
        ),
    ] = None
    weight_word: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD=N", help="In the weight column, WORD means the weight N. Repeatable."
        ),
    ] = None
    sheet: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Sheet of a workbook. Default: all that hold routes."),
    ] = None
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Delimiter of a CSV. Default: detected.")
    ] = None
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of a text file. Default: detected.")
    ] = None

    def read(
        self, files: Sequence[str], on_note: OnNote = print_note, region: str | None = None
    ) -> pd.DataFrame:
        """Return the routes of some files, and report the notes about them.

        Parameters
        ----------
        files : sequence of str
            Paths, patterns, or ``-`` for standard input.
        on_note : callable
            Called with each note.
        region : str, optional
            Region of rows without a region.

        Raises
        ------
        InputError
            If a file or an option cannot be used.
        """
        import pyarrow as pa

        from vcokit.inventory import read_routes
        from vcokit.inventory.read import notes_of

        weights, columns = self._weights(), _pairs("--column", self.column) or None
        paths = [_path(name) for name in files]
        with _progress_bar() as progress:
            routes = read_routes(
                paths,
                progress=progress,
                region=region,
                weights=weights,
                columns=columns,
                sheet=self.sheet,
                delimiter=self.delimiter,
                encoding=self.encoding,
            )
        # pyarrow keeps memory for the next read, a tenth of the peak. There is no next read.
        pa.default_memory_pool().release_unused()
        for note in notes_of(routes):
            on_note(note)
        return routes

    def _weights(self) -> Mapping[str, int] | None:
        words = _pairs("--weight-word", self.weight_word)
        for word, number in words.items():
            if not (number.isascii() and number.isdigit() and len(number) < 10):
                raise InputError(
                    f"--weight-word '{word}={number}': {number!r} is not a weight",
                    remedy="Write a number, such as standby=0",
                )
        return {word: int(number) for word, number in words.items()} or None


@dataclass(frozen=True)
class ReadOptions(FileOptions):
    """How to read inventories, with a default region."""

    region: Annotated[
        str | None, typer.Option(metavar="REGION", help="Region of rows that name none.")
    ] = None

    def read(
        self, files: Sequence[str], on_note: OnNote = print_note, region: str | None = None
    ) -> pd.DataFrame:
        """Return the routes of some files; see `FileOptions.read`."""
        return super().read(files, on_note, region or self.region)


def _pairs(option: str, given: Sequence[str] | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given or ()]
    for name, equals, value in pairs:
        if not (name.strip() and equals and value.strip()):
            raise InputError(
                f"{option} {name + equals + value!r} is not a pair",
                remedy="Write it like NAME=VALUE",
            )
    return {name: value for name, _, value in pairs}


def _path(name: str) -> str | Path:
    """Return the path of a file; refuse a text that `read_routes` would take as file content."""
    if not name or "\n" in name or "\r" in name or "\x00" in name:
        raise InputError(f"{name!r} is not a file", remedy="Name a file, or - for standard input")
    return name if name == "-" else Path(name)


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], object] | None]:
    """Yield a function that shows the bytes read in a progress bar, for large files.

    Yield None if standard error is not a terminal.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("Reading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("")

    def on_progress(done: int, total: int) -> None:
        if total >= _LARGE and not bar.finished:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield on_progress
    finally:
        bar.stop()


def read_connections(name: str) -> pd.DataFrame:
    """Return the live connections of a file that ``vcokit live --connections`` wrote.

    Returns
    -------
    DataFrame
        With the columns of `vcokit.schema.LIVE_CONNECTIONS`. Columns that the file does not have
        contain missing values.

    Raises
    ------
    InventoryError
        If the file cannot be read, or has no columns for connections and regions.
    """
    import pandas as pd

    from vcokit.errors import InventoryError
    from vcokit.inventory.sources import reason_of

    remedy = "Write it with: vcokit live --connections --output connections.csv"
    try:
        file = sys.stdin.buffer if name == "-" else _path(name)
        found = pd.read_csv(file, dtype="str", keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # errors of pandas and Unicode are ValueErrors
        raise InventoryError(
            f"cannot be read ({reason_of(error)})", source=name, remedy=remedy
        ) from None
    for column in ("vpn_connection_id", "region_id"):
        if column not in found.columns:
            raise InventoryError(f"no column {column}", source=name, remedy=remedy)
    cells = {
        column: found[column].str.removeprefix("'")
        for column in schema.LIVE_CONNECTIONS
        if column in found
    }
    for column in ("cross_account", "attached"):
        if column in cells:
            cells[column] = cells[column].str.lower().map({"true": True, "false": False})
    return schema.frame(schema.LIVE_CONNECTIONS, cells)


def summary_line(files: Sequence[str], routes: pd.DataFrame) -> str:
    """Return a line with the names of the files and the number of routes.

    Examples
    --------
    >>> import pandas as pd
    >>> summary_line(["a.csv"], pd.DataFrame(index=range(1200)))
    'a.csv: 1,200 routes'
    """
    names = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    return f"{printable(names)}: {pluralize(len(routes), 'route')}"


# -- routes -> plan --------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeleteOptions:
    """Which live routes a plan deletes, and rules that block rows of it."""

    PANEL: ClassVar = PLAN

    prune: Annotated[
        bool, typer.Option("--prune", help="Delete live routes that no row names.")
    ] = False
    max_delete: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Most deletions per connection, with --prune."),
    ] = None
    rules_file: RulesFile = None

    def arguments(self) -> dict[str, Any]:
        """Return the options about deletes, as arguments of `plan_routes`.

        Raises
        ------
        InputError
            If there is a limit of deletes, but no deletes.
        """
        if self.max_delete is not None and not self.prune:
            raise InputError("--max-delete without --prune", remedy="Add --prune, or leave it out")
        return {"prune": self.prune, "max_delete": self.max_delete}

    def refuse_with_plan(
        self, read: ReadOptions, quota: str | int | None, exceptions: Path | None
    ) -> None:
        """Refuse options that have no effect on a saved plan.

        Raises
        ------
        InputError
        """
        given = [
            field.name
            for group in (self, read)
            for field in fields(group)
            if getattr(group, field.name) not in (None, False, [])
        ]
        others = {"quota": quota, "exceptions": exceptions}
        given += [name for name, value in others.items() if value is not None]
        if given:
            option = given[0].replace("_", "-")
            raise InputError(
                f"--{option} cannot be used on a saved plan",
                remedy="Leave it out, or apply the inventory",
            )


@dataclass(frozen=True)
class PlanOptions(DeleteOptions):
    """Which changes to plan for an inventory."""

    only_connection: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Plan for this connection only. Repeatable."),
    ] = None
    only_network: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX", help="Plan for routes within this prefix only. Repeatable."),
    ] = None
    only_action: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACTION", help="Plan this action only: create, modify, delete. Repeatable."
        ),
    ] = None
    names: Names = False

    def plan(
        self,
        routes: pd.DataFrame,
        client: Client,
        connections: pd.DataFrame | None,
        quota: int | None,
        rules: Sequence[Rule] = (),
        findings: pd.DataFrame | Review | None = None,
    ) -> Plan:
        """Return the plan that makes the live routes agree with an inventory, within the options.

        Raises
        ------
        CloudError
            If the live routes cannot be read.
        PlanError
            If more routes would be deleted than `max_delete` allows.
        InputError
            If an action or a network is invalid.
        """
        from vcokit.live import live_routes
        from vcokit.rollout.plan import plan_routes

        wishes = self.arguments()
        plan = plan_routes(
            routes,
            live_routes(client, routes),
            connections=connections,
            quota=quota,
            rules=rules,
            findings=findings,
            **wishes,
        )
        only = {
            "connections": self.only_connection,
            "networks": self.only_network,
            "actions": self.only_action,
        }
        wanted = {name: value for name, value in only.items() if value}
        return plan.only(**wanted) if wanted else plan


def look_up_names(
    routes: pd.DataFrame, client: Client, *, names: bool
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the routes and None; with `names`, the routes by id and the live connections."""
    if not names:
        return routes, None
    from vcokit.audit import with_connection_ids
    from vcokit.live import live_connections

    connections = live_connections(client, routes)
    return with_connection_ids(routes, connections), connections


def quota_of(given: str | None, client: Client | None, on_note: OnNote = print_note) -> int | None:
    """Return the number of routes that a connection may have; None for the default.

    Parameters
    ----------
    given : str or None
        Value of `LiveQuota`.
    client : Client or None
        Reads the quota of the account.
    on_note : callable
        Called with the quota of the account, or with the reason why it could not be read.

    Examples
    --------
    >>> quota_of("70", None), quota_of(None, None)
    (70, None)
    """
    from vcokit.quotas import live_quota

    if given != LIVE or client is None:
        return None if given is None else int(given)
    found = live_quota(client)
    for note in found.notes or [f"{found.routes:,} routes per connection ({found.source})"]:
        on_note(note)
    return found.routes


# -- plan -> rollout -------------------------------------------------------------------------------

_HOUR: Final = 3600.0
_REST: Final = "rest"


@dataclass(frozen=True)
class RolloutOptions:
    """How fast and how far a rollout goes."""

    waves: Annotated[
        str | None,
        typer.Option(
            metavar="1,5,rest",
            help="Connections in each wave. If a step of a wave fails, the next does not begin.",
            rich_help_panel=PACE,
        ),
    ] = None
    stop_after: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Stop after N failed steps.", rich_help_panel=PACE),
    ] = None
    max_hours: Annotated[
        float | None,
        typer.Option(metavar="HOURS", help="Send nothing new after HOURS.", rich_help_panel=PACE),
    ] = None
    rate_share: RateShare = None
    window: Windows = None

    def arguments(self) -> dict[str, Any]:
        """Return the options that were given, as arguments of `Rollout`.

        Raises
        ------
        InputError
            If a value is invalid. This is checked before anything is read.

        Examples
        --------
        >>> RolloutOptions("1,5,rest", max_hours=0.5).arguments()
        {'waves': [1, 5, None], 'deadline': 1800.0}
        """
        if self.max_hours is not None and not self.max_hours > 0:
            raise InputError(f"--max-hours {self.max_hours:g}", remedy="Write a number above 0")
        found: dict[str, Any] = {
            "waves": None if self.waves is None else wave_sizes(self.waves, "connections"),
            "stop_after": self.stop_after,
            "deadline": None if self.max_hours is None else self.max_hours * _HOUR,
        }
        given = {name: value for name, value in found.items() if value is not None}
        return given | rate_arguments(self.rate_share, self.window)


def _check_limit(text: str | None) -> str | None:
    from vcokit.rollout.fleet_directory import is_limit

    if text is None or is_limit(_limit(text)):
        return text
    raise typer.BadParameter(f"{text!r} is neither a number of members nor a share such as 10%.")


def _limit(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


@dataclass(frozen=True)
class MemberOptions:
    """How many members of a fleet run at once, and when no other begins."""

    PANEL: ClassVar = PACE

    max_members: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most members that run at once.")
    ] = None
    waves: Annotated[
        str | None,
        typer.Option(
            metavar="1,5,rest",
            help="Members in each wave. The next wave begins when all members of the last one have "
            "finished and all of their steps are done.",
        ),
    ] = None
    stop_after: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            callback=_check_limit,
            help="Begin no other member after N failed members, or that share of all.",
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Return the options that were given, as arguments of `Fleet`.

        Raises
        ------
        InputError
            If a value is invalid.

        Examples
        --------
        >>> MemberOptions(waves="1,rest", stop_after="10%").arguments()
        {'waves': [1, None], 'stop_after': '10%'}
        """
        found: dict[str, Any] = {
            "max_members": self.max_members,
            "waves": None if self.waves is None else wave_sizes(self.waves, "members"),
            "stop_after": None if self.stop_after is None else _limit(self.stop_after),
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class FleetOptions(MemberOptions):
    """How fast and how far a fleet goes."""

    rate_share: RateShare = None
    window: Windows = None

    def arguments(self) -> dict[str, Any]:
        """Return the options that were given, as arguments of `Fleet`; see `MemberOptions`."""
        return super().arguments() | rate_arguments(self.rate_share, self.window)


def rate_arguments(rate_share: float | None, windows: Sequence[str] | None) -> dict[str, Any]:
    """Return those of the two that are given, as arguments of `Rollout`.

    Raises
    ------
    InputError
        If a value is invalid.
    """
    from vcokit.rollout.windows import Window

    if rate_share is not None and not 0 < rate_share <= 1:
        raise InputError(f"--rate-share {rate_share:g}", remedy="Write a number up to 1")
    for text in windows or ():
        Window.parse(text)
    found = {"rate_share": rate_share, "windows": windows or None}
    return {name: value for name, value in found.items() if value is not None}


def wave_sizes(text: str, things: str) -> list[int | None]:
    """Return the sizes of waves in a text such as ``1,5,rest``.

    Raises
    ------
    InputError
        It names the things that are counted.

    Examples
    --------
    >>> wave_sizes("1,5,rest", "connections")
    [1, 5, None]
    """
    words = [word.strip() for word in text.split(",")]
    sizes = words[:-1] if words[-1] == _REST else words
    if not all(word.isascii() and word.isdigit() and int(word[:9]) > 0 for word in sizes) or any(
        len(word) > 9 for word in words
    ):
        raise InputError(
            f"--waves {text!r}",
            remedy=f"Write numbers of {things}, each at least 1; the last may be rest: 1,5,rest",
        )
    return [None if word == _REST else int(word) for word in words]


#: Environment variable for the addresses of notifications, so that process lists do not show them.
NOTIFY: Final = "VCOKIT_NOTIFY"


class LogFormat(StrEnum):
    """Formats of the log of steps on standard error."""

    json = "json"
    text = "text"


@dataclass(frozen=True)
class LogOptions:
    """What is written about a rollout in addition to the output on the screen."""

    PANEL: ClassVar = LOG

    log_format: Annotated[
        LogFormat | None, typer.Option(help="Log each step as a line on standard error.")
    ] = None
    summary: Summary = None
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the change record when the rollout has ended, however it ended: .html, "
            ".md, .json or .csv.",
        ),
    ] = None
    notify: Annotated[
        list[Secret] | None,
        typer.Option(
            parser=Secret,
            metavar="URL",
            envvar=NOTIFY,
            show_envvar=False,
            help="Tell people when the rollout begins, stalls, fails, makes progress and ends: an "
            f"apprise address. Repeatable. Better out of sight in {NOTIFY}.",
        ),
    ] = None
    metrics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.prom",
            help="Keep a file of metrics for Prometheus' node_exporter up to date.",
        ),
    ] = None

    def followers(self, on_warning: OnNote) -> list[Follower]:
        """Return the observers for these options.

        Raises
        ------
        InputError
            If an address or the file cannot be used, or a library is not installed.
        """
        followers: list[Follower] = []
        if self.notify:
            from vcokit.monitoring.notify import Notifier

            followers.append(Notifier(self.notify, on_warning=on_warning))
        if self.metrics:
            from vcokit.monitoring.metrics import MetricsFile

            followers.append(MetricsFile(self.metrics, on_warning=on_warning))
        return followers


@dataclass(frozen=True)
class ApprovalOptions:
    """Who approved a change and which ticket asks for it, for the change record."""

    PANEL: ClassVar = LOG

    approved_by: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Who approved the change.")
    ] = None
    ticket: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Ticket that asks for the change.")
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Return the options that were given, as arguments of `Rollout`.

        Raises
        ------
        InputError
            If a value is empty.
        """
        from vcokit.rollout.provenance import approval

        return approval(approved_by=self.approved_by, ticket=self.ticket)


# -- which cloud -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CloudOptions:
    """Which cloud a command uses: the real cloud, or a simulator."""

    PANEL: ClassVar = CLOUD

    simulate: Simulate = False
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Use the AccessKey of this profile of the vendor's CLI."),
    ] = None
    scenario: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use a simulator that holds what this TOML file says."),
    ] = None
    facts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Use a simulator that behaves as vcokit probe saw the account, by its probe.json.",
        ),
    ] = None
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Use a simulator that plays again what --record wrote. The inventory is its "
            "routes.csv.",
        ),
    ] = None
    speed: Speed = None
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write all calls and answers into a new folder, for a bug report: without keys, "
            "with pseudonyms for ids, addresses, names and descriptions.",
        ),
    ] = None

    @property
    def simulated(self) -> bool:
        """Whether the options select a simulated cloud."""
        made_of = (self.scenario, self.facts, self.replay)
        return self.simulate or any(one is not None for one in made_of)

    @property
    def may_be_simulated(self) -> bool:
        """Whether the cloud may be simulated: also with an endpoint that may be a simulator.

        Whether an endpoint on this machine is a simulator is only known from its answer.
        """
        return self.simulated or may_be_simulator(config.get("endpoint"))

    @property
    def resume_args(self) -> str:
        """The options with which another command uses the same cloud.

        Examples
        --------
        >>> CloudOptions(scenario=Path("my cloud.toml")).resume_args, CloudOptions().resume_args
        (" --scenario 'my cloud.toml'", '')
        """
        files = {"--scenario": self.scenario, "--facts": self.facts, "--replay": self.replay}
        named = [f" {name} {shlex.quote(str(path))}" for name, path in files.items() if path]
        if named or self.simulate:
            return "".join(named) or " --simulate"
        return f" --profile {shlex.quote(self.profile)}" if self.profile else ""

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises
        ------
        InputError
        """
        if self.simulated and self.profile is not None:
            raise InputError(
                "--profile is for the real cloud", remedy="Leave it out, or leave out --simulate"
            )
        if self.replay is not None and (self.scenario or self.facts):
            raise InputError(
                "--replay cannot be combined with --scenario or --facts",
                remedy="Leave out --scenario and --facts",
            )
        if not self.simulated and self.speed is not None:
            raise InputError(
                "--speed is for the simulator", remedy="Add --simulate, or leave it out"
            )

    @contextmanager
    def connect(
        self,
        routes: pd.DataFrame,
        live: pd.DataFrame | None = None,
        *,
        on_note: OnNote = print_note,
    ) -> Iterator[Client]:
        """Yield a client of the selected cloud; report the endpoint if the user has set one.

        Parameters
        ----------
        routes : DataFrame
            Rows whose connections a simulator has.
        live : DataFrame, optional
            Routes that a simulator holds at the start.
        on_note : callable
            Called with the note about the endpoint.

        Raises
        ------
        InputError
            If options contradict each other, or the scenario cannot be used.
        CredentialsError
            If there is no AccessKey.
        """
        from vcokit.cloud.connect import connect

        self.check()
        if not self.simulated:
            with connect(profile=self.profile, record=self.record) as client:
                self._record(client, routes)
                _say_endpoint(client, on_note)
                yield client
            return
        with (
            self._simulator(routes, live) as cloud,
            connect(cloud, record=self.record) as client,
        ):
            self._record(client, routes)
            yield client

    def _record(self, client: Client, routes: pd.DataFrame) -> None:
        if self.record is not None and len(routes):
            client.record_routes(routes)

    def _simulator(self, routes: pd.DataFrame, live: pd.DataFrame | None) -> Any:
        from vcokit.simulator import Simulator
        from vcokit.simulator.scenario import connections_for, quota_for, read_scenario

        try:
            if self.replay is not None:
                return Simulator.replay(self.replay, speed=config.get("speed", self.speed))
            options = {} if self.scenario is None else read_scenario(self.scenario)
            if self.speed is not None or "speed" not in options:
                options["speed"] = config.get("speed", self.speed)
            if live is not None:
                options["routes"] = _live_in_simulator(live)
            if self.facts is not None:
                options["facts"] = self.facts
            if "connections" not in options:
                owner = [account.account_id for account in options.get("accounts", ())[:1]]
                options["connections"] = connections_for(routes, options.get("seed", 0), *owner)
                if self.facts is None:
                    options.setdefault("quota", quota_for(routes) + _most_live(live))
            return Simulator(**options)
        except ValueError as error:
            raise InputError(str(error)) from None


def _say_endpoint(client: Client, on_note: OnNote) -> None:
    """Report the endpoint if the user has set one."""
    if client.endpoint_note:
        kind = ", which is a simulator" if client.simulated else ""
        on_note(f"{client.endpoint_note}{kind}")


def _live_in_simulator(live: pd.DataFrame) -> list[Any]:
    """Return live routes as routes of a simulator."""
    from vcokit.simulator import Route

    columns = ["vpn_connection_id", "route_dest", "weight", "next_hop"]
    return [Route(*row) for row in live[columns].itertuples(index=False)]


def _most_live(live: pd.DataFrame | None) -> int:
    """Return the largest number of live routes of a connection."""
    return 0 if live is None or live.empty else int(live["vpn_connection_id"].value_counts().max())


#: The file of members if no other is named.
FLEET_FILE: Final = Path("fleet.toml")


@dataclass(frozen=True)
class FleetCloudOptions:
    """Which accounts a command uses: those of a file, or those of a simulator."""

    PANEL: ClassVar = CLOUD

    fleet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of the members of the fleet, and the profile of each. Default: "
            f"{FLEET_FILE}.",
            rich_help_panel="Options",
        ),
    ] = None
    simulate: Simulate = False
    speed: Speed = None

    @property
    def file(self) -> Path:
        """The file of members."""
        return self.fleet or FLEET_FILE

    @property
    def simulated(self) -> bool:
        """Whether the options select a simulated cloud."""
        return self.simulate

    @property
    def may_be_simulated(self) -> bool:
        """Whether the cloud may be simulated; see `CloudOptions.may_be_simulated`."""
        return self.simulate or may_be_simulator(config.get("endpoint"))

    @property
    def resume_args(self) -> str:
        """The options with which another command uses the same accounts."""
        if self.simulate:
            return " --simulate"
        return "" if self.fleet is None else f" --fleet {shlex.quote(str(self.fleet))}"

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises
        ------
        InputError
        """
        if self.simulate and self.fleet is not None:
            raise InputError(
                "--fleet is for the real cloud", remedy="Leave it out, or leave out --simulate"
            )
        if not self.simulate and self.speed is not None:
            raise InputError(
                "--speed is for the simulator", remedy="Add --simulate, or leave it out"
            )

    @contextmanager
    def connect(
        self,
        routes: pd.DataFrame,
        live: pd.DataFrame | None = None,
        *,
        on_note: OnNote = print_note,
    ) -> Iterator[Mapping[str, Connect]]:
        """Yield how to connect to each account; report the endpoint if the user has set one.

        Parameters
        ----------
        routes : DataFrame
            Rows with a column ``account``. A simulator has their accounts and connections.
        live : DataFrame, optional
            Routes that a simulator holds at the start.
        on_note : callable
            Called with the note about the endpoint.

        Raises
        ------
        InputError
            If options contradict each other, or the file of members cannot be used.
        """
        from vcokit.rollout.fleet_plan import read_fleet

        self.check()
        if self.simulate:
            with self._on_simulator(routes, live) as clients:
                yield clients
            return
        clients = read_fleet(self.file)
        if config.get("endpoint"):
            with next(iter(clients.values()))() as client:
                _say_endpoint(client, on_note)
        yield clients

    @contextmanager
    def _on_simulator(
        self, routes: pd.DataFrame, live: pd.DataFrame | None
    ) -> Iterator[Mapping[str, Connect]]:
        from vcokit.cloud.connect import connect
        from vcokit.rollout.fleet_directory import refuse_names
        from vcokit.rollout.fleet_plan import ACCOUNT
        from vcokit.simulator import Account, Simulator
        from vcokit.simulator.scenario import connections_for, quota_for

        schema.require_columns(routes, (ACCOUNT,), what="routes of a fleet")
        named = schema.text_column(routes[ACCOUNT])
        members = list(named.dropna().unique())
        refuse_names(members)
        accounts = [Account(name, f"key-{n}", f"secret-{n}") for n, name in enumerate(members)]
        try:
            cloud = Simulator(
                [
                    one
                    for name in members
                    for one in connections_for(routes[(named == name).to_numpy()], 0, name)
                ],
                accounts=accounts,
                routes=() if live is None else _live_in_simulator(live),
                quota=quota_for(routes) + _most_live(live),
                speed=config.get("speed", self.speed),
            )
        except ValueError as error:
            raise InputError(str(error)) from None
        with cloud:
            yield {
                one.account_id: partial(connect, cloud, credentials=one.credentials)
                for one in accounts
            }


# -- groups as parameters --------------------------------------------------------------------------


def flatten_option_groups(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command for typer in which the fields of each group replace the group.

    Parameters
    ----------
    function : callable
        A command. Its parameters that are annotated with a dataclass are groups.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Place:
    ...     region: str = "cn-hangzhou"
    >>> def where(name, place):
    ...     return f"{name} in {place.region}"
    >>> where.__annotations__ = {"name": str, "place": Place}
    >>> command = flatten_option_groups(where)
    >>> str(inspect.signature(command)), command(name="a", region="eu")
    ("(*, name: str, region: str = 'cn-hangzhou')", 'a in eu')
    """
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, Any] = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if is_dataclass(parameter.annotation)
    }

    def command(**given: Any) -> Any:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        return function(**given)

    flat = list(_flat(signature))
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__module__ = function.__module__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    command.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return command


def _flat(signature: inspect.Signature) -> Iterator[inspect.Parameter]:
    for parameter in signature.parameters.values():
        kind = parameter.annotation
        if not is_dataclass(kind):
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        hints = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=_in_panel(hints[field.name], getattr(kind, "PANEL", None)),
            )


def _in_panel(annotation: Any, panel: str | None) -> Any:
    """Return the annotation of an option, in the panel of its group if it has no panel itself."""
    if panel is None or not hasattr(annotation, "__metadata__"):
        return annotation
    kind, option = get_args(annotation)
    option = copy.copy(option)
    option.rich_help_panel = option.rich_help_panel or panel
    return Annotated[kind, option]
