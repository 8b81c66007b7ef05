"""Signed tokens: minting them, and knowing which are still good."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jwt

from messaging_client.clock import Clock, SystemClock
from messaging_client.errors import ConfigurationError
from messaging_client.testing.inputs import Refused, known_type, parse_id
from messaging_client.testing.records import Identity

if TYPE_CHECKING:
    from jwt.types import Options

SECRET_BYTES = 32  # RFC 7518, section 3.2: an HS256 key is at least as long as the hash

_ID_CLAIMS = {"medecin": ("id_professionnel", "professionnel_id", "id"), "patient": ("id", "id_patient", "patient_id")}

_SIGNATURE_ONLY: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""Times are held against the server's own clock, below; the rest says nothing to it."""


def mint_token(
    secret: str,
    user_type: str,
    user_id: int,
    *,
    expires_in: float = 3600.0,
    now: datetime | None = None,
    **claims: Any,
) -> str:
    """Make a signed JWT for a patient or a doctor; no two are alike.

    Args:
        secret: the server's key, 32 bytes or more.
        user_type: `patient` or `medecin`.
        user_id: whose.
        expires_in: seconds from now; may be negative.
        now: the time it is, for tests with a clock of their own.
        claims: further claims, or others in place of the usual ones; None leaves one out.

    Raises:
        ConfigurationError: the secret is too short.
        ValueError: the type is neither of the two.

    """
    check_secret(secret)
    if user_type not in ("patient", "medecin"):
        raise ValueError('user_type must be "patient" or "medecin".')
    issued = (now or SystemClock().now()).timestamp()
    usual: dict[str, Any] = {"id": user_id, "role": user_type}
    if user_type == "medecin":
        usual["type"] = "professionnel"
    usual |= {"iat": int(issued), "exp": math.ceil(issued + expires_in), "jti": uuid.uuid4().hex}
    kept = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(kept, secret, algorithm="HS256")


def check_secret(secret: str) -> None:
    """Refuse a key that is too short to sign with.

    Raises:
        ConfigurationError: it has fewer than 32 bytes.

    """
    if len(secret.encode()) < SECRET_BYTES:
        raise ConfigurationError(f"secret must have {SECRET_BYTES} bytes or more.")


def identity_of(claims: dict[str, Any]) -> Identity | None:
    """Whom claims name (wire protocol, section 2), or None."""
    user_type = known_type(claims.get("role") or claims.get("type"))
    if user_type is None:
        return None
    for name in _ID_CLAIMS[user_type]:
        if claims.get(name) is not None:
            try:
                return Identity(user_type, parse_id(claims[name], name))
            except Refused:
                return None
    return None


class Tokens:
    """The server's key, and the tokens that it no longer takes.

    Args:
        secret: the key.
        clock: what `exp` is held against.

    """

    def __init__(self, secret: str, clock: Clock) -> None:
        check_secret(secret)
        self._secret = secret
        self._clock = clock
        self._dead: dict[str, str] = {}

    def mint(self, user_type: str, user_id: int, *, expires_in: float = 3600.0, **claims: Any) -> str:
        """Make a token that this server takes; see `mint_token`."""
        return mint_token(self._secret, user_type, user_id, expires_in=expires_in, now=self._clock.now(), **claims)

    def revoke(self, token: str) -> None:
        """Take this token no longer."""
        self._dead[token] = "Jeton révoqué"

    def expire(self, token: str) -> None:
        """Treat this token as expired, whatever its `exp`."""
        self._dead[token] = "Jeton expiré"

    def verify(self, token: object) -> Identity:
        """Say whom a token names.

        Raises:
            Refused: 401; it is missing, malformed, not signed with this key by HS256, expired or revoked.

        """
        if not isinstance(token, str) or not token:
            raise Refused(401, "Jeton manquant")
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options=_SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Refused(401, "Jeton invalide") from None
        if token in self._dead:
            raise Refused(401, self._dead[token])
        now = self._clock.now().timestamp()
        expires, starts = (_number(claims.get(name)) for name in ("exp", "nbf"))
        if expires is not None and not expires > now:
            raise Refused(401, "Jeton expiré")
        if starts is not None and not starts <= now:
            raise Refused(401, "Jeton pas encore valable")
        identity = identity_of(claims)
        if identity is None:
            raise Refused(401, "Jeton sans utilisateur")
        return identity


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(401, "Jeton invalide")
    return value
