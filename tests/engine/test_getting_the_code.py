"""A run's code comes onto the disk exactly as it was pinned, or the run fails and says why."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy_runtime.engine.advance import Finished

LARGE_RESULT = """
    from dagy import flow, task

    @task
    def large() -> str:
        return "x" * (2 * 1024 * 1024)

    @task
    def size(text: str) -> int:
        return len(text)

    @flow
    def heavy():
        return size(large())
"""


class FullDisk:
    """Blobs on a machine whose disk is full when files of that prefix come: half of it is written, then no more."""

    def __init__(self, blobs: Any, prefix: str) -> None:
        self._blobs, self._prefix = blobs, prefix
        self.left_behind: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def get_file(self, key: str, path: Any, **how: Any) -> str:
        if not key.startswith(self._prefix):
            return self._blobs.get_file(key, path, **how)
        path.write_bytes(b"half of it")
        self.left_behind.append(path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def get(self, key: str, **how: Any) -> bytes:
        assert not key.startswith("flows/"), "never whole in memory"
        return self._blobs.get(key, **how)


def test_an_artifact_that_does_not_fit_on_the_disk_fails_the_run_and_says_so(stage):
    run_id = stage.submit(stage.deploy(LARGE_RESULT))

    assert stage.advance(run_id, ports=replace(stage.ports, blobs=FullDisk(stage.ports.blobs, "flows/"))) == Finished(
        Status.FAILED
    )
    problem = stage.run(run_id).problem
    assert problem.error_type == "NoRoom"
    assert "No space left on device" in problem.message
    assert "Make it smaller" in problem.message


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_artifact_that_unpacks_to_more_than_the_disk_takes_fails_the_run_and_says_so(stage):
    padding = f"import padding\n{LARGE_RESULT.strip()}".replace("\n    ", "\n")
    flow = stage.deploy(padding, files={"padding.py": "# " + "x" * 500_000})
    run_id = stage.submit(flow)
    assert flow.artifact.size_bytes < 100_000

    with files_of_at_most(200_000):
        assert stage.advance(run_id) == Finished(Status.FAILED)

    assert stage.run(run_id).problem.error_type == "NoRoom"
    assert "File too large" in stage.run(run_id).problem.message


def test_a_stored_result_that_does_not_fit_on_the_disk_fails_its_reader_and_says_so(stage):
    run_id = stage.submit(stage.deploy(LARGE_RESULT))

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(stage.ports.runs, name)

        def start_task(self, run_id: str, task_run_id: str, **how: Any) -> bool:
            if task_run_id == "size-1":
                raise Unavailable("the function died")
            return stage.ports.runs.start_task(run_id, task_run_id, **how)

    with pytest.raises(Unavailable):
        stage.advance(run_id, ports=replace(stage.ports, runs=Dying()))
    disk = FullDisk(stage.ports.blobs, "runs/")

    assert stage.advance(run_id, ports=replace(stage.ports, blobs=disk)) == Finished(Status.FAILED)
    assert (
        "2 MiB, and there is no room for it (No space left on device)" in stage.tasks(run_id)["size-1"].problem.message
    )
    assert [path.exists() for path in disk.left_behind] == [False]
