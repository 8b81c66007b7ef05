"""What a fleet does against one process, and what the relay adds: `make bench-fleet`."""
