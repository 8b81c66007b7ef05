"""Every setting of the client, with its default. Durations are seconds, sizes are bytes."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from messaging_client.errors import ConfigurationError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VISIBLE = re.compile(r"[ -~]*")
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+")  # RFC 3986, section 3.3
_MAY_BE_ZERO = frozenset({"reconnection_delay", "reconnection_delay_max", "settle_delay", "max_retries"})


class _Fixed(Mapping[str, Any]):
    """A mapping that cannot be changed; unlike a `MappingProxyType` it can be hashed, pickled and copied."""

    def __init__(self, given: Mapping[Any, Any]) -> None:
        self._items = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


_NOTHING = _Fixed({})


@dataclass(frozen=True, kw_only=True, slots=True)
class MessagingConfig:
    """Settings of a `MessagingClient`; immutable, every field a keyword with a default.

    Defaults of the connection come from the wire protocol, section 1; those of the cache from its section 7.

    Attributes:
        connect_timeout: seconds for one whole attempt, token included.
        reconnection: whether a lost connection is made again without being asked.
        reconnection_delay: seconds before the first attempt after a loss; doubles with each attempt.
        reconnection_delay_max: upper bound of that delay, in seconds.
        randomization_factor: part of a delay that is left to chance, both ways (0.5: from 50 % to 150 %).
        reconnection_attempts: attempts in a round; then the state is `error`.
        reconnection_round_interval: seconds from the end of a round to the next one.
        fallback_poll_interval: seconds between two HTTP polls while the socket is down.
        verify_interval: seconds after which a conversation with traffic is verified against the server.
        settle_delay: seconds after a join when the conversation is read back once more.
        api_path, socketio_path: where REST and Socket.IO live below the server's address.
        routes: other addresses for operations, as `{"send": "POST /v2/conversations/{conversation_id}/messages"}`;
            a list gives alternatives in order (see `messaging_client.wire.routes`).
        verify: TLS verification as in httpx: True, a path to a CA bundle, or an `ssl.SSLContext`.
        cert: client certificate as in httpx: a path, or (certificate, key) or (certificate, key, password).
        proxy: address of an HTTP proxy for REST and Socket.IO.
        headers: further headers of every request and of the handshake; values are visible ASCII.
        request_timeout: seconds for one REST request.
        request_deadline: seconds for a read with all its repetitions.
        max_retries: how often a read is repeated after the first try.
        max_response_bytes: a larger answer, or a larger frame, is refused.
        max_message_bytes: a larger message or emit is refused before sending (Socket.IO's `maxHttpBufferSize`).
        cache_ttl, user_cache_ttl: seconds that conversations and messages, and user information, are kept.
        cache_size: entries kept at most.
        queue_size: events that wait for one subscription at most.
        typing_expiry: seconds after which somebody who typed is taken to have stopped.
        server_idempotency: whether the server honours `Idempotency-Key`.
        outbox_size: messages that may be unsent at a time.
        notify_sent: whether `new_message` and `message_sent` are emitted after a send, for servers that relay only.
        join_payload: `"object"` sends `{"conversationId": 15}`, `"id"` the bare id.
        authenticate_event: whether the server wants an `authenticate` event right after the handshake.
        allow_insecure: whether plain `http://` to another machine is allowed.

    Raises:
        ConfigurationError: a value that cannot work.

    """

    connect_timeout: float = 15.0
    reconnection: bool = True
    reconnection_delay: float = 2.0
    reconnection_delay_max: float = 5.0
    randomization_factor: float = 0.5
    reconnection_attempts: int = 10
    reconnection_round_interval: float = 60.0
    fallback_poll_interval: float = 10.0
    verify_interval: float = 30.0
    settle_delay: float = 2.0
    api_path: str = "/api"
    socketio_path: str = "/socket.io"
    routes: Mapping[str, str | Sequence[str]] = field(default_factory=lambda: _NOTHING)
    verify: bool | str | ssl.SSLContext = True
    cert: str | tuple[str, str] | tuple[str, str, str] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    request_timeout: float = 15.0
    request_deadline: float = 60.0
    max_retries: int = 4
    max_response_bytes: int = 4 * 1024 * 1024
    max_message_bytes: int = 1_000_000
    cache_ttl: float = 30.0
    user_cache_ttl: float = 60.0
    cache_size: int = 1024
    queue_size: int = 1000
    typing_expiry: float = 5.0
    server_idempotency: bool = False
    outbox_size: int = 1000
    notify_sent: bool = True
    join_payload: Literal["object", "id"] = "object"
    authenticate_event: bool = False
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        for name in ("routes", "headers"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise ConfigurationError(f"{name} must be a mapping; give a dict, or leave it out.")
            # What the caller does to their own mapping later must not change the settings.
            object.__setattr__(self, name, _Fixed(given) if given else _NOTHING)
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "verify":
                _check_verify(value)
            elif isinstance(item.default, bool):
                _check_switch(item.name, value)
            elif isinstance(item.default, (int, float)):
                _check_number(item.name, value, item.default)
        if self.join_payload not in ("object", "id"):
            raise ConfigurationError('join_payload must be "object" or "id".')
        for name in ("api_path", "socketio_path"):
            value = getattr(self, name)
            if not isinstance(value, str) or not _PATH.fullmatch(value) or {".", ".."} & set(value.split("/")):
                raise ConfigurationError(
                    f'{name} must be a path that starts with "/", such as "/api"; other characters are written as %20.'
                )
        for name, value in self.headers.items():
            _check_header(name, value)

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # nothing in it can change, and an SSLContext cannot be copied


def _check_header(name: object, value: object) -> None:
    """Check a header; neither a value nor what should be a name is quoted, for either may be a secret.

    Raises:
        ConfigurationError: it cannot stand in a request.

    """
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ConfigurationError(
            "A name in headers must be a text of ASCII letters, digits and signs such as -, without spaces or colon."
        )
    if not isinstance(value, str):
        raise ConfigurationError(f"headers[{name!r}] must be a text; write a number as one, such as '1'.")
    if not _VISIBLE.fullmatch(value):
        raise ConfigurationError(
            f"headers[{name!r}] must hold visible ASCII characters and spaces only; encode others, such as in base64."
        )


def _check_verify(value: object) -> None:
    """Check the kind of `verify`; what it names is looked at when it is used.

    Raises:
        ConfigurationError: it is none that httpx has.

    """
    if not isinstance(value, bool | str | ssl.SSLContext):
        raise ConfigurationError("verify must be True, False, a path to CA certificates or an ssl.SSLContext.")


def _check_switch(name: str, value: object) -> None:
    """Check that something is on or off: the text "false" would count as true, and open what it shuts.

    Raises:
        ConfigurationError: it is neither.

    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not a text or a number.")


def _check_number(name: str, value: object, default: float) -> None:
    """Check a number.

    Raises:
        ConfigurationError: it is none, or out of range.

    """
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{name} must be {kind}; give one, such as {default}.")
    if name == "randomization_factor":
        if not 0 <= value <= 1:
            raise ConfigurationError("randomization_factor must be between 0 and 1.")
    elif not 0 <= value <= sys.float_info.max or (value == 0 and name not in _MAY_BE_ZERO):
        raise ConfigurationError(f"{name} must be a finite number above 0; the default is {default}.")
