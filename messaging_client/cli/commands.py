"""Commands and their options. What a command needs is imported when it runs, so that `--help` is quick."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

EXIT_FAILED = 1

app = typer.Typer(
    name="messaging-client",
    help="Secure medical messaging from the command line.",
    no_args_is_help=True,
    # A traceback with local variables would show messages and tokens.
    pretty_exceptions_show_locals=False,
)


@app.command()
def demo() -> None:
    """Run a patient and a doctor on the embedded server, and show live what happens."""
    from messaging_client.cli.demo import show_demo

    if not asyncio.run(show_demo()):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    database: Annotated[str, typer.Option(help="SQLite file; without it, memory only.")] = ":memory:",
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the key that tokens are signed with, 32 bytes or more.")
    ] = None,
) -> None:
    """Run the embedded server, for development and tests only, until Ctrl-C; prints tokens to try it with."""
    from messaging_client.cli.serve import run_server

    raise typer.Exit(run_server(host=host, port=port, database=database, secret_file=secret_file))


@app.command()
def version() -> None:
    """Print the version."""
    from messaging_client._version import __version__

    typer.echo(__version__)
