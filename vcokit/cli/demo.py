"""``vcokit demo``: the whole loop on a real inventory, against the simulator.

The simulated cloud is kept in the output folder, so that a second demo finds the routes of the
first, as it would in a real cloud, and has nothing to create.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import pandas as pd
import typer
from rich.console import Console

from vcokit import config
from vcokit._text import printable
from vcokit.audit import audit_routes
from vcokit.audit.columns import count_connections
from vcokit.audit.findings import by_severity
from vcokit.cli import report as report_file
from vcokit.cli import show
from vcokit.cli.exits import Exit
from vcokit.cli.outputs import keep_apart
from vcokit.cli.reading import Reading
from vcokit.cli.running import forecast_and_follow, resume_command_of
from vcokit.cloud.connect import connect
from vcokit.errors import InputError
from vcokit.live import connections_of, live_routes
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.reconcile import verify_routes
from vcokit.rollout.rollout import Rollout

#: Time the demo's simulator takes over a task, simulated seconds.
_TASK_SECONDS: Final = (2.0, 5.0)


def demo_command(
    reading: Reading,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Inventory. By default vcokit's own.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report, plots and journal.")] = Path("out"),
    speed: Annotated[
        float | None, typer.Option(help="How many times faster the cloud's clock runs.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the cloud of the last demo.")
    ] = False,
) -> int:
    """Read, audit, plan, apply and verify a real inventory against a simulated cloud."""
    shown = show.console()
    kept, journal = out / "cloud.json", out / "rollout.simulated.db"
    file = file or find_inventory()
    keep_apart({"--out": kept}, [file], journals=[journal])
    if fresh:
        # What the last demo left, and nothing else: the folder may be anyone's.
        kept.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    routes = reading.read([str(file)])
    findings = audit_routes(routes)
    _say_read(shown, file, routes, findings)
    cloud = _cloud(routes, kept, config.get("speed", speed))
    with cloud, connect(cloud) as client:
        live = live_routes(client, routes)
        plan = plan_routes(routes, live)
        _say_plan(shown, cloud, live, plan)
        journal.unlink(missing_ok=True)
        rollout = Rollout(plan, client, journal=journal)
        try:
            go_on = resume_command_of(rollout.journal, " --simulate")
            forecast_and_follow(rollout, client, shown, go_on)
        finally:
            cloud.save(kept)
        differences = verify_routes(routes, live_routes(client, routes))
        again = plan_routes(routes, live_routes(client, routes))
    facts = _facts(routes, findings, rollout, differences)
    _say_end(shown, facts, again, report_file.write(facts, out))
    return _exit_code(rollout, differences, again)


def find_inventory() -> Path:
    """Return the inventory that comes with vcokit: of the checkout, else of the package."""
    checkout = Path(__file__).parents[2] / "data" / "routes.csv"
    if checkout.is_file():
        return Path("data/routes.csv") if Path("data/routes.csv").is_file() else checkout
    packaged = Path(str(resources.files("vcokit.cli"))) / "routes.csv"
    if not packaged.is_file():
        raise InputError("the demo's inventory is not here", remedy="Name a CSV: vcokit demo FILE")
    return packaged


def _cloud(routes: pd.DataFrame, kept: Path, speed: float) -> Any:
    """Return the simulated cloud: that of the last demo if it has all connections, else anew."""
    from vcokit.simulator import Simulator

    options = {"speed": speed, "seed": config.get("seed"), "task_seconds": _TASK_SECONDS}
    fresh = Simulator.for_routes(routes, **options)
    if not kept.is_file():
        return fresh
    try:
        last = Simulator.load(kept, **{**options, "quota": fresh.quota})
    except ValueError as error:
        raise InputError(str(error), remedy="Start anew with vcokit demo --fresh") from None
    there = set(last.connections()["vpn_connection_id"])
    return last if {name for _, name in connections_of(routes)} <= there else fresh


# -- what it says -------------------------------------------------------------------------------


def _say_read(shown: Console, file: Path, routes: pd.DataFrame, findings: pd.DataFrame) -> None:
    regions = routes["region_id"].nunique()
    shown.print(
        f"read    {printable(file)}: {len(routes):,} routes, "
        f"{count_connections(routes)} connections, {regions} regions",
        markup=False,
    )
    counted = by_severity(findings)
    said = ", ".join(f"{count:,} rows with {name}" for name, count in counted.items())
    shown.print(f"audit   {said}\n", markup=False)
    shown.print(show.findings_by_rule(findings))
    shown.print()


def _say_plan(shown: Console, cloud: Any, live: pd.DataFrame, plan: Plan) -> None:
    shown.print(
        f"cloud   simulator at {cloud.endpoint}, clock {cloud.speed:g} times faster, "
        f"{len(live):,} routes live",
        markup=False,
    )
    shown.print(f"plan    {plan.fingerprint[:12]}: {plan}", markup=False)
    if not plan.counts["create"] and len(live):
        shown.print("        (start anew with: vcokit demo --fresh)", markup=False)


def _facts(
    routes: pd.DataFrame, findings: pd.DataFrame, rollout: Rollout, differences: pd.DataFrame
) -> report_file.Facts:
    steps = rollout.frame()
    done = steps["state"] == "done"
    verdicts = differences["verdict"].value_counts()
    numbers = {
        "routes read": len(routes),
        "rows with an error": by_severity(findings)["error"],
        "planned": len(rollout.plan) - rollout.plan.counts["blocked"],
        "blocked": rollout.plan.counts["blocked"],
        "created": int((done & (steps["action"] == "create")).sum()),
        "kept": int((done & (steps["action"] == "keep")).sum()),
        "failed": int((steps["state"] == "failed").sum()),
        "verified live": int(verdicts["as planned"]),
    }
    return report_file.Facts(
        title="Rollout against the simulator",
        routes=routes,
        findings=findings,
        plan=rollout.plan,
        steps=steps,
        calls=rollout.calls(),
        differences=differences,
        numbers={says: f"{number:,}" for says, number in numbers.items()},
    )


def _say_end(shown: Console, facts: report_file.Facts, again: Plan, written: list[Path]) -> None:
    shown.print()
    shown.print(show.table("Result", ("routes", ""), [(n, s) for s, n in facts.numbers.items()]))
    differences = facts.differences["verdict"].value_counts()
    said = ", ".join(f"{count:,} {verdict}" for verdict, count in differences.items())
    shown.print(f"\nverify  {said}", markup=False)
    shown.print(f"again   a new plan would be: {again}", markup=False)
    shown.print(f"see     {', '.join(str(path) for path in written)}", markup=False)


def _exit_code(rollout: Rollout, differences: pd.DataFrame, again: Plan) -> int:
    """Return 0 if every step that was not blocked is done and the live routes equal the plan."""
    tally = rollout.tally()
    done = tally.states["done"] + tally.states["blocked"] == tally.total
    right = (differences["verdict"] == "as planned").all()
    nothing_left = not (again.counts["create"] or again.counts["modify"])
    return Exit.OK if done and right and nothing_left else Exit.FAILED
