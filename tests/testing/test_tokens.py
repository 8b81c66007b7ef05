from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from messaging_client.errors import ConfigurationError
from messaging_client.testing import ManualClock, mint_token
from messaging_client.testing.inputs import Refused
from messaging_client.testing.records import Identity
from messaging_client.testing.tokens import Tokens, identity_of

SECRET = "s" * 32
VECTORS = Path("/work/shared/vectors/claims.json")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tokens(clock: ManualClock) -> Tokens:
    return Tokens(SECRET, clock)


def refusal(tokens: Tokens, token: Any) -> str:
    with pytest.raises(Refused) as caught:
        tokens.verify(token)
    assert caught.value.status == 401
    return caught.value.message


def signed(claims: dict[str, Any], **header: Any) -> str:
    return jwt.encode(claims, SECRET, algorithm="HS256", headers=header or None)


def test_a_minted_token_names_its_user(tokens: Tokens) -> None:
    assert tokens.verify(tokens.mint("medecin", 79)) == ("medecin", 79)
    assert tokens.verify(tokens.mint("patient", 5)) == ("patient", 5)


def test_claims_are_those_of_the_protocol() -> None:
    patient = jwt.decode(mint_token(SECRET, "patient", 5), SECRET, algorithms=["HS256"])
    assert (patient["id"], patient["role"]) == (5, "patient")
    assert "type" not in patient
    doctor = jwt.decode(mint_token(SECRET, "medecin", 79), SECRET, algorithms=["HS256"])
    assert (doctor["id"], doctor["role"], doctor["type"]) == (79, "medecin", "professionnel")


def test_claims_can_be_added_replaced_and_left_out(tokens: Tokens) -> None:
    token = mint_token(SECRET, "medecin", 79, role="professionnel_sante", id=None, id_professionnel=79, exp=None)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert "id" not in claims
    assert "exp" not in claims
    assert tokens.verify(token) == ("medecin", 79)


def test_two_tokens_of_one_user_differ(tokens: Tokens) -> None:
    assert tokens.mint("patient", 5) != tokens.mint("patient", 5)


def test_only_the_two_types_get_tokens() -> None:
    with pytest.raises(ValueError, match="user_type"):
        mint_token(SECRET, "admin", 1)


@pytest.mark.parametrize("make", [lambda: mint_token("short", "patient", 5), lambda: Tokens("short", ManualClock())])
def test_a_short_secret_is_refused(make: Any) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        make()


async def test_expiry_follows_the_clock_of_the_server(tokens: Tokens, clock: ManualClock) -> None:
    token = tokens.mint("patient", 5, expires_in=10)
    await clock.advance(9)
    assert tokens.verify(token) == ("patient", 5)
    await clock.advance(1)
    assert refusal(tokens, token) == "Jeton expiré"


async def test_a_token_that_is_not_valid_yet(tokens: Tokens, clock: ManualClock) -> None:
    token = tokens.mint("patient", 5, nbf=clock.now().timestamp() + 5)
    assert refusal(tokens, token) == "Jeton pas encore valable"
    await clock.advance(5)
    assert tokens.verify(token) == ("patient", 5)


def test_a_revoked_token_and_one_declared_expired(tokens: Tokens) -> None:
    revoked, expired, other = (tokens.mint("patient", 5) for _ in range(3))
    tokens.revoke(revoked)
    tokens.expire(expired)
    assert refusal(tokens, revoked) == "Jeton révoqué"
    assert refusal(tokens, expired) == "Jeton expiré"
    assert tokens.verify(other) == ("patient", 5)


@pytest.mark.parametrize("token", [None, "", 5, ["a"], {"token": "a"}])
def test_no_token(tokens: Tokens, token: Any) -> None:
    assert refusal(tokens, token) == "Jeton manquant"


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _hand_made(header: dict[str, Any], digest: Any = None) -> str:
    body = f"{_part(header)}.{_part({'id': 5, 'role': 'patient'})}"
    if digest is None:
        return f"{body}."
    mac = hmac.new(SECRET.encode(), body.encode(), digest).digest()
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_hs256_made_by_hand_is_taken(tokens: Tokens) -> None:
    assert tokens.verify(_hand_made({"alg": "HS256", "typ": "JWT"}, hashlib.sha256)) == ("patient", 5)


@pytest.mark.parametrize(
    "token",
    [
        "a.b.c",
        "temp_123",
        "\ud800.b.c",
        "eyJ" * 3,
        _hand_made({"alg": "none"}),
        _hand_made({"alg": "None"}),
        _hand_made({"alg": "none"}, hashlib.sha256),
        _hand_made({"alg": "HS512"}, hashlib.sha512),
        _hand_made({"alg": "RS256"}, hashlib.sha256),
        jwt.encode({"id": 5, "role": "patient"}, "x" * 32, algorithm="HS256"),
        _part("x" * 3) + "." + _part([]) + ".",
        base64.urlsafe_b64encode(b"[" * 40_000).decode() + ".e30.x",
    ],
)
def test_malformed_or_unsigned_or_signed_otherwise(tokens: Tokens, token: str) -> None:
    assert refusal(tokens, token) == "Jeton invalide"


@pytest.mark.parametrize(
    "claims",
    [{}, {"id": 5}, {"id": 5, "role": "admin"}, {"role": "patient"}, {"role": "patient", "id": "x"}, {"role": ["a"]}],
)
def test_claims_that_name_nobody(tokens: Tokens, claims: dict[str, Any]) -> None:
    assert refusal(tokens, signed(claims)) == "Jeton sans utilisateur"


@pytest.mark.parametrize("exp", ["demain", True, [1], {}])
def test_a_time_that_is_no_number(tokens: Tokens, exp: Any) -> None:
    assert refusal(tokens, signed({"id": 5, "role": "patient", "exp": exp})) == "Jeton invalide"


def test_an_expiry_too_far_for_a_float_is_fine(tokens: Tokens) -> None:
    assert tokens.verify(signed({"id": 5, "role": "patient", "exp": 10**400})) == ("patient", 5)


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not on this machine")
def test_claims_of_the_vectors() -> None:
    for case in json.loads(VECTORS.read_text())["cases"]:
        expected = case["expect"]
        assert identity_of(case["claims"]) == Identity(expected["type"], expected["id"]), case["name"]


def test_a_type_alone_says_who() -> None:
    assert identity_of({"id": 79, "type": "professionnel"}) == ("medecin", 79)


def test_a_patient_by_other_claims() -> None:
    assert identity_of({"role": "patient", "patient_id": "007"}) == ("patient", 7)
    assert identity_of({"role": "patient", "id_patient": 0}) == ("patient", 0)
