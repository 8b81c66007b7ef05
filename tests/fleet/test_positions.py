"""Read positions that relays share, and what workers note as handled."""

from __future__ import annotations

import asyncio
import itertools
import threading
from datetime import UTC, datetime, timedelta

import nats
import pytest
from nats.js import api
from nats.js.kv import KeyValue

from messaging_client.fleet.shelves import Handled, SharedPositions
from messaging_client.store.records import Cursor
from tests.fleet.yard import Yard

MANY = 300


@pytest.fixture
async def bucket(yard: Yard) -> KeyValue:
    config = api.KeyValueConfig(bucket=f"{yard.account}-positions", history=1)
    return await (await yard.jetstream()).create_key_value(config)


async def test_no_position_is_missed_while_another_relay_writes_them(yard: Yard, bucket: KeyValue) -> None:
    """Reading the bucket as a whole, by a watch, gave some of them, or none, in one of seven times."""
    positions = SharedPositions(bucket)
    await positions.save_cursors([Cursor(each) for each in range(MANY)])
    is_over, rounds = threading.Event(), itertools.count()

    async def write() -> None:
        connection = await nats.connect(yard.nats_url)
        other = SharedPositions(await connection.jetstream().key_value(f"{yard.account}-positions"))
        while not is_over.is_set():
            begin = 30 * next(rounds)
            await asyncio.gather(*(other.save_cursors([Cursor((begin + each) % MANY)]) for each in range(30)))
        await connection.close()

    writer = threading.Thread(target=asyncio.run, args=(write(),))
    writer.start()
    try:
        for _ in range(5):
            found = [await positions.cursor(each) for each in range(MANY)]
            assert found == [Cursor(each) for each in range(MANY)]
    finally:
        is_over.set()
        await asyncio.to_thread(writer.join)
    assert next(rounds) > 1


async def test_a_position_is_added_where_there_is_none(bucket: KeyValue) -> None:
    one, other = SharedPositions(bucket), SharedPositions(bucket)
    await one.add_cursor(Cursor(15))
    await one.save_cursors([Cursor(15, newest_id=9)])
    await other.add_cursor(Cursor(15))
    assert await one.cursor(15) == Cursor(15, newest_id=9)
    await one.forget_cursor(15)
    assert await other.cursor(15) is None
    await other.add_cursor(Cursor(15))
    assert await one.cursor(15) == Cursor(15)


async def test_flags_and_until_when_conversations_were_listed(bucket: KeyValue) -> None:
    one, other = SharedPositions(bucket), SharedPositions(bucket)
    assert not await one.get_flag("é")
    await one.set_flag("é")
    assert await other.get_flag("é")
    await other.set_flag("é", value=False)
    assert not await one.get_flag("é")
    assert await one.listed_until() is None
    noon = datetime(2025, 1, 1, 12, tzinfo=UTC)
    for moment in (noon, noon + timedelta(seconds=1), None):
        await one.set_listed_until(moment)
        assert await other.listed_until() == moment


async def test_what_another_worker_handled_is_read_once_it_has_had_the_partition(bucket: KeyValue) -> None:
    one, other = Handled(bucket, 3), Handled(bucket, 3)
    assert not await one.has(15, "first")
    await one.add(15, "first")
    assert not await one.has(15, "second")
    assert await other.has(15, "first")
    await other.add(15, "second")
    await one.add(15, "third")  # its list is old
    other.forget()
    assert not await other.has(16, "third")
    await other.add(15, "fourth")
    one.forget()
    assert [await one.has(15, each) for each in ("first", "second", "third", "fourth", "fifth")] == [True] * 4 + [False]
