"""REST: one request at a time made sure of. What it means is read elsewhere (`messaging_client.wire`)."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote, urlencode

from messaging_client import strict_json
from messaging_client._version import __version__
from messaging_client.clock import Clock, finished_within
from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    AuthenticationError,
    MessagingError,
    RateLimited,
    RequestError,
    ServerError,
    TransportError,
    ValidationFailed,
)
from messaging_client.models import Id
from messaging_client.observing.observer import Observer
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.aio import Attempt
from messaging_client.transport.auth import TokenSource
from messaging_client.transport.exchange import Call, Exchanges, closed_error
from messaging_client.transport.retry import REPEATED_STATUSES, Backoff, date_told
from messaging_client.transport.routing import MAYBE_ANOTHER, Routes, most_telling
from messaging_client.transport.statuses import Answer, error_for, parsed
from messaging_client.transport.tap import Tap
from messaging_client.wire.routes import Route, RouteTable

_NOTHING: Mapping[str, str] = MappingProxyType({})

# What is not compressed cannot unfold into more than `max_response_bytes`.
_ALWAYS = {"accept": "application/json", "accept-encoding": "identity"}


@dataclass(slots=True)
class RestStats:
    """Counters of one client.

    Attributes:
        requests: calls of `RestClient.request`.
        retries: repetitions after a network error, a 429 or a 5xx.
        failures: calls that ended in an error.

    """

    requests: int = 0
    retries: int = 0
    failures: int = 0


class RestClient:
    """Sends requests, repeats what may be repeated, and turns everything that can go wrong into errors of ours.

    Args:
        address: where the server is.
        config: `request_timeout`, `request_deadline`, `max_retries`, `max_response_bytes`, `randomization_factor`,
            `api_path`, `headers`, `verify`, `cert` and `proxy` are looked at.
        tokens: where the token comes from.
        clock, random: time and chance, given so that tests decide on them.
        routes: the addresses of the operations.
        observer: told of every request.

    Raises:
        ConfigurationError: a proxy or a certificate file that cannot be used.

    """

    def __init__(
        self,
        address: ServerAddress,
        config: MessagingConfig,
        tokens: TokenSource,
        *,
        clock: Clock,
        random: random.Random,
        routes: RouteTable,
        observer: Observer | None = None,
    ) -> None:
        self.stats = RestStats()
        self._observer = observer or Observer()
        self._config = config
        self._tokens = tokens
        self._clock = clock
        self._random = random
        self._routes = Routes(routes)
        self._backoff = Backoff(config.randomization_factor)
        self._base = address.base_url + config.api_path.rstrip("/")
        self._headers = {
            "user-agent": f"messaging-client/{__version__}",
            **{name.lower(): value for name, value in config.headers.items()},
        }
        self._exchanges = Exchanges(address, config, clock)
        self._ended: asyncio.Future[None] | None = None
        self.server_time: datetime | None = None  # the server's clock, in whole seconds, as its latest answer told it

    def set_tap(self, tap: Tap | None) -> None:
        """Have every request and its outcome told to `tap`; None ends it."""
        self._exchanges.tap = tap

    @property
    def closed(self) -> bool:
        """Whether `aclose` has been called."""
        return self._exchanges.closed

    async def aclose(self) -> None:
        """Close all connections; requests under way end with `ConnectionLost` or `NotConnected`."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        await self._exchanges.aclose()

    async def request(
        self,
        operation: str,
        values: Mapping[str, Id | str] = _NOTHING,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        repeatable: bool = True,
        authenticated: bool = True,
        on_success: Callable[[int], object] | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> object:
        """Send a request and give the JSON of the answer, or None where the answer is empty.

        Args:
            operation: as in the route table.
            values: what stands in the address.
            query: what stands after the question mark.
            body: sent as JSON, unless None.
            headers: further headers of this request.
            timeout: seconds for one try; `request_timeout` of the configuration if not given. One that is longer than
                `request_deadline` takes its place.
            repeatable: whether the request may be sent again after a failure. One that is not is sent once, and a
                second time only if the server refused the token (and so did nothing).
            authenticated: whether the token goes along.
            on_success: told the status of a success before this returns.
            on_attempt: told of each try as it begins, which shows how far it has come.

        Raises:
            TransportError: no answer; `may_have_left` says whether the server may have done what was asked.
            AuthenticationError: the token was refused, twice if another one could be had.
            RequestError: the server answered, and not with a success; one subclass for each kind.
            ValidationFailed: an argument that cannot be sent (`status` is None).

        """
        self.stats.requests += 1
        observer, began, started = self._observer, self._observer.request_began(operation), self._clock.monotonic()
        call: Call | None = None
        try:
            call = self._prepared(operation, query, body, headers, timeout, repeatable, authenticated)
            call.on_attempt = on_attempt
            status, answer = await self._through_alternatives(call, values)
        except BaseException as error:
            self.stats.failures += isinstance(error, MessagingError)
            observer.request_ended(
                began,
                operation,
                self._clock.monotonic() - started,
                error=error,
                status=error.status if isinstance(error, RequestError) else None,
                tries=0 if call is None else call.repetitions + 1,
            )
            raise
        seconds = self._clock.monotonic() - started
        observer.request_ended(began, operation, seconds, error=None, status=status, tries=call.repetitions + 1)
        if on_success is not None:
            on_success(status)
        return answer

    def _prepared(
        self,
        operation: str,
        query: Mapping[str, str | int] | None,
        body: object,
        headers: Mapping[str, str] | None,
        timeout: float | None,
        repeatable: bool,
        authenticated: bool,
    ) -> Call:
        config = self._config
        seconds = config.request_timeout if timeout is None else _checked_seconds(operation, timeout)
        deadline = max(config.request_deadline, 0.0 if timeout is None else seconds)
        content = None if body is None else _encoded(operation, body)
        sent = {**self._headers, **{name.lower(): value for name, value in (headers or {}).items()}, **_ALWAYS}
        if content is not None:
            sent["content-type"] = "application/json"
        return Call(
            operation=operation,
            query="?" + urlencode(query, quote_via=quote) if query else "",
            headers=sent,
            content=content,
            timeout=seconds,
            ends_at=self._clock.monotonic() + deadline if repeatable else math.inf,
            repeatable=repeatable,
            trial=self._tokens.trial() if authenticated else None,
        )

    async def _through_alternatives(self, call: Call, values: Mapping[str, Id | str]) -> tuple[int, object]:
        """Try the spellings of the route in order, until one is not answered by 404."""
        alternatives = self._routes.alternatives(call.operation, values)
        refused: list[RequestError] = []
        for route in alternatives.routes:
            outcome = await self._until_final(call, route, self._base + route.path(values) + call.query)
            if isinstance(outcome, Answer):
                result = parsed(outcome, call.operation)
                alternatives.learn(route, outcome.status)
                return outcome.status, result
            if not isinstance(outcome, RequestError) or outcome.status is None:
                raise outcome
            if outcome.status not in MAYBE_ANOTHER:
                alternatives.learn(route, outcome.status)
                raise outcome
            refused.append(outcome)
        raise most_telling(refused)

    async def _until_final(self, call: Call, route: Route, url: str) -> Answer | MessagingError:
        """Try one address until it gives a success, or a failure after which trying again is of no use."""
        while True:
            outcome = await self._exchanges.once(call, route.method, url)
            error = outcome if isinstance(outcome, MessagingError) else self._error(call, outcome)
            if isinstance(outcome, Answer):
                self.server_time = date_told(outcome.headers) or self.server_time
            if error is None:
                return outcome
            if isinstance(error, AuthenticationError) and call.trial is not None and call.trial.refused():
                continue
            delay = self._delay(call, error)
            if delay is None:
                return error
            if await finished_within(self._clock, self._closing(), delay):
                return closed_error(call)
            call.repetitions += 1
            self.stats.retries += 1

    def _delay(self, call: Call, error: MessagingError) -> float | None:
        """Give the seconds to wait before the next try, or None if there is none."""
        if not call.repeatable or self.closed or call.repetitions >= self._config.max_retries:
            return None
        if isinstance(error, (RateLimited, ServerError)) and error.status in REPEATED_STATUSES:
            asked = error.retry_after
        elif isinstance(error, TransportError):
            asked = None
        else:
            return None
        delay = self._backoff.delay(call.repetitions, self._random) if asked is None else asked
        return delay if self._clock.monotonic() + delay < call.ends_at else None

    def _error(self, call: Call, answer: Answer) -> MessagingError | None:
        return error_for(answer, call.operation, self._clock.now())

    def _closing(self) -> asyncio.Future[None]:
        """Give what is done once the client is closed, so that nobody waits in vain then."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        return self._ended


def _checked_seconds(operation: str, timeout: float) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise ValidationFailed(f"{operation}: timeout must be a finite number of seconds above 0.", operation=operation)
    return float(timeout)


def _encoded(operation: str, body: object) -> bytes:
    # The library's exception may repeat the text that it could not write: ours is raised after it is gone.
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        return strict_json.dumped(body)
    raise ValidationFailed(
        f"{operation}: the body holds something that JSON cannot; give texts, numbers, lists and mappings.",
        operation=operation,
    )
