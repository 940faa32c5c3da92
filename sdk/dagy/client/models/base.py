"""What all requests and responses have in common."""

from __future__ import annotations

from typing import Dict

import msgspec

Tags = Dict[str, str]


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something a caller sends."""


class Response(msgspec.Struct, kw_only=True):
    """Something the API answers."""
