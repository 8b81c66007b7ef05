"""Who is told of the client's work as it is done: it counts, and a subclass tells OpenTelemetry as well."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

from messaging_client.errors import RequestError, SendUncertain, TransportError
from messaging_client.models import Id

Handler = Callable[..., Any]

_NOTHING: AbstractContextManager[None] = nullcontext()


class Sending(Protocol):
    """What is looked at of a message on its way.

    Attributes:
        observed: what an observer keeps with it, from its beginning to its end.
    """

    client_message_id: str
    attempts: int
    observed: Any

    @property
    def conversation_id(self) -> Id:
        """The conversation that it belongs to."""
        ...

    @property
    def stored_id(self) -> Id | None:
        """Its id on the server, once that is known."""
        ...


@dataclass(slots=True)
class Tally:
    """How often something was done and ended, and how long it took.

    Attributes:
        begun: how often it was begun.
        ok, refused, uncertain, failed: how often it ended so.
        last: seconds that the latest took to its end.
        total: seconds that all took together.
    """

    begun: int = 0
    ok: int = 0
    refused: int = 0
    uncertain: int = 0
    failed: int = 0
    last: float = 0.0
    total: float = 0.0

    @property
    def mean(self) -> float:
        """Seconds that one took, on average of those that have ended."""
        ended = self.ok + self.refused + self.uncertain + self.failed
        return self.total / ended if ended else 0.0

    def ended(self, outcome: str, seconds: float) -> None:
        """One has ended, with an outcome of `send_outcome` or `request_outcome`."""
        if outcome in ("confirmed", "ok"):
            self.ok += 1
        elif outcome in ("uncertain", "unanswered"):
            self.uncertain += 1
        elif outcome == "refused":
            self.refused += 1
        else:
            self.failed += 1
        self.last = seconds
        self.total += seconds


class Observer:
    """Counts; spans and measurements are a subclass's.

    Attributes:
        sends: messages that were handed in and came to their end.
        requests: REST requests, `uncertain` being those without an answer.
    """

    def __init__(self) -> None:
        self.sends = Tally()
        self.requests = Tally()

    # --- sends -------------------------------------------------------------------------------------------------------

    def send_began(self, sending: Sending, *, is_restored: bool = False) -> None:
        """A message was handed in, was taken up from an earlier process, or is tried again."""
        self.sends.begun += 1

    def send_ended(
        self, sending: Sending, seconds: float, error: BaseException | None, *, is_uncertain: bool = False
    ) -> None:
        """A message has come to its end; `is_uncertain` is for errors that leave it so, other than `SendUncertain`."""
        self.sends.ended(send_outcome(error, is_uncertain=is_uncertain), seconds)

    def send_parted(self, sending: Sending, error: BaseException | None) -> None:
        """The client is closed before a message has come to its end."""

    def within_send(self, sending: Sending) -> AbstractContextManager[None]:
        """What is done in the block is done for this message."""
        return _NOTHING

    # --- REST requests -----------------------------------------------------------------------------------------------

    def request_began(self, operation: str) -> Any:
        """A request begins; gives what `request_ended` is to be given."""
        self.requests.begun += 1
        return None

    def request_ended(
        self, began: Any, operation: str, seconds: float, *, error: BaseException | None, status: int | None, tries: int
    ) -> None:
        """A request has ended, after so many tries."""
        self.requests.ended(request_outcome(error), seconds)

    # --- the connection ----------------------------------------------------------------------------------------------

    def here(self) -> Any:
        """Give what `attempt_began` takes to know who has asked."""
        return None

    def context(self) -> Context | None:
        """The context of tasks that outlive whoever asks for them; None for the present one."""
        return None

    def attempt_began(self, number: int, *, is_again: bool, asked: Any) -> Any:
        """An attempt to connect begins; gives what `attempt_ended` is to be given."""
        return None

    def attempt_ended(self, began: Any, error: BaseException | None) -> None:
        """An attempt has ended."""

    # --- handlers ----------------------------------------------------------------------------------------------------

    def around(self, handler: Handler, kind: str) -> Handler:
        """Give what is to be called for each event in place of a user's handler."""
        return handler

    def watch(self, client: Any) -> None:
        """Measure a client from now on; it is not kept alive by this."""

    def closed(self, client: Any) -> None:
        """A client was closed: its numbers do not change any more."""


def send_outcome(error: BaseException | None, *, is_uncertain: bool = False) -> str:
    """Say how a message has ended: `confirmed`, `refused` or `uncertain`."""
    if error is None:
        return "confirmed"
    return "uncertain" if is_uncertain or isinstance(error, SendUncertain) else "refused"


def request_outcome(error: BaseException | None) -> str:
    """Say how a request has ended: `ok`, `refused`, `unanswered` or `failed`."""
    if error is None:
        return "ok"
    if isinstance(error, TransportError):
        return "unanswered"
    return "refused" if isinstance(error, RequestError) and error.status is not None else "failed"
