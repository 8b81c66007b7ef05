"""Our side: what a user of `messaging_client` writes, by its public names."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.sides.common import (
    CONVERSATION,
    PATIENCE,
    Arrivals,
    at_a_time,
    calls_timed,
    contents,
    emits_timed,
    lag_measured,
    lag_watched,
    memory_kib,
    p50_ms,
    peak_kib,
    timed_flood,
)
from messaging_client import (
    ConnectionChange,
    ConnectionState,
    ConversationSession,
    Message,
    MessagingClient,
    MessagingConfig,
)
from messaging_client.parts import load_libraries
from messaging_client.recording import recording
from messaging_client.wire.answers import parse_json, read_conversations

CONNECTING_AT_A_TIME = 50


class _Flooded:
    """A client that counts the messages that its handler is given.

    Args:
        client: the client.
        slow: whether something beside the handler falls behind on purpose; the handler itself must not.
    """

    def __init__(self, client: MessagingClient, *, slow: bool = False) -> None:
        self.client = client
        self.arrivals = Arrivals()
        client.on_new_message(self._handle)
        client.on_connection_change(self._changed)
        if not slow:
            client.on_slow_consumer(lambda event: self.arrivals.fail(f"the handler fell behind: {event!r}"))

    async def _handle(self, _message: Message) -> None:
        self.arrivals.one()

    def _changed(self, change: ConnectionChange) -> None:
        if change.state is ConnectionState.RECONNECTING:
            self.arrivals.fail(f"the connection was lost: {change!r}")

    async def ask(self, event: str, payload: Any) -> Any:
        """Ask the server, and wait for its answer."""
        return await self.client.call(event, payload, timeout=PATIENCE)


def _client(url: str, token: str, **given: Any) -> MessagingClient:
    return MessagingClient(url, token=token, config=MessagingConfig(notify_sent=False, **given))


async def flood(
    url: str,
    token: str,
    warm: int,
    count: int,
    *,
    joined: bool = False,
    size: int | None = None,
) -> dict[str, float]:
    """A flood of messages to an async handler."""
    async with _client(url, token) as client:
        flooded = _Flooded(client)
        if joined:
            await client.join_conversation(CONVERSATION)
        return await timed_flood(flooded.ask, flooded.arrivals, warm, count, conversation=CONVERSATION, size=size)


async def recorded(url: str, token: str, warm: int, count: int) -> dict[str, float]:
    """A flood as above, all of which is written down."""
    with _recorded(client := _client(url, token)):
        async with client:
            flooded = _Flooded(client)
            return await timed_flood(flooded.ask, flooded.arrivals, warm, count, conversation=CONVERSATION)


@contextmanager
def _recorded(client: MessagingClient) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, recording(client, Path(folder, "recording.jsonl")) as recorder:
        yield
        assert not recorder.is_full, "not everything was written down"


async def sessions(url: str, token: str, opened: int, filled: int, count: int, rounds: int) -> dict[str, float]:
    """Floods for one of so many open sessions, which holds so many messages before; in each round they are new ones."""
    async with _client(url, token) as client:
        flooded = _Flooded(client)
        async with client.conversation(1):
            await timed_flood(flooded.ask, flooded.arrivals, 0, 3_000, first=1_000_000, conversation=1)
        measured = [await _sessions(client, flooded, number, opened, filled, count) for number in range(2, rounds + 2)]
    return {
        "rate": statistics.harmonic_mean([each["rate"] for each in measured]),
        "cpu_us": statistics.fmean([each["cpu_us"] for each in measured]),
    }


async def _sessions(
    client: MessagingClient, flooded: _Flooded, number: int, opened: int, filled: int, count: int
) -> dict[str, float]:
    first = number * 1_000_000
    async with AsyncExitStack() as stack:
        entered = [client.conversation(first + each) for each in range(opened)]
        await at_a_time(CONNECTING_AT_A_TIME, [_entering(stack, each) for each in entered])
        entered[0].on_change(_show)
        measured = await timed_flood(
            flooded.ask, flooded.arrivals, filled, count, first=first, conversation=entered[0].conversation_id
        )
        assert len(entered[0].messages) == 1 + filled + count
    return measured


def _entering(stack: AsyncExitStack, session: ConversationSession) -> Any:
    async def enter() -> None:
        await stack.enter_async_context(session)

    return enter


def _show(session: ConversationSession) -> None:
    """What a user interface looks at after each change."""
    assert session.unread_count >= 0
    if session.messages:
        assert session.messages[-1].timestamp


async def lag(url: str, token: str, warm: int, count: int) -> dict[str, float]:
    """How late the event loop is during a flood, and whether the server's pings are answered meanwhile."""
    lags: list[float] = []
    async with _client(url, token) as client:
        flooded = _Flooded(client)
        await timed_flood(flooded.ask, flooded.arrivals, 0, warm)
        await flooded.ask("prepare", {"first": 2 + warm, "count": count})
        async with lag_watched(lags):
            done = flooded.arrivals.expect(count)
            await flooded.ask("flood", None)
            await done
        beats = await client.call("heartbeats")
        assert client.stats().reconnections == 0
    return lag_measured(lags, beats)


async def beside_slow(url: str, token: str, warm: int, count: int, *, slow: bool) -> dict[str, float]:
    """A flood to a handler, with one beside it that takes 10 ms for each, or without."""
    client = _client(url, token)
    try:
        await client.connect()
        flooded = _Flooded(client, slow=slow)
        if slow:

            @client.on_new_message
            async def handle(_message: Message) -> None:
                await asyncio.sleep(0.01)

        return await timed_flood(flooded.ask, flooded.arrivals, warm, count)
    finally:
        await client.aclose(drain=0)


async def peak(url: str, token: str, count: int, delay: float) -> dict[str, float]:
    """How much memory is used at most while a handler is slow, until all that was sent has been received."""
    client = _client(url, token)
    try:
        await client.connect()

        @client.on_new_message
        async def handle(_message: Message) -> None:
            await asyncio.sleep(delay)

        await client.call("prepare", {"first": 1, "count": count}, timeout=60)
        gc.collect()
        before = memory_kib()
        await client.call("flood", timeout=60)  # answered after it: all of it has been received
        await asyncio.sleep(delay * 3)
        return {"peak_mib": (max(peak_kib(), memory_kib()) - before) / 1024}
    finally:
        await client.aclose(drain=0)


async def steady(url: str, token: str, warm: int, count: int, rate: int) -> dict[str, float]:
    """Processor time for each event, where so many come a second."""
    async with _client(url, token) as client:
        flooded = _Flooded(client)
        for first, many in ((1, warm), (1 + warm, count)):
            done = flooded.arrivals.expect(many)
            cpu = time.process_time()
            await flooded.ask("steady", {"first": first, "count": many, "rate": rate})
            await done
        return {"cpu_us": (time.process_time() - cpu) / count * 1e6}


async def latency(url: str, token: str, peer: str, warm: int, count: int) -> dict[str, float]:
    """From a send over REST to the handler of another client, whose token is `peer`."""
    arrived: asyncio.Future[float]
    taken = []
    async with _client(url, token) as sender, _client(url, peer) as receiver:

        @receiver.on_new_message
        async def handle(_message: Message) -> None:
            arrived.set_result(time.perf_counter())

        for number in range(warm + count):
            arrived = asyncio.get_running_loop().create_future()
            began = time.perf_counter()
            await sender.send_message_to_conversation(CONVERSATION, f"message {number}")
            taken.append(await arrived - began)
    return p50_ms(taken[warm:])


async def sends(
    url: str, token: str, at_a_time: int, warm: int, each: int, *, keys: bool = False, store: str | None = None
) -> dict[str, float]:
    """Confirmed sends, one after the other in each conversation, several conversations at a time."""
    config = MessagingConfig(notify_sent=False, server_idempotency=keys)
    client = MessagingClient(url, token=token, config=config, store=store)

    async def send(conversation: int, count: int) -> None:
        for number in range(count):
            await client.send_message_to_conversation(conversation, f"message {number}")

    try:
        for many in (warm, each):
            began = time.perf_counter()
            await asyncio.gather(*(send(conversation, many) for conversation in range(at_a_time)))
        return {"rate": at_a_time * each / (time.perf_counter() - began)}
    finally:
        await client.aclose()


async def emits(url: str, token: str, warm: int, count: int) -> dict[str, float]:
    """Events to the server, until it has counted them all."""
    async with _client(url, token) as client:
        return await emits_timed(client, warm, count)


async def calls(url: str, token: str, warm: int, count: int, in_flight: int) -> dict[str, float]:
    """Events that the server acknowledges, so many in flight."""
    async with _client(url, token) as client:
        return await calls_timed(client, warm, count, in_flight)


async def crowd(url: str, token: str, count: int) -> dict[str, float]:
    """Clients in one process, each connected, with REST and an open session; libraries are loaded before."""
    load_libraries()
    gc.collect()
    before = memory_kib()
    clients = [_client(url, token) for _ in range(count)]
    began = time.perf_counter()
    await at_a_time(CONNECTING_AT_A_TIME, [each.connect for each in clients])
    connected = time.perf_counter() - began
    async with AsyncExitStack() as stack:
        opened = [each.conversation(CONVERSATION + number) for number, each in enumerate(clients)]
        await at_a_time(CONNECTING_AT_A_TIME, [_entering(stack, each) for each in opened])
        ready = time.perf_counter() - began
        gc.collect()
        used = memory_kib() - before
        assert all(each.is_connected for each in clients)
        await at_a_time(CONNECTING_AT_A_TIME, [each.disconnect for each in clients])
    return {"kib_each": used / count, "connect_ms_each": connected / count * 1e3, "ready_ms_each": ready / count * 1e3}


async def lists(path: str, times: int) -> dict[str, float]:
    """Conversations from the bytes of an answer."""
    data = contents(path)
    taken = []
    for _ in range(1 + times):
        began = time.perf_counter()
        found = read_conversations(parse_json(data), page=1, limit=20, report=_unreadable)
        taken.append(time.perf_counter() - began)
        assert found[0].participants
    return {"ms": statistics.median(taken[1:]) * 1000}


def _unreadable(fault: Exception) -> None:
    raise fault
