"""The file: JSON lines, of a bounded size, that its owner alone can read."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

from messaging_client.errors import ConfigurationError

END_ROOM = 100
"""Bytes that are kept free for the last line."""


class RecordingError(ConfigurationError):
    """A file that cannot be written as a recording, or read as one; the text says why and what to do."""


class Lines:
    """Writes lines to a new file, each at once, so that a crash leaves all but the last.

    Args:
        path: of the file.
        max_bytes: how large it may become.
        overwrite: whether a file that is there is replaced.

    Attributes:
        written: bytes.
        is_full: whether a line was left out, and all after it, because the file would have become too large.
        failure: why nothing more could be written, or None.

    Raises:
        RecordingError: there is a file, or it cannot be made.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int, overwrite: bool) -> None:
        self.path = Path(path)
        self.written = 0
        self.is_full = False
        self.failure: str | None = None
        self._most = max_bytes
        self._lock = threading.Lock()  # the blocking client ends a recording from another thread
        try:
            if overwrite:
                _remove(self.path)
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise RecordingError(
                f"{self.path} is there already; choose another name, or overwrite it (--force, overwrite=True)."
            ) from None
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be written: {reason_of(error)}.") from None
        self._file = io.FileIO(handle, "w")

    def write(self, entry: dict[str, Any], *, is_last: bool = False) -> None:
        """Write a line, unless the file is full or closed."""
        line = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        with self._lock:
            if self._file.closed or self.failure is not None or (self.is_full and not is_last):
                return
            if not is_last and self.written + len(line) > self._most - END_ROOM:
                self.is_full = True
                return
            try:
                self._put(line)
            except OSError as error:
                self.failure = reason_of(error)

    def _put(self, line: bytes) -> None:
        while line:
            count = self._file.write(line) or 0
            self.written += count
            line = line[count:]

    def close(self) -> None:
        """Close the file; what comes later is left out."""
        with self._lock, contextlib.suppress(OSError):
            self._file.close()


def reason_of(error: OSError) -> str:
    """Say why a file cannot be used."""
    return (error.strerror or type(error).__name__).lower()


def _remove(path: Path) -> None:
    """Remove a file that is to be replaced.

    Raises:
        RecordingError: it is something else, such as a directory or a device.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise RecordingError(f"{path} is no plain file; choose another name.")
        path.unlink()
