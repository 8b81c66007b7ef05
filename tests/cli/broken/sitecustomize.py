"""A fault in the program, for a test: the list of conversations raises what nobody expects, and holds a secret."""

import messaging_client.inbox


async def refresh(self: object) -> None:
    secret = "secret"
    raise RuntimeError(secret)


messaging_client.inbox.Inbox.refresh = refresh
