"""The handler of the storm's workers: it answers each message once."""

from __future__ import annotations

import asyncio
import os

from messaging_client import Message
from messaging_client.fleet import Delivery

_PAUSE = float(os.environ.get("STORM_PAUSE", "0"))


async def answer(message: Message, delivery: Delivery) -> None:
    if _PAUSE:
        await asyncio.sleep(_PAUSE)
    await delivery.answer(f"re {message.content}")
