"""Members as work for pools of threads, processes and Dask workers, one of which is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

import vcokit as vk
from tests.rollout.accounts import Accounts, refusing
from vcokit import errors
from vcokit.rollout.fleet import MemberChanged, resume_member
from vcokit.rollout.journal import Journal

# Most of it runs in other processes.
pytestmark = pytest.mark.no_cover


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the fleet goes."""
    return tmp_path / "fleet"


def kill_once(told: Path, victim: str, connect: partial[vk.Client]) -> vk.Client:
    """Connect; the first time for the victim, end the process once it has sent."""
    client = connect()
    if told.name == victim and not told.exists():
        told.touch()
        call = client.call

        def last(operation, *arguments, **options):
            answer = call(operation, *arguments, **options)
            if operation.writes:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        client.call = last
    return client


def killing(accounts: Accounts, folder: Path, victim: str) -> dict[str, partial[vk.Client]]:
    """Return clients, by one of which a worker dies."""
    return {
        name: partial(kill_once, folder.parent / name, victim, connect)
        for name, connect in accounts.clients.items()
    }


@pytest.fixture(params=["threads", "processes"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An executor of each kind of the standard library."""
    made = (
        ThreadPoolExecutor(2)
        if request.param == "threads"
        else ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    )
    with made:
        yield made


def test_pools(pool: Executor, folder: Path) -> None:
    """All members end in a pool as they do without one, with errors and waves."""
    events: list[MemberChanged] = []
    with Accounts("abcd", refusing("b")) as accounts:
        fleet = accounts.fleet(
            folder, executor=pool, max_members=2, waves=[1, None], observers=[events.append]
        )
        fleet.start().wait()
        assert fleet.state == "finished"
        assert accounts.creations() == {"a": 2, "b": 0, "c": 2, "d": 2}
    assert [name for name, result in fleet.results().items() if result.failed] == ["b"]
    assert isinstance(fleet.results()["b"].error, errors.RolloutError)
    assert [event.state for event in events if event.member == "d"] == ["running", "finished"]
    assert events[1] == MemberChanged(events[1].at, "a", "finished", None)


def test_cancel_and_stop(folder: Path) -> None:
    """Cancelled, members that have not begun send nothing; stopped, they stay as they are."""
    with Accounts("abcd") as accounts, ThreadPoolExecutor(1) as pool:
        fleet = accounts.fleet(folder, executor=pool, max_members=3)
        fleet.observe(lambda event: fleet.stop() if event.state == "finished" else None)
        assert fleet.start().wait().state == "stopped"
        assert sum(accounts.creations().values()) in (2, 4)  # one may have begun meanwhile
        again = vk.Fleet.open(folder, accounts.clients, executor=pool, max_members=1)
        again.cancel()
        assert again.start().wait().state == "cancelled"
        assert sum(accounts.creations().values()) in (2, 4)
    assert set(again.frame()["state"]) == {"finished", "cancelled"}


def test_a_broken_pool(folder: Path) -> None:
    """A killed worker breaks a pool of processes, and the fleet stops; another pool ends it."""
    spawn = get_context("spawn")
    with Accounts("abc") as accounts:
        clients = killing(accounts, folder, "b")
        vk.Fleet(accounts.plans(), accounts.clients, directory=folder)
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            fleet = vk.Fleet.open(folder, clients, executor=pool, max_members=1).start().wait()
        assert fleet.state == "stopped"
        assert "the executor is broken" in str(fleet.message)
        assert fleet.frame()["state"].tolist() == ["finished", "stopped", "ready"]
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            vk.Fleet.open(folder, clients, executor=pool).start().wait().raise_on_error()
        assert set(accounts.creations().values()) == {2}


def test_a_killed_dask_worker(folder: Path) -> None:
    """A member whose worker is killed is finished by another; nothing is done twice."""
    from dask.distributed import Client, LocalCluster

    with Accounts("abc") as accounts:
        fleet = vk.Fleet(accounts.plans(), accounts.clients, directory=folder)
        clients = killing(accounts, folder, "b")
        settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**settings, silence_logs=50) as cluster, Client(cluster) as workers:
            fleet = vk.Fleet.open(folder, clients, executor=workers.get_executor())
            fleet.start().wait().raise_on_error()
        assert (folder.parent / "b").exists()  # it was killed
        assert set(accounts.creations().values()) == {2}


def test_a_worker_waits_for_a_journal(folder: Path) -> None:
    """While another process has the journal, the work waits; when it is free, it goes on."""
    with Accounts("a") as accounts:
        journal = accounts.fleet(folder).journal("a")
        held = Holder(journal)
        result = resume_member("a", journal, accounts.clients["a"], sleep=held.let_go)
        assert held.waited
        assert not result.failed
        again = resume_member("a", journal, accounts.clients["a"])
        assert (again.state, again.error) == ("finished", None)
        assert accounts.creations() == {"a": 2}
        with Journal.open(journal), pytest.raises(errors.JournalLockedError, match="itself"):
            resume_member("a", journal, accounts.clients["a"])


class Holder:
    """Another process that has a journal until it is killed."""

    def __init__(self, journal: Path) -> None:
        self.waited: list[float] = []
        ours, theirs = get_context("spawn").Pipe()
        self.process = get_context("spawn").Process(target=hold, args=(journal, theirs))
        self.process.start()
        ours.recv()

    def let_go(self, seconds: float) -> None:
        """Be killed, whoever waits."""
        self.waited.append(seconds)
        self.process.kill()
        self.process.join()


def hold(journal: Path, said) -> None:
    """Have a journal open, and say so."""
    with Journal.open(journal):
        said.send("held")
        signal.pause()


def test_a_key_is_not_sent_to_workers(folder: Path) -> None:
    """A client, or a function with a secret in it, is refused where it would leave this process."""
    with Accounts("a") as accounts, ProcessPoolExecutor(1) as pool, ThreadPoolExecutor(1) as here:
        plans = accounts.plans()
        key = {"access_key_id": "LTAI", "access_key_secret": "canary-secret-c0ffee41d2"}
        with accounts.clients["a"]() as client:
            for given in (client, partial(vk.connect, "cn-hangzhou", **key)):
                with pytest.raises(errors.InputError, match="because it has a key") as caught:
                    vk.Fleet(plans, {"a": given}, directory=folder, executor=pool)
                assert "canary" not in str(caught.value)
            fleet = vk.Fleet(plans, {"a": client}, directory=folder, executor=here)
            fleet.start().wait().raise_on_error()
