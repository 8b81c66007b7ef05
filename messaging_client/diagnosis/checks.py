"""The diagnosis itself: which step is made after which, and what each asks of the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from messaging_client.boundary import guarded
from messaging_client.client import MessagingClient
from messaging_client.config import MessagingConfig
from messaging_client.diagnosis.network import Network
from messaging_client.diagnosis.results import CHECKS, CheckOutcome, CheckResult, Diagnosis
from messaging_client.diagnosis.steps import CheckFailed, NotApplicable, Seen, Unknown
from messaging_client.errors import AuthenticationError, ConfigurationError, MessagingError, NotFound
from messaging_client.events import TypingEvent
from messaging_client.models import ConnectionState, Id, User, UserType
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.auth import Token
from messaging_client.words import duration

MOST_SKEW = 60
"""Seconds that this machine's clock and the server's may be apart before a diagnosis calls it a fault."""

_TYPING_INTERVAL = 1.0  # a server may need a moment to enter a room, so the event is sent again
_ADVICE = {
    "token": "Give a JWT of the user: MESSAGING_TOKEN, or token=.",
    "health": "Look at the server's log, and check the path of its API.",
    "authentication": "Log in again for a fresh token, and check that it is of this server.",
    "namespace": "Look at the server's log: it refuses the connection after the handshake.",
    "room": "Take a conversation in which the user takes part.",
}
_TELL = "Have somebody else type in the conversation, and see whether it comes (messaging-client tail --type typing)."

Step = Callable[[], Awaitable[Seen]]


@guarded
async def diagnose(
    target: MessagingClient | str,
    *,
    token: Token | None = None,
    config: MessagingConfig | None = None,
    conversation_id: Id | None = None,
    timeout: float = 10.0,
    on_result: Callable[[CheckResult], object] | None = None,
) -> Diagnosis:
    """Look at everything between a user and live messages, a step at a time.

    Args:
        target: a client, whose server, token and settings are taken and whose own connection is looked at as well; or
            the server's address.
        token: with an address: as for `MessagingClient`; without one, only the way to the server is looked at.
        config: with an address: as for `MessagingClient`.
        conversation_id: the conversation whose room is entered; the first of the user's list if not given.
        timeout: seconds that each answer is waited for.
        on_result: called with each result as it comes.

    Returns:
        The results, one for each of `CHECKS` (`client` only where one was given). Failing checks raise nothing.

    Raises:
        ConfigurationError: the address or a setting cannot work.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 3600:
        raise ConfigurationError("timeout must be seconds above 0, at most 3600.")
    if isinstance(target, MessagingClient):
        if token is not None or config is not None:
            raise ConfigurationError("Give a client alone, or an address with token= and config=.")
        url, settings, client = target._server, target._config, target
        token = target._tokens.current
    else:
        url, settings, client = target, config or MessagingConfig(), None
    patient = replace(
        settings,
        connect_timeout=float(timeout),
        request_timeout=float(timeout),
        request_deadline=float(timeout),
        max_retries=0,
        reconnection=False,
        fallback_poll_interval=3600.0,  # it looks, and does not keep up
    )
    address = ServerAddress.parse(url, allow_insecure=settings.allow_insecure)
    return await _Run(address, patient, token, client, conversation_id, float(timeout), on_result).run()


class _Run:
    """One diagnosis."""

    def __init__(
        self,
        address: ServerAddress,
        config: MessagingConfig,
        token: Token | None,
        client: MessagingClient | None,
        conversation_id: Id | None,
        timeout: float,
        on_result: Callable[[CheckResult], object] | None,
    ) -> None:
        self._address = address
        self._network = Network(address, config)
        self._config = config
        self._token = token
        self._client = client
        self._conversation_id = conversation_id
        self._timeout = timeout
        self._on_result = on_result
        self._results: list[CheckResult] = []
        self._in_the_way: dict[str, str] = {}  # each check that did not go well, and the one that is the cause
        self._probe = self._another()
        self._listener = self._another()
        self._user: User | None = None

    def _another(self) -> MessagingClient:
        """A client; the token is asked for when it is needed, so that one that is not there is seen by its check."""
        given = self._token

        async def ask() -> Any:
            value = given() if callable(given) else given
            return await value if asyncio.iscoroutine(value) or isinstance(value, asyncio.Future) else value

        return MessagingClient(self._address.base_url, token=ask, config=self._config)

    async def run(self) -> Diagnosis:
        """Make every check."""
        at = datetime.now(UTC)
        async with AsyncExitStack() as stack:
            for each in (self._probe, self._listener):
                stack.push_async_callback(each.aclose, drain=0)
            if self._client is not None:
                await self._check("client", self._look_at_client)
            await self._check("token", self._within_time(self._read_token))
            await self._check("expiry", self._read_expiry, "token")
            network = self._network
            await self._check("dns", self._within_time(network.look_up))
            await self._check("tcp", self._within_time(network.connect), "dns")
            await self._check("tls", self._within_time(network.secure), "tcp")
            await self._check("health", self._ask_health, "tls")
            await self._check("clock", self._compare_clocks, "tls")
            await self._check("authentication", self._authenticate, "tls", "token")
            await self._check("handshake", self._within_time(network.say_hello), "tls")
            await self._check("namespace", self._connect, "handshake", "token")
            await self._check_room()
        return Diagnosis(self._address.base_url, at, tuple(self._results))

    async def _check(self, name: str, step: Step, *needs: str) -> None:
        """Make one check, unless one that it needs was in the way, and tell how it ended."""
        self._tell(await self._result(name, step, *needs))

    async def _result(self, name: str, step: Step, *needs: str) -> CheckResult:
        began = time.monotonic()
        cause = next((self._in_the_way[each] for each in needs if each in self._in_the_way), None)

        def ended(
            outcome: CheckOutcome, detail: str, advice: str | None = None, facts: Mapping[str, Any] | None = None
        ) -> CheckResult:
            if outcome is not CheckOutcome.OK:
                self._in_the_way[name] = cause or name
            return CheckResult(name, outcome, detail, advice, round(time.monotonic() - began, 3), dict(facts or {}))

        if cause is not None:
            return ended(CheckOutcome.SKIPPED, f"not looked at, because of: {CHECKS[cause]}")
        try:
            seen = await step()
        except CheckFailed as failed:
            return ended(CheckOutcome.FAILED, failed.detail, failed.advice, failed.facts)
        except NotApplicable as reason:
            result = ended(CheckOutcome.SKIPPED, str(reason))
            del self._in_the_way[name]
            return result
        except Unknown as reason:
            return ended(CheckOutcome.SKIPPED, str(reason))
        except MessagingError as error:
            return ended(CheckOutcome.FAILED, str(error), _ADVICE.get(name))
        except TimeoutError:
            return ended(CheckOutcome.FAILED, "no answer in time", "Check what stands between (firewall, VPN, proxy).")
        return ended(CheckOutcome.OK, seen.detail, seen.advice, seen.facts)

    def _within_time(self, step: Step) -> Step:
        """Limit a step that knows no limit of its own; those that ask the server keep to the configuration's."""

        async def limited() -> Seen:
            async with asyncio.timeout(self._timeout):
                return await step()

        return limited

    def _tell(self, result: CheckResult) -> None:
        self._results.append(result)
        if self._on_result is not None:
            self._on_result(result)

    # --- the user ----------------------------------------------------------------------------------------------------

    async def _look_at_client(self) -> Seen:
        assert self._client is not None
        status = self._client.status()
        facts = {"state": str(status.state), "attempt": status.attempt, "polling": status.polling}
        if status.state is ConnectionState.CONNECTED:
            return Seen(f"connected, socket {(status.socket_id or '')[:6]}", facts)
        detail = str(status.state)
        if status.attempt:
            detail += f", attempt {status.attempt}"
        if status.polling:
            detail += ", messages come over HTTP"
        if status.last_error is not None:
            detail += f"; last error: {status.last_error}"
        raise CheckFailed(detail, "The checks below show what is in the way.", facts)

    async def _read_token(self) -> Seen:
        if self._token is None:
            raise CheckFailed("no token was given", _ADVICE["token"])
        self._user = user = await self._probe._know_user()
        return Seen(
            f"a JWT of {user.type} {user.id} (the server verifies it)",
            {"user_type": str(user.type), "user_id": user.id},
        )

    async def _read_expiry(self) -> Seen:
        expires = self._probe.status().token_expires_at
        if expires is None:
            return Seen("the token names no expiry", {"expires_at": None})
        left = (expires - datetime.now(UTC)).total_seconds()
        facts = {"expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}", "seconds_left": int(left)}
        local = f"{expires.astimezone():%Y-%m-%d %H:%M}"
        if left <= 0:
            raise CheckFailed(
                f"expired on {local} by this machine's clock",
                "Log in again for a fresh token, or set the clock.",
                facts,
            )
        return Seen(f"valid until {local}, for {duration(left)}", facts)

    # --- the server over REST ----------------------------------------------------------------------------------------

    async def _ask_health(self) -> Seen:
        began = time.monotonic()
        if not await self._probe.check_health():
            raise CheckFailed("the server answers that it is not well", _ADVICE["health"])
        return Seen(f"up, answers in {(time.monotonic() - began) * 1000:.0f} ms")

    async def _compare_clocks(self) -> Seen:
        """The server tells whole seconds: what is given is the least that both clocks can be apart."""
        before = datetime.now(UTC)
        told = await self._time_told()
        after = datetime.now(UTC)
        if told is None:
            raise NotApplicable("the server does not tell the time (header Date)")
        ahead, behind = told - after, before - (told + timedelta(seconds=1))
        least = max(ahead, behind, timedelta())
        seconds = round(least.total_seconds()) * (1 if ahead > behind else -1)
        facts = {"server_ahead_seconds": seconds}
        if abs(seconds) <= 1:
            return Seen("agrees with the server's, to the second", facts)
        detail = f"the server's is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
        if abs(seconds) > MOST_SKEW:
            raise CheckFailed(detail, "Set both clocks (NTP): tokens expire by them.", facts)
        return Seen(detail, facts)

    async def _time_told(self) -> datetime | None:
        http = self._probe._http
        http.server_time = None
        try:
            await self._probe.check_health()
        except MessagingError:
            raise Unknown("not known, for the server did not answer") from None
        return http.server_time

    async def _authenticate(self) -> Seen:
        assert self._user is not None
        is_medecin = self._user.type is UserType.MEDECIN
        read = self._probe.get_medecin_conversations if is_medecin else self._probe.get_patient_conversations
        page = await read(limit=1, refresh=True)
        if self._conversation_id is None and page.items:
            self._conversation_id = page.items[0].id
        return Seen("the token is accepted, and the list of conversations can be read", {"conversations": page.total})

    # --- the socket --------------------------------------------------------------------------------------------------

    async def _connect(self) -> Seen:
        try:
            await self._probe.connect()
        except AuthenticationError as error:
            raise CheckFailed(str(error), _ADVICE["authentication"]) from None
        return Seen(f"connected, socket {(self._probe.socket_id or '')[:6]}")

    async def _check_room(self) -> None:
        """A join has no acknowledgement: that the room was entered shows by the typing event that comes back."""
        if "namespace" not in self._in_the_way and self._conversation_id is None:
            reason = "the user has no conversation, or the list cannot be read; name one"
            for name in ("room", "typing"):
                self._tell(CheckResult(name, CheckOutcome.SKIPPED, reason))
            return
        room = await self._result("room", self._join, "namespace")
        typing = await self._result("typing", self._type, "namespace", "room")
        if room.outcome is CheckOutcome.OK and typing.outcome is not CheckOutcome.OK:
            said = f"conversation {self._conversation_id} asked for; joins are not acknowledged, and nothing shows it"
            room = replace(room, outcome=CheckOutcome.SKIPPED, detail=said)
        self._tell(room)
        self._tell(typing)

    async def _join(self) -> Seen:
        assert self._conversation_id is not None
        await self._listener.connect()
        try:
            for each in (self._listener, self._probe):
                await each.join_conversation(self._conversation_id)
        except NotFound:
            raise CheckFailed(f"there is no conversation {self._conversation_id}", _ADVICE["room"]) from None
        detail = f"conversation {self._conversation_id} entered, as the typing event that came back shows"
        return Seen(detail, {"conversation_id": self._conversation_id})

    async def _type(self) -> Seen:
        """Say *stopped typing*, and hear it on a second connection of the same user: others see nothing of it."""
        assert self._conversation_id is not None
        assert self._user is not None
        target, user = self._conversation_id, self._user

        def is_ours(event: TypingEvent) -> bool:
            return (event.conversation_id, event.user_id, event.is_typing) == (target, user.id, False)

        ends = time.monotonic() + self._timeout
        async with self._listener.expect(TypingEvent, is_ours, timeout=None) as heard:
            waiting = asyncio.ensure_future(heard)
            try:
                while (now := time.monotonic()) < ends:
                    await self._probe.emit_typing(target, False)
                    await asyncio.wait({waiting}, timeout=min(_TYPING_INTERVAL, ends - now))
                    if waiting.done():
                        took = round(time.monotonic() - now, 3)
                        return Seen(
                            f"{took * 1000:.0f} ms, to a second connection of the user", {"round_trip_seconds": took}
                        )
            finally:
                waiting.cancel()
        raise CheckFailed(
            f"sent, and not heard on a second connection of the same user within {self._timeout:g} s: the server "
            "leaves a user's own connections out, or the room was not entered; which of both cannot be seen",
            _TELL,
        )
