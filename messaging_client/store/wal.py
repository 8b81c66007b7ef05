"""SQLite's write-ahead log, read as its file format says, to know of damage that SQLite passes over.

SQLite takes a log up to the first frame with a wrong checksum, for that is how a write looks that a crash has torn. A
frame that was damaged later looks the same, and everything behind it is gone without a word. The frames alone do not
tell the two apart: a power failure may lose any of those that were not synced, also one in the middle. So it is noted
(in `SideFile`) how many frames were there when a sync had returned. These no crash can take: if one of them is wrong
now, the log is damaged. When SQLite starts the log anew, once everything in it is in the database, it takes another
salt, and what was noted for the former one says nothing any more.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEADER, _FRAME = 32, 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""What a log begins with, and the order of the bytes that its checksums are computed with."""


@dataclass(frozen=True)
class Extent:
    """A part of a log, from its start: its salt, and how many frames."""

    salt: bytes
    frames: int


class Wal:
    """Follows the log of an open database, whose every commit it is told of.

    Args:
        path: of the log, which is empty or not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._extent: Extent | None = None

    def committed(self) -> Extent | None:
        """Give how far the log reaches after a commit; None if that is not seen."""
        if self._file is None:
            self._file = self._path.open("rb", buffering=0)
        header = self._at(0, _HEADER)
        salt, page_size = header[16:24], int.from_bytes(header[8:12], "big")
        known = self._extent
        frames = known.frames if known is not None and known.salt == salt else 0
        while True:
            frame = self._at(_HEADER + frames * (_FRAME + page_size), _FRAME)
            if len(frame) < _FRAME or frame[8:16] != salt:
                return None
            frames += 1
            if any(frame[4:8]):  # the size of the database, which only the last frame of a transaction has
                self._extent = Extent(salt, frames)
                return self._extent

    def close(self) -> None:
        """Follow it no more."""
        if self._file is not None:
            self._file.close()

    def _at(self, offset: int, size: int) -> bytes:
        assert self._file is not None
        self._file.seek(offset)
        return self._file.read(size)


def has_lost(path: Path, known: Extent) -> bool:
    """Whether a log that nobody has open has lost something of what was on the disk.

    One that is not there proves nothing: another program may have put everything into the database.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
            order = _MAGIC.get(int.from_bytes(header[:4], "big"), "")
            sums = _sums(header[:24], (0, 0), order) if order and len(header) == _HEADER else None
            if sums is None or header[24:] != struct.pack(">2I", *sums):
                # SQLite writes it at once, and syncs it before the first frame.
                return file.read(_FRAME)[8:16] == known.salt
            if header[16:24] != known.salt:
                return False
            page_size = int.from_bytes(header[8:12], "big")
            for _ in range(known.frames):
                frame, page = file.read(_FRAME), file.read(page_size)
                if len(page) < page_size or frame[8:16] != known.salt:
                    return True
                sums = _sums(page, _sums(frame[:8], sums, order), order)
                if frame[16:] != struct.pack(">2I", *sums):
                    return True
    except FileNotFoundError:
        pass
    return False


def is_there(path: Path) -> bool:
    """Whether there is a log with something in it."""
    return path.exists() and os.path.getsize(path) > 0


def _sums(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """Go on with SQLite's two running sums."""
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
