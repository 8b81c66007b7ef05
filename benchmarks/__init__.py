"""Measurements, each side by side with what a user would take instead. `make bench` runs them all."""
