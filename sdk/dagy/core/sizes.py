"""The six sizes a flow can run in, and the shapes they stand for on Lambda and on Fargate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Mapping

from dagy.core.errors import InvalidInput
from dagy.core.names import did_you_mean


class Size(str, Enum):
    """How much machine a deployment's runs get."""

    NANO = "nano"
    MICRO = "micro"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    XLARGE = "xlarge"

    __str__ = str.__str__


class Isolation(str, Enum):
    """Whether a run is one invocation, or each of its tasks is one."""

    IN_PROCESS = "in-process"
    TASK_ISOLATED = "task-isolated"

    __str__ = str.__str__


class Executor(str, Enum):
    """What carries a task out on AWS."""

    LAMBDA = "lambda"
    STEP_FUNCTIONS = "step-functions"
    ECS = "ecs"

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Shape:
    """What one size is made of. Fargate shapes are among the pairs AWS allows."""

    lambda_memory_mib: int
    fargate_cpu_units: int  # 1024 units are one vCPU
    fargate_memory_mib: int


SHAPES: Final[Mapping[Size, Shape]] = MappingProxyType(
    {
        Size.NANO: Shape(256, 256, 512),
        Size.MICRO: Shape(512, 256, 1024),
        Size.SMALL: Shape(1024, 512, 1024),
        Size.MEDIUM: Shape(2048, 1024, 2048),
        Size.LARGE: Shape(4096, 2048, 4096),
        Size.XLARGE: Shape(10240, 4096, 12288),
    }
)

DEFAULT_SIZE: Final = Size.NANO
DEFAULT_ISOLATION: Final = Isolation.IN_PROCESS


@dataclass(frozen=True, slots=True)
class ExecutionMode:
    """A change to a deployment's size and isolation; `None` leaves that one as it is."""

    size: Size | None = None
    isolation: Isolation | None = None


def parse_execution_modes(words: tuple[str, ...]) -> ExecutionMode:
    """Read the words users write for `execution_mode`: a size, an isolation, or one of each.

    Raises: InvalidInput naming the word and the eight that exist, or the two that contradict each other.
    """
    size: Size | None = None
    isolation: Isolation | None = None
    for word in words:
        if word in Size._value2member_map_:
            if size is not None and size != word:
                raise InvalidInput(f"Execution mode '{word}' contradicts '{size}'", "Give one size.")
            size = Size(word)
        elif word in Isolation._value2member_map_:
            if isolation is not None and isolation != word:
                raise InvalidInput(f"Execution mode '{word}' contradicts '{isolation}'", "Give one isolation.")
            isolation = Isolation(word)
        else:
            sizes, isolations = ", ".join(Size), ", ".join(Isolation)
            meant = did_you_mean(word, [*Size, *Isolation])
            raise InvalidInput(
                f"Unknown execution mode '{word}'.{meant}", f"A size ({sizes}) or an isolation ({isolations})."
            )
    return ExecutionMode(size, isolation)
