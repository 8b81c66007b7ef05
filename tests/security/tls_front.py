"""TLS in front of a server that speaks plain HTTP, as a reverse proxy does it; and certificates, good and bad."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Self

import trustme


def server_context(issued: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


def old_context(issued: trustme.LeafCert) -> ssl.SSLContext:
    """One that speaks TLS 1.1 at best, which today's OpenSSL does at its lowest security level only."""
    context = server_context(issued)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with contextlib.suppress(ValueError):  # an OpenSSL without it: then there is nothing older to be refused
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def written(folder: Path, issued: trustme.LeafCert) -> tuple[str, str]:
    """Certificate and key in files."""
    cert, key = folder / "client.pem", folder / "client.key"
    cert.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return str(cert), str(key)


class TlsFront:
    """Passes on what comes to a port of this machine.

    Attributes:
        handshakes: connections whose TLS handshake succeeded.
        heard: bytes that clients sent in them.
        versions: the protocols that were agreed on.
    """

    def __init__(self, target: int, context: ssl.SSLContext) -> None:
        self._target = target
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.handshakes = 0
        self.heard = b""
        self.versions: set[str | None] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handshakes += 1
        self.versions.add(writer.get_extra_info("ssl_object").version())
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ways = [
            asyncio.ensure_future(self._pass_on(reader, inner_writer, noted=True)),
            asyncio.ensure_future(self._pass_on(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before the next await, at which this may be cancelled.
            for each in (writer, inner_writer):
                each.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, noted: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65536):
                self.heard += data if noted else b""
                writer.write(data)
                await writer.drain()
