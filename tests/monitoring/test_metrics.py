"""A file of metrics says what the journal says, is kept up to date, and never in the way."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import vcokit as vk
from tests.cli.stage import FAST, TEN
from tests.monitoring.receiver import Hand
from tests.rollout.stage import Stage
from vcokit import errors, schema
from vcokit.monitoring.metrics import BUCKETS
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import ENDED, RolloutBegan, RolloutChanged, StepChanged
from vcokit.rollout.plan import Plan
from vcokit.simulator import Fault

ROOT = Path(__file__).parents[2]
FAULTS = (
    Fault(
        "refuse",
        operation="CreateVcoRouteEntry",
        vpn_connection_id="vco-1",
        count=1,
        code="IllegalParam.RouteDest",
    ),
    Fault(
        "throttle",
        operation="CreateVcoRouteEntry",
        vpn_connection_id="vco-2",
        count=2,
        seconds=1.0,
    ),
    Fault("drop_after", operation="CreateVcoRouteEntry", vpn_connection_id="vco-0", count=1),
)


def read(path: Path) -> dict[tuple[str, ...], float]:
    """Return each figure of a file by its name and labels, but for that of the journal."""
    found = {}
    for family in text_string_to_metric_families(path.read_text("utf-8")):
        for sample in family.samples:
            labels = sorted((k, v) for k, v in sample.labels.items() if k != "journal")
            found[sample.name, *(value for _, value in labels)] = sample.value
            assert "journal" in sample.labels
    return found


def counted(steps: pd.DataFrame, calls: pd.DataFrame) -> dict[tuple[str, ...], float]:
    """Return what the frames of a journal say of the same, counted here."""
    found: dict[tuple[str, ...], float] = {
        ("vcokit_steps", state): int((steps["state"] == state).sum())
        for state in schema.STATES.categories
    }
    came = calls[calls["outcome"].notna()]
    for (operation, outcome), group in came.groupby(["operation", "outcome"], observed=True):
        found["vcokit_calls_total", operation, outcome] = len(group)
    for operation, group in came.groupby("operation", observed=True):
        throttled = int((group["outcome"] == "throttled").sum())
        found["vcokit_calls_throttled_total", operation] = throttled
    took = (steps["settled_at"] - steps["accepted_at"]).dt.total_seconds().dropna()
    took = took[took >= 0]
    for bound in BUCKETS:
        found["vcokit_task_seconds_bucket", str(bound)] = int((took <= bound + 1e-6).sum())
    found["vcokit_task_seconds_bucket", "+Inf"] = len(took)
    found["vcokit_task_seconds_count",] = len(took)
    found["vcokit_task_seconds_sum",] = pytest.approx(took.sum(), abs=1e-3)
    begun = calls["sent_at"].min().timestamp()
    found["vcokit_rollout_begun_timestamp_seconds",] = pytest.approx(begun, abs=1e-3)
    return found


def test_every_figure_is_the_journals(tmp_path: Path) -> None:
    """With refusals, throttling and lost answers; after a stop, and after going on from there."""
    path = tmp_path / "rollout.prom"
    with Stage(tmp_path, *FAULTS, lanes=3, each=4) as stage:
        heard: list[object] = []
        with vk.MetricsFile(path) as metrics:
            rollout = stage.rollout(stop_after=1, observers=[metrics, heard.append])
            rollout.start().wait()
        for state in ("stopped", "finished"):
            found = read(path)
            wanted = counted(rollout.frame(), rollout.calls())
            left = len(rollout.frame().query("state == 'pending'"))
            assert (left > 0) == (state == "stopped")
            for name in ("looking", "running", "stopped", "finished"):
                wanted["vcokit_rollout_state", name] = int(name == state)
            wanted["vcokit_rollout_ended_timestamp_seconds",] = heard[-1].at
            assert {name: found[name] for name in wanted} == wanted
            others = {name: found[name] for name in found.keys() - wanted.keys()}
            assert others.pop(("vcokit_rollout_left_seconds",)) >= 0
            info = ("vcokit_rollout_info", rollout.plan.fingerprint[:12])
            assert [value for name, value in others.items() if name[:2] == info] == [1]
            states = [value for name, value in others.items() if "rollout_state" in name[0]]
            assert set(states) == {0}
            assert len(others) == 1 + len(states)
            if state == "stopped":
                with vk.MetricsFile(path) as metrics:
                    again = vk.Rollout.open(
                        rollout.journal,
                        stage.client,
                        observers=[metrics, heard.append],
                        stop_after=None,
                    )
                    again.start().wait()
        assert found["vcokit_calls_throttled_total", "CreateVcoRouteEntry"] >= 1


@pytest.fixture
def hand() -> Hand:
    """Time that passes when a test says so."""
    return Hand()


def test_every_half_minute(hand: Hand, plan: Plan, path: Path) -> None:
    """Written at the begin, then each 30 s and not before, and at the end."""
    file = path.with_suffix(".prom")

    def standing() -> tuple[float, float, float]:
        found = read(file)
        states = (found["vcokit_rollout_state", name] for name in ("running", "finished"))
        return (found["vcokit_steps", "done"], *states)

    with Journal.create(path, plan, "some id") as journal:
        metrics = vk.MetricsFile(file, clocks=hand.clocks)
        metrics(RolloutBegan(hand.now, path))
        metrics(RolloutChanged(hand.now, "running"))
        hand.move(0)
        assert standing() == (0, 0, 0)
        for number in range(2):
            journal.write([StepChanged(hand.now, number, "settled", "done")])
            hand.move(29.9)
            assert standing()[0] == number
            hand.move(0.1)
            assert standing() == (number + 1, 1, 0)
        journal.write([StepChanged(hand.now, 2, "settled", "done")])
        metrics(RolloutChanged(hand.now, "finished"))
        metrics.close()
        assert standing() == (3, 0, 1)
    assert [one.name for one in file.parent.glob("*.prom*")] == [file.name]


def test_a_write_that_fails_is_a_warning(tmp_path: Path) -> None:
    """The folder goes away under way: that is said once, and the rollout ends as ever."""
    folder, said = tmp_path / "textfile", []
    folder.mkdir()
    with Stage(tmp_path, lanes=2, each=2) as stage:
        metrics = vk.MetricsFile(folder / "a.prom", on_warning=said.append)
        shutil.rmtree(folder)
        with metrics:
            rollout = stage.rollout(observers=[metrics]).start().wait()
        assert Counter(rollout.frame()["state"]) == {"done": 4}
    assert said == [
        f"metrics are not written: {folder / 'a.prom'}: No such file or directory; "
        "the rollout continues"
    ]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A file of others, a name that nobody reads, a folder that is not there: one error each."""
    for name, content in {"node.prom": "# HELP node_time x\n", "a.txt": ""}.items():
        (tmp_path / name).write_text(content)
    for name in ("node.prom", "a.txt", "nowhere/a.prom"):
        with pytest.raises(errors.InputError, match="Name a"):
            vk.MetricsFile(tmp_path / name)
    assert (tmp_path / "node.prom").read_text() == "# HELP node_time x\n"


def test_the_shell_keeps_the_file(shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--metrics of commands that send; it never takes the place of something they need."""
    monkeypatch.chdir(tmp_path)
    inventory = tmp_path / "routes.csv"
    inventory.write_text(TEN)
    assert shell("apply", inventory, *FAST, "--metrics", "m.prom")[0] == 0
    assert read(tmp_path / "m.prom")["vcokit_steps", "done"] == 10
    assert 'journal="routes.simulated.db"' in (tmp_path / "m.prom").read_text("utf-8")
    (tmp_path / "routes.prom").write_text(TEN)
    before = (tmp_path / "routes.prom").read_bytes()
    code, _, err = shell("apply", "routes.prom", *FAST, "--metrics", "routes.prom")
    assert (code, "--metrics" in err) == (2, True)
    assert (tmp_path / "routes.prom").read_bytes() == before


def test_the_dashboard_asks_for_what_there_is(tmp_path: Path) -> None:
    """Each query of the dashboard names metrics and labels that a file has."""
    path = tmp_path / "rollout.prom"
    with Stage(tmp_path, lanes=1, each=1) as stage, vk.MetricsFile(path) as metrics:
        stage.rollout(observers=[metrics]).start().wait()
    metrics.close()
    families = list(text_string_to_metric_families(path.read_text("utf-8")))
    samples = [sample for family in families for sample in family.samples]
    names = {sample.name for sample in samples}
    labels = {label for sample in samples for label in sample.labels}
    dashboard = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    asked = set(re.findall(r"\bvcokit_\w+", " ".join(queries)))
    assert asked <= names
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} == bases
    used = re.findall(r"\b(\w+)(?:=~?|!=)\"", " ".join(queries))
    used += re.split(r", *", ", ".join(re.findall(r"\bby \(([^)]*)\)", " ".join(queries))))
    assert set(used) <= labels
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) > 5


def test_the_page_names_every_metric() -> None:
    """The documentation lists the metrics that the module describes, with their labels."""
    from vcokit.monitoring import metrics

    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    described = re.findall(r"^    (vcokit_\w+)(?:\{(.*)\})?", metrics.__doc__, re.M)
    listed = re.findall(r"^\| `(vcokit_\w+)` \| (.*?) \|", page, re.M)
    assert [(name, labels.replace("`", "").strip("–")) for name, labels in listed] == described


def test_alerts_ask_for_what_there_is() -> None:
    """The rules of the page are YAML, and name metrics and states that there are."""
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.M)
    (group,) = yaml.safe_load(text)["groups"]
    asked = " ".join(rule["expr"] for rule in group["rules"])
    listed = set(re.findall(r"^\| `(vcokit_\w+)`", page, re.M))
    assert set(re.findall(r"\bvcokit_[a-z_]+", asked.replace("vcokit.prom", ""))) <= listed
    named = set(re.findall(r"\w+", " ".join(re.findall(r'state=~?"([^"]+)"', asked))))
    assert named <= {*schema.STATES.categories, *ENDED}
