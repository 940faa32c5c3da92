"""Every port in memory: real, small, thread-safe, gone with the process. The reference for the other adapters, and
the world that tests and the simulation run in.
"""

from __future__ import annotations

from typing import Any

from dagy_runtime.adapters.memory.answers import MemoryAnswers
from dagy_runtime.adapters.memory.blobs import MemoryBlobs
from dagy_runtime.adapters.memory.delivery import Delivery, MemoryDispatcher, MemoryTimers
from dagy_runtime.adapters.memory.drafts import MemoryDrafts
from dagy_runtime.adapters.memory.executions import MemoryExecutions
from dagy_runtime.adapters.memory.keys import MemoryKeys
from dagy_runtime.adapters.memory.packages import MemoryPackages
from dagy_runtime.adapters.memory.people import (
    MemoryAuditLog,
    MemoryDirectory,
    MemoryExchange,
    MemoryPublicKeys,
    MemorySessions,
)
from dagy_runtime.adapters.memory.registry import MemoryRegistry
from dagy_runtime.adapters.memory.runs import MemoryRunStore
from dagy_runtime.adapters.memory.schedules import MemorySchedules
from dagy_runtime.adapters.memory.time import FakeClock, SeededIds
from dagy_runtime.ports import Ports

__all__ = [
    "world",
    "Delivery",
    "FakeClock",
    "MemoryAnswers",
    "MemoryAuditLog",
    "MemoryBlobs",
    "MemoryDirectory",
    "MemoryDispatcher",
    "MemoryDrafts",
    "MemoryExchange",
    "MemoryExecutions",
    "MemoryKeys",
    "MemoryPublicKeys",
    "MemoryPackages",
    "MemoryRegistry",
    "MemoryRunStore",
    "MemorySchedules",
    "MemorySessions",
    "MemoryTimers",
    "SeededIds",
]


def world(**overrides: Any) -> Ports:
    """A new, empty world: `FakeClock`, seeded ids, messages that wait until somebody delivers them.

    `overrides` replace ports by their field's name in `Ports`; timers and ids follow the clock given.
    """
    clock = overrides.pop("clock", None) or FakeClock()
    ports: dict[str, Any] = {
        "registry": MemoryRegistry(),
        "runs": MemoryRunStore(),
        "keys": MemoryKeys(),
        "drafts": MemoryDrafts(),
        "answers": MemoryAnswers(),
        "packages": MemoryPackages(),
        "blobs": MemoryBlobs(),
        "dispatcher": MemoryDispatcher(),
        "executions": MemoryExecutions(clock),
        "containers": MemoryExecutions(clock),
        "timers": MemoryTimers(clock),
        "schedules": MemorySchedules(),
        "clock": clock,
        "ids": SeededIds(clock),
        "public_keys": MemoryPublicKeys(),
        "directory": MemoryDirectory(clock),
        "exchange": MemoryExchange(),
        "sessions": MemorySessions(),
        "audit": MemoryAuditLog(),
    }
    return Ports(**{**ports, **overrides})
