"""Pictures of the terminal interface for the documentation: `python tools/chat_pictures.py [FOLDER]`.

Each is drawn by the real interface, on the embedded server, while a patient writes from the other side.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from messaging_client import MessagingClient, MessagingConfig
from messaging_client.testing import MessagingServer
from messaging_client.tui.app import ChatApp
from messaging_client.tui.dialogs import NewConversation

ROOT = Path(__file__).parent.parent
DOCTOR, MARIE, JEAN = ("medecin", 79), ("patient", 5), ("patient", 6)
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # fetched from elsewhere; readers' own monospace does as well
_KEYS = {" ": "space", ".": "full_stop", "è": "è"}
_ID = re.compile(r"terminal-\d+")


class PicturedApp(ChatApp):
    """Tells when something was drawn."""

    drawn: asyncio.Event

    def post_display_hook(self) -> None:
        """Something was drawn."""
        self.drawn.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Return once something holds, looked at after each drawing."""
        try:
            async with asyncio.timeout(20):
                while not holds():
                    self.drawn.clear()
                    await self.drawn.wait()
        except TimeoutError:
            raise TimeoutError(f"It does not come to hold:\n{self.text()}") from None

    def text(self) -> str:
        """What is to be read on the screen."""
        return "\n".join("".join(each.text for each in line) for line in self.screen._compositor.render_strips())


async def _fill(server: MessagingServer) -> int:
    server.add_user(*DOCTOR, prenom="Sakura", nom="Saza", specialite="Cardiologue")
    server.add_user(*MARIE, prenom="Marie", nom="Dupont")
    server.add_user(*JEAN, prenom="Jean", nom="Martin")
    now = datetime.now(UTC)
    talks = (
        ("Messages - Examen 4", JEAN, [(JEAN, "Les résultats de la prise de sang sont arrivés.", 60 * 26)]),
        (
            "Messages - Consultation 7",
            MARIE,
            [(MARIE, "Puis-je décaler le rendez-vous ?", 60 * 50), (DOCTOR, "Oui, jeudi à 9 h.", 60 * 49)],
        ),
    )
    for title, patient, said in talks:
        other = await server.create_conversation(title, [DOCTOR, patient])
        for sender, text, minutes in said:
            await server.say(other, text, sender, at=now - timedelta(minutes=minutes), broadcast=False)
    main = await server.create_conversation("Messages - Ordonnance 15", [DOCTOR, MARIE])
    for sender, text, minutes in (
        (MARIE, "Bonjour docteur, faut-il prendre le traitement le matin ?", 60 * 25),
        (DOCTOR, "Bonjour Marie, oui : un comprimé le matin, pendant dix jours, avec un grand verre d'eau.", 60 * 24),
        (MARIE, "Merci docteur. Et si j'oublie une prise ?", 9),
    ):
        message = await server.say(main, text, sender, at=now - timedelta(minutes=minutes), broadcast=False)
        if sender == DOCTOR:
            await server.mark_read(message["id_message"], MARIE)
    return main


async def _draw(folder: Path, name: str, size: tuple[int, int], server: MessagingServer, main: int, what: str) -> None:
    settings = MessagingConfig(reconnection_delay=30, reconnection_delay_max=30)
    client = MessagingClient(server.url, token=server.token(*DOCTOR), config=settings)
    await client.connect()
    app = PicturedApp(client, light="light" in name)
    app.drawn = asyncio.Event()
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            await app.until(lambda: "Jean" in app.text())
            if what not in ("list", "help"):
                await pilot.press("enter")
                await app.until(lambda: "faut-il" in app.text())
            if what == "talk":
                await server.typing(main, MARIE)
                await app.until(lambda: "typing" in app.text())
                await pilot.press(*(_KEYS.get(each, each) for each in "Prenez-la dès que"))
            elif what == "failed":
                server.faults.answer("send", 403, count=1)
                await pilot.press(*(_KEYS.get(each, each) for each in "Avec le repas."), "enter")
                await app.until(lambda: "not sent" in app.text())
                await server.faults.cut(DOCTOR)
                await app.until(lambda: "reconnecting" in app.text())
                await pilot.press("escape")
                await app.until(lambda: "Send again" in app.text())
            elif what == "diagnosis":
                await pilot.press("f4")
                await app.until(lambda: "Nothing is wrong" in app.text() or " failed." in app.text())
            elif what == "help":
                await pilot.press("f1")
                await app.until(lambda: "Everywhere" in app.text())
            elif what == "new":
                await pilot.press("f2")
                await app.until(lambda: isinstance(app.screen, NewConversation))
            await pilot.pause()
            picture = app.export_screenshot(title="messaging-client chat")
    finally:
        await client.aclose(drain=0)
        server.faults.clear()
    picture = _ID.sub("terminal", _FONT.sub("", picture))
    (folder / f"{name}.svg").write_text(picture, encoding="utf-8")


PICTURES = (
    ("chat-dark", (120, 40), "talk"),
    ("chat-light", (120, 40), "talk"),
    ("chat-80x24", (80, 24), "failed"),
    ("chat-narrow-list", (44, 24), "list"),
    ("chat-narrow-messages", (44, 24), "talk"),
    ("chat-diagnosis", (100, 36), "diagnosis"),
    ("chat-help", (80, 50), "help"),
    ("chat-new", (80, 24), "new"),
)


async def _all(folder: Path, wanted: set[str]) -> None:
    for name, size, what in PICTURES:
        if wanted and name not in wanted:
            continue
        async with MessagingServer() as server:
            main = await _fill(server)
            await _draw(folder, name, size, server, main, what)
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    os.environ["TZ"] = "Europe/Paris"
    time.tzset()
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/pictures"
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(_all(target, set(sys.argv[2:])))
