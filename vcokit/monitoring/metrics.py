"""Metrics of a rollout as a text file, for the textfile collector of Prometheus' node_exporter.

::

    vcokit_rollout_info{plan, rollout, simulated}     1
    vcokit_rollout_state{state}                       1 for the current state, 0 for all others
    vcokit_rollout_begun_timestamp_seconds            when its first call was sent
    vcokit_rollout_ended_timestamp_seconds            when it ended; absent until then
    vcokit_rollout_left_seconds                       until its end, if the pace stays the same
    vcokit_steps{state}                               steps by state
    vcokit_calls_total{operation, outcome}            calls that were answered
    vcokit_calls_throttled_total{operation}           calls that a rate limit refused
    vcokit_task_seconds                               histogram: how long the cloud's tasks took

Each metric also has the label ``journal``, which distinguishes two rollouts on one machine. The
values come from the journal, so they describe the whole rollout, even if it was interrupted and
resumed. Nothing is counted here.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vcokit import config, schema
from vcokit.cloud.error_codes import Kind
from vcokit.errors import InputError, JournalError
from vcokit.monitoring.follower import CLOSED, Follower
from vcokit.rollout.engine import Clocks
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import ENDED, Event, RolloutBegan, RolloutChanged
from vcokit.rollout.snapshot import RolloutSnapshot

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

#: Upper bounds of the histogram's buckets, in seconds. A task of a real cloud takes about three.
BUCKETS: Final = (
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    3.0,
    4.0,
    5.0,
    7.5,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
)
#: First bytes of a file that vcokit wrote.
_BEGIN: Final = b"# HELP vcokit_"
_STATES: Final = ("ready", "looking", "running", "waiting", "paused", "cancelling", *ENDED)


class MetricsFile(Follower):
    """An observer that writes a metrics file at the start, at intervals, and at the end.

    Use a new one for each rollout, and pass it to the rollout before it starts. Each write
    replaces the file in one step, so nobody reads an incomplete file. If the file cannot be
    written, there is a warning and the rollout continues.

    Parameters
    ----------
    path : path
        The name must end in ``.prom``: node_exporter reads no other files.
    interval : float, optional
        Seconds between two writes; setting ``metrics_interval``.
    wait : float, optional
        Seconds that the last write may take after the rollout has ended; setting ``monitor_wait``.
    on_warning : callable, optional
        Called with a sentence when writing the file starts to fail; by default it is logged.
    clocks : Clocks, optional
        By default the clocks of the machine.

    Raises
    ------
    InputError
        If prometheus_client is not installed, the file cannot be created, or an existing file was
        not written by vcokit.

    Examples
    --------
    >>> MetricsFile("rollout.prom")
    <MetricsFile rollout.prom>
    >>> MetricsFile("rollout.txt")
    Traceback (most recent call last):
    vcokit.errors.InputError: rollout.txt: not read by node_exporter. Name a file that ends in .prom
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        interval: float | None = None,
        wait: float | None = None,
        on_warning: Callable[[str], object] | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        self.path = Path(path)
        _check(self.path)
        self.interval: float = config.get("metrics_interval", interval)
        super().__init__(wait, on_warning, clocks)
        self._file = self.path.absolute()  # the working directory may change later
        self._found: RolloutSnapshot | None = None
        self._failing = False

    def __repr__(self) -> str:
        return f"<MetricsFile {self.path}>"

    def _hear(self, event: Event) -> None:
        if isinstance(event, RolloutBegan | RolloutChanged):
            self._threads.put(event)

    def _follow(self) -> None:
        begun: RolloutBegan = self._threads.get(None)
        state, ended = "looking", None
        write_at = self._clocks.steady()
        while ended is None:
            left = write_at - self._clocks.steady()
            if left <= 0:
                self._write(begun.journal, state, None)
                write_at = self._clocks.steady() + self.interval
                continue
            item = self._threads.get(left)
            if item is CLOSED:
                break
            if isinstance(item, RolloutChanged):
                state, ended = item.state, item.at if item.state in ENDED else None
        self._write(begun.journal, state, ended)

    def _write(self, path: Path, state: str, ended: float | None) -> None:
        from prometheus_client import write_to_textfile
        from prometheus_client.registry import Collector

        try:
            with Journal.read(path) as journal:
                found = journal.snapshot(earlier=self._found, failures=0, now=self._clocks.wall())
                tasks = journal.task_seconds(BUCKETS)
            metrics = list(figures(path.name, found, tasks, state, ended))

            class Figures(Collector):
                def collect(self) -> Iterator[Metric]:
                    return iter(metrics)

            write_to_textfile(str(self._file), Figures())
        except (OSError, JournalError) as error:
            if not self._failing:
                why = error.strerror if isinstance(error, OSError) else error
                self._warn(f"metrics are not written: {self.path}: {why}; the rollout continues")
            self._failing = True
        else:
            self._found, self._failing = found, False


def _check(path: Path) -> None:
    """Raise an error if the file cannot be used, before anything is sent."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise InputError(
            "metrics need prometheus_client, which is not installed",
            remedy='Install it: pip install "vcokit[metrics]"',
        ) from None
    if path.suffix != ".prom":
        raise InputError(
            f"{path}: not read by node_exporter", remedy="Name a file that ends in .prom"
        )
    if not os.access(path.absolute().parent, os.W_OK) or (path.exists() and not path.is_file()):
        raise InputError(f"{path}: cannot be written", remedy="Name a file in an existing folder")
    try:
        with path.open("rb") as opened:
            ours = opened.read(len(_BEGIN)) in (b"", _BEGIN)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", remedy="Name another file") from None
    if not ours:
        raise InputError(
            f"{path}: exists and was not written by vcokit", remedy="Name another file"
        )


def figures(
    journal: str,
    found: RolloutSnapshot,
    tasks: tuple[list[int], float],
    state: str,
    ended: float | None,
) -> Iterator[Metric]:
    """Yield the metrics of a rollout.

    Parameters
    ----------
    journal : str
        Name of its journal, a label of each metric.
    found : RolloutSnapshot
    tasks : tuple of list of int, float
        From `Journal.task_seconds` with `BUCKETS`.
    state : str
        See `vcokit.rollout.messages.RolloutChanged`.
    ended : float or None
        When it ended, seconds since the epoch.
    """
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    def gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"vcokit_{name}", meaning, labels=["journal", *labels])

    def counter(name: str, meaning: str, *labels: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"vcokit_{name}", meaning, labels=["journal", *labels])

    def single(name: str, meaning: str, value: float) -> Metric:
        metric = gauge(name, meaning)
        metric.add_metric([journal], value)
        return metric

    info = gauge("rollout_info", "What is carried out.", "plan", "rollout", "simulated")
    simulated = {True: "yes", False: "no", None: ""}[found.simulated]
    info.add_metric([journal, found.fingerprint[:12], found.rollout_id, simulated], 1)
    yield info
    states = gauge(
        "rollout_state", "1 for the current state of the rollout, 0 for others.", "state"
    )
    for name in _STATES:
        states.add_metric([journal, name], name == state)
    yield states
    if found.started is not None:
        meaning = "When the first call of the rollout was sent."
        yield single("rollout_begun_timestamp_seconds", meaning, found.started)
    if ended is not None:
        yield single("rollout_ended_timestamp_seconds", "When the rollout ended.", ended)
    if found.seconds_left is not None:
        meaning = "Until the end, if the pace stays the same."
        yield single("rollout_left_seconds", meaning, found.seconds_left)
    steps = gauge("steps", "Steps of the plan by state.", "state")
    for name in schema.STATES.categories:
        steps.add_metric([journal, name], found.states[name])
    yield steps
    calls = counter("calls", "Calls that were answered.", "operation", "outcome")
    throttled: Counter[str] = Counter()
    for (operation, outcome), number in sorted(found.calls.items()):
        calls.add_metric([journal, operation, outcome], number)
        throttled[operation] += number if outcome == Kind.THROTTLED else 0
    yield calls
    refused = counter("calls_throttled", "Calls that a rate limit refused.", "operation")
    for operation, number in throttled.items():
        refused.add_metric([journal, operation], number)
    yield refused
    numbers, seconds = tasks
    bounds = [*map(str, BUCKETS), "+Inf"]
    histogram = HistogramMetricFamily(
        "vcokit_task_seconds", "Duration of the cloud's tasks.", labels=["journal"]
    )
    histogram.add_metric([journal], list(zip(bounds, numbers, strict=True)), sum_value=seconds)
    yield histogram
