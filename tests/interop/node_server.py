"""The messaging server on the real Socket.IO and Express, with the interface of the embedded one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from messaging_client.testing import ServerOptions, mint_token
from messaging_client.testing.inputs import milliseconds
from messaging_client.testing.records import EventRecord, Identity, RequestRecord, SocketInfo
from tests.interop.node_faults import NodeFaults, User, person
from tests.interop.node_process import NodeError, NodeProcess, shared_process

Json = dict[str, Any]


def _user(found: Json) -> Identity:
    return Identity(found["type"], found["id"])


class NodeServer:
    """`messaging_client.testing.MessagingServer`, on Node; see there for what each method means.

    Args:
        options: which server it is, as for the embedded one.
        own_process: whether it has a process to itself, which `kill` ends.
        switches: what only this server has: `connection_state_recovery`, and `join_delay` in seconds.

    Attributes:
        faults: everything that can be made to go wrong.
    """

    def __init__(self, *, options: ServerOptions | None = None, own_process: bool = False, **switches: Any) -> None:
        self.options = options or ServerOptions()
        self._given = asdict(self.options) | {"relay_events": list(self.options.relay_events)} | switches
        self._secret = secrets.token_hex(32)
        self._own = own_process
        self._saved: Json | None = None
        self._port = 0
        self._news = asyncio.Event()
        self._attached = ExitStack()
        self.faults = NodeFaults(self._ask, self._ask_later)
        self._process: NodeProcess | None = None
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._process = NodeProcess() if self._own else shared_process()
        self._number = self._process.new_server(options=self._given, secret=self._secret, saved=self._saved)
        self._process.on_change[self._number] = self._news.set

    def _there(self) -> NodeProcess:
        if self._process is None:
            raise RuntimeError("The server has been killed; start it first.")
        return self._process

    def _ask(self, what: str, /, **given: Any) -> Any:
        return self._there().ask(self._number, what, **given)

    async def _ask_later(self, what: str, /, **given: Any) -> Any:
        return await self._there().ask_later(self._number, what, **given)

    # Life

    async def start(self) -> None:
        if self._process is None:
            self._begin()
        self._attached.enter_context(self._there().attached())
        self._port = await self._ask_later("start", port=self._port)

    async def stop(self) -> None:
        await self._ask_later("stop")
        self._attached.close()
        self._news.set()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def kill(self) -> None:
        """End the process of the server by SIGKILL; what it holds is there again after `start`, its faults are not."""
        assert self._own, "the process is not the server's own"
        self._saved = self._ask("save")
        self._attached.close()
        process, self._process = self._there(), None
        process.end(kill=True)
        self._news.set()

    async def aclose(self) -> None:
        if self._process is not None:
            process, number = self._process, self._number
            await self._ask_later("forget")
            self._attached.close()
            del process.on_change[number]
            if self._own:
                process.end()
        self._process = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    # Addresses and tokens

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def token(self, user_type: str, user_id: int, *, expires_in: float = 3600.0, **claims: Any) -> str:
        return mint_token(self._secret, user_type, user_id, expires_in=expires_in, **claims)

    def revoke(self, token: str) -> None:
        self.faults.revoke(token)

    # What it holds

    def add_user(
        self,
        user_type: str,
        user_id: int,
        *,
        prenom: str | None = None,
        nom: str | None = None,
        specialite: str | None = None,
    ) -> None:
        known = {"prenom": prenom, "nom": nom, "specialite": specialite}
        names = {name: value for name, value in known.items() if value is not None}
        self._ask("add_user", user=person((user_type, user_id)), names=names)

    def add_context(self, context_type: str, context_id: int, **fields: Any) -> None:
        self._ask("add_context", type=context_type, id=context_id, fields=fields)

    async def create_conversation(
        self,
        titre: str,
        participants: Sequence[User],
        *,
        type_conversation: str = "patient_medecin",
        context: tuple[str, int] | None = None,
    ) -> int:
        explicit = None if context is None else {"type": context[0], "id": context[1]}
        people = [person(each) for each in participants]
        made = await self._ask_later(
            "create_conversation", titre=titre, kind=type_conversation, participants=people, context=explicit
        )
        return int(made)

    async def set_status(self, conversation_id: int, statut: str) -> None:
        await self._ask_later("set_status", conversation=conversation_id, statut=statut)

    async def say(
        self,
        conversation_id: int,
        contenu: str,
        sender: User,
        *,
        type_message: str = "texte",
        at: datetime | None = None,
        client_message_id: str | None = None,
        broadcast: bool = True,
    ) -> Json:
        given = {"kind": type_message, "key": client_message_id, "broadcast": broadcast}
        when = None if at is None else milliseconds(at)
        try:
            said: Json = await self._ask_later(
                "say", conversation=conversation_id, contenu=contenu, sender=person(sender), at=when, **given
            )
        except NodeError as error:
            raise LookupError(str(error)) from None
        return said

    async def mark_read(self, message_id: int, reader: User) -> Json:
        try:
            marked: Json = await self._ask_later("mark_read", message=message_id, reader=person(reader))
        except NodeError as error:
            raise LookupError(str(error)) from None
        return marked

    async def typing(self, conversation_id: int, user: User, is_typing: bool = True) -> None:
        await self._ask_later("typing", conversation=conversation_id, user=person(user), is_typing=is_typing)

    async def emit(self, event: str, *args: Any, user: User | None = None, conversation_id: int | None = None) -> int:
        reached = await self._ask_later("emit", event=event, args=args, user=person(user), conversation=conversation_id)
        return int(reached)

    def messages(self, conversation_id: int) -> list[Json]:
        found: list[Json] = self._ask("messages", conversation=conversation_id)
        return found

    # What goes on in it

    def connections(self, user: User | None = None) -> list[SocketInfo]:
        found = [SocketInfo(socket_id, _user(who)) for socket_id, who in self._ask("connections")]
        return [each for each in found if user in (None, each.user)]

    def rooms(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self._ask("rooms")
        return found

    def members(self, conversation_id: int) -> list[Identity]:
        joined = self.rooms().get(f"conversation:{conversation_id}", ())
        return list(dict.fromkeys(each.user for each in self.connections() if each.socket_id in joined))

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        found = self._ask("requests")
        return tuple(RequestRecord(**each | {"user": each["user"] and _user(each["user"])}) for each in found)

    @property
    def events(self) -> tuple[EventRecord, ...]:
        found = self._ask("events")
        return tuple(EventRecord(event, _user(user), *more) for event, user, *more in found)

    async def wait_until(self, predicate: Callable[[], Any], timeout: float = 10.0) -> None:
        try:
            async with asyncio.timeout(timeout):
                while True:
                    self._news.clear()  # before the predicate: news may come while it asks the process
                    if predicate():
                        return
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"The server did not come to that state within {timeout:g} s.") from None
