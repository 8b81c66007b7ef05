"""Everything that can be made to go wrong in a server on Node: the interface of `messaging_client.testing.Faults`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from messaging_client.testing.faults import HTML, User
from messaging_client.testing.rest import failure
from messaging_client.testing.rules import OPERATIONS, Reply, Stage, check_count, reply

Ask = Callable[..., Any]


def person(user: User | None) -> dict[str, Any] | None:
    """A person as the Node process names them."""
    return None if user is None else {"type": user[0], "id": user[1]}


class NodeFaults:
    """See `Faults` for what each of these means.

    Args:
        ask, ask_later: how the server is asked for something, blocking and not.
    """

    def __init__(self, ask: Ask, ask_later: Ask) -> None:
        self._ask = ask
        self._ask_later = ask_later

    def _add(self, kind: str, count: int | None, name: str | None = None, **what: Any) -> None:
        check_count(count)
        if kind in ("answer", "delay") and name is not None and name not in OPERATIONS:
            raise ValueError(f"no operation {name}")
        self._ask("add_fault", kind=kind, name=name, count=count, what=what)

    # REST

    def answer(
        self,
        operation: str | None,
        status: int,
        *,
        count: int | None = 1,
        after_storing: bool = False,
        retry_after: float | str | None = None,
        message: str = "Panne demandée",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        content = failure(status, message) if body is None else body
        made = reply(status, content, headers=headers, retry_after=retry_after, after_storing=after_storing)
        self._reply(operation, made, count)

    def garbage(
        self,
        operation: str | None,
        *,
        count: int | None = 1,
        body: str | bytes = HTML,
        content_type: str = "text/html; charset=utf-8",
        status: int = 200,
        after_storing: bool = False,
    ) -> None:
        self._reply(operation, reply(status, body, content_type=content_type, after_storing=after_storing), count)

    def _reply(self, operation: str | None, made: Reply, count: int | None) -> None:
        what = {"status": made.status, "headers": dict(made.headers), "after_storing": made.after_storing}
        self._add("answer", count, operation, do="reply", body=base64.b64encode(made.body).decode(), **what)

    def raw(self, operation: str | None, data: bytes, *, count: int | None = 1, after_storing: bool = False) -> None:
        text = base64.b64encode(data).decode()
        self._add("answer", count, operation, do="raw", data=text, after_storing=after_storing)

    def truncate(self, operation: str | None, *, count: int | None = 1) -> None:
        self._add("answer", count, operation, do="truncate", after_storing=True)

    def drop_before_storing(self, operation: str | None = "send", *, count: int | None = 1) -> None:
        self._add("answer", count, operation, do="drop", after_storing=False)

    def drop_after_storing(self, operation: str | None = "send", *, count: int | None = 1) -> None:
        self._add("answer", count, operation, do="drop", after_storing=True)

    def silence(self, operation: str | None, *, count: int | None = 1, after_storing: bool = False) -> None:
        self._add("answer", count, operation, do="silence", after_storing=after_storing)

    def delay(
        self, operation: str | None, seconds: float, *, count: int | None = 1, after_storing: bool = False
    ) -> None:
        self._add("delay", count, operation, seconds=seconds, after_storing=after_storing)

    # Handshakes

    def refuse_handshake(
        self, message: str = "Authentication error", *, data: Any = None, count: int | None = 1
    ) -> None:
        self._add("connect", count, do="refuse", message=message, data=data)

    def delay_handshake(self, seconds: float, *, count: int | None = 1) -> None:
        self._add("connect", count, do="delay", seconds=seconds)

    def refuse_upgrade(self, status: int = 503, *, body: str = "", count: int | None = 1) -> None:
        self._add("upgrade", count, do="refuse", status=status, body=body)

    def close_handshake(self, code: int = 1013, *, count: int | None = 1) -> None:
        self._add("upgrade", count, do="close", code=code)

    def garble_handshake(self, frame: str = "<html>", *, count: int | None = 1) -> None:
        self._add("upgrade", count, do="garble", frame=frame)

    def silence_handshake(self, at: Stage = "connect", *, count: int | None = 1) -> None:
        self._add("connect" if at == "connect" else "upgrade", count, do="silence", at=at)

    # Sockets

    async def cut(self, user: User | None = None) -> int:
        return int(await self._ask_later("cut", user=person(user)))

    async def disconnect(self, user: User | None = None) -> int:
        return int(await self._ask_later("disconnect", user=person(user)))

    def freeze(self, user: User | None = None) -> int:
        return int(self._ask("freeze", user=person(user)))

    def thaw(self) -> None:
        self._ask("thaw")

    # Tokens

    def expire(self, token: str) -> None:
        self._ask("kill_token", token=token)

    revoke = expire

    # Rooms and events

    def slow_join(self, seconds: float, *, count: int | None = 1) -> None:
        check_count(count)
        self._ask("add_fault", kind="join", name=None, count=count, what=seconds)

    def drop_events(self, event: str, *, count: int | None = 1, user: User | None = None) -> None:
        self._on_events(event, "drop", count, user)

    def duplicate_events(self, event: str, *, count: int | None = 1, times: int = 2, user: User | None = None) -> None:
        self._on_events(event, "duplicate", count, user, times=times)

    def reorder_events(self, event: str, *, count: int = 2, user: User | None = None) -> None:
        self._on_events(event, "reorder", count, user)

    def hold_events(self, event: str, *, user: User | None = None) -> None:
        self._on_events(event, "hold", None, user)

    def _on_events(self, event: str, action: str, count: int | None, user: User | None, **more: Any) -> None:
        check_count(count, 2 if action == "reorder" else 1)
        self._ask("add_event_fault", event=event, action=action, count=count, user=person(user), **more)

    async def release_events(self, event: str | None = None) -> int:
        return int(await self._ask_later("release_events", event=event))

    # All of them

    def pending(self) -> int:
        return int(self._ask("pending"))

    def clear(self) -> None:
        self._ask("clear")
