"""`messaging-client serve`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.output import complain
from messaging_client.errors import ConfigurationError
from messaging_client.testing import MessagingServer
from messaging_client.testing.serving import serve

USERS = (("patient", 5), ("medecin", 79))
"""Whose tokens are printed at the start."""

DAY = 24 * 3600
TOKEN_LIFE = 7 * DAY


def run_server(*, host: str, port: int, database: str, secret_file: Path | None) -> int:
    """Run the embedded server until SIGINT or SIGTERM.

    Returns:
        The exit code.
    """
    try:
        secret = None if secret_file is None else secret_file.read_text().strip()
        asyncio.run(serve(host=host, port=port, database=database, secret=secret, on_ready=_say_ready))
    except (ConfigurationError, OSError) as error:
        complain(f"The server cannot start: {error}")
        return ExitCode.FAILED
    return ExitCode.OK


def _say_ready(server: MessagingServer) -> None:
    # One line that a script can wait for. The tokens are printed on purpose, and nowhere logged: this server is for
    # development only, and without them nobody could use it, for its key is its own.
    lines = [f"listening on {server.url} (for development and tests only)"]
    for user_type, user_id in USERS:
        token = server.token(user_type, user_id, expires_in=TOKEN_LIFE)
        lines += ["", f"# To be {user_type} {user_id} in another terminal, for {TOKEN_LIFE // DAY} days:"]
        lines.append(f"export MESSAGING_URL={server.url} MESSAGING_TOKEN={token}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
