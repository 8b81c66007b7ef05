"""Why a handshake failed."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from messaging_client.errors import ConnectFailed
from messaging_client.transport.refusals import HandshakeRefused, Refusal, explain

ABOUT_AUTHENTICATION: list[Any] = [
    "Authentication error",
    "Unauthorized",
    "unauthorised",
    "Not authorized to connect",
    "not authenticated",
    "Authorization header missing",
    "auth",
    "auth_failed",
    "authFailed",
    "authfailed",
    "AUTH-REQUIRED",
    "token",
    "invalid TOKEN",
    "no tokens",
    "invalid_token",
    "notoken",
    "TokenExpiredError",
    "tokenexpired",
    "jwt expired",
    "jwt malformed",
    "JWT",
    "JsonWebTokenError: invalid signature",
    "401",
    "HTTP 403",
    "error 401: refused",
    "expired",
    "Expired.",
    "EXPIRED, please log in again",
    "session expired",
    "Your session has expired",
    "sessionExpired",
    "refused: expired",
    "expired session",
    "expired since 10:00",
    "Jeton expiré",
    "Jeton invalide",
    "Session expirée, veuillez vous reconnecter",
    "Erreur d'authentification",
    "utilisateur non authentifié",
    "Accès non autorisé",
    401,
    {"message": "Authentication error"},
    {"message": "refused", "data": {"code": 401}},
    {"message": "refused", "data": {"statusCode": "403"}},
    {"message": "refused", "data": {"code": "token_expired"}},
    {"message": "refused", "data": {"reasons": ["busy", "expired"]}},
    {"message": "refused", "data": {"expired": True}},
    {"message": "expired"},
    {"session": "expired"},
    {"token": None},
]

ABOUT_SOMETHING_ELSE: list[Any] = [
    None,
    {},
    [],
    "",
    503,
    4013,
    object(),
    "temporarily refused",
    "too busy",
    "room 4013 is full",
    "Database authority unavailable",
    "written by the author",
    "authoritative name server unreachable",
    "lock expired, retry",
    "The lock has expired",
    "lock 17 expired",
    "lease expired",
    "expired lock",
    "cache entry expired: try again",
    "le verrou est expiré",
    "unexpired",
    "1403 clients",
    {"message": "temporarily refused"},
    {"author": "gateway"},
    {"message": "refused", "data": {"authors": ["a", "b"]}},
    {"message": "refused", "data": {"lock": "expired"}},
    {"message": "refused", "data": {"expired": False}},
]


@pytest.mark.parametrize("data", ABOUT_AUTHENTICATION, ids=str)
def test_a_refusal_about_authentication(data: Any) -> None:
    error = explain(Refusal(data))
    assert isinstance(error, HandshakeRefused)
    assert error.about_authentication


@pytest.mark.parametrize("data", ABOUT_SOMETHING_ELSE, ids=lambda data: str(data)[:30])
def test_any_other_refusal(data: Any) -> None:
    error = explain(Refusal(data))
    assert isinstance(error, HandshakeRefused)
    assert not error.about_authentication


def test_a_refusal_of_any_size_is_looked_at_in_bounded_time() -> None:
    deep: Any = "token"
    for _ in range(400):
        deep = [deep]
    for data in (deep, ["x"] * 100_000, "x" * 4_000_000, {"a" * 1000: ["expired " * 1000] * 100}):
        assert isinstance(explain(Refusal(data)), HandshakeRefused)


def test_the_servers_words_are_kept_apart_and_are_bounded() -> None:
    error = explain(Refusal({"message": "é" * 5000}))
    assert "é" not in str(error)
    assert error.server_message is not None
    assert error.server_message.startswith('{"message": "éé')
    assert len(error.server_message) == 2000
    assert "é" not in repr(Refusal("é"))


def handshake_error(status: int) -> aiohttp.WSServerHandshakeError:
    return aiohttp.WSServerHandshakeError(None, (), status=status, message="secret")  # type: ignore[arg-type]


def chained(inner: BaseException, *, explicit: bool) -> BaseException:
    """As the library does: the truth is `__cause__.__context__`."""
    middle, outer = ValueError("middle"), ConnectionError("outer")
    middle.__context__ = inner
    if explicit:
        outer.__cause__ = middle
    else:
        outer.__context__ = middle
    return outer


@pytest.mark.parametrize(("status", "about"), [(401, True), (403, True), (400, False), (404, False), (503, False)])
@pytest.mark.parametrize("explicit", [True, False])
def test_the_http_status_behind_the_librarys_exception(status: int, about: bool, explicit: bool) -> None:
    error = explain(chained(handshake_error(status), explicit=explicit))
    assert isinstance(error, HandshakeRefused)
    assert error.about_authentication is about
    assert f"HTTP {status}" in str(error)
    assert "secret" not in str(error)


def test_no_answer_at_all_is_named_by_the_innermost_exception() -> None:
    error = explain(chained(TimeoutError("http://secret"), explicit=True))
    assert type(error) is ConnectFailed
    assert "(TimeoutError)" in str(error)
    assert "secret" not in str(error)


def test_exceptions_that_name_each_other() -> None:
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    assert "(KeyError)" in str(explain(first))
