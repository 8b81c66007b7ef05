"""`diagnose`: each thing that can be in the way is found, and what does not depend on it is looked at all the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import trustme
from canary import CANARY, holds_secret
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    CHECKS,
    CheckOutcome,
    CheckResult,
    ConfigurationError,
    MessagingConfig,
    TypingEvent,
    diagnose,
)
from messaging_client.testing import MessagingServer
from tests.security.tls_front import TlsFront, server_context

OK, FAILED, SKIPPED = CheckOutcome.OK, CheckOutcome.FAILED, CheckOutcome.SKIPPED


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as made:
        yield made


async def outcomes(target: Any, **given: Any) -> dict[str, CheckResult]:
    """The results by name; nothing secret stands in them, and they agree with what was told on the way."""
    told: list[CheckResult] = []
    diagnosis = await diagnose(target, timeout=given.pop("timeout", 5.0), on_result=told.append, **given)
    assert tuple(told) == diagnosis.results
    assert diagnosis.ok is not any(each.outcome is FAILED for each in told)
    assert [each.name for each in told] == [name for name in CHECKS if name != "client" or told[0].name == "client"]
    for each in told:
        assert each.detail
        assert "\n" not in each.detail
        assert each.advice or each.outcome is not FAILED
        assert not holds_secret(repr(each))
        json.dumps(asdict(each) | {"facts": dict(each.facts)})
    return {each.name: each for each in told}


def failed(found: dict[str, CheckResult]) -> set[str]:
    return {name for name, each in found.items() if each.outcome is FAILED}


async def test_all_is_well_and_nobody_is_disturbed(scene: Scene) -> None:
    patient = await scene.client(PATIENT)
    await patient.join_all()
    await scene.server.say(scene.conversation, CANARY, PATIENT)
    async with patient.events(TypingEvent) as typed:
        found = await outcomes(scene.server.url, token=scene.server.token(*DOCTOR))
        await scene.server.typing(scene.conversation, DOCTOR)
        seen = [await anext(typed) for _ in range(2)]
    assert {name for name, each in found.items() if each.outcome is SKIPPED} == {"dns", "tls"}
    assert not failed(found)
    assert found["token"].facts == {"user_type": "medecin", "user_id": 79}
    assert found["room"].facts == {"conversation_id": scene.conversation}
    assert [each.is_typing for each in seen] == [False, True], "it said: stopped"
    assert (await (await scene.client(DOCTOR)).get_unread_conversations()).items[0].unread_count == 1
    await scene.server.wait_until(lambda: len(scene.server.connections(DOCTOR)) == 1)


async def test_a_client_is_looked_at_and_left_alone(scene: Scene) -> None:
    client = await scene.client(DOCTOR)
    before = client.socket_id
    found = await outcomes(client)
    assert not failed(found)
    assert found["client"].detail.startswith("connected, socket ")
    assert (client.is_connected, client.socket_id) == (True, before)
    await client.disconnect()
    assert failed(await outcomes(client)) == {"client"}
    with pytest.raises(ConfigurationError):
        await diagnose(client, token="x")


async def test_what_is_in_the_way_is_found(scene: Scene) -> None:
    server, url = scene.server, scene.server.url
    good = server.token(*DOCTOR)
    assert failed(await outcomes(url)) == {"token"}
    assert failed(await outcomes(url, token="eyJabc.W10.c2ln")) == {"token"}
    assert failed(await outcomes(url, token=lambda: 1 / 0)) == {"token"}
    old = server.token(*DOCTOR, expires_in=-60)
    assert failed(await outcomes(url, token=old)) == {"expiry", "authentication", "namespace"}
    foreign = MessagingServer(secret="x" * 32).token(*DOCTOR)
    assert failed(await outcomes(url, token=foreign)) == {"authentication", "namespace"}
    assert failed(await outcomes(url, token=good, conversation_id=99)) == {"room"}
    lonely = await outcomes(url, token=server.token("patient", 8))
    assert not failed(lonely)
    assert lonely["room"].outcome is lonely["typing"].outcome is SKIPPED
    for fault, args, names in (
        (server.faults.answer, ("health", 503), {"health"}),
        (server.faults.refuse_upgrade, (404,), {"handshake"}),
        (server.faults.garble_handshake, (), {"handshake"}),
        (server.faults.close_handshake, (), {"handshake"}),
        (server.faults.silence_handshake, ("open",), {"handshake"}),
        (server.faults.refuse_handshake, ("Server is full",), {"namespace"}),
        (server.faults.silence_handshake, ("connect",), {"namespace"}),
    ):
        fault(*args)
        found = await outcomes(url, token=good, timeout=1.5)
        assert failed(found) == names, (fault.__name__, found)
        server.faults.clear()


async def test_a_room_that_nothing_shows_is_not_said_to_be_entered(scene: Scene) -> None:
    scene.server.faults.drop_events("user_typing", count=None)
    found = await outcomes(scene.server.url, token=scene.server.token(*DOCTOR), timeout=2.0)
    assert failed(found) == {"typing"}
    assert found["room"].outcome is SKIPPED
    assert "cannot be seen" in found["typing"].detail
    scene.server.faults.clear()
    scene.server.faults.drop_events("user_typing", count=1)  # one that was lost is sent again
    assert not failed(await outcomes(scene.server.url, token=scene.server.token(*DOCTOR)))


async def test_clocks_that_are_apart(scene: Scene) -> None:
    ahead = {"Date": "Fri, 01 Jan 2100 00:00:00 GMT"}
    scene.server.faults.answer("health", 200, count=None, body={"status": "success"}, headers=ahead)
    found = await outcomes(scene.server.url, token=scene.server.token(*DOCTOR))
    assert failed(found) == {"clock"}
    assert found["clock"].facts["server_ahead_seconds"] > 10**9


async def test_a_server_that_is_not_there() -> None:
    refused = await outcomes(
        "http://localhost:9", token=lambda: "eyJhbGciOiJub25lIn0.eyJpZCI6NSwicm9sZSI6InBhdGllbnQifQ."
    )
    assert failed(refused) == {"token", "tcp"}  # a JWT has a signature
    assert "connection refused" in refused["tcp"].detail
    nameless = await outcomes("https://nowhere.invalid")
    assert "dns" in failed(nameless)
    assert nameless["namespace"].detail == f"not looked at, because of: {CHECKS['dns']}"
    with pytest.raises(ConfigurationError):
        await diagnose("http://example.org")
    with pytest.raises(ConfigurationError):
        await diagnose("http://localhost", timeout=0)


async def test_tls(scene: Scene, tmp_path: Path) -> None:
    authority = trustme.CA()
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    port = int(scene.server.url.rpartition(":")[2])
    token = scene.server.token(*DOCTOR)
    config = MessagingConfig(verify=str(trusted))
    async with TlsFront(port, server_context(authority.issue_cert("localhost"))) as front:
        good = await outcomes(front.url, token=token, config=config)
        assert not failed(good)
        assert good["tls"].facts["version"] == "TLSv1.3"
        assert good["tls"].facts["certificate_days"] > 0
        unknown = await outcomes(front.url, token=token)
        assert failed(unknown) == {"tls"}
        assert unknown["health"].outcome is SKIPPED
        unverified = await outcomes(front.url, token=token, config=MessagingConfig(verify=False))
        assert "not verified" in unverified["tls"].detail
    async with TlsFront(port, server_context(authority.issue_cert("elsewhere.example"))) as front:
        other = await outcomes(front.url, token=token, config=config)
        assert failed(other) == {"tls"}
        assert "name" in str(other["tls"].advice)
    plain = await outcomes(f"https://localhost:{port}", token=token)
    assert failed(plain) == {"tls"}
    assert token not in repr((good, unknown, plain))
