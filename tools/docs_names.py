"""An extension of griffe: `after, before: the times` in a docstring explains two names, which it reads as one."""

from __future__ import annotations

import re
from typing import Any

import griffe

_SEVERAL = re.compile(r"^( +)([a-z_]+(?:, [a-z_]+)+): (.*(?:\n\1 +.*)*)", re.MULTILINE)


class EachName(griffe.Extension):
    """Gives each of several names an entry of its own, with the same words."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite a docstring before it is read."""
        if obj.docstring is not None:
            obj.docstring.value = _SEVERAL.sub(_split, obj.docstring.value)


def _split(found: re.Match[str]) -> str:
    return "\n".join(f"{found[1]}{name}: {found[3]}" for name in found[2].split(", "))
