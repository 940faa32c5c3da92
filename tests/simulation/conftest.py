"""How much is told: a slice in the suite, all of it where the environment asks for it.

`DAGY_SIMULATION_SEEDS` stories of chance (1,200 when not set), each seed one. `DAGY_SIMULATION_ONLY` is one seed, told
again. `DAGY_EVERY_FAULT=1` lets every operation of every reference flow go wrong in every way.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The engine says what it finds lost, a thousand times."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
