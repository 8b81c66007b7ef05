"""Every error that the package raises, as one tree.

MessagingError
├── ConfigurationError        a setting that cannot work; change it
├── TransportError            no answer could be had
│   ├── ConnectTimeout        the server did not finish the handshake in time
│   ├── ConnectFailed         the server could not be reached, or refused
│   ├── ConnectionLost        the connection ended while something waited on it
│   ├── NotConnected          the call needs the socket, and there is none
│   └── RequestTimeout        a REST request or an acknowledgement took too long
├── AuthenticationError       401, refused handshake, or no usable token
├── RequestError              the server answered, and not with a success
│   ├── ValidationFailed      400, 413, 422, or found before anything was sent
│   ├── PermissionDenied      403
│   ├── NotFound              404
│   ├── Conflict              409
│   ├── RateLimited           429
│   ├── ServerError           5xx
│   └── UnexpectedResponse    a success that could not be understood
├── SendUncertain             the fate of a send could not be found out
├── OutboxFull                too many unsent messages
├── StoreError                the SQLite file cannot be used
└── ExpectTimeout             the expected event did not come

Texts are one line, say what to do, and never hold a token or the content of a message: what a server wrote is kept
apart in `RequestError.server_message`, and is not part of the text.
"""

from __future__ import annotations

from typing import Any


class MessagingError(Exception):
    """Base of every error of this package; it can be copied and pickled as it is."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args), dict(self.__dict__)


def _remade(kind: type[MessagingError], args: tuple[Any, ...]) -> MessagingError:
    """Make an error again without its constructor, whose keywords stand in the state that follows."""
    return kind.__new__(kind, *args)


class ConfigurationError(MessagingError):
    """A setting or an argument of the constructor that cannot work."""


class TransportError(MessagingError):
    """No answer could be had from the server.

    Attributes:
        may_have_left: True when the request can have reached the server, so that repeating it may do its work twice.

    """

    def __init__(self, text: str, *, may_have_left: bool = False) -> None:
        super().__init__(text)
        self.may_have_left = may_have_left


class ConnectTimeout(TransportError):
    """The connection was not ready within `connect_timeout` seconds."""


class ConnectFailed(TransportError):
    """The server could not be reached, or refused the connection for a reason other than authentication.

    Attributes:
        server_message: what the server said when it refused, unchanged, or None; it is not part of `str(error)`.
    """

    def __init__(self, text: str, *, may_have_left: bool = False, server_message: str | None = None) -> None:
        super().__init__(text, may_have_left=may_have_left)
        self.server_message = server_message


class ConnectionLost(TransportError):
    """The connection ended before the answer came."""


class NotConnected(TransportError):
    """The call needs the Socket.IO connection, and there is none."""


class RequestTimeout(TransportError):
    """No answer within the time given to the request, in seconds."""


class AuthenticationError(MessagingError):
    """The server refused the token (HTTP 401 or a refused handshake), or no usable token was given."""


class RequestError(MessagingError):
    """The server answered a request with something other than a success.

    Attributes:
        status: the HTTP status code, or None when the fault was found before anything was sent.
        operation: the name of the operation, as in the route table (for example `messages`).
        server_message: what the server said, unchanged; it may hold private text, so it is not part of `str(error)`.

    """

    def __init__(
        self, text: str, *, operation: str, status: int | None = None, server_message: str | None = None
    ) -> None:
        super().__init__(text)
        self.operation = operation
        self.status = status
        self.server_message = server_message


class ValidationFailed(RequestError):
    """The request was not acceptable: 400, 413 or 422, or found locally (`status` is then None)."""


class PermissionDenied(RequestError):
    """The user may not do this (403)."""


class NotFound(RequestError):
    """There is no such thing on the server (404)."""


class Conflict(RequestError):
    """The request contradicts the state of the server (409)."""


class RateLimited(RequestError):
    """Too many requests (429).

    Attributes:
        retry_after: seconds to wait before asking again, as the server said, or None where it did not say.

    """

    def __init__(
        self,
        text: str,
        *,
        operation: str,
        status: int | None = 429,
        server_message: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text, operation=operation, status=status, server_message=server_message)
        self.retry_after = retry_after


class ServerError(RequestError):
    """The server failed (5xx).

    Attributes:
        retry_after: seconds to wait before asking again, as the server said, or None where it did not say.

    """

    def __init__(
        self,
        text: str,
        *,
        operation: str,
        status: int | None = 500,
        server_message: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text, operation=operation, status=status, server_message=server_message)
        self.retry_after = retry_after


class UnexpectedResponse(RequestError):
    """The server answered with a success that could not be understood (not JSON, not an envelope, too large)."""


class SendUncertain(MessagingError):
    """Whether the message was stored could not be found out; it is kept, to be retried or discarded."""


class OutboxFull(MessagingError):
    """Too many messages wait to be sent; wait for some to be confirmed, or discard some."""


class StoreError(MessagingError):
    """The SQLite file given as `store=` cannot be used."""


class ExpectTimeout(MessagingError):
    """The expected event did not come in time; the text lists the kinds of events that came and did not match."""
