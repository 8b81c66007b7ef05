"""`messaging-client demo`: a patient and a doctor talk about ordonnance 15, and a cable is pulled."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from messaging_client import (
    ConnectionChange,
    ConnectionState,
    ConversationUpdated,
    Id,
    Message,
    MessageStatus,
    MessagingClient,
    MessagingConfig,
    PresenceEvent,
    TypingEvent,
)
from messaging_client.cli.event_forms import connection_words
from messaging_client.cli.output import OutputGone, console
from messaging_client.harmless import printable
from messaging_client.testing import MessagingServer

PATIENT = ("patient", 5)
MEDECIN = ("medecin", 79)
LIMIT = 30.0
"""Seconds that the demonstration may take as a whole."""

# A short first delay, so that nobody waits for the recovery; the default is 2 s.
_CONFIG = MessagingConfig(reconnection_delay=1.0, settle_delay=0.5)


class Screen:
    """Prints what each side sees, as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._is_gone = False

    def heading(self, text: str) -> None:
        """Begin a part.

        Raises:
            OutputGone: nobody reads any more. It is not raised by `line`, which handlers call.
        """
        self._print(Text(f"\n{text}", style="bold"))
        if self._is_gone:
            raise OutputGone

    def line(self, who: str, what: str, detail: str, style: str = "") -> None:
        """Say what one side saw or did."""
        seconds = time.monotonic() - self._began
        begin = (f"{seconds:6.2f} s  ", "dim"), (f"{who:<8}", "cyan"), (f"{what:<13}", style)
        if not self._console.is_terminal:
            self._print(Text.assemble(*begin, printable(detail)))
            return
        grid = Table.grid(*(Column(width=len(text)) for text, _ in begin), Column(overflow="fold"))
        grid.add_row(*(Text(*each) for each in begin), Text(printable(detail)))
        self._print(grid)

    def _print(self, line: Text | Table) -> None:
        if self._is_gone:
            return
        try:
            self._console.print(line, soft_wrap=True)
        except OutputGone:
            self._is_gone = True


class Watcher:
    """Shows everything that one client hears, and counts the messages."""

    def __init__(self, client: MessagingClient, who: str, screen: Screen) -> None:
        self.seen: Counter[Id] = Counter()
        self._client = client
        self._who = who
        self._screen = screen
        client.on_new_message(self._message, own=True)
        client.on_typing(self._typing)
        client.on_presence_change(self._presence)
        client.on_connection_change(self._connection)

    def _message(self, message: Message) -> None:
        self.seen[message.id] += 1
        own = message.sender.type == self._who
        self._screen.line(
            self._who, "sent" if own else "received", f"{message.sender.display_name}: {message.content}", "green"
        )

    def _typing(self, event: TypingEvent) -> None:
        self._screen.line(self._who, "typing", f"{event.user_name} {'types' if event.is_typing else 'has stopped'}")

    def _presence(self, event: PresenceEvent) -> None:
        user = self._client.current_user
        if (event.user_type, event.user_id) == (user.type, user.id):
            return
        self._screen.line(self._who, "presence", f"{event.user_name} is {event.status}", "magenta")

    def _connection(self, change: ConnectionChange) -> None:
        detail = f"{change.previous} -> {connection_words(change)}"
        style = "yellow" if change.state is not ConnectionState.CONNECTED else "green"
        self._screen.line(self._who, "connection", detail, style)


async def show_demo() -> bool:
    """Run the demonstration and print it.

    Returns:
        Whether each side saw every message exactly once, and the server has them all.
    """
    screen = Screen(console())
    async with asyncio.timeout(LIMIT), MessagingServer() as server:
        screen.heading("An embedded messaging server, a doctor's bot and a patient")
        screen.line("server", "listening", server.url)
        server.add_user(*PATIENT, prenom="Marie", nom="Dupont")
        server.add_user(*MEDECIN, prenom="Sakura", nom="Saza", specialite="Cardiologue")
        server.add_context("ordonnance", 15, patient_id=PATIENT[1], medecin_id=MEDECIN[1])
        medecin = MessagingClient(server.url, token=server.token(*MEDECIN), config=_CONFIG)
        patient = MessagingClient(server.url, token=server.token(*PATIENT), config=_CONFIG)
        watchers = Watcher(medecin, "medecin", screen), Watcher(patient, "patient", screen)
        async with medecin:
            await medecin.join_all()
            _answer(medecin)
            async with medecin.expect(PresenceEvent), patient:
                conversation_id = await _talk(server, medecin, patient, screen)
                screen.heading("Both leave")
        return _summary(server.messages(int(conversation_id)), watchers, screen)


def _answer(medecin: MessagingClient) -> None:
    """Make the doctor's client a bot: it types a moment, then answers."""
    answers = iter(
        (
            "Bonjour Marie, oui : un comprimé le matin, pendant dix jours.",
            "Avec un grand verre d'eau, avant le petit déjeuner.",
        )
    )

    @medecin.on_new_message
    async def answer(message: Message) -> None:
        text = next(answers, None)
        if message.conversation_id is None or text is None:
            return
        await medecin.emit_typing(message.conversation_id, True)
        await asyncio.sleep(0.6)
        await medecin.emit_typing(message.conversation_id, False)
        await medecin.send_message_to_conversation(message.conversation_id, text)


async def _talk(server: MessagingServer, medecin: MessagingClient, patient: MessagingClient, screen: Screen) -> Id:
    screen.heading("The patient opens the conversation of ordonnance 15 and asks")
    conversation = await patient.find_or_create_conversation("ordonnance", 15, medecin_id=MEDECIN[1])
    screen.line("patient", "conversation", f"{conversation.title} (id {conversation.id})")
    await asyncio.gather(*(client.join_conversation(conversation.id) for client in (patient, medecin)))
    async with medecin.expect(TypingEvent) as typing:
        await patient.emit_typing(conversation.id, True)
    await typing
    question = "Bonjour docteur, faut-il prendre le traitement le matin ?"
    reply = await _ask(patient, conversation.id, question)

    screen.heading("The patient reads the answer, and the doctor sees that")
    async with medecin.expect(ConversationUpdated) as update:
        await patient.mark_message_as_read(reply.id)
    await update
    page = await medecin.get_conversation_messages(conversation.id)
    read = [message for message in page.messages if message.status is MessageStatus.READ]
    screen.line("medecin", "read", f"{len(read)} of {len(page.messages)} messages read by the patient", "green")

    screen.heading("The patient's connection is cut; the doctor writes meanwhile")
    connected = _is(ConnectionState.CONNECTED)
    async with patient.expect(ConnectionChange, connected) as back, patient.expect(Message, _from(MEDECIN)) as missed:
        await server.faults.cut(PATIENT)
        await medecin.send_message_to_conversation(conversation.id, "J'oubliais : évitez le pamplemousse.")
    await back
    await missed
    screen.line("patient", "recovered", "the message of the meantime was read back", "green")

    screen.heading("And on it goes")
    await _ask(patient, conversation.id, "Merci docteur. Avec de l'eau ?")
    return conversation.id


async def _ask(patient: MessagingClient, conversation_id: Id, question: str) -> Message:
    """Send a message and wait for the doctor's answer."""
    async with patient.expect(Message, _from(MEDECIN)) as reply:
        await patient.send_message_to_conversation(conversation_id, question)
    return await reply


def _from(person: tuple[str, int]) -> Callable[[Message], bool]:
    return lambda message: (message.sender.type, message.sender.id) == person


def _is(state: ConnectionState) -> Callable[[ConnectionChange], bool]:
    return lambda change: change.state is state


def _summary(stored: list[dict[str, object]], watchers: tuple[Watcher, ...], screen: Screen) -> bool:
    screen.heading("Summary")
    expected = Counter(len(stored) * [1])
    complete = all(Counter(watcher.seen.values()) == expected for watcher in watchers)
    screen.line("server", "stored", f"{len(stored)} messages")
    verdict = "each side saw every message exactly once" if complete else "a message was lost or doubled"
    screen.line("both", "checked", verdict, "green" if complete else "red")
    return complete
