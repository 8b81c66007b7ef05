"""Everything that can be made to go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from messaging_client.testing.event_faults import EventFaults
from messaging_client.testing.lifetime import Lifetime
from messaging_client.testing.records import Identity
from messaging_client.testing.rest import failure
from messaging_client.testing.rules import (
    OPERATIONS,
    CloseSocket,
    Delay,
    DelayConnect,
    Drop,
    Garble,
    Raw,
    RefuseConnect,
    RefuseUpgrade,
    RestFault,
    RuleBook,
    Silence,
    Stage,
    StaySilent,
    Truncate,
    reply,
)
from messaging_client.testing.sockets import Sockets
from messaging_client.testing.tokens import Tokens

User = tuple[str, int]

HTML = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


class Faults:
    """The faults of one server. They outlast its restarts, until they have been used up or `clear()` is called.

    `count` is how many times a fault applies; None is until cleared. Faults of one kind apply in the order in which
    they were asked for. An operation is one of `OPERATIONS`, or None for any. Where there is `after_storing`, the
    server first does its work, and then fails to say so.

    Args:
        rules, event_faults: where the faults are kept.
        tokens: the server's.
        running: gives the sockets and the lifetime of the server while it runs, else None.

    """

    def __init__(
        self,
        rules: RuleBook,
        event_faults: EventFaults,
        tokens: Tokens,
        running: Callable[[], tuple[Sockets, Lifetime] | None],
    ) -> None:
        self._rules = rules
        self._events = event_faults
        self._tokens = tokens
        self._running = running

    # REST

    def answer(
        self,
        operation: str | None,
        status: int,
        *,
        count: int | None = 1,
        after_storing: bool = False,
        retry_after: float | str | None = None,
        message: str = "Panne demandée",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with a status.

        Args:
            operation: of which operation; None for any.
            status: 429, 503 and so on.
            count: how many times.
            after_storing: whether the server does its work first.
            retry_after: header `Retry-After`: seconds, or an HTTP date.
            message: what the envelope of the failure says.
            body: in place of that envelope: text or bytes as they are, anything else as JSON.
            headers: further headers.

        """
        content = failure(status, message) if body is None else body
        fault = reply(status, content, headers=headers, retry_after=retry_after, after_storing=after_storing)
        self._on_rest(operation, fault, count)

    def garbage(
        self,
        operation: str | None,
        *,
        count: int | None = 1,
        body: str | bytes = HTML,
        content_type: str = "text/html; charset=utf-8",
        status: int = 200,
        after_storing: bool = False,
    ) -> None:
        """Answer with something that is no envelope: an HTML page unless told otherwise."""
        self._on_rest(operation, reply(status, body, content_type=content_type, after_storing=after_storing), count)

    def raw(self, operation: str | None, data: bytes, *, count: int | None = 1, after_storing: bool = False) -> None:
        """Write bytes to the TCP connection in place of an HTTP answer, and close it."""
        self._on_rest(operation, Raw(data, after_storing), count)

    def truncate(self, operation: str | None, *, count: int | None = 1) -> None:
        """Do the work, send half of the answer, and close the TCP connection."""
        self._on_rest(operation, Truncate(), count)

    def drop_before_storing(self, operation: str | None = "send", *, count: int | None = 1) -> None:
        """Close the TCP connection without an answer, and without having done anything."""
        self._on_rest(operation, Drop(after_storing=False), count)

    def drop_after_storing(self, operation: str | None = "send", *, count: int | None = 1) -> None:
        """Do the work, and close the TCP connection without an answer."""
        self._on_rest(operation, Drop(after_storing=True), count)

    def silence(self, operation: str | None, *, count: int | None = 1, after_storing: bool = False) -> None:
        """Never answer; `clear()` and the stop of the server close the connections that still wait."""
        self._on_rest(operation, Silence(after_storing), count)

    def delay(
        self, operation: str | None, seconds: float, *, count: int | None = 1, after_storing: bool = False
    ) -> None:
        """Wait before the work, or after it before the answer; goes together with any other fault."""
        self._rules.delays.add(_known(operation), Delay(seconds, after_storing), count)

    def _on_rest(self, operation: str | None, fault: RestFault, count: int | None) -> None:
        self._rules.answers.add(_known(operation), fault, count)

    # Handshakes: each uses up one fault of its upgrade and one of its namespace at most

    def refuse_handshake(
        self, message: str = "Authentication error", *, data: Any = None, count: int | None = 1
    ) -> None:
        """Refuse as a Socket.IO middleware does: `connect_error` with this message, and data unless None."""
        self._rules.connects.add(None, RefuseConnect(message, data), count)

    def delay_handshake(self, seconds: float, *, count: int | None = 1) -> None:
        """Let the acknowledgement of the namespace wait."""
        self._rules.connects.add(None, DelayConnect(seconds), count)

    def refuse_upgrade(self, status: int = 503, *, body: str = "", count: int | None = 1) -> None:
        """Answer the WebSocket upgrade with an HTTP status."""
        self._rules.upgrades.add(None, RefuseUpgrade(status, body), count)

    def close_handshake(self, code: int = 1013, *, count: int | None = 1) -> None:
        """Accept the WebSocket, and close it at once."""
        self._rules.upgrades.add(None, CloseSocket(code), count)

    def garble_handshake(self, frame: str = "<html>", *, count: int | None = 1) -> None:
        """Accept the WebSocket, and send this in place of Engine.IO's opening packet."""
        self._rules.upgrades.add(None, Garble(frame), count)

    def silence_handshake(self, at: Stage = "connect", *, count: int | None = 1) -> None:
        """Get so far, and no further.

        Args:
            at: `"upgrade"`: the TCP connection is accepted, and that is all. `"open"`: the WebSocket too, but no
                Engine.IO session opens. `"connect"`: the namespace is never acknowledged.
            count: how many times.

        Raises:
            ValueError: another stage.

        """
        if at not in ("upgrade", "open", "connect"):
            raise ValueError('at must be "upgrade", "open" or "connect".')
        if at == "connect":
            self._rules.connects.add(None, StaySilent(at), count)
        else:
            self._rules.upgrades.add(None, StaySilent(at), count)

    # Sockets

    async def cut(self, user: User | None = None) -> int:
        """Abort the TCP connections under a user's sockets, or under all, handshakes included.

        Returns:
            How many were cut. The server has noticed by then: they are gone from `connections()`.

        """
        running = self._running()
        return await running[0].cut(_identity(user)) if running else 0

    async def disconnect(self, user: User | None = None) -> int:
        """End a user's connections, or all, politely, as `socket.disconnect(true)` does; gives how many."""
        running = self._running()
        return await running[0].disconnect(_identity(user)) if running else 0

    def freeze(self, user: User | None = None) -> int:
        """Neither read from nor write to a user's sockets, or any, as if the link were half open; gives how many.

        Until `thaw()`, or until the server's own ping time-out, which closes them.
        """
        running = self._running()
        return running[0].freeze(_identity(user)) if running else 0

    def thaw(self) -> None:
        """Let frozen sockets go on."""
        running = self._running()
        if running:
            running[0].thaw()

    # Tokens

    def expire(self, token: str) -> None:
        """Treat a token as expired from now on. A socket that is connected stays so."""
        self._tokens.expire(token)

    def revoke(self, token: str) -> None:
        """Take a token no longer. A socket that is connected stays so."""
        self._tokens.revoke(token)

    # Rooms and events

    def slow_join(self, seconds: float, *, count: int | None = 1) -> None:
        """Let `join_conversation` take that long; other events of the socket go on meanwhile."""
        self._rules.joins.add(None, seconds, count)

    def drop_events(self, event: str, *, count: int | None = 1, user: User | None = None) -> None:
        """Lose the next emissions of an event, for everybody or for one user."""
        self._events.add(event, "drop", count=count, user=user)

    def duplicate_events(self, event: str, *, count: int | None = 1, times: int = 2, user: User | None = None) -> None:
        """Send the next emissions of an event several times each."""
        self._events.add(event, "duplicate", count=count, user=user, times=times)

    def reorder_events(self, event: str, *, count: int = 2, user: User | None = None) -> None:
        """Hold the next emissions of an event until there are that many, and send them last first."""
        self._events.add(event, "reorder", count=count, user=user)

    def hold_events(self, event: str, *, user: User | None = None) -> None:
        """Hold every emission of an event until `release_events` or `clear`."""
        self._events.add(event, "hold", count=None, user=user)

    async def release_events(self, event: str | None = None) -> int:
        """Send what is held of an event, or of all, in order, and hold it no longer; gives how many emissions."""
        held = self._events.release(event)
        running = self._running()
        if running:
            await running[0].deliver(held)
        return len(held)

    # All of them

    def pending(self) -> int:
        """How many faults are in force or wait for their occasion; 0 says that a test has used up all it asked for."""
        return sum(map(len, self._rules.all())) + len(self._events)

    def clear(self) -> None:
        """End every fault: what was held is sent, what was silenced is cut, what was frozen goes on.

        Tokens that were revoked or expired stay so.
        """
        self._rules.clear()
        held = self._events.clear()
        running = self._running()
        if running:
            sockets, lifetime = running
            sockets.thaw()
            lifetime.start_task(sockets.deliver(held))


def _known(operation: str | None) -> str | None:
    if operation is not None and operation not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, or None for any.")
    return operation


def _identity(user: User | None) -> Identity | None:
    return None if user is None else Identity(*user)
