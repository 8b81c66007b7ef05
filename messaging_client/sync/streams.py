"""Iterators, expectations and blocks of the blocking client."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from messaging_client.dispatch import EventStream as AsyncEventStream
from messaging_client.errors import NotConnected
from messaging_client.subscriptions import Expectation as AsyncExpectation
from messaging_client.sync.faces import Face
from messaging_client.sync.runtime import Runtime

E = TypeVar("E")

_END = object()


class Items(Face[AsyncIterator[E]], Iterator[E], Generic[E]):
    """An iterator that waits for each item. Several threads may share one: each item goes to one of them."""

    def __init__(self, runtime: Runtime, behind: AsyncIterator[E]) -> None:
        super().__init__(runtime, behind)
        self._turn = threading.Lock()

    def __next__(self) -> E:
        with self._turn:
            item = self._runtime.run(self._next)
        if item is _END:
            raise StopIteration
        return cast(E, item)

    async def _next(self) -> E | object:
        return await anext(self._async, _END)


class EventStream(Items[E], Generic[E]):
    """An iterator of events, collecting from the moment it was made. Close it, or let it go, to end it."""

    def __init__(self, runtime: Runtime, behind: AsyncEventStream[E]) -> None:
        super().__init__(runtime, behind)
        self._stream = behind
        runtime.when_dropped(behind.cancel, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __next__(self) -> E:
        try:
            return super().__next__()
        except NotConnected:
            if self._stream.is_open:
                raise
            raise StopIteration from None

    @property
    def dropped(self) -> int:
        """Events that were lost because the queue was full; messages are never lost."""
        return self._runtime.call(lambda: self._stream.dropped)

    @property
    def is_open(self) -> bool:
        """Whether it still takes events."""
        return self._runtime.call(lambda: self._stream.is_open)

    def cancel(self) -> None:
        """End the iteration, also where another thread waits in it."""
        self._runtime.call(self._stream.cancel)

    close = cancel


class Expectation(Face[AsyncExpectation[E]], Generic[E]):
    """Waits for one event, from the moment the `with` block is entered; `result()` gives it.

    Made by `client.expect(...)`. The time-out runs from the moment that `result()` is called.
    """

    def __enter__(self) -> Self:
        self._runtime.run(self._async.__aenter__)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._runtime.leave(lambda: self._async.__aexit__(kind, *rest))

    def result(self) -> E:
        """Wait for the event.

        Raises:
            ExpectTimeout: it did not come in time; the text lists what came and did not match, without content.
        """

        async def wait() -> E:
            return await self._async

        return self._runtime.run(wait)


class Block(AbstractContextManager[E], Generic[E]):
    """A `with` block for an asynchronous one."""

    def __init__(self, runtime: Runtime, behind: AbstractAsyncContextManager[E, Any]) -> None:
        self._runtime = runtime
        self._async = behind

    def __enter__(self) -> E:
        return self._runtime.run(self._async.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return bool(self._runtime.run(lambda: self._async.__aexit__(kind, error, trace)))
