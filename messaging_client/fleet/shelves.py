"""What relays and workers remember in JetStream's key-value buckets."""

from __future__ import annotations

import contextlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from messaging_client.errors import StoreError
from messaging_client.fleet.layout import key_of, written
from messaging_client.fleet.troubles import TROUBLES, insist
from messaging_client.models import Id
from messaging_client.store.records import Cursor, cursor_from_row, cursor_to_row, write_id

_CURSOR = "cursor."
_FLAG = "flag."
_LISTED = "listed-until"
MOST_HANDLED = 200
"""Events of a conversation that are remembered as handled: more than a relay publishes anew after a pause."""
_SHORT = 16  # characters of an identity, which is a hash, that are enough to tell some hundreds apart
_MOST_CACHED = 256  # conversations of one partition whose lists a worker holds


class SharedPositions:
    """Read positions of all relays of one account, as `Positions` asks for them.

    Several relays write the same keys. Each position says that everything up to it has been published, so that any of
    them is true, and an older one only means that more is read back.
    """

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    async def cursor(self, conversation_id: Id) -> Cursor | None:
        """Give the read position of a conversation, or None."""
        found = await self._get(_cursor_key(conversation_id))
        return None if found is None else cursor_from_row(tuple(json.loads(found)))

    async def add_cursor(self, cursor: Cursor) -> None:
        """Keep a read position, unless its conversation has one: another relay may be further on."""

        async def create() -> None:
            with contextlib.suppress(KeyWrongLastSequenceError):
                await self._bucket.create(_cursor_key(cursor.conversation_id), _packed(cursor))

        await self._write(create)

    async def save_cursors(self, cursors: Iterable[Cursor]) -> None:
        """Keep read positions; those that cannot be written now are written with later ones."""
        try:
            for each in cursors:
                await self._bucket.put(_cursor_key(each.conversation_id), _packed(each))
        except TROUBLES as error:
            raise _unwritten(error) from None

    async def forget_cursor(self, conversation_id: Id) -> None:
        """Drop the read position of a conversation."""
        await self._delete(_cursor_key(conversation_id))

    async def get_flag(self, name: str) -> bool:
        """Whether a flag is set."""
        return await self._get(_FLAG + key_of(name)) is not None

    async def set_flag(self, name: str, value: bool = True) -> None:
        """Set a flag, or take it away."""
        if value:
            await self._write(lambda: self._bucket.put(_FLAG + key_of(name), name.encode()))
        else:
            await self._delete(_FLAG + key_of(name))

    async def listed_until(self) -> datetime | None:
        """Give the server time up to which every conversation was in a list, UTC; None where nothing tells."""
        found = await self._get(_LISTED)
        return None if found is None else datetime.fromisoformat(found.decode())

    async def set_listed_until(self, moment: datetime | None) -> None:
        """Keep that time, or that nothing tells it.

        Relays overwrite each other's: what a list showed has a position by then, whichever list was the later.
        """
        if moment is None:
            await self._delete(_LISTED)
        else:
            await self._write(lambda: self._bucket.put(_LISTED, moment.isoformat().encode()))

    async def _get(self, key: str) -> bytes | None:
        # Each by itself: reading a bucket as a whole misses what is written meanwhile, as other relays do all the time.
        try:
            return (await insist(lambda: self._bucket.get(key))).value or b""
        except KeyNotFoundError:
            return None
        except TROUBLES as error:
            raise _unread(error) from None

    async def _delete(self, key: str) -> None:
        await self._write(lambda: self._bucket.purge(key))

    async def _write(self, write: Callable[[], Awaitable[object]]) -> None:
        try:
            await insist(write)
        except TROUBLES as error:
            raise _unwritten(error) from None


def _cursor_key(conversation_id: Id) -> str:
    return _CURSOR + key_of(write_id(conversation_id))


def _packed(cursor: Cursor) -> bytes:
    return json.dumps(cursor_to_row(cursor)).encode()


class Handled:
    """What was handled last in each conversation of one partition, shared by all workers."""

    def __init__(self, bucket: KeyValue, partition: int) -> None:
        self._bucket = bucket
        self._prefix = f"{partition}."
        self._lists: OrderedDict[str, tuple[list[str], int | None]] = OrderedDict()

    def forget(self) -> None:
        """Another worker may have had the partition: read anew."""
        self._lists.clear()

    async def has(self, conversation_id: Id | None, identity: str) -> bool:
        """Whether an event was handled."""
        return identity[:_SHORT] in (await self._list(conversation_id))[0]

    async def add(self, conversation_id: Id | None, identity: str) -> None:
        """An event was handled."""
        key = self._key(conversation_id)
        while True:
            known, revision = await self._list(conversation_id)
            listed = [*known, identity[:_SHORT]][-MOST_HANDLED:]
            value = json.dumps(listed, separators=(",", ":")).encode()
            try:
                # Revision 0 is that of a key that is not there.
                done = await self._bucket.update(key, value, last=revision or 0)
            except KeyWrongLastSequenceError:
                self._lists.pop(key, None)  # a worker that was thought dead has written meanwhile
                continue
            self._lists[key] = (listed, done)
            return

    async def _list(self, conversation_id: Id | None) -> tuple[list[str], int | None]:
        key = self._key(conversation_id)
        found = self._lists.get(key)
        if found is None:
            try:
                entry = await self._bucket.get(key)
            except KeyNotFoundError:
                found = ([], None)
            else:
                found = (json.loads(entry.value or b"[]"), entry.revision)
            self._lists[key] = found
            while len(self._lists) > _MOST_CACHED:
                self._lists.popitem(last=False)
        return found

    def _key(self, conversation_id: Id | None) -> str:
        return self._prefix + key_of(written(conversation_id))


def _unwritten(error: BaseException) -> StoreError:
    return StoreError(f"The bucket on the NATS server cannot be written ({type(error).__name__}).")


def _unread(error: BaseException) -> StoreError:
    return StoreError(f"The bucket on the NATS server cannot be read ({type(error).__name__}).")
