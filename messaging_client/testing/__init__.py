"""An embedded messaging server, its faults, and a clock to move by hand: for development and tests only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from messaging_client.testing.background import BackgroundServer
    from messaging_client.testing.clock import ManualClock
    from messaging_client.testing.faults import Faults
    from messaging_client.testing.options import ServerOptions
    from messaging_client.testing.server import MessagingServer
    from messaging_client.testing.serving import serve
    from messaging_client.testing.tokens import mint_token

__all__ = ["BackgroundServer", "Faults", "ManualClock", "MessagingServer", "ServerOptions", "mint_token", "serve"]

_HOMES = {
    "BackgroundServer": "background",
    "Faults": "faults",
    "ManualClock": "clock",
    "MessagingServer": "server",
    "ServerOptions": "options",
    "mint_token": "tokens",
    "serve": "serving",
}
_EXTRA = frozenset({"starlette", "uvicorn", "websockets", "h11"})


def __getattr__(name: str) -> Any:
    """Import a name on its first use: pytest loads this package for its plugin in every session."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        raise ImportError(
            f'{name} needs the embedded server, which is not installed: pip install "messaging-client[server]"'
        ) from error
    globals()[name] = value
    return value
