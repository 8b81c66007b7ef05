"""What the benchmark's other processes do: `alone`, `relay ACCOUNT` or `bare STREAM RATE`.

`python -m benchmarks.fleet.sides` with one of these. Each says that it is ready, and writes down on SIGTERM how long
each message or publish took, in seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

import nats
from nats.js import api

from messaging_client import Message, MessagingClient, Participant, UserType
from messaging_client.fleet import Relay
from messaging_client.fleet.envelopes import Event, envelope, packed
from messaging_client.signals import until_told_to_stop

Took = Callable[[float], None]


async def alone(took: Took) -> None:
    """A single process: from the message to its handler."""
    async with MessagingClient.from_env() as client:
        client.on_new_message(lambda message: took(time.monotonic() - float(message.content)))
        await client.join_all()
        await until_told_to_stop(_ready)


async def relay(took: Took, account: str) -> None:
    """A relay: from the message to the acknowledgement of its publish."""
    made = Relay(MessagingClient.from_env(), os.environ["NATS_URL"], account)
    publish = made._relay

    async def timed(event: Event) -> None:
        await publish(event)
        if isinstance(event, Message):
            took(time.monotonic() - float(event.content))

    made._relay = timed  # type: ignore[method-assign]
    async with made:
        await until_told_to_stop(_ready)


async def bare(took: Took, stream: str, rate: str) -> None:
    """nats-py by itself: publish and acknowledgement of such a message, so many a second."""
    served = await nats.connect(os.environ["NATS_URL"])
    js = served.jetstream()
    await js.add_stream(api.StreamConfig(name=stream, subjects=[f"{stream}.*.*"], duplicate_window=120))

    stopped = asyncio.Event()

    async def publish_all() -> None:
        number = 0
        while not stopped.is_set():  # nats-py may swallow a cancellation
            await asyncio.sleep(1 / int(rate))
            number += 1
            payload, headers = packed(envelope(message(number), is_own=False))
            began = time.monotonic()
            await js.publish(f"{stream}.{number % 32}.new_message", payload, headers=headers)
            took(time.monotonic() - began)

    publishing = asyncio.create_task(publish_all())
    await until_told_to_stop(_ready)
    stopped.set()
    await publishing
    await served.close()


def message(number: int) -> Message:
    """A message as the others are."""
    now, sender = datetime.now(UTC), Participant(type=UserType.PATIENT, id=5, name="Jean Test")
    return Message(id=number, conversation_id=number % 64, content=f"{time.monotonic()}", sender=sender, timestamp=now)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> None:
    """Run one, and write down what it took."""
    seconds: list[float] = []
    side, *rest = sys.argv[1:]
    sides: dict[str, Callable[..., Coroutine[None, None, None]]] = {"alone": alone, "relay": relay, "bare": bare}
    asyncio.run(sides[side](seconds.append, *rest))
    Path(os.environ["BENCH_NOTES"]).write_text("".join(f"{each}\n" for each in seconds))


if __name__ == "__main__":
    main()
