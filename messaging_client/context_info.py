"""What a conversation is about, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messaging_client.models import ContextType, Id


@dataclass(frozen=True)
class ContextInfo:
    """What a conversation is about, to show: a title, and a description where the server gave one."""

    title: str
    description: str | None = None


def context_info(
    kind: ContextType | str | None, number: Id | None, conversation_id: Id, described: Mapping[str, Any] | None
) -> ContextInfo:
    """Say what a context is called, or the conversation where it has none.

    Args:
        kind: the kind of context, or None.
        number: its id, or None.
        conversation_id: the conversation.
        described: what the server said of the context, or None.

    Returns:
        Title and description.
    """
    text = (described or {}).get("description")
    word = str(kind or "conversation")
    title = f"{word.capitalize()} {conversation_id if number is None else number}"
    return ContextInfo(title, text if isinstance(text, str) else None)
