"""Dependency packages."""

from __future__ import annotations

from typing import Dict, List, Optional

from dagy.client.models.base import Request, Response


class PlatformModel(Response):
    """What compiled modules must run on: `system` is `lambda`, or the operating system that the local cloud runs on."""

    system: str
    architecture: str
    python_version: str


class PackageRegisterRequest(Request):
    """Register a package that was uploaded to `packages/<slug>.zip` of the stage's bucket. `sha256` is that of the zip.

    The same contents again change nothing but the name.
    """

    name: str
    bucket: str
    key: str
    sha256: str


class PackageResponse(Response):
    slug: str
    name: str
    platform: PlatformModel
    distributions: Dict[str, str]  # versions by name
    modules: List[str]  # the top-level names that can be imported from it
    size_bytes: int
    unpacked_bytes: int
    file_count: int
    sha256: str
    contents_sha256: str  # the same for the same contents, however they were zipped; the slug is made of it
    artifact_s3_uri: str
    created_at: str
    created_by: str
    artifact_exists: Optional[bool] = None  # false: create it again; null: not known
    bytecode: Optional[str] = None  # what its modules are compiled for, such as cpython-313; null: not compiled


class PackageListResponse(Response):
    items: List[PackageResponse]
    next_cursor: Optional[str] = None
