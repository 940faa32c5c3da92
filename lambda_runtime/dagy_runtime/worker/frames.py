"""What a run's child process and the shell around it say to each other: MessagePack in frames with a length before.

The parent decodes these structs and nothing else. It never unpickles, so a child cannot run code in it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Optional, Union

import msgspec

from dagy.core.sizes import Executor
from dagy.execution.recorder import Failure, Measured

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
INLINE_BYTES: Final = 1024 * 1024
"""Values above this travel as a file beside the frame: a frame exists three times in memory, a file not once."""

_LENGTH_BYTES: Final = 4


class Frame(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One message."""


class Payload(msgspec.Struct, frozen=True, array_like=True):
    """An encoded value: exactly one of `data` and `path` is set. A file belongs to the receiver, who deletes it."""

    codec: str
    sha256: str
    size_bytes: int
    data: Optional[bytes] = None
    path: Optional[str] = None


# --- from the child -----------------------------------------------------------------------------------------

Number = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=2**31)]  # neither NaN nor for ever


class PlannedTask(msgspec.Struct, frozen=True, array_like=True):
    id: str
    task_name: str
    depends_on: tuple[str, ...]
    concurrency_limit: Optional[int] = None
    code: str = ""  # a digest of what the task does, and of what it was given; empty when it cannot be told
    arguments: str = ""
    executor: Optional[Executor] = None


class Planned(Frame, frozen=True):
    """The flow was imported and traced: these are its task runs, in order. Nothing of theirs comes before.

    Answered with `Accepted` when they are stored, or `Refused`.
    """

    number: int
    tasks: tuple[PlannedTask, ...]


class TaskStarted(Frame, frozen=True):
    task_run_id: str
    attempt: Number


class TaskSucceeded(Frame, frozen=True):
    """Answered with `Accepted` or `Refused`."""

    number: int
    task_run_id: str
    attempt: Number
    result: Payload
    measured: Measured


class TaskRetrying(Frame, frozen=True):
    task_run_id: str
    attempt: Number
    failure: Failure
    delay_s: Seconds


class TaskFailed(Frame, frozen=True):
    task_run_id: str
    attempt: Number
    failure: Failure
    measured: Measured


class TaskSkipped(Frame, frozen=True):
    task_run_id: str
    reason: str


class TaskCancelled(Frame, frozen=True):
    task_run_id: str
    reason: str


class ResultWanted(Frame, frozen=True):
    """Answered with `ResultGiven` or `Refused`."""

    number: int
    task_run_id: str


class Logged(Frame, frozen=True):
    task_run_id: Optional[str]
    stream: str
    line: str


class FlowSucceeded(Frame, frozen=True):
    output: Optional[Payload]


class FlowFailed(Frame, frozen=True):
    failure: Failure
    task_run_id: Optional[str] = None


class FlowCancelled(Frame, frozen=True):
    reason: str


class FlowHandedBack(Frame, frozen=True):
    resume_in_s: Seconds
    flow_attempt: Number


Ended = Union[FlowSucceeded, FlowFailed, FlowCancelled, FlowHandedBack]
FromChild = Union[
    Planned,
    TaskStarted,
    TaskSucceeded,
    TaskRetrying,
    TaskFailed,
    TaskSkipped,
    TaskCancelled,
    ResultWanted,
    Logged,
    FlowSucceeded,
    FlowFailed,
    FlowCancelled,
    FlowHandedBack,
]

# --- to the child -------------------------------------------------------------------------------------------


class Accepted(Frame, frozen=True):
    """What frame `number` told is durable."""

    number: int


class Refused(Frame, frozen=True):
    """What frame `number` asked for cannot be done, now or later."""

    number: int
    reason: str


class ResultGiven(Frame, frozen=True):
    number: int
    result: Payload


class Drain(Frame, frozen=True):
    """Start no more tasks."""


class Cancel(Frame, frozen=True):
    reason: str


Reply = Union[Accepted, Refused, ResultGiven]
ToChild = Union[Accepted, Refused, ResultGiven, Drain, Cancel]

# --- framing ------------------------------------------------------------------------------------------------


class FrameTooLarge(ValueError):
    """A frame above 64 MiB; nothing of it was sent, or what follows cannot be read."""


def packed(frame: Frame) -> bytes:
    """Raises: FrameTooLarge."""
    body = msgspec.msgpack.encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"A message of {len(body):,} bytes is above {MAX_FRAME_BYTES:,}")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class FrameReader:
    """Bytes in, in any pieces; frames out. `kind` is the union of what may come."""

    def __init__(self, kind: Any) -> None:
        self._buffer = bytearray()
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def feed(self, data: bytes) -> list[Any]:
        """The frames that these bytes complete.

        Raises: FrameTooLarge or msgspec.DecodeError; the stream makes no sense after either.
        """
        self._buffer += data
        frames, start = [], 0
        while len(self._buffer) - start >= _LENGTH_BYTES:
            body = start + _LENGTH_BYTES
            length = int.from_bytes(self._buffer[start:body], "big")
            if length > MAX_FRAME_BYTES:
                raise FrameTooLarge(f"A message of {length:,} bytes is above {MAX_FRAME_BYTES:,}")
            if len(self._buffer) < body + length:
                break
            frames.append(self._decode(self._buffer[body : body + length]))
            start = body + length
        del self._buffer[:start]
        return frames
