"""What outlives the process: one SQLite file of one user at one server, with unsent messages and read positions."""

from messaging_client.store.records import Cursor, SendState, StoredSend
from messaging_client.store.store import Store, open_store

__all__ = ["Cursor", "SendState", "Store", "StoredSend", "open_store"]
