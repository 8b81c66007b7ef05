from __future__ import annotations

import pickle

import pytest

from messaging_client.wire.errors import PayloadError


def test_only_the_reason_is_shown() -> None:
    fault = PayloadError("a message has no id", {"contenu": "je suis malade"})
    assert isinstance(fault, ValueError)
    assert str(fault) == fault.reason == "a message has no id"
    assert "malade" not in repr(fault)
    assert fault.raw == {"contenu": "je suis malade"}


def test_without_a_payload() -> None:
    assert PayloadError("not JSON").raw is None


def test_pickled_with_its_payload() -> None:
    fault = pickle.loads(pickle.dumps(PayloadError("a reason", [1])))
    assert (fault.reason, fault.raw) == ("a reason", [1])


def test_raising_shows_no_payload() -> None:
    with pytest.raises(PayloadError) as caught:
        raise PayloadError("a reason", "secret")
    assert "secret" not in str(caught.value)
