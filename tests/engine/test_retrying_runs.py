"""A run that retries another keeps its accepted results, as far as code and arguments are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.engine.cancel import cancel_run

FLOW = """
    from pathlib import Path
    from dagy import flow, task

    def noted(path, word):
        with Path(path).open("a") as file:
            file.write(word + " ")

    @task
    def extract(path: str, day: int):
        noted(path, f"extract-{day}")
        return day

    @task
    def clean(path: str, rows: int):
        noted(path, "clean")
        return rows + 1

    @task
    def load(path: str, left: int, right: int):
        noted(path, "load")
        if not Path(path + ".ok").exists():
            raise ConnectionError("the database is away")
        return left + right

    @task
    def report(path: str, total: int):
        noted(path, "report")
        return f"{total} rows"

    @flow
    def etl(path: str, day: int = 1):
        cleaned = clean(path, extract(path, day))
        return report(path, load(path, cleaned, extract(path, 10)))
"""


def with_other(source: str, old: str, new: str) -> str:
    assert old in source
    return source.replace(old, new)


@pytest.fixture(params=Isolation)
def isolation(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """What the tasks' code did, in order."""
    return tmp_path / "notes"


def failed(stage: Any, notes: Path, isolation: Any) -> str:
    run_id = stage.submit(stage.deploy(FLOW), {"path": str(notes), "day": 1}, isolation=isolation)
    stage.until_quiet()
    assert stage.run(run_id).status is Status.FAILED
    notes.write_text("")
    Path(f"{notes}.ok").touch()
    return str(run_id)


def retried(stage: Any, notes: Path, isolation: Any, run_id: str, source: str = FLOW, day: int = 1) -> str:
    again = stage.submit(stage.deploy(source), {"path": str(notes), "day": day}, isolation=isolation, retry_of=run_id)
    stage.until_quiet()
    return str(again)


def test_only_what_had_not_succeeded_runs(stage: Any, notes: Path, isolation: Any) -> None:
    run_id = failed(stage, notes, isolation)
    before = stage.run(run_id), stage.tasks(run_id)

    again = retried(stage, notes, isolation, run_id)

    assert notes.read_text() == "load report "
    assert stage.run(again).status is Status.SUCCEEDED
    assert stage.result(again) == "12 rows"
    assert (stage.run(run_id), stage.tasks(run_id)) == before
    kept = stage.tasks(again)["extract-1"]
    assert replace(kept, run_id=run_id) == before[1]["extract-1"]
    (event,) = [e for e in stage.ports.runs.list_events(again, limit=100).items if e.type == "results_kept"]
    why = {"load-1": "it failed", "report-1": "it had not finished"}
    assert event.data == {"of": run_id, "kept": 3, "run_again": 2, "why": why}


@pytest.mark.parametrize(
    "old, new, expected",
    [
        pytest.param("return rows + 1", "return rows + 2", "clean load report ", id="a task's code"),
        pytest.param('file.write(word + " ")', 'file.write(f"{word} ")', "all", id="what all tasks use"),
        pytest.param("extract(path, 10)", "extract(path, 11)", "extract-11 load report ", id="an argument"),
        pytest.param(
            "    @task\n    def report", "    @task(retries=2)\n    def report", "load report ", id="settings"
        ),
    ],
)
def test_with_newer_code_what_changed_runs_too(
    stage: Any, notes: Path, isolation: Any, old: str, new: str, expected: str
) -> None:
    run_id = failed(stage, notes, isolation)

    again = retried(stage, notes, isolation, run_id, with_other(FLOW, old, new))

    assert stage.run(again).status is Status.SUCCEEDED, stage.run(again).problem
    done = sorted(notes.read_text().split())
    assert done == sorted(("extract-1 extract-10 clean load report " if expected == "all" else expected).split())


def test_with_another_parameter_what_is_given_it_runs_too(stage: Any, notes: Path, isolation: Any) -> None:
    run_id = failed(stage, notes, isolation)

    again = retried(stage, notes, isolation, run_id, day=5)

    assert sorted(notes.read_text().split()) == ["clean", "extract-5", "load", "report"]
    assert stage.result(again) == "16 rows"


def test_a_retry_of_a_retry_keeps_what_both_have_done(stage: Any, notes: Path, isolation: Any) -> None:
    first = failed(stage, notes, isolation)
    Path(f"{notes}.ok").unlink()
    second = retried(stage, notes, isolation, first, with_other(FLOW, "rows + 1", "rows + 3"))
    assert stage.run(second).status is Status.FAILED
    assert notes.read_text() == "clean load "
    Path(f"{notes}.ok").touch()
    notes.write_text("")

    third = retried(stage, notes, isolation, second, with_other(FLOW, "rows + 1", "rows + 3"))

    assert notes.read_text() == "load report "
    assert stage.result(third) == "14 rows"


def test_a_run_whose_tasks_are_all_kept_only_gives_its_result(stage: Any, notes: Path, isolation: Any) -> None:
    """It failed in the flow's own end, or was cancelled there."""
    Path(f"{notes}.ok").touch()
    run_id = stage.submit(stage.deploy(FLOW), {"path": str(notes), "day": 1}, isolation=isolation)
    stage.until_quiet()
    record = stage.ports.runs._records[run_id]
    record.run = replace(record.run, status=Status.CANCELLED, result=None)
    notes.write_text("")

    again = retried(stage, notes, isolation, run_id)

    assert notes.read_text() == ""
    assert stage.result(again) == "12 rows"


def test_a_cancelled_retry_starts_nothing(stage: Any, notes: Path, isolation: Any) -> None:
    run_id = failed(stage, notes, isolation)
    again = stage.submit(stage.deploy(FLOW), {"path": str(notes), "day": 1}, isolation=isolation, retry_of=run_id)
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    cancel_run(stage.ports, again)
    stage.until_quiet()

    assert stage.run(again).status is Status.CANCELLED
    assert notes.read_text() == ""
    assert stage.tasks(again)["extract-1"].status is Status.SUCCEEDED


def test_lost_messages_of_a_retry_are_found(stage: Any, notes: Path) -> None:
    run_id = failed(stage, notes, Isolation.TASK_ISOLATED)
    again = stage.submit(
        stage.deploy(FLOW), {"path": str(notes), "day": 1}, isolation=Isolation.TASK_ISOLATED, retry_of=run_id
    )
    stage.handle(stage.ports.dispatcher.waiting.pop(0).message)
    stage.ports.dispatcher.waiting.clear()
    stage.until_quiet()

    assert notes.read_text() == "load report "
    assert stage.run(again).status is Status.SUCCEEDED
