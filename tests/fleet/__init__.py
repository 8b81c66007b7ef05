"""Relays and workers on a real nats-server, in processes that are killed."""
