"""What must never be in a log, and a handler that notices it there."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator

CANARY = "canary-5d1e7a0c"
"""Part of every text that tests send in order to see whether it comes out in a log."""

CANARY_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoicGF0aWVudCIsImlkIjo1LCJjYW5hcnkiOnRydWV9.Y2FuYXJ5LTVkMWU3YTBj"
"""A token that no server takes."""

CANARY_NAME = "Canaryet-Dubois"
"""The last name of a person that tests register in order to see whether it comes out anywhere."""

NAMES = ("Dupont", "Saza", "Durand")
"""Last names of the people whom tests register."""

ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every log record has; the rest was attached by whoever logs."""

_SECRET = re.compile(rf"{CANARY}|{CANARY_NAME}|{'|'.join(NAMES)}|eyJ[\w-]{{8,}}\.[\w-]{{8,}}\.[\w-]{{8,}}")


def holds_secret(text: str) -> bool:
    """Whether a token, a canary or somebody's name is in a text."""
    return _SECRET.search(text) is not None


class SecretWatch(logging.Handler):
    """Notices tokens and canaries in log records: in the text, the arguments, the exception and whatever is attached.

    Attributes:
        leaks: which logger, and where in the code, without the secret.
    """

    def __init__(self) -> None:
        super().__init__(level=1)
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if any(map(holds_secret, _texts(record))):
            self.leaks.append(f"{record.name} at {record.levelname}, {record.pathname}:{record.lineno}")

    def watch_all(self) -> None:
        """Watch the root logger, and every logger that keeps its records to itself."""
        loggers = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
        for logger in (logging.getLogger(), *loggers):
            if (logger.parent is None or not logger.propagate) and self not in logger.handlers:
                logger.addHandler(self)

    def watch_none(self) -> None:
        """Watch no logger any more."""
        loggers = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
        for logger in (logging.getLogger(), *loggers):
            logger.removeHandler(self)


def _texts(record: logging.LogRecord) -> Iterator[str]:
    try:
        yield record.getMessage()
    except (TypeError, ValueError):
        yield str(record.msg)
    yield repr(record.args)
    yield repr({name: value for name, value in vars(record).items() if name not in ATTRIBUTES})
    if record.exc_info and record.exc_info[1] is not None:
        yield "".join(traceback.format_exception(record.exc_info[1]))
    yield str(record.exc_text)
