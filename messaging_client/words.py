"""Values in words, for people."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Give a time span in the largest unit of which it has two or more: `3 days`, `90 minutes`, `45 seconds`."""
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} seconds"
