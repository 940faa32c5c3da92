"""What the engine and the API need of the world, stated once. Every implementation passes the contract suite of
its port.

Any method may raise `Unavailable`: whether a write happened is then unknown, and repeating it is safe. Reads
that follow a write by the same or another caller see it, except lists, which may lag by a second.
"""

from __future__ import annotations

from msgspec import Struct

from dagy_runtime.ports.blobs import Blobs, Pulse, no_pulse
from dagy_runtime.ports.clock import Clock, Ids
from dagy_runtime.ports.delivery import Dispatcher, Executions, Schedules, Timers
from dagy_runtime.ports.people import AuditLog, CodeExchange, Directory, PublicKeys, Sessions
from dagy_runtime.ports.registry import Drafts, Packages, Registry
from dagy_runtime.ports.requests import Answers, Begun, Keys, Remembered, UnderWay
from dagy_runtime.ports.runs import (
    EVERY_RUN,
    Claim,
    Created,
    Creation,
    Existed,
    Lost,
    RunFilter,
    RunStore,
    TaskOutcome,
    Won,
)

__all__ = [
    "Answers",
    "Begun",
    "Blobs",
    "Claim",
    "Clock",
    "Created",
    "Creation",
    "Dispatcher",
    "Drafts",
    "EVERY_RUN",
    "Executions",
    "Existed",
    "Ids",
    "Keys",
    "Lost",
    "Packages",
    "Ports",
    "Pulse",
    "Registry",
    "Remembered",
    "RunFilter",
    "RunStore",
    "Schedules",
    "TaskOutcome",
    "Timers",
    "UnderWay",
    "Won",
    "no_pulse",
]


class Ports(Struct, frozen=True):
    """Everything a shell is given. Built in one place per world: `adapters.memory.world()` or
    `adapters.aws.world()`.
    """

    registry: Registry
    runs: RunStore
    keys: Keys
    drafts: Drafts
    answers: Answers
    packages: Packages
    blobs: Blobs
    dispatcher: Dispatcher
    executions: Executions
    containers: Executions | None  # None: the stage has no containers, or this is nobody who starts one
    timers: Timers
    schedules: Schedules
    clock: Clock
    ids: Ids
    public_keys: PublicKeys
    directory: Directory
    exchange: CodeExchange
    sessions: Sessions
    audit: AuditLog
