"""``vcokit config``, ``policy``, ``simulate``, ``demo`` and ``completion``: help to get started."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Mapping
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vcokit import config
from vcokit._text import printable
from vcokit.cli import COMPLETE, ExitCode
from vcokit.cli.console import (
    check_output_paths,
    console,
    dumps,
    error_console,
    findings_by_rule,
    table,
)
from vcokit.cli.options import ReadOptions
from vcokit.errors import InputError, VcokitError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from vcokit.rollout.plan import Plan
    from vcokit.rollout.rollout import Rollout
    from vcokit.simulator import Simulator

# -- config ----------------------------------------------------------------------------------------

_PROFILES: Final = "~/.aliyun/config.json"
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


def config_command(
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Show the AccessKey of this profile of the vendor's CLI."
        ),
    ] = None,
) -> None:
    """Show the settings in force and where each comes from.

    Options win over the environment (VCOKIT_…), the environment over vcokit.toml in the working
    folder, and that over the defaults. Secrets are masked.

    Example: vcokit config --json
    """
    settings = config.in_force()
    key = _key(profile)
    names = [name for one in _PROXIES for name in (one, one.lower())]
    proxies = {name: config.masked(os.environ[name]) for name in names if os.environ.get(name)}
    # Variables that look like a setting but are unknown: most likely mistyped.
    known = {config.PREFIX + name.upper() for name in config.SETTINGS}
    unknown = sorted(n for n in os.environ if n.startswith(config.PREFIX) and n not in known)
    if json:
        facts = {"settings": settings.to_dict("records"), "key": key}
        print(dumps({**facts, "proxies": proxies, "unknown": unknown}))
        return
    screen = console()
    screen.print(table("Settings", settings.columns, settings.itertuples(index=False)))
    screen.print(f"\nAccessKey  {printable(key)}")
    for name, value in proxies.items():
        screen.print(f"{name}  {printable(value)}")
    for name in unknown:
        error_console().print(f"{printable(name)}: no such setting")


def _key(profile: str | None) -> str:
    """Return where a command would find its key, without using the key or calling a service.

    If a command would refuse the key, such as half a key or an unknown profile, return the error.
    """
    from vcokit.cloud.credentials import from_environment, read_profile

    path = Path.home() / ".aliyun" / "config.json"
    try:
        if profile is None:
            found = from_environment(os.environ)
            if found is not None:
                return f"{found!r} (environment)"
            profile = os.environ.get("ALIBABA_CLOUD_PROFILE") or None
            if profile is None and not path.is_file():
                return (
                    "none in the environment or a profile; the official package is asked if it "
                    "is installed"
                )
        return f"of the profile {read_profile(path, profile)['name']} ({_PROFILES})"
    except VcokitError as error:
        return f"none: {error}"


# -- policy ----------------------------------------------------------------------------------------

_LOOK: Final = ("DescribeVcoRouteEntries",)
_ROLLOUT: Final = (
    *_LOOK,
    "DescribeVpnConnection",
    "DescribeVpnConnections",  # reads many connections in one call; without it, one call each
    "CreateVcoRouteEntry",
    "ModifyVcoRouteEntryWeight",
)
_DELETE: Final = ("DeleteVcoRouteEntry",)
_CONNECTIONS: Final = ("DescribeVpnConnections", "DescribeVpnAttachments")

_QUOTA: Final = ("ListProductQuotas",)

#: Operations of a probe with its sandbox. Without the sandbox, its writes are dry runs, which need
#: the same permissions.
PROBE: Final = (*_ROLLOUT, *_DELETE, *_QUOTA)

#: Operations that each command may call on the real cloud.
COMMAND_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "audit": (),
    "plan": _LOOK,
    "apply": _ROLLOUT,  # deletes nothing without --prune; see `prune` in OPTION_NEEDS
    "resume": (*_ROLLOUT, *_DELETE),  # the rollout may have been started with --prune
    "status": (),
    "report": (),
    "undo": (*_ROLLOUT, *_DELETE),
    "fleet plan": _LOOK,
    "fleet apply": _ROLLOUT,
    "fleet resume": (*_ROLLOUT, *_DELETE),
    "fleet status": (),
    "fleet report": (),
    "fleet undo": (*_ROLLOUT, *_DELETE),
    "verify": _LOOK,
    "live": (*_LOOK, *_CONNECTIONS),
    "diff": _LOOK,
    "quota": _QUOTA,
    "probe": PROBE,
    "explain": (),
    "aggregate": (),
    "policy": (),
    "config": (),
    "simulate": (),
    "demo": (),
    "completion": (),
}

#: Operations that no command calls but the library does: `live_connections` before an audit.
PREFLIGHT: Final = (*_CONNECTIONS, "DescribeVpnConnection")

#: Operations that options need in addition to those of their command.
OPTION_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "preflight": PREFLIGHT,
    "names": _CONNECTIONS,
    "prune": _DELETE,
    "tunnels": ("DescribeVpnConnections", "DiagnoseVpnConnections"),
    "transit-router": (
        *_CONNECTIONS,
        "ListTransitRouterRouteTables",
        "ListTransitRouterRouteEntries",
    ),
}

#: Operations of the key that assumes roles in other accounts. The policies above are then those of
#: the roles.
CALLER_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {"roles": ("AssumeRole",)}


def policy_command(
    commands: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="Commands that the policy is for. Default: all, with all options.",
        ),
    ] = None,
    region: Annotated[
        str, typer.Option(metavar="REGION", help="Region that the policy is for; * is any.")
    ] = "*",
    account: Annotated[
        str, typer.Option(metavar="NUMBER", help="Number of the account; * is any.")
    ] = "*",
    connection: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Connection that the policy is for. Repeatable."),
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Role that the key may assume, with COMMAND roles; * is any."
        ),
    ] = "*",
) -> None:
    """Print the RAM policy that commands need, as JSON to paste into the vendor's console.

    A COMMAND can also be names, prune, tunnels or transit-router, for what these options need, or
    preflight, for reading live connections. For --quota live it is quota. With roles in other
    accounts, the roles need the policy of the commands, and the key that assumes them needs that
    of roles.

    Example: vcokit policy plan apply --region cn-hangzhou
    """
    from vcokit.cloud.policy import policy_document

    known = {**COMMAND_NEEDS, **OPTION_NEEDS, **CALLER_NEEDS}
    chosen = commands or [*COMMAND_NEEDS, *OPTION_NEEDS]
    for name in chosen:
        if name not in known:
            raise InputError(
                f"there is no command {name!r}", remedy=f"The commands are {', '.join(known)}"
            )
    operations = {name for command in chosen for name in known[command]}
    if not operations:
        error_console().print(f"{', '.join(chosen)}: calls nothing in the cloud, needs no policy")
        return
    document = policy_document(
        operations, region=region, account=account, connections=connection or (), role=role
    )
    print(json.dumps(document, indent=2))


# -- simulate --------------------------------------------------------------------------------------


def simulate_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Inventory whose connections the simulator has."),
    ] = None,
    scenario: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file: accounts, connections, routes, limits, switches, faults.",
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Port to listen on; 0 means any free port."
        ),
    ] = 0,
    speed: Annotated[
        float | None,
        typer.Option(metavar="N", help="The clock runs N times faster. Default: 1."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of all random choices. Default: 0.")
    ] = None,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow a --host that is not a loopback address.")
    ] = False,
    *,
    read: ReadOptions,
) -> None:
    """Serve the simulated API on this machine until Ctrl-C.

    Options win over the scenario.

    Example: vcokit simulate routes.csv --port 8080
    """
    given = {"speed": speed, "seed": seed}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options |= {"port": port, "host": host, "allow_remote": allow_remote}
    cloud, has_own_keys = _simulator(file, read, scenario, options)
    try:
        cloud.start()
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            remedy="Name another --port, or leave it out",
        ) from None
    with cloud:
        # Before the first line is printed, because its reader may interrupt at once.
        interrupted = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: interrupted.set())
        # The first line is for programs that start the simulator: they wait for it.
        print(f"listening on {cloud.endpoint}", flush=True)
        _print_keys(cloud, host=host, has_own_keys=has_own_keys)
        interrupted.wait()


def _simulator(
    file: Path | None, read: ReadOptions, scenario: Path | None, options: dict[str, Any]
) -> tuple[Simulator, bool]:
    """Return the simulator, and whether its keys come from the user's scenario and are secret."""
    from vcokit.simulator import Simulator
    from vcokit.simulator.scenario import read_scenario

    try:
        written = {} if scenario is None else read_scenario(scenario)
        has_own_keys = "accounts" in written
        options = {**written, **options}
        if file is None:
            return Simulator(**options), has_own_keys
        if "connections" in written:
            raise InputError(
                f"{file} and {scenario} both name connections",
                remedy="Remove [[connections]] from the scenario, or leave FILE out",
            )
        options.setdefault("speed", 1.0)
        return Simulator.for_routes(read.read([str(file)]), **options), has_own_keys
    except ValueError as error:
        raise InputError(str(error)) from None


def _print_keys(cloud: Simulator, *, host: str, has_own_keys: bool) -> None:
    from vcokit.simulator.server import is_loopback

    messages, keys = error_console(), cloud.credentials
    messages.print(f"ALIBABA_CLOUD_ACCESS_KEY_ID={keys.access_key_id}")
    if not has_own_keys:
        # Keys that the simulator generates are not secret: they give access to nothing else.
        messages.print(f"ALIBABA_CLOUD_ACCESS_KEY_SECRET={keys.access_key_secret}")
    if not is_loopback(host):
        messages.print(
            f"WARNING: listening on {host}, where other machines may reach it. Keys, routes and "
            "everything else travel in clear text over plain HTTP. Stop it when you are done.",
            soft_wrap=True,
            style="bold red",
        )


# -- demo ------------------------------------------------------------------------------------------

#: Shortest and longest duration of a task in the demo, in simulated seconds.
_TASK_SECONDS: Final = (2.0, 5.0)


def demo_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Inventory. Default: the one that vcokit brings."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Folder for the report, plots and journal."
        ),
    ] = Path("out"),
    speed: Annotated[
        float | None, typer.Option(metavar="N", help="The cloud's clock runs N times faster.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin with an empty cloud, not with the last demo's.")
    ] = False,
    *,
    read: ReadOptions,
) -> int:
    """Read, audit, plan, apply and verify a real inventory against a simulated cloud.

    The simulated cloud is kept in the output folder: a second demo finds the routes of the first,
    as it would in a real cloud, and has nothing to create.

    Example: vcokit demo --out demo
    """
    from vcokit.audit import audit_routes
    from vcokit.cli.journals import command_to_resume
    from vcokit.cli.run import show_rollout
    from vcokit.cloud.connect import connect
    from vcokit.live import live_routes
    from vcokit.reports import record_text
    from vcokit.reports.record import change_record
    from vcokit.rollout.plan import plan_routes
    from vcokit.rollout.reconcile import verify_routes
    from vcokit.rollout.rollout import Rollout

    screen = console()
    kept, journal = out / "cloud.json", out / "rollout.simulated.db"
    file = file or find_inventory()
    check_output_paths({"--out": kept}, [file], journals=[journal])
    if fresh:
        # Delete only the file of the last demo: the folder may contain other files of the user.
        kept.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    routes = read.read([str(file)])
    findings = audit_routes(routes)
    _print_audit(screen, file, routes, findings)
    cloud = _kept_cloud(routes, kept, config.get("speed", speed))
    with cloud, connect(cloud) as client:
        live = live_routes(client, routes)
        plan = plan_routes(routes, live, findings=findings)
        screen.print(
            f"cloud   simulator at {cloud.endpoint}, clock {cloud.speed:g} times faster, "
            f"{len(live):,} routes live"
        )
        screen.print(f"plan    {plan.fingerprint[:12]}: {plan}")
        if not plan.counts["create"] and len(live):
            screen.print("        (start again with: vcokit demo --fresh)")
        journal.unlink(missing_ok=True)
        rollout = Rollout(plan, client, journal=journal)
        try:
            resume = command_to_resume(rollout.journal, " --simulate")
            show_rollout(rollout, client, screen, resume)
        finally:
            cloud.save(kept)
        live = live_routes(client, routes)
    differences, again = verify_routes(routes, live), plan_routes(routes, live)
    record, page = change_record(rollout.journal), out / "report.html"
    record.write(page)
    numbers = record_text.numbers(record.facts).items()
    screen.print()
    screen.print(table("Result", ("routes", ""), [(f"{n:,}", name) for name, n in numbers]))
    verdicts = differences["verdict"].value_counts()
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items())
    screen.print(f"\nverify  {counts}")
    screen.print(f"again   a new plan would be: {again}")
    pictures = _draw(rollout.frame(), out)
    screen.print(f"see     {', '.join(map(str, [page, *pictures]))}")
    return _demo_code(rollout, differences, again)


def _draw(steps: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the plots of a rollout as image files, and replace those of the last demo."""
    from matplotlib.figure import Figure

    from vcokit import plots

    drawn = {"weight_distribution": steps[steps["action"] != "blocked"]}
    if steps["sent_at"].notna().any():
        drawn["rollout_progress"] = steps
    (folder / "rollout_progress.png").unlink(missing_ok=True)
    found = []
    for name, frame in drawn.items():
        found.append(folder / f"{name}.png")
        figure = Figure(figsize=(9, 6), layout="constrained")
        getattr(plots, name)(frame, figure.subplots())
        figure.savefig(found[-1], dpi=120)
    return found


def find_inventory() -> Path:
    """Return the inventory that comes with vcokit, from the checkout or else from the package."""
    checkout = Path(__file__).parents[2] / "data" / "routes.csv"
    if checkout.is_file():
        return Path("data/routes.csv") if Path("data/routes.csv").is_file() else checkout
    packaged = Path(str(resources.files("vcokit.cli"))) / "routes.csv"
    if not packaged.is_file():
        raise InputError("the demo's inventory is missing", remedy="Name a CSV: vcokit demo FILE")
    return packaged


def _kept_cloud(routes: pd.DataFrame, kept: Path, speed: float) -> Any:
    """Return the simulated cloud of the last demo if it has all connections, else a new one."""
    from vcokit.live import connections_of
    from vcokit.simulator import Simulator

    options = {"speed": speed, "seed": config.get("seed"), "task_seconds": _TASK_SECONDS}
    fresh = Simulator.for_routes(routes, **options)
    if not kept.is_file():
        return fresh
    try:
        last = Simulator.load(kept, **{**options, "quota": fresh.quota})
    except ValueError as error:
        raise InputError(str(error), remedy="Start again with vcokit demo --fresh") from None
    known = set(last.connections()["vpn_connection_id"])
    return last if {name for _, name in connections_of(routes)} <= known else fresh


def _print_audit(
    console: Console, file: Path, routes: pd.DataFrame, findings: pd.DataFrame
) -> None:
    from vcokit.audit.columns import count_connections
    from vcokit.audit.findings import by_severity

    regions = routes["region_id"].nunique()
    console.print(
        f"read    {printable(file)}: {len(routes):,} routes, "
        f"{count_connections(routes)} connections, {regions} regions"
    )
    counts = ", ".join(
        f"{count:,} rows with {name}" for name, count in by_severity(findings).items()
    )
    console.print(f"audit   {counts}\n")
    console.print(findings_by_rule(findings))
    console.print()


def _demo_code(rollout: Rollout, differences: pd.DataFrame, again: Plan) -> ExitCode:
    """Return the exit code of the demo.

    It is 0 if every step that was not blocked is done and the live routes are as planned.
    """
    tally = rollout.tally()
    done = tally.states["done"] + tally.states["blocked"] == tally.total
    right = (differences["verdict"] == "as planned").all()
    nothing_left = not (again.counts["create"] or again.counts["modify"])
    return ExitCode.OK if done and right and nothing_left else ExitCode.FAILED


# -- completion ------------------------------------------------------------------------------------


class Shell(StrEnum):
    """Shells for which there is a completion script."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


def completion_command(
    shell: Annotated[Shell, typer.Argument(help="Your shell.", metavar="SHELL")],
) -> None:
    """Print the script by which a shell completes commands and options.

    Example: vcokit completion bash > ~/.local/share/bash-completion/completions/vcokit
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="vcokit", complete_var=COMPLETE, shell=shell.value))
