"""How an operation asks: arguments made canonical, answers made into models, what cannot be read reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from messaging_client import arguments as check
from messaging_client.cache import ReadCache
from messaging_client.clock import Clock
from messaging_client.config import MessagingConfig
from messaging_client.errors import UnexpectedResponse
from messaging_client.events import InvalidPayload
from messaging_client.models import ContextType, Id, Participant, User, UserType
from messaging_client.transport.http import RestClient
from messaging_client.wire import payloads
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.slices import Slices, step

Model = TypeVar("Model")
Person = Participant | User | Mapping[str, Any]


class Asking:
    """What REST operations have in common.

    Args:
        http: sends the requests.
        read_cache: keeps what was read.
        config: settings of the client.
        clock: time of receipt, for messages without a time.
        user: gives the present user, after a token was had.
        report: tells of payloads that cannot be read.
    """

    def __init__(
        self,
        http: RestClient,
        read_cache: ReadCache,
        config: MessagingConfig,
        *,
        clock: Clock,
        user: Callable[[], User],
        report: Callable[[InvalidPayload], None],
    ) -> None:
        self._http = http
        self._cache = read_cache
        self._config = config
        self._clock = clock
        self._user = user
        self._report = report

    def _read(self, operation: str, body: object, reader: Callable[[], Model]) -> Model:
        """Normalise an answer; one that is not understood is an error, and is reported with what came."""
        try:
            return reader()
        except PayloadError as fault:
            self._report(InvalidPayload(source=operation, reason=fault.reason, raw=body))
            reason = fault.reason
        raise UnexpectedResponse(
            f"{operation}: the answer was not understood ({reason}); check api_path and the server's version.",
            operation=operation,
            status=200,
        )

    async def _read_list(self, operation: str, body: object, work: Slices[Model]) -> Model:
        """As `_read`, for an answer that may be long: others have their turn between its slices."""
        while True:
            done, result = self._read(operation, body, lambda: step(work))
            if done:
                return cast(Model, result)
            await asyncio.sleep(0)

    def _invalid(self, operation: str) -> Callable[[PayloadError], None]:
        def report(fault: PayloadError) -> None:
            self._report(InvalidPayload(source=operation, reason=fault.reason, raw=fault.raw))

        return report

    def _person_id(self, operation: str, user_type: UserType, given: Id | None) -> Id:
        if given is not None:
            return check.checked_id(operation, f"{user_type}_id", given)
        user = self._user()
        if user.type is not user_type:
            raise check.refuse(operation, f"Say {user_type}_id: this user is a {user.type}.")
        return user.id

    def _context(self, operation: str, context_type: Any, context_id: Any) -> tuple[str, Id]:
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
    """Counts what it reports."""

    def __init__(self, report: Callable[[PayloadError], None]) -> None:
        self._report = report
        self.reported = 0

    def __call__(self, fault: PayloadError) -> None:
        """Report, and count."""
        self.reported += 1
        self._report(fault)
