"""What is stored, as the API shows it."""

from __future__ import annotations

import json
from typing import Final

import msgspec
from msgspec import structs

from dagy.client import models as m
from dagy.core.errors import ArtifactSerializationError, InvalidSchedule
from dagy.core.platforms import Platform
from dagy.core.timestamps import to_epoch, to_iso
from dagy.results import JSON, JSON_TAGGED, Encoded, readable
from dagy.schedules import parse_schedule
from dagy_runtime.engine.logs import LogPage
from dagy_runtime.messages import KINDS
from dagy_runtime.values import (
    ApiKey,
    DeadLetter,
    Deployment,
    DeploymentStatus,
    Draft,
    Event,
    FlowVersion,
    Package,
    Problem,
    ResultRef,
    Run,
    TaskRun,
)

NEXT_FIRE_TIMES: Final = 3


def flow_item(flow: FlowVersion) -> m.FlowListItem:
    return m.FlowListItem(
        flow_name=flow.name,
        flow_version=flow.version,
        namespace=flow.namespace,
        tags=dict(flow.tags),
        code_hash=flow.code_hash,
        task_count=len(flow.spec.task_runs),
        artifact_s3_uri=flow.artifact.uri,
        created_at=flow.created_at,
        updated_at=flow.updated_at,
    )


def flow_detail(flow: FlowVersion, *, artifact_exists: bool | None) -> m.FlowDetailResponse:
    return m.FlowDetailResponse(
        flow_name=flow.name,
        flow_version=flow.version,
        namespace=flow.namespace,
        tags=dict(flow.tags),
        code_hash=flow.code_hash,
        flow_spec=flow.spec.to_dict(),
        parameters=flow.spec.parameters,
        artifact_s3_uri=flow.artifact.uri,
        artifact_sha256=flow.artifact.sha256,
        created_at=flow.created_at,
        updated_at=flow.updated_at,
        artifact_version_id=flow.artifact.version_id,
        artifact_exists=artifact_exists,
    )


def registered(flow: FlowVersion, deployment: Deployment | None) -> m.FlowRegisterResponse:
    return m.FlowRegisterResponse(
        flow_name=flow.name,
        flow_version=flow.version,
        namespace=flow.namespace,
        tags=dict(flow.tags),
        code_hash=flow.code_hash,
        deployment_name=deployment.name if deployment else None,
        deployment_version=deployment.deployment_version if deployment else None,
        created_at=flow.created_at,
        updated_at=flow.updated_at,
    )


def deployment_view(deployment: Deployment, *, now: float) -> m.DeploymentResponse:
    return m.DeploymentResponse(
        **structs.asdict(deployment_version_view(deployment)), next_fire_times=_next_fire_times(deployment, now)
    )


def deployment_version_view(deployment: Deployment) -> m.DeploymentModel:
    return m.DeploymentModel(
        name=deployment.name,
        flow_name=deployment.flow_name,
        flow_version=deployment.flow_version,
        deployment_version=deployment.deployment_version,
        status=deployment.status.value,
        execution_mode=deployment.size.value,
        isolation=deployment.isolation.value,
        schedule=deployment.schedule.expression if deployment.schedule else None,
        timezone=deployment.schedule.timezone if deployment.schedule else None,
        default_executor=deployment.default_executor.value if deployment.default_executor else None,
        parameters=dict(deployment.parameters),
        tags=dict(deployment.tags),
        packages=list(deployment.packages),
        created_at=deployment.created_at,
        updated_at=deployment.updated_at,
        max_concurrent_runs=deployment.max_concurrent_runs,
        artifact_sha256=deployment.artifact_sha256,
        updated_by=deployment.updated_by,
    )


def draft_view(draft: Draft) -> m.DagDraftModel:
    return m.DagDraftModel(
        draft_id=draft.id,
        name=draft.name,
        tags=dict(draft.tags),
        version=draft.version,
        created_at=draft.created_at,
        updated_at=draft.updated_at,
        created_by=draft.created_by,
        updated_by=draft.updated_by,
    )


def draft_detail(draft: Draft) -> m.DagDraftResponse:
    return m.DagDraftResponse(**structs.asdict(draft_view(draft)), canvas_json=draft.canvas_json or "")


def run_view(run: Run, *, result_url: str | None = None) -> m.RunResponse:
    return m.RunResponse(
        run_id=run.id,
        status=run.status.value,
        flow_name=run.flow_name,
        flow_version=run.flow_version,
        deployment=run.deployment,
        execution_mode=run.size.value,
        isolation=run.isolation.value,
        parameters=dict(run.parameters),
        trigger=run.trigger.value,
        tags=dict(run.tags),
        requested_by=run.requested_by,
        artifact_sha256=run.artifact.sha256,
        created_at=run.created_at,
        scheduled_at=run.scheduled_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        duration_s=_duration_s(run),
        invocations=run.hops,
        error=_problem(run.problem),
        result=_inline_value(run.result),
        result_codec=run.result.codec if run.result else None,
        result_size_bytes=run.result.size_bytes if run.result else None,
        result_url=result_url,
        packages=[package.slug for package in run.packages],
        retry_of=run.retry_of,
    )


def task_view(task: TaskRun) -> m.TaskRunResponse:
    return m.TaskRunResponse(
        task_run_id=task.id,
        task_name=task.task_name,
        status=task.status.value,
        attempt=task.attempt,
        depends_on=list(task.depends_on),
        started_at=task.started_at,
        ended_at=task.ended_at,
        duration_s=_rounded(task.duration_s, 6),
        cpu_s=_rounded(task.cpu_s, 6),
        peak_mib=_rounded(task.peak_mib, 1),
        error=_problem(task.problem),
        result=_inline_value(task.result),
        result_codec=task.result.codec if task.result else None,
        result_size_bytes=task.result.size_bytes if task.result else None,
    )


def event_view(event: Event) -> m.EventResponse:
    return m.EventResponse(
        id=event.id,
        at=event.at,
        type=event.type,
        task_run_id=event.task_run_id,
        attempt=event.attempt,
        data=dict(event.data),
    )


def log_view(page: LogPage) -> m.LogResponse:
    items = [m.LogLine(at=e.at, task_run_id=e.task_run_id, stream=e.stream, line=e.line) for e in page.lines]
    return m.LogResponse(items=items, next_cursor=page.cursor, is_complete=page.is_complete)


def dead_letter_view(letter: DeadLetter) -> m.DeadLetterModel:
    return m.DeadLetterModel(
        id=letter.id,
        at=letter.at,
        kind=_known_kind(letter.message.get("kind")),
        reason=letter.reason,
        run_id=letter.run_id,
        deployment=_text(letter.message.get("deployment")),
        replayed_at=letter.replayed_at,
        replayed_by=letter.replayed_by,
        replayed_as=letter.replayed_as,
    )


def dead_letter_detail(letter: DeadLetter) -> m.DeadLetterResponse:
    """Half surrogate pairs, which are no text that JSON readers agree about, are shown as question marks."""
    text = json.dumps(dict(letter.message), ensure_ascii=False).encode(errors="replace")
    return m.DeadLetterResponse(**structs.asdict(dead_letter_view(letter)), message=json.loads(text))


def package_view(package: Package, *, artifact_exists: bool | None = None) -> m.PackageResponse:
    return m.PackageResponse(
        slug=package.slug,
        name=package.name,
        platform=platform_view(package.platform),
        distributions=dict(package.distributions),
        modules=list(package.modules),
        size_bytes=package.artifact.size_bytes,
        unpacked_bytes=package.unpacked_bytes,
        file_count=package.file_count,
        sha256=package.artifact.sha256,
        contents_sha256=package.contents_sha256,
        artifact_s3_uri=package.artifact.uri,
        created_at=package.created_at,
        created_by=package.created_by,
        artifact_exists=artifact_exists,
        bytecode=package.bytecode,
    )


def platform_view(platform: Platform) -> m.PlatformModel:
    return m.PlatformModel(
        system=platform.system, architecture=platform.architecture, python_version=platform.python_version
    )


def key_view(key: ApiKey, *, warning: str | None = None) -> m.KeyResponse:
    return m.KeyResponse(
        id=key.id,
        name=key.name,
        role=key.role.value,
        created_at=key.created_at,
        created_by=key.created_by,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        warning=warning,
    )


def is_readable(ref: ResultRef) -> bool:
    """Whether people can be shown it as JSON. What a pickle holds only the flow itself may find out."""
    return ref.codec in (JSON, JSON_TAGGED)


def shown_value(encoded: Encoded) -> msgspec.Raw | None:
    """A readable result as JSON text; None when it is none after all. User code's process wrote the bytes, so nothing
    about them is taken for granted.
    """
    try:
        return msgspec.Raw(msgspec.json.encode(readable(encoded)))
    except (ArtifactSerializationError, msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _inline_value(ref: ResultRef | None) -> msgspec.Raw | None:
    if ref is None or ref.inline is None or not is_readable(ref):
        return None
    return shown_value(Encoded(ref.codec, ref.inline, ref.sha256))


def _next_fire_times(deployment: Deployment, now: float) -> list[str]:
    if deployment.schedule is None or deployment.status is DeploymentStatus.PAUSED:
        return []
    try:
        schedule = parse_schedule(deployment.schedule.expression, deployment.schedule.timezone)
    except InvalidSchedule:  # stored by a version of Dagy, or of the time zones, that knew better
        return []
    return [to_iso(time.timestamp()) for time in schedule.next_times(now, NEXT_FIRE_TIMES)]


def _problem(problem: Problem | None) -> m.ProblemModel | None:
    if problem is None:
        return None
    return m.ProblemModel(error_type=problem.error_type, message=problem.message, traceback=problem.traceback)


def _known_kind(kind: object) -> str | None:
    return kind if isinstance(kind, str) and kind in KINDS else None


def _text(value: object) -> str | None:
    """Whoever sent a message that failed may have sent anything."""
    return value if isinstance(value, str) else None


def _rounded(value: float | None, digits: int) -> float | None:
    """Microseconds and tenths of a MiB: what is beyond them was never measured."""
    return None if value is None else round(value, digits)


def _duration_s(run: Run) -> float | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return round(to_epoch(run.ended_at) - to_epoch(run.started_at), 3)
