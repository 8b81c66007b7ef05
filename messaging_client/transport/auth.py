"""Where the token comes from, and who it names."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from messaging_client.clock import new_task
from messaging_client.errors import AuthenticationError
from messaging_client.models import User
from messaging_client.wire.claims import user_from_claims
from messaging_client.wire.errors import PayloadError

TokenValue = str | Sequence[str | None] | Mapping[str, str | None]
"""A JWT, several in order of preference, or a mapping with the keys of `TOKEN_KEYS`."""

Token = TokenValue | Callable[[], TokenValue | Awaitable[TokenValue]]
"""What users give as `token=`: a value, or a sync or async callable that returns one whenever it is asked."""

TOKEN_KEYS = ("originalJWT", "firstConnectionToken", "jwt", "token")
"""The names under which a user's tokens are kept, in order of preference (wire protocol, section 2)."""

_HANDLES = ("temp_", "auth_")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_EXPECTED = (
    "give a JWT, that is three base64url parts separated by dots of which the first starts with eyJ, without "
    '"Bearer"; or several, or a callable that returns one (temp_… and auth_… are session handles, never sent)'
)


class TokenUnavailable(AuthenticationError):
    """The user's callable raised (its exception is the cause), perhaps for a moment: asking again later may help."""


@dataclass(eq=False)
class _Call:
    """One call of the user's callable, and how many wait for it."""

    task: asyncio.Task[str]
    waiting: int = 0


class TokenSource:
    """The tokens of one user: which one is good now, and where the next one comes from.

    Claims are read **without verification of the signature**: the key is the server's, and it is the server that
    verifies. They serve to know whose token it is. For the same reason the local clock never refuses a token.

    A sync callable runs in the event loop: one that does I/O should be async. Callers that need a token at the same
    time share one call, and it goes on when one of them is cancelled; it is cancelled with the last of them.

    Args:
        token: see `Token`. Quotes and white space around a token are dropped.

    Raises:
        AuthenticationError: no usable token among those given. For a callable, this comes when it is asked.

    """

    def __init__(self, token: Token) -> None:
        self._ask: Callable[[], object] | None = token if callable(token) else None
        self._usable: tuple[str, ...] = ()
        self._token = ""
        self._user: User | None = None
        self._expires_at: datetime | None = None
        self._call: _Call | None = None
        self.on_change: Callable[[], None] | None = None
        """Called when another token takes the place of one."""
        if self._ask is None:
            self._usable = usable_tokens(token)
            self._adopt(self._usable[0])

    def __repr__(self) -> str:
        return "<TokenSource>"

    @property
    def user(self) -> User | None:
        """The user that the token names; None before a callable was asked, or when the claims name nobody."""
        return self._user

    @property
    def was_asked(self) -> bool:
        """Whether a token was had yet; one that is given as a value always was."""
        return bool(self._token)

    @property
    def expires_at(self) -> datetime | None:
        """When the current token expires, UTC, or None where it does not say."""
        return self._expires_at

    async def current(self) -> str:
        """Give the token to send now; a callable is asked on first need.

        Raises:
            TokenUnavailable: the callable raised.
            AuthenticationError: it returned no usable token.

        """
        if self._ask is None or (self._token and self._call is None):
            return self._token
        return await self._one_call(self._ask)

    def trial(self) -> Trial:
        """Begin a request or a handshake, which may need more than one token."""
        return Trial(self)

    async def _one_call(self, ask: Callable[[], object]) -> str:
        """Ask the callable, or wait with those who already do."""
        if self._call is None or self._call.task.done():
            self._call = _Call(new_task(self._ask_callable(ask)))
            self._call.task.add_done_callback(self._call_ended)
        call = self._call
        call.waiting += 1
        try:
            await asyncio.wait({call.task})
        finally:
            call.waiting -= 1
            if not call.waiting and not call.task.done():
                self._call = None
                call.task.cancel()
        if call.task.cancelled():
            raise TokenUnavailable("The token callable was cancelled from within: no token could be had.")
        return call.task.result()

    def _call_ended(self, task: asyncio.Task[str]) -> None:
        if self._call is not None and self._call.task is task:
            self._call = None
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it when everybody has gone

    async def _ask_callable(self, ask: Callable[[], object]) -> str:
        try:
            value = ask()
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:
            raise TokenUnavailable(
                f"The token callable raised {type(error).__name__}: no token could be had; see the exception's cause."
            ) from error
        self._usable = usable = usable_tokens(value)
        # A callable that reads a store of several tokens gives the refused one again: then the next one is better.
        token = next((token for token in usable if token != self._token), usable[0])
        self._adopt(token)
        return token

    def _after(self, rejected: str) -> tuple[str, ...]:
        """Give the candidates in the order in which they are tried after one of them was refused."""
        place = self._usable.index(rejected) if rejected in self._usable else -1
        return self._usable[place + 1 :] + self._usable[: max(place, 0)]

    def _adopt(self, token: str) -> None:
        claims = _claims(token)
        user = _user(claims)
        if user is not None and self._user is not None and (user.type, user.id) != (self._user.type, self._user.id):
            raise AuthenticationError(
                "The renewed token names another user: make a client of its own for each user, with that user's tokens."
            )
        has_changed = bool(self._token) and self._token != token
        self._token = token
        self._user = user or self._user
        self._expires_at = _expiry(claims)
        if has_changed and self.on_change is not None:
            self.on_change()


class Trial:
    """The way of one request, or one handshake, through the tokens.

    After a refusal the callable is asked, once; then every candidate gets its turn. A single token is sent twice: the
    second refusal is final.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._tried: dict[str, None] = {}
        self._tries = 0
        self._has_asked = False
        self._last = ""
        self._is_refused = False

    async def token(self) -> str:
        """Give the token to send now.

        Somebody else may have renewed it meanwhile: then theirs is given.

        Raises:
            TokenUnavailable: the callable raised.
            AuthenticationError: it returned no usable token, or the new token names another user.

        """
        self._last = await (self._another() if self._is_refused else self._source.current())
        self._is_refused = False
        return self._last

    def refused(self) -> bool:
        """Note that the server refused the token; gives whether there is another try."""
        self._tried[self._last] = None
        self._tries += 1
        self._is_refused = True
        return self._tries < 2 or self._may_ask or self._untried() is not None

    @property
    def _may_ask(self) -> bool:
        return self._source._ask is not None and not self._has_asked

    def _untried(self) -> str | None:
        source = self._source
        return next((each for each in (source._token, *source._after(self._last)) if each not in self._tried), None)

    async def _another(self) -> str:
        source = self._source
        if source._ask is not None and not self._has_asked and source._token in self._tried:
            self._has_asked = True
            await source._one_call(source._ask)
        token = self._untried() or (source._usable[0] if self._has_asked else self._last)
        if token != source._token:
            source._adopt(token)
        return token


def usable_tokens(value: object) -> tuple[str, ...]:
    """Give those that are JWTs, cleaned, in order of preference.

    Raises:
        AuthenticationError: there is none; the text says what is expected, and nothing of what was given.

    """
    usable = dict.fromkeys(token for token in map(_cleaned, _given(value)) if _JWT.fullmatch(token))
    if not usable:
        raise AuthenticationError(f"No usable token: {_EXPECTED}.")
    return tuple(usable)


def _given(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    if isinstance(value, Mapping):
        value = [value.get(key) for key in TOKEN_KEYS]
    if isinstance(value, Sequence):
        yield from (item for item in value if isinstance(item, str))


def _cleaned(token: str) -> str:
    token = token.strip("\"' \t\r\n\f\v")
    return "" if token.startswith(_HANDLES) else token


def _claims(token: str) -> Mapping[str, object]:
    """Read the claims without verification (the server verifies); none if they cannot be read."""
    import jwt  # loads a library of cryptography, which importing this package must not wait for

    try:
        claims: Mapping[str, object] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return {}
    return claims


def _user(claims: Mapping[str, object]) -> User | None:
    try:
        return user_from_claims(claims)
    except PayloadError:
        return None


def _expiry(claims: Mapping[str, object]) -> datetime | None:
    seconds = claims.get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
