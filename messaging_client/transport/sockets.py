"""The TCP sockets under a link, kept so that they can be shut down whatever state the library is in."""

from __future__ import annotations

import contextlib
import socket
from typing import Any


class Sockets:
    """Makes sockets for aiohttp, and shuts down all that it made.

    Shutting the socket is what ends a half-open link: the library waits there for data that it cannot send.
    """

    def __init__(self) -> None:
        self._made: list[socket.socket] = []

    def new(self, address: Any) -> socket.socket:
        """Make a socket for an address as `getaddrinfo` gives it."""
        family, kind, protocol, _, _ = address
        new = socket.socket(family=family, type=kind, proto=protocol)
        self._made.append(new)
        return new

    def shut(self) -> None:
        """End both directions of every socket; their owner closes them."""
        for each in self._made:
            # Already closed, or never connected.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
