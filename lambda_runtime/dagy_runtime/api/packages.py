"""Dependency packages: register what was uploaded, look at one, list them, delete one that nobody has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dagy.client import models as m
from dagy.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from dagy.core.names import checked_name, package_key
from dagy.core.offer import MAX_PACKAGE_BYTES
from dagy.core.slugs import SLUG_PATTERN
from dagy.core.timestamps import to_iso
from dagy.packages.reading import read_contents
from dagy_runtime.api import views
from dagy_runtime.api.attaching import find_package
from dagy_runtime.api.context import Already, Context
from dagy_runtime.api.pages import fitting
from dagy_runtime.api.queries import PageQuery
from dagy_runtime.ports import Registry
from dagy_runtime.values import ArtifactRef, Package

_PAGE: Final = 1000
_KEY: Final = package_key(f"({SLUG_PATTERN})").replace(".", r"\.")


def register_package(ctx: Context, body: m.PackageRegisterRequest) -> m.PackageResponse | Already:
    """What is registered is read from the zip itself, not from the request; a repeat changes nothing but the name."""
    name = checked_name("package name", body.name)
    artifact = _uploaded(ctx, body)
    with ctx.ports.blobs.open(artifact.key, version_id=artifact.version_id) as file:
        contents = read_contents(file)
    if package_key(contents.slug) != artifact.key:
        raise InvalidInput(
            f"The package at {artifact.uri} is {contents.slug}: its slug follows from its contents",
            f"Upload it to {package_key(contents.slug)}; `dagy packages create` does.",
        )
    current = ctx.ports.packages.get_package(contents.slug)
    if current is not None and current.contents_sha256 != contents.sha256:
        raise Conflict(
            f"Slug {contents.slug} is taken by a package of other contents, '{current.name}'",
            "A chance of one in a million million: change a requirement a little.",
        )
    stored = ctx.ports.packages.put_package(
        Package(
            slug=contents.slug,
            name=name,
            artifact=artifact,
            contents_sha256=contents.sha256,
            platform=contents.platform,
            distributions=contents.distributions,
            modules=contents.modules,
            unpacked_bytes=contents.unpacked_bytes,
            file_count=len(contents.files),
            created_at=to_iso(ctx.ports.clock.now()),
            created_by=ctx.caller.id,
            bytecode=contents.bytecode,
        )
    )
    shown = views.package_view(stored, artifact_exists=True)
    return Already(shown) if current is not None else shown


def get_package(ctx: Context, *, slug: str) -> m.PackageResponse:
    package = find_package(ctx.ports, slug)
    return views.package_view(package, artifact_exists=_exists(ctx, package.artifact))


def list_packages(ctx: Context, query: PageQuery) -> m.PackageListResponse:
    items, cursor = fitting(
        lambda limit: ctx.ports.packages.list_packages(limit=limit, cursor=query.cursor),
        views.package_view,
        query.limit,
    )
    return m.PackageListResponse(items=items, next_cursor=cursor)


def delete_package(ctx: Context, *, slug: str) -> None:
    """Looks for deployments that have it before and after: whoever attaches it meanwhile looks for it after they have
    written, so of two that cross at least one finds the other.
    """
    package = find_package(ctx.ports, slug)
    _refuse_while_used(ctx.ports.registry, package)
    ctx.ports.packages.delete_package(package.slug)
    try:
        _refuse_while_used(ctx.ports.registry, package)
    except Conflict:
        ctx.ports.packages.put_package(package)
        raise
    ctx.ports.blobs.delete(package.artifact.key)


def _refuse_while_used(registry: Registry, package: Package) -> None:
    users = list(_users(registry, package.slug))
    if users:
        shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
        raise Conflict(
            f"Package {package.slug} ('{package.name}') is attached to {shown}",
            "Deploy with other packages first: --dep-packages SLUG …, or --no-dep-packages.",
        )


def _users(registry: Registry, slug: str) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = registry.list_deployments(limit=_PAGE, cursor=cursor)
        yield from (deployment.name for deployment in page.items if slug in deployment.packages)
        cursor = page.cursor
        if cursor is None:
            return


def _uploaded(ctx: Context, body: m.PackageRegisterRequest) -> ArtifactRef:
    """The very object in this stage's bucket. Raises: InvalidInput, NotFound, or Conflict when it is another file."""
    if not re.fullmatch("[0-9a-f]{64}", body.sha256):
        raise InvalidInput("The package's sha256 is not a SHA-256 in hex", "64 characters 0–9 and a–f.")
    if not re.fullmatch(_KEY, body.key):
        raise InvalidInput(f"A package cannot be at {body.key[:100]!r}", f"Upload it to {package_key('<slug>')}.")
    found = ctx.ports.blobs.find_artifact(body.bucket, body.key, None, max_bytes=MAX_PACKAGE_BYTES)
    where = f"s3://{body.bucket}/{body.key}"
    if found is None:
        raise NotFound("package", where, "Upload it first, then register it; `dagy packages create` does both.")
    if found.sha256 != body.sha256:
        raise Conflict(f"The package at {where} has SHA-256 {found.sha256}, not {body.sha256}", "Create it again.")
    return found


def _exists(ctx: Context, artifact: ArtifactRef) -> bool | None:
    try:
        return ctx.ports.blobs.exists(artifact.key, version_id=artifact.version_id)
    except (Forbidden, Unavailable):
        return None
