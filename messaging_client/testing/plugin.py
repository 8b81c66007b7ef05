"""The pytest plugin of the package; until one of its fixtures is used it imports nothing, and changes nothing.

`messaging_server`
    An embedded server in a thread of its own: `BackgroundServer`. `@pytest.mark.messaging_server(idempotency=False)`
    sets `ServerOptions`; the marks of a test, its class and its module add up, the nearest wins.

`messaging_client_factory`
    `messaging_client_factory("medecin", 79)` gives a `MessagingClient` of that user at `messaging_server`, not yet
    connected: the asyncio client in an asynchronous test, the blocking one in a plain test. It is closed at the end
    of the test, within the test's own event loop.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from messaging_client.testing.background import BackgroundServer

MARK = "messaging_server"


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", f"{MARK}(**options): ServerOptions for the fixture messaging_server")


@pytest.fixture
def messaging_server(request: pytest.FixtureRequest) -> Iterator[BackgroundServer]:
    """An embedded messaging server, stopped at the end of the test."""
    from messaging_client.testing.background import BackgroundServer
    from messaging_client.testing.options import ServerOptions

    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(MARK))):
        options |= mark.kwargs
    with BackgroundServer(options=ServerOptions(**options)) as server:
        yield server


@pytest.fixture
def messaging_client_factory(
    request: pytest.FixtureRequest, messaging_server: BackgroundServer
) -> Iterator[Callable[..., Any]]:
    """A function that makes clients of the embedded server, closed at the end of the test."""
    is_async = inspect.iscoroutinefunction(request.function)
    clients: list[Any] = []
    loops: list[Any] = []

    def make(user_type: str, user_id: int, *, url: str | None = None, token: Any = None, **settings: Any) -> Any:
        """Make a client that is not yet connected.

        Args:
            user_type: `patient` or `medecin`.
            user_id: whose.
            url: in place of the server's.
            token: in place of a fresh one of that user.
            settings: whatever else `MessagingClient` takes: `config`, `store`, `clock`.

        """
        home = import_module("messaging_client" if is_async else "messaging_client.sync")
        mine = messaging_server.token(user_type, user_id) if token is None else token
        client = home.MessagingClient(url or messaging_server.url, token=mine, **settings)
        clients.append(client)
        if loop := _running_loop():
            loops.append(loop)
        return client

    if is_async:
        request.node.obj = _closing(request.node.obj, clients, loops)
    yield make
    if not is_async:
        for client in reversed(clients):
            client.close()


def _closing(
    test: Callable[..., Awaitable[None]], clients: list[Any], loops: list[Any]
) -> Callable[..., Awaitable[None]]:
    """Let a test close its clients before its event loop ends, whichever plugin runs that loop.

    Args:
        test: the test.
        clients: that are closed.
        loops: event loops in which some of them were made.
    """

    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        loop = _running_loop()
        if loop is None:
            pytest.fail(
                "Clients of messaging_client_factory run on asyncio, and this test does not; "
                "where anyio runs it, let the fixture anyio_backend return 'asyncio'.",
                pytrace=False,
            )
        if any(each is not loop for each in loops):
            pytest.fail(
                "A client of messaging_client_factory was made in another event loop than this test's, which would "
                "wait for it in vain. Let one plugin run both: with asyncio_mode = auto leave @pytest.mark.anyio out; "
                "with pytest-asyncio give fixtures and tests the same loop_scope.",
                pytrace=False,
            )
        try:
            await test(*args, **kwargs)
        finally:
            for client in reversed(clients):
                await client.aclose()

    return run


def _running_loop() -> Any:
    """Give asyncio's event loop, or None where there is none."""
    try:
        return import_module("asyncio").get_running_loop()
    except RuntimeError:
        return None
