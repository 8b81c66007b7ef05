"""What the command line ends with, for scripts."""

from __future__ import annotations

from enum import IntEnum

from messaging_client.errors import (
    AuthenticationError,
    ConfigurationError,
    MessagingError,
    NotFound,
    OutboxFull,
    RequestError,
    SendUncertain,
    ServerError,
    StoreError,
    TransportError,
    UnexpectedResponse,
    ValidationFailed,
)


class ExitCode(IntEnum):
    """Every code, with what it means; the table in `docs/how-to/command-line.md` and of `--help` is this one."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Make a code that says what it means."""
        made = int.__new__(cls, value)
        made._value_ = value
        made.meaning = meaning
        return made

    OK = 0, "done"
    FAILED = 1, "a check of diagnose failed, no server started, or a fault of ours"
    USAGE = 2, "wrong arguments, or a setting that cannot work; nothing was sent"
    UNREACHABLE = 3, "the server could not be reached, or did not answer in time"
    AUTHENTICATION = 4, "no usable token, or the server refused it"
    REFUSED = 5, "the server refused the request: not permitted, or not acceptable"
    NOT_FOUND = 6, "there is no such thing on the server"
    SERVER = 7, "the server failed, or its answer could not be understood"
    UNCERTAIN = 8, "the message may have been stored, and that could not be found out"
    STORE = 9, "the file of --store cannot be used"
    INTERRUPTED = 130, "Ctrl-C"
    BROKEN_PIPE = 141, "whoever read the output has gone (as in | head)"


_CODES: tuple[tuple[type[MessagingError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.USAGE),
    (TransportError, ExitCode.UNREACHABLE),
    (AuthenticationError, ExitCode.AUTHENTICATION),
    (NotFound, ExitCode.NOT_FOUND),
    (ServerError, ExitCode.SERVER),
    (UnexpectedResponse, ExitCode.SERVER),
    (RequestError, ExitCode.REFUSED),
    (SendUncertain, ExitCode.UNCERTAIN),
    (OutboxFull, ExitCode.STORE),
    (StoreError, ExitCode.STORE),
)


def code_of(error: MessagingError) -> ExitCode:
    """Give the code of an error."""
    if isinstance(error, ValidationFailed) and error.status is None:
        return ExitCode.USAGE  # found before anything was sent
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def table() -> str:
    """Give the codes as `--help` shows them."""
    return "\n".join(f"{code.value:>5}  {code.meaning}" for code in ExitCode)
