"""Which hosts are this machine: the only ones that get secrets over plain http, or the emulator's credentials."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Whether the host is this machine, as far as its name alone tells."""
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
