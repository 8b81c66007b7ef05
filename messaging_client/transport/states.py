"""The states of the connection and the moves between them: one table, and nothing moves outside it."""

from __future__ import annotations

from messaging_client.models import ConnectionCause as Cause
from messaging_client.models import ConnectionState as State

LOSSES = (Cause.CONNECTION_LOST, Cause.PING_TIMEOUT, Cause.SERVER_DISCONNECT, Cause.FRAME_TOO_LARGE)
"""The ways in which a connection ends without the user's doing."""

TRANSITIONS: dict[tuple[State, Cause], frozenset[State]] = {
    (State.DISCONNECTED, Cause.CONNECT): frozenset({State.CONNECTING}),
    (State.CONNECTING, Cause.CONNECTED): frozenset({State.CONNECTED}),
    # With `connect(wait=False)` rounds go on after the first attempt.
    (State.CONNECTING, Cause.ATTEMPT_FAILED): frozenset({State.DISCONNECTED, State.RECONNECTING}),
    (State.CONNECTING, Cause.AUTHENTICATION_REFUSED): frozenset({State.ERROR}),
    (State.CONNECTING, Cause.DISCONNECT): frozenset({State.DISCONNECTED}),
    # Without `reconnection` a loss ends it.
    **{(State.CONNECTED, loss): frozenset({State.RECONNECTING, State.DISCONNECTED}) for loss in LOSSES},
    (State.CONNECTED, Cause.DISCONNECT): frozenset({State.DISCONNECTED}),
    (State.RECONNECTING, Cause.ATTEMPT): frozenset({State.RECONNECTING}),
    (State.RECONNECTING, Cause.CONNECTED): frozenset({State.CONNECTED}),
    (State.RECONNECTING, Cause.ATTEMPTS_EXHAUSTED): frozenset({State.ERROR}),
    (State.RECONNECTING, Cause.AUTHENTICATION_REFUSED): frozenset({State.ERROR}),
    (State.RECONNECTING, Cause.DISCONNECT): frozenset({State.DISCONNECTED}),
    (State.ERROR, Cause.ROUND): frozenset({State.RECONNECTING}),
    (State.ERROR, Cause.CONNECT): frozenset({State.CONNECTING}),
    (State.ERROR, Cause.DISCONNECT): frozenset({State.DISCONNECTED}),
}


class IllegalMove(RuntimeError):
    """A move that the table does not have: a fault of this package."""


def check_move(state: State, cause: Cause, new_state: State) -> None:
    """Allow a move that stands in the table.

    Raises:
        IllegalMove: it does not.
    """
    if new_state not in TRANSITIONS.get((state, cause), frozenset()):
        raise IllegalMove(f"no move from {state} to {new_state} because of {cause}")
