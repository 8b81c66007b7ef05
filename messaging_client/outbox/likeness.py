"""Whether a message on the server says what was sent, where no key tells: servers spell what they were given anew."""

from __future__ import annotations

import html
import re
import unicodedata
from enum import Enum, auto

from messaging_client.models import Message, UserType

CUT_FROM = 50
"""Characters from which on the beginning of a text is taken for a text that the server may have cut."""

_TAG = re.compile(r"<[^<>]*>?")


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
    theirs, mine = _bare(found), _bare(sent)
    is_cut = len(theirs) >= CUT_FROM and mine.startswith(theirs)
    return Likeness.PERHAPS if theirs == mine or is_cut else Likeness.OTHER


def _spelled(text: str) -> str:
    """Give a text as it was before a server escaped it, composed its accents or tidied its spaces."""
    return " ".join(unicodedata.normalize("NFC", html.unescape(html.unescape(text))).split())


def _bare(text: str) -> str:
    """Give the letters and digits alone: what is left of a text by a server that strips tags, emojis or punctuation."""
    plain = unicodedata.normalize("NFKC", _TAG.sub("", html.unescape(html.unescape(text))))
    return "".join(each for each in plain if each.isalnum())
