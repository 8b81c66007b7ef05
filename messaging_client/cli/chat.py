"""`messaging-client chat`: the terminal interface, here or as a web page."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments, with_server
from messaging_client.errors import ConfigurationError

StoreOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        show_default=False,
        help="SQLite file that keeps what is unsent across crashes and restarts; one interface at a time can use it.",
    ),
]


@with_server
async def chat(
    server: ServerArguments,
    store: StoreOption = None,
    light: Annotated[bool, typer.Option("--light", help="Begin with light colours (F8 changes them).")] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve it as a web page, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="With --serve: TCP port.", min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="With --serve: address to listen on.")] = "127.0.0.1",
    expose: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            show_default=False,
            help="With --serve: let other machines reach it, by this address. Whoever has the key is the user.",
        ),
    ] = None,
) -> int:
    """Read and write messages in the terminal.

    F1 shows all keys. Nothing is marked as read by itself.
    """
    if find_spec("textual") is None or (serve and find_spec("textual_serve") is None):
        raise ConfigurationError('The interface needs Textual: pip install "messaging-client[tui]"')
    for name in ("TEXTUAL", "TEXTUAL_LOG"):
        os.environ.pop(name, None)  # Textual would write every key and every text into its log
    if serve:
        return await _serve(server, store=store, light=light, host=host, port=port, expose=expose)
    if server.reads_stdin:
        raise ConfigurationError("chat reads the keyboard: the token cannot come from standard input (--token-file -).")
    # Textual draws on standard error: in a file of it would be messages.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if "TEXTUAL_DRIVER" not in os.environ and not all(each.isatty() for each in streams):
        raise ConfigurationError(
            "chat needs a terminal, for standard error too; tail, inbox and send work without one."
        )
    from messaging_client.tui.running import run_chat

    report, broken = await run_chat(server.client(store=store), is_stored=store is not None, light=light)
    if report.unsent:
        return ExitCode.UNCERTAIN
    return ExitCode.FAILED if broken else ExitCode.OK


async def _serve(
    server: ServerArguments, *, store: Path | None, light: bool, host: str, port: int, expose: str | None
) -> int:
    from messaging_client.cli.output import note, say
    from messaging_client.tui.served import ChatServer, page_address, serve_chat

    address = page_address(host, port, expose)
    page = ChatServer(_page_command(server, store=store, light=light), host, port, address)
    if expose is not None:
        note("Whoever has this address is the user, on every machine that reaches it.")

    def ready() -> None:
        say(f"Open {page.address}")
        note("The key in it is for you alone. Ctrl-C ends it.")

    await serve_chat(page, ready)
    return ExitCode.OK


def _page_command(server: ServerArguments, *, store: Path | None, light: bool) -> list[str]:
    """Give the command of a page's own process; what is secret goes into the environment.

    A command line can be seen by everybody on this machine, the environment of a process by its user only.
    """
    command = [sys.executable, "-m", "messaging_client", "chat"]
    os.environ["MESSAGING_URL"] = server.url
    token = server.needed_token()
    if isinstance(token, str):
        os.environ["MESSAGING_TOKEN"] = token
    else:
        command += ["--token-file", str(Path(str(server.token_file)).resolve())]
    if server.ca_file is not None:
        command += ["--ca-file", str(server.ca_file.resolve())]
    if store is not None:
        command += ["--store", str(store.resolve())]
    return command + [
        word for word, wanted in (("--allow-insecure", server.allow_insecure), ("--light", light)) if wanted
    ]
