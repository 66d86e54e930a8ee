"""Who follows a rollout from outside: people who are told, and the systems that watch over servers.

::

    follower   an observer with a thread of its own, so that it is never in the rollout's way
    notify     messages at the few moments that matter, by apprise to nearly any service
    metrics    a text file of figures, which Prometheus' node_exporter reads

Both are observers of a rollout, and look at its journal for all that they say::

    with vk.Notifier(["feishu://…"]) as notifier:
        vk.apply_plan(plan, client, journal="rollout.db", observers=[notifier])
"""

from vcokit.monitoring.metrics import MetricsFile
from vcokit.monitoring.notify import Notifier

__all__ = ["MetricsFile", "Notifier"]
