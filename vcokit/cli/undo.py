"""``vcokit undo``: take back what a rollout provably did, as a plan of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcokit.cli import show
from vcokit.cli.apply import JournalPath, TakeOver
from vcokit.cli.exits import Exit
from vcokit.cli.journals import Standing, new_journal, refuse_held, refuse_stranger
from vcokit.cli.plan import PlanFormat, save_plan, say_gaps, show_plan
from vcokit.cli.reach import Reach
from vcokit.cli.running import Pace, Yes, conduct, may_send, resume_command_of
from vcokit.cli.saying import Saying
from vcokit.live import live_routes
from vcokit.rollout import rehearsal
from vcokit.rollout.journal import Journal
from vcokit.rollout.rollout import Rollout
from vcokit.rollout.undo import undo_plan


def undo_command(
    journal: JournalPath,
    reach: Reach,
    pace: Pace,
    saying: Saying,
    undo_journal: Annotated[
        Path | None, typer.Option(help="Journal to make. By default JOURNAL with .undo.db.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the plan to a file and send nothing.")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        PlanFormat, typer.Option(help="How the plan is shown.")
    ] = PlanFormat.text,
    allow_gap: Annotated[
        bool, typer.Option("--allow-gap", help="Also where addresses are uncovered in between.")
    ] = False,
    take_over: TakeOver = False,
    yes: Yes = False,
) -> int:
    """Take back what a rollout provably did.

    The plan is shown first. What is not proven to be this rollout's doing is listed as blocked and
    left alone. The undoing has a journal of its own and can be resumed, and undone, like any other.
    """
    with saying.account(reach.scenario, journal, journal=undo_journal, save=save) as account:
        shown, wishes = show.console(), pace.given()
        refuse_stranger(journal, reach)
        if take_over:
            Journal.open(journal, take_over=True).close()
        # Read, not opened: what is taken back is not written to.
        with Journal.read(journal) as read:
            read.check()
            refuse_held(read)
            steps, calls, quota = read.steps(), read.calls(), read.plan().quota
            simulated = read.simulated
        standing = Standing.of(journal)
        path = undo_journal or journal.with_suffix(".undo.db")
        if save is None:
            new_journal(path, [], simulated=reach.simulated, option="--undo-journal")
            account.needs(path)
        with reach.connected(standing.routes, standing.live, say=saying.note) as client:
            rehearsal.refuse_journal(journal, simulated, client=client.simulated)
            live = live_routes(client, standing.routes)
            plan = account.plan = undo_plan(steps, calls, live, quota=quota)
            if save is not None:
                # Before it is shown: whoever reads our output may have read enough.
                save_plan(plan, save)
            if len(plan):
                show_plan(plan, format)
            shown.print(f"Plan {plan.fingerprint[:12]}: {plan}", markup=False)
            say_gaps(plan)
            if save is not None:
                return account.ends(Exit.OK)
            if not may_send(plan, ask=not (yes or reach.simulated)):
                shown.print("Nothing was sent.")
                return account.ends(Exit.OK)
            rollout = Rollout(plan, client, journal=path, allow_gap=allow_gap, **wishes)
            go_on = resume_command_of(path, reach.again)
            return conduct(rollout, client, shown, account, go_on=go_on)
