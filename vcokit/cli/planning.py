"""The options by which a plan is made of an inventory, and plans that were saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from vcokit import schema
from vcokit.audit.findings import by_severity
from vcokit.cli.audit import FailOn
from vcokit.cli.own_rules import RulesFile
from vcokit.cli.reading import Reading
from vcokit.errors import InputError
from vcokit.rollout.plan import Plan, plan_routes
from vcokit.rollout.plan_io import is_plan

if TYPE_CHECKING:
    import pandas as pd

    from vcokit.audit.rules import Rule
    from vcokit.cloud.client import Client

__all__ = ["FailOn", "Planning", "fails", "saved_plan"]


@dataclass(frozen=True)
class Planning:
    """What is planned of what the inventory asks for."""

    prune: Annotated[
        bool, typer.Option("--prune", help="Delete live routes that no row names.")
    ] = False
    max_delete: Annotated[
        int | None, typer.Option(min=0, help="Deletes a connection may have.")
    ] = None
    names: Annotated[
        bool, typer.Option("--names", help="Look connections up: names become ids.")
    ] = False
    only_connection: Annotated[
        list[str] | None, typer.Option(help="Plan for this one alone; may be repeated.")
    ] = None
    only_network: Annotated[
        list[str] | None, typer.Option(help="Plan for what lies in this prefix; may be repeated.")
    ] = None
    only_action: Annotated[
        list[str] | None, typer.Option(help="Plan this action alone; may be repeated.")
    ] = None
    rules_file: RulesFile = None

    def resolved(
        self, routes: pd.DataFrame, client: Client
    ) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Return the routes, by id if names are looked up, and the live connections if so."""
        if not self.names:
            return routes, None
        from vcokit.audit import with_connection_ids
        from vcokit.live import live_connections

        connections = live_connections(client, routes)
        return with_connection_ids(routes, connections), connections

    def plan(
        self,
        routes: pd.DataFrame,
        client: Client,
        connections: pd.DataFrame | None,
        quota: int | None,
        rules: Sequence[Rule] = (),
    ) -> Plan:
        """Return the plan that makes the live routes agree with an inventory.

        Raises
        ------
        CloudError
            If the live routes cannot be read.
        PlanError
            If more would be deleted than may be.
        """
        from vcokit.live import live_routes

        if self.max_delete is not None and not self.prune:
            raise InputError("--max-delete without --prune", remedy="Add --prune, or leave it out")
        live = live_routes(client, routes)
        plan = plan_routes(
            routes,
            live,
            connections=connections,
            quota=quota,
            prune=self.prune,
            max_delete=self.max_delete,
            rules=rules,
        )
        return self.narrowed(plan)

    def narrowed(self, plan: Plan) -> Plan:
        """Return the part of a plan that is asked for.

        Raises
        ------
        InputError
            If an action or a network is none.
        """
        given = {
            "connections": self.only_connection,
            "networks": self.only_network,
            "actions": self.only_action,
        }
        wanted = {name: value for name, value in given.items() if value}
        return plan.only(**wanted) if wanted else plan

    def refuse_with_plan(self, reading: Reading, quota: int | None) -> None:
        """Refuse options that change nothing any more once a plan was saved.

        Raises
        ------
        InputError
        """
        given = [
            one.name
            for group in (self, reading)
            for one in fields(group)
            if getattr(group, one.name) not in (None, False, [])
        ]
        if given or quota is not None:
            option = (given or ["quota"])[0].replace("_", "-")
            raise InputError(
                f"--{option} cannot be used on a saved plan",
                remedy="Leave it out, or apply the inventory",
            )


def fails(findings: pd.DataFrame, fail_on: FailOn) -> bool:
    """Tell whether there are findings of a severity or a worse one."""
    if fail_on is FailOn.never:
        return False
    order = list(schema.SEVERITIES.categories)
    counted = by_severity(findings)
    return any(counted[name] for name in order[order.index(fail_on.value) :])


def saved_plan(files: Sequence[str]) -> Plan | None:
    """Return the plan that a file holds, None where it holds no plan.

    Raises
    ------
    PlanError
        If the plan is damaged.
    """
    if len(files) != 1 or files[0] == "-" or not is_plan(files[0]):
        return None  # what is wrong with it, if anything, reading it as an inventory says
    return Plan.load(files[0])
