"""How results are stored: bytes with the name of the codec that reads them, their size and their hash.

JSON first, because everybody can read it; Parquet for data frames when pyarrow is importable; pickle last.
Pickle executes what it reads, so it is decoded only inside the process that runs the flow which wrote it, never
by the API, the CLI or the engine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

JSON: Final = "json"
PARQUET: Final = "parquet"
PICKLE: Final = "pickle"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A stored value. `sha256` is the hex digest of `data`."""

    codec: str
    data: bytes
    sha256: str

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    @classmethod
    def of(cls, codec: str, data: bytes) -> Encoded:
        return cls(codec, data, hashlib.sha256(data).hexdigest())
