"""Any flow, crashed anywhere, then resumed, equals the flow that was never crashed. `DAGY_CRASHED_FLOWS` says how many
are tried.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy import flow, task
from dagy.core.errors import Conflict
from dagy.local import LocalRecords
from dagy.local.events import RunEnded, RunResumed, TaskSucceeded
from dagy.local.journal import read_events
from dagy.local.layout import LocalPaths
from dagy.local.paths import using_local_dir
from dagy.local.resume import find_resumable
from dagy.results import decode

Node = tuple[list[int], int, bool]
"""Its parents, by position; how many characters its result is padded with; whether its first attempt fails."""

IN_THE_JOURNAL_BYTES = 16 * 1024
RAN: Counter[int] = Counter()


def value_of(at: int, inputs: list[dict[str, object]], padding: int) -> dict[str, object]:
    return {"at": at, "sum": at + 2 * sum(int(str(each["sum"])) for each in inputs), "padding": "x" * padding}


@task(retries=1)
def node(at: int, inputs: list[dict[str, object]], *, padding: int, fails_first: bool) -> dict[str, object]:
    print(f"node {at}")
    RAN[at] += 1
    if fails_first and RAN[at] == 1:
        raise ValueError("not yet")
    return value_of(at, inputs, padding)


@flow
def grown(nodes: list[Node]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for at, (parents, padding, fails_first) in enumerate(nodes):
        made.append(node(at, [made[parent] for parent in parents], padding=padding, fails_first=fails_first))
    return made


def in_plain_python(nodes: list[Node]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for at, (parents, padding, _) in enumerate(nodes):
        made.append(value_of(at, [made[parent] for parent in parents], padding))
    return made


@st.composite
def flows(draw: st.DrawFn) -> list[Node]:
    count = draw(st.integers(1, 12))
    return [
        (
            draw(st.lists(st.integers(0, at - 1), max_size=3, unique=True)) if at else [],
            draw(st.sampled_from([0, 0, 20_000])),  # larger results have files of their own before they count
            draw(st.booleans()),
        )
        for at in range(count)
    ]


@settings(max_examples=int(os.environ.get("DAGY_CRASHED_FLOWS", "12")), deadline=None)
@given(
    nodes=flows(),
    workers=st.sampled_from([1, 4]),
    crashes=st.lists(st.floats(0, 1), min_size=1, max_size=3),
)
def test_any_flow_crashed_anywhere_and_resumed_equals_one_never_crashed(
    nodes: list[Node], workers: int, crashes: list[float]
) -> None:
    RAN.clear()
    expected = in_plain_python(nodes)
    with tempfile.TemporaryDirectory() as folder, using_local_dir(Path(folder) / "home"):
        paths = LocalPaths(Path(folder) / "home")
        run_id, journal = ran_unsettled(paths, nodes, workers)
        for crash in crashes:
            finished, is_over = crashed(paths, run_id, journal, crash)
            before = Counter(RAN)
            if is_over:
                with pytest.raises(Conflict, match="nothing to resume"):
                    grown.resume(run_id)
                assert before == RAN
                break
            find_resumable(run_id)  # settles it: its journal is kept beside its files
            journal = Path(folder) / f"journal-{sum(RAN.values())}"  # goes on to be written under this name too
            os.link(paths.kept_journal(run_id), journal)
            done = grown.resume(run_id)
            assert (done.run_id, done.status, done.result) == (run_id, "SUCCEEDED", expected)
            assert RAN - before == Counter(at for at in range(len(nodes)) if f"node-{at + 1}" not in finished)
        with LocalRecords() as records:
            assert [run.status for run in records.list_runs()] == ["SUCCEEDED"]
            assert [task.status for task in records.task_runs(run_id)] == ["SUCCEEDED"] * len(nodes)
            for at, value in enumerate(expected):
                stored = records.stored_result(run_id, f"node-{at + 1}")
                assert stored is not None
                assert decode(stored) == value


def ran_unsettled(paths: LocalPaths, nodes: list[Node], workers: int) -> tuple[str, Path]:
    """To its end, but with a directory where the database should be: what there is of it, its journal has."""
    paths.database.mkdir(parents=True)
    done = grown.run_local(nodes, max_workers=workers)
    assert done.result == in_plain_python(nodes)
    paths.database.rmdir()
    return done.run_id, paths.journal(done.run_id)


def crashed(paths: LocalPaths, run_id: str, journal: Path, share: float) -> tuple[set[str], bool]:
    """As if the process had died when that share of what its last execution wrote was written, and before any file
    that is made later. Gives the tasks that had succeeded by then, and whether the run was over.
    """
    lines = journal.read_bytes().splitlines(keepends=True)
    first = max(
        at for at, line in enumerate(lines) if b'"event":"runstarted"' in line or b'"event":"runresumed"' in line
    )
    before, during = b"".join(lines[: first + 1]), b"".join(lines[first + 1 :])
    journal.unlink()
    paths.journal(run_id).write_bytes(before + during[: round(len(during) * share)])
    for file in [*paths.run(run_id).rglob("*.json"), paths.kept_journal(run_id), paths.database]:
        file.unlink(missing_ok=True)
    kept_before = set(getattr(read_events(paths.journal(run_id))[first], "kept", ()))
    for file in paths.artifacts_of(run_id).rglob("*.json"):
        if file.stat().st_size <= IN_THE_JOURNAL_BYTES and file.parent.name not in kept_before:
            file.unlink()
    return succeeded_in(paths.journal(run_id))


def succeeded_in(journal: Path) -> tuple[set[str], bool]:
    found: set[str] = set()
    events = read_events(journal)
    for event in events:
        if isinstance(event, RunResumed):
            found &= set(event.kept)
        elif isinstance(event, TaskSucceeded):
            found.add(event.id)
    return found, isinstance(events[-1], RunEnded)
