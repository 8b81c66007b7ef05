"""Bots that outgrow one process: relays and workers around a NATS JetStream. Needs the extra `nats`."""

try:
    import nats as _nats  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        'messaging_client.fleet needs nats-py, which is not installed: pip install "messaging-client[nats]"'
    ) from error

from messaging_client.fleet.deliveries import Delivery
from messaging_client.fleet.handling import WorkerStats
from messaging_client.fleet.lookout import FleetStatus, fleet_status
from messaging_client.fleet.relay import Relay, RelayStats
from messaging_client.fleet.worker import Worker

__all__ = ["Delivery", "FleetStatus", "Relay", "RelayStats", "Worker", "WorkerStats", "fleet_status"]
