"""Child processes of flows that lie in a folder, without an engine around them."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.artifact import Metadata
from dagy.execution.recorder import Finished, RunOptions
from dagy_runtime.worker.child import Job

NOTHING = Finished()
MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A job for the flow `main` of the source given."""
    numbers = itertools.count()

    def job(source: str, *, finished: Finished = NOTHING, **parameters: Any) -> Job:
        root = tmp_path / f"job-{next(numbers)}"
        folders = {name: root / name for name in ("code", "scratch", "tmp", "handover")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        (folders["code"] / "the_flow.py").write_text(textwrap.dedent(source))
        return Job(
            run_id="main-20260304T120000Z-abcdef",
            code_dir=folders["code"],
            work_dir=folders["scratch"],
            temp_dir=folders["tmp"],
            handover_dir=folders["handover"],
            metadata=_metadata(),
            parameters=parameters,
            options=RunOptions(),
            finished=finished,
        )

    return job


def _metadata() -> Metadata:
    return Metadata(
        flow_name="main",
        flow_version="latest",
        is_version_pinned=False,
        entrypoint="the_flow:main",
        source="the_flow.py",
        import_roots=(".",),
        built_at="1980-01-01T00:00:00Z",
        python_version="3.10",
        dagy_version="0",
        code_hash="0" * 64,
        namespace="",
    )
