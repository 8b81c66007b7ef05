"""What users hold in their hands: immutable, typed objects with canonical English fields.

`raw` keeps what came from the wire, unchanged. Neither `repr` nor `str` shows a name, a content or `raw`: objects end
up in logs and tracebacks, and patients' words must not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar, overload

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from messaging_client.canonical import optional_id, required_id, required_moment

Id = int | str
"""An identifier: an integer, or a string that is not all digits (`temp_…`, a UUID)."""

# What models that users make themselves hold is canonical too: "15" is 15, True is no id, times are aware, UTC.
CanonicalId = Annotated[Id, BeforeValidator(required_id)]
OptionalId = Annotated[Id | None, BeforeValidator(optional_id)]
Moment = Annotated[datetime, BeforeValidator(required_moment)]

Item = TypeVar("Item")


class UserType(StrEnum):
    """The two kinds of people, and what a server sent that is neither."""

    PATIENT = "patient"
    MEDECIN = "medecin"
    UNKNOWN = "unknown"


class ContextType(StrEnum):
    """What a conversation is about; contexts outside this list stay plain strings."""

    ORDONNANCE = "ordonnance"
    EXAMEN = "examen"
    CONSULTATION = "consultation"


class MessageType(StrEnum):
    """The kind of content that a message carries."""

    TEXT = "text"
    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class MessageStatus(StrEnum):
    """How far a message has come; `sending`, `error` and `uncertain` are local states of a message being sent."""

    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    ERROR = "error"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"


class ConversationStatus(StrEnum):
    """Whether a conversation is open."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class PresenceStatus(StrEnum):
    """Whether a user is connected."""

    ONLINE = "online"
    OFFLINE = "offline"


class ConnectionState(StrEnum):
    """Where the Socket.IO connection stands (wire protocol, section 1)."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ERROR = "error"


class ConnectionCause(StrEnum):
    """Why the connection moved from one state to another."""

    CONNECT = "connect"
    """The user asked for a connection."""
    CONNECTED = "connected"
    """The server acknowledged the namespace, and the rooms were joined."""
    ATTEMPT = "attempt"
    """A further attempt of a round begins."""
    ATTEMPT_FAILED = "attempt_failed"
    """The one attempt of `connect()`, or the first one of `connect(wait=False)`, failed."""
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    """The last attempt of a round failed; another round follows."""
    ROUND = "round"
    """Another round of attempts begins."""
    AUTHENTICATION_REFUSED = "authentication_refused"
    """The server refused the token, and the fresh one too; nothing goes on by itself."""
    CONNECTION_LOST = "connection_lost"
    """The link broke."""
    PING_TIMEOUT = "ping_timeout"
    """The server was silent for longer than its own ping interval and time-out."""
    SERVER_DISCONNECT = "server_disconnect"
    """The server ended the connection."""
    FRAME_TOO_LARGE = "frame_too_large"
    """The server sent a frame over `max_response_bytes`, which ends the link."""
    DISCONNECT = "disconnect"
    """The user ended the connection."""


class Frozen(BaseModel):
    """Immutable base of models and events: `repr` shows the fields named in `shown` only; `raw` does not compare."""

    # Built when one is first validated or dumped: what comes from the wire is made without (`wire/construct.py`).
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True, defer_build=True
    )

    shown: ClassVar[tuple[str, ...]] = ()

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        for name in self.shown:
            yield name, getattr(self, name)

    def _compared(self) -> tuple[Any, ...]:
        return tuple(value for name, value in self.__dict__.items() if name != "raw")

    def _hashed(self) -> tuple[Any, ...]:
        """What makes the hash, of what is compared: a class leaves out here what may not be hashable."""
        return self._compared()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frozen) or type(other) is not type(self):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), self._hashed()))


class FromWire(Frozen):
    """Base of everything that came from the server.

    Attributes:
        raw: the payload as it came, unchanged; left out of `repr`, of comparison and of `model_dump`.

    """

    raw: Any = Field(default=None, repr=False, exclude=True)


_WORDS = {UserType.PATIENT: "Patient", UserType.MEDECIN: "Médecin"}


def placeholder_name(id: Id | None, type: UserType) -> str:
    """The name shown for somebody whose name is not known: `Patient #5`, `Médecin #79` (wire protocol, section 5)."""
    word = _WORDS.get(type, "Utilisateur")
    return word if id is None else f"{word} #{id}"


class User(Frozen):
    """The user that a token names.

    Attributes:
        id: the user's id, unique among users of the same type only.
        type: patient or medecin.
        role: the role as the token spells it.

    """

    shown = ("id", "type")

    id: CanonicalId
    type: UserType
    role: str = ""


class Participant(FromWire):
    """Somebody in a conversation. Identity is type **and** id: patient 5 is not doctor 5.

    Attributes:
        id: the person's id, or None when the server named nobody.
        type: patient, medecin or unknown.
        name: the name to show; `Patient #5` or `Médecin #79` where none is known.
        first_name, last_name, specialite: as the server gave them, or None.

    """

    shown = ("id", "type")

    id: OptionalId = None
    type: UserType = UserType.UNKNOWN
    name: str = Field(default_factory=lambda data: placeholder_name(data.get("id"), data.get("type", UserType.UNKNOWN)))
    first_name: str | None = None
    last_name: str | None = None
    specialite: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether a name is known, rather than a placeholder made from the id."""
        return self.name != placeholder_name(self.id, self.type)

    @property
    def display_name(self) -> str:
        """The name as shown to people: a doctor is `Dr. Sakura Saza`, a patient `Marie Dupont`."""
        if self.type is UserType.MEDECIN and self.is_named and not self.name.startswith(("Dr ", "Dr. ")):
            return f"Dr. {self.name}"
        return self.name

    def is_same_person(self, other: Participant | User) -> bool:
        """Whether both name the same person: same type and same id, and both known."""
        return (
            self.id is not None and self.type is not UserType.UNKNOWN and (self.type, self.id) == (other.type, other.id)
        )


class Message(FromWire):
    """One message of a conversation.

    Attributes:
        id: the server's id, or `temp_…` for a message that is still being sent.
        conversation_id: None when an event did not say.
        content: the text; empty text is content.
        type: text, image, document, audio, system or unknown.
        sender, recipient: who wrote it and to whom; the recipient is None when the server names none.
        timestamp: when it was sent, UTC.
        timestamp_is_receipt: True when the server gave no time and `timestamp` is the time of receipt.
        status: sent, delivered, read and so on.
        read_at: when it was read, UTC, or None.
        client_message_id: the idempotency key that the sender gave it, or None.
        late: found after a newer message of its conversation had been delivered.

    """

    shown = ("id", "conversation_id", "status")

    id: CanonicalId
    conversation_id: OptionalId
    content: str
    type: MessageType = MessageType.TEXT
    sender: Participant
    recipient: Participant | None = None
    timestamp: Moment
    timestamp_is_receipt: bool = False
    status: MessageStatus = MessageStatus.UNKNOWN
    read_at: Moment | None = None
    client_message_id: str | None = None
    late: bool = False


class MessagePreview(FromWire):
    """The last message of a conversation as lists show it; the server gives it no id."""

    shown = ("timestamp",)

    content: str
    timestamp: Moment | None = None
    sender: Participant = Field(default_factory=Participant)


class Conversation(FromWire):
    """A conversation as lists and histories show it.

    Attributes:
        id: the server's id.
        title: as on the server.
        kind: `patient_medecin`, `medecin_medecin`, `patient_patient`, or whatever the server sent; None if nothing.
        status: active, archived, closed or unknown.
        context_type: `ordonnance`, `examen`, `consultation` or another string; explicit fields win over the title.
        context_id: the id of the context, or None.
        patient, medecin: the first participant of that type, or None.
        participants: everybody known to take part.
        last_message: a preview, or None.
        unread_count: messages of others that the user has not read, as the server counts them.
        created_at, last_activity: UTC, or None.

    """

    shown = ("id", "status", "context_type", "context_id")

    id: CanonicalId
    title: str = ""
    kind: str | None = None
    status: ConversationStatus = ConversationStatus.UNKNOWN
    context_type: ContextType | str = ContextType.CONSULTATION
    context_id: OptionalId = None
    patient: Participant | None = None
    medecin: Participant | None = None
    participants: tuple[Participant, ...] = ()
    last_message: MessagePreview | None = None
    unread_count: int = 0
    created_at: Moment | None = None
    last_activity: Moment | None = None


class Page(Frozen, Sequence[Item], Generic[Item]):
    """One page of a list; it is a sequence of its items.

    Attributes:
        items: what the page holds.
        page: number of the page, from 1.
        limit: how many items a page holds at most.
        total, total_pages: as the server counts them, or None where it did not say.

    """

    shown = ("page", "limit", "total", "total_pages")

    items: tuple[Item, ...] = ()
    page: int = 1
    limit: int = 20
    total: int | None = None
    total_pages: int | None = None

    @property
    def has_next(self) -> bool:
        """Whether a further page is to be expected: by the total where known, else whether this page is full."""
        if self.total_pages is not None:
            return self.page < self.total_pages
        return len(self.items) >= self.limit

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        return self.items[index]

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        return iter(self.items)


class Pagination(Frozen):
    """Where a page stands among the others; `total` and `total_pages` are None where the server did not say."""

    shown = ("page", "limit", "total", "total_pages")

    page: int = 1
    limit: int = 50
    total: int | None = None
    total_pages: int | None = None


class History(FromWire):
    """A page of a conversation's messages, oldest first, with the conversation where the server gave it.

    Attributes:
        conversation: the conversation, or None.
        messages: oldest first.
        pagination: page 1 is the newest page.
        context: the ordonnance, consultation or examen as the server sent it, or None.

    """

    shown = ("pagination",)

    conversation: Conversation | None = None
    messages: tuple[Message, ...] = ()
    pagination: Pagination = Field(default_factory=Pagination)
    context: dict[str, Any] | None = Field(default=None, repr=False)

    def _compared(self) -> tuple[Any, ...]:
        return (self.conversation, self.messages, self.pagination)
