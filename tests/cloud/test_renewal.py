"""A key is renewed once, whoever asks for it meanwhile, and nobody waits who need not."""

from __future__ import annotations

import asyncio
import threading

from tests.cloud.stub import Stub, reply
from tests.cloud.test_credentials import Clock
from tests.leaks import TEST_SECRET
from vcokit.cloud.credentials import EARLY, Credentials, Keyring


def test_one_renewal_for_many_threads() -> None:
    """Threads that meet an old key wait for one renewal, not for one each."""
    begun, go = threading.Event(), threading.Event()
    asked: list[int] = []

    def slow() -> Credentials:
        asked.append(1)
        begun.set()
        assert go.wait(10)
        return Credentials("LTAIx", TEST_SECRET)

    ring = Keyring(slow)
    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(asked) == 1


def test_a_renewal_does_not_stop_the_event_loop() -> None:
    """While a source takes its time, other tasks of the loop go on."""
    body = {"RequestId": "r", "State": "attached"}
    ticks: list[int] = []
    clock = Clock()
    enough = threading.Event()
    went_on: list[bool] = []

    def slow() -> Credentials:
        if ticks:
            went_on.append(enough.wait(5))
        return Credentials("LTAIx", TEST_SECRET, None, clock.now + EARLY + 10)

    async def tick() -> None:
        for n in range(5):
            ticks.append(n)
            await asyncio.sleep(0)
        enough.set()

    async def ask(stub: Stub) -> None:
        client = stub.client(credentials=slow, clock=clock)
        clock.now += 11
        ticks.append(-1)
        async with client.to_async() as both:
            call = both.describe_vpn_connection(vpn_connection_id="vco-1")
            await asyncio.gather(call, tick())

    with Stub([reply(body)]) as stub:
        asyncio.run(ask(stub))
    assert went_on == [True]
    assert ticks == [-1, 0, 1, 2, 3, 4]


# -- nowhere shown --------------------------------------------------------------------------------
