"""Where a recording listens to what goes over the network. Without one each place looks at one attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import aiohttp

    from messaging_client.errors import MessagingError
    from messaging_client.events import ConnectionChange
    from messaging_client.transport.exchange import Call
    from messaging_client.transport.statuses import Answer


class Tap(Protocol):
    """What is told of all that a client sends and receives; it must neither block nor raise."""

    def websocket(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """A WebSocket was opened, and nothing has been read from it or written to it."""

    def asked(self, call: Call, method: str, path: str) -> Callable[[Answer | MessagingError], None]:
        """A request is sent once; gives what is told of its outcome. `path` stands below `api_path`."""

    def moved(self, change: ConnectionChange) -> None:
        """The connection has moved from a state to another."""
