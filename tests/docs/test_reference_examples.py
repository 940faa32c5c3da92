"""The examples of the SDK's reference, as they stand there. Those that deploy are in test_deploying_from_python.py."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dagy import FlowSpec, LocalArtifact, RunContext, State, TaskOutput, TaskRunSpec, TaskSpec, build_artifact
from dagy.artifact import load_target, read_artifact
from dagy.testing import fail_task, run_in_memory

REFERENCE = """
from dagy import Hook, RunContext, State, completed, failed, flow, running, task

# Bare decorator (no arguments)
@task
def simple_task(x: int) -> int:
    return x * 2

# With configuration
@task(retries=3, retry_delay_seconds=[1, 5, 30], timeout_seconds=120)
def robust_task(url: str) -> dict:
    return {"url": url}

# With conditional retry
@task(
    retries=5,
    retry_condition_fn=lambda e: isinstance(e, (ConnectionError, TimeoutError))
)
def api_call(endpoint: str) -> dict:
    return {"endpoint": endpoint}

# With jitter
@task(retries=3, retry_delay_seconds=2.0, retry_jitter_factor=0.5)
def jittered_task():
    return "jittered"

@flow
def usage(url: str = "https://example.com"):
    return [simple_task(21), robust_task(url), api_call("/orders"), jittered_task()]

@task
def extract(source, date):
    return [source, date]

@task
def transform(rows):
    return [row.upper() for row in rows]

loaded = []

@task
def load(rows):
    loaded.append(rows)

@flow(name="daily_etl", description="Daily data pipeline")
def daily_etl(date: str, source: str):
    data = extract(source, date)
    cleaned = transform(data)
    load(cleaned)

sent = []

class SlackNotifyHook(Hook):
    def __call__(self, context: RunContext, state: State):
        sent.append((context, state))

@task(on_running=[SlackNotifyHook()], on_completion=[SlackNotifyHook()])
def announced(x: int = 5):
    return x

@flow(on_failure=[SlackNotifyHook()])
def announcing():
    return announced(7)

STATES = [running(), completed(), failed("timeout")]

@flow
def my_flow(param1: str = "none"):
    return simple_task(len(param1))

@flow(name="my_pipeline", version="1.0.0")
def my_pipeline():
    return simple_task(1)
"""


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "reference_flows.py"
    path.write_text(REFERENCE, encoding="utf-8")
    return sys.modules[load_target(f"{path}:my_flow").fn.__module__]


def test_the_usages_of_task_run(reference: ModuleType) -> None:
    run = run_in_memory(reference.usage)
    assert run.result == [42, {"url": "https://example.com"}, {"endpoint": "/orders"}, "jittered"]


@pytest.mark.parametrize(
    "task, error, attempts, delays_s",
    [
        pytest.param("robust_task", ValueError, 4, (1.0, 5.0, 30.0), id="with configuration"),
        pytest.param("api_call", ConnectionError, 6, (0.0,) * 5, id="with conditional retry, of its errors"),
        pytest.param("api_call", ValueError, 1, (), id="with conditional retry, of others"),
        pytest.param("jittered_task", ValueError, 4, (2.5, 2.5, 2.5), id="with jitter"),
    ],
)
def test_they_are_retried_as_they_say(
    reference: ModuleType, task: str, error: type[Exception], attempts: int, delays_s: tuple[float, ...]
) -> None:
    run = run_in_memory(reference.usage, given=[fail_task(task, error=error)], chance=0.5)
    assert (run.task(task).attempts, run.task(task).delays_s) == (attempts, delays_s)


def test_the_daily_etl_runs_and_is_described(reference: ModuleType) -> None:
    flow = reference.daily_etl
    assert (flow.name, flow.description) == ("daily_etl", "Daily data pipeline")
    run_in_memory(flow, date="2026-03-04", source="s3").assert_succeeded()
    assert reference.loaded == [["S3", "2026-03-04"]]
    assert flow.build().edges == [["extract-1", "transform-1"], ["transform-1", "load-1"]]


def test_hooks_get_a_context_and_a_state(reference: ModuleType) -> None:
    run_in_memory(reference.announcing).assert_succeeded()
    run_in_memory(reference.announcing, given=[fail_task("announced", error=OSError("gone"))]).assert_failed()
    context = RunContext(kind="task", name="announced", attempt=1, max_retries=0, parameters={"x": 7})
    assert reference.sent == [
        (context, State("RUNNING")),
        (context, State("SUCCEEDED")),
        (context, State("RUNNING")),
        (RunContext("flow", "announcing", 1, 0, {}), State("FAILED", "gone")),
    ]


def test_the_state_factories_are_as_they_say(reference: ModuleType) -> None:
    assert list(reference.STATES) == [
        State(type="RUNNING"),
        State(type="SUCCEEDED"),
        State(type="FAILED", message="timeout"),
    ]


def test_a_flow_runs_locally_with_its_options(reference: ModuleType) -> None:
    result = reference.my_flow.run_local(
        param1="value",
        fail_fast=True,  # Stop on first failure
        max_workers=1,  # Parallel task workers
        cleanup_keep_last=20,
    )
    assert (result.status, result.result) == ("SUCCEEDED", 10)


def test_an_artifact_is_built_and_knows_the_flows_version(reference: ModuleType) -> None:
    artifact = build_artifact(reference.my_pipeline)
    assert isinstance(artifact, LocalArtifact)
    assert artifact.path.is_file()
    contents = read_artifact(artifact.path)
    assert (contents.spec.name, contents.spec.version) == ("my_pipeline", "1.0.0")
    assert contents.metadata.code_hash == artifact.code_hash


@pytest.mark.parametrize(
    "spec, names",
    [
        pytest.param(FlowSpec, "name version created_at tasks task_runs edges outputs parameters", id="FlowSpec"),
        pytest.param(
            TaskSpec,
            "name import_path description default_executor retries retry_delay_seconds timeout_seconds "
            "concurrency_limit",
            id="TaskSpec",
        ),
        pytest.param(TaskRunSpec, "id task_name depends_on args kwargs executor", id="TaskRunSpec"),
        pytest.param(RunContext, "kind name attempt max_retries parameters", id="RunContext"),
        pytest.param(State, "type message", id="State"),
    ],
)
def test_specs_have_the_fields_of_the_reference(spec: Any, names: str) -> None:
    assert [field.name for field in fields(spec)] == names.split()


def test_a_tasks_output_names_its_task_run() -> None:
    assert TaskOutput("extract-1").task_run_id == "extract-1"
