"""A fleet over HTTP as its user has it: many accounts of one cloud, begun, steered and resumed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import vcokit as vk
from tests.rollout.accounts import SPEED, Accounts, connect_to, connection_of, refusing
from vcokit import errors, schema
from vcokit.rollout.fleet import MemberChanged
from vcokit.rollout.messages import ENDED

ROOT = Path(__file__).parent.parent.parent


class Course:
    """An observer that notes who runs when."""

    def __init__(self) -> None:
        self.events: list[MemberChanged] = []
        self.running: set[str] = set()
        self.most = self.most_threads = self.most_callers = 0
        self.begun: list[str] = []
        self.ended: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, event: MemberChanged) -> None:
        """Take note of one event."""
        with self._lock:
            self.events.append(event)
            if event.state in ENDED:
                self.running.discard(event.member)
                self.ended.append(event.member)
            elif event.member not in self.running:
                self.running.add(event.member)
                self.begun.append(event.member)
            self.most = max(self.most, len(self.running))
            here = threading.current_thread()
            others = [
                one.name
                for one in threading.enumerate()
                if one.name.startswith("rollout ") and one is not here
            ]
            assert len(others) == len(set(others))  # no two threads of a member
            self.most_threads = max(self.most_threads, len(others))
            callers = [one for one in threading.enumerate() if one.name == "call of a rollout"]
            self.most_callers = max(self.most_callers, len(callers))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Accounts]:
    """Three accounts of one cloud."""
    with Accounts(["berlin", "madrid", "oslo"]) as accounts:
        yield accounts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the fleet goes."""
    return tmp_path / "fleet"


def test_all_members_end_well(three: Accounts, folder: Path) -> None:
    """Each account gets its own routes, once; the frames say so, with their declared columns."""
    fleet = three.fleet(folder)
    assert fleet.state == "ready"
    assert set(fleet.frame()["state"]) == {"ready"}
    assert fleet.start().wait().raise_on_error().state == "finished"
    assert three.creations() == {"berlin": 2, "madrid": 2, "oslo": 2}
    frame = fleet.frame()
    assert list(frame.columns) == list(schema.MEMBERS)
    assert frame["member"].tolist() == ["berlin", "madrid", "oslo"]
    assert frame["done"].tolist() == frame["steps"].tolist() == [2, 2, 2]
    assert frame["message"].isna().all()
    assert frame.dtypes.equals(schema.frame(schema.MEMBERS).dtypes)
    steps, calls = fleet.steps(), fleet.calls()
    assert steps.dtypes.equals(schema.frame(schema.MEMBER_STEPS).dtypes)
    assert calls.dtypes.equals(schema.frame(schema.MEMBER_CALLS).dtypes)
    for name, of_member in steps.groupby("member"):
        assert set(of_member["vpn_connection_id"]) == {connection_of(name)}
    assert sorted(set(calls["member"])) == sorted(three.routes)
    found = sorted(path.name for path in folder.iterdir())
    assert found == ["berlin.db", "fleet.json", "madrid.db", "oslo.db"]


def test_max_members(tmp_path: Path, folder: Path) -> None:
    """No more members run at once than may, each in one thread, and each begins in its turn."""
    names = [f"a{number}" for number in range(9)]
    course = Course()
    with Accounts(names) as accounts:
        fleet = accounts.fleet(folder, max_members=3, observers=[course])
        fleet.start().wait().raise_on_error()
        assert set(accounts.creations().values()) == {2}
    assert course.most == 3
    assert course.most_threads <= 3
    assert course.most_callers <= 2 * 3
    assert sorted(course.begun) == sorted(course.ended) == names
    of_one = [event.state for event in course.events if event.member == "a4"]
    assert of_one == ["looking", "running", "finished"]


def test_waves(tmp_path: Path, folder: Path) -> None:
    """No member of a wave begins before all of the one before have ended."""
    names = [f"a{number}" for number in range(6)]
    course = Course()
    with Accounts(names) as accounts:
        fleet = accounts.fleet(folder, waves=[1, 2, None], observers=[course])
        fleet.start().wait().raise_on_error()
    assert fleet.frame()["wave"].tolist() == [1, 2, 2, 3, 3, 3]
    order = [(event.member, event.state) for event in course.events]
    for wave, later in ((names[:1], names[1:]), (names[1:3], names[3:])):
        last = max(order.index((name, "finished")) for name in wave)
        assert all(order.index((name, "looking")) > last for name in later)


def test_a_failed_canary(tmp_path: Path, folder: Path) -> None:
    """A canary with a failed step holds all others back, also after a crash; told so, they go."""
    with Accounts(["a", "b", "c"], refusing("a", count=1)) as accounts:
        fleet = accounts.fleet(folder, waves=[1, None]).start().wait()
        assert fleet.state == "stopped"
        assert accounts.creations() == {"a": 1, "b": 0, "c": 0}
        assert fleet.frame()["state"].tolist() == ["finished", "ready", "ready"]
        with pytest.raises(errors.FleetError, match="1 of 3 members failed: a: steps") as caught:
            fleet.raise_on_error()
        assert caught.value.members == ("a",)
        again = vk.Fleet.open(folder, accounts.clients).start().wait()
        assert again.state == "stopped"
        assert again.message == "a, of wave 1, did not finish"
        assert accounts.creations() == {"a": 1, "b": 0, "c": 0}
        told = vk.Fleet.open(folder, accounts.clients, waves=None).start().wait()
        assert told.state == "finished"
        assert accounts.creations() == {"a": 1, "b": 2, "c": 2}
        assert list(told.results()) == ["a", "b", "c"]
        assert [result.failed for result in told.results().values()] == [True, False, False]


@pytest.mark.parametrize(("stop_after", "left"), [("20%", 3), ("21%", 2), (2, 2), (3, 0)])
def test_stop_after(folder: Path, stop_after: int | str | None, left: int) -> None:
    """After so many failed members, or such a share of all, no other begins; the frame says why."""
    with Accounts("abcde", refusing("b"), refusing("c")) as accounts:
        fleet = accounts.fleet(folder, max_members=1, stop_after=stop_after).start().wait()
    frame = fleet.frame().set_index("member")
    assert int((frame["state"] == "ready").sum()) == left
    assert fleet.state == ("stopped" if left else "finished")
    assert "IllegalParam.RouteDest" in frame["message"]["b"]
    assert frame["failed"]["b"] == 2
    assert frame["done"]["a"] == 2


def test_those_that_run_go_on(folder: Path) -> None:
    """A member that fails stops none of those that run."""
    with Accounts("abcd", refusing("a"), each=8) as accounts:
        fleet = accounts.fleet(folder, max_members=3, stop_after=1).start().wait()
    assert fleet.state == "stopped"
    assert fleet.frame()["done"].tolist()[:3] == [0, 8, 8]


def test_one_that_cannot_begin(three: Accounts, folder: Path) -> None:
    """A member that cannot even connect is a result with its error; the others finish."""
    fleet = three.fleet(folder)

    def refuse() -> vk.Client:
        raise errors.CredentialsError("no AccessKey was found", remedy="Bring one")

    clients = {**three.clients, "madrid": refuse}
    again = vk.Fleet.open(folder, clients).start().wait()
    assert again.state == "stopped"
    result = again.results()["madrid"]
    assert isinstance(result.error, errors.CredentialsError)
    assert again.frame()["message"].tolist()[1] == "no AccessKey was found"
    with pytest.raises(errors.FleetError, match="madrid: no AccessKey"):
        again.raise_on_error()
    assert three.creations() == {"berlin": 2, "madrid": 0, "oslo": 2}
    vk.Fleet.open(folder, three.clients).start().wait().raise_on_error()
    assert set(three.creations().values()) == {2}
    fleet.start().wait().raise_on_error()  # all is done, and that is seen


def test_a_refused_key(folder: Path) -> None:
    """The error that ends a member's rollout is its result, and no secret is in it."""
    with Accounts("ab") as accounts:
        fleet = accounts.fleet(folder)
        wrong = accounts.keys["b"][0], "canary-of-nobody-77"
        accounts.clients["b"] = type(accounts.clients["b"])(
            accounts.clients["b"].func, accounts.cloud.endpoint, SPEED, wrong
        )
        fleet = vk.Fleet.open(folder, accounts.clients).start().wait()
    assert isinstance(fleet.results()["b"].error, errors.CredentialsError)
    assert "canary" not in str(fleet.results()["b"].error)
    assert not fleet.results()["a"].failed


def test_pause_and_resume(folder: Path) -> None:
    """Paused, no member begins; resumed, all of them end."""
    with Accounts("abcd") as accounts:
        fleet = accounts.fleet(folder, max_members=2)
        ended = threading.Event()

        def pause(event: MemberChanged) -> None:
            if event.state == "finished" and not ended.is_set():
                fleet.pause()
                ended.set()

        fleet.observe(pause)
        fleet.start()
        assert ended.wait(60)
        assert fleet.state == "paused"
        assert sum(accounts.creations().values()) < 8
        assert len(fleet.results()) < 4
        fleet.resume()
        fleet.wait().raise_on_error()
        assert set(accounts.creations().values()) == {2}


def test_cancel(folder: Path) -> None:
    """Cancelled, members that have not begun skip all of their steps, and send nothing at all."""
    with Accounts("abc", each=5) as accounts:
        fleet = accounts.fleet(folder, max_members=1)
        seen = len(accounts.cloud.calls())
        fleet.observe(lambda event: fleet.cancel() if event.state == "finished" else None)
        fleet.start().wait()
        assert fleet.state == "cancelled"
        assert accounts.creations() == {"a": 5, "b": 0, "c": 0}
        later = accounts.cloud.calls().iloc[seen:]
        assert set(later["account_id"]) == {"a"}
    frame = fleet.frame()
    assert frame["state"].tolist() == ["finished", "cancelled", "cancelled"]
    assert frame["skipped"].tolist() == [0, 5, 5]
    with pytest.raises(errors.FleetError, match="2 of 3"):
        fleet.raise_on_error()


def test_stop_and_go_on(folder: Path) -> None:
    """Stopped, a fleet goes on where it was when it is opened again, and does nothing twice."""
    with Accounts("abcd", each=4) as accounts:
        fleet = accounts.fleet(folder, max_members=2)
        fleet.observe(lambda event: fleet.stop() if event.state == "running" else None)
        assert fleet.start().wait().state == "stopped"
        with pytest.raises(errors.FleetError, match="stopped"):
            fleet.raise_on_error()
        assert sum(accounts.creations().values()) < 16
        again = vk.Fleet.open(folder, accounts.clients, max_members=4)
        again.start().wait().raise_on_error()
        assert set(accounts.creations().values()) == {4}


@pytest.mark.parametrize(("command", "state"), [("cancel", "cancelled"), ("stop", "stopped")])
def test_a_pause_is_too_late(folder: Path, command: str, state: str) -> None:
    """After cancel or stop, pause and resume begin nobody, and the fleet ends."""
    with Accounts("abc") as accounts:
        fleet = accounts.fleet(folder, max_members=1)

        def steer(event: MemberChanged) -> None:
            if (event.member, event.state) == ("a", "looking"):
                for name in (command, "pause", "resume"):
                    getattr(fleet, name)()

        fleet.observe(steer)
        assert fleet.start().wait(60).state == state
        assert set(accounts.creations().values()) == {0}


def test_nothing_is_left(folder: Path) -> None:
    """A fleet with nothing left to resume is finished, however the last run of a member ended."""
    with Accounts("ab") as accounts:
        fleet = accounts.fleet(folder, max_members=1)

        def skip(event: MemberChanged) -> None:
            if (event.member, event.state) == ("a", "looking"):
                fleet.rollouts()["a"].cancel()
                fleet.rollouts()["a"].stop()

        fleet.observe(skip)
        assert fleet.start().wait().state == "stopped"
        again = vk.Fleet.open(folder, accounts.clients).start().wait()
    assert again.state == "finished"
    assert again.frame()["skipped"].tolist() == [2, 0]
    assert list(again.results()) == ["a", "b"]
    assert again.results()["a"].failed


def test_cancelled_when_all_was_done(folder: Path) -> None:
    """A member that is cancelled, and all of whose steps are done, has not failed."""
    with Accounts("ab", each=1) as accounts:
        fleet = accounts.fleet(folder, max_members=1, stop_after=1)

        def cancel(event: MemberChanged) -> None:
            if (event.member, event.state) == ("a", "running"):  # its only step was sent
                fleet.rollouts()["a"].cancel()

        fleet.observe(cancel)
        assert fleet.start().wait().raise_on_error().state == "finished"
        assert accounts.creations() == {"a": 1, "b": 1}
    assert fleet.frame()["state"].tolist() == ["cancelled", "finished"]


def test_no_new_budget(folder: Path) -> None:
    """A member that ended early is tried again, in each process, before any other begins."""
    with Accounts("abc") as accounts:
        accounts.fleet(folder, max_members=1, stop_after=1)
        key = accounts.keys["a"][0], "canary-of-nobody-77"
        wrong = partial(connect_to, accounts.cloud.endpoint, SPEED, key)
        for most in (1, 3):
            clients = {**accounts.clients, "a": wrong}
            fleet = vk.Fleet.open(folder, clients, max_members=most).start().wait()
            assert (fleet.state, list(fleet.results())) == ("stopped", ["a"])
            assert fleet.message == "1 member of 3 failed"
        vk.Fleet.open(folder, accounts.clients).start().wait().raise_on_error()
        assert accounts.creations() == {"a": 2, "b": 2, "c": 2}


def test_await(three: Accounts, folder: Path) -> None:
    """A fleet can be awaited, also when it has ended, and by somebody who gives up."""

    async def main() -> vk.Fleet:
        fleet = three.fleet(folder).start()

        async def waits() -> None:
            await fleet

        waiting = asyncio.create_task(waits())
        await asyncio.sleep(0)
        waiting.cancel()
        await fleet
        return await fleet

    assert asyncio.run(main()).raise_on_error().state == "finished"


def test_undo(three: Accounts, folder: Path, tmp_path: Path) -> None:
    """Taken back by a fleet of its own, every account is as it was; whoever did nothing is out."""
    fleet = three.fleet(folder)
    assert fleet.undo() == {}
    fleet.start()
    with pytest.raises(errors.PlanError, match="still runs"):
        fleet.undo()
    plans = fleet.wait().undo()
    assert list(plans) == ["oslo", "madrid", "berlin"]
    assert {plan.counts["delete"] for plan in plans.values()} == {2}
    back = vk.Fleet(plans, three.clients, directory=tmp_path / "undo")
    back.start().wait().raise_on_error()
    assert len(three.cloud.routes()) == 0
    assert {plan.counts["blocked"] for plan in fleet.undo().values()} == {2}


def test_one_driver_at_a_time(three: Accounts, folder: Path) -> None:
    """While a fleet runs, nobody else starts it; anybody may look."""
    fleet = three.fleet(folder)
    other = vk.Fleet.open(folder, three.clients)
    refused: list[str] = []

    def start(_: MemberChanged) -> None:
        if not refused:
            with pytest.raises(errors.JournalLockedError) as caught:
                other.start()
            refused.append(str(caught.value))
            assert len(vk.Fleet.read(folder).frame()) == 3

    fleet.observe(start)
    with pytest.raises(errors.PlanError, match=r"Call start\(\) first"):
        fleet.wait()
    fleet.start()
    with pytest.raises(errors.PlanError, match="started already"):
        fleet.start()
    fleet.wait().raise_on_error()
    assert "another process runs this fleet" in refused[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a/b", "names a file"),
        ("..", "names a file"),
        ("", "names a file"),
        ("a b", "names a file"),
        ("-x", "names a file"),
        ("a.", "names a file"),
        ("ü" * 101, "names a file"),
        ("OSLO", "share a file"),
    ],
)
def test_names(three: Accounts, folder: Path, name: str, said: str) -> None:
    """A name that no file can have, or that another member's file has, is refused."""
    plans = three.plans()
    plans[name] = plans["oslo"]
    with pytest.raises(errors.InputError, match=said):
        vk.Fleet(plans, {**three.clients, name: three.clients["oslo"]}, directory=folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_members": 0}, "max_members=0"),
        ({"waves": [0, None]}, r"waves=\[0, None\]"),
        ({"stop_after": 0}, "stop_after=0"),
        ({"stop_after": "0%"}, "stop_after='0%'"),
        ({"stop_after": "101%"}, "stop_after='101%'"),
        ({"stop_after": "some"}, "stop_after='some'"),
        ({"rate_share": 2}, "member berlin: rate_share=2"),
        ({"windows": "soon"}, "member berlin"),
    ],
)
def test_options_that_are_none(
    three: Accounts, folder: Path, options: dict[str, object], said: str
) -> None:
    """An option that cannot be kept is one clear error, before anything is made."""
    with pytest.raises(errors.InputError, match=said):
        three.fleet(folder, **options)
    assert [path for path in folder.parent.iterdir() if path.name != "home"] == []


def test_members_without_clients(three: Accounts, folder: Path) -> None:
    """Each member needs a client, and a client is one."""
    with pytest.raises(errors.InputError, match="no client for madrid, oslo"):
        vk.Fleet(three.plans(), {"berlin": three.clients["berlin"]}, directory=folder)
    with pytest.raises(errors.InputError, match="member berlin: a rollout needs a client"):
        vk.Fleet(three.plans(), dict.fromkeys(three.plans(), "cn-hangzhou"), directory=folder)
    with pytest.raises(errors.InputError, match="needs a member"):
        vk.Fleet({}, {}, directory=folder)


def test_the_directory(three: Accounts, folder: Path) -> None:
    """A directory that is there is refused with the way to go on; what is no fleet is said."""
    three.fleet(folder)
    with pytest.raises(errors.JournalError, match=r"vk\.Fleet\.open\("):
        three.fleet(folder)
    with pytest.raises(errors.JournalError, match=r"there is no fleet: fleet\.json"):
        vk.Fleet.open(folder.parent, three.clients)
    text = (folder / "fleet.json").read_text()
    for damaged in ("", "[]", text.replace('"version": 1', '"version": 2'), text[:-9]):
        (folder / "fleet.json").write_text(damaged)
        with pytest.raises(errors.JournalError):
            vk.Fleet.open(folder, three.clients)
    (folder / "fleet.json").write_text(text)
    (folder / "oslo.db").replace(folder / "madrid.db")
    with pytest.raises(errors.JournalError, match=r"madrid\.db: it is not the journal"):
        vk.Fleet.open(folder, three.clients)


def test_no_secret_of_a_member_anywhere(
    three: Accounts, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No file, event, result, repr or log of a fleet has the secret of any member."""
    course = Course()
    caplog.set_level(0)
    fleet = three.fleet(folder, observers=[course]).start().wait()
    said = [repr(fleet), repr(fleet.results()), repr(course.events), caplog.text]
    said += [fleet.frame().to_csv(), fleet.calls().to_csv(), fleet.steps().to_csv()]
    for path in folder.iterdir():
        said.append(path.read_bytes().decode("latin-1"))
    for _, secret in three.keys.values():
        assert not any(secret in text for text in said)


STORY = """
import os, signal, sys
from pathlib import Path
from tests.rollout.accounts import Accounts

def kill(event):
    while not killed and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        pass  # nobody waits yet
    if not killed:
        killed.append(event)
        os.kill(os.getpid(), signal.SIGTERM)

killed = []
accounts = Accounts("abcdef", each=10, speed=60.0)
accounts.__enter__()
fleet = accounts.fleet(Path(sys.argv[1]), max_members=3)
if sys.argv[2] == "by a signal":
    fleet.observe(kill)
    fleet.start().wait()
fleet.start()
"""


@pytest.mark.parametrize(
    ("ends", "code"), [("by a signal", 128 + signal.SIGTERM), ("by itself", 0)]
)
def test_the_program_ends(folder: Path, ends: str, code: int) -> None:
    """A program that ends stops all members in order, begins no other, and says how to go on."""
    command = [sys.executable, "-c", STORY, str(folder), ends]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert ended.returncode == code, ended.stderr
    said = f'Stopped. Resume with: vk.Fleet.open("{folder}", clients).start()'
    all_said = ended.stdout + ended.stderr
    assert all_said.count("Resume with") == all_said.count(said) == 1
    frame = vk.Fleet.read(folder).frame()
    assert frame["state"].tolist() == ["interrupted"] * 3 + ["ready"] * 3
