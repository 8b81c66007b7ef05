"""The handler of the storm's workers: it answers each message once."""

from __future__ import annotations

import asyncio
import os
import sys

from messaging_client import Message
from messaging_client.fleet import Delivery

_PAUSE = float(os.environ.get("STORM_PAUSE", "0"))


async def answer(message: Message, delivery: Delivery) -> None:
    if _PAUSE:
        await asyncio.sleep(_PAUSE)
    if message.late:
        sys.stdout.write(f"told late: {message.content} of {message.conversation_id}\n")
    await delivery.answer(f"re {message.content}")
