"""The client of the API, in a synchronous and an asynchronous form; see `vcokit.cloud.calls`."""

from __future__ import annotations

import asyncio
import random
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar, cast

import httpx
import pandas as pd

from vcokit.cloud.answers import Answer
from vcokit.cloud.calls import Calls
from vcokit.cloud.listing import Exchange, Outcome
from vcokit.cloud.masking import Secret
from vcokit.cloud.ratelimit import Limiter
from vcokit.cloud.simulated import is_simulator
from vcokit.cloud.target import Target
from vcokit.cloud.transport import AsyncTransport, Transport

_Result = TypeVar("_Result")


class Client(Calls[Answer, pd.DataFrame]):
    """The synchronous client. Safe to share between threads; ``with`` and `close` are optional.

    Parameters
    ----------
    target : Target
        From `connect`.
    sleep : callable
        Called with the seconds to wait before a read.
    now : callable
        Seconds of the clock that it sleeps by, and measures how long a call takes.
    luck : callable
        A number from 0 to 1, by which waits between tries are made shorter, by up to half.
    """

    def __init__(
        self,
        target: Target,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        luck: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(target, now, luck)
        self._sleep = sleep
        self._simulated = False
        self._transport = Transport(
            target.timeouts, Secret.of(target.proxy), target.longest_call, now, target.transport
        )
        # In a notebook nobody closes a client: it closes itself when it is forgotten.
        weakref.finalize(self, self._transport.close)

    def run(self, exchange: Exchange[_Result]) -> _Result:
        """Play a call to its end."""
        try:
            effect = next(exchange)
            while True:
                if isinstance(effect, httpx.Request):
                    effect = exchange.send(self._fetch(effect))
                else:
                    self._sleep(effect)
                    effect = next(exchange)
        except StopIteration as stop:
            return cast(_Result, stop.value)

    def _fetch(self, request: httpx.Request) -> Outcome:
        self._auth.sign(request)
        try:
            return self._transport.send(request)
        except httpx.RequestError as error:
            return error
        finally:
            self._auth.forget(request)

    def _answer(self, exchange: Exchange[Answer]) -> Answer:
        return self.run(exchange)

    def _table(self, exchange: Exchange[pd.DataFrame]) -> pd.DataFrame:
        return self.run(exchange)

    def pages(self, operation: str, **parameters: object) -> Iterator[pd.DataFrame]:
        """Yield a listing page by page, for lists too long to wait for.

        Parameters
        ----------
        operation : str
            One that lists, for example ``DescribeVcoRouteEntries``.
        **parameters
            As of the operation's own method, for example ``vpn_connection_id=``; ``page_size=``
            is 50 unless given.

        Yields
        ------
        DataFrame
            Of the operation's schema; the first one comes even where the list is empty.

        Raises
        ------
        ProtocolError
            If the list changes meanwhile.
        """
        listing = self._listing_of(operation, parameters)
        while not listing.ended:
            yield listing.frame(self.run(listing.turn()))

    @property
    def simulated(self) -> bool:
        """Whether a simulator answers, and not the cloud; see `vcokit.cloud.simulated`.

        An endpoint on this machine is asked, until it has once said that it is one; no other is.
        """
        if not self._simulated:
            target = self.target
            self._simulated = is_simulator(target.endpoint, target.connect_timeout)
        return self._simulated

    def to_async(self) -> AsyncClient:
        """Return an asynchronous client of the same target, which shares the limits."""
        return AsyncClient(self.target, now=self._pacer.now, limiter=self.limiter)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(Calls[Awaitable[Answer], Awaitable[pd.DataFrame]]):
    """The asynchronous client: the same names, to be awaited.

    Parameters
    ----------
    target : Target
        From `connect`.
    sleep : callable
        Awaited with the seconds to wait before a read.
    now : callable
        Seconds of the clock that it sleeps by.
    luck : callable
        As for `Client`.
    limiter : Limiter, optional
        Of a synchronous client of the same target; by default one of its own.
    """

    def __init__(
        self,
        target: Target,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
        luck: Callable[[], float] = random.random,
        limiter: Limiter | None = None,
    ) -> None:
        super().__init__(target, now, luck, limiter)
        self._sleep = sleep
        self._transport = AsyncTransport(
            target.timeouts,
            Secret.of(target.proxy),
            target.longest_call,
            instead=target.transport,
        )

    async def run(self, exchange: Exchange[_Result]) -> _Result:
        """Play a call to its end."""
        try:
            effect = next(exchange)
            while True:
                if isinstance(effect, httpx.Request):
                    effect = exchange.send(await self._fetch(effect))
                else:
                    await self._sleep(effect)
                    effect = next(exchange)
        except StopIteration as stop:
            return cast(_Result, stop.value)

    async def _fetch(self, request: httpx.Request) -> Outcome:
        if getattr(self.target.credentials, "is_due", False):
            # A renewal may call somebody; the loop shall not stand still meanwhile.
            await asyncio.to_thread(self.target.credentials)
        self._auth.sign(request)
        try:
            return await self._transport.send(request)
        except httpx.RequestError as error:
            return error
        finally:
            self._auth.forget(request)

    def _answer(self, exchange: Exchange[Answer]) -> Awaitable[Answer]:
        return self.run(exchange)

    def _table(self, exchange: Exchange[pd.DataFrame]) -> Awaitable[pd.DataFrame]:
        return self.run(exchange)

    async def pages(self, operation: str, **parameters: object) -> AsyncIterator[pd.DataFrame]:
        """Yield a listing page by page; see `Client.pages`."""
        listing = self._listing_of(operation, parameters)
        while not listing.ended:
            yield listing.frame(await self.run(listing.turn()))

    async def aclose(self) -> None:
        """Close the connections that are kept open."""
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
