"""The file beside the database: locked by whoever owns that, and saying what its write-ahead log holds at least.

The database itself is not locked this way. SQLite's own lock on it is of the kind that the system drops as soon as
anything in the process opens and closes the file, and on some systems the two kinds exclude each other.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path
from typing import BinaryIO

from messaging_client.errors import StoreError
from messaging_client.store.wal import Extent

if sys.platform != "win32":
    import fcntl

_NOTE = struct.Struct(">4s8sI")  # a mark, the salt of the log, and how many frames of it are on the disk
_SUM = struct.Struct(">I")
_MARK = b"MSGL"
_SIZE = _NOTE.size + _SUM.size


class SideFile:
    """A lock that ends with the process, however that ends, and a note that outlives it.

    Windows has no such lock, and needs none: there SQLite's is not dropped.

    Args:
        database: path of the database.

    Raises:
        BlockingIOError: another client has it.
        StoreError: there is a file of something else in its place.
        OSError: it cannot be made.
    """

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}-lock")
        self._file = self._locked()

    def read(self) -> Extent | None:
        """Give what was noted last; None if nothing was, or if the power failed meanwhile."""
        self._file.seek(0)
        written = self._file.read(_SIZE)
        if len(written) < _SIZE or _SUM.unpack(written[_NOTE.size :]) != (zlib.crc32(written[: _NOTE.size]),):
            return None
        mark, salt, frames = _NOTE.unpack(written[: _NOTE.size])
        return Extent(salt, frames) if mark == _MARK else None

    def note(self, extent: Extent) -> None:
        """Note what is on the disk. It survives the process; a note that the power takes is only missing."""
        written = _NOTE.pack(_MARK, extent.salt, extent.frames)
        self._file.seek(0)
        self._file.write(written + _SUM.pack(zlib.crc32(written)))

    def clear(self) -> None:
        """Note nothing any more, on the disk, before the log is taken away."""
        if os.fstat(self._file.fileno()).st_size:
            self._file.truncate(0)
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let others have it; a file that notes nothing is taken away."""
        with self._file as file:
            if sys.platform != "win32":
                if not os.fstat(file.fileno()).st_size and self._is_in_place(file):
                    self._path.unlink()
                # Said, and not left to the end of the descriptor, of which a forked process may have a copy.
                fcntl.flock(file, fcntl.LOCK_UN)

    def leave(self) -> None:
        """Leave it to the process that this one was forked from, which goes on having it."""
        self._file.close()

    def _locked(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        while True:
            file: BinaryIO = os.fdopen(os.open(self._path, flags, 0o600), "r+b", buffering=0)
            is_kept = False
            try:
                if os.fstat(file.fileno()).st_size > _SIZE:
                    raise StoreError(f"{self._path} is not of messaging_client: move it away, or give another path.")
                if sys.platform != "win32":
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The owner before may have taken it away after it was opened here.
                is_kept = self._is_in_place(file)
            finally:
                if not is_kept:
                    file.close()
            if is_kept:
                return file

    def _is_in_place(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False
