"""REST and the socket over TLS, against real certificates: trusted ones are enough for both, others for neither."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from scenes import PATIENT, Scene
from tls_front import TlsFront, old_context, server_context, written

from messaging_client import ConfigurationError, ConnectFailed, Message, MessagingClient, MessagingConfig

AUTHORITY = trustme.CA()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        yield scene


async def talks(scene: Scene, front: TlsFront, **settings: Any) -> None:
    """Connect, send over REST, and hear the message over the socket."""
    async with AsyncExitStack() as stack:
        client = MessagingClient(front.url, token=scene.server.token(*PATIENT), config=MessagingConfig(**settings))
        stack.push_async_callback(client.aclose)
        await client.connect()
        await client.join_conversation(scene.conversation)
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation), timeout=20)
        async with client.expect(Message, lambda each: each.content == "over the socket", timeout=20) as live:
            await client.send_message_to_conversation(scene.conversation, "over REST")
            await scene.say("over the socket")
        await live


async def refused(scene: Scene, front: TlsFront, **settings: Any) -> list[str]:
    """Neither REST nor the socket says a word to such a server; gives both texts."""
    config = MessagingConfig(max_retries=0, **settings)
    client = MessagingClient(front.url, token=scene.server.token(*PATIENT), config=config)
    try:
        with pytest.raises(ConnectFailed) as socket:
            await client.connect()
        with pytest.raises(ConnectFailed) as rest:
            await client.get_unread_conversations()
        assert not rest.value.may_have_left
    finally:
        await client.aclose()
    assert front.heard == b""
    assert not scene.server.requests
    return [str(socket.value), str(rest.value)]


async def test_a_certificate_of_an_authority_of_ones_own(scene: Scene, ca_file: str) -> None:
    async with TlsFront(scene.server.port, server_context(AUTHORITY.issue_cert("localhost"))) as front:
        await talks(scene, front, verify=ca_file)
        assert front.versions <= {"TLSv1.2", "TLSv1.3"}


async def test_tls_1_2_is_spoken(scene: Scene, ca_file: str) -> None:
    context = server_context(AUTHORITY.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with TlsFront(scene.server.port, context) as front:
        await talks(scene, front, verify=ca_file)
        assert front.versions == {"TLSv1.2"}


LONG_PAST = datetime(2020, 1, 1, tzinfo=UTC)

BAD: dict[str, Callable[[], ssl.SSLContext]] = {
    "of another name": lambda: server_context(AUTHORITY.issue_cert("elsewhere.example")),
    "of another authority": lambda: server_context(trustme.CA().issue_cert("localhost")),
    "expired": lambda: server_context(
        AUTHORITY.issue_cert("localhost", not_before=LONG_PAST, not_after=LONG_PAST + timedelta(days=1))
    ),
    "TLS 1.1": lambda: old_context(AUTHORITY.issue_cert("localhost")),
}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_server_that_cannot_be_trusted(scene: Scene, ca_file: str, fault: str) -> None:
    async with TlsFront(scene.server.port, BAD[fault]()) as front:
        await refused(scene, front, verify=ca_file)
        assert front.handshakes == 0


async def test_an_authority_that_nobody_was_told_of(scene: Scene) -> None:
    async with TlsFront(scene.server.port, server_context(AUTHORITY.issue_cert("localhost"))) as front:
        texts = await refused(scene, front)
    assert "certificate is not trusted" in texts[1]


async def test_without_verification_if_asked_for(scene: Scene) -> None:
    async with TlsFront(scene.server.port, server_context(trustme.CA().issue_cert("elsewhere.example"))) as front:
        await talks(scene, front, verify=False)


async def test_a_context_of_the_users_own(scene: Scene) -> None:
    own = ssl.create_default_context()
    AUTHORITY.configure_trust(own)
    async with TlsFront(scene.server.port, server_context(AUTHORITY.issue_cert("localhost"))) as front:
        await talks(scene, front, verify=own)


@pytest.mark.parametrize("given", [True, False])
async def test_a_server_that_asks_for_a_client_certificate(
    scene: Scene, ca_file: str, tmp_path: Path, given: bool
) -> None:
    context = server_context(AUTHORITY.issue_cert("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    # With 1.3 a client hears of the refusal only after it has written its request.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    AUTHORITY.configure_trust(context)
    cert = written(tmp_path, AUTHORITY.issue_cert("client.example"))
    async with TlsFront(scene.server.port, context) as front:
        if given:
            await talks(scene, front, verify=ca_file, cert=cert)
        else:
            await refused(scene, front, verify=ca_file)


# --- plain http ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["clinic.example", "192.0.2.1", "[2001:db8::1]", "localhost.example", "0.0.0.0"])
def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dial(*_: Any) -> None:
        raise AssertionError("nobody may be called")

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", dial)
    monkeypatch.setattr("socket.getaddrinfo", dial)
    token = trusted_token()
    with pytest.raises(ConfigurationError, match="allow_insecure"):
        MessagingClient(f"http://{host}:3000", token=token)
    MessagingClient(f"http://{host}:3000", token=token, config=MessagingConfig(allow_insecure=True))
    MessagingClient(f"https://{host}:3000", token=token)
    for here in ("localhost", "127.0.0.1", "127.5.5.5", "[::1]"):
        MessagingClient(f"http://{here}:3000", token=token)


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "https://proxy.example:3128", "http://192.0.2.1:1"])
def test_plain_http_through_another_machine_is_refused_too(proxy: str) -> None:
    token = trusted_token()
    with pytest.raises(ConfigurationError, match="allow_insecure"):
        MessagingClient("http://localhost:3000", token=token, config=MessagingConfig(proxy=proxy))
    MessagingClient("http://localhost:3000", token=token, config=MessagingConfig(proxy=proxy, allow_insecure=True))
    MessagingClient("https://localhost:3000", token=token, config=MessagingConfig(proxy=proxy))
    MessagingClient("http://localhost:3000", token=token, config=MessagingConfig(proxy="http://127.0.0.1:3128"))


def trusted_token() -> str:
    from messaging_client.testing import mint_token

    return mint_token("k" * 32, *PATIENT)
