"""aiohttp sessions that clients share: one of a kind for each event loop and TLS context, open while it is used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from weakref import WeakSet, WeakValueDictionary

import aiohttp


class SharedSession:
    """A session, and who uses it."""

    def __init__(self, session: aiohttp.ClientSession, context: ssl.SSLContext | None) -> None:
        self.session = session
        # Held, so that their ids are nobody else's as long as this is here.
        self.loop = asyncio.get_running_loop()
        self.context = context
        self.users: WeakSet[object] = WeakSet()


class Sessions:
    """Sessions of one kind.

    Args:
        make: makes one with a TLS context; called within the event loop that is to use it.
    """

    def __init__(self, make: Callable[[ssl.SSLContext | None], aiohttp.ClientSession]) -> None:
        self._make = make
        self._present: WeakValueDictionary[tuple[int, int], SharedSession] = WeakValueDictionary()

    def use(self, user: object, context: ssl.SSLContext | None) -> SharedSession:
        """Give the session of the running event loop with a TLS context, from now on used by `user`."""
        key = id(asyncio.get_running_loop()), id(context)
        shared = self._present.get(key)
        if shared is None:
            shared = self._present[key] = SharedSession(self._make(context), context)
        shared.users.add(user)
        return shared

    async def leave(self, user: object, shared: SharedSession) -> None:
        """`user` needs it no longer; the last one who does closes it."""
        shared.users.discard(user)
        if not shared.users:
            # Whoever comes while it is being closed opens another.
            self._present.pop((id(shared.loop), id(shared.context)), None)
            await shared.session.close()
