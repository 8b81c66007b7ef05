"""How users hear of things: handlers, iterators and expectations of a client."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from dispatching import until
from scenes import DOCTOR, PATIENT, TIMEOUT, Scene

from messaging_client import (
    ConnectionChange,
    ConversationUpdated,
    CustomEvent,
    EventStream,
    ExpectTimeout,
    HandlerError,
    InvalidPayload,
    Message,
    MessageFailed,
    MessageSent,
    MessagingClient,
    NotConnected,
    Notification,
    PresenceEvent,
    SlowConsumer,
    TypingEvent,
)
from messaging_client.subscriptions import ALL_EVENTS
from messaging_client.testing import ManualClock


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        yield scene


async def in_the_room(scene: Scene, client: MessagingClient) -> None:
    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))


@pytest.fixture
async def client(scene: Scene) -> MessagingClient:
    """A doctor in the room of the conversation."""
    client = await scene.client(DOCTOR)
    await in_the_room(scene, client)
    return client


# --- handlers --------------------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Any, list[Any]], Any]] = {
    "call": lambda hook, got: hook(got.append),
    "decorator": lambda hook, got: hook()(got.append),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("hook", "event", "payload", "kind"),
    [
        ("on_message_sent", "message_sent", {"message_id": 3, "conversation_id": 1}, MessageSent),
        ("on_message_error", "message_error", {"message_id": 3, "message": "non"}, MessageFailed),
        ("on_typing", "user_typing", {"conversationId": 1, "userId": 5, "isTyping": True}, TypingEvent),
        ("on_conversation_update", "conversation_updated", {"conversationId": 1}, ConversationUpdated),
        ("on_presence_change", "user_online", {"userId": 5, "userType": "patient"}, PresenceEvent),
        ("on_notification", "notification", {"type": "x", "conversationId": 1}, Notification),
        ("on_invalid_payload", "user_typing", {}, InvalidPayload),
        ("on_new_message", "new_message", {"id": 3, "conversation_id": 1, "content": ""}, Message),
    ],
)
async def test_hooks(
    client: MessagingClient, scene: Scene, way: str, hook: str, event: str, payload: Any, kind: type
) -> None:
    got: list[Any] = []
    subscription = WAYS[way](getattr(client, hook), got)
    await scene.server.emit(event, payload)
    await until_heard(client, lambda: got)
    assert [type(each) for each in got] == [kind]
    subscription.cancel()
    async with client.expect(kind) as again:
        await scene.server.emit(event, payload | {"id": 4} if event == "new_message" else payload)
    await again
    assert len(got) == 1


async def until_heard(client: MessagingClient, predicate: Callable[[], Any], timeout: float = 5.0) -> None:
    """Look again after each event that comes."""
    async with client.events() as events, asyncio.timeout(timeout):
        for _ in range(20):
            await asyncio.sleep(0)
        while not predicate():
            await anext(events)
            for _ in range(20):
                await asyncio.sleep(0)


async def test_hooks_that_the_client_itself_feeds(scene: Scene) -> None:
    client = await scene.client(DOCTOR, connect=False)
    changes: list[ConnectionChange] = []
    client.on_connection_change(changes.append)
    await client.connect()
    await client.disconnect()
    await until(lambda: len(changes) == 3)
    assert [each.state for each in changes] == ["connecting", "connected", "disconnected"]
    assert changes[1].socket_id


@pytest.mark.parametrize("spelling", ["conversation_id", "conversationId", "id_conversation"])
@pytest.mark.parametrize("as_text", [False, True])
async def test_a_filter_holds_whatever_the_spelling(
    client: MessagingClient, scene: Scene, spelling: str, as_text: bool
) -> None:
    mine, others = list[Any](), list[Any]()
    given = f"0{scene.conversation}" if as_text else scene.conversation
    client.on_new_message(mine.append, conversation_id=given)
    client.on_new_message(others.append, conversation_id=999)
    written = str(scene.conversation) if as_text else scene.conversation
    async with client.expect(Message, lambda message: message.id == 11) as last:
        await scene.server.emit("new_message", {"id": 10, spelling: 7, "content": "x"})
        await scene.server.emit("new_message", {"id": 11, spelling: written, "content": "x"})
    await last
    await client._dispatcher.handled()
    assert [each.id for each in mine] == [11]
    assert others == []


@pytest.mark.parametrize("own", [False, True])
async def test_own_messages(client: MessagingClient, scene: Scene, own: bool) -> None:
    got: list[Message] = []
    client.on_new_message(got.append, own=own)
    stream = client.events(Message)
    await scene.say("of the doctor", DOCTOR)
    await scene.say("of the patient", PATIENT)
    heard = [(await anext(stream)).content for _ in range(2)]
    assert heard == ["of the doctor", "of the patient"]
    await stream.aclose()
    await client._dispatcher.handled()
    assert [each.content for each in got] == (heard if own else heard[1:])


async def test_custom_events(client: MessagingClient, scene: Scene) -> None:
    got: list[Any] = []

    @client.on("alarme")
    async def alarm(*args: Any) -> None:
        got.append(args)

    async with client.expect(CustomEvent, lambda event: event.args == ("end",)) as end:
        for args in [(), ({"niveau": 3},), (1, "deux", [3])]:
            await scene.server.emit("alarme", *args)
        await scene.server.emit("autre", 1)
        await scene.server.emit("alarme", "end")
    await end
    await until(lambda: len(got) == 4)
    assert got == [(), ({"niveau": 3},), (1, "deux", [3]), ("end",)]
    await alarm("called")
    assert got[-1] == ("called",)
    alarm.cancel()
    async with client.expect(CustomEvent):
        await scene.server.emit("alarme", 5)
    assert len(got) == 5


async def test_an_event_of_the_protocol_by_its_name(client: MessagingClient, scene: Scene) -> None:
    """As it came, and each time that it comes."""
    raw: list[Any] = []
    client.on("new_message", raw.append)
    payload = {"id": 50, "conversation_id": scene.conversation, "content": "x"}
    async with client.expect(TypingEvent) as end:
        await scene.server.emit("new_message", payload)
        await scene.server.emit("new_message", payload)
        await scene.server.emit("user_typing", {"conversationId": 1, "userId": 5, "isTyping": True})
    await end
    await until(lambda: len(raw) == 2)
    assert raw == [payload, payload]


@pytest.mark.parametrize("is_valid", [True, False])
async def test_an_event_of_the_protocol_comes_once_whoever_asked_for_it_by_name(
    client: MessagingClient, scene: Scene, is_valid: bool
) -> None:
    raw: list[Any] = []
    for name in ("new_message", "user_typing", "alarme"):
        client.on(name, raw.append)
    message = {"id": 50, "conversation_id": scene.conversation, "content": "x" if is_valid else None}
    typing = {"conversationId": scene.conversation, "userId": 5, "isTyping": True}
    found: list[Any] = []
    async with client.events(Message, InvalidPayload, TypingEvent, CustomEvent) as stream, asyncio.timeout(TIMEOUT):
        await scene.server.emit("new_message", message)
        await scene.server.emit("user_typing", typing)
        await scene.server.emit("alarme", 1)
        await scene.server.emit("fin")
        while len(found) < 4 or CustomEvent(name="fin") not in found:
            found.append(await anext(stream))
    kinds = sorted(type(each).__name__ for each in found)
    assert kinds == sorted(["Message" if is_valid else "InvalidPayload", "TypingEvent", "CustomEvent", "CustomEvent"])
    assert CustomEvent(name="alarme", args=(1,)) in found
    await until(lambda: len(raw) == 3)
    assert raw == [message, typing, 1]


CALLS: dict[str, Callable[[MessagingClient, Scene], Any]] = {
    "rest": lambda client, scene: client.get_conversation_messages(scene.conversation),
    "send": lambda client, scene: client.send_message_to_conversation(scene.conversation, "réponse"),
    "send over the socket": lambda client, scene: client.send_message_via_websocket(scene.conversation, "réponse"),
    "call": lambda client, scene: client.call(
        "send_message", {"conversationId": scene.conversation, "message": {"id": "temp_1", "content": "par le socket"}}
    ),
    "join": lambda client, scene: client.join_conversation(scene.conversation),
    "leave": lambda client, scene: client.leave_conversation(scene.conversation),
    "join_all": lambda client, scene: client.join_all(),
    "expect": lambda client, scene: expects(client, scene),
    "disconnect": lambda client, scene: client.disconnect(),
    "reconnect": lambda client, scene: reconnects(client),
    "close": lambda client, scene: client.aclose(),
}


async def expects(client: MessagingClient, scene: Scene) -> None:
    async with client.expect(Message) as reply:
        await scene.say("une autre")
    await reply


async def reconnects(client: MessagingClient) -> None:
    await client.disconnect()
    await client.connect()


@pytest.mark.parametrize("name", CALLS)
async def test_a_handler_may_call_the_client_back(client: MessagingClient, scene: Scene, name: str) -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @client.on_new_message
    async def calls(message: Message) -> None:
        calls.cancel()
        await CALLS[name](client, scene)
        done.set_result(None)

    await scene.say("question")
    async with asyncio.timeout(20):
        await done
    assert client.stats().handler_errors == 0


async def test_a_full_queue_of_a_client_is_read_back(scene: Scene) -> None:
    client = await scene.client(DOCTOR, queue_size=5)
    await in_the_room(scene, client)
    go_on, got, slow = asyncio.Event(), list[str](), list[SlowConsumer]()

    @client.on_new_message
    async def dawdles(message: Message) -> None:
        await go_on.wait()
        got.append(message.content)

    client.on_slow_consumer(slow.append)
    async with client.expect(Message, lambda message: message.content == "119") as last:
        for number in range(120):
            await scene.say(str(number))
    await last
    assert client.stats().queued <= 6
    go_on.set()
    async with asyncio.timeout(10):
        await client._dispatcher.handled()
    assert got == [str(number) for number in range(120)]
    assert dawdles.dropped == 0
    assert slow


# --- iterators -------------------------------------------------------------------------------------------------------


async def test_an_iterator_ends_when_the_client_closes(client: MessagingClient) -> None:
    streams = [client.events(Message), client.events()]
    waiting = [asyncio.ensure_future(collect(each)) for each in streams]
    await until(lambda: all(each.queue._has_one_out is False for each in streams))
    await client.aclose()
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting)
        assert await collect(client.events(Message)) == []


async def collect(stream: EventStream[Any]) -> list[Any]:
    return [each async for each in stream]


async def test_an_iterator_ends_when_the_client_closes_while_it_reads_back(scene: Scene) -> None:
    """Even where the server does not answer any more."""
    client = await scene.client(DOCTOR, queue_size=2)
    await in_the_room(scene, client)
    stream = client.events(Message)
    async with client.expect(Message, lambda message: message.content == "5") as last:
        for number in range(6):
            await scene.say(str(number))
    await last
    assert [(await anext(stream)).content for _ in range(2)] == ["0", "1"]
    scene.server.faults.answer("new_messages", 503, count=None)
    scene.server.faults.answer("messages", 503, count=None)
    rest = asyncio.ensure_future(collect(stream))
    await scene.server.wait_until(lambda: scene.requests("new_messages"))
    async with asyncio.timeout(20):
        await client.aclose(drain=0)
        assert await rest == []


async def test_an_iterator_that_nobody_holds_is_gone(client: MessagingClient) -> None:
    before = set(client._dispatcher._places)
    stream = client.events(Message)
    known = weakref.ref(stream)
    del stream
    gc.collect()
    assert known() is None
    await until(lambda: set(client._dispatcher._places) == before)


async def test_a_loop_that_is_left_lets_its_iterator_go(client: MessagingClient, scene: Scene) -> None:
    before = set(client._dispatcher._places)
    reading = asyncio.ensure_future(first_of(client))
    await until(lambda: set(client._dispatcher._places) != before)
    await scene.say("bonjour")
    assert (await reading).content == "bonjour"
    gc.collect()
    await until(lambda: set(client._dispatcher._places) == before)


async def first_of(client: MessagingClient) -> Message:
    async for message in client.events(Message):
        return message
    raise AssertionError("the iteration ended")


async def test_a_loop_that_waits_is_held_though_nobody_holds_its_task(client: MessagingClient, scene: Scene) -> None:
    got: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    async def reads() -> None:
        got.set_result(await first_of(client))

    known = weakref.ref(asyncio.ensure_future(reads()))
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()
    assert known() is not None
    await scene.say("bonjour")
    assert (await got).content == "bonjour"


async def test_two_may_read_one_iterator(client: MessagingClient, scene: Scene) -> None:
    stream = client.events(Message)
    both = [asyncio.ensure_future(anext(stream)) for _ in range(2)]
    for number in range(2):
        await scene.say(str(number))
    async with asyncio.timeout(20):
        assert sorted(each.content for each in await asyncio.gather(*both)) == ["0", "1"]


async def test_an_iterator_of_some_kinds_in_one_conversation(client: MessagingClient, scene: Scene) -> None:
    async with client.events(Message, TypingEvent, conversation_id=scene.conversation) as stream:
        await scene.server.emit("user_typing", {"conversationId": 77, "userId": 5, "isTyping": True})
        await scene.server.typing(scene.conversation, PATIENT)
        await scene.say("bonjour")
        assert [type(await anext(stream)) for _ in range(2)] == [TypingEvent, Message]
    assert not stream.is_open
    assert repr(stream) == "<EventStream Message | TypingEvent>"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


def test_every_kind_of_event_can_be_listened_to() -> None:
    hooks = {name for name, _ in inspect.getmembers(MessagingClient) if name.startswith("on_")}
    assert len(hooks) == len(ALL_EVENTS) - 1  # custom events have `on`


# --- expectations ----------------------------------------------------------------------------------------------------


async def test_an_expectation_lists_what_came_instead(client: MessagingClient, scene: Scene) -> None:
    with pytest.raises(ExpectTimeout) as missed:
        async with client.expect(Message, lambda message: message.content == "oui", timeout=0.3) as reply:
            await scene.say("secret")
            await scene.server.typing(scene.conversation, PATIENT)
        await reply
    text = str(missed.value)
    assert "No Message with a predicate within 0.3 s" in text
    assert "Message(id=1, conversation_id=" in text
    assert "TypingEvent(" in text
    assert "secret" not in text
    assert "\n" not in text
    assert not client._dispatcher.taps


async def test_an_expectation_lists_the_latest_only(client: MessagingClient) -> None:
    with pytest.raises(ExpectTimeout, match=r"\(30\)") as missed:
        async with client.expect(Message, timeout=0) as reply:
            for number in range(30):
                client._dispatcher.publish(TypingEvent(conversation_id=1, user_id=number, is_typing=True))
        await reply
    assert "user_id=9," not in str(missed.value)
    assert "user_id=10," in str(missed.value)
    assert str(missed.value).count("TypingEvent(") == 20


async def test_nothing_came(client: MessagingClient) -> None:
    with pytest.raises(ExpectTimeout, match="none"):
        async with client.expect(Message, timeout=0.01) as reply:
            pass
        await reply


async def test_two_expectations_at_once(client: MessagingClient, scene: Scene) -> None:
    async with (
        client.expect(Message, lambda message: message.content == "2") as second,
        client.expect(Message) as first,
        client.expect(TypingEvent) as typing,
    ):
        for number in (1, 2):
            await scene.say(str(number))
        await scene.server.typing(scene.conversation, PATIENT)
    assert [(await first).content, (await second).content] == ["1", "2"]
    assert (await typing).is_typing
    assert (await first).content == "1"


async def test_an_expectation_sees_own_messages_and_those_before_it_is_awaited(
    client: MessagingClient, scene: Scene
) -> None:
    async with client.expect(Message) as reply:
        sent = await client.send_message_to_conversation(scene.conversation, "bonjour")
    assert (await reply).id == sent.id


async def test_an_expectation_of_what_the_client_says_of_itself(client: MessagingClient, scene: Scene) -> None:
    @client.on_new_message
    def fails(message: Message) -> None:
        raise OSError

    async with client.expect(HandlerError) as error:
        await scene.say("bonjour")
    assert isinstance((await error).error, OSError)


@pytest.mark.parametrize("is_awaited_first", [True, False])
async def test_closing_ends_an_expectation(client: MessagingClient, is_awaited_first: bool) -> None:
    async with client.expect(Message, timeout=1000) as reply:
        waiting = asyncio.ensure_future(wait_for(reply)) if is_awaited_first else None
        await asyncio.sleep(0)
        await client.aclose()
    async with asyncio.timeout(20):
        with pytest.raises(NotConnected, match="closed"):
            await (waiting or reply)
    async with client.expect(Message, timeout=1000) as late:
        pass
    with pytest.raises(NotConnected):
        await late


async def wait_for(reply: Any) -> Any:
    return await reply


async def test_a_predicate_that_raises(client: MessagingClient, scene: Scene) -> None:
    async with client.expect(Message, lambda message: message.nonsense) as reply:  # type: ignore[attr-defined]
        await scene.say("bonjour")
    with pytest.raises(AttributeError):
        await reply


async def test_a_predicate_that_finds_nothing_with_next_keeps_the_message_from_nobody(
    client: MessagingClient, scene: Scene
) -> None:
    stream = client.events(Message)
    async with client.expect(Message, lambda message: next(word for word in () if word)) as reply:
        await scene.say("bonjour")
    with pytest.raises(RuntimeError, match="StopIteration"):
        await reply
    async with asyncio.timeout(5):
        assert (await anext(stream)).content == "bonjour"


async def test_a_block_that_raises_forgets_its_expectation(client: MessagingClient) -> None:
    with pytest.raises(OSError, match="x"):
        async with client.expect(Message):
            raise OSError("x")
    assert not client._dispatcher.taps


async def test_the_time_of_an_expectation_is_the_clocks(scene: Scene) -> None:
    clock = ManualClock()
    client = await scene.client(DOCTOR, clock=clock, connect=False)
    async with client.expect(Message) as reply:
        pass
    waiting = asyncio.ensure_future(wait_for(reply))
    await clock.wait_for_sleepers()
    await clock.advance(9.999)
    assert not waiting.done()
    await clock.advance(0.001)
    with pytest.raises(ExpectTimeout, match="within 10 s"):
        await waiting
