"""What a stage can carry out of all that can be asked for. A setting that was accepted and then ignored would be worse
than none, so both ends look here: the API before it writes, a deploy before it uploads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dagy.core.errors import InvalidFlow, InvalidInput
from dagy.core.platforms import Platform
from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.spec import FlowSpec

MAX_ARTIFACT_BYTES: Final = 250 * 1024 * 1024
"""Of the zip. A runtime function keeps it on its disk beside what it unpacks to and the results of the run."""

MAX_RUN_LIMIT: Final = 1000
"""Of `max_concurrent_runs`: one item of the table names all who run."""
MAX_PACKAGES: Final = 10
"""How many dependency packages one deployment may have."""
MAX_PACKAGE_BYTES: Final = 512 * 1024 * 1024
"""Of one package's zip."""
MAX_PACKAGES_UNPACKED_BYTES: Final = 1024 * 1024 * 1024
"""Of all packages of a deployment together: half of a function's disk. The zip that is being unpacked, the artifact and
what it unpacks to fit into the other half.
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one stage has. Its methods raise for the first thing it has not, saying what to use instead."""

    stage: str
    sizes: tuple[Size, ...]
    isolations: tuple[Isolation, ...]
    executors: tuple[Executor, ...]
    has_packages: bool
    max_artifact_bytes: int = MAX_ARTIFACT_BYTES
    has_run_limits: bool = False
    platform: Platform | None = None  # unknown to stages from before packages

    def check_size(self, size: Size) -> None:
        if size not in self.sizes:
            raise InvalidInput(
                f"Stage '{self.stage}' has no size '{size}'",
                f"It has {', '.join(self.sizes)}. Its functions are chosen when it is provisioned: "
                f"dagy infra deploy --stage {self.stage} --sizes {','.join(_in_order([*self.sizes, size]))}",
            )

    def check_settings(self, isolation: Isolation, executor: Executor | None, *, packages: Sequence[str] = ()) -> None:
        if isolation not in self.isolations:
            raise InvalidInput(f"Isolation '{isolation}' is not available yet", f"Use {_or(self.isolations)}.")
        if executor is not None and executor not in self.executors:
            raise InvalidInput(f"Stage '{self.stage}' has no executor '{executor}'", self._instead_of(executor))
        _check_apart(executor, isolation, "The deployment")
        if packages and not self.has_packages:
            raise InvalidInput(
                f"Stage '{self.stage}' has no dependency packages: it was provisioned by an older Dagy",
                f"Provision it anew: dagy infra deploy --stage {self.stage}",
            )

    def check_run_limit(self, max_concurrent_runs: int | None) -> None:
        if max_concurrent_runs is None:
            return
        if not self.has_run_limits:
            raise InvalidInput(
                "A limit of concurrent runs is not available yet", "Leave max_concurrent_runs out, or null."
            )
        check_run_limit(max_concurrent_runs)

    def check_spec(self, spec: FlowSpec) -> None:
        for name, task in spec.tasks.items():
            self._check_executor(task.default_executor, f"Task '{name}'")
        for run in spec.task_runs:
            self._check_executor(run.executor, f"Task run '{run.id}'")

    def check_tasks(self, spec: FlowSpec, isolation: Isolation) -> None:
        """Raises: InvalidInput for a task that names an executor which no run of this isolation can start it with."""
        for name, task in spec.tasks.items():
            _check_apart(task.default_executor, isolation, f"Task '{name}'")

    def check_artifact(self, size_bytes: int) -> None:
        check_artifact_bytes(size_bytes, self.max_artifact_bytes)

    def _check_executor(self, executor: str | None, who: str) -> None:
        if executor is not None and executor not in self.executors:
            raise InvalidFlow(
                f"{who} wants executor '{executor}', which stage '{self.stage}' does not have",
                self._instead_of(executor),
            )

    def _instead_of(self, executor: str) -> str:
        mended = (
            f" To give it containers on Fargate: dagy infra deploy --stage {self.stage} --set fargate=true"
            if executor == Executor.ECS
            else ""
        )
        return f"Use {_or(self.executors)}.{mended}"


def _check_apart(executor: str | None, isolation: Isolation, who: str) -> None:
    if executor not in (None, Executor.LAMBDA) and isolation is not Isolation.TASK_ISOLATED:
        raise InvalidInput(
            f"{who} wants executor '{executor}', which starts each task by itself; with isolation '{isolation}' all "
            "tasks of a run share one process",
            f"Use isolation '{Isolation.TASK_ISOLATED}' (--execution-mode {Isolation.TASK_ISOLATED}), or executor "
            f"'{Executor.LAMBDA}'.",
        )


def check_run_limit(max_concurrent_runs: int) -> None:
    """Raises: InvalidInput."""
    if not 1 <= max_concurrent_runs <= MAX_RUN_LIMIT:
        raise InvalidInput(f"max_concurrent_runs {max_concurrent_runs} is out of range", f"1–{MAX_RUN_LIMIT:,}.")


def check_artifact_bytes(size_bytes: int, max_bytes: int) -> None:
    """Raises: InvalidInput."""
    if size_bytes > max_bytes:
        raise InvalidInput(
            f"The artifact has {size_bytes:,} bytes, more than {max_bytes:,}", "Read large data from S3 instead."
        )


def _in_order(sizes: Sequence[Size]) -> list[Size]:
    return [size for size in Size if size in sizes]


def _or(words: Sequence[str]) -> str:
    return " or ".join(f"'{word}'" for word in words)
