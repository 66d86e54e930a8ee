"""People are told what matters of a rollout: once, without a secret, and never in its way."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import apprise
import pytest

import vcokit as vk
from tests.cli.stage import FAST, as_environment
from tests.monitoring.receiver import LONG, Hand, Receiver
from tests.rollout.stage import Stage
from vcokit import errors
from vcokit.rollout.journal import Journal
from vcokit.rollout.messages import RolloutBegan, RolloutChanged, StepChanged, WaveDone
from vcokit.rollout.plan import Plan
from vcokit.simulator import Fault, Simulator

REFUSED = Fault(
    "refuse",
    operation="CreateVcoRouteEntry",
    vpn_connection_id="vco-1",
    count=2,
    code="IllegalParam.RouteDest",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Someone who takes messages."""
    with Receiver() as made:
        yield made


def kinds(messages: list[dict]) -> list[str]:
    """Return what each message is about: its title's words between the first and the colon."""
    return [message["title"].split(" ", 1)[1].split(":")[0] for message in messages]


# -- a rollout --------------------------------------------------------------------------------


def test_each_kind_once(receiver: Receiver, tmp_path: Path) -> None:
    """Begun, a wave done, failures, ended: each arrives once, with the journal's counts."""
    with Stage(tmp_path, REFUSED, lanes=3, each=2) as stage:
        with vk.Notifier(receiver.url) as notifier:
            rollout = stage.rollout(waves=[1, None], observers=[notifier]).start().wait()
        came = receiver.all()
        assert kinds(came) == ["begun", "wave 1 of 2 done", "1 step failed", "finished"]
        assert [one["type"] for one in came] == ["info", "info", "warning", "warning"]
        states = Counter(rollout.frame()["state"])
    begun, _, failed, ended = (one["message"] for one in came)
    assert f"Plan {rollout.plan.fingerprint[:12]}: create 6 on 3 connections" in begun
    assert "IllegalParam.RouteDest (1)" in failed
    assert f"Steps: done {states['done']}, failed {states['failed']}\n" in ended
    assert "This run took " in ended
    assert all(one["title"].endswith(": rollout.db") for one in came)


def test_the_end_is_told_as_it_was(receiver: Receiver, tmp_path: Path) -> None:
    """A rollout that stops says why; the one that goes on with it begins and ends on its own."""
    with Stage(tmp_path, REFUSED, lanes=2, each=3) as stage:
        with vk.Notifier(receiver.url, failures=2) as notifier:
            rollout = stage.rollout(stop_after=2, observers=[notifier]).start().wait()
        came = receiver.all()
        assert kinds(came) == ["begun", "2 steps failed", "stopped"]
        assert came[-1]["type"] == "failure"
        assert "2 steps failed, the limit of this run" in came[-1]["message"]
        with vk.Notifier(receiver.url) as notifier:
            vk.Rollout.open(rollout.journal, stage.client, observers=[notifier]).start().wait()
        assert kinds(receiver.all()) == ["begun", "finished"]


def test_waves_are_events(tmp_path: Path) -> None:
    """Observers hear of each wave but the last when it is done, and of none twice."""
    with Stage(tmp_path, lanes=3, each=1) as stage:
        heard: list[object] = []
        rollout = stage.rollout(waves=[1, 1, None], observers=[heard.append]).start().wait()
        waves = [event for event in heard if isinstance(event, WaveDone)]
        assert [(one.wave, one.waves) for one in waves] == [(1, 3), (2, 3)]
        assert isinstance(heard[0], RolloutBegan)
        assert heard[0].journal == rollout.journal
        done = [e.step for e in heard[: heard.index(waves[0])] if getattr(e, "new", "") == "done"]
        assert len(done) == 1
        heard.clear()
        vk.Rollout.open(rollout.journal, stage.client, observers=[heard.append]).start().wait()
        assert not [event for event in heard if isinstance(event, WaveDone)]


@pytest.mark.parametrize("manner", ["hangs", "fails", "closes"])
def test_who_does_not_listen_costs_nothing(manner: str, receiver: Receiver, tmp_path: Path) -> None:
    """A rollout ends as ever while an address hangs, fails or closes; what was lost is said once.

    Other addresses get all of it, and the rollout waits for none.
    """
    said: list[str] = []
    with Receiver(manner) as bad, Stage(tmp_path, lanes=2, each=3) as stage:
        good, secret = receiver.url, f"json://{bad.place}/secret-path"
        notifier = vk.Notifier([secret, good], wait=0.0, on_warning=said.append)
        rollout = stage.rollout(observers=[notifier]).start().wait()
        # It has ended, though the address that hangs has answered nothing yet.
        assert Counter(rollout.frame()["state"]) == {"done": 6}
        assert not bad.released.is_set()
        assert kinds([bad.next()]) == ["begun"]
        assert kinds([receiver.next(), receiver.next()]) == ["begun", "finished"]
        notifier.close()
        notifier.close()
    assert [line for line in said if "number 1" in line] == [
        "not delivered to json://*** (number 1): begun, ended"
    ]
    assert "secret" not in str(said)


def test_a_hanging_address_does_not_hold_the_program(receiver: Receiver, tmp_path: Path) -> None:
    """A script that ends right after its rollout tells of the end, and leaves though one hangs."""
    script = (
        "import sys, vcokit as vk\n"
        "from tests.rollout.stage import Stage\n"
        "from pathlib import Path\n"
        "with Stage(Path(sys.argv[1]), lanes=1, each=1) as stage:\n"
        "    notifier = vk.Notifier(sys.argv[2:], wait=1.0)\n"
        "    stage.rollout(observers=[notifier]).start().wait()\n"
    )
    with Receiver("hangs") as bad:
        command = [sys.executable, "-c", script, tmp_path, bad.url, receiver.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONG)
        assert not bad.released.is_set()
    assert kinds(receiver.all()) == ["begun", "finished"]
    assert done.stderr == "not delivered to json://*** (number 1): begun, ended\n"
    assert done.returncode == 0


# -- without a rollout, in time that tests let pass ---------------------------------------------


@pytest.fixture
def hand() -> Hand:
    """Time that passes when a test says so."""
    return Hand()


@pytest.fixture
def journal(plan: Plan, path: Path) -> Path:
    """The journal of a rollout that is under way."""
    with Journal.create(path, plan, "some id") as made:
        made.write(meta={"state": "running"})
    return path


def test_stalled_once(receiver: Receiver, hand: Hand, journal: Path) -> None:
    """Nothing for ten minutes is told once; again only after something has moved."""
    with vk.Notifier(receiver.url, clocks=hand.clocks) as notifier:
        notifier(RolloutBegan(hand.now, journal))
        notifier(RolloutChanged(hand.now, "running"))
        hand.move(599)
        hand.move(1)
        hand.move(5_000)
        notifier(StepChanged(hand.now, 0, "sent", "accepted"))  # no progress yet
        hand.move(5_000)
        notifier(StepChanged(hand.now, 0, "accepted", "settled"))
        hand.move(599)
        hand.move(2)
        notifier(RolloutChanged(hand.now, "finished"))
    came = receiver.all()
    assert kinds(came) == ["begun", "stalled", "stalled", "finished"]
    assert [one["message"].splitlines()[0] for one in came[1:3]] == [
        "No step has settled or ended for 10 min 0 s",
        "No step has settled or ended for 10 min 1 s",
    ]


def test_what_moves_now_and_then_is_not_stalled(
    receiver: Receiver, hand: Hand, journal: Path
) -> None:
    """Time counts anew whenever a step has settled or ended."""
    with vk.Notifier(receiver.url, clocks=hand.clocks) as notifier:
        notifier(RolloutBegan(hand.now, journal))
        for state in ("settled", "done", "failed", "skipped"):
            hand.move(599)
            notifier(StepChanged(hand.now, 0, "accepted", state))
        notifier(RolloutChanged(hand.now, "finished"))
    assert kinds(receiver.all()) == ["begun", "1 step failed", "finished"]


@pytest.mark.parametrize("state", ["paused", "waiting"])
def test_what_waits_is_not_stalled(
    state: str, receiver: Receiver, hand: Hand, journal: Path
) -> None:
    """A rollout that is paused or waits for a window is quiet on purpose; then time counts anew."""
    with vk.Notifier(receiver.url, stalled=60, clocks=hand.clocks) as notifier:
        notifier(RolloutBegan(hand.now, journal))
        notifier(RolloutChanged(hand.now, state))
        hand.move(50_000)
        notifier(RolloutChanged(hand.now, "running"))
        hand.move(59)
        notifier(RolloutChanged(hand.now, "finished"))
    assert kinds(receiver.all()) == ["begun", "finished"]


def test_a_queue_has_an_end(hand: Hand, journal: Path) -> None:
    """An address that hangs keeps some messages waiting, and no more; all are said to be lost."""
    said: list[str] = []
    with Receiver("hangs") as bad:
        notifier = vk.Notifier(bad.url, stalled=60, on_warning=said.append, clocks=hand.clocks)
        notifier(RolloutBegan(hand.now, journal))
        for _ in range(30):
            hand.move(60)
            notifier(StepChanged(hand.now, 0, "accepted", "settled"))
        assert max(len(one.waiting) for one in notifier._addresses) == 20
        notifier(RolloutChanged(hand.now, "interrupted"))
        hand.move(0)
        hand.move(notifier.wait, to_the_end=True)
        notifier.close()
    assert said == ["not delivered to json://***: begun, stalled (30 times), ended"]


def test_a_journal_that_is_lost_costs_a_message_its_counts(
    receiver: Receiver, hand: Hand, tmp_path: Path
) -> None:
    """What cannot be read is left out."""
    with vk.Notifier(receiver.url, clocks=hand.clocks) as notifier:
        notifier(RolloutBegan(hand.now, tmp_path / "gone.db"))
        notifier(RolloutChanged(hand.now + 61, "stopped", "the journal is lost\x1b[31m"))
    came = receiver.all()
    assert kinds(came) == ["begun", "stopped"]
    assert came[1]["message"].splitlines()[:2] == [
        r"the journal is lost\x1b[31m",
        "This run took 1 min 1 s",
    ]


def test_one_that_was_never_used_is_closed_at_once() -> None:
    """Without a rollout there is nothing to wait for, and nothing is said."""
    vk.Notifier("json://127.0.0.1:9/").close()


# -- the shell ----------------------------------------------------------------------------------


def test_apply_resume_and_undo_tell(shell, receiver: Receiver, inventory: Path) -> None:
    """--notify of each command that sends; the address stands nowhere else."""
    told = ("--notify", receiver.url)
    with ExitStack() as stack:
        slow = stack.enter_context(pytest.MonkeyPatch.context())
        slow.setenv("VCOKIT_TASK_SECONDS", "1")
        assert shell("apply", inventory, *FAST, *told, "--max-hours", "0.00001")[0] == 7
    assert kinds(receiver.all()) == ["begun", "stopped"]
    journal = "routes.simulated.db"
    assert shell("resume", journal, *FAST, *told, "--max-hours", "1")[0] == 0
    assert kinds(receiver.all()) == ["begun", "finished"]
    assert shell("undo", journal, *FAST, *told)[0] == 0
    came = receiver.all()
    assert kinds(came) == ["begun", "finished"]
    assert came[0]["title"] == "Rehearsal begun: routes.simulated.undo.db"
    assert receiver.place.encode() not in (inventory.parent / journal).read_bytes()


#: Parts of an address that may each be a token.
TOKENS = ("t0kenuser", "t0kenword", "t0kenpath", "t0kenheader", "t0kenquery")


@pytest.mark.parametrize("manner", ["fails", "closes", "takes"])
def test_no_address_is_ever_shown(
    manner: str, shell, inventory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither output, nor logs, nor any file that a rollout writes holds a part of an address."""
    caplog.set_level(logging.DEBUG)
    with Receiver(manner) as receiver:
        user, word, path, header, query = TOKENS
        url = f"json://{user}:{word}@{receiver.place}/{path}/?+X-Header={header}&-key={query}"
        written = ("--summary", "s.json", "--report", "r.html", "--metrics", "m.prom")
        code, out, err = shell(
            "apply", inventory, *FAST, "--notify", url, *written, "--log-format", "json"
        )
        assert code == 0
        came = receiver.all()
        assert len(came) == 2
        assert query in came[0]["path"]  # it is sent there, and only there
        said = out + err + caplog.text + repr(vk.Notifier(url)) + repr(vars(vk.Notifier(url)))
    files = {p.name: p.read_bytes() for p in inventory.parent.iterdir() if p.is_file()}
    assert {"s.json", "r.html", "m.prom", "routes.simulated.db"} <= files.keys()
    for token in (*TOKENS, receiver.place):
        assert token not in said
        assert not [name for name, content in files.items() if token.encode() in content]
    lost = [json.loads(line) for line in err.splitlines()]
    notes = [line["message"] for line in lost if line["event"] == "note"]
    assert notes == ([] if manner == "takes" else ["not delivered to json://***: begun, ended"])


def test_an_address_may_stand_in_the_environment(
    shell, receiver: Receiver, inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VCOKIT_NOTIFY holds addresses, apart from the settings, which are shown."""
    monkeypatch.setenv("VCOKIT_NOTIFY", f"{receiver.url} {receiver.url}/other")
    assert shell("apply", inventory, *FAST)[0] == 0
    assert Counter(one["path"] for one in receiver.all()) == {"/inbox": 2, "/inbox/other": 2}
    assert receiver.place not in str(shell("config", "--json"))


@pytest.fixture
def cloud(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """The inventory's cloud, named in the environment."""
    with Simulator.for_routes(vk.read_routes(inventory), speed=600.0) as made:
        as_environment(monkeypatch, made)
        yield made


@pytest.mark.parametrize("url", ["t0kenalone", "nosuch://t0kenhost/path", "dingtalk://", ""])
def test_what_is_no_address_is_refused_first(
    url: str, shell, cloud: Simulator, inventory: Path
) -> None:
    """Exit code 2, one line with the remedy and without the address, and no call was made."""
    code, out, err = shell("apply", inventory, "--yes", "--notify", url)
    assert (code, out) == (2, "")
    assert "not a valid notification address. Write an apprise URL" in err
    assert "t0ken" not in err
    assert cloud.calls().empty


@pytest.mark.parametrize(
    ("option", "library", "extra"),
    [
        (("--notify", "json://127.0.0.1/t0ken"), "apprise", "notify"),
        (("--metrics", "x.prom"), "prometheus_client", "metrics"),
    ],
)
def test_a_library_that_is_missing(
    option: tuple[str, str],
    library: str,
    extra: str,
    shell,
    cloud: Simulator,
    inventory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One error names the extra to install, before anything is sent."""
    monkeypatch.setitem(sys.modules, library, None)
    code, _, err = shell("apply", inventory, "--yes", *option)
    assert code == 2
    assert f'pip install "vcokit[{extra}]"' in err
    assert cloud.calls().empty
    with pytest.raises(errors.InputError, match=f"need {library}"):
        vk.Notifier(option[1]) if extra == "notify" else vk.MetricsFile(option[1])


# -- the page -----------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text("utf-8")


def test_the_page_runs(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Python tells people and keeps a file of metrics."""
    (tmp_path / "data").symlink_to(Path(__file__).parents[2] / "data")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.M)
    exec(compile(code, "page", "exec"), {"addresses": [receiver.url]})  # noqa: S102
    assert kinds(receiver.all()) == ["begun", "finished"]
    assert 'state="finished"} 1.0' in Path("vcokit.prom").read_text("utf-8")


def test_the_page_names_services_that_there_are() -> None:
    """Each address in its table has a scheme that apprise knows, and is one of its forms."""
    table = re.findall(r"^\| [\w ]+ \| `(\w+)://", PAGE, re.M)
    known = {
        scheme
        for service in apprise.Apprise().details()["schemas"]
        for scheme in (*(service["protocols"] or ()), *(service["secure_protocols"] or ()))
    }
    assert len(table) == 7
    assert set(table) <= known
