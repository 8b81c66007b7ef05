"""Reads a recording, which may come from anybody and may have been cut off by a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from messaging_client.recording.lines import RecordingError, reason_of
from messaging_client.recording.recorder import FORMAT

_LONGEST_LINE = 64 * 1024 * 1024


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    t: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Header(_Line):
    """The first line."""

    kind: Literal["header"]
    format: int
    started: str
    client: str
    server: str
    contents: bool


class FrameLine(_Line):
    """A frame of a WebSocket; `data` is what follows `frame` as JSON, `length` how much does where it is none."""

    kind: Literal["frame"]
    dir: Literal["in", "out"]
    link: int
    type: str
    frame: str = ""
    data: Any = None
    length: int = Field(default=0, ge=0, le=_LONGEST_LINE)


class CloseLine(_Line):
    """The end of a WebSocket, by the server or the network (`in`), or by the client."""

    kind: Literal["close"]
    dir: Literal["in", "out"]
    link: int
    code: int | None = None


class RequestLine(_Line):
    """A REST request."""

    kind: Literal["request"]
    id: int
    operation: str
    method: str
    path: str
    query: dict[str, str] = {}
    body: Any = None


class ResponseLine(_Line):
    """The outcome of a request: a status and a body, or the name of the error that came in its place."""

    kind: Literal["response"]
    id: int
    status: int | None = Field(default=None, ge=200, le=599)
    headers: dict[str, str] = {}
    body: Any = None
    length: int = Field(default=0, ge=0, le=_LONGEST_LINE)
    error: str | None = None


class StateLine(_Line):
    """A move of the connection."""

    kind: Literal["state"]
    state: str
    cause: str


class UserLine(_Line):
    """Whose client it was."""

    kind: Literal["user"]
    type: str
    id: int | str


class EndLine(_Line):
    """The last line of a recording that was brought to its end."""

    kind: Literal["end"]
    reason: str


Line = FrameLine | CloseLine | RequestLine | ResponseLine | StateLine | UserLine | EndLine
_LINES: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


@dataclass(frozen=True)
class Recording:
    """What a file holds.

    Attributes:
        header: its first line.
        lines: all others, in order.
        is_whole: whether it was brought to its end, and not cut off by a crash.
    """

    header: Header
    lines: tuple[Line, ...]
    is_whole: bool

    @property
    def user(self) -> UserLine | None:
        """Whose client it was, where that is known."""
        return next((each for each in self.lines if isinstance(each, UserLine)), None)


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording; half a last line is left out.

    Args:
        path: of the file.

    Returns:
        What it holds.

    Raises:
        RecordingError: it cannot be read, is no recording, or is of another version of the format.
    """
    shown = Path(path)
    try:
        with shown.open("rb") as file:
            raw = file.read()
    except OSError as error:
        raise RecordingError(f"{shown} cannot be read: {reason_of(error)}.") from None
    first, *others = raw.split(b"\n")
    header = _header(shown, first)
    lines = tuple(_lines(shown, others))
    return Recording(header, lines, is_whole=bool(lines) and isinstance(lines[-1], EndLine))


def _header(path: Path, line: bytes) -> Header:
    try:
        header = Header.model_validate_json(line)
    except ValidationError:
        raise RecordingError(f"{path} is no recording: its first line is not that of one.") from None
    if header.format != FORMAT:
        raise RecordingError(
            f"{path} is of version {header.format} of the format, and this messaging-client reads version {FORMAT}; "
            f"it was written by {header.client!r}."
        )
    return header


def _lines(path: Path, lines: list[bytes]) -> Iterator[Line]:
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        try:
            yield _LINES.validate_json(line)
        except ValidationError:
            if number == len(lines) + 1:  # no newline follows: a crash came first
                return
            raise RecordingError(f"{path}: line {number} is not one of a recording.") from None
