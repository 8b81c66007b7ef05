"""Whether a message on the server says what was sent, where no key tells: servers spell what they were given anew."""

from __future__ import annotations

import html
import re
import unicodedata
from enum import Enum, auto

from messaging_client.models import Message, UserType

CUT_FROM = 30
"""Letters and digits from which on the beginning of a text is taken for a text that the server may have cut."""

_TAG = re.compile(r"<[^<>]*>")
_TAG_OR_REST = re.compile(r"<[^>]*(>|$)")  # as PHP's strip_tags does it


class Likeness(Enum):
    """What a comparison says."""

    SAME = auto()
    PERHAPS = auto()
    """It cannot be told from what the server shows."""
    OTHER = auto()


def likeness(found: Message, sent: Message) -> Likeness:
    """Compare sender, text and type of a message that was found with one that was sent."""
    sender, text = _of_sender(found, sent), likeness_of_text(found.content, sent.content)
    if Likeness.OTHER in (sender, text):
        return Likeness.OTHER
    if Likeness.PERHAPS in (sender, text) or found.type is not sent.type:
        return Likeness.PERHAPS
    return Likeness.SAME


def _of_sender(found: Message, sent: Message) -> Likeness:
    """Ids are compared where the server does not say the type; a message of nobody may be anybody's."""
    them, me = found.sender, sent.sender
    if UserType.UNKNOWN is not them.type is not me.type:
        return Likeness.OTHER
    if them.id is None:
        return Likeness.PERHAPS
    return Likeness.SAME if them.id == me.id else Likeness.OTHER


def likeness_of_text(found: str, sent: str) -> Likeness:
    """Compare two texts."""
    if _spelled(found) == _spelled(sent):
        return Likeness.SAME
    plain = html.unescape(html.unescape(sent))
    mine = [_bare(each) for each in (plain, _TAG.sub("", plain), _TAG_OR_REST.sub("", plain))]
    theirs = _bare(html.unescape(html.unescape(found)))
    is_cut = len(theirs) >= CUT_FROM and any(each.startswith(theirs) for each in mine)
    return Likeness.PERHAPS if theirs in mine or is_cut else Likeness.OTHER


def _spelled(text: str) -> str:
    """Give a text as it was before a server escaped it, composed its accents or tidied its spaces."""
    return " ".join(unicodedata.normalize("NFC", html.unescape(html.unescape(text))).split())


def _bare(text: str) -> str:
    """Give the letters and digits alone: what servers leave of a text that strip emojis, accents' forms or signs."""
    return "".join(each for each in unicodedata.normalize("NFKC", text) if each.isalnum())
