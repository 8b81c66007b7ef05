"""The interface as a test drives it: keys go in, and what is on the screen is looked at after each drawing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from messaging_client import MessagingClient
from messaging_client.tui.app import ChatApp
from tests.scenes import DOCTOR, TIMEOUT, Scene, User

_KEYS = {" ": "space", "\n": "ctrl+j"}


class WatchedApp(ChatApp):
    """Tells when something was drawn."""

    def __init__(self, client: MessagingClient, **given: Any) -> None:
        super().__init__(client, **given)
        self._drawn = asyncio.Event()

    def post_display_hook(self) -> None:
        self._drawn.set()

    @property
    def text(self) -> str:
        """What is to be read on the screen, line by line."""
        return "\n".join("".join(each.text for each in line) for line in self.screen._compositor.render_strips())

    async def until(self, holds: Callable[[], Any]) -> None:
        """Return once something holds; looked at after each drawing.

        Raises:
            AssertionError: it did not come to hold; with what was on the screen.
        """
        try:
            async with asyncio.timeout(TIMEOUT):
                while not holds():
                    self._drawn.clear()
                    await self._drawn.wait()
        except TimeoutError:
            raise AssertionError(f"It did not come to hold:\n{self.text}") from None

    async def shows(self, *words: str) -> None:
        """Return once all of these are on the screen."""
        await self.until(lambda: all(each in self.text for each in words))

    async def shows_no_more(self, words: str) -> None:
        """Return once this is on the screen no longer."""
        await self.until(lambda: words not in self.text)


class Driver:
    """An interface, and the scene that it is in."""

    def __init__(self, scene: Scene, client: MessagingClient, app: WatchedApp, pilot: Pilot[None]) -> None:
        self.scene = scene
        self.server = scene.server
        self.client = client
        self.app = app
        self.press = pilot.press
        self.pilot = pilot
        self.shows = app.shows
        self.shows_no_more = app.shows_no_more
        self.until = app.until

    @property
    def text(self) -> str:
        return self.app.text

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.press(*(_KEYS.get(each, each) for each in text))

    async def open(self) -> None:
        """Open the conversation that is chosen in the list, and wait until it can be written in."""
        await self.until(lambda: self.app.inbox.value is not None)
        await self.pilot.pause()
        await self.press("enter")
        await self.until(lambda: self.app.desk.current is not None and self.app.desk.current.session is not None)
        await self.pilot.pause()

    def stored(self, conversation_id: int | None = None) -> list[str]:
        """The texts that the server has."""
        target = self.scene.conversation if conversation_id is None else conversation_id
        return [each["contenu"] for each in self.server.messages(target)]


@asynccontextmanager
async def interface(
    scene: Scene,
    *,
    size: tuple[int, int] = (100, 30),
    user: User = DOCTOR,
    connect: bool = True,
    is_stored: bool = False,
    **settings: Any,
) -> AsyncIterator[Driver]:
    """An interface of a user, running without a terminal; `settings` are fields of `MessagingConfig`."""
    client = await scene.client(user, connect=False, **settings)
    await client.connect(wait=connect)
    app = WatchedApp(client, is_stored=is_stored)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Driver(scene, client, app, pilot)
