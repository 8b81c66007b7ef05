"""What of frames and requests is written down, and what stands in place of the rest.

Nothing is written unless it is known to be structure (`wire/structural.py`). The same text has the same placeholder
throughout a recording, so that what was equal stays equal; the key of it is not kept, so that nobody can try texts out.
"""

from __future__ import annotations

import hmac
import math
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from messaging_client import strict_json
from messaging_client.transport.refusals import Refusal, explain
from messaging_client.wire import structural

SECRET = "[secret]"  # noqa: S105 - what stands in place of one
"""In place of what may let somebody in."""

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,4}|(?i:bearer)\s+\S+")
_PACKET = re.compile(r"4([0-6])(?:[0-9]{1,3}-)?(?:[0-9]{1,18})?", re.ASCII)
_ENGINE = ("open", "close", "ping", "pong", "message", "upgrade", "noop")
_SOCKET = ("connect", "disconnect", "event", "ack", "connect_error", "binary_event", "binary_ack")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
_MEDIA_TYPES = ("application/json", "text/html", "text/plain")
_SHORTEST_CLASS = 16
_UNREADABLE = (ValueError, RecursionError)

Json = dict[str, Any]


class Redaction:
    """Makes what can be written down of what went over the network.

    Args:
        contents: keep everything but secrets, texts of patients included.
        segments: parts of addresses that are the same for everybody, besides those of the protocol.
    """

    def __init__(self, *, contents: bool, segments: frozenset[str] = frozenset()) -> None:
        self._contents = contents
        self._segments = segments
        self._salt = secrets.token_bytes(32)

    # Single values

    def placeholder(self, text: str) -> str:
        """Give what stands in place of a text: a class of length, and what is the same for the same text."""
        length = max(_SHORTEST_CLASS, 1 << (len(text) - 1).bit_length()) if text else 0
        return f"[~{length} {self._digest(text)[:10]}]"

    def _digest(self, text: str) -> str:
        return hmac.digest(self._salt, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    def value(self, value: Any, key: str = "") -> Any:
        """Give what can be written of a value that stands under a key.

        Raises:
            RecursionError: it is nested too deeply.
        """
        if value is None or value is True or value is False:
            return value
        if structural.is_secret_key(key):
            return SECRET
        if isinstance(value, dict):
            return {self._key(name): self.value(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, key) for each in value]
        if isinstance(value, str):
            return self._text(value, key)
        return self._number(value, key)

    def _key(self, name: str) -> str:
        if self._contents:
            return _without_tokens(name)
        return name if not name or name in structural.KNOWN_KEYS else self.placeholder(name)

    def _text(self, text: str, key: str) -> str:
        if self._contents:
            return _without_tokens(text)
        if not text or structural.is_structural(key, text):
            return text
        return self.placeholder(text)

    def _number(self, number: float, key: str) -> float:
        if isinstance(number, float) and not math.isfinite(number):
            return 0.0  # JSON has no such number, and yet `1e999` is read as one
        if self._contents or key in structural.STRUCTURAL_KEYS or key in structural.ID_PLACES:
            return number
        other = 10**8 + int(self._digest(repr(number)), 16) % (9 * 10**8)
        return other if isinstance(number, int) else other + 0.5

    # Addresses

    def path(self, path: str) -> str:
        """Give what can be written of a path below `api_path`."""
        return "/".join(quote(self._segment(unquote(each)), safe="[]~ ") for each in path.split("/"))

    def _segment(self, text: str) -> str:
        if self._contents:
            return _without_tokens(text)
        return text if structural.is_path_segment(text, self._segments) else self.placeholder(text)

    def query(self, query: str) -> dict[str, str]:
        """Give what can be written of a query."""
        pairs = parse_qsl(query, keep_blank_values=True)
        return {self._key(name): str(self.value(each, name)) for name, each in pairs}

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Give the few headers of an answer that a client goes by."""
        given = {name.lower(): value for name, value in headers.items()}
        kept = {}
        if _HTTP_DATE.fullmatch(date := given.get("date", "")):
            kept["date"] = date
        wait = given.get("retry-after", "")
        if _SECONDS.fullmatch(wait) or _HTTP_DATE.fullmatch(wait):
            kept["retry-after"] = wait
        media_type = given.get("content-type", "").partition(";")[0].strip()
        if media_type in _MEDIA_TYPES:
            kept["content-type"] = media_type
        return kept

    # Wholes

    def body(self, body: bytes | None) -> Json:
        """Give a body as `body`, or as `length` where it is no JSON."""
        if not body:
            return {}
        try:
            return {"body": self.value(strict_json.loads(body.decode("utf-8-sig")))}
        except _UNREADABLE:
            return {"length": len(body)}

    def frame(self, frame: str | bytes) -> Json:
        """Give a frame: what kind it is, how it begins, and its data, or their length where they are no JSON."""
        if isinstance(frame, bytes):
            return {"type": "binary", "length": len(frame)}
        kind, head = _begins(frame)
        if (length := len(frame) - len(head)) == 0:
            return {"type": kind, "frame": head}
        try:
            data = self._data(kind, strict_json.loads_from(frame, len(head)))
        except _UNREADABLE:
            return {"type": kind, "frame": head, "length": length}
        return {"type": kind, "frame": head, "data": data}

    def _data(self, kind: str, data: Any) -> Any:
        if kind == "connect_error" and not self._contents and _is_about_authentication(data):
            return {"message": structural.AUTHENTICATION_REFUSED}
        if kind not in ("event", "binary_event") or not isinstance(data, list) or not data:
            return self.value(data)
        name, *args = data
        key = "conversation_id" if isinstance(name, str) and name in structural.JOIN_EVENTS else ""
        return [self._event_name(name), *(self.value(each, key) for each in args)]

    def _event_name(self, name: Any) -> Any:
        is_plain = isinstance(name, str) and structural.is_event_name(name) and _without_tokens(name) == name
        return name if is_plain else self.value(name)


def _begins(frame: str) -> tuple[str, str]:
    """Give the kind of a frame, and what stands before its data."""
    packet = _PACKET.match(frame)
    if packet is not None:
        return _SOCKET[int(packet[1])], packet[0]
    engine = frame[:1]
    if engine in tuple("0123456"):
        return _ENGINE[int(engine)], engine
    return "unknown", ""


def _is_about_authentication(data: Any) -> bool:
    return bool(getattr(explain(Refusal(data)), "about_authentication", False))


def _without_tokens(text: str) -> str:
    return _JWT.sub(SECRET, text)
