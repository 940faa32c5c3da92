"""An answer to a request, before any framework knows of it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    headers: Mapping[str, str]
