"""Deployments, their versions and settings."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Union

import msgspec

from dagy.client.models.base import Request, Response, Tags


class DeploymentRequest(Request):
    """Create a deployment, or replace the settings given here of the one with that name.

    `execution_mode` takes a size, an isolation, or a list with one of each. `schedule` is a cron expression of
    five fields, `rate(...)` or `at(...)`; null or absent means none. `status` is ACTIVE or PAUSED.
    """

    name: str
    flow_name: str
    flow_version: str
    schedule: Optional[str] = None
    timezone: Optional[str] = None
    status: Optional[str] = None
    execution_mode: Union[str, List[str], None] = None
    isolation: Optional[str] = None
    default_executor: Optional[str] = None
    parameters: Optional[Dict[str, Any]] = None
    tags: Optional[Tags] = None
    packages: Optional[List[str]] = None
    max_concurrent_runs: Optional[int] = None


class DeploymentSettingsRequest(Request):
    """Change settings; those absent stay, null clears one that can be empty.

    With `deployment_version`, the change is refused when somebody else changed the deployment since.
    """

    schedule: Union[str, msgspec.UnsetType, None] = msgspec.UNSET
    timezone: Union[str, msgspec.UnsetType, None] = msgspec.UNSET
    status: Union[str, msgspec.UnsetType] = msgspec.UNSET
    execution_mode: Union[str, List[str], msgspec.UnsetType] = msgspec.UNSET
    isolation: Union[str, msgspec.UnsetType] = msgspec.UNSET
    default_executor: Union[str, msgspec.UnsetType, None] = msgspec.UNSET
    parameters: Union[Dict[str, Any], msgspec.UnsetType, None] = msgspec.UNSET
    tags: Union[Tags, msgspec.UnsetType, None] = msgspec.UNSET
    packages: Union[List[str], msgspec.UnsetType, None] = msgspec.UNSET
    max_concurrent_runs: Union[int, msgspec.UnsetType, None] = msgspec.UNSET
    deployment_version: Union[int, msgspec.UnsetType] = msgspec.UNSET


class DeploymentModel(Response):
    """A deployment at one of its versions."""

    name: str
    flow_name: str
    flow_version: str
    deployment_version: int
    status: str
    execution_mode: str  # the size
    isolation: str
    schedule: Optional[str]
    timezone: Optional[str]
    default_executor: Optional[str]
    parameters: Dict[str, Any]
    tags: Tags
    packages: List[str]
    created_at: str
    updated_at: str
    max_concurrent_runs: Optional[int] = None
    artifact_sha256: Optional[str] = None  # of the flow's artifact when this version was written
    updated_by: Optional[str] = None


class DeploymentResponse(DeploymentModel):
    # The next three, UTC; empty without a schedule or when paused.
    next_fire_times: List[str] = msgspec.field(default_factory=list)


class DeploymentListResponse(Response):
    items: List[DeploymentResponse]
    next_cursor: Optional[str] = None


class DeploymentVersionListResponse(Response):
    """The newest first."""

    items: List[DeploymentModel]
    next_cursor: Optional[str] = None


class RollbackRequest(Request):
    """Null: the newest earlier version that ran other code."""

    deployment_version: Optional[int] = None
