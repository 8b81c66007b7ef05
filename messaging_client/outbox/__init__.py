"""Messages on their way out: each is sent until it is certain, once, in the order of its conversation."""

from messaging_client.outbox.delivery import Exchange
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.outbox import Outbox
from messaging_client.outbox.outgoing import PENDING_PREFIX, Mark, Outgoing

__all__ = ["PENDING_PREFIX", "Exchange", "Keeper", "Mark", "Outbox", "Outgoing"]
