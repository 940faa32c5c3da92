"""Bringing a dependency package to a stage: build it, upload it unless it is there, register it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.core.errors import APIError, InvalidInput
from dagy.core.names import checked_name, package_key
from dagy.core.platforms import Platform
from dagy.deploy.destination import S3Store
from dagy.packages.building import BuiltPackage, built_package
from dagy.packages.contents import PackageContents

Report = Callable[[str, str], object]


@dataclass(frozen=True, slots=True)
class Created:
    """`package` is what is registered; None when it would have been. `is_uploaded`: it was not there yet."""

    slug: str
    name: str
    contents: PackageContents
    size_bytes: int
    package: m.PackageResponse | None
    is_uploaded: bool


def create_package(
    requirements: Path,
    *,
    name: str | None = None,
    client: DagyClient,
    store: S3Store,
    report: Report = lambda title, detail: None,
    is_dry_run: bool = False,
) -> Created:
    """Build what `requirements` asks for, for the platform of the client's stage, and register it under `name`
    (default: what it has already, else that of the file, or of its folder when that is called requirements.txt).

    A repeat whose wheels are the same uploads nothing. A crash in between leaves an object that the next try finds.

    Raises: what `built_package` raises; InvalidInput for a stage without packages; APIError.
    """
    if name is not None:
        checked_name("package name", name)
    stage = client.stage()
    if stage.platform is None:
        raise InvalidInput(
            f"Stage '{stage.stage}' has no dependency packages: it was provisioned by an older Dagy",
            f"Provision it anew: dagy infra deploy --stage {stage.stage}",
        )
    platform = Platform(stage.platform.system, stage.platform.architecture, stage.platform.python_version)
    with built_package(requirements, platform, report=report) as built:
        standing = _standing(client, built.contents.slug)
        given = name or (standing.name if standing else _default_name(requirements))
        is_there = standing is not None and standing.artifact_exists is not False
        if is_dry_run:
            return _created(built, given, standing, is_uploaded=not is_there)
        if standing is not None and is_there and given == standing.name:
            return _created(built, given, standing, is_uploaded=False)
        key = package_key(built.contents.slug)
        if standing is not None and is_there:
            sha256 = standing.sha256
        else:
            sha256 = store.upload_once(built.path, key, built.sha256)
            report("Uploaded", store.uri(key))
        package = client.register_package(
            m.PackageRegisterRequest(name=given, bucket=store.bucket_name(), key=key, sha256=sha256)
        )
        report("Registered", f"{package.slug} ({package.name})")
        return _created(built, given, package, is_uploaded=not is_there)


def _created(built: BuiltPackage, name: str, package: m.PackageResponse | None, *, is_uploaded: bool) -> Created:
    return Created(built.contents.slug, name, built.contents, built.size_bytes, package, is_uploaded)


def _standing(client: DagyClient, slug: str) -> m.PackageResponse | None:
    try:
        return client.get_package(slug)
    except APIError as error:
        if error.status_code == 404:
            return None
        raise


def _default_name(requirements: Path) -> str:
    stem = requirements.stem
    found = requirements.absolute().parent.name if stem == "requirements" else stem
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "-" for c in found).strip("-.") or "packages"
