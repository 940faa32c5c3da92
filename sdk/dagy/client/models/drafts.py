"""Pipelines that are being drawn."""

from __future__ import annotations

from typing import List, Optional

from dagy.client.models.base import Request, Response, Tags


class DagDraftCreateRequest(Request):
    """A pipeline that is being drawn. `canvas_json` is JSON text that only the canvas understands."""

    name: str
    canvas_json: str
    tags: Optional[Tags] = None


class DagDraftUpdateRequest(Request):
    """What is absent stays. With `version`, the change is refused when somebody else changed the draft since."""

    name: Optional[str] = None
    canvas_json: Optional[str] = None
    tags: Optional[Tags] = None
    version: Optional[int] = None


class DagDraftModel(Response):
    """`version` counts the draft's changes, from 1."""

    draft_id: str
    name: str
    tags: Optional[Tags]
    version: int
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str


class DagDraftResponse(DagDraftModel):
    canvas_json: str


class DagDraftListResponse(Response):
    """Newest first, without their canvases."""

    items: List[DagDraftModel]
    next_cursor: Optional[str] = None
