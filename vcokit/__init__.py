"""vcokit: from a CSV of destination routes to converged IPsec-VPN connections on Alibaba Cloud.

read → audit → plan → apply → verify, every step a DataFrame::

    import vcokit as vk

    routes   = vk.read_routes("data/routes.csv")
    findings = vk.audit_routes(routes)
    with vk.Simulator.for_routes(routes) as cloud:    # or: vk.connect(region="cn-hangzhou")
        client  = vk.connect(cloud)
        live    = vk.live_routes(client, routes)
        plan    = vk.plan_routes(routes, live)
        rollout = vk.apply_plan(plan, client, journal="rollout.db")
        check   = vk.verify_routes(routes, vk.live_routes(client, routes))

The import loads pandas and registers the dtype ``cidr`` and ``Series.cidr``. Everything else is
loaded at its first use, so that an audit loads neither matplotlib nor ipywidgets nor the
simulator's server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vcokit.cidr import accessor as _registers_type_and_accessor  # noqa: F401

if TYPE_CHECKING:
    from vcokit import errors as errors
    from vcokit import plots as plots
    from vcokit.audit import Explanation as Explanation
    from vcokit.audit import Review as Review
    from vcokit.audit import aggregate_routes as aggregate_routes
    from vcokit.audit import apply_suggestions as apply_suggestions
    from vcokit.audit import audit_routes as audit_routes
    from vcokit.audit import forwarding_changes as forwarding_changes
    from vcokit.audit import load_rules as load_rules
    from vcokit.audit import review_findings as review_findings
    from vcokit.audit import rule as rule
    from vcokit.audit import with_connection_ids as with_connection_ids
    from vcokit.audit.explain import explain as explain
    from vcokit.cidr.array import CidrArray as CidrArray
    from vcokit.cidr.array import CidrDtype as CidrDtype
    from vcokit.cidr.scalar import Cidr as Cidr
    from vcokit.cloud.client import Client as Client
    from vcokit.cloud.connect import connect as connect
    from vcokit.inventory import read_partitions as read_partitions
    from vcokit.inventory import read_routes as read_routes
    from vcokit.inventory import write_routes as write_routes
    from vcokit.live import live_connections as live_connections
    from vcokit.live import live_router_routes as live_router_routes
    from vcokit.live import live_routes as live_routes
    from vcokit.live import live_tunnels as live_tunnels
    from vcokit.monitoring import MetricsFile as MetricsFile
    from vcokit.monitoring import Notifier as Notifier
    from vcokit.probing import Probe as Probe
    from vcokit.probing import probe as probe
    from vcokit.quotas import Quotas as Quotas
    from vcokit.quotas import live_quota as live_quota
    from vcokit.reports.record import ChangeRecord as ChangeRecord
    from vcokit.reports.record import change_record as change_record
    from vcokit.rollout.fleet import Fleet as Fleet
    from vcokit.rollout.fleet_plan import FleetPlan as FleetPlan
    from vcokit.rollout.fleet_plan import plan_fleet as plan_fleet
    from vcokit.rollout.fleet_plan import read_fleet as read_fleet
    from vcokit.rollout.forecast import Forecast as Forecast
    from vcokit.rollout.forecast import forecast as forecast
    from vcokit.rollout.journal import Journal as Journal
    from vcokit.rollout.plan import Plan as Plan
    from vcokit.rollout.plan import plan_routes as plan_routes
    from vcokit.rollout.reconcile import verify_routes as verify_routes
    from vcokit.rollout.rollout import Rollout as Rollout
    from vcokit.rollout.rollout import apply_plan as apply_plan
    from vcokit.simulator import Simulator as Simulator
    from vcokit.widgets import AuditView as AuditView
    from vcokit.widgets import FleetView as FleetView
    from vcokit.widgets import PlanView as PlanView
    from vcokit.widgets import RolloutView as RolloutView

__version__ = "0.1.0"

#: Public names and their modules; a name without a module is a module itself.
_ROOMS = {
    "AuditView": "vcokit.widgets",
    "ChangeRecord": "vcokit.reports.record",
    "Cidr": "vcokit.cidr.scalar",
    "CidrArray": "vcokit.cidr.array",
    "CidrDtype": "vcokit.cidr.array",
    "Client": "vcokit.cloud.client",
    "Explanation": "vcokit.audit",
    "Fleet": "vcokit.rollout.fleet",
    "FleetPlan": "vcokit.rollout.fleet_plan",
    "FleetView": "vcokit.widgets",
    "Forecast": "vcokit.rollout.forecast",
    "Journal": "vcokit.rollout.journal",
    "MetricsFile": "vcokit.monitoring",
    "Notifier": "vcokit.monitoring",
    "Plan": "vcokit.rollout.plan",
    "PlanView": "vcokit.widgets",
    "Probe": "vcokit.probing",
    "Quotas": "vcokit.quotas",
    "Review": "vcokit.audit",
    "Rollout": "vcokit.rollout.rollout",
    "RolloutView": "vcokit.widgets",
    "Simulator": "vcokit.simulator",
    "aggregate_routes": "vcokit.audit",
    "apply_plan": "vcokit.rollout.rollout",
    "apply_suggestions": "vcokit.audit",
    "audit_routes": "vcokit.audit",
    "change_record": "vcokit.reports.record",
    "connect": "vcokit.cloud.connect",
    "errors": None,
    "explain": "vcokit.audit",
    "forecast": "vcokit.rollout.forecast",
    "forwarding_changes": "vcokit.audit",
    "live_connections": "vcokit.live",
    "live_quota": "vcokit.quotas",
    "live_router_routes": "vcokit.live",
    "live_routes": "vcokit.live",
    "live_tunnels": "vcokit.live",
    "load_rules": "vcokit.audit",
    "plan_fleet": "vcokit.rollout.fleet_plan",
    "plan_routes": "vcokit.rollout.plan",
    "plots": None,
    "probe": "vcokit.probing",
    "read_fleet": "vcokit.rollout.fleet_plan",
    "read_partitions": "vcokit.inventory",
    "read_routes": "vcokit.inventory",
    "review_findings": "vcokit.audit",
    "rule": "vcokit.audit",
    "verify_routes": "vcokit.rollout.reconcile",
    "with_connection_ids": "vcokit.audit",
    "write_routes": "vcokit.inventory",
}

__all__ = ["__version__", *_ROOMS]


if not TYPE_CHECKING:  # otherwise a type checker would accept any name as public

    def __getattr__(name: str) -> Any:
        """Load a public name from its module."""
        if name not in _ROOMS:
            raise AttributeError(f"module 'vcokit' has no attribute {name!r}")
        room = _ROOMS[name]
        module = importlib.import_module(room or f"vcokit.{name}")
        if room == "vcokit.rollout.rollout":
            _show_rollouts(module)
        value = module if room is None else getattr(module, name)
        globals()[name] = value
        return value


def _show_rollouts(room: Any) -> None:
    """Make notebooks display a rollout as its live view, which its own module does not know."""
    room.show_with(lambda rollout: importlib.import_module("vcokit.widgets").view_of(rollout))


def __dir__() -> list[str]:
    return sorted(__all__)
