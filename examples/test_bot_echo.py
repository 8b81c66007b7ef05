"""Tests of the bot in bot_echo.py, with the pytest plugin that comes with the package.

    $ pip install pytest "messaging-client[server]"
    $ pytest test_bot_echo.py           # copied into a folder of yours, with bot_echo.py

In a copy of the project, whose own tests have other settings, with the environment that `make` makes:

    $ .venv/bin/python -m pytest --asyncio-mode=strict examples/test_bot_echo.py

No server has to run: `messaging_server` is one, fresh for each test, and `messaging_client_factory` makes clients of
it. Asynchronous tests run under the plugin of anyio, which is there already. pytest-asyncio does as well; in its mode
`auto` leave the mark out.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bot_echo import answer_patients

from messaging_client import Message, MessagingClient
from messaging_client.testing import BackgroundServer

PATIENT, DOCTOR = ("patient", 5), ("medecin", 79)

pytestmark = pytest.mark.anyio

Factory = Callable[..., MessagingClient]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def conversation(messaging_server: BackgroundServer) -> int:
    """A conversation of a patient and the doctor whom the bot answers for."""
    messaging_server.add_user(*PATIENT, prenom="Marie", nom="Dupont")
    number: int = await messaging_server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
    return number


@pytest.fixture
async def bot(conversation: int, messaging_client_factory: Factory) -> MessagingClient:
    """The bot, at work; it is closed at the end of the test."""
    client = messaging_client_factory(*DOCTOR)
    await client.connect()
    answer_patients(client)
    await client.join_all()
    return client


async def test_it_answers_a_patient(bot: MessagingClient, conversation: int, messaging_client_factory: Factory) -> None:
    patient = messaging_client_factory(*PATIENT)
    await patient.connect()
    async with patient.conversation(conversation) as session:
        await session.send("Bonjour docteur")
        reply = await session.wait_for_message(timeout=10)
    assert reply.content == "Bien reçu : Bonjour docteur"


async def test_it_answers_once_though_the_answer_got_lost(
    bot: MessagingClient, conversation: int, messaging_server: BackgroundServer
) -> None:
    messaging_server.faults.drop_after_storing("send")  # the bot's message is stored, and the bot hears nothing of it
    async with bot.expect(Message, bot.is_own) as answer:
        await messaging_server.say(conversation, "Bonjour docteur", PATIENT)
    await answer
    await messaging_server.say(conversation, "Merci", PATIENT)
    await messaging_server.wait_until(lambda server: len(server.messages(conversation)) == 4)
    said = [each["contenu"] for each in messaging_server.messages(conversation)]
    assert said == ["Bonjour docteur", "Bien reçu : Bonjour docteur", "Merci", "Bien reçu : Merci"]


async def test_it_answers_what_was_written_while_its_connection_was_cut(
    bot: MessagingClient, conversation: int, messaging_server: BackgroundServer
) -> None:
    async with bot.expect(Message, bot.is_own, timeout=30) as answer:
        await messaging_server.faults.cut(DOCTOR)
        await messaging_server.say(conversation, "Êtes-vous là ?", PATIENT)
    assert (await answer).content == "Bien reçu : Êtes-vous là ?"


async def test_it_leaves_colleagues_alone(bot: MessagingClient, messaging_server: BackgroundServer) -> None:
    colleague = ("medecin", 80)
    number = await messaging_server.create_conversation("Avis", [colleague, DOCTOR, PATIENT])
    await messaging_server.wait_until(lambda server: DOCTOR in server.members(number))
    await messaging_server.say(number, "Qu'en pensez-vous ?", colleague)
    await messaging_server.say(number, "Et moi ?", PATIENT)
    await messaging_server.wait_until(lambda server: len(server.messages(number)) == 3)
    assert messaging_server.messages(number)[-1]["contenu"] == "Bien reçu : Et moi ?"
