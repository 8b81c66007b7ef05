"""`messaging-client serve`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from messaging_client.errors import ConfigurationError
from messaging_client.testing import MessagingServer
from messaging_client.testing.serving import serve


def run_server(*, host: str, port: int, database: str, secret_file: Path | None) -> int:
    """Run the embedded server until SIGINT or SIGTERM.

    Returns:
        The exit code: 0, or 1 when it could not start.
    """
    try:
        secret = None if secret_file is None else secret_file.read_text().strip()
        asyncio.run(serve(host=host, port=port, database=database, secret=secret, on_ready=_say_ready))
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"The server cannot start: {error}\n")
        return 1
    return 0


def _say_ready(server: MessagingServer) -> None:
    # One line that a script can wait for.
    sys.stdout.write(f"listening on {server.url} (for development and tests only)\n")
    sys.stdout.flush()
