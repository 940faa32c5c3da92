"""What compiled modules must run on: the machine that a stage's functions are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LAMBDA: Final = "lambda"


@dataclass(frozen=True, slots=True)
class Platform:
    """`system` is `lambda`, or for the local cloud what `sys.platform` is on the machine it runs on. `architecture` is
    `arm64` or `x86_64`, `python_version` such as `3.13`.
    """

    system: str
    architecture: str
    python_version: str

    @property
    def name(self) -> str:
        return f"{self.system}-{self.architecture}-python{self.python_version}"
