"""What tasks get from the runtime whatever a package holds: the process they run in is made of it already."""

from __future__ import annotations

from typing import Final

OWNED: Final = frozenset({"dagy", "dagy_runtime", "msgspec", "cronsim", "fastjsonschema", "tzdata"})
"""Top-level modules. boto3 is not among them: one in a package takes the place of Lambda's."""
