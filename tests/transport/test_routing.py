from __future__ import annotations

import pytest

from messaging_client.errors import NotFound, RequestError, ValidationFailed
from messaging_client.transport.routing import Routes, most_telling
from messaging_client.wire.routes import HISTORY, MARK_READ, MESSAGES, RouteTable

ORDONNANCE = {"context_type": "ordonnance", "context_id": 15, "ordonnance_id": 15}
CONSULTATION = {"context_type": "consultation", "context_id": 15}


@pytest.fixture
def routes() -> Routes:
    return Routes(RouteTable.build({}))


def test_all_alternatives_until_one_is_proven(routes: Routes) -> None:
    first = routes.alternatives(MARK_READ, {"message_id": 7})
    assert [route.method for route in first.routes] == ["PATCH", "PUT"]
    for status in (401, 404, 405, 408, 429, 302, 500, 503, 101):
        first.learn(first.routes[0], status)
        assert len(routes.alternatives(MARK_READ, {"message_id": 8}).routes) == 2
    first.learn(first.routes[1], 204)
    assert [route.method for route in routes.alternatives(MARK_READ, {"message_id": 9}).routes] == ["PUT"]


@pytest.mark.parametrize("status", [200, 201, 204, 400, 403, 409, 413, 422])
def test_what_proves_a_route(routes: Routes, status: int) -> None:
    found = routes.alternatives(MARK_READ, {"message_id": 7})
    found.learn(found.routes[0], status)
    found.learn(found.routes[1], 200)
    assert routes.alternatives(MARK_READ, {"message_id": 7}).routes == found.routes[:1], "the first proof stays"


def test_what_is_learnt_holds_for_the_same_kind_of_values(routes: Routes) -> None:
    ordonnance = routes.alternatives(HISTORY, ORDONNANCE)
    assert len(ordonnance.routes) == 2
    ordonnance.learn(ordonnance.routes[1], 200)
    assert routes.alternatives(HISTORY, {**ORDONNANCE, "ordonnance_id": 16}).routes == ordonnance.routes[1:]
    consultation = routes.alternatives(HISTORY, CONSULTATION)
    assert consultation.routes == ordonnance.routes[:1]


def test_values_that_fill_no_route(routes: Routes) -> None:
    with pytest.raises(ValidationFailed) as caught:
        routes.alternatives(MESSAGES, {})
    assert caught.value.status is None


def test_not_found_tells_most() -> None:
    missing, other, last = (
        NotFound("", operation="x", status=404),
        *(RequestError("", operation="x", status=405) for _ in range(2)),
    )
    assert most_telling([other, missing, last]) is missing
    assert most_telling([other, last]) is last
