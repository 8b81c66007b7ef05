"""Which spelling of a route this server speaks, found out once (wire protocol, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from messaging_client.errors import RequestError
from messaging_client.models import Id
from messaging_client.transport.statuses import is_success
from messaging_client.wire.routes import Route, RouteTable

Key = tuple[str, tuple[Route, ...]]

MAYBE_ANOTHER = frozenset({404, 405})
"""Answers of an unproven route after which the next one is tried: no such address, or not with this method."""

_PROVES_NOTHING = MAYBE_ANOTHER | {401, 408, 429}
"""Client errors that a server gives before it looks at the address, or that say it is not the one."""

_Error = TypeVar("_Error", bound=RequestError)


class Routes:
    """The route table with what has been learnt about one server.

    A route is proven by a success, or by a refusal that only a route which exists gives (400, 403, 409, 413, 422). A
    401, a 429 or a 5xx proves nothing: they come before the address is looked at. What is learnt holds for the
    operation and for values that lead to the same alternatives: `history` of an ordonnance has one more than that of
    a consultation.
    """

    def __init__(self, table: RouteTable) -> None:
        self._table = table
        self._proven: dict[Key, Route] = {}

    def alternatives(self, operation: str, values: Mapping[str, Id | str]) -> Alternatives:
        """Give the routes to try, in order.

        Raises:
            ValidationFailed: these values fill none.

        """
        key = operation, self._table.candidates(operation, values)
        return Alternatives(self._proven, key)


class Alternatives:
    """The routes of one request: the proven one alone, or all in order."""

    def __init__(self, proven: dict[Key, Route], key: Key) -> None:
        self._proven = proven
        self._key = key
        known = proven.get(key)
        self.routes: tuple[Route, ...] = key[1] if known is None else (known,)

    def learn(self, route: Route, status: int) -> None:
        """Note what a route answered; for a success, once its body has been understood."""
        if is_success(status) or (400 <= status < 500 and status not in _PROVES_NOTHING):
            self._proven.setdefault(self._key, route)


def most_telling(errors: list[_Error]) -> _Error:
    """Of the errors of all alternatives, give the one to raise: that nothing is there, else the last."""
    return next((error for error in errors if error.status == 404), errors[-1])
