"""A conversation's messages on their way: each stands in its timeline once, pending or as the server has it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from messaging_client.models import Id, Message, MessageStatus
from messaging_client.outbox import Likeness, Mark, Outbox, Outgoing, Place, likeness
from messaging_client.timeline import Timeline
from messaging_client.wire.payloads import TEMPORARY

_LATEST = 50  # messages that are looked at for those of the newest time


class Unsent:
    """Keeps pending messages and what the server has stored of them apart.

    Args:
        outbox: where they wait.
        conversation_id: the conversation.
        timeline: where they stand.
        is_loaded: whether the timeline has the newest page, so that what it does not have is new.
    """

    def __init__(self, outbox: Outbox, conversation_id: Id, timeline: Timeline, is_loaded: Callable[[], bool]) -> None:
        self._outbox = outbox
        self._conversation_id = conversation_id
        self._timeline = timeline
        self._is_loaded = is_loaded
        self._stored: dict[str, bool] = {}  # pending messages seen stored: by their key, or by their content only
        self._begun: dict[str, Mark] = {}  # what was known of the conversation when each was handed in

    def settle(self, message: Message, *, is_new: bool) -> bool:
        """Take out the pending self of an own message: by its key, else the oldest being sent with the same content.

        Args:
            message: as the server has it, before it is put into the timeline.
            is_new: whether it was told just now as new, rather than read on a page.

        Returns:
            Whether it stood there.
        """
        pending = self._outbox.pending(self._conversation_id)
        mine = next((each for each in pending if each.client_message_id == message.client_message_id), None)
        has_key = mine is not None
        if mine is None and message.client_message_id is None:
            mine = self._alike(message, pending, is_new=is_new)
        if mine is None:
            return False
        self._stored[mine.client_message_id] = has_key
        return self._timeline.remove(mine.pending.id)

    def is_shown(self, outgoing: Outgoing) -> bool:
        """Take note of a change; gives whether the pending self stands in the timeline from now on."""
        key = outgoing.client_message_id
        if not self._outbox.is_pending(key):
            self._stored.pop(key, None)
            self._begun.pop(key, None)
            self._timeline.remove(outgoing.pending.id)
            return False
        if key not in self._begun and self._is_loaded():
            self._begun[key] = self._newest()
        by_key = self._stored.get(key)
        return by_key is None or not (by_key or outgoing.pending.status is MessageStatus.SENDING)

    def _alike(self, message: Message, pending: tuple[Outgoing, ...], *, is_new: bool) -> Outgoing | None:
        """Give the oldest one with the same content that can be on the server, if this can be it."""
        sent = (each for each in pending if each.pending.status is MessageStatus.SENDING and each.may_have_left)
        mine = next((each for each in sent if likeness(message, each.pending) is Likeness.SAME), None)
        if mine is None:
            return None
        mark = mine.mark or self._begun.get(mine.client_message_id)
        if is_new:
            can_be_it = mark is None or mark.place_of(message) is Place.AFTER
        else:
            # A page brings old messages too, with the same words perhaps: only one that was stored since can be it.
            is_after = mark is not None and mark.place_of(message) is Place.AFTER
            can_be_it = is_after and self._timeline.get(message.id) is None
        return mine if can_be_it else None

    def _newest(self) -> Mark:
        stored = (each for each in reversed(self._timeline) if not is_pending(each))
        return Mark.of(islice(stored, _LATEST))


def is_pending(message: Message) -> bool:
    """Whether the server has given the message no id yet."""
    return str(message.id).startswith(TEMPORARY)
