"""One request, sent once: within its time, and with nothing left behind however it ends."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from messaging_client.clock import CancelledWithin, Clock, run_within
from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    ConnectFailed,
    ConnectionLost,
    MessagingError,
    NotConnected,
    RequestTimeout,
    UnexpectedResponse,
)
from messaging_client.observing.logs import say
from messaging_client.transport import tls
from messaging_client.transport.address import ProxyAddress, ServerAddress
from messaging_client.transport.aio import Attempt, AttemptFailed, Pool, Received
from messaging_client.transport.auth import Trial
from messaging_client.transport.statuses import Answer, is_success
from messaging_client.transport.tap import Tap

logger = logging.getLogger("messaging_client.rest")

LONGEST_REFUSAL = 64 * 1024
"""Bytes of an error's body that are read; of a longer one, none of it is kept."""


@dataclass(repr=False)
class Call:
    """One call of `RestClient.request`, through all its tries.

    Attributes:
        operation: as in the route table.
        query: what stands after the path, question mark included.
        headers: all but the token's; names in small letters.
        content: the body, or None.
        timeout: seconds for one try.
        ends_at: when all tries must have ended, on the monotonic clock.
        repeatable: whether another try may follow a failure.
        trial: its way through the tokens; None for one that sends none.
        repetitions: how many tries followed a failure.
        may_have_left: whether one of the tries that failed can have reached the server.
        on_attempt: told of each try as it begins, which shows how far it has come.

    """

    operation: str
    query: str
    headers: Mapping[str, str]
    content: bytes | None
    timeout: float
    ends_at: float
    repeatable: bool
    trial: Trial | None
    repetitions: int = 0
    may_have_left: bool = False
    on_attempt: Callable[[Attempt], None] | None = None


class Exchanges:
    """Sends requests to one server over connections that clients share, from the first of them on.

    Args:
        address: where the server is.
        config: `max_response_bytes`, `verify`, `cert` and `proxy` are looked at.
        clock: for time-outs.

    Raises:
        ConfigurationError: a proxy or a certificate file that cannot be used.

    Attributes:
        tap: told of every request and its outcome, or None.

    """

    tap: Tap | None = None

    def __init__(self, address: ServerAddress, config: MessagingConfig, clock: Clock) -> None:
        self.closed = False
        self._base = address.base_url + config.api_path.rstrip("/")
        self._config = config
        self._clock = clock
        self._proxy = None if config.proxy is None else ProxyAddress.parse(config.proxy)
        if self._proxy is not None:
            self._proxy.check_for(address, allow_insecure=config.allow_insecure)
        self._needs_tls = address.scheme == "https" or (self._proxy is not None and self._proxy.is_tls)
        if isinstance(config.verify, str) or config.cert is not None:
            tls.context_for(config.verify, config.cert)  # a file that cannot be used is told now
        self._pool: Pool | None = None

    async def aclose(self) -> None:
        """Close all connections; requests under way fail."""
        self.closed = True
        if self._pool is not None:
            await self._pool.aclose()

    async def once(self, call: Call, method: str, url: str) -> Answer | MessagingError:
        """Send a request once, for at most `call.timeout` seconds and not beyond `call.ends_at`.

        In that time the token must be had and the whole answer read.

        Returns:
            The answer, whatever its status, or the error that came in its place.

        Raises:
            AuthenticationError: no token could be had.

        """
        attempt = Attempt()
        if call.on_attempt is not None:
            call.on_attempt(attempt)
        outcome_told = None if self.tap is None else self.tap.asked(call, method, url.removeprefix(self._base))
        started = self._clock.monotonic()
        seconds = min(call.timeout, call.ends_at - started)
        outcome: Answer | MessagingError
        try:
            outcome = await run_within(self._clock, self._exchange(call, method, url, attempt), seconds)
        except (TimeoutError, AttemptFailed, CancelledWithin) as failure:
            outcome = _failed(call, attempt, failure, seconds)
        if outcome_told is not None:
            outcome_told(outcome)
        took = round((self._clock.monotonic() - started) * 1000)
        say(
            logger,
            logging.DEBUG,
            "request",
            operation=call.operation,
            method=method,
            status=attempt.status,
            took_ms=took,
        )
        return outcome

    async def _exchange(self, call: Call, method: str, url: str, attempt: Attempt) -> Answer | MessagingError:
        headers = dict(call.headers)
        if call.trial is not None:
            headers["authorization"] = f"Bearer {await call.trial.token()}"
        if self.closed:
            return closed_error(call)
        if self._pool is None:
            self._pool = Pool(self._tls(), self._proxy)
        received = await self._pool.ask(method, url, headers, call.content, attempt, self._bound)
        return self._understood(call, received)

    def _bound(self, status: int) -> int:
        return self._config.max_response_bytes if is_success(status) else LONGEST_REFUSAL

    def _understood(self, call: Call, received: Received) -> Answer | MessagingError:
        """Give what came, unless it cannot be used; of a refusal with a body too large, the status is enough."""
        status, body = received.status, received.body
        if not is_success(status):
            return Answer(status, received.headers, body or b"")
        if body is None:
            bound = self._config.max_response_bytes
            advice = f"is larger than max_response_bytes ({bound}); ask for less at once, or raise that setting"
        elif received.is_compressed:
            advice = "is compressed, which was not asked for; have the server or its proxy honour Accept-Encoding"
        else:
            return Answer(status, received.headers, body)
        return UnexpectedResponse(
            f"{call.operation}: the answer ({status}) {advice}.", operation=call.operation, status=status
        )

    def _tls(self) -> ssl.SSLContext:
        if self._needs_tls:
            return tls.context_for(self._config.verify, self._config.cert)
        return _unused_context()


@cache
def _unused_context() -> ssl.SSLContext:
    """Give what stands where no TLS is spoken; aiohttp would make one that trusts, which costs much more."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def closed_error(call: Call) -> NotConnected:
    """Give the error for a request of a client that has been closed."""
    text = f"{call.operation}: this client is closed; make a new one."
    return NotConnected(text, may_have_left=call.may_have_left)


def _failed(call: Call, attempt: Attempt, failure: Exception, seconds: float) -> Answer | MessagingError:
    """Say what a try that did not end with an answer means."""
    if attempt.status is not None and attempt.status >= 400:
        return Answer(attempt.status, {})  # the refusal itself had come, only its text is missing
    call.may_have_left = left = call.may_have_left or attempt.may_have_left
    if isinstance(failure, CancelledWithin):
        # Closing the pool cancels those who wait for a connection: to them that is a failure, not a cancellation.
        failure = AttemptFailed("the client was closed")
    if not isinstance(failure, AttemptFailed):
        missing = "answer" if attempt.may_have_left else "connection"
        text = f"{call.operation}: no {missing} within {seconds:g} s; try again, or give a longer timeout."
        return RequestTimeout(text, may_have_left=left)
    call.repeatable = call.repeatable and not failure.lasting
    if attempt.may_have_left:
        return ConnectionLost(f"{call.operation}: {failure}; try again.", may_have_left=left)
    text = f"{call.operation}: {failure}; check the address, and that the server is up."
    return ConnectFailed(text, may_have_left=left)
