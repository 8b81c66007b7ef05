"""The embedded server in a thread of its own, for tests of every kind: plain ones, asyncio and anyio."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, cast

from messaging_client.testing.faults import Faults
from messaging_client.testing.server import MessagingServer

TIMEOUT = 30.0
"""Real seconds after which a call that blocks gives up."""


class _Face:
    """Something that lives in the server's thread, usable from any other.

    Whatever is a plain method or a property there is one here. Whatever is a coroutine there blocks in a plain test
    and gives its result, and is awaited in a test that runs in an event loop.
    """

    def __init__(self, behind: object, loop: asyncio.AbstractEventLoop) -> None:
        self._behind = behind
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not callable(getattr(type(self._behind), name, None)):
            return self._wait(self._submit(lambda: getattr(self._behind, name)))
        method = getattr(self._behind, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            outcome = self._submit(lambda: method(*args, **kwargs))
            if inspect.iscoroutinefunction(method) and _is_in_loop():
                return asyncio.wrap_future(outcome)
            return self._wait(outcome)

        return call

    def _submit(self, work: Callable[[], Any]) -> Future[Any]:
        async def run() -> Any:
            result = work()
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def _wait(self, outcome: Future[Any]) -> Any:
        try:
            return outcome.result(TIMEOUT)
        finally:
            outcome.cancel()


class BackgroundServer(_Face):
    """A `MessagingServer` in a thread of its own; a context manager. It is what the fixture `messaging_server` gives.

    It has every method and property of `MessagingServer` (`url`, `token`, `say`, `messages`, `connections`, …) and, as
    `faults`, every one of `Faults`. Those that are coroutines there (`say`, `create_conversation`, `restart`,
    `faults.cut`, …) block in a plain test::

        message = messaging_server.say(1, "Bonjour", ("medecin", 79))

    and are awaited in an asynchronous one, as they are on `MessagingServer`::

        message = await messaging_server.say(1, "Bonjour", ("medecin", 79))

    A predicate given to `wait_until` runs in the server's thread, where it may use the `MessagingServer` that it is
    given as `server`::

        messaging_server.wait_until(lambda server: len(server.connections()) == 1)

    Args:
        arguments: as for `MessagingServer`.

    """

    def __init__(self, **arguments: Any) -> None:
        self._thread = threading.Thread(target=self._run, name="messaging-server", daemon=True)
        super().__init__(MessagingServer(**arguments), asyncio.new_event_loop())

    @property
    def faults(self) -> Faults:
        """Everything that can be made to go wrong; its coroutines are to be called as those of the server."""
        return cast(Faults, _Face(self._server.faults, self._loop))

    def wait_until(self, predicate: Callable[[MessagingServer], Any], timeout: float = 5.0) -> Any:
        """Return as soon as the predicate holds of the server; see `MessagingServer.wait_until`.

        Raises:
            TimeoutError: it did not come to hold in time.

        """
        wait: Any = self.__getattr__("wait_until")
        return wait(lambda: predicate(self._server), timeout)

    @property
    def _server(self) -> MessagingServer:
        return cast(MessagingServer, self._behind)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._submit(self._server.start))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._wait(self._submit(self._server.aclose))
        finally:
            self._end()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
