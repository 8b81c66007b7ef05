"""`messaging-client token`: made for the embedded server, or looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments, signing_key_in
from messaging_client.cli.output import in_utc, json_line, say
from messaging_client.errors import AuthenticationError
from messaging_client.harmless import printable
from messaging_client.transport.auth import TokenSource, usable_tokens
from messaging_client.words import duration

_TIMES = {"iat": "issued", "nbf": "valid from", "exp": "expires"}


def mint(*, user_type: str, user_id: int, secret_file: Path, expires_in: float) -> int:
    """Print a token for the embedded server that has the key in this file."""
    from messaging_client.testing import mint_token

    say(mint_token(signing_key_in(secret_file), user_type, user_id, expires_in=expires_in))
    return ExitCode.OK


def inspect(server: ServerArguments, *, as_json: bool) -> int:
    """Print what a token says. Its signature is neither verified nor shown."""
    given = server.needed_token()
    token = usable_tokens(given() if callable(given) else given)[0]
    source = TokenSource(token)
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
        claims: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise AuthenticationError(
            "This has the form of a JWT, and its claims cannot be read: get another one."
        ) from None
    expires = source.expires_at
    if as_json:
        user = None if source.user is None else {"type": str(source.user.type), "id": source.user.id}
        told = {"user": user, "expires_at": in_utc(expires)}
        left = None if expires is None else round((expires - datetime.now(UTC)).total_seconds())
        say(json_line({**told, "seconds_left": left, "header": dict(header), "claims": dict(claims)}))
        return ExitCode.OK
    say(
        "user        "
        + ("nobody (claims id and role)" if source.user is None else f"{source.user.type} {source.user.id}")
    )
    say(f"expires     {_expiry(expires)}")
    say(f"algorithm   {printable(header.get('alg'))}")
    for name, value in claims.items():
        say(f"{printable(name):<11} {printable(_claim(name, value))}")
    say("The signature was not verified: that is the server's business.")
    return ExitCode.OK


def _expiry(expires: datetime | None) -> str:
    if expires is None:
        return "never"
    left = (expires - datetime.now(UTC)).total_seconds()
    return f"{expires.astimezone():%Y-%m-%d %H:%M:%S} ({duration(abs(left))} {'ago' if left < 0 else 'left'})"


def _claim(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return f"{value} ({_TIMES[name]} {datetime.fromtimestamp(value, UTC).astimezone():%Y-%m-%d %H:%M:%S})"
        except (ValueError, OverflowError, OSError):
            pass  # a number that is no time
    return str(value)
