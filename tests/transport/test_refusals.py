"""Why a handshake failed."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from messaging_client.errors import ConnectFailed
from messaging_client.transport.refusals import HandshakeRefused, Refusal, explain


@pytest.mark.parametrize(
    "data",
    [
        {"message": "Authentication error"},
        {"message": "invalid TOKEN"},
        {"message": "refused", "data": {"code": 401}},
        {"message": "jwt malformed"},
        {"message": "session expired"},
        "Unauthorized",
        {"message": "HTTP 403"},
    ],
)
def test_a_refusal_about_authentication(data: Any) -> None:
    error = explain(Refusal(data))
    assert isinstance(error, HandshakeRefused)
    assert error.about_authentication


@pytest.mark.parametrize(
    "data",
    [None, {}, {"message": "temporarily refused"}, {"message": "room 4013 is full"}, "too busy", [], 503, object()],
)
def test_any_other_refusal(data: Any) -> None:
    error = explain(Refusal(data))
    assert isinstance(error, HandshakeRefused)
    assert not error.about_authentication


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
