from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from messaging_client.errors import ConfigurationError, ValidationFailed
from messaging_client.wire import routes
from messaging_client.wire.routes import Route, RouteTable

from .support import texts

VALUES: dict[str, Any] = {
    "id": 5,
    "conversation_id": 15,
    "message_id": 9,
    "context_type": "ordonnance",
    "context_id": 3,
    "ordonnance_id": 3,
    "patient_id": 5,
}


def addresses(operation: str, table: RouteTable | None = None, **values: Any) -> list[str]:
    given = {**VALUES, **values}
    found = (table or RouteTable.build({})).candidates(operation, given)
    return [f"{route.method} {route.path(given)}" for route in found]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            routes.MEDECIN_CONVERSATIONS,
            ["GET /messaging/conversations/medecin/5", "GET /messaging/medecin/5/conversations"],
        ),
        (
            routes.PATIENT_CONVERSATIONS,
            ["GET /messaging/conversations/patient/5", "GET /messaging/patient/5/conversations"],
        ),
        (routes.UNREAD, ["GET /messaging/conversations/unread"]),
        (routes.MESSAGES, ["GET /messaging/conversation/15/messages"]),
        (routes.NEW_MESSAGES, ["GET /messaging/conversation/15/new-messages"]),
        (routes.PARTICIPANTS, ["GET /messaging/conversation/15/participants"]),
        (routes.USER_INFO, ["GET /messaging/user/5/info"]),
        (routes.PATIENT, ["GET /patients/5"]),
        (routes.MEDECIN, ["GET /medecins/5"]),
        (routes.SEND, ["POST /messaging/conversation/15/message"]),
        (routes.SEND_MANY, ["POST /messaging/send"]),
        (routes.CREATE, ["POST /messaging/conversation"]),
        (routes.HISTORY, ["GET /messaging/history/ordonnance/3", "GET /messaging/history/3"]),
        (routes.PERMISSIONS, ["GET /messaging/permissions/3/patient/5"]),
        (routes.MARK_READ, ["PATCH /messaging/messages/9/read", "PUT /messaging/messages/9/read"]),
        (routes.HEALTH, ["GET /health"]),
    ],
)
def test_the_protocols_own(operation: str, expected: list[str]) -> None:
    assert addresses(operation) == expected


def test_every_operation_has_a_name() -> None:
    names = {value for name, value in vars(routes).items() if name.isupper() and isinstance(value, str)}
    assert names == set(routes.DEFAULT_ROUTES)
    assert len(routes.DEFAULT_ROUTES) == 16


@pytest.mark.parametrize("context", ["consultation", "examen", "rendez_vous"])
def test_the_short_history_is_for_ordonnances_only(context: str) -> None:
    assert addresses(routes.HISTORY, context_type=context) == [f"GET /messaging/history/{context}/3"]


def test_values_decide_on_equality() -> None:
    table = RouteTable.build({})
    first = table.candidates(routes.HISTORY, VALUES)
    assert first == RouteTable.build({}).candidates(routes.HISTORY, {**VALUES, "context_id": 4})
    assert hash(first) == hash(table.candidates(routes.HISTORY, VALUES))
    assert Route("GET", "/a") == Route("GET", "/a", operation="messages")


# --- tables of the user's own ------------------------------------------------------------------------------------


def test_routes_of_the_users_own() -> None:
    table = RouteTable.build(
        {
            "send": "post  /v2/c/{conversation_id}/m/ ",
            "mark_read": ["PUT /v2/m/{message_id}.json", "DELETE /v2/unread/{message_id}"],
            "patient_conversations": ("GET /me/conversations",),
            "create": "POST /v2/caf%C3%A9",
        }
    )
    assert addresses("send", table) == ["POST /v2/c/15/m/"]
    assert addresses("mark_read", table) == ["PUT /v2/m/9.json", "DELETE /v2/unread/9"]
    assert addresses("patient_conversations", table) == ["GET /me/conversations"]
    assert addresses("create", table) == ["POST /v2/caf%C3%A9"]
    assert addresses("messages", table) == ["GET /messaging/conversation/15/messages"]


@pytest.mark.parametrize("name", ["context_id", "ordonnance_id"])
def test_a_history_without_a_type_is_that_of_an_ordonnance(name: str) -> None:
    table = RouteTable.build({"history": f"GET /v2/ordonnances/{{{name}}}"})
    assert addresses("history", table) == ["GET /v2/ordonnances/3"]
    with pytest.raises(ValidationFailed, match="routes in the config"):
        table.candidates("history", {"context_type": "examen", "context_id": 3})


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"sned": "POST /x"}, "did you mean 'send'"),
        ({"zzz": "POST /x"}, "the operations are medecin_conversations, "),
        ({5: "POST /x"}, "no operation 5"),
        ({"create": ""}, "must be a method"),
        ({"create": "/v2"}, "must be a method"),
        ({"create": "FETCH /v2"}, "GET, POST, PUT, PATCH, DELETE"),
        ({"create": "POST"}, "no usable path"),
        ({"create": "POST v2"}, "starts with one /"),
        ({"create": "POST http://localhost/v2"}, "without server"),
        ({"create": "POST //evil.example/v2"}, "no usable path"),
        ({"create": "POST /v2?a=1"}, "query"),
        ({"create": "POST /v2#a"}, "no usable path"),
        ({"create": "POST /v 2"}, "spaces"),
        ({"create": "POST /v2//x"}, "empty parts"),
        ({"create": "POST /é"}, "%20"),
        ({"create": "POST /%zz"}, "no usable path"),
        ({"create": "POST /a\\b"}, "no usable path"),
        ({"create": "POST /a\r\nb"}, "no usable path"),
        ({"create": "POST /a\n"}, None),
        ({"create": "POST /a/../b"}, r"\. or \.\."),
        ({"create": "POST /a/%2e%2E/b"}, r"\. or \.\."),
        ({"create": "POST /./b"}, r"\. or \.\."),
        ({"create": "POST /{id}"}, "each once: none"),
        ({"send": "POST /{conversation}"}, r"\{conversation_id\}"),
        ({"send": "POST /{conversation_id}/{conversation_id}"}, "each once"),
        ({"send": "POST /{conversation_id"}, "placeholders"),
        ({"send": "POST /{}"}, "placeholders"),
        ({"send": "POST /{{conversation_id}}"}, "placeholders"),
        ({"send": "POST /message"}, r"lacks \{conversation_id\}"),
        ({"permissions": "GET /p/{patient_id}"}, r"lacks \{ordonnance_id\}"),
        ({"history": "GET /{context_type}"}, r"lacks \{context_id\}"),
        ({"send": []}, "several in a list"),
        ({"send": ()}, "several in a list"),
        ({"send": None}, "several in a list"),
        ({"send": {"POST": "/x"}}, "several in a list"),
        ({"send": 5}, "several in a list"),
        ({"send": [5]}, "must be a method"),
        ({"send": ["POST /messaging/conversation/{conversation_id}/message", None]}, "must be a method"),
        (None, "must be a mapping"),
        ("POST /x", "must be a mapping"),
        (["POST /x"], "must be a mapping"),
    ],
)
def test_tables_that_cannot_work(overrides: Any, text: str | None) -> None:
    if text is None:  # white space around it does no harm
        RouteTable.build(overrides)
        return
    with pytest.raises(ConfigurationError, match=text) as caught:
        RouteTable.build(overrides)
    said = str(caught.value)
    assert "\n" not in said
    assert re.search(r"write for example|did you mean|the operations are|such as", said), (
        "it says what to write instead"
    )


# --- filling in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (15, "15"),
        (0, "0"),
        ("temp_1", "temp_1"),
        ("a/b", "a%2Fb"),
        ("../../etc", "..%2F..%2Fetc"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e", "%252e%252e"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
        ("a\r\nb", "a%0D%0Ab"),
        ("\\", "%5C"),
        ("...", "..."),
        (";a=1", "%3Ba%3D1"),
        ("{id}", "%7Bid%7D"),
    ],
)
def test_each_value_stays_in_its_segment(value: Any, expected: str) -> None:
    assert Route("GET", "/a/{id}/b").path({"id": value}) == f"/a/{expected}/b"


@pytest.mark.parametrize(
    "value", ["", ".", "..", None, True, False, [], {}, 1.5, b"a", "\ud800", pytest.param(10**5000, id="digits")]
)
def test_values_that_are_refused(value: Any) -> None:
    route = RouteTable.build({}).candidates("messages", {"conversation_id": 1})[0]
    with pytest.raises(ValidationFailed) as caught:
        route.path({"conversation_id": value})
    assert caught.value.status is None
    assert caught.value.operation == "messages"


def test_dots_around_a_placeholder() -> None:
    route = Route("GET", "/a/.{id}")
    assert route.path({"id": 5}) == "/a/.5"
    with pytest.raises(ValidationFailed):
        route.path({"id": "."})


def test_a_missing_value() -> None:
    with pytest.raises(ValidationFailed, match="conversation_id"):
        Route("GET", "/a/{conversation_id}").path({})
    with pytest.raises(ValidationFailed, match=r"GET /messaging/conversation/.conversation_id./messages"):
        RouteTable.build({}).candidates("messages", {"id": 5})
    with pytest.raises(ValidationFailed, match="autre"):
        RouteTable.build({}).candidates("autre", {})


@given(st.one_of(texts, st.sampled_from(["..", ".", "%2e", "/", "\\", "?", "#", "\0", "//a", "a/../b", ":", "@"])))
def test_no_value_leaves_its_segment(value: str) -> None:
    try:
        path = Route("GET", "/api/{id}/end").path({"id": value})
    except ValidationFailed:
        assert (
            value in ("", ".", "..") or not value.isprintable() or any(0xD800 <= ord(each) < 0xE000 for each in value)
        )
        return
    assert path.isascii()
    parts = path.split("/")
    assert (len(parts), parts[1], parts[3]) == (4, "api", "end")
    assert unquote(parts[2]) == value
    split = urlsplit(f"http://host{path}")
    assert (split.netloc, split.path, split.query, split.fragment) == ("host", path, "", "")
    assert URL(f"http://host{path}").raw_path.count("/") == 3, "nor as the transport's own library reads it"
