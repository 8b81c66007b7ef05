"""Settings that cannot work are refused, each with its name."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from messaging_client import ConfigurationError, MessagingConfig

NUMBERS = [each.name for each in fields(MessagingConfig) if type(each.default) in (int, float)]
WHOLE = [each.name for each in fields(MessagingConfig) if type(each.default) is int]
SWITCHES = [each.name for each in fields(MessagingConfig) if type(each.default) is bool and each.name != "verify"]
MAY_BE_ZERO = {"reconnection_delay", "reconnection_delay_max", "settle_delay", "max_retries", "randomization_factor"}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", None, True, 10**400], ids=lambda e: repr(e)[:9])
def test_numbers_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name):
        MessagingConfig(**{name: value})


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", ["false", "True", "", 0, 1, None, [True]], ids=repr)
def test_switches_that_are_neither_on_nor_off(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be True or False"):
        MessagingConfig(**{name: value})


@pytest.mark.parametrize("name", SWITCHES)
def test_switches(name: str) -> None:
    assert getattr(MessagingConfig(**{name: True}), name) is True
    assert getattr(MessagingConfig(**{name: False}), name) is False


@pytest.mark.parametrize("name", NUMBERS)
def test_zero(name: str) -> None:
    if name in MAY_BE_ZERO:
        assert getattr(MessagingConfig(**{name: 0}), name) == 0
    else:
        with pytest.raises(ConfigurationError, match=name):
            MessagingConfig(**{name: 0})


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers(name: str) -> None:
    assert getattr(MessagingConfig(**{name: 3}), name) == 3
    with pytest.raises(ConfigurationError, match=name):
        MessagingConfig(**{name: 3.5})


@pytest.mark.parametrize(
    "given",
    [
        {"randomization_factor": 1.01},
        {"join_payload": "list"},
        {"api_path": "api"},
        {"api_path": "/a b"},
        {"api_path": None},
        {"socketio_path": "/x?y"},
        {"headers": {"X": "a\r\nB: c"}},
        {"headers": [("X", "a")]},
        {"routes": None},
    ],
    ids=str,
)
def test_other_values(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        MessagingConfig(**given)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError):
        MessagingConfig(reconnect=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        MessagingConfig(15.0)  # type: ignore[misc]
