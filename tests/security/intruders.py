"""How to ask for each route and each event rightfully, and who else may try: the table of authorisation is made of it.

A route or an event that is new on the server has no entry here, and `test_nothing_was_forgotten` says so.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from messaging_client.testing import MessagingServer, ServerOptions
from messaging_client.testing.routes import Routes

User = tuple[str, int]

PATIENT: User = ("patient", 5)
DOCTOR: User = ("medecin", 79)
NAMESAKE: User = ("medecin", 5)
"""Another person with the patient's id."""
STRANGER: User = ("medecin", 80)
NEIGHBOUR: User = ("patient", 6)

SECRET = "the-key-that-the-server-signs-its-tokens-with"
CONTENT = "what-nobody-else-may-read"
"""In every text of the conversation that is broken into."""


@dataclass(frozen=True)
class Ask:
    """A request that is granted to whom it concerns.

    Attributes:
        method, path: as in the server's own table.
        values: of the placeholders in the path.
        by: whose right it is.
        query, body: what goes along.
        others: what other people get, by user; a status, or 200 for an answer that concerns themselves only.
    """

    method: str
    path: str
    values: Mapping[str, Any] = field(default_factory=dict)
    by: User = PATIENT
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    others: Mapping[User, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def target(self, values: Mapping[str, Any] | None = None) -> str:
        filled = dict(self.values if values is None else values)
        return re.sub(r"{(\w+)}", lambda place: str(filled[place[1]]), self.path)


def everybody_else(status: int, **exceptions: int) -> dict[User, int]:
    people = {"namesake": NAMESAKE, "stranger": STRANGER, "neighbour": NEIGHBOUR}
    return {user: exceptions.get(name, status) for name, user in people.items()}


OURS: dict[str, Any] = {"values": {"id": 1}, "others": everybody_else(403)}
SINCE = {"since": "2025-01-01T00:00:00Z"}
MESSAGE = {"contenu": "bonjour", "type_message": "texte"}
PEOPLE = [
    {"participant_id": 5, "participant_type": "patient"},
    {"participant_id": 79, "participant_type": "medecin"},
]
OF_THE_PATIENT = {"initiateur_id": 5, "initiateur_type": "patient"}

ASKS: tuple[Ask, ...] = (
    Ask("GET", "/health", others=everybody_else(200)),
    Ask("GET", "/messaging/conversations/unread", others=everybody_else(200)),
    *(
        Ask("GET", path, {"id": user[1]}, user, others=everybody_else(403))
        for user in (PATIENT, DOCTOR)
        for path in (f"/messaging/conversations/{user[0]}/{{id}}", f"/messaging/{user[0]}/{{id}}/conversations")
    ),
    Ask("GET", "/messaging/conversation/{id}/messages", **OURS),
    Ask("GET", "/messaging/conversation/{id}/new-messages", **OURS, query=SINCE),
    Ask("GET", "/messaging/conversation/{id}/participants", **OURS),
    Ask("GET", "/patients/{id}", {"id": 5}, others=everybody_else(404)),
    # Any registered doctor may be looked up, by anybody who has a token.
    Ask("GET", "/medecins/{id}", {"id": 79}, others=everybody_else(200)),
    # To themselves the namesake is the person of that id.
    Ask("GET", "/messaging/user/{id}/info", {"id": 5}, others=everybody_else(404, namesake=200)),
    Ask("POST", "/messaging/conversation/{id}/message", **OURS, body=MESSAGE),
    Ask("POST", "/messaging/send", body={"conversation_id": 1, "messages": [MESSAGE]}, others=everybody_else(403)),
    Ask(
        "POST",
        "/messaging/conversation",
        body={"titre": "Messages - Examen 3", "participants": PEOPLE, **OF_THE_PATIENT},
        others=everybody_else(403),
    ),
    Ask("GET", "/messaging/history/{type}/{id}", {"type": "ordonnance", "id": 15}, others=everybody_else(404)),
    Ask("GET", "/messaging/history/{id}", {"id": 15}, others=everybody_else(404)),
    # A doctor is told that they may not write; a patient may not even ask for another.
    Ask(
        "GET",
        "/messaging/permissions/{ordonnance}/patient/{patient}",
        {"ordonnance": 15, "patient": 5},
        others=everybody_else(200, neighbour=403),
    ),
    *(Ask(method, "/messaging/messages/{id}/read", **OURS) for method in ("PATCH", "PUT")),
)

PUBLIC = {"GET /health"}
TO_THEMSELVES: dict[str, Callable[[Any, User], bool]] = {
    "GET /health": lambda data, user: data == {"uptime": "ok"},
    "GET /messaging/conversations/unread": lambda data, user: data == {"conversations": []},
    "GET /medecins/{id}": lambda data, user: data["id"] == 79,
    "GET /messaging/user/{id}/info": lambda data, user: (data["type"], data["id"]) == user,
    "GET /messaging/permissions/{ordonnance}/patient/{patient}": lambda data, user: (
        not (data["peut_lire"] or data["peut_envoyer"])
    ),
}
"""What is right in an answer of 200 to somebody else."""

EVENTS: dict[str, Any] = {
    "authenticate": {"userId": 5, "userType": "patient"},
    "join_conversation": {"conversationId": 1},
    "leave_conversation": {"conversationId": 1},
    "typing": {"conversationId": 1, "isTyping": True},
    "new_message": {"id": 1, "conversation_id": 1, "content": "forged"},
    "message_sent": {"message_id": 1, "conversation_id": 1},
    "send_message": {"conversationId": 1, "message": {"id": "temp_1", "content": "forged"}},
    "note_shared": {"conversationId": 1, "text": "forged"},
}
"""What each event carries when it concerns the patient's conversation; the last one is relayed by an option."""

HARMLESS = {"leave_conversation", "message_sent"}
"""Events that do nothing to anybody, so that nobody is refused."""


def options(**given: Any) -> ServerOptions:
    return ServerOptions(relay_events=("note_shared",), **given)


def routes_of_the_server() -> Iterator[str]:
    """Method and path of everything that the server serves, whatever its options."""
    nothing: Any = None
    for entry in Routes(ServerOptions(), nothing, nothing, nothing, nothing).table():
        for method in entry.methods:
            yield f"{method} {entry.path}"


def events_of_the_server(server: MessagingServer) -> set[str]:
    assert server._running is not None
    return {*server._running.realtime._handlers, *server.options.relay_events}


def dump(server: MessagingServer) -> str:
    """Everything that is stored, as SQL."""
    return "\n".join(server._memory().store._db.iterdump())


async def filled(server: MessagingServer) -> None:
    """The patient's and the doctor's conversation, with a message of the doctor's that the patient has not read."""
    server.add_user(*PATIENT, prenom="Marie", nom=f"Dupont-{CONTENT}")
    server.add_user(*DOCTOR, prenom="Sakura", nom="Saza")
    server.add_context("ordonnance", 15, patient_id=5, medecin_id=79, libelle=CONTENT)
    await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
    await server.say(1, f"message {CONTENT}", DOCTOR)
    # Of the namesake, the stranger and the neighbour, so that there is something to guess at.
    await server.create_conversation("Messages - Ordonnance 16", [("patient", 7), NAMESAKE])
    await server.create_conversation("Messages - Ordonnance 17", [NEIGHBOUR, STRANGER])


# --- tokens that are none -----------------------------------------------------------------------------------------


def _claims(user: User, **more: Any) -> dict[str, Any]:
    return {"id": user[1], "role": user[0], "exp": 4_000_000_000, **more}


def _unsigned(user: User, alg: str) -> str:
    head, body, _ = jwt.encode(_claims(user), "", algorithm="none").split(".")
    if alg != "none":
        head = base64.urlsafe_b64encode(f'{{"alg":"{alg}","typ":"JWT"}}'.encode()).decode().rstrip("=")
    return f"{head}.{body}."


def _other_algorithm(user: User, algorithm: str) -> str:
    return jwt.encode(_claims(user), SECRET, algorithm=algorithm)


def _tampered(server: MessagingServer, user: User) -> str:
    """A good token of the stranger with the claims of somebody else."""
    head, _, signature = server.token(*STRANGER).split(".")
    body = server.token(*user).split(".")[1]
    return f"{head}.{body}.{signature}"


BAD_TOKENS: dict[str, Callable[[MessagingServer, User], str | None]] = {
    "no token": lambda server, user: None,
    "expired": lambda server, user: server.token(*user, expires_in=-1),
    "not valid yet": lambda server, user: server.token(*user, nbf=4_000_000_000),
    "wrong signature": lambda server, user: MessagingServer(secret="another" * 8).token(*user),
    "another's signature": _tampered,
    "alg none": lambda server, user: _unsigned(user, "none"),
    "alg None": lambda server, user: _unsigned(user, "None"),
    "no signature": lambda server, user: _unsigned(user, "HS256"),
    "HS384": lambda server, user: _other_algorithm(user, "HS384"),
    "HS512": lambda server, user: _other_algorithm(user, "HS512"),
    "of nobody": lambda server, user: server.token(*user, id=None),
    "of no role": lambda server, user: server.token(*user, role="admin", type=None),
}
