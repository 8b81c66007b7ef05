"""The queue of packets: as asyncio's in what the library asks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.transport.outbound import Outbound

Make = Callable[[], Any]


async def steps(queue: Any, given: list[str]) -> list[Any]:
    """What can be seen of a queue, step by step."""
    seen: list[Any] = []
    getting: asyncio.Task[Any] | None = None
    number = taken = 0

    async def get() -> Any:
        return await queue.get()

    for step in given:
        if step == "put":
            number += 1
            queue.put_nowait(number)
        elif step == "get" and getting is None:
            getting = asyncio.create_task(get())
        elif step == "get_nowait" and getting is None:
            try:
                seen.append(queue.get_nowait())
                taken += 1
            except asyncio.QueueEmpty:
                seen.append("empty")
        elif step == "done" and taken:
            taken -= 1
            queue.task_done()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if getting is not None and getting.done():
            seen.append(getting.result())
            taken += 1
            getting = None
        joining = asyncio.create_task(queue.join())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append((queue.qsize(), queue.empty(), joining.done()))
        joining.cancel()
    if getting is not None:
        getting.cancel()
    return seen


@given(st.lists(st.sampled_from(["put", "put", "get", "get_nowait", "done"]), max_size=20))
def test_does_what_the_queue_of_asyncio_does(given: list[str]) -> None:
    async def both() -> None:
        assert await steps(Outbound(), given) == await steps(asyncio.Queue(), given)

    asyncio.run(both())


async def test_a_reader_that_gave_up_takes_nothing() -> None:
    queue = Outbound()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.001)
    await queue.put("first")
    queue.put_nowait("second")
    assert [queue.get_nowait(), await queue.get()] == ["first", "second"]


async def test_those_who_wait_until_all_is_worked_off_wake_with_the_last() -> None:
    queue = Outbound()
    reading = queue.get()
    queue.put_nowait("first")
    queue.put_nowait("second")
    joining = asyncio.create_task(queue.join())
    assert (await reading, queue.get_nowait()) == ("first", "second")
    queue.task_done()
    await asyncio.sleep(0)
    assert not joining.done()
    queue.task_done()
    await joining
