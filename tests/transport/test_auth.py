from __future__ import annotations

import asyncio
import traceback
from datetime import UTC, datetime
from typing import Any

import pytest
from rawserver import a_moment, make_token

from messaging_client.errors import AuthenticationError
from messaging_client.models import UserType
from messaging_client.transport.auth import TokenSource, TokenUnavailable, usable_tokens

ONE = make_token(5)
TWO = make_token(5, exp=1893456000)
THREE = make_token(5, exp=1893459600)
OTHER = make_token(79, role="medecin")


@pytest.mark.parametrize(
    "given",
    [
        ONE,
        f'"{ONE}"',
        f" '{ONE}'\n",
        [ONE],
        [None, "temp_123", "auth_456", "abc", ONE, TWO],
        ("temp_" + ONE, ONE),
        {"token": TWO, "originalJWT": ONE},
        {"originalJWT": None, "firstConnectionToken": "temp_1", "jwt": f'"{ONE}"', "token": TWO, "else": THREE},
    ],
)
async def test_the_first_usable_candidate(given: Any) -> None:
    source = TokenSource(given)
    assert await source.current() == ONE
    assert source.user is not None
    assert (source.user.id, source.user.type) == (5, UserType.PATIENT)
    assert source.expires_at is None


@pytest.mark.parametrize(
    "given",
    [
        "",
        "abc",
        "temp_eyJa.b.c",
        "auth_" + ONE,
        f"Bearer {ONE}",
        "eyJa.b",
        "eyJa.b.c.d",
        "eyJa..c",
        "eyJa.b.",
        "eyJa.b!.c",
        "eyJé.b.c",
        "xyJa.b.c",
        ONE.encode(),
        [],
        [None],
        [5],
        {},
        {"else": ONE},
        None,
        5,
    ],
)
def test_no_usable_token_says_what_is_expected(given: Any) -> None:
    with pytest.raises(AuthenticationError, match="give a JWT") as caught:
        TokenSource(given)
    assert ONE not in str(caught.value)


def test_candidates_are_unique_and_in_order() -> None:
    assert usable_tokens([TWO, ONE, f'"{TWO}"', ONE]) == (TWO, ONE)


def test_claims_that_cannot_be_read_are_the_servers_business() -> None:
    for token in ("eyJhbGciOiJIUzI1NiJ9.bm90IGpzb24.c2ln", "eyJx.eyJx.eyJx", "eyJhbGciOiJIUzI1NiJ9.W10.c2ln"):
        source = TokenSource(token)
        assert source.user is None
        assert source.expires_at is None


@pytest.mark.parametrize(
    ("exp", "expected"),
    [
        (1893456000, datetime(2030, 1, 1, tzinfo=UTC)),
        (1000, datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)),
        (1893456000.5, datetime(2030, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("soon", None),
        (True, None),
        (None, None),
        (1e300, None),
        (-1e300, None),
        (10**30, None),
        ([], None),
    ],
)
def test_expiry_is_read_and_never_judged(exp: object, expected: datetime | None) -> None:
    assert TokenSource(make_token(5, exp=exp)).expires_at == expected


def test_nothing_is_shown() -> None:
    source = TokenSource(ONE)
    assert repr(source) == str(source) == "<TokenSource>"


async def renew(source: TokenSource, rejected: str) -> str:
    """What a request sends after the server refused the token that it had sent."""
    trial = source.trial()
    trial._last = rejected
    assert trial.refused()
    return await trial.token()


async def sent_until_final(source: TokenSource) -> list[str]:
    """What a request sends that is always refused."""
    trial = source.trial()
    sent = [await trial.token()]
    while trial.refused():
        sent.append(await trial.token())
    return sent


async def test_every_candidate_gets_its_turn() -> None:
    source = TokenSource([ONE, TWO, THREE])
    assert await sent_until_final(source) == [ONE, TWO, THREE]
    assert await sent_until_final(source) == [THREE, ONE, TWO], "whoever connects again tries them all again"
    assert await sent_until_final(TokenSource(lambda: [ONE, TWO, THREE])) == [ONE, TWO, THREE]
    assert await sent_until_final(TokenSource(ONE)) == [ONE, ONE], "the second refusal is final"


async def test_a_callable_is_asked_once_for_each_trial() -> None:
    asked = Asked(ONE, [ONE, TWO, THREE], ONE, ONE)
    source = TokenSource(asked)
    assert await sent_until_final(source) == [ONE, TWO, THREE]
    assert asked.count == 2
    assert await sent_until_final(source) == [THREE, ONE]
    assert asked.count == 3


async def test_static_candidates_are_used_up_one_by_one() -> None:
    source = TokenSource([ONE, TWO, THREE])
    assert await renew(source, ONE) == TWO
    assert await source.current() == TWO
    assert source.expires_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert await renew(source, ONE) == TWO, "somebody else has renewed meanwhile"
    assert await renew(source, TWO) == THREE
    assert await renew(source, THREE) == ONE, "perhaps it was refused for a moment only"
    assert await source.current() == ONE


async def test_a_candidate_of_another_user_is_refused() -> None:
    source = TokenSource([ONE, OTHER])
    with pytest.raises(AuthenticationError, match="another user"):
        await renew(source, ONE)
    assert await source.current() == ONE
    assert source.user is not None
    assert source.user.id == 5


class Asked:
    """A callable that returns what it is told to, one after the other, and counts."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)
        self.count = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.cancelled = 0

    async def __call__(self) -> Any:
        self.count += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        value = self.values.pop(0)
        if isinstance(value, BaseException):
            raise value
        return value


async def test_a_callable_is_asked_on_first_need_and_once() -> None:
    asked = Asked(ONE, TWO)
    source = TokenSource(asked)
    assert asked.count == 0
    assert not source.was_asked
    assert source.user is None
    assert [await source.current() for _ in range(3)] == [ONE] * 3
    assert asked.count == 1
    assert source.was_asked
    assert source.user is not None
    assert await renew(source, ONE) == TWO
    assert await renew(source, ONE) == TWO, "no new call: the token is another one by now"
    assert asked.count == 2


async def test_a_sync_callable() -> None:
    values = iter([[None, f'"{ONE}"'], {"jwt": TWO}])
    source = TokenSource(lambda: next(values))
    assert await source.current() == ONE
    assert await renew(source, ONE) == TWO


async def test_concurrent_callers_share_one_call() -> None:
    asked = Asked(ONE, TWO)
    source = TokenSource(asked)
    assert await asyncio.gather(*(source.current() for _ in range(16))) == [ONE] * 16
    assert asked.count == 1
    asked.go_on.clear()
    waiting = [asyncio.create_task(renew(source, ONE)) for _ in range(8)]
    waiting += [asyncio.create_task(source.current()) for _ in range(8)]
    await a_moment()
    asked.go_on.set()
    assert await asyncio.gather(*waiting) == [TWO] * 16
    assert asked.count == 2


async def test_a_callable_that_returns_the_refused_token_among_others() -> None:
    source = TokenSource(lambda: [ONE, TWO])
    assert await source.current() == ONE
    assert await renew(source, ONE) == TWO
    same = TokenSource(lambda: ONE)
    assert await same.current() == ONE
    assert await renew(same, ONE) == ONE


async def test_one_cancelled_caller_does_not_end_the_call_of_the_others() -> None:
    asked = Asked(ONE)
    asked.go_on.clear()
    source = TokenSource(asked)
    first, second = (asyncio.create_task(source.current()) for _ in range(2))
    await a_moment()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    asked.go_on.set()
    assert await second == ONE
    assert (asked.count, asked.cancelled) == (1, 0)


async def test_the_call_ends_with_the_last_caller() -> None:
    asked = Asked(ONE)
    asked.go_on.clear()
    source = TokenSource(asked)
    callers = [asyncio.create_task(source.current()) for _ in range(2)]
    await a_moment()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    fresh = asyncio.create_task(source.current())
    await a_moment()
    assert (asked.count, asked.cancelled) == (2, 1)
    asked.go_on.set()
    assert await fresh == ONE
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_that_nobody_waits_for_is_silent() -> None:
    class Stubborn(Asked):
        async def __call__(self) -> Any:
            try:
                return await super().__call__()
            except asyncio.CancelledError:
                raise KeyError("after the end") from None

    asked = Stubborn()
    asked.go_on.clear()
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    caller = asyncio.create_task(TokenSource(asked).current())
    await a_moment()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await a_moment()
    assert reported == []


async def test_an_exception_of_the_callable_is_its_cause() -> None:
    asked = Asked(KeyError(ONE), TWO)
    source = TokenSource(asked)
    with pytest.raises(TokenUnavailable, match="raised KeyError") as caught:
        await source.current()
    assert isinstance(caught.value.__cause__, KeyError)
    assert ONE not in str(caught.value)
    assert await source.current() == TWO, "it can be asked again"


async def test_a_sync_callable_that_raises() -> None:
    def fail() -> str:
        raise OSError("no such file")

    with pytest.raises(TokenUnavailable, match="raised OSError"):
        await TokenSource(fail).current()


async def test_a_callable_that_is_cancelled_from_within_gives_no_token_and_cancels_nobody() -> None:
    source = TokenSource(Asked(asyncio.CancelledError(), ONE))
    with pytest.raises(TokenUnavailable, match="cancelled"):
        await source.current()
    assert await source.current() == ONE


async def test_another_token_is_told() -> None:
    source, told = TokenSource(Asked(ONE, TWO)), []
    source.on_change = lambda: told.append(source.user)
    await source.current()
    assert told == []
    await renew(source, ONE)
    assert len(told) == 1


async def test_a_callable_without_usable_token() -> None:
    source = TokenSource(Asked(None, "secret-that-is-no-jwt", ONE))
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="give a JWT") as caught:
            await source.current()
        assert not isinstance(caught.value, TokenUnavailable)
        assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert await source.current() == ONE


async def test_a_renewed_token_of_another_user() -> None:
    unnamed = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"
    source = TokenSource(Asked(ONE, OTHER, make_token(5, role="medecin"), unnamed))
    assert await source.current() == ONE
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="another user"):
            await renew(source, ONE)
    assert await source.current() == ONE
    assert await renew(source, ONE) == unnamed, "claims that name nobody contradict nothing"
    assert source.user is not None
    assert source.user.id == 5
