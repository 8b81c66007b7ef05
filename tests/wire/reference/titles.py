"""What a conversation is about, read from its title (wire protocol, section 3)."""

from __future__ import annotations

import re

from messaging_client.canonical import to_id
from messaging_client.models import ContextType, Id

_WORD = re.compile("|".join(ContextType), re.IGNORECASE | re.ASCII)
_FOLLOWING = re.compile(r"(?:[\s#:-]|n[°º])*([0-9]+)", re.IGNORECASE)
_AFTER_HASH = re.compile(r"#\s*([0-9]+)")
_NUMBER = re.compile(r"[0-9]+")

_LONGEST_TITLE = 1000  # a longer one is looked at up to here
_LONGEST_NUMBER = 19  # a longer run of digits is no id


def context_from_title(title: object) -> tuple[ContextType | str, Id | None]:
    """Give the type and the id that a title names; `consultation` and None where it names none.

    The type is the first of the three words that stands in it. The id is the number that directly follows the word
    (nothing but spaces, `#`, `n°`, `:` or `-` between), else the number after `#`, else the last number.
    """
    kind, number = named_in_title(title)
    return kind or ContextType.CONSULTATION, number


def named_in_title(title: object) -> tuple[ContextType | None, Id | None]:
    """As `context_from_title`, with None for a type that the title does not name."""
    if not isinstance(title, str):
        return None, None
    text = title[:_LONGEST_TITLE]
    word = _WORD.search(text)
    kind = ContextType(word[0].lower()) if word else None
    number = (_FOLLOWING.match(text, word.end()) if word else None) or _AFTER_HASH.search(text)
    digits = number[1] if number else next(reversed(_NUMBER.findall(text)), "")
    return kind, to_id(digits) if len(digits) <= _LONGEST_NUMBER else None
