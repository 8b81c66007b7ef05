"""Why a handshake failed, and whether it concerns authentication (wire protocol, section 2)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from messaging_client.errors import ConnectFailed
from messaging_client.wire.values import well_formed

_WORD_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")  # TokenExpiredError, auth_failed
_SPEAKS_OF_AUTHENTICATION = re.compile(
    r"\b(?:"
    r"(?:re|un|non)?auth(?:n|z|ed|entic\w*|entif\w*|ori[sz](?:e|ed|ation|ing))?"  # and neither author nor authority
    r"|auth(?:failed|failure|error|required|expired|invalid|token)\w*"
    r"|\w*tokens?|token(?:expired|invalid|error|missing|revoked|required)\w*"
    r"|\w*jwt\w*"
    r"|jetons?|non autorisee?s?"
    r"|40[13]"
    r")\b"
)
_EXPIRED = re.compile(r"expiree?s?|expired")
_TEXT_PART = re.compile(r"\w+|[^\w\s]")
_LOGIN = re.compile(
    r"access|account|bearer|compte|cookie|credentials?|login|password|sessions?|signature|user|utilisateur"
)
# Between what has expired and the word itself, and what answers are made of: they name nothing that can expire.
_SMALL_WORD = re.compile(
    r"a|already|an|and|are|at|be|been|before|deja|est|et|etait|etes|has|have|in|is|it|just|la|le|les|maintenant|now|on|"
    r"or|ou|please|que|since|sont|the|this|to|true|veuillez|votre|vous|was|were|your|"
    r"codes?|data|description|details?|errors?|erreurs?|events?|expire|expired|kind|level|messages?|msg|name|reasons?|"
    r"raisons?|refusee?s?|refused|response|statut|status|text|title|type|warning|"
    r"again|connect|connection|connexion|log|reconnect|refresh|renew|retry|sign|try"
)
_LONGEST_TEXT = 2000
_LONGEST_PART = 500
_MOST_PARTS = 200


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
            about_authentication=any(map(_is_about_authentication, _texts_in(failure.data))),
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
    return well_formed(text[:_LONGEST_TEXT])


def _texts_in(data: Any) -> Iterator[str]:
    """Give every text and number that the server sent, each behind the name under which it stands."""
    waiting: list[tuple[str, Any]] = [("", data)]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), each) for key, each in value.items()]
        elif isinstance(value, list):
            waiting += [(name, each) for each in value]
        elif isinstance(value, str | int) or value is None:
            yield f"{name} {'' if value is None else value}"[:_LONGEST_PART]


def _is_about_authentication(text: str) -> bool:
    """Whether a text speaks of authentication, by whole words.

    `expired` does, unless something else is said to have expired: a lock, a lease.
    """
    apart = unicodedata.normalize("NFKD", _WORD_JOINT.sub(" ", text).casefold())
    plain = "".join(each for each in apart if not unicodedata.combining(each))
    if _SPEAKS_OF_AUTHENTICATION.search(plain):
        return True
    parts = _TEXT_PART.findall(plain)
    return any(_EXPIRED.fullmatch(part) and not _is_of_others(parts, index) for index, part in enumerate(parts))


def _is_of_others(parts: list[str], index: int) -> bool:
    """Whether what stands before the word, or else right behind it, has expired and is no login."""
    before = [part for part in parts[:index] if not part.isdecimal() and not _SMALL_WORD.fullmatch(part)]
    if before:
        return before[-1].isalpha() and not _LOGIN.fullmatch(before[-1])
    behind = "".join(parts[index + 1 : index + 2])
    return behind.isalpha() and not _LOGIN.fullmatch(behind) and not _SMALL_WORD.fullmatch(behind)


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
