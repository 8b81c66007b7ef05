"""A client for a server that differs from the protocol's own: other paths, other routes, other spellings.

    $ export MESSAGING_URL=... MESSAGING_TOKEN=...
    $ python examples/other_server.py

prints how many conversations the user has, and the newest message of each. The settings below are those of one such
server; leave out what yours does as usual. Operations that are not in `routes` keep the routes of the protocol, and a
word that is no operation is refused with the list of those that there are. How messages, people and conversations are
spelled needs no setting: every spelling that is known is read.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from messaging_client import MessagingClient, MessagingConfig, MessagingError

SETTINGS = MessagingConfig(
    # Where it lives: REST below this path, Socket.IO at that one.
    api_path="/clinic/v2",
    socketio_path="/clinic/live",
    # Method and path, below api_path. Several are tried in order, until one is not answered by 404.
    routes={
        "medecin_conversations": "GET /messaging/medecin/{id}/conversations",
        "patient_conversations": "GET /messaging/patient/{id}/conversations",
        "history": "GET /messaging/history/{ordonnance_id}",
        "mark_read": ["PUT /messaging/messages/{message_id}/read", "PATCH /messaging/messages/{message_id}/read"],
    },
    # It takes the bare id in join_conversation, and wants to be told who is there after the handshake.
    join_payload="id",
    authenticate_event=True,
    # It tells others of new messages by itself, so that the sender need not.
    notify_sent=False,
    # A message that was sent before under the same key is not stored again.
    server_idempotency=True,
)


async def main() -> None:
    async with MessagingClient.from_env(config=SETTINGS) as client:
        conversations = [each async for each in client.iter_conversations()]
        print(f"{len(conversations)} conversations")
        for conversation in conversations:
            await client.join_conversation(conversation.id)
            newest = await client.get_conversation_messages(conversation.id, limit=1)
            for message in newest.messages:
                print(f"{conversation.title}: {message.sender.display_name}: {message.content}")
                if not client.is_own(message):
                    await client.mark_message_as_read(message.id)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(main())
    except MessagingError as error:
        sys.exit(str(error))
