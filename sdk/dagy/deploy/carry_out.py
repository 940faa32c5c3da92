"""Carries a plan out, step by step. Showing what a plan would do is just another way to carry it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.deploy.candidate import Candidate
from dagy.deploy.destination import Store, Uploaded
from dagy.deploy.plan import ChangeSettings, Plan, PutDeployment, Register, Step, Upload


@dataclass(frozen=True, slots=True)
class StepDone:
    """What one step came to, for people to read."""

    title: str
    detail: str


Report = Callable[[StepDone], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stands there after the last step."""

    artifact_s3_uri: str | None = None
    deployment: m.DeploymentResponse | None = None


class Executor(Protocol):
    def carry_out(self, plan: Plan, candidate: Candidate, report: Report) -> Outcome:
        """Do the steps in order, reporting each when it is done. After an error the steps before it stand."""


class Doer:
    """Does it. Without a client only the upload is done: there is no API to register with."""

    def __init__(self, store: Store, client: DagyClient | None) -> None:
        self._store, self._client = store, client

    def carry_out(self, plan: Plan, candidate: Candidate, report: Report) -> Outcome:
        uploaded: Uploaded | None = None
        deployment: m.DeploymentResponse | None = None
        for step in plan.steps:
            match step:
                case Upload(key):
                    uploaded = self._store.upload(candidate, key)
                    report(StepDone("Uploaded", uploaded.uri))
                case Register() if self._client is not None and uploaded is not None:
                    self._client.register_flow(_registration(step, candidate, uploaded))
                    report(StepDone("Registered", _described(step)))
                case PutDeployment(request) if self._client is not None:
                    deployment = self._client.put_deployment(request)
                    report(StepDone("Deployment", described_deployment(deployment)))
                case ChangeSettings(name, change) if self._client is not None:
                    deployment = self._client.change_settings(name, change)
                    report(StepDone("Deployment", described_deployment(deployment)))
        return Outcome(uploaded.uri if uploaded else None, deployment)


class Shower:
    """Says what would be done. Nothing is written anywhere."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def carry_out(self, plan: Plan, candidate: Candidate, report: Report) -> Outcome:
        uri = None
        for step in plan.steps:
            if isinstance(step, Upload):
                uri = self._store.uri(step.key)
            report(StepDone(*_intended(step, plan, uri)))
        return Outcome(uri)


def _intended(step: Step, plan: Plan, uri: str | None) -> tuple[str, str]:
    match step:
        case Upload():
            return "Upload", str(uri)
        case Register():
            return "Register", _described(step)
        case PutDeployment(request):
            return "Deploy", f"{request.name} → {request.flow_name}:{request.flow_version}"
        case ChangeSettings(name):
            return "Settings", f"{name}: {', '.join(plan.changes)}"


def _registration(step: Register, candidate: Candidate, uploaded: Uploaded) -> m.FlowRegisterRequest:
    return m.FlowRegisterRequest(
        flow_spec=candidate.spec.with_version(step.flow_version).to_dict(),
        artifact=m.ArtifactModel(
            bucket=uploaded.bucket, key=uploaded.key, sha256=candidate.sha256, version_id=uploaded.version_id
        ),
        code_hash=candidate.code_hash,
        namespace=step.namespace,
        tags=step.tags,
    )


def _described(step: Register) -> str:
    parts = [f"{step.flow_name}:{step.flow_version}"]
    if step.namespace:
        parts.append(f"namespace {step.namespace}")
    if step.tags:
        parts.append("tags " + " ".join(f"{key}={value}" for key, value in step.tags.items()))
    return "  ".join(parts)


def described_deployment(deployment: m.DeploymentResponse) -> str:
    parts = [f"{deployment.name} (v{deployment.deployment_version})", f"size {deployment.execution_mode}"]
    if deployment.isolation != "in-process":
        parts.append(deployment.isolation)
    if deployment.status != "ACTIVE":
        parts.append(deployment.status)
    return "  ".join(parts)
