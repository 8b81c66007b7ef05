"""What was read is kept for a while, and forgotten exactly when it has changed.

Lifetimes come from the wire protocol, section 7: 30 s for conversations, messages and histories, 60 s for users. Each
entry carries tags, which name what it was made from; an invalidation names tags.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from cachetools import TTLCache

from messaging_client.clock import Clock
from messaging_client.config import MessagingConfig
from messaging_client.models import Id

Value = TypeVar("Value")
Tag = Hashable

LISTS: Tag = "lists"
"""Tag of every list of conversations: previews, order and unread counts change with any message."""


def messages_of(conversation_id: Id) -> Tag:
    """Tag of everything that holds messages of a conversation."""
    return ("messages", conversation_id)


def people_of(conversation_id: Id) -> Tag:
    """Tag of a conversation's participants."""
    return ("people", conversation_id)


@dataclass(frozen=True)
class CacheInfo:
    """How the cache does: reads answered from it, reads that were not, and entries it holds."""

    hits: int
    misses: int
    size: int


class ReadCache:
    """Values by key, each with the tags that end it.

    A read that began before an invalidation of its tags is not kept: it may hold what was there before. Neither is one
    that a later read of the same has overtaken.
    """

    def __init__(self, config: MessagingConfig, clock: Clock) -> None:
        self._size = config.cache_size
        self._config = config
        self._clock = clock
        self._entries = self._users = _UNUSED
        self._tags: dict[Hashable, tuple[Tag, ...]] = {}
        self._keys: dict[Tag, set[Hashable]] = {}
        self._watchers: dict[Tag, list[Callable[[], None]]] = {}
        self._moment = 0  # counts reads and invalidations, so that it can be told which was first
        self._reading = 0
        self._changed_at: dict[Tag, int] = {}
        self._messages_changed_at = 0
        self._cleared_at = 0
        self._hits = 0
        self._misses = 0

    async def read(
        self,
        key: Hashable,
        load: Callable[[], Awaitable[Value]],
        tags: Callable[[Value], Iterable[Tag]],
        *,
        refresh: bool = False,
    ) -> Value:
        """Give the value kept under `key`, or load and keep it.

        Args:
            key: names the read with all its arguments.
            load: reads from the server.
            tags: what the value was made from.
            refresh: load in any case, and keep the result.
        """
        kept = self._known(self._entries, key, refresh=refresh)
        if kept is not None:
            known: Value = kept.value
            return known
        self._moment += 1
        began = self._moment
        self._reading += 1
        try:
            value = await load()
            self._keep(key, _Entry(began, value), tuple(tags(value)))
        finally:
            self._reading -= 1
            if not self._reading:
                self._changed_at.clear()
        return value

    async def read_user(self, key: Hashable, load: Callable[[], Awaitable[Value]], *, refresh: bool = False) -> Value:
        """The same for information on a user, which nothing but time ends."""
        kept = self._known(self._users, key, refresh=refresh)
        if kept is not None:
            known: Value = kept.value
            return known
        self._moment += 1
        began = self._moment
        value = await load()
        if self._cleared_at < began and not _is_overtaken(self._users, key, began):
            if self._users is _UNUSED:
                self._users = TTLCache(self._size, self._config.user_cache_ttl, timer=self._clock.monotonic)
            self._users[key] = _Entry(began, value)
        return value

    def invalidate(self, *tags: Tag) -> None:
        """Forget what was made from any of these."""
        if self._reading:
            self._moment += 1
            self._changed_at.update(dict.fromkeys(tags, self._moment))
        for tag in tags:
            if keys := self._keys.pop(tag, None):
                for key in keys:
                    self._entries.pop(key, None)
            if watchers := self._watchers.get(tag):
                for watcher in tuple(watchers):
                    watcher()

    def message_came(self, conversation_id: Id) -> None:
        """Forget what holds messages of a conversation; most often nothing does, and every message asks."""
        if self._keys or self._watchers or self._reading:
            self.invalidate(messages_of(conversation_id), LISTS)

    def watch(self, tag: Tag, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` whenever a tag is invalidated; returns what ends it, once."""
        place = self._watchers.setdefault(tag, [])
        place.append(watcher)
        return lambda: place.remove(watcher) if watcher in place else None

    def invalidate_messages(self) -> None:
        """Forget the messages of every conversation: one has changed, and it is not known which."""
        self._moment += 1
        self._messages_changed_at = self._moment
        self.invalidate(*(tag for tag in self._keys if _is_of_messages(tag)))

    def clear(self) -> None:
        """Forget everything."""
        self._moment += 1
        self._cleared_at = self._moment
        self._entries.clear()
        self._users.clear()
        self._tags.clear()
        self._keys.clear()

    def reads(self) -> tuple[int, int]:
        """Hits and misses since the beginning; may be asked in any thread."""
        return self._hits, self._misses

    def info(self) -> CacheInfo:
        """Hits and misses since the beginning, and how many entries there are now."""
        self._entries.expire()
        self._users.expire()
        return CacheInfo(self._hits, self._misses, len(self._entries) + len(self._users))

    def _known(self, kept: TTLCache[Hashable, _Entry], key: Hashable, *, refresh: bool) -> _Entry | None:
        found = None if refresh else kept.get(key)
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
        return found

    def _keep(self, key: Hashable, entry: _Entry, tags: tuple[Tag, ...]) -> None:
        if self._changed_since(entry.began, tags) or _is_overtaken(self._entries, key, entry.began):
            return
        if self._entries is _UNUSED:
            self._entries = TTLCache(self._size, self._config.cache_ttl, timer=self._clock.monotonic)
        self._entries[key] = entry
        self._tags[key] = tags
        for tag in tags:
            self._keys.setdefault(tag, set()).add(key)
        if len(self._tags) > 2 * self._size:
            self._forget_expired()

    def _changed_since(self, began: int, tags: tuple[Tag, ...]) -> bool:
        if self._cleared_at > began or any(self._changed_at.get(tag, 0) > began for tag in tags):
            return True
        return self._messages_changed_at > began and any(map(_is_of_messages, tags))

    def _forget_expired(self) -> None:
        """Entries that expired, or gave way to others, have left their tags behind."""
        self._entries.expire()
        self._tags = {key: tags for key, tags in self._tags.items() if key in self._entries}
        self._keys = {}
        for key, tags in self._tags.items():
            for tag in tags:
                self._keys.setdefault(tag, set()).add(key)


@dataclass(frozen=True)
class _Entry:
    """A value, and when its read began."""

    began: int
    value: Any


def _is_overtaken(kept: TTLCache[Hashable, _Entry], key: Hashable, began: int) -> bool:
    """Whether a read that began later is kept already."""
    present = kept.get(key)
    return present is not None and present.began > began


def _is_of_messages(tag: Tag) -> bool:
    return isinstance(tag, tuple) and tag[0] == "messages"


# Stands for those in which nothing was kept yet; an empty one takes half a kilobyte.
_UNUSED: TTLCache[Hashable, _Entry] = TTLCache(0, 0)
