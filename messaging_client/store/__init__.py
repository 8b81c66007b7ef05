"""What outlives the process: one SQLite file of one user at one server, with unsent messages and read positions."""

from typing import TYPE_CHECKING, Any

from messaging_client.store.records import Cursor, SendState, StoredSend

if TYPE_CHECKING:
    from messaging_client.store.store import Store, open_store

__all__ = ["Cursor", "SendState", "Store", "StoredSend", "open_store"]


def __getattr__(name: str) -> Any:
    """Load SQLite where a file is opened: most programs have none."""
    if name not in ("Store", "open_store"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from messaging_client.store import store

    return getattr(store, name)
