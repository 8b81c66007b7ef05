"""A program whose tasks begin at once (`asyncio.eager_task_factory`, Python 3.12), as in a Textual application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from scenes import DOCTOR, PATIENT, Scene, at_work, contents, until

eager_task_factory: Any = getattr(asyncio, "eager_task_factory", None)

pytestmark = pytest.mark.skipif(eager_task_factory is None, reason="Python 3.11 has none")


@pytest.fixture(autouse=True)
async def _eager() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(eager_task_factory)
    yield
    loop.set_task_factory(before)


async def test_a_conversation_from_its_beginning_to_its_end() -> None:
    async with Scene() as scene:
        doctor, patient = await scene.client(DOCTOR), await scene.client(PATIENT)
        async with doctor.conversation(scene.conversation) as session, doctor.inbox() as inbox:
            other = await scene.session(patient)
            for number in range(3):
                await session.send(f"m{number}")
            await other.set_typing(True)
            await until(session, lambda: session.typing_users)
            await other.send("bien")
            await until(session, lambda: contents(session) == ["m0", "m1", "m2", "bien"])
            await until(inbox, lambda: inbox.unread_count == 1)
            await session.mark_all_as_read()
            await until(inbox, lambda: inbox.unread_count == 0)
        for client in (doctor, patient):
            report = await asyncio.wait_for(client.aclose(drain=5), 10)
            assert report.unsent == ()
        assert at_work() == []
