"""The place where an invocation's child process works: empty folders, the run's code in them, and a way to start it.

It is the one part of the engine that forks, so it is handed in: the simulation has a workshop in which children are
only played, and everything around them is as on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from dagy.artifact import Metadata
from dagy.execution.recorder import Finished, RunOptions
from dagy_runtime.engine.artifacts import Unusable, unpack_artifact
from dagy_runtime.engine.package_cache import PackageCache
from dagy_runtime.ports import Blobs, Pulse
from dagy_runtime.values import Run
from dagy_runtime.worker.child import Job
from dagy_runtime.worker.frames import ToChild
from dagy_runtime.worker.payloads import Handover
from dagy_runtime.worker.process import ChildProcess, Exit, Heard
from dagy_runtime.worker.workdir import WorkDir, fresh_work_dir

_THIS_PROCESS: Final = PackageCache()


class Orders(Struct, frozen=True):
    """What a child is to do of its flow: all that is not finished; only the plan of it; or only one task."""

    options: RunOptions
    finished: Finished = Finished()
    is_plan_only: bool = False
    only_task: str | None = None


class Child(Protocol):
    """As `ChildProcess`."""

    @property
    def exit(self) -> Exit | None: ...

    def hear(self, timeout_s: float) -> Sequence[Heard]: ...

    def say(self, frame: ToChild) -> None: ...

    def kill(self) -> None: ...


class Bench(Protocol):
    """A run's place in the workshop."""

    @property
    def handover(self) -> Handover: ...

    @property
    def fetched(self) -> tuple[str, ...]:
        """The slugs of the dependency packages that were not there yet."""

    def start(self, orders: Orders) -> AbstractContextManager[Child]: ...


class Workshop(Protocol):
    def opened(self, run: Run, *, keep: Callable[[], None], pulse: Pulse) -> AbstractContextManager[Bench | Unusable]:
        """With the run's code in it, or the reason why it can have none. `keep` is called between its steps, and
        what it raises passes through.
        """


class ForkedBench(Struct, frozen=True):
    run: Run
    dirs: WorkDir
    handover: Handover
    metadata: Metadata
    package_dirs: tuple[Path, ...] = ()
    fetched: tuple[str, ...] = ()

    def start(self, orders: Orders) -> AbstractContextManager[Child]:
        return ChildProcess.start(
            Job(
                run_id=self.run.id,
                code_dir=self.dirs.code,
                work_dir=self.dirs.scratch,
                temp_dir=self.dirs.temp,
                handover_dir=self.dirs.handover,
                metadata=self.metadata,
                parameters=self.run.parameters,
                options=orders.options,
                finished=orders.finished,
                is_plan_only=orders.is_plan_only,
                only_task=orders.only_task,
                package_dirs=self.package_dirs,
            )
        )


class ForkedWorkshop(Struct, frozen=True):
    """Children are forked from this process, and everything of theirs is gone when the block ends."""

    blobs: Blobs
    packages: PackageCache = _THIS_PROCESS

    @contextmanager
    def opened(self, run: Run, *, keep: Callable[[], None], pulse: Pulse) -> Iterator[ForkedBench | Unusable]:
        with fresh_work_dir() as dirs, Handover(dirs.handover) as handover:
            keep()
            provided = self.packages.provide(self.blobs, run.packages, pulse=pulse)
            keep()
            if isinstance(provided, Unusable):
                yield provided
                return
            metadata = unpack_artifact(self.blobs, run.artifact, download=dirs.download, into=dirs.code, pulse=pulse)
            keep()
            if isinstance(metadata, Unusable):
                yield metadata
                return
            yield ForkedBench(run, dirs, handover, metadata, provided.folders, provided.fetched)
