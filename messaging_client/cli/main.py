"""The entry point of the command line."""

from __future__ import annotations

import sys
from importlib.util import find_spec

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def run() -> None:
    """Run the command line; the entry point of the package."""
    missing = [name for name in ("typer", "rich", "uvicorn", "starlette") if find_spec(name) is None]
    if missing:
        sys.exit(f'The command line needs {", ".join(missing)}: pip install "messaging-client[cli]"')
    from messaging_client.cli.commands import app

    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
