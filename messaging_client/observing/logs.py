"""Every record that the client logs: an event that never changes its name, and fields.

The text of a record is the event with its fields behind it; `record.event` and an attribute for each field are for
programs. Loggers, events and fields are listed in docs/how-to/observing.md, which a test holds against the calls.
"""

from __future__ import annotations

import logging

Field = str | int | float | None


def say(logger: logging.Logger, level: int, event: str, /, *, error: object = None, **fields: Field) -> None:
    """Log that something has happened.

    Args:
        logger: of the part that says it.
        level: of `logging`.
        event: what has happened, in words that stay the same.
        error: an exception, of which the class alone is told (`error_type`): its text may hold content.
        fields: ids, counts, states and names of classes; never what people wrote, what they are called, or a token.
    """
    if logger.isEnabledFor(level):
        if error is not None:
            fields["error_type"] = type(error).__name__
        shown = " ".join(f"{name}={value}" for name, value in fields.items())
        text = f"{event}: {shown}" if fields else event
        logger.log(level, "%s", text, extra={"event": event, **fields}, stacklevel=2)
