"""Flows and their artifacts."""

from __future__ import annotations

from typing import Annotated, Any, Dict, List, Optional

import msgspec

from dagy.client.models.base import Request, Response, Tags


class ArtifactModel(Request):
    """Where the artifact was uploaded. `sha256` is the hex digest of the zip, `version_id` the S3 version of
    the upload.
    """

    bucket: str
    key: str
    sha256: str
    version_id: Optional[str] = None


class FlowSpecModel(msgspec.Struct, kw_only=True):
    """A flow as it was traced. Fields that a newer Dagy added are kept and shown, not refused."""

    name: str
    version: str
    created_at: str
    tasks: Dict[str, Dict[str, Any]]
    task_runs: List[Dict[str, Any]]
    edges: List[List[str]]
    parameters: List[Dict[str, Any]]
    outputs: Any = None


Spec = Annotated[Dict[str, Any], msgspec.Meta(extra_json_schema={"$ref": "#/components/schemas/FlowSpecModel"})]


class FlowRegisterRequest(Request):
    """Register a flow version; the same pair of name and version again replaces it.

    With `deployment_name`, that deployment is created too, or moved to this version, keeping its other settings.
    """

    flow_spec: Spec
    artifact: ArtifactModel
    code_hash: Optional[str] = None
    namespace: Optional[str] = None
    tags: Optional[Tags] = None
    deployment_name: Optional[str] = None


class FlowModel(Response):
    """What every answer says of a flow version."""

    flow_name: str
    flow_version: str
    namespace: Optional[str]
    tags: Optional[Tags]
    code_hash: Optional[str]
    created_at: str
    updated_at: str


class FlowRegisterResponse(FlowModel):
    deployment_name: Optional[str]
    deployment_version: Optional[int]


class FlowListItem(FlowModel):
    task_count: int
    artifact_s3_uri: str


class FlowDetailResponse(FlowModel):
    flow_spec: Spec
    parameters: List[Dict[str, Any]]
    artifact_s3_uri: str
    artifact_sha256: str
    artifact_version_id: Optional[str] = None
    artifact_exists: Optional[bool] = None  # false: no run can start before it is deployed again; null: not known


class FlowListResponse(Response):
    items: List[FlowListItem]
    next_cursor: Optional[str] = None
