"""The one error of the normalisers."""

from __future__ import annotations


class PayloadError(ValueError):
    """A payload is not what the protocol says.

    Attributes:
        reason: what is wrong, without any of the content; it is all that `str` and `repr` show.
        raw: what came, unchanged; it may hold private text.

    """

    def __init__(self, reason: str, raw: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw

    def __reduce__(self) -> tuple[type[PayloadError], tuple[str, object]]:
        return PayloadError, (self.reason, self.raw)
