"""How an operation asks: arguments made canonical, answers made into models, what cannot be read reported."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from messaging_client import arguments as check
from messaging_client.cache import ReadCache
from messaging_client.clock import Clock
from messaging_client.config import MessagingConfig
from messaging_client.errors import UnexpectedResponse
from messaging_client.events import InvalidPayload
from messaging_client.models import ContextType, History, Id, Participant, User, UserType
from messaging_client.wire import payloads
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.slices import Slices, step

if TYPE_CHECKING:
    from messaging_client.transport.http import RestClient

_NOTHING: Mapping[str, Id | str] = {}

Model = TypeVar("Model")
Person = Participant | User | Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Reply:
    """A success: its status, and the JSON of its body, None where that is empty."""

    status: int
    body: object


class Asking:
    """What REST operations have in common.

    Args:
        http: sends the requests.
        read_cache: keeps what was read.
        config: settings of the client.
        clock: time of receipt, for messages without a time.
        user: gives the present user; where the token comes from a callable, it is asked.
        report: tells of payloads that cannot be read.
    """

    def __init__(
        self,
        http: RestClient,
        read_cache: ReadCache,
        config: MessagingConfig,
        *,
        clock: Clock,
        user: Callable[[], Awaitable[User]],
        report: Callable[[InvalidPayload], None],
    ) -> None:
        self._http = http
        self._cache = read_cache
        self._config = config
        self._clock = clock
        self._user = user
        self._report = report
        self._kept_pages: dict[Id, list[History]] = {}

    async def _ask(self, operation: str, values: Mapping[str, Id | str] = _NOTHING, **given: Any) -> Reply:
        """Send a request; arguments as for `RestClient.request`."""
        statuses: list[int] = []
        body = await self._http.request(operation, values, on_success=statuses.append, **given)
        return Reply(statuses[-1], body)

    def _read(self, operation: str, reply: Reply, reader: Callable[[object], Model]) -> Model:
        """Normalise an answer; one that is not understood is an error, and is reported with what came."""
        try:
            return reader(reply.body)
        except PayloadError as fault:
            self._report(InvalidPayload(source=operation, reason=fault.reason, raw=reply.body))
            reason = fault.reason
        raise UnexpectedResponse(
            f"{operation}: the answer was not understood ({reason}); check api_path and the server's version.",
            operation=operation,
            status=reply.status,
        )

    async def _read_list(self, operation: str, reply: Reply, reader: Callable[[object], Slices[Model]]) -> Model:
        """As `_read`, for an answer that may be long: others have their turn between its slices."""
        work = reader(reply.body)
        while True:
            done, result = self._read(operation, reply, lambda _body: step(work))
            if done:
                return cast(Model, result)
            await asyncio.sleep(0)

    def _invalid(self, operation: str) -> Callable[[PayloadError], None]:
        def report(fault: PayloadError) -> None:
            self._report(InvalidPayload(source=operation, reason=fault.reason, raw=fault.raw))

        return report

    async def _person_id(self, operation: str, user_type: UserType, given: Id | None) -> Id:
        if given is not None:
            return check.checked_id(operation, f"{user_type}_id", given)
        user = await self._user()
        if user.type is not user_type:
            raise check.refuse(operation, f"Say {user_type}_id: this user is a {user.type}.")
        return user.id

    def checked_context(self, operation: str, context_type: Any, context_id: Any) -> tuple[str, Id]:
        """Give word and id of a context as they are compared; ValidationFailed where they are none."""
        if not isinstance(context_type, str) or not context_type.strip():
            known = ", ".join(ContextType)
            raise check.refuse(operation, f"context_type must be a word such as {known}.")
        word = str(check.checked_id(operation, "context_type", context_type.strip().lower()))
        return word, check.checked_id(operation, "context_id", context_id)

    def _identity(self, operation: str, person: Any) -> tuple[UserType, Id]:
        if isinstance(person, Mapping):
            kind, number = payloads.participant_identity(person)
        elif isinstance(person, Participant | User):
            kind, number = person.type, person.id
        else:
            raise check.refuse(operation, "A participant is a Participant, a User, or a mapping with its id and type.")
        return check.checked_user_type(operation, kind), check.checked_id(operation, "participant_id", number)


class Counter:
    """Counts what it reports, and keeps what could not be read."""

    def __init__(self, report: Callable[[PayloadError], None]) -> None:
        self._report = report
        self.payloads: list[Any] = []

    @property
    def reported(self) -> int:
        """How many there were."""
        return len(self.payloads)

    def __call__(self, fault: PayloadError) -> None:
        """Report, and count."""
        self.payloads.append(fault.raw)
        self._report(fault)
