"""Recording what a client sends and receives, without what patients wrote, and playing it to another client."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from messaging_client.recording.lines import RecordingError
from messaging_client.recording.recorder import MOST_BYTES, Recorder, RecordingSummary

if TYPE_CHECKING:
    from messaging_client.client import MessagingClient
    from messaging_client.recording.reading import Recording, read_recording
    from messaging_client.recording.replay import Replay
    from messaging_client.sync import MessagingClient as BlockingClient

__all__ = ["Recorder", "Recording", "RecordingError", "RecordingSummary", "Replay", "read_recording", "recording"]

_HOMES = {"Recording": "reading", "read_recording": "reading", "Replay": "replay"}


def recording(
    client: MessagingClient | BlockingClient,
    path: str | os.PathLike[str],
    *,
    contents: bool = False,
    max_bytes: int = MOST_BYTES,
    overwrite: bool = False,
    keep_url: bool = False,
) -> Recorder:
    """Record what a client sends and receives, from the `with` statement on.

    Args:
        client: one that is not connected yet, of either kind.
        path: of a new file, which its owner alone can read.
        contents: write texts, names and everything else that may be about a patient, too. Tokens never are.
        max_bytes: how large the file may become; what comes later is left out.
        overwrite: replace a file that is there.
        keep_url: write the server's address.

    Returns:
        A context manager; its `summary()` says what was recorded.

    Raises:
        ConfigurationError: an argument cannot work.
    """
    return Recorder(client, path, contents=contents, max_bytes=max_bytes, overwrite=overwrite, keep_url=keep_url)


def __getattr__(name: str) -> Any:
    """Import what plays recordings on its first use: it needs the embedded server's libraries."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("starlette", "uvicorn", "websockets", "h11"):
            raise
        raise ImportError(
            f'{name} needs the embedded server, which is not installed: pip install "messaging-client[server]"'
        ) from error
