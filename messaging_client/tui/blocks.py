"""How one message, and what stands between two, looks: styled text, without a width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from textual.content import Content

from messaging_client import Id, Message, MessageStatus, MessageType
from messaging_client.harmless import plain, plain_lines

MOST_CHARACTERS = 4000
"""Characters of a message that the list shows; the rest is shown when it is opened."""

MOST_LINES = 40
_LONGEST_NAME = 80

_STATES = {
    MessageStatus.SENDING: ("… sending", "$foreground-muted"),
    MessageStatus.SENT: ("✓ sent", "$foreground-muted"),
    MessageStatus.DELIVERED: ("✓ delivered", "$foreground-muted"),
    MessageStatus.READ: ("✓✓ read", "$text-success"),
    MessageStatus.ERROR: ("✗ not sent", "bold $text-error"),
    MessageStatus.UNCERTAIN: ("? uncertain", "bold $text-warning"),
}
_HINTS = {
    MessageStatus.ERROR: "r: send again   x: discard",
    MessageStatus.UNCERTAIN: "The server may have it. r: look and send again   x: discard",
}


@dataclass(frozen=True)
class Block:
    """A message, or a line between two.

    Attributes:
        key: what tells it from others: the message's id, or text of its own.
        message: the message, or None.
        is_own: whether the user wrote it.
        is_unread: whether somebody else did, and the user has not read it.
        rule: the text of the line between two, where it is one.
        style: the style of that line.
    """

    key: Id
    message: Message | None = None
    is_own: bool = False
    is_unread: bool = False
    rule: str = ""
    style: str = ""


@dataclass(frozen=True)
class Shown:
    """A conversation as it is to be shown.

    Attributes:
        messages: in order.
        is_own, is_unread: what is said of a message.
        new_from: the message before which a line says how much is new, or None.
        new_count: how much that is.
        top: what the first line says, such as that older messages are being read.
    """

    messages: Sequence[Message]
    is_own: Callable[[Message], bool]
    is_unread: Callable[[Message], bool]
    new_from: Id | None = None
    new_count: int = 0
    top: str = ""


def blocks_of(shown: Shown, today: date) -> Iterator[Block]:
    """Give the blocks of a conversation, the lines between days included."""
    if shown.top:
        yield Block("top", rule=shown.top, style="$foreground-muted")
    before: date | None = None
    for message in shown.messages:
        day = message.timestamp.astimezone().date()
        if day != before:
            yield Block(f"day {day}", rule=day_name(day, today), style="$foreground-muted")
            before = day
        if message.id == shown.new_from:
            words = "1 new message" if shown.new_count == 1 else f"{shown.new_count} new messages"
            yield Block("new", rule=words, style="bold $text-accent")
        yield Block(message.id, message, shown.is_own(message), shown.is_unread(message))


def day_name(day: date, today: date) -> str:
    """Give a day as people call it."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A} {day.day} {day:%B %Y}"


def time_name(moment: datetime | None, today: date) -> str:
    """Give a moment in a few characters, in local time: the time of today's, the date of others."""
    if moment is None:
        return ""
    local = moment.astimezone()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local:%m/%Y}"


def state_of(message: Message) -> str:
    """Give the state of a message in words."""
    return _STATES.get(message.status, ("", ""))[0]


def heading(block: Block) -> tuple[Content, Content]:
    """Give what stands above a message: who and when on the left, its state on the right."""
    message = block.message
    assert message is not None
    name = "You" if block.is_own else plain(message.sender.display_name, _LONGEST_NAME)
    when = f"{message.timestamp.astimezone():%H:%M}" + (" (came late)" if message.late else "")
    left = Content.assemble((name, "bold $text-primary" if block.is_own else "bold"), "  ", (when, "$foreground-muted"))
    if block.is_own:
        word, style = _STATES.get(message.status, ("", ""))
        return left, Content.styled(word, style)
    return left, Content.styled("● new", "bold $text-accent") if block.is_unread else Content("")


def body(block: Block) -> Content:
    """Give the text of a message, cut where it is very long, and what can be done about it."""
    message = block.message
    assert message is not None
    text = plain_lines(message.content, MOST_CHARACTERS).rstrip()
    lines = text.split("\n")
    cut = len(message.content) - MOST_CHARACTERS
    parts: list[Content] = []
    if message.type not in (MessageType.TEXT, MessageType.UNKNOWN):
        parts.append(Content.styled(f"[{message.type}]", "italic $foreground-muted"))
    parts.append(Content("\n".join(lines[:MOST_LINES])))
    if cut > 0 or len(lines) > MOST_LINES:
        more = f"… {cut} more characters" if cut > 0 else f"… {len(lines) - MOST_LINES} more lines"
        parts.append(Content.styled(f"{more} (Enter shows all)", "italic $foreground-muted"))
    if block.is_own and message.status in _HINTS:
        parts.append(Content.styled(_HINTS[message.status], _STATES[message.status][1]))
    return Content("\n").join(parts)


def is_one_line(text: str, width: int) -> bool:
    """Whether a text surely needs one line only: no character is wider than two cells."""
    return "\n" not in text and (len(text) <= width if text.isascii() else 2 * len(text) <= width)
