"""What relays and workers remember in JetStream's key-value buckets."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KV_DEL, KV_PURGE, KeyValue

from messaging_client.errors import StoreError
from messaging_client.fleet.layout import key_of, written
from messaging_client.fleet.troubles import TROUBLES, insist
from messaging_client.models import Id
from messaging_client.store.records import Cursor, cursor_from_row, cursor_to_row, write_id

_CURSOR = "cursor."
_FLAG = "flag."
MOST_HANDLED = 200
"""Events of a conversation that are remembered as handled: more than a relay publishes anew after a pause."""
_ANSWER = 5.0  # seconds for the next value of many
_MOST_CACHED = 256  # conversations of one partition whose lists a worker holds


class SharedPositions:
    """Read positions of all relays of one account, as `Positions` asks for them.

    Several relays write the same keys. Each position says that everything up to it has been published, so that any of
    them is true, and an older one only means that more is read back.
    """

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    async def cursors(self) -> dict[Id, Cursor]:
        """Give every read position by conversation."""
        found = [cursor_from_row(tuple(json.loads(value))) for value in await self._values(_CURSOR)]
        return {each.conversation_id: each for each in found}

    async def save_cursors(self, cursors: Iterable[Cursor]) -> None:
        """Keep read positions; those that cannot be written now are written with later ones."""
        try:
            for each in cursors:
                await self._bucket.put(
                    _CURSOR + key_of(write_id(each.conversation_id)), json.dumps(cursor_to_row(each)).encode()
                )
        except TROUBLES as error:
            raise _unwritten(error) from None

    async def forget_cursor(self, conversation_id: Id) -> None:
        """Drop the read position of a conversation."""
        await self._delete(_CURSOR + key_of(write_id(conversation_id)))

    async def get_flag(self, name: str) -> bool:
        """Whether a flag is set."""
        try:
            await insist(lambda: self._bucket.get(_FLAG + key_of(name)))
        except KeyNotFoundError:
            return False
        except TROUBLES as error:
            raise _unread(error) from None
        return True

    async def flags(self, beginning: str) -> list[str]:
        """Give the flags that are set and begin so."""
        names = [value.decode() for value in await self._values(_FLAG)]
        return [each for each in names if each.startswith(beginning)]

    async def set_flag(self, name: str, value: bool = True) -> None:
        """Set a flag, or take it away."""
        if not value:
            await self._delete(_FLAG + key_of(name))
            return
        try:
            await insist(lambda: self._bucket.put(_FLAG + key_of(name), name.encode()))
        except TROUBLES as error:
            raise _unwritten(error) from None

    async def _delete(self, key: str) -> None:
        try:
            await insist(lambda: self._bucket.purge(key))
        except TROUBLES as error:
            raise _unwritten(error) from None

    async def _values(self, beginning: str) -> list[bytes]:
        try:
            return await insist(lambda: self._read(beginning))
        except TROUBLES as error:
            raise _unread(error) from None

    async def _read(self, beginning: str) -> list[bytes]:
        watcher = await self._bucket.watch(beginning + ">")
        values: list[bytes] = []
        try:
            # None says that all that there was has been told; iterating would wait for ever for a server that is gone.
            while (entry := await watcher.updates(timeout=_ANSWER)) is not None:  # type: ignore[no-untyped-call]
                if entry.operation not in (KV_DEL, KV_PURGE):
                    values.append(entry.value or b"")
        finally:
            await watcher.stop()  # type: ignore[no-untyped-call]
        return values


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
        return identity in (await self._list(conversation_id))[0]

    async def add(self, conversation_id: Id | None, identity: str) -> None:
        """An event was handled."""
        key = self._key(conversation_id)
        while True:
            known, revision = await self._list(conversation_id)
            listed = [*known, identity][-MOST_HANDLED:]
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
