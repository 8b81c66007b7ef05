"""Bots that outgrow one process: relays and workers around a NATS JetStream. Needs the extra `nats`."""

from messaging_client.fleet.deliveries import Delivery
from messaging_client.fleet.handling import WorkerStats
from messaging_client.fleet.lookout import FleetStatus, fleet_status
from messaging_client.fleet.relay import Relay, RelayStats
from messaging_client.fleet.worker import Worker

__all__ = ["Delivery", "FleetStatus", "Relay", "RelayStats", "Worker", "WorkerStats", "fleet_status"]
