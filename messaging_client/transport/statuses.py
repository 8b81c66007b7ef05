"""What an HTTP status means: one error per code, each with a text that says what to do (wire protocol, section 3).

Nothing of the answer's body goes into a text; what the server said is kept in `server_message`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from messaging_client.errors import (
    AuthenticationError,
    Conflict,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    ServerError,
    UnexpectedResponse,
    ValidationFailed,
)
from messaging_client.transport.retry import retry_after
from messaging_client.wire.answers import error_message, parse_json
from messaging_client.wire.errors import PayloadError

LONGEST_SERVER_MESSAGE = 2000
"""Characters of the server's own words that an error keeps."""

_REFUSED: dict[int, tuple[type[RequestError], str]] = {
    400: (ValidationFailed, "the request is not acceptable; check the arguments, and see server_message"),
    403: (PermissionDenied, "this user may not do that; ask for the permission, or use another account"),
    404: (NotFound, "there is no such thing; check the id, and if all is missing, api_path and routes in the config"),
    405: (RequestError, "the server has no such method there; give its own spelling with routes in the config"),
    409: (Conflict, "the request contradicts what is on the server; read it again, then decide"),
    413: (ValidationFailed, "the request is too large; send less at once"),
    422: (ValidationFailed, "the request is not acceptable; check the arguments, and see server_message"),
}
_ANY_OTHER = (RequestError, "the server refused; see server_message")


@dataclass(frozen=True, repr=False)
class Answer:
    """What came back: the status, the headers with names in any case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def is_success(status: int) -> bool:
    """Whether a status is a success (2xx)."""
    return 200 <= status < 300


def error_for(answer: Answer, operation: str, now: datetime) -> RequestError | AuthenticationError | None:
    """Give the error that a status stands for, or None for a success (2xx)."""
    status = answer.status
    if is_success(status):
        return None
    if status == 401:
        return AuthenticationError(
            f"{operation}: the server refused the token (401); it is expired, revoked or malformed: give a fresh one."
        )
    said = _server_message(answer.body)
    wait = retry_after(answer.headers, now)
    hint = "later" if wait is None else f"in {wait:g} s"
    if status == 429:
        text = f"{operation}: too many requests (429); ask again {hint}, and less often."
        return RateLimited(text, operation=operation, server_message=said, retry_after=wait)
    if status >= 500:
        text = f"{operation}: the server failed ({status}); try again {hint}."
        return ServerError(text, operation=operation, status=status, server_message=said, retry_after=wait)
    if status >= 400:
        kind, advice = _REFUSED.get(status, _ANY_OTHER)
        return kind(f"{operation}: {advice} ({status}).", operation=operation, status=status, server_message=said)
    if status >= 300:
        text = (
            f"{operation}: the server redirects ({status}), and redirects are not followed, for the token would go "
            "elsewhere; configure the final address."
        )
    else:
        text = f"{operation}: a status ({status}) that no request here asks for; check what answers at this address."
    return UnexpectedResponse(text, operation=operation, status=status, server_message=said)


def parsed(answer: Answer, operation: str) -> object:
    """Read the body of a success: JSON, or None where it is empty.

    Raises:
        UnexpectedResponse: it is something else.

    """
    if not answer.body.strip():
        return None
    unreadable: UnexpectedResponse | None = None
    try:
        return parse_json(answer.body)
    except PayloadError:
        unreadable = UnexpectedResponse(
            f"{operation}: the answer ({answer.status}) is not JSON; check the address and api_path: perhaps a web "
            "page or a proxy answered.",
            operation=operation,
            status=answer.status,
        )
    raise unreadable


def _server_message(body: bytes) -> str | None:
    if not body.strip():
        return None
    try:
        said = error_message(parse_json(body))
    except PayloadError:
        return None
    return said[:LONGEST_SERVER_MESSAGE] if said else None
