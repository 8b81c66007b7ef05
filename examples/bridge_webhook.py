"""A bridge: whatever others write to the user is POSTed to a URL, in order, and none is lost.

    $ messaging-client serve                        # in another terminal, a server to try it on
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # the line that it prints for the doctor
    $ export WEBHOOK_URL=https://example.org/hook   # who gets them; WEBHOOK_TOKEN= is sent as a bearer token, if set
    $ python examples/bridge_webhook.py bridge.db

Each message is one JSON object. It counts as delivered when the receiver answers 2xx; until then it is sent again, with
pauses that grow to a minute, and those behind it wait. The read position in bridge.db moves only after that, so a
bridge that is stopped or killed at any point goes on where it was. A message can therefore come twice: the header
`Idempotency-Key` is the same each time, and the receiver drops what it has. Ctrl-C ends it.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from contextlib import suppress

import httpx

from messaging_client import ConfigurationError, GapDetected, Message, MessagingClient, MessagingError

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds


async def deliver(http: httpx.AsyncClient, url: str, message: Message) -> None:
    """POST a message until the receiver has it."""
    body = message.model_dump(mode="json", exclude={"late"})  # `late` may differ from one delivery to the next
    key = f"message-{message.id}"
    pause = FIRST_PAUSE
    while True:
        try:
            answer = await http.post(url, json=body, headers={"Idempotency-Key": key})
            if answer.is_success:
                return
            problem = f"answered {answer.status_code}"
        except httpx.HTTPError as error:
            problem = type(error).__name__  # its text may hold the URL
        print(f"message {message.id}: the receiver {problem}; again in {pause:.1f} s", file=sys.stderr)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, LONGEST_PAUSE)


async def main(url: str, token: str | None, store: str) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx.AsyncClient(headers=headers, timeout=30.0) as http,
        MessagingClient.from_env(store=store) as client,
    ):

        @client.on_new_message
        async def forward(message: Message) -> None:
            # Handlers of one subscription run one after the other; returning says that the message has been handled.
            await deliver(http, url, message)
            print(f"delivered message {message.id} of conversation {message.conversation_id}", flush=True)

        @client.on_gap
        def warn(gap: GapDetected) -> None:
            print(f"{gap}: the server could not show everything between", file=sys.stderr)

        await client.join_all()
        print(f"ready, as {client.current_user.type} {client.current_user.id}", flush=True)
        await client.run_forever()


if __name__ == "__main__":
    try:
        if len(sys.argv) != 2 or not os.environ.get("WEBHOOK_URL"):
            raise ConfigurationError(
                "Set WEBHOOK_URL, and name the file for the read positions: bridge_webhook.py FILE"
            )
        with suppress(KeyboardInterrupt):
            asyncio.run(main(os.environ["WEBHOOK_URL"], os.environ.get("WEBHOOK_TOKEN"), sys.argv[1]))
    except MessagingError as error:
        sys.exit(str(error))
