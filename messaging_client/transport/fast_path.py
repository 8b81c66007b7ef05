"""Whether frames may take the short way past the library, which gives the same outcome at a fraction of the cost.

`MESSAGING_CLIENT_FAST_PATH=0` turns it off, from the next connection on: every frame then goes through python-socketio,
in and out.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import metadata

VARIABLE = "MESSAGING_CLIENT_FAST_PATH"

# Checked with these, first and last: between them nothing differs that the short way leans on. Any other version takes
# the library's own way, until somebody has looked at what it changed and run `tests/transport/test_fast_path.py` on it.
_KNOWN = {"python-socketio": ((5, 14), (5, 18)), "python-engineio": ((4, 12), (4, 15))}

_KNOWN_AIOHTTP = ((3, 14), (3, 14))


def is_usable() -> bool:
    """Whether the libraries are of versions that the short way was checked with, and nobody turned it off."""
    return os.environ.get(VARIABLE, "1").strip() != "0" and _are_libraries_known()


@cache
def is_aiohttp_known() -> bool:
    """Whether aiohttp is of a version with which frames can be taken as they arrive (`frames.py`)."""
    first, last = _KNOWN_AIOHTTP
    return first <= _version("aiohttp") <= last


@cache
def _are_libraries_known() -> bool:
    return all(first <= _version(name) <= last for name, (first, last) in _KNOWN.items())


def _version(distribution: str) -> tuple[int, int]:
    """Major and minor version of an installed library; (0, 0) where it does not say."""
    try:
        major, minor = metadata.version(distribution).split(".")[:2]
        return int(major), int(minor)
    except (metadata.PackageNotFoundError, ValueError):
        return 0, 0
