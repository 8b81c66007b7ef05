"""`messaging-client tail`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from messaging_client.canonical import optional_id
from messaging_client.cli.choices import EventKind
from messaging_client.cli.event_forms import KINDS, as_object, kind_of, who, words
from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments
from messaging_client.cli.output import complain, console, is_for_people, json_line, say, tabbed
from messaging_client.events import ConnectionChange
from messaging_client.harmless import printable
from messaging_client.models import ConnectionCause, Id, Message

USUAL = tuple(each for each in EventKind if each not in (EventKind.SENT, EventKind.UPDATE, EventKind.NOTIFICATION))
"""What is printed unless `--type` says otherwise: all but what says a second time that there is a message."""

_STYLES = {"message": "green", "connection": "yellow", "failed": "red", "gap": "red", "invalid": "red", "slow": "red"}


async def tail(
    server: ServerArguments, *, conversations: Sequence[str], kinds: Sequence[EventKind], own: bool, as_json: bool
) -> int:
    """Print events as they come, until Ctrl-C or until the token is refused for good."""
    printer = _json if as_json else _Lines().show if is_for_people() else _tabbed
    wanted = {KINDS[each] for each in kinds or USUAL}
    rooms = {optional_id(each) for each in conversations}
    async with server.client() as client, client.events(*KINDS.values()) as stream:
        if rooms:
            for each in conversations:
                await client.join_conversation(each)
        else:
            await client.join_all()
        async for event in stream:
            is_own = isinstance(event, Message) and client.is_own(event)
            if type(event) in wanted and _is_in(event, rooms) and (own or not is_own):
                printer(event, is_own)
            if isinstance(event, ConnectionChange) and event.cause is ConnectionCause.AUTHENTICATION_REFUSED:
                complain(str(event.error))
                return ExitCode.AUTHENTICATION
    return ExitCode.OK


def _is_in(event: Any, rooms: Collection[Id | None]) -> bool:
    """Whether an event is of one of the conversations, or of none at all."""
    return not rooms or (target := getattr(event, "conversation_id", None)) is None or target in rooms


def _json(event: Any, own: bool) -> None:
    say(json_line(as_object(event, own=own)))


def _tabbed(event: Any, own: bool) -> None:
    target = getattr(event, "conversation_id", None)
    at = _time_of(event).isoformat(timespec="seconds")
    say(tabbed((at, kind_of(event), "" if target is None else target, who(event), words(event))))


class _Lines:
    """Lines for people, in the time of where they are."""

    def __init__(self) -> None:
        self._console = console()

    def show(self, event: Any, own: bool) -> None:
        """Print one."""
        target, kind, person = getattr(event, "conversation_id", None), kind_of(event), who(event)
        line = Text.assemble(
            (f"{_time_of(event):%H:%M:%S} ", "dim"),
            (f"{kind:<12} ", _STYLES.get(kind, "")),
            ("" if target is None else f"#{printable(target)} ", "cyan"),
            (printable(person) + (": " if isinstance(event, Message) else " ") if person else "", "bold"),
            printable(words(event)),
        )
        self._console.print(line, soft_wrap=True)


def _time_of(event: Any) -> datetime:
    """When a message was sent, and anything else came; local."""
    return event.timestamp.astimezone() if isinstance(event, Message) else datetime.now().astimezone()
