"""The REST operations, typed: arguments checked, answers normalised, reads cached."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from messaging_client import arguments as check
from messaging_client import cache
from messaging_client.asking import Asking, Counter, Person
from messaging_client.boundary import guard
from messaging_client.errors import NotFound, RequestError, UnexpectedResponse
from messaging_client.models import (
    ContextType,
    Conversation,
    History,
    Id,
    Message,
    Page,
    Participant,
    UserType,
)
from messaging_client.reading import Batch
from messaging_client.wire import answers, payloads, routes

if TYPE_CHECKING:
    from messaging_client.transport.aio import Attempt

READS_AT_A_TIME = 50
"""Items that iterators over all pages ask for at a time: the protocol's default for messages."""


class RestOperations(Asking):
    """What the server offers over REST. `timeout=` is seconds for one try; `refresh=True` reads past the cache."""

    # --- conversations -----------------------------------------------------------------------------------------------

    async def conversations(
        self,
        user_type: UserType,
        user_id: Id | None,
        page: int,
        limit: int,
        statut: str,
        *,
        timeout: float | None,
        refresh: bool,
    ) -> Page[Conversation]:
        """A page of somebody's conversations; the present user's where no id is given."""
        operation = routes.MEDECIN_CONVERSATIONS if user_type is UserType.MEDECIN else routes.PATIENT_CONVERSATIONS
        check.checked_page(operation, page, limit)
        person = await self._person_id(operation, user_type, user_id)
        status = check.checked_text(operation, "statut", statut)

        async def load() -> Page[Conversation]:
            query: dict[str, str | int] = {"page": page, "limit": limit, "statut": status}
            reply = await self._ask(operation, {"id": person}, query=query, timeout=timeout)
            return await self._read_list(
                operation,
                reply,
                lambda body: answers.conversations_in_slices(
                    body, page=page, limit=limit, report=self._invalid(operation)
                ),
            )

        key = (operation, person, page, limit, status)
        return await self._cache.read(key, load, lambda _page: (cache.LISTS,), refresh=refresh)

    async def unread_conversations(self, *, timeout: float | None, refresh: bool) -> Page[Conversation]:
        """The conversations with messages that the user has not read."""
        operation = routes.UNREAD

        async def load() -> Page[Conversation]:
            reply = await self._ask(operation, timeout=timeout)
            found = await self._read_list(
                operation,
                reply,
                lambda body: answers.conversations_in_slices(body, page=1, limit=20, report=self._invalid(operation)),
            )
            # The route has no pages: what it gives is all there is.
            return found.model_copy(
                update={"limit": max(1, len(found.items)), "total": len(found.items), "total_pages": 1}
            )

        return await self._cache.read((operation,), load, lambda _page: (cache.LISTS,), refresh=refresh)

    async def iter_conversations(self, statut: str) -> AsyncIterator[Conversation]:
        """Every conversation of the present user, page after page, each once."""
        user, page, seen = await self._user(), 0, set[Id]()
        while True:
            page += 1
            found = await self.conversations(
                user.type, user.id, page, READS_AT_A_TIME, statut, timeout=None, refresh=True
            )
            fresh = [each for each in found if each.id not in seen]
            seen.update(each.id for each in fresh)
            for each in fresh:
                yield each
            # Where the server counts no pages, one that brings nothing new is the end.
            if not found.has_next or (not fresh and found.total_pages is None):
                return

    async def create(
        self, titre: str, participants: Sequence[Person], kind: str, *, timeout: float | None
    ) -> Conversation:
        """Create a conversation; the present user is its initiator, and takes part."""
        operation = routes.CREATE
        title = check.checked_text(operation, "titre", titre)
        people = [
            self._identity(operation, each) for each in check.checked_list(operation, "participants", participants)
        ]
        user = await self._user()
        if (user.type, user.id) not in people:
            people.insert(0, (user.type, user.id))
        if len(people) < 2:
            raise check.refuse(operation, "A conversation needs somebody besides yourself.")
        body = payloads.create_body(title, people, initiator=user, kind=check.checked_text(operation, "type", kind))
        reply = await self._ask(operation, body=body, timeout=timeout, repeatable=False)
        self._cache.invalidate(cache.LISTS)
        return self._read(operation, reply, answers.read_conversation)

    async def create_from_context(
        self, context_type: str, context_id: Id, patient_id: Id | None, medecin_id: Id | None, *, timeout: float | None
    ) -> Conversation:
        """Create the conversation of a context between a patient and a doctor; the user's own id need not be given."""
        operation = routes.CREATE
        context, number = self.checked_context(operation, context_type, context_id)
        patient = await self._person_id(operation, UserType.PATIENT, patient_id)
        medecin = await self._person_id(operation, UserType.MEDECIN, medecin_id)
        people: list[Person] = [
            Participant(id=patient, type=UserType.PATIENT),
            Participant(id=medecin, type=UserType.MEDECIN),
        ]
        title = payloads.context_title(context, number)
        return await self.create(title, people, "patient_medecin", timeout=timeout)

    # --- messages ----------------------------------------------------------------------------------------------------

    async def messages(
        self, conversation_id: Id, page: int, limit: int, *, timeout: float | None, refresh: bool
    ) -> History:
        """A page of a conversation, page 1 the newest, oldest first within it."""
        operation = routes.MESSAGES
        target = check.checked_id(operation, "conversation_id", conversation_id)
        check.checked_page(operation, page, limit)

        async def load() -> History:
            return (await self._page(target, page, limit, timeout))[0]

        key = (operation, target, page, limit)
        return await self._cache.read(key, load, lambda _history: (cache.messages_of(target),), refresh=refresh)

    async def history(
        self, context_type: str, context_id: Id, page: int, limit: int, *, timeout: float | None, refresh: bool
    ) -> History:
        """A page of the conversation of a context; NotFound where there is none yet."""
        operation = routes.HISTORY
        context, number = self.checked_context(operation, context_type, context_id)
        check.checked_page(operation, page, limit)

        async def load() -> History:
            values: dict[str, Id | str] = {"context_type": context, "context_id": number}
            if context == ContextType.ORDONNANCE:
                values["ordonnance_id"] = number  # for the short route, which knows ordonnances only
            reply = await self._ask(operation, values, query={"page": page, "limit": limit}, timeout=timeout)
            now, report = self._clock.now(), self._invalid(operation)
            return await self._read_list(
                operation,
                reply,
                lambda body: answers.history_in_slices(
                    body, conversation_id=None, page=page, limit=limit, received_at=now, report=report
                ),
            )

        def tags(found: History) -> tuple[cache.Tag, ...]:
            ids = {message.conversation_id for message in found.messages if message.conversation_id is not None}
            if found.conversation is not None:
                ids.add(found.conversation.id)
            # Without a conversation, this changes when there is one.
            return tuple(tag for each in ids for tag in (cache.messages_of(each), cache.people_of(each))) or (
                cache.LISTS,
            )

        return await self._cache.read((operation, context, number, page, limit), load, tags, refresh=refresh)

    async def new_messages(
        self, conversation_id: Id, since: datetime, limit: int, *, timeout: float | None
    ) -> tuple[Message, ...]:
        """Messages after a time, oldest first."""
        operation = routes.NEW_MESSAGES
        target = check.checked_id(operation, "conversation_id", conversation_id)
        check.checked_limit(operation, limit)
        return (await self.new_since(target, check.checked_time(operation, "since", since), limit, timeout)).messages

    async def iter_messages(self, conversation_id: Id) -> AsyncIterator[Message]:
        """Every message of a conversation, newest first, each once."""
        page, seen = 0, set[Id]()
        while True:
            page += 1
            found = await self.messages(conversation_id, page, READS_AT_A_TIME, timeout=None, refresh=True)
            fresh = [message for message in found.messages if message.id not in seen]
            seen.update(message.id for message in fresh)
            for message in reversed(fresh):
                yield message
            pages = found.pagination.total_pages
            # What is written meanwhile moves the others back: a page can be known as a whole and not be the last.
            if (page >= pages) if pages is not None else not fresh:
                return

    async def send(
        self,
        conversation_id: Id,
        content: str,
        kind: str,
        *,
        client_message_id: str | None,
        timeout: float | None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Message:
        """Store a message on the server; sent once, and never repeated here.

        `on_attempt` is told of the request as it begins, which shows how far it has come.
        """
        operation = routes.SEND
        target = check.checked_id(operation, "conversation_id", conversation_id)
        text = check.checked_content(operation, content, self._config.max_message_bytes)
        word = payloads.message_type(kind)
        if word is None:
            raise check.refuse(operation, "type must be text (texte), image, document or audio.")
        key = client_message_id or str(uuid.uuid4())
        body = payloads.send_body(text, word, key)
        reply = await self._ask(
            operation,
            {"conversation_id": target},
            body=body,
            headers={"Idempotency-Key": key},
            timeout=timeout,
            repeatable=False,
            on_attempt=on_attempt,
        )
        self._cache.invalidate(cache.messages_of(target), cache.LISTS)
        now = self._clock.now()
        return self._read(
            operation, reply, lambda body: answers.read_message(body, conversation_id=target, received_at=now)
        )

    async def mark_read(self, message_id: Id, *, timeout: float | None) -> Message | None:
        """Mark a message of somebody else as read; None where the server only says that it is done."""
        operation = routes.MARK_READ
        target = check.checked_id(operation, "message_id", message_id)
        reply = await self._ask(operation, {"message_id": target}, timeout=timeout)
        now = self._clock.now()
        message = self._read(operation, reply, lambda body: answers.read_marked(body, received_at=now))
        if message is not None and message.conversation_id is not None:
            self._cache.invalidate(cache.messages_of(message.conversation_id), cache.LISTS)
        else:
            # The server did not say which conversation has changed.
            self._cache.invalidate(cache.LISTS)
            self._cache.invalidate_messages()
        return message

    # --- people ------------------------------------------------------------------------------------------------------

    async def participants(
        self, conversation_id: Id, *, timeout: float | None, refresh: bool
    ) -> tuple[Participant, ...]:
        """Who takes part in a conversation."""
        operation = routes.PARTICIPANTS
        target = check.checked_id(operation, "conversation_id", conversation_id)

        async def load() -> tuple[Participant, ...]:
            reply = await self._ask(operation, {"conversation_id": target}, timeout=timeout)
            return await self._read_list(
                operation, reply, lambda body: answers.participants_in_slices(body, report=self._invalid(operation))
            )

        return await self._cache.read(
            (operation, target), load, lambda _all: (cache.people_of(target),), refresh=refresh
        )

    async def user_info(self, user_id: Id, user_type: str, *, timeout: float | None, refresh: bool) -> Participant:
        """What the server knows of a person; the type decides, for a patient and a doctor can have the same id."""
        operation = routes.USER_INFO
        person = check.checked_id(operation, "user_id", user_id)
        kind = check.checked_user_type(operation, user_type)

        async def load() -> Participant:
            named = await self._user_by(operation, person, kind, timeout)
            if named is None:
                typed = routes.MEDECIN if kind is UserType.MEDECIN else routes.PATIENT
                named = await self._user_by(typed, person, kind, timeout)
            if named is None:
                raise NotFound(f"{operation}: the server names no such person.", operation=operation, status=404)
            return named

        return await self._cache.read_user((kind, person), load, refresh=refresh)

    async def _user_by(self, operation: str, person: Id, kind: UserType, timeout: float | None) -> Participant | None:
        try:
            reply = await self._ask(operation, {"id": person}, timeout=timeout)
        except NotFound:
            return None
        implied = operation != routes.USER_INFO
        return self._read(
            operation,
            reply,
            lambda body: answers.read_user(body, user_id=person, user_type=kind, type_implied=implied),
        )

    async def permissions(self, ordonnance_id: Id, patient_id: Id, *, timeout: float | None) -> Mapping[str, Any]:
        """What the user may do about an ordonnance of a patient, as the server says."""
        operation = routes.PERMISSIONS
        values = {
            "ordonnance_id": check.checked_id(operation, "ordonnance_id", ordonnance_id),
            "patient_id": check.checked_id(operation, "patient_id", patient_id),
        }
        reply = await self._ask(operation, values, timeout=timeout)
        return self._read(operation, reply, answers.read_permissions)

    async def health(self, *, timeout: float | None) -> bool:
        """Whether the server says that it is up; no token goes along."""
        try:
            await self._http.request(routes.HEALTH, timeout=timeout, authenticated=False)
        except UnexpectedResponse as answer:
            # A health route may answer with plain text: 200 is what counts.
            return answer.status == 200
        except RequestError:
            return False
        return True

    # --- for recovery ------------------------------------------------------------------------------------------------

    async def new_since(self, conversation_id: Id, since: datetime, limit: int, timeout: float | None = None) -> Batch:
        """Messages after a time, with how many the server sent."""
        operation = routes.NEW_MESSAGES
        query: dict[str, str | int] = {"since": payloads.iso(since), "limit": limit}
        reply = await self._ask(operation, {"conversation_id": conversation_id}, query=query, timeout=timeout)
        counted = Counter(self._invalid(operation))
        now = self._clock.now()
        found = await self._read_list(
            operation,
            reply,
            lambda body: answers.new_messages_in_slices(
                body, conversation_id=conversation_id, received_at=now, report=counted
            ),
        )
        return Batch(found, len(found) + counted.reported)

    @contextmanager
    def page_kept(self, conversation_id: Id) -> Iterator[list[History]]:
        """Keep the newest page that the recovery reads meanwhile, for whoever would read it again at once.

        Returns:
            A context manager with a list, which has that page as its last, or is empty.
        """
        kept: list[History] = []
        self._kept_pages[conversation_id] = kept
        try:
            yield kept
        finally:
            if self._kept_pages.get(conversation_id) is kept:
                del self._kept_pages[conversation_id]

    async def newest(self, conversation_id: Id, page: int, limit: int, *, repeatable: bool = True) -> Batch:
        """A page of messages, with how many the server sent; the outbox repeats its reads by itself."""
        found, invalid = await self._page(conversation_id, page, limit, None, repeatable=repeatable)
        if page == 1 and (kept := self._kept_pages.get(conversation_id)) is not None:
            kept.append(found)
        pages = found.pagination.total_pages
        is_last = None if pages is None else page >= pages
        return Batch(found.messages, len(found.messages) + len(invalid), is_last, tuple(invalid))

    async def _page(
        self, conversation_id: Id, page: int, limit: int, timeout: float | None, *, repeatable: bool = True
    ) -> tuple[History, list[Any]]:
        operation = routes.MESSAGES
        reply = await self._ask(
            operation,
            {"conversation_id": conversation_id},
            query={"page": page, "limit": limit},
            timeout=timeout,
            repeatable=repeatable,
        )
        counted = Counter(self._invalid(operation))
        now = self._clock.now()
        found = await self._read_list(
            operation,
            reply,
            lambda body: answers.history_in_slices(
                body, conversation_id=conversation_id, page=page, limit=limit, received_at=now, report=counted
            ),
        )
        return found, counted.payloads


guard(RestOperations)  # iterators over all pages are asked outside of any other guarded method
