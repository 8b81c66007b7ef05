"""What events mean: rooms, typing, presence, messages (wire protocol, section 4)."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from messaging_client.testing import inputs
from messaging_client.testing.inputs import Refused
from messaging_client.testing.messaging import Messaging
from messaging_client.testing.records import EventRecord, Identity, StoredConversation, StoredMessage
from messaging_client.testing.shapes import Json, Shapes, iso
from messaging_client.testing.sockets import Client, Sockets
from messaging_client.testing.store import Store
from messaging_client.testing.surroundings import Surroundings

log = logging.getLogger(__name__)

EVERYBODY = "everybody"


def conversation_room(id: int) -> str:
    """Name the room of a conversation."""
    return f"conversation:{id}"


def user_room(user: Identity) -> str:
    """Name the room of all of a user's sockets."""
    return f"user:{user.type}:{user.id}"


class Realtime:
    """Hears events and tells them.

    Args:
        around: what the parts of the server share.
        sockets: the connections.
        store, messaging, shapes: memory, work and spelling.

    """

    def __init__(
        self, around: Surroundings, sockets: Sockets, store: Store, messaging: Messaging, spelling: Shapes
    ) -> None:
        self._around = around
        self._options = around.options
        self._sockets = sockets
        self._store = store
        self._messaging = messaging
        self._shapes = spelling
        sockets.on_connected = self._connected
        sockets.on_gone = self._gone
        sockets.on_event = self._heard
        self._handlers: dict[str, Callable[[Client, Any], Awaitable[Any]]] = {
            "authenticate": self._authenticate,
            "join_conversation": self._join,
            "leave_conversation": self._leave,
            "typing": self._typing,
            "new_message": self._relay_message,
            "message_sent": self._take_note,
            "send_message": self._send_message,
        }

    # Telling

    async def posted(self, message: StoredMessage) -> None:
        """Tell of a message that came in over REST, unless this server waits for its sender to tell."""
        if self._options.broadcast_on_post:
            await self.tell_message(message)

    async def tell_message(self, message: StoredMessage, skip: str | None = None) -> None:
        """Tell a new message to its room, and the change to every participant.

        Args:
            message: the message as stored.
            skip: a socket id that is not told the message itself.

        """
        conversation = self._conversation(message)
        await self._tell_room(message, conversation, skip)
        await self.updated(conversation, "message")
        await self._notify("new_message", conversation, message.sender)

    async def _tell_room(self, message: StoredMessage, conversation: StoredConversation, skip: str | None) -> None:
        payload = self._shapes.new_message(message, conversation.participants)
        await self._sockets.publish("new_message", payload, rooms=[conversation_room(conversation.id)], skip=skip)

    async def created(self, conversation: StoredConversation, creator: Identity) -> None:
        """Tell every participant of a new conversation."""
        await self.updated(conversation, "created")
        await self._notify("new_conversation", conversation, creator)

    async def updated(self, conversation: StoredConversation, reason: str) -> None:
        """Tell every participant that a conversation has changed."""
        payload = {"conversationId": conversation.id, "statut": conversation.statut, "reason": reason}
        rooms = [user_room(each) for each in conversation.participants]
        await self._sockets.publish("conversation_updated", payload, rooms=rooms)

    async def _notify(self, kind: str, conversation: StoredConversation, by: Identity) -> None:
        payload = {"type": kind, "conversationId": conversation.id}
        rooms = [user_room(each) for each in conversation.participants if each != by]
        await self._sockets.publish("notification", payload, rooms=rooms)

    async def tell_typing(self, conversation_id: int, user: Identity, is_typing: bool, skip: str | None = None) -> None:
        """Tell a conversation's room that somebody types, or has stopped."""
        payload = {
            "conversationId": conversation_id,
            "userId": user.id,
            "userName": self._shapes.known(user).name,
            "isTyping": is_typing,
            "timestamp": iso(self._messaging.now_ms()),
        }
        await self._sockets.publish("user_typing", payload, rooms=[conversation_room(conversation_id)], skip=skip)

    def _conversation(self, message: StoredMessage) -> StoredConversation:
        return self._messaging.message_of(message.sender, message.id)[1]

    # Coming and going

    async def _connected(self, client: Client) -> None:
        if not self._options.authenticate_event and not client.is_admitted:
            await self._admit(client)

    async def _admit(self, client: Client) -> None:
        is_first = not self._is_online(client.user)
        client.is_admitted = True
        self._sockets.join(client.sid, EVERYBODY)
        self._sockets.join(client.sid, user_room(client.user))
        if is_first:
            await self._tell_presence("user_online", client.user)

    async def _gone(self, client: Client) -> None:
        if client.is_admitted and not self._is_online(client.user):
            await self._tell_presence("user_offline", client.user)

    def _is_online(self, user: Identity) -> bool:
        return user_room(user) in self._sockets.rooms

    async def _tell_presence(self, event: str, user: Identity) -> None:
        payload = {"userId": user.id, "userType": user.type, "userName": self._shapes.known(user).name}
        await self._sockets.publish(event, payload, rooms=[EVERYBODY])

    # Hearing

    async def _heard(self, event: str, client: Client, args: tuple[Any, ...]) -> Any:
        """Do what an event asks for, and give the value of its acknowledgement."""
        payload = args[0] if args else None
        self._around.events.append(EventRecord(event, client.user, client.sid, _named_conversation(payload)))
        self._around.changes.notify()
        try:
            if not client.is_admitted and event != "authenticate":
                raise Refused(401, "Authentification attendue")
            if event in self._handlers:
                return await self._handlers[event](client, payload)
            if event in self._options.relay_events:
                return await self._relay(event, client, args)
        except Refused as refused:
            await self._sockets.send("error", ({"event": event, "message": refused.message},), [client.sid])
            return {"status": "error", "message": refused.message}
        except Exception:
            log.exception("the event %r of a client could not be handled", event)
        return None

    async def _authenticate(self, client: Client, payload: Any) -> Json:
        given = inputs.as_object(payload, "authenticate")
        claimed = inputs.parse_identity(given.get("userType") or given.get("role"), given.get("userId"), "utilisateur")
        if claimed != client.user:
            raise Refused(401, "Authentication error")
        if not client.is_admitted:
            await self._admit(client)
        answer = {"success": True, "userId": client.user.id, "userType": client.user.type}
        await self._sockets.send("authenticated", (answer,), [client.sid])
        return answer

    async def _join(self, client: Client, payload: Any) -> Json | None:
        if not self._understands(payload):
            return None
        conversation = self._messaging.conversation_of(client.user, _conversation_in(payload))
        delay = self._around.rules.joins.take("join")
        if delay is None:
            self._sockets.join(client.sid, conversation_room(conversation.id))
        else:
            self._around.lifetime.start_task(self._join_later(client.sid, conversation.id, delay))
        return None

    async def _join_later(self, sid: str, conversation_id: int, seconds: float) -> None:
        if await self._around.lifetime.pause(seconds):
            self._sockets.join(sid, conversation_room(conversation_id))

    async def _leave(self, client: Client, payload: Any) -> None:
        if self._understands(payload):
            room = conversation_room(inputs.parse_id(_conversation_in(payload), "conversation_id"))
            self._sockets.leave(client.sid, room)

    def _understands(self, payload: Any) -> bool:
        form = "object" if isinstance(payload, dict) else "id"
        return self._options.join_payload in ("both", form)

    async def _typing(self, client: Client, payload: Any) -> None:
        given = inputs.as_object(payload, "typing")
        conversation = self._messaging.conversation_of(client.user, _conversation_in(given))
        await self.tell_typing(conversation.id, client.user, given.get("isTyping") is True, skip=client.sid)

    async def _relay_message(self, client: Client, payload: Any) -> Json:
        """Tell a stored message at its sender's wish. Nothing of the payload is believed but the id."""
        given = inputs.as_object(payload, "new_message")
        wrapped = given.get("message")
        given = wrapped if isinstance(wrapped, dict) else given
        named = next((given[name] for name in _MESSAGE_IDS if given.get(name) is not None), None)
        message, conversation = self._messaging.message_of(client.user, named)
        if message.sender != client.user:
            raise Refused(403, "Ce message n'est pas de l'utilisateur")
        if self._options.broadcast_on_post:
            await self._tell_room(message, conversation, client.sid)
        else:
            await self.tell_message(message, client.sid)
        return {"status": "success"}

    async def _take_note(self, client: Client, payload: Any) -> Json:
        return {"status": "success"}

    async def _send_message(self, client: Client, payload: Any) -> Json:
        """Store a message that came over the socket, and say so to its sender."""
        given = payload if isinstance(payload, dict) else {}
        draft = given["message"] if isinstance(given.get("message"), dict) else {}
        temporary = draft.get("id") if isinstance(draft.get("id"), str) else None
        key = next((draft[name] for name in _KEYS if draft.get(name) is not None), temporary)
        body = {
            "contenu": draft.get("content", draft.get("contenu")),
            "type_message": draft.get("type", draft.get("type_message", "texte")),
        }
        try:
            message, is_new = self._messaging.send(client.user, _conversation_in(given), body, key)
        except Refused as refused:
            answer: Json = {"message_id": draft.get("id"), "message": refused.message}
            await self._sockets.send("message_error", (answer,), [client.sid])
            return {"status": "error"} | answer
        answer = {
            "message_id": message.id,
            "conversation_id": message.conversation_id,
            "client_message_id": key,
            "temp_id": temporary,
            "timestamp": iso(message.sent_ms),
        }
        await self._sockets.send("message_sent", (answer,), [client.sid])
        if is_new:
            await self.tell_message(message)
        return {"status": "success"} | answer

    async def _relay(self, event: str, client: Client, args: tuple[Any, ...]) -> None:
        """Pass an event of the user's own on to the room of the conversation that it names."""
        conversation_id = _named_conversation(args[0] if args else None)
        room = conversation_room(-1 if conversation_id is None else conversation_id)
        if client.sid not in self._sockets.rooms.get(room, {}):
            raise Refused(403, "Conversation non rejointe")
        try:
            json.dumps(args, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            inputs.wrong("Contenu non transmissible en JSON")
        await self._sockets.publish(event, *args, rooms=[room], skip=client.sid)


_MESSAGE_IDS = ("id", "id_message", "message_id", "messageId")
_CONVERSATION_IDS = ("conversationId", "conversation_id", "id_conversation")
_KEYS = ("client_message_id", "clientMessageId")


def _conversation_in(payload: Any) -> Any:
    """The conversation that a payload names, unchecked: one of its fields, or the payload itself."""
    if not isinstance(payload, dict):
        return payload
    return next((payload[name] for name in _CONVERSATION_IDS if payload.get(name) is not None), None)


def _named_conversation(payload: Any) -> int | None:
    try:
        return inputs.parse_id(_conversation_in(payload), "conversation_id")
    except Refused:
        return None
