"""`messaging-client serve`."""

from __future__ import annotations

import asyncio
import errno
import sys
from pathlib import Path

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import reason_of, signing_key_in
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
        secret = None if secret_file is None else signing_key_in(secret_file)
        asyncio.run(serve(host=host, port=port, database=database, secret=secret, on_ready=_say_ready))
    except ConfigurationError as error:
        reason = str(error)
    except OSError as error:
        reason = reason_of(error)
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} is in use: end what listens there, or give another with --port (0: a free one)."
    else:
        return ExitCode.OK
    complain(f"The server cannot start: {reason}")
    return ExitCode.FAILED


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
