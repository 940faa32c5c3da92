"""Running flows on this machine, and what is kept of it."""
