"""Errors, and what a stage says of itself."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from dagy.client.models.base import Response
from dagy.client.models.packages import PlatformModel


class ErrorDetail(Response):
    code: str
    message: str
    hint: Optional[str] = None
    request_id: Optional[str] = None


class ErrorBody(Response):
    """Every answer with a status of 400 or more."""

    error: ErrorDetail


class StageResponse(Response):
    """What the stage can carry out. A setting that is not among these is refused."""

    stage: str
    version: str
    sizes: List[str]
    isolations: List[str]
    executors: List[str]
    has_packages: bool
    max_artifact_bytes: int
    has_run_limits: bool = False
    platform: Optional[PlatformModel] = None  # what dependency packages are built for


class OpenApiResponse(Response):
    """The API described in OpenAPI 3.1."""

    openapi: str
    info: Dict[str, Any]
    paths: Dict[str, Any]
    components: Dict[str, Any]
    security: List[Dict[str, List[str]]]


class HealthResponse(Response):
    status: str
    version: str
    stage: str
