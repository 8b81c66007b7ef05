"""`messaging-client record`: what a client sends and receives, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments, with_server

if TYPE_CHECKING:
    from messaging_client.client import MessagingClient
    from messaging_client.recording import Recorder, RecordingSummary


@with_server
async def record(
    server: ServerArguments,
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="The file that is written; you alone can read it.")],
    contents: Annotated[
        bool, typer.Option("--contents", help="Texts and names too. Tokens are left out in any case.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--for", metavar="SECONDS", show_default=False, min=0.1, help="End after so long, not at Ctrl-C."),
    ] = None,
    max_bytes: Annotated[int, typer.Option(metavar="BYTES", help="How large the file may become.", min=4096)] = 100
    * 1024
    * 1024,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    keep_url: Annotated[bool, typer.Option("--keep-url", help="Write the server's address.")] = False,
) -> int:
    """Record what goes over the network, for a bug report.

    Connects as the user, enters all conversations, and writes every frame and every request down, until Ctrl-C. What
    patients wrote, and who they are, is left out.
    """
    from messaging_client.cli.output import complain, say
    from messaging_client.recording import recording

    client = server.client()
    refusal = None
    with recording(client, out, contents=contents, max_bytes=max_bytes, overwrite=force, keep_url=keep_url) as recorder:
        try:
            refusal = await _until_the_end(client, recorder, seconds)
        finally:
            await client.aclose(drain=0)
            recorder.close()
            say(_words(recorder.summary(), contents=contents))
    if recorder.summary().failure is not None:
        complain(f"The recording ended early: {recorder.summary().failure}.")
        return ExitCode.FAILED
    if refusal is not None:
        complain(refusal)
        return ExitCode.AUTHENTICATION
    return ExitCode.OK


async def _until_the_end(client: MessagingClient, recorder: Recorder, seconds: float | None) -> str | None:
    """Record until a signal, the time, a full file, or a token that is refused for good; gives that refusal."""
    import asyncio
    import contextlib

    from messaging_client.cli.output import note
    from messaging_client.errors import MessagingError
    from messaging_client.events import ConnectionChange
    from messaging_client.models import ConnectionCause
    from messaging_client.signals import calling_at_signals

    ended = asyncio.Event()
    refusals: list[str] = []

    def told(change: ConnectionChange) -> None:
        note(f"{change.state}" + (f": {change.error}" if change.error is not None else ""))
        if change.cause is ConnectionCause.AUTHENTICATION_REFUSED:
            refusals.append(str(change.error))
            ended.set()

    client.on_connection_change(told)
    with calling_at_signals(ended.set):
        note("Recording; Ctrl-C ends it." if seconds is None else f"Recording for {seconds:g} s.")
        recorder.on_full = ended.set
        await client.connect(wait=False)
        joining = asyncio.create_task(client.join_all())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
        joining.cancel()
        outcome = (await asyncio.gather(joining, return_exceptions=True))[0]
        if isinstance(outcome, MessagingError):
            note(f"Not all conversations were entered: {outcome}")
    return refusals[0] if refusals else None


def counted(number: int, what: str) -> str:
    """Give a number of things in words: `1 frame`, `2 frames`."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def _words(summary: RecordingSummary, *, contents: bool) -> str:
    counts = ", ".join(
        counted(number, what)
        for number, what in (
            (summary.frames, "frame"),
            (summary.requests, "request"),
            (summary.connections, "connection"),
        )
    )
    size = f"{summary.bytes / 1024:.0f} kB" if summary.bytes < 10 * 1024**2 else f"{summary.bytes / 1024**2:.0f} MB"
    inside = "with texts and names: keep it as safe as these" if contents else "without texts, names and tokens"
    full = "; it ended early, at its largest size (--max-bytes)" if summary.is_full else ""
    return f"{summary.path}: {counts} in {summary.seconds:.0f} s, {size}, {inside}{full}"
