"""`messaging-client replay`: a recording, served to a client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.record import counted

if TYPE_CHECKING:
    from messaging_client.recording import Replay


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording, made by record.")],
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.", min=0, max=65535)] = 0,
    speed: Annotated[float, typer.Option(help="2 is twice as fast as recorded.", min=0.01, max=1000)] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="Everything as soon as the client has asked for it.")] = False,
) -> None:
    """Serve a recording to a client, without a network.

    Prints the address and a token to use. It runs until Ctrl-C, for this machine only.
    """
    import asyncio

    from messaging_client.cli.output import complain
    from messaging_client.recording import Replay

    server = Replay(file, port=port, speed=None if fast else speed, on_news=_tell)
    try:
        asyncio.run(_serve(server, file))
    except OSError as error:
        complain(f"Port {port} cannot be used: {(error.strerror or '').lower()}; give another with --port.")
        raise typer.Exit(ExitCode.FAILED) from None


async def _serve(server: Replay, file: Path) -> None:
    from messaging_client.signals import until_told_to_stop

    async with server:
        await until_told_to_stop(lambda: _say_ready(server, file))


def _say_ready(server: Replay, file: Path) -> None:
    from messaging_client.cli.output import note, say

    say(f"serving {file} on {server.url}: {_words(server)}")
    say()
    say("# To be the recorded user in another terminal:")
    # It opens nothing but this server; any other token would do as well.
    say(f"export MESSAGING_URL={server.url} MESSAGING_TOKEN={server.token}")
    say()
    if not server.recording.is_whole:
        note("The recording was cut off; what is there is served.")


def _words(server: Replay) -> str:
    user = server.recording.user
    whose = "" if user is None else f" of {user.type} {user.id}"
    inside = "with texts and names" if server.recording.header.contents else "without texts and names"
    return f"a recording{whose}, {counted(server.connections, 'connection')}, {inside}"


def _tell(line: str) -> None:
    from messaging_client.cli.output import say
    from messaging_client.harmless import printable

    say(printable(line))
