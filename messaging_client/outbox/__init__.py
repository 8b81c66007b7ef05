"""Messages on their way out: each is sent until it is certain, once, in the order of its conversation."""

from messaging_client.outbox.exchange import Exchange, Known
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.likeness import Likeness, likeness
from messaging_client.outbox.marks import CLOCKS_APART, Mark, Place
from messaging_client.outbox.outbox import Outbox
from messaging_client.outbox.outgoing import Outgoing
from messaging_client.outbox.settling import Found, Unreadable

__all__ = [
    "CLOCKS_APART",
    "Exchange",
    "Found",
    "Keeper",
    "Known",
    "Likeness",
    "Mark",
    "Outbox",
    "Outgoing",
    "Place",
    "Unreadable",
    "likeness",
]
