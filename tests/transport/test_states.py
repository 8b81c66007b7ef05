"""The table of moves."""

from __future__ import annotations

import itertools

import pytest

from messaging_client.models import ConnectionCause as Cause
from messaging_client.models import ConnectionState as State
from messaging_client.transport.states import LOSSES, TRANSITIONS, IllegalMove, check_move


def test_every_move_of_the_table_is_legal_and_no_other() -> None:
    legal = {(state, cause, new) for (state, cause), targets in TRANSITIONS.items() for new in targets}
    for state, cause, new in itertools.product(State, Cause, State):
        if (state, cause, new) in legal:
            check_move(state, cause, new)
        else:
            with pytest.raises(IllegalMove, match="no move"):
                check_move(state, cause, new)


def test_every_state_and_every_cause_is_of_use() -> None:
    assert {new for targets in TRANSITIONS.values() for new in targets} == set(State)
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DISCONNECTED])
def test_disconnect_is_possible_from_everywhere(state: State) -> None:
    check_move(state, Cause.DISCONNECT, State.DISCONNECTED)


@pytest.mark.parametrize("loss", LOSSES)
def test_only_what_is_connected_can_be_lost(loss: Cause) -> None:
    assert [state for state, cause in TRANSITIONS if cause is loss] == [State.CONNECTED]


def test_no_way_to_connected_but_a_proven_handshake() -> None:
    assert {cause for (_, cause), targets in TRANSITIONS.items() if State.CONNECTED in targets} == {Cause.CONNECTED}
