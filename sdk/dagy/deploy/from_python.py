"""`Flow.deploy()`, `Flow.run()` and `deploy_artifact()`: deploying from Python, on the same code as the command."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.config import resolve_api_url, resolve_profile
from dagy.core.sizes import parse_execution_modes
from dagy.deploy.candidate import from_artifact, from_flow
from dagy.deploy.deploying import DeployResult, deploy_candidate
from dagy.deploy.destination import S3Store
from dagy.deploy.options import DeployOptions, check, schedule_change

if TYPE_CHECKING:
    from dagy.artifact import LocalArtifact
    from dagy.authoring.flows import Flow
    from dagy.local import LocalRunContext


def deploy_flow(
    flow: Flow[..., Any],
    name: str | None = None,
    *,
    bucket: str | None = None,
    api_url: str | None = None,
    schedule: str | None = None,
    timezone: str | None = None,
    default_executor: str | None = None,
    execution_mode: str | Sequence[str] | None = None,
    namespace: str | None = None,
    tags: Mapping[str, str] | None = None,
    dep_packages: Sequence[str] | None = None,
    max_concurrent_runs: int | None = None,
    flow_version: str | None = None,
    flow_kwargs: Mapping[str, Any] | None = None,
    force: bool = False,
) -> DeployResult | LocalRunContext:
    """Build the flow, upload it and register it as the deployment `name` (default: the flow's name).

    Without an API, neither given nor configured, the flow is run on this machine instead. Settings not given stay as
    they are; a new deployment is `nano`. An empty schedule removes it. A repeat without a change uploads nothing
    (`skipped`), unless `force`.
    """
    profile = resolve_profile()
    url = api_url or resolve_api_url(profile)
    if url is None:
        return _run_here(flow, (), flow_kwargs or {})
    words = (execution_mode,) if isinstance(execution_mode, str) else tuple(execution_mode or ())
    options = DeployOptions(
        deployment=name,
        flow_version=flow_version,
        namespace=namespace,
        tags=tags,
        mode=parse_execution_modes(words),
        schedule=schedule_change(schedule or None, timezone, is_removed=schedule == ""),
        default_executor=default_executor,
        packages=dep_packages,
        max_concurrent_runs=max_concurrent_runs,
        is_forced=force,
    )
    check(options, now=time.time())
    candidate = from_flow(flow, version=flow_version, flow_kwargs=flow_kwargs)
    client = DagyClient(url, profile=profile.name)
    return deploy_candidate(candidate, options, store=S3Store(profile, bucket=bucket), client=client)


def run_flow(flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> m.RunResponse | LocalRunContext:
    """Start a run of the deployment that has the flow's name, when an API is configured; else run it here.

    Positional arguments are sent under the names of the flow's parameters.
    """
    profile = resolve_profile()
    url = resolve_api_url(profile)
    if url is None:
        return _run_here(flow, args, kwargs)
    bound = inspect.signature(flow.fn).bind_partial(*args, **kwargs).arguments
    return DagyClient(url, profile=profile.name).trigger_run({"deployment": flow.name, "parameters": bound})


def deploy_artifact(
    artifact: LocalArtifact, client: DagyClient, *, bucket: str | None = None, deployment: str | None = None
) -> DeployResult:
    """Upload a built artifact to the bucket of the active profile and register it through `client`, as the deployment
    that has the flow's name unless another is given. Code that is deployed already is not uploaded again (`skipped`).

    Raises: InvalidFlow, InvalidInput before anything is uploaded; APIError. A repeat is always safe.
    """
    candidate = from_artifact(artifact)
    options = DeployOptions(deployment=deployment)
    return deploy_candidate(candidate, options, store=S3Store(resolve_profile(), bucket=bucket), client=client)


def _run_here(flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LocalRunContext:
    from dagy.local import run_local  # a lazy door: DuckDB

    return run_local(flow, args, dict(kwargs))
