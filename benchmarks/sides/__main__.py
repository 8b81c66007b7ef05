"""One run of one side: `python -m benchmarks.sides ours flood '{"url": …}'` prints what it measured as JSON.

With `"speed": true` among what is given, uvloop runs it where it is installed; with false nothing of the extra for
speed is there, whatever is installed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import resource
import sys
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any

from benchmarks.processes import SPEED


def _run(work: Coroutine[Any, Any, dict[str, float]], *, speed: bool) -> dict[str, float]:
    if speed and find_spec("uvloop"):
        uvloop = importlib.import_module("uvloop")
        measured: dict[str, float] = uvloop.run(work)
        return measured
    return asyncio.run(work)


def main() -> None:
    side, work, given = sys.argv[1:]
    arguments: dict[str, Any] = json.loads(given)
    speed = arguments.pop("speed")
    if not speed:
        sys.modules.update(dict.fromkeys(SPEED))  # type: ignore[arg-type]
    # A thousand clients have a thousand sockets, and those of REST.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    logging.disable(logging.CRITICAL)
    does: Callable[..., Coroutine[Any, Any, dict[str, float]]]
    does = getattr(importlib.import_module(f"benchmarks.sides.{side}"), work)
    measured = _run(does(**arguments), speed=speed)
    uses = [name for name in SPEED if sys.modules.get(name)]
    print(json.dumps({"measured": measured, "uses": uses}))


if __name__ == "__main__":
    main()
