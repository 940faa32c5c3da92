"""Implementations of the ports: `memory` (real and small, for tests and simulation) and `aws`."""
