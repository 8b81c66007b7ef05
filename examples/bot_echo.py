"""A bot that acknowledges what patients write, in every conversation of a doctor, those to come included.

    $ messaging-client serve                        # in another terminal, a server to try it on
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # the line that it prints for the doctor
    $ python examples/bot_echo.py [FILE]

With a FILE, an SQLite database, the bot takes up where it stopped: what patients wrote while it was away is answered,
and an answer that could not be sent is sent then. Ctrl-C ends it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from messaging_client import HandlerError, Message, MessagingClient, MessagingError, UserType


def answer_patients(client: MessagingClient) -> None:
    """Subscribe the bot's handlers; apart from `main`, so that a test can do it too (`test_bot_echo.py`)."""

    @client.on_new_message
    async def answer(message: Message) -> None:
        # Own messages do not come here, so the bot does not answer itself; colleagues get no answer either.
        if message.sender.type is not UserType.PATIENT or message.conversation_id is None:
            return
        # A session would show the conversation too; to answer, sending is enough.
        await client.send_message_to_conversation(message.conversation_id, f"Bien reçu : {message.content}")
        await client.mark_message_as_read(message.id)
        print(f"answered message {message.id} in conversation {message.conversation_id}", flush=True)

    @client.on_error
    def report(error: HandlerError) -> None:
        print(f"{error.handler} failed: {type(error.error).__name__}: {error.error}", file=sys.stderr)


async def main(store: str | None) -> None:
    # Closing waits for handlers that are at work, so an answer under way is sent.
    async with MessagingClient.from_env(store=store) as client:
        answer_patients(client)
        await client.join_all()
        print(f"ready, as {client.current_user.type} {client.current_user.id}", flush=True)
        await client.run_forever()


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
    except MessagingError as error:
        sys.exit(str(error))
