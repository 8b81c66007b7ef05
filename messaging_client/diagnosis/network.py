"""The way to the server, a step at a time: name, TCP, TLS, and the first words of the socket. No token goes along."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp

from messaging_client.config import MessagingConfig
from messaging_client.diagnosis.steps import CheckFailed, NotApplicable, Seen
from messaging_client.transport import tls
from messaging_client.transport.address import ProxyAddress, ServerAddress
from messaging_client.transport.doors import no_redirects

RENEW_DAYS = 14
"""Days before a certificate's expiry from which a diagnosis speaks of it."""

_HOSTNAME_MISMATCH = 62  # X509_V_ERR_HOSTNAME_MISMATCH
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_LARGEST_HELLO = 4096  # an open packet has some 100 bytes


class Network:
    """The steps, for one server and one configuration.

    Args:
        address: the server.
        config: `verify`, `cert`, `proxy`, `headers` and `socketio_path` are looked at.
    """

    def __init__(self, address: ServerAddress, config: MessagingConfig) -> None:
        self._address = address
        self._config = config
        nearest = address
        if config.proxy is not None:
            nearest = ServerAddress.parse(ProxyAddress.parse(config.proxy).url, allow_insecure=True)
        self._host = nearest.host
        self._port = nearest.port or (443 if nearest.scheme == "https" else 80)
        self._whose = "" if config.proxy is None else "the proxy: "

    async def look_up(self) -> Seen:
        """Ask for the addresses of the server's name, or of the proxy's."""
        if _is_address(self._host):
            raise NotApplicable(f"{self._host} is an address, no name")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise CheckFailed(
                f"{self._whose}no address is known for {self._host}",
                "Check the spelling of the server's address, and this machine's DNS (or VPN).",
            ) from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        return Seen(f"{self._whose}{', '.join(addresses[:4])}", {"addresses": addresses})

    async def connect(self) -> Seen:
        """Open a TCP connection, and close it."""
        try:
            reached = await self._opened(None)
        except OSError as error:
            reason = _reason(error)
            raise CheckFailed(
                f"{self._whose}{self._host} port {self._port}: {reason}",
                "Check that the server runs, the port of its address, and what stands between (firewall, VPN).",
            ) from None
        return Seen(f"{self._whose}{reached} port {self._port}", {"address": reached, "port": self._port})

    async def secure(self) -> Seen:
        """Make a TLS handshake, and look at the certificate."""
        if self._address.scheme != "https":
            raise NotApplicable("the address begins with http://: nothing is encrypted")
        if self._config.proxy is not None:
            raise NotApplicable("not looked at through a proxy; the requests below go through it")
        context = tls.context_for(self._config.verify, self._config.cert)
        try:
            secured = await self._handshaken(context)
        except ssl.SSLCertVerificationError as error:
            raise CheckFailed(
                f"the certificate is not accepted: {error.verify_message}", _certificate_advice(error.verify_code)
            ) from None
        except (ssl.SSLError, OSError) as error:
            raise CheckFailed(
                f"no TLS handshake: {_reason(error)}",
                "Check that this port speaks TLS (https://) in version 1.2 or newer, and any client certificate.",
            ) from None
        return _read_certificate(secured)

    async def say_hello(self) -> Seen:
        """Open the WebSocket, and read what a Socket.IO server says first; no token is sent."""
        path = f"{self._address.path}{self._config.socketio_path.rstrip('/')}/?EIO=4&transport=websocket"
        is_tls = self._address.scheme == "https"
        context = tls.context_for(self._config.verify, self._config.cert) if is_tls else True
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=dict(self._config.headers),
            trace_configs=[no_redirects()],
        )
        try:
            async with (
                session,
                session.ws_connect(
                    self._address.origin + path, proxy=self._config.proxy, max_msg_size=_LARGEST_HELLO
                ) as websocket,
            ):
                return _read_hello(await websocket.receive())
        except aiohttp.WSServerHandshakeError as error:
            advice = "Check the address and the path of Socket.IO, and that a proxy in between passes WebSockets on."
            raise CheckFailed(f"the server answers the WebSocket with HTTP {error.status}", advice) from None
        except (aiohttp.ClientError, OSError) as error:
            raise CheckFailed(
                f"no WebSocket: {type(error).__name__}", "Check that the server speaks Socket.IO 4 on this address."
            ) from None

    async def _opened(self, context: ssl.SSLContext | None) -> str:
        _, writer = await asyncio.open_connection(
            self._host, self._port, ssl=context, happy_eyeballs_delay=None if _is_address(self._host) else 0.25
        )
        try:
            return str(writer.get_extra_info("peername")[0])
        finally:
            writer.transport.abort()

    async def _handshaken(self, context: ssl.SSLContext) -> ssl.SSLObject:
        _, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        try:
            secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
            return secured
        finally:
            writer.transport.abort()


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return True
    return False


def _reason(error: OSError) -> str:
    """What went wrong, in the system's words; without addresses, which asyncio puts in."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or type(error).__name__).lower().replace("_", " ")
    if isinstance(error, ConnectionRefusedError) or (not error.errno and "refused" in str(error).lower()):
        return "connection refused"
    return (error.strerror or type(error).__name__) if error.errno else "no connection"


def _certificate_advice(code: int) -> str:
    if code == _EXPIRED:
        return "The server's certificate has expired (or this machine's clock is wrong): have it renewed."
    if code == _HOSTNAME_MISMATCH:
        return "Write the server's address with a name that stands in its certificate."
    return "Give the certificate of the authority that signed it (--ca-file, or verify= in MessagingConfig)."


def _read_certificate(secured: ssl.SSLObject) -> Seen:
    version, certificate = secured.version() or "TLS", secured.getpeercert()
    if not certificate:
        return Seen(f"{version}; the certificate is not verified (verify=False)", {"version": version})
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (expires - datetime.now(UTC)).days
    return Seen(
        f"{version}, certificate valid until {expires:%Y-%m-%d} ({days} days)",
        {"version": version, "certificate_expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}", "certificate_days": days},
        advice=f"The certificate expires in {days} days: have it renewed." if days < RENEW_DAYS else None,
    )


def _read_hello(frame: aiohttp.WSMessage) -> Seen:
    said: Any = None
    if frame.type is aiohttp.WSMsgType.TEXT and frame.data.startswith("0"):
        with contextlib.suppress(ValueError, RecursionError):
            said = json.loads(frame.data[1:])
    interval = said.get("pingInterval") if isinstance(said, dict) else None
    patience = said.get("pingTimeout") if isinstance(said, dict) else None
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in (interval, patience)):
        raise CheckFailed(
            "the WebSocket opens, and the server does not begin as Socket.IO 4 does",
            "Check the path of Socket.IO, and that the server speaks its version 4 (Engine.IO protocol 4).",
        )
    assert interval is not None
    assert patience is not None
    return Seen(
        f"WebSocket open; pings every {interval / 1000:g} s, {patience / 1000:g} s to answer",
        {"ping_interval": interval / 1000, "ping_timeout": patience / 1000},
    )
