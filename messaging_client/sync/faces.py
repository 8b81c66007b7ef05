"""What the generated classes stand on: a face is the blocking form of an object that lives in the client's loop."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from messaging_client.arguments import checked_wait
from messaging_client.boundary import guard
from messaging_client.client import MessagingClient as AsyncClient
from messaging_client.dispatch import Subscription as AsyncSubscription
from messaging_client.parts import load_libraries
from messaging_client.reports import CloseReport
from messaging_client.sync.handler_threads import on_a_thread
from messaging_client.sync.runtime import Runtime

A = TypeVar("A")
E = TypeVar("E")

Handler = Callable[..., object]
"""A plain function; it is called on a thread of its own, and may call the client."""


class Face(Generic[A]):
    """The blocking form of an object of the asynchronous client.

    Args:
        runtime: the client's threads.
        behind: the object.
    """

    def __init_subclass__(cls, **given: Any) -> None:
        """Every public method of a face is where exceptions leave the package."""
        super().__init_subclass__(**given)
        guard(cls)

    def __init__(self, runtime: Runtime, behind: A) -> None:
        self._runtime = runtime
        self._async = behind

    def __repr__(self) -> str:
        return repr(self._async)

    def _listen(self, register: Callable[[Any], AsyncSubscription[E]], handler: Handler) -> Subscription[E]:
        """Subscribe a handler, which is given this object where the asynchronous one would be."""

        def exchange(argument: Any) -> Any:
            return self if argument is self._async else argument

        adapted = on_a_thread(self._runtime.threads, handler, exchange)
        return Subscription(self._runtime, self._runtime.call(lambda: register(adapted)), handler)

    def _subscribe(
        self, register: Callable[[Any], Any], handler: Handler | None
    ) -> Subscription[E] | Callable[[Handler], Subscription[E]]:
        """Subscribe a handler, or give the decorator that does."""
        if handler is not None:
            return self._listen(register, handler)
        decorate = self._runtime.call(lambda: register(None))
        return lambda given: self._listen(decorate, given)


class Subscription(Face[AsyncSubscription[E]], Generic[E]):
    """A handler that is called with each event, one at a time and in order; a context manager, which cancels."""

    def __init__(self, runtime: Runtime, behind: AsyncSubscription[E], handler: Handler) -> None:
        super().__init__(runtime, behind)
        self._handler = handler

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the handler itself, so that a decorated function can still be used."""
        return self._handler(*args, **kwargs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cancel()

    @property
    def name(self) -> str:
        """The handler's name."""
        return self._async.name

    @property
    def dropped(self) -> int:
        """Events that were lost because the queue was full; messages are never lost."""
        return self._runtime.call(lambda: self._async.dropped)

    @property
    def is_open(self) -> bool:
        """Whether it still takes events."""
        return self._runtime.call(lambda: self._async.is_open)

    def cancel(self) -> None:
        """Take no more events; what waits is dropped."""
        self._runtime.call(self._async.cancel)


class BlockingClient(Face[AsyncClient]):
    """The life of a blocking client.

    Args:
        make: makes the asynchronous one, in the loop.
    """

    def __init__(self, make: Callable[[], AsyncClient]) -> None:
        load_libraries()
        runtime = Runtime()
        try:
            behind = runtime.call(make)
        except BaseException:
            runtime.stop()
            raise
        runtime.at_last(lambda: behind.aclose(drain=0))
        super().__init__(runtime, behind)

    @classmethod
    def _made(cls, make: Callable[[], AsyncClient]) -> Self:
        client = cls.__new__(cls)
        BlockingClient.__init__(client, make)
        return client

    def __enter__(self) -> Self:
        try:
            self._runtime.run(self._async.__aenter__)
        except BaseException:
            self._close(0.0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Somebody who presses Ctrl-C, or exits, does not want to wait for slow handlers.
        self._close(5.0 if kind is None or issubclass(kind, Exception) else 1.0)

    def _close(self, drain: float) -> CloseReport:
        # Looked at here, for the threads end with the call, whatever comes of it.
        seconds = checked_wait("close", "drain", drain)
        return self._runtime.close(lambda: self._async.aclose(seconds))
