"""`messaging-client send`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments
from messaging_client.cli.output import complain, in_utc, json_line, note, say
from messaging_client.client import MessagingClient
from messaging_client.errors import ConfigurationError, MessagingError
from messaging_client.models import Message, MessageStatus

_RELAY_TIMEOUT = 5.0  # seconds that telling others of a stored message may take


async def send(
    server: ServerArguments, conversation: str, text: str, *, timeout: float, store: Path | None, as_json: bool
) -> int:
    """Send a message, wait for its end, and print its id."""
    if text == "-":
        if server.reads_stdin:
            raise ConfigurationError("Standard input cannot give both the token and the text: give one another way.")
        text = _from_stdin()
    client = server.client(store=store)
    drain = 0.0
    try:
        # Beside it, for servers that leave it to the sender to tell others; the message itself goes over HTTP.
        await client.connect(wait=False)
        if store is None:
            message = await client.send_message_to_conversation(conversation, text, deadline=timeout)
        else:
            kept = await _within(client, conversation, text, timeout)
            if kept is None:
                complain(f"Not sent within {timeout:g} s; it is kept in {store}, and the next send with it goes on.")
                return ExitCode.UNREACHABLE
            message = kept
        drain = _RELAY_TIMEOUT
        say(json_line(_as_object(message)) if as_json else str(message.id))
        with contextlib.suppress(MessagingError):  # it is stored all the same
            await client.wait_connected(_RELAY_TIMEOUT)
    except asyncio.CancelledError:
        note("Interrupted: it may be on the server." if store is None else f"Interrupted: it is kept in {store}.")
        raise
    finally:
        await client.aclose(drain=drain)
    if store is not None:
        _tell_of_others(client, store)
    return ExitCode.OK


async def _within(client: MessagingClient, conversation: str, text: str, seconds: float) -> Message | None:
    """Wait for a message that the store keeps; it is not given up when the time is over."""
    sending = asyncio.ensure_future(client.send_message_to_conversation(conversation, text))
    try:
        done, _ = await asyncio.wait({sending}, timeout=seconds)
        return sending.result() if done else None
    finally:
        sending.cancel()


def _from_stdin() -> str:
    """All of standard input, without the end of its last line."""
    try:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigurationError("What came from standard input is not a text in this locale's encoding.") from None


def _as_object(message: Message) -> dict[str, object]:
    return {
        "message_id": message.id,
        "conversation_id": message.conversation_id,
        "status": str(message.status),
        "timestamp": in_utc(message.timestamp),
        "client_message_id": message.client_message_id,
    }


def _tell_of_others(client: MessagingClient, store: Path) -> None:
    """Say what else the file holds."""
    waiting = [each.status for each in client.pending()]
    if waiting:
        stuck = sum(each is not MessageStatus.SENDING for each in waiting)
        note(f"{store} holds {len(waiting)} more message(s) that are not certain to be sent, {stuck} of them given up.")
