"""Settings that cannot work are refused, each with its name."""

from __future__ import annotations

import copy
import pickle
import ssl
from dataclasses import fields, replace
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
        {"api_path": ""},
        {"api_path": "/a\x00"},
        {"api_path": "/a\x7f"},
        {"api_path": "/a\n"},
        {"api_path": "/é"},
        {"api_path": "/a/../b"},
        {"socketio_path": "/x?y"},
        {"socketio_path": "/x\ty"},
        {"socketio_path": "/\x01"},
        {"headers": {"X": "a\r\nB: c"}},
        {"headers": [("X", "a")]},
        {"routes": None},
    ],
    ids=str,
)
def test_other_values(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        MessagingConfig(**given)


@pytest.mark.parametrize("name", ["", " ", "X Clinic", "X:", "X\n", "é", "X(1)", 1, None, b"X"], ids=repr)
def test_names_of_headers_that_are_none(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="headers") as refused:
        MessagingConfig(headers={name: "canary"})
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    ["Hôpital", "a\r\nB: canary", "canary\x00", "canary\x7f", "canary\t1", "\ud800", 1, None, b"canary", ["canary"]],
)
def test_values_of_headers_that_cannot_be_sent(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"headers\['X-Clinic'\]") as refused:
        MessagingConfig(headers={"X-Clinic": value})
    assert "canary" not in str(refused.value)
    assert "H" not in str(refused.value)


def test_headers_that_can_be_sent() -> None:
    given = {"X-Clinic": "Hopital 15; q=0.5", "x_y.z!": "", "Via": '"~!'}
    assert dict(MessagingConfig(headers=given).headers) == given


CONFIG = MessagingConfig(
    headers={"X-Key": "canary"}, routes={"send": ["POST /m/{conversation_id}"], "health": "GET /up"}, max_retries=1
)


@pytest.mark.parametrize("config", [MessagingConfig(), CONFIG], ids=["defaults", "others"])
def test_settings_can_be_copied_pickled_and_hashed(config: MessagingConfig) -> None:
    copies = copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config)), replace(config)
    assert set(copies) == {config}
    assert all(each == config and each.headers == config.headers for each in copies)
    assert "canary" not in repr(copies)
    assert config != replace(config, queue_size=5)


def test_settings_with_a_tls_context_can_be_copied_with_all_around_them() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    copied = copy.deepcopy({"a": MessagingConfig(verify=context)})
    assert copied["a"].verify is context


def test_what_is_done_to_a_mapping_later_changes_no_setting() -> None:
    headers, written = {"X": "1"}, ["GET /up"]
    routes = {"health": written}
    config = MessagingConfig(headers=headers, routes=routes)
    headers["Y"] = "2"
    written.append("GET /down")
    routes["send"] = []
    assert dict(config.headers) == {"X": "1"}
    assert dict(config.routes) == {"health": ("GET /up",)}
    with pytest.raises(TypeError):
        config.headers["Y"] = "2"  # type: ignore[index]


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError):
        MessagingConfig(reconnect=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        MessagingConfig(15.0)  # type: ignore[misc]
