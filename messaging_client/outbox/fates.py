"""What an error of a request says of the message that was to be stored."""

from __future__ import annotations

from enum import Enum, auto

from messaging_client.errors import (
    AuthenticationError,
    MessagingError,
    RateLimited,
    RequestError,
    ServerError,
    TransportError,
    UnexpectedResponse,
)
from messaging_client.transport.auth import TokenUnavailable


class Fate(Enum):
    """What became of a message."""

    AWAY = auto()
    """It never left: the server was not there, or no token could be had."""
    ASKED_TO_WAIT = auto()
    """It was not stored: too much is going on there."""
    UNKNOWN = auto()
    """It may have been stored; the server failed, or no answer came."""
    ODD = auto()
    """It may have been stored; there was an answer, and it is none that is understood."""
    UNAUTHENTICATED = auto()
    """It was not stored: the token was refused, and so was the fresh one."""
    REFUSED = auto()
    """It was not stored, and never will be as it is."""


_ASK_LATER = frozenset({408, 425, 429, 503})  # the server says that it has done nothing
_NEVER_STORES = frozenset({501, 505, 511})
_UNDER_WAY = 409  # of a repeated key: the first request is still being worked on


def fate_of(error: MessagingError, *, is_repeated: bool = False) -> Fate:
    """Tell what an error of a send, or of a read, means.

    Args:
        error: what came in place of an answer.
        is_repeated: whether an earlier request with the same key may have reached a server that honours keys.
    """
    if isinstance(error, TransportError):
        return Fate.UNKNOWN if error.may_have_left else Fate.AWAY
    if isinstance(error, TokenUnavailable):
        return Fate.AWAY
    if isinstance(error, AuthenticationError):
        return Fate.UNAUTHENTICATED
    return _fate_of_answer(error, is_repeated) if isinstance(error, RequestError) else Fate.REFUSED


def _fate_of_answer(error: RequestError, is_repeated: bool) -> Fate:
    if isinstance(error, RateLimited) or error.status in _ASK_LATER:
        return Fate.ASKED_TO_WAIT
    if isinstance(error, ServerError):
        return Fate.REFUSED if error.status in _NEVER_STORES else Fate.UNKNOWN
    is_odd = isinstance(error, UnexpectedResponse) and (error.status or 0) < 300
    return Fate.ODD if is_odd or (is_repeated and error.status == _UNDER_WAY) else Fate.REFUSED
