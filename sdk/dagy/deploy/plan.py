"""What a deploy will do, decided from three values: the flow at hand, what is deployed, what was asked for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from dagy.client import models as m
from dagy.core.errors import ArtifactMismatch, InvalidFlow, InvalidInput
from dagy.core.names import checked_name
from dagy.core.sizes import DEFAULT_ISOLATION, DEFAULT_SIZE
from dagy.core.slugs import checked_slug
from dagy.core.spec import FlowSpec
from dagy.deploy.candidate import Candidate
from dagy.deploy.changes import flow_changes, settings_changes, short
from dagy.deploy.options import DEFAULT_TIMEZONE, DeployOptions, Keep, Remove, Replace
from dagy.parameters import check_values

SETTINGS: Final = (
    "execution_mode",
    "isolation",
    "schedule",
    "timezone",
    "status",
    "default_executor",
    "parameters",
    "tags",
    "packages",
    "max_concurrent_runs",
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What stands there now. `flow` is the very version this deploy is about; `previous` the one the deployment
    points to, or else the one registered last.
    """

    flow: m.FlowDetailResponse | None = None
    previous: m.FlowDetailResponse | None = None
    deployment: m.DeploymentResponse | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    key: str


@dataclass(frozen=True, slots=True)
class Register:
    flow_name: str
    flow_version: str
    namespace: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class PutDeployment:
    """Create it, or move it to this flow version, with these settings."""

    request: m.DeploymentRequest


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """The deployment's code stays; only these settings change."""

    name: str
    request: m.DeploymentSettingsRequest


Step = Upload | Register | PutDeployment | ChangeSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order; none means that everything asked for stands there already."""

    flow_name: str
    flow_version: str
    deployment: str
    steps: tuple[Step, ...]
    changes: tuple[str, ...]
    is_code_unchanged: bool
    schedule: tuple[str, str] | None  # expression and zone, as they will stand
    settings: dict[str, Any]  # as they will stand


def target_version(candidate: Candidate, options: DeployOptions) -> tuple[str, str]:
    """The name and version this deploy registers.

    Raises: ArtifactMismatch when the artifact is another flow, or its author pinned another version.
    """
    name, version = candidate.spec.name, candidate.spec.version
    wanted_name, wanted_version = options.flow_name or name, options.flow_version or version
    if wanted_name != name or (candidate.is_version_pinned and wanted_version != version):
        raise ArtifactMismatch(f"{wanted_name}:{wanted_version}", f"{name}:{version}")
    return name, wanted_version


def artifact_key(prefix: str, flow_name: str, flow_version: str) -> str:
    start = f"{prefix}/" if prefix else ""
    return f"{start}flows/{flow_name}/{flow_version}/artifact.zip"


def make_plan(candidate: Candidate, deployed: Deployed, options: DeployOptions) -> Plan:
    """Raises: ArtifactMismatch; InvalidInput for a time zone without a schedule; MissingParameter for a schedule of a
    flow that needs parameters which nobody would give.
    """
    name, version = target_version(candidate, options)
    deployment_name = checked_name("deployment name", options.deployment or name)
    settings = _settings(deployed.deployment, options)
    if settings["schedule"] is not None:
        check_values(candidate.spec.parameters, settings["parameters"])  # a schedule gives no parameters
    is_same_code = deployed.flow is not None and deployed.flow.code_hash == candidate.code_hash
    is_gone = deployed.flow is not None and deployed.flow.artifact_exists is False
    is_code_skipped = is_same_code and not options.is_forced and not is_gone
    steps: list[Step] = []
    if not is_code_skipped:
        steps += [
            Upload(artifact_key(options.prefix, name, version)),
            Register(name, version, _namespace(candidate, deployed, options), settings["tags"]),
        ]
    steps += _deployment_steps(deployment_name, (name, version), deployed.deployment, settings, is_code_skipped)
    return Plan(
        flow_name=name,
        flow_version=version,
        deployment=deployment_name,
        steps=tuple(steps),
        changes=tuple(_changes(candidate, deployed, settings, f"{name}:{version}")),
        is_code_unchanged=is_same_code,
        schedule=(settings["schedule"], settings["timezone"]) if settings["schedule"] else None,
        settings=settings,
    )


def _deployment_steps(
    name: str,
    flow: tuple[str, str],
    current: m.DeploymentResponse | None,
    settings: dict[str, Any],
    is_code_skipped: bool,
) -> list[Step]:
    if current is None or (current.flow_name, current.flow_version) != flow or not is_code_skipped:
        return [PutDeployment(m.DeploymentRequest(name=name, flow_name=flow[0], flow_version=flow[1], **settings))]
    now = _current_settings(current)
    changed = {key: value for key, value in settings.items() if now[key] != value}
    if not changed:
        return []
    request = m.DeploymentSettingsRequest(**changed, deployment_version=current.deployment_version)
    return [ChangeSettings(name, request)]


def _settings(current: m.DeploymentResponse | None, options: DeployOptions) -> dict[str, Any]:
    """The settings as they will stand: what is asked for, over what is there, over the defaults."""
    settings = _current_settings(current) if current else _first_settings()
    match options.schedule:
        case Remove():
            settings.update(schedule=None, timezone=None)
        case Replace(expression, timezone):
            settings["schedule"] = expression or settings["schedule"]
            settings["timezone"] = timezone or settings["timezone"] or DEFAULT_TIMEZONE
            if settings["schedule"] is None:
                raise InvalidInput("A time zone needs a schedule", "Add --schedule.")
        case Keep():
            pass
    asked: dict[str, Any] = {
        "execution_mode": options.mode.size and str(options.mode.size),
        "isolation": options.mode.isolation and str(options.mode.isolation),
        "status": options.status,
        "default_executor": options.default_executor,
        "parameters": dict(options.parameters) if options.parameters is not None else None,
        "tags": dict(options.tags) if options.tags is not None else None,
        "packages": [checked_slug(slug) for slug in options.packages] if options.packages is not None else None,
        "max_concurrent_runs": options.max_concurrent_runs,
    }
    settings.update({key: value for key, value in asked.items() if value is not None})
    return settings


def _first_settings() -> dict[str, Any]:
    return {
        "execution_mode": str(DEFAULT_SIZE),
        "isolation": str(DEFAULT_ISOLATION),
        "schedule": None,
        "timezone": None,
        "status": "ACTIVE",
        "default_executor": None,
        "parameters": {},
        "tags": {},
        "packages": [],
        "max_concurrent_runs": None,
    }


def _current_settings(deployment: m.DeploymentResponse) -> dict[str, Any]:
    settings = {key: getattr(deployment, key) for key in SETTINGS}
    if settings["schedule"] is None:
        settings["timezone"] = None
    return settings


def _namespace(candidate: Candidate, deployed: Deployed, options: DeployOptions) -> str:
    """Asked for, else what the flow has: a namespace is set at the first registration. Else where the file stands."""
    known = deployed.flow or deployed.previous
    if options.namespace is not None:
        return options.namespace
    if known is not None and known.namespace is not None:
        return known.namespace
    return candidate.namespace


def _changes(candidate: Candidate, deployed: Deployed, settings: dict[str, Any], flow: str) -> list[str]:
    found: list[str] = []
    current = deployed.deployment
    if current is not None and f"{current.flow_name}:{current.flow_version}" != flow:
        found.append(f"flow {current.flow_name}:{current.flow_version} → {flow}")
    before = deployed.flow or deployed.previous
    if before is not None and before.code_hash != candidate.code_hash:
        found.append(f"code {short(before.code_hash)} → {short(candidate.code_hash)}")
        # A spec that a newer Dagy wrote may not be readable here. That must not stop a deploy.
        with suppress(InvalidFlow):
            found += flow_changes(FlowSpec.from_dict(before.flow_spec), candidate.spec)
    if before is not None and before.artifact_exists is False:
        found.append("the deployed artifact is gone from its bucket")
    if current is not None:
        found += settings_changes(_current_settings(current), settings)
    return found
