"""What was read is kept for a while, and forgotten exactly when it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from dispatching import until
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import ConversationUpdated, Message, MessagingClient, MessagingConfig, Notification
from messaging_client.cache import LISTS, CacheInfo, ReadCache, messages_of, people_of
from messaging_client.testing import ManualClock

# --- the cache by itself ---------------------------------------------------------------------------------------------


class Source:
    """Values to load, one of them now, each load when it is let."""

    def __init__(self) -> None:
        self.loads = 0
        self.value = "old"
        self._gates: list[asyncio.Event] = []

    async def load(self) -> str:
        self.loads += 1
        return self.value

    async def slow(self) -> str:
        """Take the value as it is now, and bring it when the gate opens."""
        value, gate = await self.load(), asyncio.Event()
        self._gates.append(gate)
        await gate.wait()
        return value

    async def arrived(self, place: int) -> asyncio.Event:
        await until(lambda: len(self._gates) > place)
        return self._gates[place]


def made(size: int = 8) -> tuple[ReadCache, ManualClock, Source]:
    clock = ManualClock()
    return ReadCache(MessagingConfig(cache_size=size), clock), clock, Source()


Read = Callable[..., Awaitable[str]]


def reader(cache: ReadCache, source: Source, *tags: Any, key: Any = "key") -> Read:
    async def read(*, slow: bool = False, refresh: bool = False) -> str:
        load = source.slow if slow else source.load
        if not tags:
            return await cache.read_user(key, load, refresh=refresh)
        return await cache.read(key, load, lambda _value: tags, refresh=refresh)

    return read


@pytest.mark.parametrize(("tags", "lifetime"), [((LISTS,), 30), ((), 60)], ids=["reads", "users"])
async def test_values_are_kept_for_their_time(tags: tuple[Any, ...], lifetime: float) -> None:
    cache, clock, source = made()
    read = reader(cache, source, *tags)
    assert await read() == await read() == "old"
    source.value = "new"
    await clock.advance(lifetime - 0.001)
    assert await read() == "old"
    assert await read(refresh=True) == "new"
    await clock.advance(lifetime - 0.001)
    assert await read() == "new"
    await clock.advance(0.002)
    await read()
    assert source.loads == 3
    assert cache.info() == CacheInfo(hits=3, misses=3, size=1)


@pytest.mark.parametrize(
    ("tag", "is_forgotten"),
    [(messages_of(1), True), (messages_of(2), False), (people_of(1), False), (LISTS, False)],
)
async def test_invalidation_is_exact(tag: Any, is_forgotten: bool) -> None:
    cache, _, source = made()
    read = reader(cache, source, messages_of(1))
    await read()
    cache.invalidate(tag)
    await read()
    assert source.loads == (2 if is_forgotten else 1)


@pytest.mark.parametrize(
    ("tags", "change", "is_kept"),
    [
        pytest.param((messages_of(1),), lambda cache: cache.invalidate(messages_of(1)), False, id="its tag"),
        pytest.param((messages_of(1),), lambda cache: cache.invalidate(messages_of(2)), True, id="another tag"),
        pytest.param((messages_of(1),), lambda cache: cache.invalidate_messages(), False, id="all messages"),
        pytest.param((people_of(1),), lambda cache: cache.invalidate_messages(), True, id="people, all messages"),
        pytest.param((LISTS, messages_of(1)), lambda cache: cache.invalidate(LISTS), False, id="one of two tags"),
        pytest.param((LISTS,), lambda cache: cache.clear(), False, id="everything"),
        pytest.param((), lambda cache: cache.clear(), False, id="user, everything"),
        pytest.param((), lambda cache: cache.invalidate(LISTS), True, id="user, lists"),
    ],
)
async def test_a_change_during_a_read(
    tags: tuple[Any, ...], change: Callable[[ReadCache], None], is_kept: bool
) -> None:
    """What was read may be from before: it is given to who asked, and not kept."""
    cache, _, source = made()
    read = reader(cache, source, *tags)
    reading = asyncio.ensure_future(read(slow=True))
    gate = await source.arrived(0)
    change(cache)
    source.value = "new"
    gate.set()
    assert await reading == "old"
    assert await read() == ("old" if is_kept else "new")


async def test_a_change_counts_for_the_reads_that_began_before_it() -> None:
    cache, _, source = made()
    read = reader(cache, source, LISTS)
    before = asyncio.ensure_future(read(slow=True))
    first = await source.arrived(0)
    cache.invalidate(LISTS)
    source.value = "new"
    after = asyncio.ensure_future(read(slow=True))
    (await source.arrived(1)).set()
    assert await after == "new"
    first.set()
    assert await before == "old"
    assert await read() == "new"


@pytest.mark.parametrize("tags", [(LISTS,), ()], ids=["reads", "users"])
async def test_a_read_that_was_overtaken_is_not_kept(tags: tuple[Any, ...]) -> None:
    cache, _, source = made()
    read = reader(cache, source, *tags)
    slow = asyncio.ensure_future(read(slow=True))
    gate = await source.arrived(0)
    source.value = "new"
    assert await read(refresh=True) == "new"
    gate.set()
    assert await slow == "old"
    assert await read() == "new"


@pytest.mark.parametrize("tags", [(LISTS,), ()], ids=["reads", "users"])
async def test_a_read_that_fails_keeps_nothing(tags: tuple[Any, ...]) -> None:
    cache, _, source = made()

    async def fails() -> str:
        raise OSError

    with pytest.raises(OSError):
        await (cache.read("key", fails, lambda _: tags) if tags else cache.read_user("key", fails))
    assert await reader(cache, source, *tags)() == "old"
    assert cache.info().size == 1


async def test_the_size_is_bounded_and_so_are_the_tags() -> None:
    cache, clock, source = made(size=4)
    for number in range(200):
        await reader(cache, source, LISTS, messages_of(number % 50), key=number)()
        await clock.advance(0.01)
    assert cache.info().size == 4
    assert len(cache._tags) <= 9
    assert sum(map(len, cache._keys.values())) <= 18
    cache.invalidate(LISTS)
    assert cache.info().size == 0


async def test_clear_forgets_everything() -> None:
    cache, _, source = made()
    reads = [reader(cache, source, LISTS), reader(cache, source)]
    for read in reads:
        await read()
    assert cache.info().size == 2
    cache.clear()
    assert cache.info().size == 0


# --- the client's reads ----------------------------------------------------------------------------------------------


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        await scene.fill(2)
        yield scene


READS = {
    "messages": lambda client, scene: client.get_conversation_messages(scene.conversation),
    "history": lambda client, scene: client.get_ordonnance_history(15),
    "participants": lambda client, scene: client.get_conversation_participants(scene.conversation),
    "conversations": lambda client, scene: client.get_medecin_conversations(),
    "unread": lambda client, scene: client.get_unread_conversations(),
    "user": lambda client, scene: client.get_user_info(5, "patient"),
}
MESSAGES = {"messages", "history"}
LISTED = {"conversations", "unread"}


async def read_all(client: MessagingClient, scene: Scene) -> set[str]:
    """Read everything; gives which reads the server was asked for."""
    asked = set()
    for name, read in READS.items():
        before = scene.requests(name)
        await read(client, scene)
        if scene.requests(name) > before:
            asked.add(name)
    return asked


async def sends(client: MessagingClient, scene: Scene) -> None:
    await client.send_message_to_conversation(scene.conversation, "bonjour")


async def sends_over_the_socket(client: MessagingClient, scene: Scene) -> None:
    await client.send_message_via_websocket(scene.conversation, "bonjour")


async def hears(client: MessagingClient, scene: Scene) -> None:
    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
    async with client.expect(Message) as message:
        await scene.server.emit("new_message", message_payload(scene), conversation_id=scene.conversation)
    await message


def message_payload(scene: Scene) -> dict[str, Any]:
    return {"id": 900, "conversation_id": scene.conversation, "content": "x", "timestamp": "2025-06-01T00:00:00Z"}


async def hears_of_an_update(client: MessagingClient, scene: Scene) -> None:
    async with client.expect(ConversationUpdated) as update:
        await scene.server.emit("conversation_updated", {"conversationId": scene.conversation}, user=DOCTOR)
    await update


def hears_a_notice(of: str) -> Callable[..., Awaitable[None]]:
    async def hears_it(client: MessagingClient, scene: Scene) -> None:
        async with client.expect(Notification) as notice:
            payload = {"type": of, "conversationId": scene.conversation}
            await scene.server.emit("notification", payload, user=DOCTOR)
        await notice

    return hears_it


async def marks_read(client: MessagingClient, scene: Scene) -> None:
    first = scene.server.messages(scene.conversation)[0]
    await client.mark_message_as_read(first["id_message"])


async def creates(client: MessagingClient, scene: Scene) -> None:
    await client.create_conversation("Autre", [{"participant_id": 6, "participant_type": "patient"}])


async def sends_elsewhere(client: MessagingClient, scene: Scene) -> None:
    other = await scene.server.create_conversation("Messages - Ordonnance 16", [PATIENT, DOCTOR])
    client.clear_cache()
    await read_all(client, scene)
    await client._rest.send(other, "bonjour", "texte", client_message_id=None, timeout=None)


async def invalidates(client: MessagingClient, scene: Scene) -> None:
    client.invalidate_conversation(str(scene.conversation))


async def clears(client: MessagingClient, scene: Scene) -> None:
    client.clear_cache()


async def nothing(client: MessagingClient, scene: Scene) -> None:
    """Nothing changes."""


@pytest.mark.parametrize(
    ("change", "forgotten"),
    [
        (nothing, set()),
        (sends, MESSAGES | LISTED),
        (sends_over_the_socket, MESSAGES | LISTED),
        (hears, MESSAGES | LISTED),
        (hears_of_an_update, MESSAGES | LISTED | {"participants"}),
        (hears_a_notice("new_message"), MESSAGES | LISTED),
        (hears_a_notice("new_conversation"), LISTED),
        (marks_read, MESSAGES | LISTED),
        (creates, LISTED),
        (invalidates, MESSAGES | {"participants"}),
        (clears, set(READS)),
    ],
)
async def test_what_changes_what(scene: Scene, change: Callable[..., Awaitable[None]], forgotten: set[str]) -> None:
    """Protocol, section 7. The server's own notices are held back, so that only the change itself counts."""
    client = await scene.client(DOCTOR, settle_delay=1000.0, notify_sent=False)
    if change.__name__ not in ("hears", "hears_of_an_update", "hears_it"):
        for event in ("conversation_updated", "notification", "new_message"):
            scene.server.faults.drop_events(event, count=None)
    assert await read_all(client, scene) == set(READS)
    assert await read_all(client, scene) == set()
    await change(client, scene)
    assert await read_all(client, scene) == forgotten


async def test_a_read_past_the_cache(scene: Scene) -> None:
    client = await scene.client(DOCTOR, connect=False)
    for _ in range(3):
        await client.get_conversation_messages(scene.conversation, refresh=True)
    await client.get_conversation_messages(scene.conversation)
    assert scene.requests("messages") == 3
    info = client.cache_info()
    assert (info.hits, info.misses, info.size) == (1, 3, 1)


async def test_ids_of_both_spellings_are_one_entry(scene: Scene) -> None:
    client = await scene.client(DOCTOR, connect=False)
    await client.get_conversation_messages(scene.conversation)
    await client.get_conversation_messages(f"00{scene.conversation}")
    assert scene.requests("messages") == 1


async def test_handlers_that_read_see_what_they_were_told(scene: Scene) -> None:
    """Whichever way a message came, here by a poll."""
    client = await scene.client(DOCTOR, fallback_poll_interval=0.05, settle_delay=0.05)
    await client.join_conversation(scene.conversation)
    await client.get_conversation_messages(scene.conversation)
    scene.server.faults.refuse_upgrade(503, count=None)
    await scene.server.faults.cut()
    for number in range(3):
        async with client.expect(Message) as told:
            await scene.say(f"poll {number}")
        message = await told
        found = await client.get_conversation_messages(scene.conversation)
        assert found.messages[-1].id == message.id
