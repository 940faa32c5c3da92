"""Plans: decided from values alone."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy.client import models as m
from dagy.core.errors import ArtifactMismatch, InvalidInput
from dagy.core.sizes import ExecutionMode, Executor, Isolation, Size
from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy.deploy import Candidate, DeployOptions, schedule_change
from dagy.deploy.changes import flow_changes
from dagy.deploy.options import Keep, Remove, Replace, check
from dagy.deploy.plan import ChangeSettings, Deployed, Plan, PutDeployment, Register, Upload, make_plan
from dagy.deploy.shipped import Shipped, dropped, read_shipped
from dagy.ranged_file import Piece, RangedFile

NOW = 1_800_000_000.0
AT = "2026-01-01T00:00:00.000Z"
SPEC = FlowSpec(
    "etl",
    "latest",
    AT,
    {"a": TaskSpec("a", "f:a"), "b": TaskSpec("b", "f:b", retries=1)},
    [TaskRunSpec("a-1", "a"), TaskRunSpec("b-1", "b", ["a-1"])],
    [["a-1", "b-1"]],
)
CANDIDATE = Candidate(Path("artifact.zip"), SPEC, "c" * 64, "5" * 64, 100, namespace="data")


def after(plan: Plan, candidate: Candidate, before: Deployed) -> Deployed:
    """What stands there when the plan was carried out."""
    flow, deployment = before.flow, before.deployment
    for step in plan.steps:
        match step:
            case Register(name, version, namespace, tags):
                flow = m.FlowDetailResponse(
                    flow_name=name, flow_version=version, namespace=namespace, tags=tags, parameters=[],
                    code_hash=candidate.code_hash, flow_spec=candidate.spec.with_version(version).to_dict(),
                    artifact_s3_uri="s3://b/k", artifact_sha256=candidate.sha256, created_at=AT, updated_at=AT,
                )  # fmt: skip
            case PutDeployment(request):
                deployment = deployment_of(plan, (deployment.deployment_version if deployment else 0) + 1)
                assert (request.flow_name, request.flow_version) == (plan.flow_name, plan.flow_version)
            case ChangeSettings(name):
                assert deployment is not None
                assert name == plan.deployment
                deployment = deployment_of(plan, deployment.deployment_version + 1)
            case Upload():
                pass
    return Deployed(flow, flow, deployment)


def deployment_of(plan: Plan, version: int) -> m.DeploymentResponse:
    return m.DeploymentResponse(
        name=plan.deployment, flow_name=plan.flow_name, flow_version=plan.flow_version, deployment_version=version,
        next_fire_times=[], created_at=AT, updated_at=AT, **plan.settings,
    )  # fmt: skip


SCHEDULES = st.sampled_from(
    [
        Keep(),
        Remove(),
        Replace("0 6 * * *", None),
        Replace("0 6 * * *", "Europe/Athens"),
        Replace("rate(1 hour)", "UTC"),
    ]
)
OPTIONS = st.builds(
    DeployOptions,
    deployment=st.sampled_from([None, "mine"]),
    flow_version=st.sampled_from([None, "1.0.0"]),
    namespace=st.sampled_from([None, "", "team/x"]),
    tags=st.sampled_from([None, {}, {"team": "data"}]),
    mode=st.builds(ExecutionMode, st.sampled_from([None, *Size]), st.sampled_from([None, *Isolation])),
    schedule=SCHEDULES,
    status=st.sampled_from([None, "ACTIVE", "PAUSED"]),
    default_executor=st.sampled_from([None, *(str(e) for e in Executor)]),
)


@settings(max_examples=200)
@given(first=OPTIONS, second=OPTIONS)
def test_what_was_deployed_needs_no_second_deploy(first: DeployOptions, second: DeployOptions) -> None:
    check(first, now=NOW)
    once = after(make_plan(CANDIDATE, Deployed(), first), CANDIDATE, Deployed())
    assert make_plan(CANDIDATE, once, first).steps == ()

    same_target = replace(second, deployment=first.deployment, flow_version=first.flow_version)
    twice = after(make_plan(CANDIDATE, once, same_target), CANDIDATE, once)
    again = make_plan(CANDIDATE, twice, same_target)
    assert again.steps == ()
    assert again.changes == ()


@settings(max_examples=200)
@given(options=OPTIONS)
def test_force_repeats_everything_and_changes_nothing(options: DeployOptions) -> None:
    once = after(make_plan(CANDIDATE, Deployed(), options), CANDIDATE, Deployed())

    forced = make_plan(CANDIDATE, once, replace(options, is_forced=True))

    assert [type(step) for step in forced.steps] == [Upload, Register, PutDeployment]
    assert forced.changes == ()


@settings(max_examples=200)
@given(first=OPTIONS)
def test_what_is_not_said_stays_as_it_is(first: DeployOptions) -> None:
    once = after(make_plan(CANDIDATE, Deployed(), first), CANDIDATE, Deployed())
    changed = replace(CANDIDATE, code_hash="d" * 64)

    plan = make_plan(changed, once, DeployOptions(deployment=first.deployment, flow_version=first.flow_version))

    assert once.deployment is not None
    assert plan.settings == {key: getattr(once.deployment, key) for key in plan.settings}
    assert [step.namespace for step in plan.steps if isinstance(step, Register)] == [once.flow and once.flow.namespace]


def test_a_deployment_moves_to_a_version_that_is_registered_already_without_an_upload() -> None:
    one = after(make_plan(CANDIDATE, Deployed(), DeployOptions()), CANDIDATE, Deployed())

    plan = make_plan(CANDIDATE, Deployed(one.flow, one.flow, None), DeployOptions(deployment="second"))

    assert [type(step) for step in plan.steps] == [PutDeployment]


def test_a_spec_that_this_dagy_cannot_read_does_not_stop_a_deploy() -> None:
    once = after(make_plan(CANDIDATE, Deployed(), DeployOptions()), CANDIDATE, Deployed())
    assert once.flow is not None
    once.flow.flow_spec = {"of": "the future"}

    plan = make_plan(replace(CANDIDATE, code_hash="d" * 64), once, DeployOptions())

    assert plan.changes == ("code ccccccc → ddddddd",)


def test_a_deployment_that_moves_to_another_version_says_so() -> None:
    once = after(make_plan(CANDIDATE, Deployed(), DeployOptions()), CANDIDATE, Deployed())

    plan = make_plan(CANDIDATE, Deployed(None, once.flow, once.deployment), DeployOptions(flow_version="2"))

    assert plan.changes == ("flow etl:latest → etl:2",)
    assert [type(step) for step in plan.steps] == [Upload, Register, PutDeployment]


@pytest.mark.parametrize(
    "changed, told",
    [
        pytest.param({"tasks": {**SPEC.tasks, "c": TaskSpec("c", "f:c")}}, ["+1 task (c)"], id="a new task"),
        pytest.param({"tasks": {"a": SPEC.tasks["a"]}}, ["-1 task (b)"], id="a task gone"),
        pytest.param({"tasks": {**SPEC.tasks, "b": TaskSpec("b", "f:b", retries=3)}}, ["retries b 1 → 3"], id="more"),
        pytest.param({"tasks": {**SPEC.tasks, "a": TaskSpec("a", "g:a", "moved")}}, [], id="moved and described"),
        pytest.param({"edges": []}, ["other edges"], id="another order"),
        pytest.param({"task_runs": SPEC.task_runs[:1]}, ["task runs 2 → 1"], id="fewer calls"),
        pytest.param({"parameters": [{"name": "n", "type": "int"}]}, ["+1 parameter (n)"], id="a new parameter"),
    ],
)  # fmt: skip
def test_changes_of_a_plan_in_words(changed: dict[str, Any], told: list[str]) -> None:
    assert flow_changes(SPEC, replace(SPEC, **changed)) == told


@pytest.mark.parametrize(
    "pinned, options, expected",
    [
        pytest.param(False, DeployOptions(), ("etl", "latest"), id="read from the artifact"),
        pytest.param(False, DeployOptions(flow_version="2"), ("etl", "2"), id="an open version is set"),
        pytest.param(True, DeployOptions(flow_version="latest"), ("etl", "latest"), id="a pinned one is confirmed"),
        pytest.param(True, DeployOptions(flow_version="2"), "etl:2, got etl:latest", id="a pinned one stays"),
        pytest.param(False, DeployOptions(flow_name="x"), "x:latest, got etl:latest", id="a name is never changed"),
    ],
)
def test_the_version_that_is_registered(pinned: bool, options: DeployOptions, expected: Any) -> None:
    candidate = replace(CANDIDATE, is_version_pinned=pinned)
    if isinstance(expected, str):
        with pytest.raises(ArtifactMismatch, match=f"Artifact flow spec mismatch. Expected {expected}"):
            make_plan(candidate, Deployed(), options)
    else:
        plan = make_plan(candidate, Deployed(), options)
        assert (plan.flow_name, plan.flow_version) == expected


@pytest.mark.parametrize(
    "expression, timezone, removed, change",
    [
        pytest.param(None, None, False, Keep(), id="nothing said"),
        pytest.param(None, None, True, Remove(), id="none wanted"),
        pytest.param("0 6 * * *", "UTC", False, Replace("0 6 * * *", "UTC"), id="both"),
        pytest.param(None, "UTC", False, Replace(None, "UTC"), id="another zone"),
    ],
)
def test_what_the_schedule_options_mean(expression: Any, timezone: Any, removed: bool, change: Any) -> None:
    assert schedule_change(expression, timezone, is_removed=removed) == change


def test_a_zone_alone_moves_the_schedule_there_is() -> None:
    options = DeployOptions(schedule=Replace("0 6 * * *", None))
    once = after(make_plan(CANDIDATE, Deployed(), options), CANDIDATE, Deployed())
    assert once.deployment is not None
    assert once.deployment.timezone == "America/New_York"

    plan = make_plan(CANDIDATE, once, DeployOptions(schedule=Replace(None, "Asia/Tokyo")))

    assert plan.schedule == ("0 6 * * *", "Asia/Tokyo")
    with pytest.raises(InvalidInput, match="needs a schedule"):
        make_plan(CANDIDATE, Deployed(), DeployOptions(schedule=Replace(None, "Asia/Tokyo")))


@pytest.mark.parametrize("prefix", ["runs", "state", "runs/mine", "state/flows/x"])
def test_artifacts_are_not_put_among_the_data_of_runs(prefix: str) -> None:
    with pytest.raises(InvalidInput, match="Artifacts cannot have the prefix"):
        check(DeployOptions(prefix=prefix), now=NOW)


@pytest.mark.parametrize("prefix", ["", "dagy", "team/runs", "runsheet", "statements/2026"])
def test_other_prefixes_are_free(prefix: str) -> None:
    check(DeployOptions(prefix=prefix), now=NOW)


@given(data=st.binary(max_size=3000), reads=st.lists(st.tuples(st.integers(0, 3500), st.integers(0, 900)), max_size=8))
def test_a_file_that_is_read_in_pieces_has_the_bytes_of_the_whole(data: bytes, reads: list[tuple[int, int]]) -> None:
    """The object's end comes first, as much of it as fits into a piece; a piece is 500 bytes here at least."""

    def fetch(span: str) -> Piece:
        first, last = span.removeprefix("bytes=").split("-")
        start = int(first) if first else max(0, len(data) - 500)
        return Piece(data[start : int(last) + 1 if first else None], start, len(data))

    file, whole = io.BufferedReader(RangedFile(fetch), 64), io.BytesIO(data)
    for offset, count in reads:
        file.seek(offset)
        whole.seek(offset)
        assert file.read(count) == whole.read(count)


def test_of_a_large_artifact_only_pieces_are_fetched() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", '{"included": ["large.bin"]}')
        archive.writestr("large.bin", bytes(5_000_000))
        archive.writestr("flow.py", "x")
    data, fetched = buffer.getvalue(), []

    def fetch(span: str) -> Piece:
        first, last = span.removeprefix("bytes=").split("-")
        start = int(first) if first else len(data) - int(last)
        piece = data[start : int(last) + 1] if first else data[start:]
        fetched.append(len(piece))
        return Piece(piece, start, len(data))

    shipped = read_shipped(io.BufferedReader(RangedFile(fetch)))

    assert (set(shipped.files), shipped.included) == ({"large.bin", "flow.py"}, ("large.bin",))
    assert sum(fetched) < 600_000


def test_what_was_added_by_glob_and_is_not_there_is_dropped_and_a_module_is_not() -> None:
    old = Shipped({"a.py": 1, "old.py": 1, "b.csv": 1, "plugins/c.py": 1}, ("b.csv", "plugins/c.py"))

    assert dropped(old, Shipped({"a.py": 2})) == ("b.csv", "plugins/c.py")
    assert dropped(old, Shipped({"a.py": 2, "b.csv": 2, "plugins/c.py": 2})) == ()
