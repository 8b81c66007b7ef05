"""Why a handshake failed, and whether it concerns authentication (wire protocol, section 2)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import aiohttp

from messaging_client.errors import ConnectFailed
from messaging_client.wire.values import well_formed

_SPEAKS_OF_AUTHENTICATION = re.compile(r"auth|token|jwt|expired|\b40[13]\b", re.IGNORECASE)


class HandshakeRefused(ConnectFailed):
    """The server refused the handshake; `about_authentication` says whether a fresh token may help."""

    def __init__(self, text: str, *, about_authentication: bool, server_message: str | None = None) -> None:
        super().__init__(text, server_message=server_message)
        self.about_authentication = about_authentication


@dataclass(frozen=True, repr=False)
class Refusal:
    """What the server sent when it refused the namespace, in `connect_error`."""

    data: Any


def explain(failure: BaseException | Refusal) -> ConnectFailed:
    """Make our error of a failed handshake.

    Args:
        failure: the server's `connect_error` if there was one, else what the library raised; the HTTP status hides
            behind that, as `__cause__.__context__`.
    """
    if isinstance(failure, Refusal):
        said = _text_of(failure.data)
        return HandshakeRefused(
            "The server refused the handshake; see `server_message` for its reason.",
            about_authentication=bool(_SPEAKS_OF_AUTHENTICATION.search(said)),
            server_message=said,
        )
    status = _http_status(failure)
    if status is not None:
        advice = "check the address and socketio_path"
        if 300 <= status < 400:
            advice = "redirects are not followed, for the token would go elsewhere: configure the final address"
        return HandshakeRefused(
            f"The server answered the handshake with HTTP {status}; {advice}.",
            about_authentication=status in (401, 403),
        )
    return ConnectFailed(
        f"The server could not be reached or does not speak Socket.IO 4 ({_kind(failure)}); "
        "check the address and that it is running."
    )


def _text_of(data: Any) -> str:
    try:
        text = data if isinstance(data, str) else json.dumps(data, default=str, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = ""  # nested more deeply than can be written
    return well_formed(text[:2000])


def _causes(failure: BaseException) -> list[BaseException]:
    """An exception and what stands behind it, nearest first."""
    chain: list[BaseException] = []
    current: BaseException | None = failure
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _http_status(failure: BaseException) -> int | None:
    for each in _causes(failure):
        if isinstance(each, aiohttp.WSServerHandshakeError):
            return each.status
    return None


def _kind(failure: BaseException) -> str:
    """What went wrong, by the name of the innermost exception; texts may hold addresses and are not shown."""
    return type(_causes(failure)[-1]).__name__
