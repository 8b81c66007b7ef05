"""The route table, and what each operation answers (wire protocol, section 3)."""

from __future__ import annotations

from typing import Any

from messaging_client.testing import inputs, shapes
from messaging_client.testing.inputs import Refused
from messaging_client.testing.messaging import Messaging
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.realtime import Realtime
from messaging_client.testing.records import Identity, StoredConversation
from messaging_client.testing.rest import Answer, Call, Entry
from messaging_client.testing.shapes import Shapes
from messaging_client.testing.store import Store

EVERYTHING = 2**62  # a limit that no list reaches


class Routes:
    """The handlers.

    Args:
        options: which routes exist.
        store, messaging, shapes: memory, work and spelling.
        realtime: tells others what has happened.

    """

    def __init__(
        self, options: ServerOptions, store: Store, messaging: Messaging, spelling: Shapes, realtime: Realtime
    ) -> None:
        self._options = options
        self._store = store
        self._messaging = messaging
        self._shapes = spelling
        self._realtime = realtime

    def table(self) -> list[Entry]:
        """Every route that this server has."""
        return [
            Entry("health", ["GET"], "/health", self.health, is_public=True),
            Entry("unread", ["GET"], "/messaging/conversations/unread", self.unread),
            *self._lists(),
            Entry("messages", ["GET"], "/messaging/conversation/{id}/messages", self.messages),
            *self._new_messages(),
            Entry("participants", ["GET"], "/messaging/conversation/{id}/participants", self.participants),
            *self._people(),
            Entry("send", ["POST"], "/messaging/conversation/{id}/message", self.send),
            Entry("send_many", ["POST"], "/messaging/send", self.send_many),
            Entry("create", ["POST"], "/messaging/conversation", self.create),
            *self._histories(),
            Entry("permissions", ["GET"], "/messaging/permissions/{ordonnance}/patient/{patient}", self.permissions),
            # Where one of both methods is not this server's, the address does not exist with it: 404, as Express does
            Entry("mark_read", ["PATCH", "PUT"], "/messaging/messages/{id}/read", self.mark_read),
        ]

    def _lists(self) -> list[Entry]:
        first, other = self._options.list_spellings
        entries = []
        for word in ("medecin", "patient"):
            handler = self.medecin_conversations if word == "medecin" else self.patient_conversations
            if first:
                entries.append(Entry("conversations", ["GET"], f"/messaging/conversations/{word}/{{id}}", handler))
            if other:
                entries.append(Entry("conversations", ["GET"], f"/messaging/{word}/{{id}}/conversations", handler))
        return entries

    def _new_messages(self) -> list[Entry]:
        entry = Entry("new_messages", ["GET"], "/messaging/conversation/{id}/new-messages", self.new_messages)
        return [entry] if self._options.new_messages_route else []

    def _people(self) -> list[Entry]:
        entries = [
            Entry("user", ["GET"], "/patients/{id}", self.patient),
            Entry("user", ["GET"], "/medecins/{id}", self.medecin),
        ]
        if self._options.user_info_route:
            entries.append(Entry("user", ["GET"], "/messaging/user/{id}/info", self.user))
        return entries

    def _histories(self) -> list[Entry]:
        first, other = self._options.history_spellings
        entries = []
        if first:
            entries.append(Entry("history", ["GET"], "/messaging/history/{type}/{id}", self.history))
        if other:
            entries.append(Entry("history", ["GET"], "/messaging/history/{id}", self.history))
        return entries

    async def health(self, call: Call) -> Answer:
        """Say that the server is up."""
        return Answer({"uptime": "ok"})

    # Reading

    async def medecin_conversations(self, call: Call) -> Answer:
        """List the conversations of a doctor, who must be the user."""
        return self._conversations(call, "medecin")

    async def patient_conversations(self, call: Call) -> Answer:
        """List the conversations of a patient, who must be the user."""
        return self._conversations(call, "patient")

    def _conversations(self, call: Call, type: str) -> Answer:
        if Identity(type, inputs.parse_id(call.path["id"], "id")) != call.user:
            raise Refused(403, "Accès refusé aux conversations d'un autre utilisateur")
        page, limit = inputs.parse_page(call.query), inputs.parse_limit(call.query, 20)
        statut = inputs.parse_status(call.query.get("statut", "active"))
        found, total = self._store.conversations_of(call.user, statut=statut, limit=limit, offset=(page - 1) * limit)
        return Answer({"conversations": self._spell(call, found), "pagination": shapes.pagination(page, limit, total)})

    async def unread(self, call: Call) -> Answer:
        """List the user's conversations that hold unread messages of others."""
        found, _ = self._store.conversations_of(call.user, statut=None, limit=EVERYTHING, offset=0)
        unread = [each for each in found if self._store.unread_count(each.id, call.user)]
        return Answer({"conversations": self._spell(call, unread)})

    def _spell(self, call: Call, found: list[StoredConversation]) -> list[dict[str, Any]]:
        return [self._shapes.conversation(each, call.user) for each in found]

    async def messages(self, call: Call) -> Answer:
        """Give a page of a conversation."""
        return Answer(self._page(call, self._messaging.conversation_of(call.user, call.path["id"])))

    async def history(self, call: Call) -> Answer:
        """Give a page of the conversation about a context, and the context where it is the user's own."""
        kind = call.path.get("type", "ordonnance")
        conversation = self._messaging.of_context(call.user, kind, call.path["id"])
        data = self._page(call, conversation)
        known = self._store.context(kind, inputs.parse_id(call.path["id"], "id"))
        if known is not None and known.concerns(call.user):
            data[kind] = shapes.context(known)
        return Answer(data)

    def _page(self, call: Call, conversation: StoredConversation) -> dict[str, Any]:
        page, limit = inputs.parse_page(call.query), inputs.parse_limit(call.query, 50)
        messages, total = self._store.page_of_messages(conversation.id, limit=limit, offset=(page - 1) * limit)
        return {
            "conversation": self._shapes.conversation(conversation, call.user),
            "messages": [self._shapes.message(each) for each in messages],
            "pagination": shapes.pagination(page, limit, total),
        }

    async def new_messages(self, call: Call) -> Answer:
        """Give the messages after a time."""
        conversation = self._messaging.conversation_of(call.user, call.path["id"])
        since, limit = inputs.parse_since(call.query), inputs.parse_limit(call.query, 50)
        messages = self._store.messages_since(conversation.id, since, limit)
        return Answer({"messages": [self._shapes.message(each) for each in messages]})

    async def participants(self, call: Call) -> Answer:
        """List who takes part in a conversation."""
        conversation = self._messaging.conversation_of(call.user, call.path["id"])
        people = self._shapes.participants(conversation.participants)
        return Answer({"participants": people}, short=people)

    async def user(self, call: Call) -> Answer:
        """Give the person of an id, of whichever type."""
        return self._person(call, None)

    async def patient(self, call: Call) -> Answer:
        """Give a patient."""
        return self._person(call, "patient")

    async def medecin(self, call: Call) -> Answer:
        """Give a doctor."""
        return self._person(call, "medecin")

    def _person(self, call: Call, type: str | None) -> Answer:
        return Answer(self._shapes.person(self._messaging.person_seen_by(call.user, call.path["id"], type)))

    async def permissions(self, call: Call) -> Answer:
        """Say whether the user and a patient may write to each other."""
        ordonnance, patient, allowed = self._messaging.may_write(
            call.user, call.path["ordonnance"], call.path["patient"]
        )
        return Answer(
            {"ordonnance_id": ordonnance, "patient_id": patient, "peut_lire": allowed, "peut_envoyer": allowed}
        )

    # Writing

    async def send(self, call: Call) -> Answer:
        """Store a message, once per idempotency key, and tell others."""
        key = call.headers.get("idempotency-key")
        message, is_new = self._messaging.send(call.user, call.path["id"], call.json(), key)
        if is_new:
            await self._realtime.posted(message)
        spelled = self._shapes.message(message)
        return Answer({"message": spelled}, short=spelled, status=201 if is_new else 200)

    async def send_many(self, call: Call) -> Answer:
        """Store several messages, all or none, and tell others."""
        body = call.json()
        conversation, stored = self._messaging.send_many(call.user, body, call.headers.get("idempotency-key"))
        new = [message for message, is_new in stored if is_new]
        for message in new:
            await self._realtime.posted(message)
        summary = {
            "sessionId": body.get("sessionId"),
            "conversation_id": conversation.id,
            "total": len(stored),
            "envoyes": len(new),
            "messages": [self._shapes.message(message) for message, _ in stored],
        }
        return Answer(summary, status=201 if new else 200)

    async def create(self, call: Call) -> Answer:
        """Open a conversation, or find the one of the same context with the same participants."""
        conversation, is_new = self._messaging.create(call.user, call.json())
        if is_new:
            await self._realtime.created(conversation, call.user)
        spelled = self._shapes.conversation(conversation, call.user)
        return Answer(spelled, short={"conversation": spelled}, status=201 if is_new else 200)

    async def mark_read(self, call: Call) -> Answer:
        """Note that the user read a message."""
        if call.method not in self._options.mark_read_words:
            raise Refused(404, "Route inconnue")
        message, conversation, changed = self._messaging.mark_read(call.user, call.path["id"])
        if changed:
            await self._realtime.updated(conversation, "read")
        spelled = self._shapes.message(message)
        return Answer({"message": spelled}, short=spelled, empty=self._options.empty_mark_read)
