"""Notifications and metrics about a rollout, for people and for monitoring systems.

::

    follower   base class: an observer with its own thread, so that it never delays the rollout
    notify     messages about the few important moments, sent by apprise to nearly any service
    metrics    a text file of metrics, which Prometheus' node_exporter reads

`Notifier` and `MetricsFile` are observers of a rollout. They read its journal for their data::

    with vk.Notifier(["feishu://…"]) as notifier:
        vk.apply_plan(plan, client, journal="rollout.db", observers=[notifier])
"""

from vcokit.monitoring.metrics import MetricsFile
from vcokit.monitoring.notify import Notifier

__all__ = ["MetricsFile", "Notifier"]
